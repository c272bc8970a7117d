"""Nothing passes that is not signed as it stands, whatever comes; and the operator is told why."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.event import check_event_type
from console.domain.ids import check_event_id
from console.domain.inbound import Genuine, InboundRequest, Refused, Reply
from console.domain.payload import check_payload
from console.domain.source import Answer, SourceKind, SourceOptions
from tests.domain.kinds.senders import (
    JSON,
    NOW_S,
    OVER_THE_BODY,
    SECRETS,
    SIGNED_IN,
    SIGNERS,
    WITH_TIME,
    genuine,
    judge,
    make_request,
    make_source,
    signed_request,
)

BODY = b'{"id": "evt_1", "type": "invoice.paid"}'
ALL = tuple(SIGNERS)


@pytest.mark.parametrize("kind", ALL)
def test_what_is_signed_is_genuine_and_its_body_is_the_payload_byte_for_byte(kind: SourceKind) -> None:
    assert genuine(judge(kind, signed_request(kind, BODY, JSON))).payload == BODY


@pytest.mark.parametrize("kind", ALL)
def test_while_secrets_rotate_each_proves_and_another_does_not(kind: SourceKind) -> None:
    other = {
        SourceKind.STANDARD: "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        SourceKind.BASIC: "ada:byron",
    }.get(kind, "another-secret")
    request = signed_request(kind, BODY, JSON)
    assert isinstance(judge(kind, request, secrets=(other, SECRETS[kind])), Genuine)
    assert isinstance(judge(kind, request, secrets=(SECRETS[kind], other)), Genuine)
    refused = judge(kind, request, secrets=(other, other + "x" * 4 if kind is not SourceKind.STANDARD else other))
    assert isinstance(refused, Refused)
    assert refused.status == 401
    if kind in OVER_THE_BODY:
        assert refused.reason == f"no signature matches: the body ({len(BODY)} bytes) was verified with 2 secrets"


@pytest.mark.parametrize("kind", ALL)
def test_without_a_valid_secret_nothing_is_taken(kind: SourceKind) -> None:
    refused = judge(kind, signed_request(kind, BODY, JSON), secrets=())
    assert refused == Refused(
        status=401, reason="source shop has no secret that is valid now: sources rotate-secret gives it one"
    )


@pytest.mark.parametrize("kind", ALL)
def test_a_request_without_any_proof_is_told_what_is_missing(kind: SourceKind) -> None:
    refused = judge(kind, make_request(BODY, JSON))
    assert isinstance(refused, Refused)
    assert refused.status == 401
    assert "missing" in refused.reason or "no token" in refused.reason


@pytest.mark.parametrize("kind", OVER_THE_BODY)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_other_byte_in_the_body_is_refused(kind: SourceKind, data: st.DataObject) -> None:
    request = signed_request(kind, BODY, JSON)
    changed = replace(request, body=data.draw(changes_of(BODY)))
    assert isinstance(judge(kind, changed), Refused)


@pytest.mark.parametrize("kind", OVER_THE_BODY)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_other_byte_in_the_signature_or_the_timestamp_is_refused(kind: SourceKind, data: st.DataObject) -> None:
    request = signed_request(kind, BODY, JSON)
    names = [SIGNED_IN[kind]] + [name for name, _ in request.headers if "timestamp" in name.lower()]
    name = data.draw(st.sampled_from(names))
    value = request.header(name) or ""
    # Stripe's v0 (and the name and comma before it) is for test clocks and proves nothing.
    until = value.index(",v0=") if ",v0=" in value else len(value)
    changed = data.draw(changes_of(value[:until].encode())).decode("latin-1") + value[until:]
    headers = tuple((n, changed if n == name else v) for n, v in request.headers)
    assert isinstance(judge(kind, replace(request, headers=headers)), Refused)


def in_capitals(value: str) -> str:
    """The signature alone, not the label before it."""
    before, equals, signature = value.partition("v1=" if "v1=" in value else "v1," if "v1," in value else "=")
    return f"{before}{equals}{signature.upper()}" if signature.strip("=") else value.upper()


def changes_of(data: bytes) -> st.SearchStrategy[bytes]:
    """The same with one byte changed, taken away or put in."""
    at = st.integers(0, len(data) - 1)
    changed = st.builds(lambda i, by: data[:i] + bytes([data[i] ^ by]) + data[i + 1 :], at, st.integers(1, 255))
    shorter = st.builds(lambda i: data[:i] + data[i + 1 :], at)
    longer = st.builds(
        lambda i, byte: data[:i] + bytes([byte]) + data[i:], st.integers(1, len(data) - 1), st.integers(48, 122)
    )
    return st.one_of(changed, shorter, longer)


@pytest.mark.parametrize("kind", [kind for kind in OVER_THE_BODY if kind is not SourceKind.HMAC])
def test_a_signature_in_other_letters_is_another(kind: SourceKind) -> None:
    request = signed_request(kind, BODY, JSON)
    headers = tuple((name, in_capitals(value) if name == SIGNED_IN[kind] else value) for name, value in request.headers)
    assert headers != request.headers
    assert isinstance(judge(kind, replace(request, headers=headers)), Refused)


@pytest.mark.parametrize("kind", WITH_TIME)
@pytest.mark.parametrize(("off_s", "taken"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_timestamp_may_be_so_far_from_now_both_ways(kind: SourceKind, off_s: int, taken: bool) -> None:
    judged = judge(kind, signed_request(kind, BODY, JSON, at_s=NOW_S + off_s))
    assert isinstance(judged, Genuine) is taken


def test_the_operator_is_told_how_far_a_timestamp_is_off() -> None:
    old = judge(SourceKind.STRIPE, signed_request(SourceKind.STRIPE, BODY, at_s=NOW_S - 412))
    early = judge(SourceKind.STRIPE, signed_request(SourceKind.STRIPE, BODY, at_s=NOW_S + 412))
    assert isinstance(old, Refused)
    assert isinstance(early, Refused)
    assert old.reason.startswith("timestamp 412 s old (at most 300 s are allowed)")
    assert early.reason.startswith("timestamp 412 s ahead of this machine's clock (at most 300 s are allowed)")


def test_an_operator_may_allow_more() -> None:
    request = signed_request(SourceKind.SLACK, b'{"type": "x"}', JSON, at_s=NOW_S - 3000)
    assert isinstance(judge(SourceKind.SLACK, request, options=SourceOptions(tolerance_s=3600)), Genuine)


@pytest.mark.parametrize("kind", ALL)
def test_no_reason_holds_a_secret_or_what_was_given_for_one(kind: SourceKind) -> None:
    wrong = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD" if kind is SourceKind.STANDARD else "eve:wrong-secret"
    refused = judge(kind, signed_request(kind, BODY, JSON, secret=wrong))
    assert isinstance(refused, Refused)
    assert "\n" not in refused.reason
    for secret in (SECRETS[kind], wrong, *SECRETS[kind].split(":"), "wrong-secret", "eve"):
        assert secret not in refused.reason


HEADER_NAMES = sorted(
    {name for kind in ALL for name, _ in SIGNERS[kind](SECRETS[kind], b"", NOW_S)}
    | {"Content-Type", "X-GitHub-Delivery", "X-Shopify-Webhook-Id", "svix-id", "svix-timestamp", "svix-signature"}
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["t=1,v1=a", f"t={NOW_S},v1=", "v0=", "sha256=", "v1,", "v1a,AA", "Basic ", "Bearer x", "push"]),
    st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/xml; charset=x", "ping"]),
)
BODIES = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"[" * 5000, b'{"type": 1e999, "id": ' + b"9" * 5000 + b"}", b'{"type": "\\ud800"}', b"payload=%ff&payload="]
    ),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.dictionaries(st.sampled_from(["type", "id", "event", "action", "challenge"]), inner),
        max_leaves=6,
    ).map(lambda value: repr(value).replace("'", '"').replace("None", "null").lower().encode()),
)


@given(
    kind=st.sampled_from(tuple(SourceKind)),
    proved=st.booleans(),
    body=BODIES,
    headers=st.lists(st.tuples(st.one_of(st.sampled_from(HEADER_NAMES), st.text(max_size=8)), VALUES), max_size=6),
    method=st.sampled_from(["GET", "POST", "HEAD", "BREW"]),
    query=st.text(max_size=30),
    options=st.sampled_from(
        [
            None,
            SourceOptions(type_from="body:type", id_from="query:id"),
            SourceOptions(type_from="header:X-GitHub-Event"),
        ]
    ),
)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_judged(
    kind: SourceKind,
    proved: bool,
    body: bytes,
    headers: list[tuple[str, str]],
    method: str,
    query: str,
    options: SourceOptions | None,
) -> None:
    signature = SIGNERS[kind](SECRETS[kind], body, NOW_S) if proved and kind in SIGNERS else []
    request = InboundRequest(
        method=method,
        path="",
        query=query,
        headers=(*signature, *headers),
        body=body,
        remote_address="::1",
        received_at_ms=0,
    )
    if kind is SourceKind.HMAC:
        options = None
    judged = judge(kind, request, options=options)
    match judged:
        case Genuine():
            assert check_event_type(judged.type)
            assert judged.id is None or (check_event_id(judged.id) and judged.id.startswith("shop_"))
            assert check_payload(judged.payload) == judged.payload
        case Refused():
            assert judged.reason
            assert judged.status in (400, 401)
        case Reply():
            assert judged.status in (200, 202)
    assert judge(kind, request, options=options) == judged


def test_a_capture_answers_as_told_and_is_no_event() -> None:
    options = SourceOptions(answer=Answer(status=503, body="later"))
    judged = judge(SourceKind.CAPTURE, make_request(b"anything"), options=options)
    assert judged == Reply(status=503, body=b"later", content_type="text/plain; charset=utf-8", why="captured")


def test_every_kind_can_be_judged() -> None:
    for kind in SourceKind:
        assert judge(kind, make_request(b"{}", JSON)) is not None
        assert make_source(kind).kind is kind
