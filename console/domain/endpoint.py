"""Endpoints: where events go, and how."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from console.domain.errors import InvalidInputError
from console.domain.ids import EndpointId
from console.domain.matching import check_pattern
from console.domain.retry import STANDARD_SCHEDULE_S, check_schedule
from console.domain.signing import check_secret

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 15.0
MAX_IN_FLIGHT = 32

_NAME_MAX = 64
_URL_MAX = 2048
_OWN_HEADERS = frozenset(
    {"host", "content-length", "connection", "transfer-encoding", "content-type", "te", "upgrade", "trailer"}
)


class EndpointState(StrEnum):
    """`active`; `paused` by an operator; `tripped` by the circuit breaker; `disabled` by 410 or days of failure."""

    ACTIVE = "active"
    PAUSED = "paused"
    TRIPPED = "tripped"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How an endpoint wants to be called. Times in seconds."""

    schedule_s: tuple[float, ...] = STANDARD_SCHEDULE_S
    """Wait before each try, counted from the end of the one before; the first is that of the first try."""
    timeout_s: float = TOTAL_TIMEOUT_S
    max_in_flight: int = MAX_IN_FLIGHT
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request, beside the engine's own."""

    @property
    def connect_timeout_s(self) -> float:
        return min(CONNECT_TIMEOUT_S, self.timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL that wants events. `seq` is its number in this store; `version` grows with each edit."""

    seq: int
    id: EndpointId
    name: str
    url: str
    types: tuple[str, ...]
    secrets: tuple[str, ...] = field(repr=False)
    """Active signing secrets, newest first; each signs every request."""
    policy: DeliveryPolicy
    state: EndpointState
    state_reason: str | None
    state_since_ms: int
    created_at_ms: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """What an operator says of an endpoint, checked by `check`."""

    name: str
    url: str
    types: tuple[str, ...]
    secrets: tuple[str, ...] = field(repr=False)
    policy: DeliveryPolicy

    def check(self) -> "EndpointSpec":
        """This spec, when every part of it is right.

        Raises:
            InvalidInputError: names the part and what is allowed.
        """
        check_name(self.name)
        check_url(self.url)
        if not self.types:
            raise InvalidInputError("types: at least one pattern is needed (* for all)")
        for pattern in self.types:
            check_pattern(pattern)
        if not self.secrets:
            raise InvalidInputError("secret: at least one is needed")
        for secret in self.secrets:
            check_secret(secret)
        check_policy(self.policy)
        return self


def check_name(text: str) -> str:
    """A label for screens and commands: 1–64 printable characters, no blanks, and not the form of an id.

    Raises:
        InvalidInputError
    """
    if not 0 < len(text) <= _NAME_MAX or not text.isprintable() or any(c.isspace() for c in text):
        raise InvalidInputError(f"name {text[:80]!r}: 1 to {_NAME_MAX} printable characters without blanks")
    if text.startswith("ep_"):
        raise InvalidInputError(f"name {text!r}: ep_ is how ids begin; choose another")
    return text


def check_url(text: str) -> str:
    """An absolute http or https URL without credentials or fragment.

    Raises:
        InvalidInputError
    """
    shown = text[:120]
    if len(text) > _URL_MAX or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInputError(f"URL {shown!r}: at most {_URL_MAX} visible ASCII characters (IDN hosts in punycode)")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"URL {shown!r}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(f"URL {shown!r}: an absolute http:// or https:// URL is needed")
    if port == 0:
        raise InvalidInputError(f"URL {shown!r}: port 0 is no port")
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError(f"URL of {parts.hostname!r}: credentials belong in --header, not in the URL")
    if parts.fragment:
        raise InvalidInputError(f"URL {shown!r}: a fragment (#…) is never sent; leave it out")
    return text


def check_policy(policy: DeliveryPolicy) -> DeliveryPolicy:
    """Raises InvalidInputError when a part is out of bounds."""
    check_schedule(policy.schedule_s)
    if not 0.1 <= policy.timeout_s <= 120:
        raise InvalidInputError(f"timeout {policy.timeout_s:g}s: 0.1 s to 120 s are allowed")
    if not 1 <= policy.max_in_flight <= 1000:
        raise InvalidInputError(f"max-in-flight {policy.max_in_flight}: 1 to 1000 are allowed")
    for name, value in policy.headers:
        check_header(name, value)
    return policy


def check_header(name: str, value: str) -> None:
    """A field an operator may add: an RFC 9110 token, a printable value, and none that the engine sets itself.

    Raises:
        InvalidInputError
    """
    if not name or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name):
        raise InvalidInputError(f"header name {name[:60]!r}: letters, digits and - are allowed")
    if name.lower() in _OWN_HEADERS or name.lower().startswith("webhook-"):
        raise InvalidInputError(f"header {name}: is set by the engine and cannot be replaced")
    if not value.isascii() or not value.isprintable() or value != value.strip() or len(value) > 4096:
        raise InvalidInputError(
            f"header {name}: the value must be printable ASCII, at most 4096 characters, no blanks around it"
        )


def default_name(url: str) -> str:
    """A name made from a URL's host, for an endpoint added without one."""
    return (urlsplit(url).hostname or "endpoint")[:_NAME_MAX]
