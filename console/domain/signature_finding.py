"""What there is to say about a signature, and what it is said of. Pure.

No text here ever holds a secret, or a value of a payload.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from console.domain.outcome import Headers
from console.domain.signature_variants import decoded_key
from console.domain.signing import KEY_PREFIX


class Mistake(StrEnum):
    """What was done wrong. The list is closed."""

    NONE = "none"
    MISSING_HEADER = "missing_header"
    HEADER_FORM = "header_form"
    BODY_WRITTEN_ANEW = "body_written_anew"
    BODY_CHANGED = "body_changed"
    OTHER_BODY = "other_body"
    SECRET_NOT_DECODED = "secret_not_decoded"
    ENDED_SECRET = "ended_secret"
    OTHER_SECRET = "other_secret"
    UNKNOWN_SECRET = "unknown_secret"
    SIGNED_TEXT = "signed_text"
    COMPARISON = "comparison"
    ENCODING = "encoding"
    VERSION = "version"
    CLOCK = "clock"
    TIMESTAMP_FORM = "timestamp_form"
    UNKNOWN = "unknown"


Severity = Literal["right", "note", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found: what is so, and what to do about it. Names in it are as they came."""

    mistake: Mistake
    severity: Severity
    words: str
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`ok`: whoever has one of the endpoint's secrets and does as the standard says takes this for genuine."""

    ok: bool
    findings: tuple[Finding, ...]
    signed_with: str | None = None
    """The fingerprint of the secret that signed it; None when that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a receiver got."""

    headers: Headers
    body: bytes
    computed: str | None = None
    """The signature that the receiver's own code computed, when its log has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSecret:
    """A secret that may have signed. `own`: of the endpoint that is asked about."""

    text: str = field(repr=False)
    owner: str
    own: bool = True
    until_ms: int | None = None

    def ended(self, now_ms: int) -> bool:
        return self.until_ms is not None and self.until_ms <= now_ms


def fingerprint(secret: str) -> str:
    """Eight digits that tell a secret from others and give nothing of it away."""
    key = decoded_key(secret) or secret.encode("utf-8", "replace")
    if secret.startswith(KEY_PREFIX):
        key = key[:32]
    return hashlib.sha256(b"webhook-console secret\0" + key).hexdigest()[:8]
