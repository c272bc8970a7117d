"""Standard Webhooks, from the receiver's side: `webhook-id`, `-timestamp` and `-signature`, or the same as `svix-…`.

Secrets are `whsec_` and base64 for `v1`, `whpk_` and base64 of an ed25519 public key for `v1a`. See `domain.signing`.
"""

import base64
import binascii
from functools import lru_cache

from console.domain.inbound import InboundRequest, Refused
from console.domain.kinds.body import parse_json, text_at
from console.domain.kinds.proof import (
    MOST_SIGNATURES,
    Proving,
    any_equal,
    as_bytes,
    hmac_of,
    malformed,
    unmatched,
    unproved,
)
from console.domain.kinds.proof import untimely as _untimely
from console.domain.kinds.reading import Found, found
from console.domain.signing import PUBLIC_PREFIX, SECRET_PREFIX, public_bytes_of

_FAMILIES = ("webhook", "svix")


def prove(proving: Proving) -> Refused | None:
    family = _family(proving.request)
    values = [proving.request.header(f"{family}-{name}") for name in ("id", "timestamp", "signature")]
    id_, timestamp, signature = values
    if not id_ or not timestamp or not signature:
        names = zip(("id", "timestamp", "signature"), values, strict=True)
        return unproved(f"header {family}-{next(name for name, value in names if not value)} is missing")
    labelled = [part.split(",", 1) for part in signature.split()[:MOST_SIGNATURES]]
    if not all(len(part) == 2 for part in labelled):
        return malformed(f"{family}-signature", "v1,…")
    signed = b".".join((as_bytes(id_), as_bytes(timestamp), proving.request.body))
    shared = [text for label, text in labelled if label == "v1"]
    by_key = [text for label, text in labelled if label == "v1a"]
    proved = any_equal(shared, _expected(proving, signed)) or any(
        _verifies(secret, text, signed)
        for secret in proving.secrets
        if secret.startswith(PUBLIC_PREFIX)
        for text in by_key
    )
    return _untimely(proving, f"{family}-timestamp", timestamp) if proved else unmatched(proving)


def _family(request: InboundRequest) -> str:
    """Which names the headers have."""
    return next((family for family in _FAMILIES if request.header(f"{family}-signature")), _FAMILIES[0])


def _expected(proving: Proving, signed: bytes) -> list[str]:
    keys = [key_of(secret) for secret in proving.secrets if not secret.startswith(PUBLIC_PREFIX)]
    return [base64.b64encode(hmac_of(key, signed)).decode() for key in keys if key]


@lru_cache(maxsize=256)
def key_of(secret: str) -> bytes | None:
    """The key of a shared secret, however its base64 is padded; None when it is none."""
    text = secret.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _verifies(secret: str, text: str, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = public_bytes_of(secret)
    try:
        signature = base64.b64decode(as_bytes(text), validate=True)
        # What is not the one way of writing these bytes is not taken, so that no two texts are the same signature.
        if public is None or base64.b64encode(signature) != as_bytes(text):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def read(request: InboundRequest) -> Found | Refused:
    parsed = parse_json(request.body)
    if isinstance(parsed, Refused):
        return parsed
    return found(parsed, type=text_at(parsed.value, "type"), id=request.header(f"{_family(request)}-id"))
