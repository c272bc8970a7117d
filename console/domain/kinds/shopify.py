"""Shopify: `X-Shopify-Hmac-Sha256`, the base64 HMAC-SHA256 of the body, keyed with the app's client secret.

https://shopify.dev/docs/apps/build/webhooks/delivery-structure. Its newer Events leave out the `X-`.
"""

import base64

from console.domain.inbound import InboundRequest, Refused
from console.domain.kinds.body import parse_json, senseless
from console.domain.kinds.proof import Proving, any_equal, digests, missing, unmatched
from console.domain.kinds.reading import Found, found


def _header(request: InboundRequest, name: str) -> str | None:
    return request.header(f"X-Shopify-{name}") or request.header(f"Shopify-{name}")


def prove(proving: Proving) -> Refused | None:
    signature = _header(proving.request, "Hmac-Sha256")
    if signature is None:
        return missing("X-Shopify-Hmac-Sha256")
    expected = [base64.b64encode(digest).decode() for digest in digests(proving, proving.request.body)]
    return None if any_equal([signature], expected) else unmatched(proving)


def read(request: InboundRequest) -> Found | Refused:
    """The id is that of the delivery, which a retry keeps. That of the event is shared by all topics that it is told
    under: by itself it would make `orders/paid` a duplicate of `orders/updated`."""
    topic = _header(request, "Topic")
    if topic is None:
        return senseless(missing("X-Shopify-Topic").reason)
    parsed = parse_json(request.body)
    if isinstance(parsed, Refused):
        return parsed
    event = _header(request, "Event-Id")
    id_ = _header(request, "Webhook-Id") or (f"{topic}-{event}" if event else None)
    return found(parsed, type=topic, id=id_)
