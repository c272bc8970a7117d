"""Each mistake that is named, as a receiver makes it: what its code then checks, the public package refuses too."""

import base64
import json
from dataclasses import dataclass, replace

import pytest

from console.domain.signature_finding import Mistake, Received
from console.domain.signature_message import TOLERANCE_S
from console.domain.signing import make_secret, sign
from tests.domain import test_signature_diagnosis as made
from tests.domain.test_signature_diagnosis import BODY, ID, KEY, NOW_S, OLD, OTHER, RIGHT_KEY, SECRET, VALUE

BOTH = sign([OTHER, SECRET], ID, NOW_S, BODY)


@dataclass(frozen=True)
class Made:
    """What a receiver with a mistake has in its hands. `checked`: what its code compares, when not `received`."""

    received: Received
    secret: str = SECRET
    checked: Received | None = None
    late_s: int = 0
    payload: bytes | None = BODY


def body(changed: bytes) -> Received:
    return Received(headers=made.message().headers, body=changed)


def header(name: str, value: str | None) -> Received:
    headers = ((n, v if n != name else value) for n, v in made.message().headers)
    return Received(headers=tuple((n, v) for n, v in headers if v is not None), body=BODY)


def signed(signature: str) -> Received:
    return header("webhook-signature", signature)


def computed(key: bytes, text: bytes | None = None) -> str:
    return made.v1(made.mac(key, made.text_to_sign() if text is None else text))


UNDECODED = SECRET.removeprefix("whsec_").encode()
"""The key that a receiver has which takes the text of the secret for it."""

MISTAKES: dict[Mistake, Made] = {
    Mistake.MISSING_HEADER: Made(header("webhook-id", None)),
    Mistake.HEADER_FORM: Made(signed(sign([SECRET], ID, NOW_S, BODY).removeprefix("v1,"))),
    Mistake.BODY_WRITTEN_ANEW: Made(body(json.dumps(VALUE).encode())),
    Mistake.BODY_CHANGED: Made(body(BODY + b"\n"), payload=None),
    Mistake.OTHER_BODY: Made(body(b'{"type":"invoice.voided"}')),
    Mistake.SECRET_NOT_DECODED: Made(
        replace(made.message(), computed=computed(UNDECODED)), secret=f"whsec_{base64.b64encode(UNDECODED).decode()}"
    ),
    Mistake.ENDED_SECRET: Made(signed(sign([OLD], ID, NOW_S, BODY))),
    Mistake.OTHER_SECRET: Made(signed(sign([OTHER], ID, NOW_S, BODY))),
    Mistake.UNKNOWN_SECRET: Made(signed(sign([make_secret(b"q" * 32)], ID, NOW_S, BODY))),
    Mistake.SIGNED_TEXT: Made(signed(computed(RIGHT_KEY, BODY))),
    Mistake.COMPARISON: Made(
        replace(signed(BOTH), computed=sign([SECRET], ID, NOW_S, BODY)), checked=signed(BOTH.partition(" ")[0])
    ),
    Mistake.ENCODING: Made(signed(f"v1,{made.mac(RIGHT_KEY, made.text_to_sign()).hex()}")),
    Mistake.VERSION: Made(signed(sign([KEY], ID, NOW_S, BODY).replace("v1a,", "v1,"))),
    Mistake.CLOCK: Made(made.message(), late_s=TOLERANCE_S + 1),
    Mistake.TIMESTAMP_FORM: Made(header("webhook-timestamp", f"{NOW_S}000")),
}


def test_all_that_can_be_named_are_here() -> None:
    assert set(Mistake) - set(MISTAKES) == {Mistake.NONE, Mistake.UNKNOWN}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_named_wrong_the_package_refuses(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    one = MISTAKES[mistake]
    at_ms = (NOW_S + one.late_s) * 1000
    assert mistake in made.mistakes(made.look(one.received, payload=one.payload, received_at_ms=at_ms))
    monkeypatch.setattr(made, "NOW_S", NOW_S + one.late_s)
    assert not made.accepted_by_the_package(one.checked or one.received, one.secret, monkeypatch)
    monkeypatch.setattr(made, "NOW_S", NOW_S)
    assert made.accepted_by_the_package(made.message(), SECRET, monkeypatch), "where the mistake is not made"
