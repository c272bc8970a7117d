"""Samples: requests as a source's sender would make them, signed with the source's own secret."""

import base64
import hmac
import json

from console.domain.errors import InvalidInputError
from console.domain.kinds.plain import TOKEN_HEADER
from console.domain.kinds.proof import as_bytes
from console.domain.kinds.standard import key_of
from console.domain.outcome import Headers
from console.domain.signing import PUBLIC_PREFIX, SECRET_PREFIX
from console.domain.source import Source, SourceKind

_FORM_JSON = ("Content-Type", "application/json")


def sample_request(source: Source, secret: str, event_type: str, *, id_: str, now_ms: int) -> tuple[Headers, bytes]:
    """Header fields and a body that a source takes.

    Args:
        secret: one that is valid now, opened; empty for a kind that has none.
        id_: of the event, in the provider's eyes; unlike that of any sample before.

    Raises:
        InvalidInputError: nobody but the sender can sign with this secret.
    """
    body = _body(source.kind, event_type, id_)
    return (_FORM_JSON, *_named(source.kind, event_type, id_), *_proof(source, secret, body, id_, now_ms // 1000)), body


def _body(kind: SourceKind, event_type: str, id_: str) -> bytes:
    data = {"sample": True, "message": "A sample from webhook-console."}
    value: dict[str, object]
    match kind:
        case SourceKind.SLACK:
            value = {"type": "event_callback", "event_id": id_, "event": {"type": event_type, **data}}
        case SourceKind.CALENDLY:
            value = {"event": event_type, "payload": {"uri": id_, **data}}
        case _:
            value = {"id": id_, "type": event_type, "data": data}
    return json.dumps(value, separators=(",", ":")).encode()


def _named(kind: SourceKind, event_type: str, id_: str) -> Headers:
    """What the provider says in header fields."""
    match kind:
        case SourceKind.GITHUB:
            return ("X-GitHub-Event", event_type), ("X-GitHub-Delivery", id_)
        case SourceKind.SHOPIFY:
            return ("X-Shopify-Topic", event_type), ("X-Shopify-Webhook-Id", id_)
        case _:
            return ()


def _proof(source: Source, secret: str, body: bytes, id_: str, now_s: int) -> Headers:
    match source.kind:
        case SourceKind.STRIPE:
            return (("Stripe-Signature", f"t={now_s},v1={_hex(secret, b'%d.' % now_s + body)}"),)
        case SourceKind.CALENDLY:
            return (("Calendly-Webhook-Signature", f"t={now_s},v1={_hex(secret, b'%d.' % now_s + body)}"),)
        case SourceKind.GITHUB:
            return (("X-Hub-Signature-256", f"sha256={_hex(secret, body)}"),)
        case SourceKind.SLACK:
            signature = f"v0={_hex(secret, b'v0:%d:' % now_s + body)}"
            return ("X-Slack-Request-Timestamp", str(now_s)), ("X-Slack-Signature", signature)
        case SourceKind.SHOPIFY:
            return (("X-Shopify-Hmac-Sha256", _base64(hmac.digest(as_bytes(secret), body, "sha256"))),)
        case SourceKind.STANDARD:
            return _standard(secret, body, id_, now_s)
        case SourceKind.HMAC:
            return _hmac(source, secret, body, now_s)
        case SourceKind.BASIC:
            return (("Authorization", f"Basic {_base64(as_bytes(secret))}"),)
        case SourceKind.TOKEN:
            how = source.options.signature
            return ((how.header or TOKEN_HEADER, f"{how.prefix if how.header else ''}{secret}"),)
        case SourceKind.OPEN | SourceKind.CAPTURE:
            return ()


def _standard(secret: str, body: bytes, id_: str, now_s: int) -> Headers:
    if secret.startswith(PUBLIC_PREFIX):
        raise InvalidInputError("sample: this source knows only a public key, with which nothing can be signed")
    key = key_of(secret)
    if key is None:
        raise InvalidInputError(f"sample: the source's secret is no base64 after {SECRET_PREFIX}")
    signature = _base64(hmac.digest(key, f"{id_}.{now_s}.".encode() + body, "sha256"))
    return ("webhook-id", id_), ("webhook-timestamp", str(now_s)), ("webhook-signature", f"v1,{signature}")


def _hmac(source: Source, secret: str, body: bytes, now_s: int) -> Headers:
    how = source.options.signature
    signed = body if how.timestamp_header is None else b"%d." % now_s + body
    digest = hmac.digest(as_bytes(secret), signed, how.algorithm)
    text = digest.hex() if how.encoding == "hex" else _base64(digest)
    stamped = () if how.timestamp_header is None else ((how.timestamp_header, str(now_s)),)
    return (how.header or "", how.prefix + text), *stamped


def _hex(secret: str, signed: bytes) -> str:
    return hmac.digest(as_bytes(secret), signed, "sha256").hex()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
