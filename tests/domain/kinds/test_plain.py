"""Kinds of no provider: how they are proved, what any body becomes, and how events are named."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.event import check_event_type
from console.domain.inbound import Genuine, InboundRequest, Refused, Reply
from console.domain.kinds.checking import check_source
from console.domain.kinds.naming import valid_type
from console.domain.sealing import Keyring
from console.domain.signing import Secret
from console.domain.source import Answer, SignatureOptions, SourceKind, SourceOptions, SourceSpec
from tests.domain.kinds.senders import (
    FORM,
    JSON,
    PUBLIC,
    SECRETS,
    STANDARD_SECRET,
    dumped,
    genuine,
    judge,
    make_request,
)

OPEN, TOKEN, BASIC, HMAC = SourceKind.OPEN, SourceKind.TOKEN, SourceKind.BASIC, SourceKind.HMAC


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64", "HEX"])
def test_anybody_who_signs_the_body_can_be_described(algorithm: str, encoding: str) -> None:
    body = b"<order/>"
    digest = hmac.new(b"shared-secret", body, getattr(hashlib, algorithm)).digest()
    text = {"hex": digest.hex(), "HEX": digest.hex().upper(), "base64": base64.b64encode(digest).decode()}[encoding]
    how = SignatureOptions(header="X-Sig", algorithm=algorithm, encoding=encoding.lower(), prefix="v=")
    options = SourceOptions(signature=how)
    assert isinstance(judge(HMAC, make_request(body, ("x-sig", f"v={text}")), options=options), Genuine)
    for wrong in (text, f"v={text}0", f"v={text[:-1]}", f"V={text}"):
        assert isinstance(judge(HMAC, make_request(body, ("x-sig", wrong)), options=options), Refused)


@pytest.mark.parametrize(
    ("request_", "taken"),
    [
        (make_request(b"{}", ("Authorization", "Bearer token-of-twenty-letters")), True),
        (make_request(b"{}", ("authorization", "bearer  token-of-twenty-letters ")), True),
        (make_request(b"{}", ("X-Webhook-Token", "token-of-twenty-letters")), True),
        (make_request(b"{}", query="a=1&token=token-of-twenty-letters"), True),
        (make_request(b"{}", ("Authorization", "Bearer token-of-twenty-letterz")), False),
        (make_request(b"{}", ("Authorization", "Bearer ")), False),
        (make_request(b"{}", query="token="), False),
        (make_request(b"{}", query="tokens=token-of-twenty-letters"), False),
    ],
)
def test_a_token_is_taken_as_bearer_in_its_header_or_in_the_query(request_: InboundRequest, taken: bool) -> None:
    assert isinstance(judge(TOKEN, request_), Genuine) is taken


def test_a_token_in_a_named_header_is_taken_nowhere_else() -> None:
    options = SourceOptions(signature=SignatureOptions(header="X-Gitlab-Token"))
    right = make_request(b"{}", ("X-Gitlab-Token", SECRETS[TOKEN]))
    elsewhere = make_request(b"{}", ("Authorization", f"Bearer {SECRETS[TOKEN]}"), query=f"token={SECRETS[TOKEN]}")
    assert isinstance(judge(TOKEN, right, options=options), Genuine)
    assert judge(TOKEN, elsewhere, options=options) == Refused(status=401, reason="header X-Gitlab-Token is missing")


@pytest.mark.parametrize("given_", ["Basic YWRhOmxvdmVsYWNf", "Bearer YWRhOmxvdmVsYWNl", "Basic", "Basic %%%", ""])
def test_a_wrong_password_is_refused(given_: str) -> None:
    assert isinstance(judge(BASIC, make_request(b"{}", ("Authorization", "Basic YWRhOmxvdmVsYWNl"))), Genuine)
    assert isinstance(judge(BASIC, make_request(b"{}", ("Authorization", given_))), Refused)


@pytest.mark.parametrize(
    ("type_", "body", "payload"),
    [
        ("application/json; charset=utf-8", b' {"a": 1.0,  "b": 2}\n', b'{"a": 1.0,  "b": 2}'),
        ("application/cloudevents+json", b"[1]", b"[1]"),
        ("text/plain", b'{"Type": "Notification"}', b'{"Type": "Notification"}'),
        ("application/x-www-form-urlencoded", b'{"curl": "-d"}', b'{"curl": "-d"}'),
        (
            "application/x-www-form-urlencoded",
            b"name=Ada+L.&topic=a&topic=%C3%BC&empty=",
            '{"name":"Ada L.","topic":["a","ü"],"empty":""}'.encode(),
        ),
        ("text/plain", b"42", b'{"content_type":"text/plain","body":"42","encoding":"utf-8"}'),
        (
            "application/xml",
            "<a>ü</a>".encode(),
            '{"content_type":"application/xml","body":"<a>ü</a>","encoding":"utf-8"}'.encode(),
        ),
        ("image/png", b"\x89PNG", b'{"content_type":"image/png","body":"iVBORw==","encoding":"base64"}'),
        (None, b"{broken", b'{"content_type":null,"body":"{broken","encoding":"utf-8"}'),
    ],
)
def test_any_body_becomes_json(type_: str | None, body: bytes, payload: bytes) -> None:
    headers = () if type_ is None else (("Content-Type", type_),)
    assert genuine(judge(OPEN, make_request(body, *headers))).payload == payload


def test_what_calls_itself_json_and_is_none_is_refused() -> None:
    judged = judge(OPEN, make_request(b"{broken", JSON))
    assert isinstance(judged, Refused)
    assert judged.status == 400


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=5))
@settings(max_examples=60, deadline=None)
def test_every_field_of_a_form_is_in_the_payload(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import urlencode

    try:
        body = urlencode(pairs).encode()
    except UnicodeEncodeError:
        return
    if not body:
        return
    value = json.loads(genuine(judge(OPEN, make_request(body, FORM))).payload)
    for name in {name for name, _ in pairs}:
        values = [value for given, value in pairs if given == name]
        assert value[name] == (values if len(values) > 1 else values[0])


@pytest.mark.parametrize(
    ("method", "query", "event"), [("GET", "", False), ("HEAD", "a=1", False), ("GET", "a=1", True)]
)
def test_without_a_body_the_query_is_the_payload_and_a_look_is_no_event(method: str, query: str, event: bool) -> None:
    judged = judge(OPEN, make_request(method=method, query=query))
    if event:
        assert genuine(judged).payload == b'{"a":"1"}'
    else:
        assert isinstance(judged, Reply)


def test_a_token_in_the_query_is_no_part_of_the_payload() -> None:
    request = make_request(method="GET", query=f"token={SECRETS[TOKEN]}&lead=7")
    assert genuine(judge(TOKEN, request)).payload == b'{"lead":"7"}'


@pytest.mark.parametrize(
    ("options", "type_", "id_"),
    [
        (SourceOptions(), "shop.received", None),
        (SourceOptions(type_prefix="lead."), "lead.shop.received", None),
        (SourceOptions(type_from="lead.created", type_prefix="x."), "x.lead.created", None),
        (SourceOptions(type_from="header:X-Event", id_from="header:x-id"), "issue.updated", "shop_7"),
        (SourceOptions(type_from="body:data.type", id_from="body:data.ids.1"), "order.paid", "shop_22"),
        (SourceOptions(type_from="query:kind", id_from="query:key"), "form", "shop_k-1"),
        (SourceOptions(type_from="body:nothing.there", id_from="body:data"), "shop.received", None),
        (SourceOptions(type_from="body:data.ours"), "shop.webhook.endpoint.tripped", None),
    ],
)
def test_type_and_id_are_where_the_operator_says(options: SourceOptions, type_: str, id_: str | None) -> None:
    body = {"data": {"type": "order/paid", "ids": [21, 22], "ours": "webhook.endpoint.tripped"}}
    request = make_request(dumped(body), JSON, ("x-event", "issue/updated"), ("X-Id", "7"), query="kind=form&key=k-1")
    judged = genuine(judge(OPEN, request, options=options))
    assert (judged.type, judged.id) == (type_, id_)


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_becomes_a_valid_type_or_none_and_stays_what_it_is(text: str) -> None:
    made = valid_type(text)
    if made:
        assert check_event_type(made) == made == valid_type(made)


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
@settings(max_examples=100, deadline=None)
def test_two_ids_are_never_one(one: str, other: str) -> None:
    options = SourceOptions(id_from="header:X-Id")
    ids = [genuine(judge(OPEN, make_request(b"{}", ("X-Id", text)), options=options)).id for text in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)


def test_two_sources_never_share_an_id() -> None:
    options = SourceOptions(id_from="header:X-Id")
    one = judge(OPEN, make_request(b"{}", ("X-Id", "b_1")), options=options, name="a")
    other = judge(OPEN, make_request(b"{}", ("X-Id", "1")), options=options, name="a-b")
    assert genuine(one).id != genuine(other).id


def spec(kind: SourceKind, *secrets: str, options: SourceOptions | None = None, name: str = "shop") -> SourceSpec:
    return SourceSpec(
        name=name, kind=kind, secrets=tuple(Secret(text=s) for s in secrets), options=options or SourceOptions()
    )


def signature(**kw: str) -> SourceOptions:
    return SourceOptions(signature=SignatureOptions(**kw))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (spec(OPEN, name="Shop"), "source 'Shop'"),
        (spec(OPEN, "hush-hush"), "a source of kind open has none"),
        (spec(SourceKind.STRIPE), "a source of kind stripe needs one"),
        (spec(SourceKind.STRIPE, "sk_live_abc"), "this is an API key"),
        (spec(SourceKind.SLACK, "xoxb-1"), "this is a token"),
        (spec(SourceKind.GITHUB, " x"), "no blanks"),
        (spec(SourceKind.GITHUB, "x\n"), "no blanks or line breaks"),
        (spec(SourceKind.GITHUB, *"abcdefghijk"), "10 at most"),
        (spec(SourceKind.STANDARD, "whsk_AAAA"), "a source needs its whpk_"),
        (spec(SourceKind.STANDARD, "whpk_AAAA"), "ed25519 public key"),
        (spec(SourceKind.STANDARD, "whsec_AAAA"), "at least 16 bytes"),
        (spec(SourceKind.STANDARD, "???"), "at least 16 bytes"),
        (spec(BASIC, "ada"), "user:password"),
        (spec(BASIC, ":pw"), "user:password"),
        (spec(TOKEN, "short"), "at least 8"),
        (spec(HMAC, "shared-secret"), "signature-header"),
        (spec(SourceKind.GITHUB, "x", options=signature(header="X-Sig")), "only hmac and token"),
        (spec(HMAC, "shared-secret", options=signature(header="X Sig")), "header name"),
        (spec(HMAC, "shared-secret", options=signature(header="X", algorithm="md5")), "algorithm 'md5'"),
        (spec(HMAC, "shared-secret", options=signature(header="X", encoding="b64")), "encoding 'b64'"),
        (spec(OPEN, options=SourceOptions(tolerance_s=0)), "tolerance 0s"),
        (spec(OPEN, options=SourceOptions(type_from="cookie:x")), "type-from 'cookie:x'"),
        (spec(OPEN, options=SourceOptions(type_from="body:a..b")), "a path into the body"),
        (spec(OPEN, options=SourceOptions(type_from="not a type")), "type-from event type"),
        (spec(OPEN, options=SourceOptions(id_from="lead")), "id-from 'lead'"),
        (spec(OPEN, options=SourceOptions(id_from="header:a b")), "no name of a header"),
        (spec(OPEN, options=SourceOptions(type_prefix=".x")), "prefix '.x'"),
        (spec(OPEN, options=SourceOptions(allow=("10.0.0.0/33",))), "10.0.0.0/33"),
        (spec(OPEN, options=SourceOptions(answer=Answer(status=500))), "200 to 299"),
        (spec(SourceKind.CAPTURE, options=SourceOptions(answer=Answer(status=100))), "200 to 599"),
        (spec(OPEN, options=SourceOptions(answer=Answer(status=204, body="x"))), "no body"),
        (spec(OPEN, options=SourceOptions(answer=Answer(content_type="a\r\nb: c"))), "content-type"),
        (spec(OPEN, options=SourceOptions(answer=Answer(delay_s=31))), "delay 31s"),
    ],
)
def test_what_is_wrong_with_a_source_is_said(wrong: SourceSpec, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_source(wrong)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    for secret in wrong.secrets:
        assert len(secret.text) < 4 or secret.text not in str(caught.value)


@pytest.mark.parametrize("kind", tuple(SourceKind))
def test_each_kind_can_be_made(kind: SourceKind) -> None:
    options = signature(header="X-Sig") if kind is HMAC else SourceOptions()
    made = check_source(spec(kind, *([SECRETS[kind]] if kind in SECRETS else []), options=options))
    assert made.options.answer.status == (200 if kind is SourceKind.SLACK else 202)
    assert check_source(made) == made


def test_public_keys_and_sealed_secrets_are_taken() -> None:
    sealed = Keyring([bytes(32)]).seal("x", "src_1", "secret")
    check_source(spec(SourceKind.STANDARD, PUBLIC, STANDARD_SECRET, STANDARD_SECRET.removeprefix("whsec_")))
    check_source(spec(SourceKind.STANDARD, sealed))
