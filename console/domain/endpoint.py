"""Endpoints: where events go, and how."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from console.domain.errors import InvalidInputError
from console.domain.ids import EndpointId
from console.domain.matching import check_pattern
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy, check_policy
from console.domain.signing import Secret, active_secrets, check_secrets
from console.domain.transform import Transform

_NAME_MAX = 64
_URL_MAX = 2048


class EndpointState(StrEnum):
    """`active`; `paused` by an operator; `tripped` by the circuit breaker; `disabled` by 410 or days of failure."""

    ACTIVE = "active"
    PAUSED = "paused"
    TRIPPED = "tripped"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL that wants events. `seq` is its number in this store; `version` grows with each edit."""

    seq: int
    id: EndpointId
    name: str
    url: str
    types: tuple[str, ...]
    secrets: tuple[Secret, ...]
    """Signing secrets, newest first; each that has not ended signs every request."""
    policy: DeliveryPolicy
    """What counts: what this endpoint says itself, else the store's default, else what is built in."""
    own: frozenset[str] = frozenset()
    """The parts of the policy that this endpoint says itself."""
    state: EndpointState
    state_reason: str | None
    state_since_ms: int
    probe_at_ms: int | None = None
    """When a tripped endpoint is tried again."""
    trips: int = 0
    """How often the breaker has opened since it last closed, failed probes included."""
    pace: Pace | None = None
    """How its backlog is drained after a pause; None: as fast as its policy lets."""
    resume_at_ms: int | None = None
    """When a paused endpoint is resumed by itself; None: an operator has to."""
    resume_pace: Pace | None = None
    """How its backlog is drained then; its `since_ms` says nothing."""
    permitted_url: str | None = None
    """The URL for which the receiver gave its permission (the handshake of CloudEvents)."""
    permitted_per_minute: int | None = None
    """How many requests a minute it permitted at most; None: as many as there are."""
    filter: str | None = None
    """An expression over the payload: events for which it is false are not owed. None: all of its types are."""
    transform: Transform | None = None
    """How events are reshaped for it; None: the payload is sent as it is."""
    dry_run: bool = False
    """What would be sent is logged, and nothing is."""
    created_at_ms: int
    version: int

    @property
    def spec(self) -> "EndpointSpec":
        """What an operator said of it; the parts of its policy that it takes over are in it, too."""
        return EndpointSpec(
            name=self.name,
            url=self.url,
            types=self.types,
            secrets=self.secrets,
            policy=self.policy,
            filter=self.filter,
            transform=self.transform,
            dry_run=self.dry_run,
        )

    def active_secrets(self, now_ms: int) -> tuple[Secret, ...]:
        """Those that sign at this moment."""
        return active_secrets(self.secrets, now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """What an operator says of an endpoint, checked by `check`."""

    name: str
    url: str
    types: tuple[str, ...]
    secrets: tuple[Secret, ...]
    policy: DeliveryPolicy
    filter: str | None = None
    transform: Transform | None = None
    dry_run: bool = False

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
        check_secrets(self.secrets)
        check_policy(self.policy)
        _check_reshaping(self.filter, self.transform)
        return self


def _check_reshaping(wanted: str | None, transform: Transform | None) -> None:
    """The template engine is loaded for those that have something for it."""
    if wanted is None and transform is None:
        return
    from console.domain.templating import check_filter, check_transform

    if wanted is not None:
        check_filter(wanted)
    if transform is not None:
        check_transform(transform)


def check_name(text: str) -> str:
    """A label for screens and commands: 1–64 printable characters, no blanks, and not the form of an id.

    Raises:
        InvalidInputError
    """
    if not 0 < len(text) <= _NAME_MAX or not text.isprintable() or any(c.isspace() for c in text):
        raise InvalidInputError(f"name {text[:80]!r}: 1 to {_NAME_MAX} printable characters without blanks")
    if text.startswith("ep_"):
        raise InvalidInputError(f"name {text[:60]!r}: ep_ is how ids begin; choose another")
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


def default_name(url: str) -> str:
    """A name made from a URL's host, for an endpoint added without one."""
    return (urlsplit(url).hostname or "endpoint")[:_NAME_MAX]
