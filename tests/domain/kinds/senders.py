"""Requests as each provider signs them, written from its documentation and not from the code under test."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.domain.inbound import Genuine, InboundRequest, Judged
from console.domain.kinds.judge import judge_request
from console.domain.source import SignatureOptions, Source, SourceId, SourceKind, SourceOptions

NOW_S = 1_750_000_000
NOW_MS = NOW_S * 1000
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")

STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = "whpk_" + base64.b64encode(KEY.public_key().public_bytes_raw()).decode()

SECRETS = {
    SourceKind.STRIPE: "whsec_test_secret",
    SourceKind.CALENDLY: "calendly-signing-key",
    SourceKind.GITHUB: "It's a Secret to Everybody",
    SourceKind.SLACK: "8f742231b10e8888abcd99yyyzzz85a5",
    SourceKind.SHOPIFY: "hush-client-secret",
    SourceKind.STANDARD: STANDARD_SECRET,
    SourceKind.HMAC: "shared-secret",
    SourceKind.BASIC: "ada:lovelace",
    SourceKind.TOKEN: "token-of-twenty-letters",
}
HMAC_OPTIONS = SourceOptions(
    signature=SignatureOptions(header="X-Signature", prefix="sha256=", timestamp_header="X-Timestamp")
)

Signer = Callable[[str, bytes, int], list[tuple[str, str]]]


def _hex(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def sign_stripe(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    return [("Stripe-Signature", f"t={at_s},v1={_hex(secret, f'{at_s}.'.encode() + body)},v0={'0' * 64}")]


def sign_calendly(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    return [("Calendly-Webhook-Signature", f"t={at_s},v1={_hex(secret, f'{at_s}.'.encode() + body)}")]


def sign_github(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    return [("X-GitHub-Event", "push"), ("X-Hub-Signature-256", f"sha256={_hex(secret, body)}")]


def sign_slack(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    signature = f"v0={_hex(secret, f'v0:{at_s}:'.encode() + body)}"
    return [("X-Slack-Request-Timestamp", str(at_s)), ("X-Slack-Signature", signature)]


def sign_shopify(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return [("X-Shopify-Topic", "orders/paid"), ("X-Shopify-Hmac-Sha256", base64.b64encode(digest).decode())]


def sign_standard(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"msg_1.{at_s}.".encode() + body, hashlib.sha256).digest()
    return [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", str(at_s)),
        ("webhook-signature", f"v1,{base64.b64encode(digest).decode()}"),
    ]


def sign_hmac(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    return [("X-Timestamp", str(at_s)), ("X-Signature", f"sha256={_hex(secret, f'{at_s}.'.encode() + body)}")]


def sign_basic(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    return [("Authorization", "Basic " + base64.b64encode(secret.encode()).decode())]


def sign_token(secret: str, body: bytes, at_s: int) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {secret}")]


SIGNERS: dict[SourceKind, Signer] = {
    SourceKind.STRIPE: sign_stripe,
    SourceKind.CALENDLY: sign_calendly,
    SourceKind.GITHUB: sign_github,
    SourceKind.SLACK: sign_slack,
    SourceKind.SHOPIFY: sign_shopify,
    SourceKind.STANDARD: sign_standard,
    SourceKind.HMAC: sign_hmac,
    SourceKind.BASIC: sign_basic,
    SourceKind.TOKEN: sign_token,
}
OVER_THE_BODY = tuple(kind for kind in SIGNERS if kind not in (SourceKind.BASIC, SourceKind.TOKEN))
WITH_TIME = (SourceKind.STRIPE, SourceKind.CALENDLY, SourceKind.SLACK, SourceKind.STANDARD, SourceKind.HMAC)
SIGNED_IN = {
    SourceKind.STRIPE: "Stripe-Signature",
    SourceKind.CALENDLY: "Calendly-Webhook-Signature",
    SourceKind.GITHUB: "X-Hub-Signature-256",
    SourceKind.SLACK: "X-Slack-Signature",
    SourceKind.SHOPIFY: "X-Shopify-Hmac-Sha256",
    SourceKind.STANDARD: "webhook-signature",
    SourceKind.HMAC: "X-Signature",
}


def make_source(kind: SourceKind, *, name: str = "shop", options: SourceOptions | None = None) -> Source:
    default = HMAC_OPTIONS if kind is SourceKind.HMAC else SourceOptions()
    return Source(
        seq=1,
        id=SourceId("src_1"),
        name=name,
        kind=kind,
        secrets=(),
        options=options or default,
        until_ms=None,
        enabled=True,
        created_at_ms=0,
        version=1,
    )


def make_request(
    body: bytes = b"",
    *headers: tuple[str, str],
    method: str = "POST",
    query: str = "",
) -> InboundRequest:
    return InboundRequest(
        method=method,
        path="",
        query=query,
        headers=headers,
        body=body,
        remote_address="192.0.2.1",
        received_at_ms=NOW_MS,
    )


def signed_request(
    kind: SourceKind, body: bytes, *more: tuple[str, str], secret: str | None = None, at_s: int = NOW_S
) -> InboundRequest:
    headers = SIGNERS[kind](SECRETS[kind] if secret is None else secret, body, at_s)
    names = {name.lower() for name, _ in more}
    return make_request(body, *(pair for pair in headers if pair[0].lower() not in names), *more)


def judge(
    kind: SourceKind,
    request: InboundRequest,
    *,
    secrets: tuple[str, ...] | None = None,
    options: SourceOptions | None = None,
    name: str = "shop",
) -> Judged:
    known = (SECRETS[kind],) if kind in SECRETS else ()
    return judge_request(
        make_source(kind, options=options, name=name),
        request,
        secrets=known if secrets is None else secrets,
        now_ms=NOW_MS,
    )


def genuine(judged: Judged) -> Genuine:
    assert isinstance(judged, Genuine), judged
    return judged


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
