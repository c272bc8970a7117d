"""Every mistake that is named, made on purpose; and whatever the bytes, an answer. The public package is the judge."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from console.domain.signature_diagnosis import diagnose
from console.domain.signature_finding import Diagnosis, KnownSecret, Mistake, Received, fingerprint
from console.domain.signature_message import TOLERANCE_S, event_id_in
from console.domain.signing import make_key, make_secret, public_key_of, sign

ID = "evt_01k0000000000000000000000"
NOW_S = 1_790_000_000
NOW_MS = NOW_S * 1000
SECRET, OLD, OTHER = (make_secret(bytes([n]) * 24 + b"\xff\xef\xbe") for n in (3, 7, 9))
KEY = make_key(b"\x05" * 32)
VALUE = {"type": "invoice.paid", "data": {"amount": 42.10, "note": "Grüße </b>", "url": "https://x/y", "b": 1, "a": 2}}
BODY = json.dumps(VALUE, ensure_ascii=False, separators=(",", ":")).encode()


class Times:
    """Moments in UTC, durations in seconds."""

    now_ms = NOW_MS

    def at(self, moment_ms: int) -> str:
        return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%H:%M:%S}"

    def ago(self, moment_ms: int) -> str:
        return f"{(self.now_ms - moment_ms) // 1000}s ago"

    def ahead(self, moment_ms: int) -> str:
        return f"in {(moment_ms - self.now_ms) // 1000}s"

    def span(self, duration_ms: float) -> str:
        return f"{duration_ms / 1000:g}s"


def known(text: str = SECRET, *, owner: str = "billing", own: bool = True, until_ms: int | None = None) -> KnownSecret:
    return KnownSecret(text=text, owner=owner, own=own, until_ms=until_ms)


KNOWN = (
    known(),
    known(OLD, until_ms=NOW_MS - 60_000),
    known(OTHER, owner="crm", own=False),
    known(KEY),
)


def message(body: bytes = BODY, *, at: str = str(NOW_S), id_: str = ID, signature: str | None = None) -> Received:
    """What a receiver gets when the body that was sent is `body`."""
    signed = sign([SECRET], ID, int(NOW_S), body) if signature is None else signature
    headers = (("webhook-id", id_), ("webhook-timestamp", at), ("webhook-signature", signed))
    return Received(headers=headers, body=body)


def changed(received: Received, **changes: Any) -> Received:
    return Received(**({"headers": received.headers, "body": received.body, "computed": received.computed} | changes))


def look(received: Received, secrets: Sequence[KnownSecret] = KNOWN, **more: Any) -> Diagnosis:
    return diagnose(received, secrets, times=Times(), **more)


def mistakes(diagnosis: Diagnosis) -> set[Mistake]:
    return {finding.mistake for finding in diagnosis.findings if finding.severity == "wrong"}


def accepted_by_the_package(received: Received, secret: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    import standardwebhooks.webhooks as package

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Then":
            return cls.fromtimestamp(NOW_S, tz)

    monkeypatch.setattr(package, "datetime", Then)
    try:
        Webhook(secret).verify(received.body, dict(received.headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True


def mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, hashlib.sha256)


def text_to_sign(body: bytes = BODY) -> bytes:
    return f"{ID}.{NOW_S}.".encode() + body


def v1(digest: bytes) -> str:
    return "v1," + base64.b64encode(digest).decode()


RIGHT_KEY = base64.b64decode(SECRET.removeprefix("whsec_"))


def test_what_is_right_is_right_and_says_by_which_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = look(message())
    assert diagnosis.ok
    assert diagnosis.signed_with == fingerprint(SECRET)
    assert diagnosis.findings[0].mistake is Mistake.NONE
    assert accepted_by_the_package(message(), SECRET, monkeypatch)


def test_a_secret_is_never_in_the_words() -> None:
    for received in (message(), changed(message(), body=b"{}"), changed(message(), computed="v1,AAAA")):
        said = repr(look(received, given=OLD)) + repr(known())
        for secret in (SECRET, OLD, OTHER, KEY):
            assert secret not in said
            assert secret[6:30] not in said


DUMPS: dict[str, Callable[[Any], str]] = {
    "python": json.dumps,
    "python, sorted": lambda v: json.dumps(v, sort_keys=True),
    "compact, ascii": lambda v: json.dumps(v, separators=(",", ":")),
    "indented": lambda v: json.dumps(v, indent=2),
    "indented by 4, letters kept": lambda v: json.dumps(v, indent=4, ensure_ascii=False),
    "php": lambda v: json.dumps(v, separators=(",", ":")).replace("/", "\\/"),
    "go": lambda v: (
        json.dumps(v, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
    ),
}


@pytest.mark.parametrize("how", DUMPS)
def test_a_body_that_was_written_anew(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    again = changed(message(), body=DUMPS[how](VALUE).encode())
    if again.body == BODY:
        return
    assert not accepted_by_the_package(again, SECRET, monkeypatch)
    diagnosis = look(again, payload=BODY)
    assert mistakes(diagnosis) == {Mistake.BODY_WRITTEN_ANEW}
    assert "payload as it was sent" in diagnosis.findings[0].words


@pytest.mark.parametrize("how", DUMPS)
def test_a_body_that_was_written_anew_where_the_event_is_not_known(how: str) -> None:
    sent = DUMPS[how](VALUE).encode()
    received = changed(message(sent), body=json.dumps(VALUE, ensure_ascii=False, indent=1).encode())
    assert mistakes(look(received)) == {Mistake.BODY_WRITTEN_ANEW}


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b + b"\n",
        lambda b: b + b"\r\n",
        lambda b: b"\xef\xbb\xbf" + b,
        lambda b: b" " + b + b"  ",
        lambda b: json.dumps(b.decode()).encode(),
        lambda b: b.decode("utf-8").encode("latin-1"),
        lambda b: b.decode("utf-8").encode("utf-16"),
        lambda b: f"{len(b):x}\r\n".encode() + b + b"\r\n0\r\n\r\n",
    ],
)
def test_a_body_that_was_changed_on_its_way(change: Callable[[bytes], bytes]) -> None:
    received = changed(message(), body=change(BODY))
    assert received.body != BODY
    assert mistakes(look(received)) == {Mistake.BODY_CHANGED}


def test_line_breaks_that_were_turned() -> None:
    sent = json.dumps(VALUE, indent=2).encode()
    diagnosis = look(changed(message(sent), body=sent.replace(b"\n", b"\r\n")))
    assert mistakes(diagnosis) <= {Mistake.BODY_CHANGED, Mistake.BODY_WRITTEN_ANEW}
    assert "line breaks are LF" in diagnosis.findings[0].words


def test_the_body_of_another_event_says_where_it_differs() -> None:
    other = json.loads(BODY) | {"data": {**VALUE["data"], "amount": 43}}  # type: ignore[dict-item]  # it is a dict
    diagnosis = look(changed(message(), body=json.dumps(other).encode()), payload=BODY)
    assert mistakes(diagnosis) == {Mistake.OTHER_BODY}
    assert "data.amount is another" in diagnosis.findings[0].words
    assert "43" not in diagnosis.findings[0].words


def test_a_body_that_was_read_before() -> None:
    diagnosis = look(changed(message(), body=b""), payload=BODY)
    assert mistakes(diagnosis) == {Mistake.OTHER_BODY}
    assert "it is empty" in diagnosis.findings[0].words


KEYS = {
    "not decoded": SECRET.removeprefix("whsec_").encode(),
    "prefix left": SECRET.encode(),
    "hex of the key": RIGHT_KEY.hex().encode(),
    "encoded again": base64.b64encode(SECRET.removeprefix("whsec_").encode()),
    "prefix decoded too, by node": base64.b64decode(SECRET.replace("_", "/") + "=" * (-len(SECRET) % 4)),
}


@pytest.mark.parametrize("how", KEYS)
def test_a_secret_that_is_taken_wrongly_by_a_receiver(how: str) -> None:
    diagnosis = look(changed(message(), computed=v1(mac(KEYS[how], text_to_sign()))))
    assert mistakes(diagnosis) == {Mistake.SECRET_NOT_DECODED}
    assert not diagnosis.ok


@pytest.mark.parametrize("how", KEYS)
def test_a_secret_that_is_taken_wrongly_by_whoever_signed(how: str) -> None:
    received = message(signature=v1(mac(KEYS[how], text_to_sign())))
    assert mistakes(look(received)) == {Mistake.SECRET_NOT_DECODED}


def test_a_secret_that_is_decoded_twice() -> None:
    inner = b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
    secret = make_secret(inner)
    received = message(signature=v1(mac(base64.b64decode(inner), text_to_sign())))
    diagnosis = look(received, [known(secret)])
    assert mistakes(diagnosis) == {Mistake.SECRET_NOT_DECODED}
    assert "twice" in diagnosis.findings[0].words


def test_two_mistakes_at_once() -> None:
    body = json.dumps(VALUE).encode()
    computed = v1(mac(SECRET.removeprefix("whsec_").encode(), text_to_sign(body)))
    received = changed(message(), computed=computed)
    assert mistakes(look(received)) == {Mistake.SECRET_NOT_DECODED, Mistake.BODY_WRITTEN_ANEW}


SIGNED = {
    "swapped": f"{NOW_S}.{ID}.".encode() + BODY,
    "no id": f"{NOW_S}.".encode() + BODY,
    "no timestamp": f"{ID}.".encode() + BODY,
    "body alone": BODY,
    "no dots": f"{ID}{NOW_S}".encode() + BODY,
    "no body": f"{ID}.{NOW_S}.".encode(),
    "milliseconds": f"{ID}.{NOW_S}000.".encode() + BODY,
}


@pytest.mark.parametrize("how", SIGNED)
def test_another_text_is_signed(how: str) -> None:
    for received in (
        message(signature=v1(mac(RIGHT_KEY, SIGNED[how]))),
        changed(message(), computed=v1(mac(RIGHT_KEY, SIGNED[how]))),
    ):
        assert mistakes(look(received)) == {Mistake.SIGNED_TEXT}


def test_the_secret_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    received = message(signature=sign([OLD], ID, NOW_S, BODY))
    diagnosis = look(received)
    assert mistakes(diagnosis) == {Mistake.ENDED_SECRET}
    assert "60s ago" in diagnosis.findings[0].words
    assert not accepted_by_the_package(received, SECRET, monkeypatch)


def test_the_secret_of_another_endpoint_is_named() -> None:
    diagnosis = look(message(signature=sign([OTHER], ID, NOW_S, BODY)))
    assert mistakes(diagnosis) == {Mistake.OTHER_SECRET}
    assert "crm" in diagnosis.findings[0].words


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        (OLD, Mistake.ENDED_SECRET),
        (OTHER, Mistake.OTHER_SECRET),
        (make_secret(b"z" * 32), Mistake.UNKNOWN_SECRET),
        ("whsec_§§", Mistake.SECRET_NOT_DECODED),
    ],
)
def test_what_secret_the_receiver_has(given: str, mistake: Mistake) -> None:
    assert mistake in mistakes(look(message(), given=given))


@pytest.mark.parametrize("given", [SECRET, f" {SECRET}\n", SECRET.removeprefix("whsec_"), KEY, public_key_of(KEY)])
def test_the_right_secret_however_it_is_written(given: str) -> None:
    assert look(message(), given=given).ok


def test_an_unknown_secret_when_the_body_is_what_was_sent() -> None:
    received = message(signature=sign([make_secret(b"q" * 32)], ID, NOW_S, BODY))
    assert mistakes(look(received, payload=BODY)) == {Mistake.UNKNOWN_SECRET}
    assert mistakes(look(received)) == {Mistake.UNKNOWN}
    assert mistakes(look(received, [])) == {Mistake.UNKNOWN_SECRET}


@pytest.mark.parametrize("off_s", [TOLERANCE_S, TOLERANCE_S + 1, -TOLERANCE_S, -TOLERANCE_S - 1])
def test_the_clock(off_s: int) -> None:
    at_ms = (NOW_S + off_s) * 1000
    assert mistakes(look(message(), received_at_ms=at_ms)) == ({Mistake.CLOCK} if abs(off_s) > TOLERANCE_S else set())


def test_an_old_message_is_no_mistake_while_nobody_says_when_it_came() -> None:
    signature = sign([SECRET], ID, NOW_S - 9000, BODY)
    old = message(at=str(NOW_S - 9000), signature=signature)
    assert look(old).ok
    assert Mistake.CLOCK in {finding.mistake for finding in look(old).findings}
    assert not look(message(at=str(NOW_S + 9000), signature=sign([SECRET], ID, NOW_S + 9000, BODY))).ok


def test_timestamps_in_another_form() -> None:
    assert Mistake.TIMESTAMP_FORM in mistakes(look(message(at=f"{NOW_S}000")))
    assert Mistake.TIMESTAMP_FORM in mistakes(look(message(at="2026-11-24T03:46:41Z")))


def test_headers_that_are_missing_or_mixed_up() -> None:
    for gone in range(3):
        headers = tuple(field for n, field in enumerate(message().headers) if n != gone)
        diagnosis = look(changed(message(), headers=headers))
        assert mistakes(diagnosis) == {Mistake.MISSING_HEADER}
        assert message().headers[gone][0] in diagnosis.findings[0].words
    assert mistakes(look(message(at=ID, id_=str(NOW_S)))) == {Mistake.HEADER_FORM}


def test_headers_as_frameworks_rename_them() -> None:
    headers = tuple(("HTTP_" + name.upper().replace("-", "_"), value) for name, value in message().headers)
    assert look(changed(message(), headers=headers)).ok


def test_several_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    several = message(signature=sign([OTHER, KEY, SECRET], ID, NOW_S, BODY))
    assert look(several).ok
    assert accepted_by_the_package(several, SECRET, monkeypatch)
    comma = message(signature=sign([OTHER, SECRET], ID, NOW_S, BODY).replace(" ", ", "))
    assert mistakes(look(comma)) == {Mistake.HEADER_FORM}
    computed = changed(several, computed=sign([SECRET], ID, NOW_S, BODY))
    diagnosis = look(computed)
    assert mistakes(diagnosis) == {Mistake.COMPARISON}
    assert "3 signatures" in diagnosis.findings[-1].words


def test_blanks_where_plus_was() -> None:
    bodies = (json.dumps({"n": n}).encode() for n in range(200))
    body = next(b for b in bodies if "+" in sign([SECRET], ID, NOW_S, b))
    received = changed(message(body), headers=tuple((n, v.replace("+", " ")) for n, v in message(body).headers))
    assert mistakes(look(received)) == {Mistake.HEADER_FORM}
    assert look(received).signed_with == fingerprint(SECRET)


def test_hex_and_other_ways_to_write_a_signature() -> None:
    digest = mac(RIGHT_KEY, text_to_sign())
    for text in (f"v1,{digest.hex()}", f"v1,{base64.b64encode(digest).decode().lower()}"):
        assert mistakes(look(message(signature=text))) == {Mistake.ENCODING}
    assert mistakes(look(changed(message(), computed=digest.hex()))) == {Mistake.ENCODING}
    assert Mistake.HEADER_FORM in mistakes(look(message(signature=base64.b64encode(digest).decode())))
    assert Mistake.HEADER_FORM in mistakes(look(message(signature=f"sha256={digest.hex()}")))


def test_ed25519() -> None:
    received = message(signature=sign([KEY], ID, NOW_S, BODY))
    assert look(received).ok
    assert look(received, [known(public_key_of(KEY))]).ok
    assert mistakes(look(received, [known()])) == {Mistake.VERSION}
    assert mistakes(look(changed(received, body=BODY + b"\n"))) == {Mistake.BODY_CHANGED}
    public = base64.b64decode(public_key_of(KEY).removeprefix("whpk_"))
    as_v1 = changed(received, computed=v1(mac(public, text_to_sign())))
    assert Mistake.VERSION in mistakes(look(as_v1, given=public_key_of(KEY)))
    mislabelled = message(signature=sign([KEY], ID, NOW_S, BODY).replace("v1a,", "v1,"))
    assert mistakes(look(mislabelled)) == {Mistake.VERSION}


def test_a_large_body_is_answered_in_time() -> None:
    body = json.dumps([{"n": n, "text": "x" * 80} for n in range(9000)]).encode()
    assert look(changed(message(body), body=body + b"\n")).signed_with == fingerprint(SECRET)
    assert not look(changed(message(body), body=body[:-9])).ok


HEADER = st.text(max_size=60)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]) | HEADER, HEADER)),
    st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c)).map(lambda v: json.dumps(v).encode()),
    st.none() | st.text(max_size=80),
    st.none() | st.text(max_size=80),
    st.none() | st.binary(max_size=50),
)  # fmt: skip
@example(
    [("webhook-id", "\udcff"), ("webhook-timestamp", "9" * 30), ("webhook-signature", "v1,")],
    b"[" * 5000,
    "v1,",
    "",
    b"[" * 9000,
)
def test_whatever_the_bytes_there_is_an_answer(
    headers: list[tuple[str, str]], body: bytes, computed: str | None, secret: str | None, payload: bytes | None
) -> None:
    received = Received(headers=tuple(headers), body=body, computed=computed)
    diagnosis = look(received, given=secret, payload=payload)
    assert not diagnosis.ok
    event_id_in(received.headers)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.binary(min_size=24, max_size=64))
def test_whatever_was_signed_is_found_right(body: bytes, key: bytes) -> None:
    secret = make_secret(key)
    received = message(body, signature=sign([secret], ID, NOW_S, body))
    assert diagnose(received, [known(secret)], times=Times()).ok
