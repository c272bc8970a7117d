"""Stripe, and Calendly, which signs as Stripe does.

`Stripe-Signature: t=…,v1=…[,v1=…]`: the hex HMAC-SHA256 of `t.body`, keyed with the secret's text (`whsec_` and all);
https://docs.stripe.com/webhooks/signature. `Calendly-Webhook-Signature` likewise.
"""

from hashlib import sha256

from console.domain.inbound import InboundRequest, Refused
from console.domain.kinds.body import parse_json, text_at
from console.domain.kinds.proof import (
    MOST_SIGNATURES,
    Proving,
    any_equal,
    as_bytes,
    digests,
    malformed,
    missing,
    pairs_in,
    unmatched,
    untimely,
)
from console.domain.kinds.reading import Found, found


def prove_stripe(proving: Proving) -> Refused | None:
    return _prove(proving, "Stripe-Signature")


def prove_calendly(proving: Proving) -> Refused | None:
    return _prove(proving, "Calendly-Webhook-Signature")


def _prove(proving: Proving, header: str) -> Refused | None:
    text = proving.request.header(header)
    if text is None:
        return missing(header)
    pairs = pairs_in(text)
    timestamp = next((value for name, value in pairs if name == "t"), None)
    signatures = [value for name, value in pairs if name == "v1"][:MOST_SIGNATURES]
    if timestamp is None or not signatures:
        return malformed(header, "t=…,v1=…")
    signed = as_bytes(timestamp) + b"." + proving.request.body
    if not any_equal(signatures, [digest.hex() for digest in digests(proving, signed)]):
        return unmatched(proving)
    return untimely(proving, header, timestamp)


def read_stripe(request: InboundRequest) -> Found | Refused:
    parsed = parse_json(request.body)
    if isinstance(parsed, Refused):
        return parsed
    return found(parsed, type=text_at(parsed.value, "type"), id=text_at(parsed.value, "id"))


def read_calendly(request: InboundRequest) -> Found | Refused:
    """It gives events no id. A retry has the same body, down to `created_at`: what the body is, the event is."""
    parsed = parse_json(request.body)
    if isinstance(parsed, Refused):
        return parsed
    return found(parsed, type=text_at(parsed.value, "event"), id=sha256(request.body).hexdigest())
