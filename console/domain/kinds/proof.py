"""What proves that a request is from whom it says: the parts that the kinds share."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from console.domain.inbound import InboundRequest, Refused
from console.domain.source import SourceOptions

MOST_SIGNATURES = 32
"""So many of one request are looked at."""

_UNAUTHORIZED = 401
_LONGEST_TIMESTAMP = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """A request, and what is to prove it."""

    request: InboundRequest
    options: SourceOptions
    secrets: tuple[str, ...] = field(repr=False)
    """Those active now, opened."""
    now_ms: int


def unproved(reason: str) -> Refused:
    """It is not shown to be from whom it says. `reason` holds nothing secret."""
    return Refused(status=_UNAUTHORIZED, reason=reason)


def missing(header: str) -> Refused:
    return unproved(f"header {header} is missing")


def malformed(header: str, form: str) -> Refused:
    return unproved(f"header {header} is not of the form {form}")


def unmatched(proving: Proving) -> Refused:
    """No signature is right with any secret."""
    secrets = len(proving.secrets)
    return unproved(
        f"no signature matches: the body ({len(proving.request.body):,} bytes) was verified with "
        f"{secrets} {'secret' if secrets == 1 else 'secrets'}"
    )


def digests(proving: Proving, signed: bytes, algorithm: str = "sha256") -> list[bytes]:
    """The HMAC of `signed` with each secret, as its text is."""
    return [hmac_of(as_bytes(secret), signed, algorithm) for secret in proving.secrets]


def hmac_of(key: bytes, signed: bytes, algorithm: str = "sha256") -> bytes:
    """Not `hmac.digest`: that lets other threads run however short the text, and waits milliseconds for its turn."""
    return hmac.new(key, signed, algorithm).digest()


def as_bytes(text: str) -> bytes:
    """A text of a header, or a secret, whatever is in it."""
    return text.encode("utf-8", "surrogatepass")


def any_equal(given: Iterable[str], expected: Sequence[str]) -> bool:
    """Whether one of the texts is one of the expected. How long it takes does not tell how much of one was right."""
    found = False
    for one in given:
        for other in expected:
            found |= hmac.compare_digest(as_bytes(one), as_bytes(other))
    return found


def untimely(proving: Proving, header: str, timestamp: str) -> Refused | None:
    """Why a signed timestamp (unix seconds) is not to be trusted; None when it is near enough, before or after now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        return unproved(f"header {header}: its timestamp is no whole number of seconds")
    off_ms = proving.now_ms - int(timestamp) * 1000
    if abs(off_ms) <= proving.options.tolerance_s * 1000:
        return None
    how = "old" if off_ms > 0 else "ahead of this machine's clock"
    return unproved(
        f"timestamp {abs(off_ms) / 1000:.0f} s {how} (at most {proving.options.tolerance_s:g} s are allowed): "
        "replayed, delayed on its way, or one of the clocks is wrong"
    )


def pairs_in(header: str) -> list[tuple[str, str]]:
    """`t=1,v1=a,v1=b` as pairs; what is no pair is left out."""
    found = []
    for part in header.split(",")[: 2 * MOST_SIGNATURES]:
        name, equals, value = part.strip().partition("=")
        if equals:
            found.append((name, value))
    return found
