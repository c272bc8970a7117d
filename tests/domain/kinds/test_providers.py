"""Each provider's documented vectors, and what is read from its requests."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from standardwebhooks import Webhook

from console.domain.inbound import Refused, Reply
from console.domain.kinds.judge import judge_request
from console.domain.signing import make_key, public_key_of, sign
from console.domain.source import SourceKind
from tests.domain.kinds.senders import (
    FORM,
    JSON,
    KEY,
    NOW_S,
    PUBLIC,
    STANDARD_SECRET,
    dumped,
    genuine,
    judge,
    make_request,
    make_source,
    signed_request,
)

STRIPE, GITHUB, SLACK, SHOPIFY = SourceKind.STRIPE, SourceKind.GITHUB, SourceKind.SLACK, SourceKind.SHOPIFY


def test_github_documents_this_vector() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    request = make_request(b"Hello, World!", ("X-Hub-Signature-256", signature), ("X-GitHub-Event", "push"))
    judged = judge(GITHUB, request, secrets=("It's a Secret to Everybody",))
    assert isinstance(judged, Refused)
    assert judged.status == 400  # it is from GitHub, and is no JSON
    assert "not JSON" in judged.reason


def test_slack_documents_this_vector() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    request = make_request(
        body,
        FORM,
        ("X-Slack-Request-Timestamp", "1531420618"),
        ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
    )
    judged = judge_request(
        make_source(SLACK), request, secrets=("8f742231b10e8888abcd99yyyzzz85a5",), now_ms=1531420618_000
    )
    assert genuine(judged).type == "slash_command.webhook-collect"
    assert b'"command":"/webhook-collect","text":""' in genuine(judged).payload


def test_standard_webhooks_documents_this_vector() -> None:
    request = make_request(
        b'{"test": 2432232314}',
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    )
    judged = judge_request(make_source(SourceKind.STANDARD), request, secrets=(STANDARD_SECRET,), now_ms=1614265330_000)
    assert genuine(judged).id == "shop_msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert genuine(judged).type == "shop.received"


@pytest.mark.parametrize("names", ["webhook", "svix"])
def test_what_the_public_package_signs_is_genuine(names: str) -> None:
    body = '{"type": "user.created", "data": {"name": "Zoë"}}'
    signature = Webhook(STANDARD_SECRET).sign("msg_7", datetime.fromtimestamp(NOW_S, UTC), body)
    request = make_request(
        body.encode(),
        (f"{names}-id", "msg_7"),
        (f"{names}-timestamp", str(NOW_S)),
        (f"{names}-signature", f"v1,{'A' * 43}= {signature}"),
    )
    judged = genuine(judge(SourceKind.STANDARD, request))
    assert (judged.type, judged.id) == ("user.created", "shop_msg_7")


def test_what_this_product_signs_is_genuine_with_either_kind_of_secret() -> None:
    key, body = make_key(bytes(range(32))), b'{"type": "a"}'
    header = sign([key, STANDARD_SECRET], "evt_1", NOW_S, body)
    request = make_request(
        body, ("webhook-id", "evt_1"), ("webhook-timestamp", str(NOW_S)), ("webhook-signature", header)
    )
    assert public_key_of(key) == PUBLIC
    for secrets in ((PUBLIC,), (STANDARD_SECRET,), (PUBLIC, STANDARD_SECRET)):
        assert genuine(judge(SourceKind.STANDARD, request, secrets=secrets)).type == "a"
    changed = replace(request, body=b'{"type": "b"}')
    assert isinstance(judge(SourceKind.STANDARD, changed, secrets=(PUBLIC,)), Refused)
    signature = base64.b64encode(KEY.sign(b"evt_1.%d." % NOW_S + body)).decode()
    assert signature.endswith("w==")
    written_otherwise = signature.replace("w==", "x==")  # the same bytes, in another letter
    assert base64.b64decode(signature) == base64.b64decode(written_otherwise)
    otherwise = replace(request, headers=(*request.headers[:2], ("webhook-signature", f"v1a,{written_otherwise}")))
    assert isinstance(judge(SourceKind.STANDARD, otherwise, secrets=(PUBLIC,)), Refused)
    as_shared = replace(request, headers=(*request.headers[:2], ("webhook-signature", f"v1,{signature}")))
    assert isinstance(judge(SourceKind.STANDARD, as_shared, secrets=(PUBLIC,)), Refused)


def test_stripe_says_type_and_id_in_the_body_and_signs_with_several_secrets_while_they_rotate() -> None:
    body = dumped({"id": "evt_1NG8Du2eZvKYlo2C", "object": "event", "type": "payment_intent.succeeded"})
    header = signed_request(STRIPE, body).header("Stripe-Signature") or ""
    timestamp, signature, _ = header.split(",")
    request = make_request(body, ("stripe-signature", f"{timestamp},v1={'0' * 64}, {signature}"))
    judged = genuine(judge(STRIPE, request))
    assert (judged.type, judged.id) == ("payment_intent.succeeded", "shop_evt_1NG8Du2eZvKYlo2C")


@pytest.mark.parametrize("header", ["", "t=1", "v1=abc", "t=,v1=", "nonsense"])
def test_a_signature_of_another_form_is_called_so(header: str) -> None:
    judged = judge(STRIPE, make_request(b"{}", ("Stripe-Signature", header)))
    assert isinstance(judged, Refused)
    assert judged.status == 401


def test_calendly_gives_no_id_and_a_retry_is_the_same_event() -> None:
    body = dumped({"event": "invitee.created", "created_at": "2026-01-01T00:00:00Z", "payload": {"email": "a@b.c"}})
    first = genuine(judge(SourceKind.CALENDLY, signed_request(SourceKind.CALENDLY, body)))
    again = genuine(judge(SourceKind.CALENDLY, signed_request(SourceKind.CALENDLY, body, at_s=NOW_S + 60)))
    other = genuine(judge(SourceKind.CALENDLY, signed_request(SourceKind.CALENDLY, body.replace(b"a@b.c", b"d@e.f"))))
    assert first == again
    assert first.type == "invitee.created"
    assert first.id is not None
    assert first.id != other.id


@pytest.mark.parametrize(
    ("event", "payload", "type_"),
    [
        ("push", {"ref": "refs/heads/main"}, "push"),
        ("pull_request", {"action": "opened", "number": 7}, "pull_request.opened"),
        ("check_run", {"action": ["x"]}, "check_run"),
        ("odd event!", {}, "odd_event_"),
    ],
)
def test_github_says_the_event_in_a_header_and_the_action_in_the_body(
    event: str, payload: dict[str, object], type_: str
) -> None:
    request = signed_request(GITHUB, dumped(payload), ("X-GitHub-Event", event), ("X-GitHub-Delivery", "72d3162e-cc78"))
    judged = genuine(judge(GITHUB, request))
    assert (judged.type, judged.id) == (type_, "shop_72d3162e-cc78")


def test_github_may_send_a_form() -> None:
    text = '{"action": "created", "x": "ü&="}'
    request = signed_request(GITHUB, urlencode({"payload": text}).encode(), FORM, ("X-GitHub-Event", "star"))
    judged = genuine(judge(GITHUB, request))
    assert (judged.type, judged.payload) == ("star.created", text.encode())


def test_githubs_ping_is_answered_only_when_it_is_signed() -> None:
    request = signed_request(GITHUB, b'{"zen": "Keep it logically awesome."}', ("X-GitHub-Event", "ping"))
    assert isinstance(judge(GITHUB, request), Reply)
    assert isinstance(judge(GITHUB, request, secrets=("another",)), Refused)


def test_sha1_alone_is_not_taken() -> None:
    judged = judge(GITHUB, make_request(b"{}", ("X-Hub-Signature", "sha1=" + "0" * 40), ("X-GitHub-Event", "push")))
    assert isinstance(judged, Refused)
    assert "sha1" in judged.reason


def test_slacks_challenge_is_answered_only_when_it_is_signed() -> None:
    body = dumped(
        {"token": "t", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "type": "url_verification"}
    )
    judged = judge(SLACK, signed_request(SLACK, body, JSON))
    assert isinstance(judged, Reply)
    assert judged.body == b"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    assert judged.content_type.startswith("text/plain")
    assert isinstance(judge(SLACK, make_request(body, JSON)), Refused)


def test_slacks_events_interactions_and_commands_have_their_own_types() -> None:
    event = dumped({"type": "event_callback", "event_id": "Ev08MFMKH6", "event": {"type": "app_mention", "text": "hi"}})
    found = genuine(judge(SLACK, signed_request(SLACK, event, JSON)))
    assert (found.type, found.id) == ("app_mention", "shop_Ev08MFMKH6")
    limited = genuine(judge(SLACK, signed_request(SLACK, b'{"type": "app_rate_limited"}', JSON)))
    assert (limited.type, limited.id) == ("app_rate_limited", None)
    clicked = '{"type": "block_actions", "trigger_id": "1.2.3", "user": {"id": "U1"}}'
    found = genuine(judge(SLACK, signed_request(SLACK, urlencode({"payload": clicked}).encode(), FORM)))
    assert (found.type, found.payload) == ("block_actions", clicked.encode())
    assert found.id is not None
    assert found.id.startswith("shop_sha256-")  # a dot has no place in an id
    check = signed_request(SLACK, b"ssl_check=1&token=x", FORM)
    assert isinstance(judge(SLACK, check), Reply)


def test_shopifys_id_is_that_of_the_delivery_so_that_no_topic_hides_another() -> None:
    body = dumped({"id": 820982911946154508})
    shared = ("X-Shopify-Event-Id", "98880550-7158-44d4-b7cd-2c97c8a091b5")
    paid = signed_request(SHOPIFY, body, ("X-Shopify-Webhook-Id", "b54557e4"), shared)
    updated = signed_request(
        SHOPIFY, body, ("X-Shopify-Topic", "orders/updated"), ("X-Shopify-Webhook-Id", "c1"), shared
    )
    assert genuine(judge(SHOPIFY, paid)).type == "orders.paid"
    assert genuine(judge(SHOPIFY, paid)).id == "shop_b54557e4"
    assert genuine(judge(SHOPIFY, updated)).id == "shop_c1"
    by_event = genuine(judge(SHOPIFY, signed_request(SHOPIFY, body, shared)))
    assert by_event.id == "shop_orders/paid-98880550-7158-44d4-b7cd-2c97c8a091b5"


@pytest.mark.parametrize("kind", [STRIPE, SLACK, SHOPIFY, GITHUB, SourceKind.STANDARD, SourceKind.CALENDLY])
@pytest.mark.parametrize("body", [b"", b"<xml/>", b"{", b"\xff", b"[NaN]"])
def test_providers_that_speak_json_are_told_when_they_do_not(kind: SourceKind, body: bytes) -> None:
    judged = judge(kind, signed_request(kind, body, JSON))
    assert isinstance(judged, Refused)
    assert judged.status == 400
    assert "JSON" in judged.reason


def test_numbers_lose_no_digit() -> None:
    body = b'{"id": 123456789012345678901234567890, "type": "a.b", "x": 1.10}'
    judged = genuine(judge(STRIPE, signed_request(STRIPE, body)))
    assert (judged.id, judged.payload) == ("shop_123456789012345678901234567890", body)
