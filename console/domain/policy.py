"""How an endpoint wants to be called: what an operator may set, for each endpoint and as the default of all."""

import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from urllib.parse import urlsplit

from console.domain.errors import InvalidInputError
from console.domain.retry import JITTER, RETRY_AFTER_CAP_S, STANDARD_SCHEDULE_S, check_schedule
from console.domain.sealing import is_sealed

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 15.0
MAX_IN_FLIGHT = 32
DISABLE_AFTER_S = 5 * 24 * 3600.0
"""Five days of nothing but failure, as Svix has it."""

_OWN_HEADERS = frozenset(
    {"host", "content-length", "connection", "transfer-encoding", "content-type", "te", "upgrade", "trailer"}
)
_COUNT = re.compile(r"[0-9]{1,9}")
_PERIODS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Ordering(StrEnum):
    """`any`: as soon as each is due. `fifo`: strictly in order of acceptance, for each order key by itself."""

    ANY = "any"
    FIFO = "fifo"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `count` requests in `period_s` seconds, evenly spread."""

    count: int
    period_s: float = 1.0

    @property
    def per_s(self) -> float:
        return self.count / self.period_s

    def __str__(self) -> str:
        unit = next((u for u, seconds in _PERIODS_S.items() if seconds == self.period_s), f"{self.period_s:g}s")
        return f"{self.count}/{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When the circuit breaker opens, and when it looks again.

    It opens on `consecutive` failures, or when at least `ratio` of at least `least` attempts within `window_s` failed.
    The first probe is made `probe_s` after that, each further one after twice the wait before, up to `probe_cap_s`.
    """

    enabled: bool = True
    consecutive: int = 20
    ratio: float = 0.7
    least: int = 50
    window_s: float = 60.0
    probe_s: float = 30.0
    probe_cap_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How an endpoint wants to be called. Times in seconds."""

    schedule_s: tuple[float, ...] = STANDARD_SCHEDULE_S
    """Wait before each try, counted from the end of the one before; the first is that of the first try."""
    jitter: float = JITTER
    """Each wait is spread over plus and minus this part of it, 0 to 0.5."""
    retry_after_cap_s: float = RETRY_AFTER_CAP_S
    """The longest wait that a receiver may ask for; 0: none is honoured."""
    permanent_statuses: tuple[int, ...] = ()
    """Answers after which no further try is made, beside 410."""
    timeout_s: float = TOTAL_TIMEOUT_S
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    max_in_flight: int = MAX_IN_FLIGHT
    rate_limit: RateLimit | None = None
    breaker: BreakerPolicy = BreakerPolicy()
    disable_after_s: float = DISABLE_AFTER_S
    """Nothing but failure for so long disables the endpoint; 0: never."""
    ordering: Ordering = Ordering.ANY
    order_key: str | None = None
    """A path into the payload (`data.customer`): events are kept in order among those with the same value there."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent with every request, beside the engine's own."""
    user_agent: str | None = None
    authorization: str | None = field(default=None, repr=False)
    """The value of the Authorization header: `Basic …` or `Bearer …`. A secret."""
    client_certificate: str | None = None
    """A PEM file with a certificate, and its key unless `client_key` names another."""
    client_key: str | None = None
    proxy: str | None = field(default=None, repr=False)
    """`http://[user:password@]host:port`. May hold a secret."""
    http2: bool = True
    """Used where the receiver offers it over TLS."""
    obey_receiver: bool = False
    """Heed `webhook-delivery: disable` and `abort-message` in answers."""
    handshake: bool = False
    """Ask for permission first, as CloudEvents' HTTP Webhook says (OPTIONS, WebHook-Request-Origin)."""

    @property
    def connect_within_s(self) -> float:
        """Connecting may not take longer than the whole."""
        return min(self.connect_timeout_s, self.timeout_s)


BUILT_IN = DeliveryPolicy()
POLICY_FIELDS = tuple(f.name for f in fields(DeliveryPolicy))


def parse_rate_limit(text: str) -> RateLimit:
    """`50/s`, `1000/m` or `20000/h`.

    Raises:
        InvalidInputError
    """
    count, _, unit = text.strip().partition("/")
    if not _COUNT.fullmatch(count) or not 1 <= int(count) <= 1_000_000 or unit not in _PERIODS_S:
        raise InvalidInputError(f"rate {text[:40]!r}: write it as 50/s, 1000/m or 20000/h")
    return RateLimit(count=int(count), period_s=_PERIODS_S[unit])


def check_policy(policy: DeliveryPolicy) -> DeliveryPolicy:
    """Raises InvalidInputError when a part is out of bounds."""
    check_schedule(policy.schedule_s)
    _within("jitter", policy.jitter, 0, 0.5)
    _within("retry-after-cap", policy.retry_after_cap_s, 0, RETRY_AFTER_CAP_S, "s")
    for status in policy.permanent_statuses:
        if not 300 <= status <= 599:
            raise InvalidInputError(f"permanent status {status}: 300 to 599 are allowed")
    _within("timeout", policy.timeout_s, 0.1, 120, "s")
    _within("connect-timeout", policy.connect_timeout_s, 0.05, 60, "s")
    if not 1 <= policy.max_in_flight <= 1000:
        raise InvalidInputError(f"max-in-flight {policy.max_in_flight}: 1 to 1000 are allowed")
    if policy.disable_after_s:
        _within("disable-after", policy.disable_after_s, 60, 365 * 24 * 3600, "s")
    _check_breaker(policy.breaker)
    _check_order(policy)
    for name, value in policy.headers:
        check_header(name, "" if is_sealed(value) else value)
    for name, text in (("user-agent", policy.user_agent), ("authorization", policy.authorization)):
        if text is not None and not is_sealed(text):
            check_header_value(name, text)
    if policy.client_key is not None and policy.client_certificate is None:
        raise InvalidInputError("client-key: needs --client-certificate too")
    if policy.proxy is not None and not is_sealed(policy.proxy):
        check_proxy(policy.proxy)
    return policy


def _within(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        raise InvalidInputError(f"{name} {value:g}{unit}: {low:g}{unit} to {high:g}{unit} are allowed")


def _check_breaker(breaker: BreakerPolicy) -> None:
    if not 1 <= breaker.consecutive <= 100_000 or not 1 <= breaker.least <= 100_000:
        raise InvalidInputError("breaker: 1 to 100000 failures or attempts are allowed")
    _within("breaker ratio", breaker.ratio, 0.05, 1)
    _within("breaker window", breaker.window_s, 1, 3600, "s")
    _within("breaker probe", breaker.probe_s, 0.1, 3600, "s")
    if breaker.probe_cap_s < breaker.probe_s:
        raise InvalidInputError("breaker: the longest wait for a probe is shorter than the first")


def _check_order(policy: DeliveryPolicy) -> None:
    if policy.order_key is None:
        return
    if policy.ordering is not Ordering.FIFO:
        raise InvalidInputError("order-key: needs --ordering fifo")
    if len(policy.order_key) > 200 or not all(part for part in policy.order_key.split(".")):
        raise InvalidInputError(f"order-key {policy.order_key[:60]!r}: a path into the payload such as data.customer")


def check_proxy(text: str) -> str:
    """`http://host:port`, with user and password before an @ when the proxy wants them.

    Raises:
        InvalidInputError: without the password in it.
    """
    try:
        parts = urlsplit(text)
        right = parts.scheme == "http" and bool(parts.hostname) and parts.port is not None
        right = right and not (parts.path.strip("/") or parts.query or parts.fragment)
    except ValueError:
        right = False
    if not right or not text.isascii() or not text.isprintable() or len(text) > 2048:
        raise InvalidInputError("proxy: write it as http://host:port or http://user:password@host:port")
    return text


def check_header(name: str, value: str) -> None:
    """A field an operator may add: an RFC 9110 token, a printable value, and none that the engine sets itself.

    Raises:
        InvalidInputError
    """
    if not name or not all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name):
        raise InvalidInputError(f"header name {name[:60]!r}: letters, digits and - are allowed")
    if name.lower() in _OWN_HEADERS or name.lower().startswith("webhook-"):
        raise InvalidInputError(f"header {name}: is set by the engine and cannot be replaced")
    check_header_value(name, value)


def check_header_value(name: str, value: str) -> None:
    """Raises InvalidInputError, without the value in it."""
    if not value.isascii() or not value.isprintable() or value != value.strip() or len(value) > 4096:
        raise InvalidInputError(
            f"header {name}: the value must be printable ASCII, at most 4096 characters, no blanks around it"
        )
