"""How long things are kept, and how they are taken away without anybody noticing."""

import math
from dataclasses import dataclass
from enum import StrEnum

from console.domain.delivery import DeliveryState
from console.domain.errors import InvalidInputError

DAY_S = 24 * 3600.0
ENDED = (DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELLED)
"""The states that age; what is pending or being sent is never deleted."""

LEAST_S = 60.0
YOUNGEST_S = 600.0
"""Size alone deletes nothing younger: a producer that sends an event again must find that its id is known."""

LEAST_SIZE_BYTES = 16 * 1024 * 1024
_LONGEST_S = 100 * 365 * DAY_S
_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}

PIECE_S = 0.005
"""How long one piece of deletion may hold the write lock."""
SMALLEST_PIECE, LARGEST_PIECE = 10, 200
"""Deliveries in one piece."""
_SHARE, _SHARE_BEHIND = 0.1, 0.3
"""Of the time of the connection that writes: what deletion takes, and what it takes when it is behind."""
BEHIND_AFTER_S = 60.0
"""A sweep that takes longer is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long ended deliveries are kept with their attempts, and how large the store may grow. 0: for ever, no limit.

    An event goes with the last of its deliveries; one that nobody wanted is kept as long as a delivered one.
    """

    delivered_s: float = 30 * DAY_S
    failed_s: float = 90 * DAY_S
    cancelled_s: float = 30 * DAY_S
    bodies_s: float = 0.0
    """Requests and answers may go earlier than their attempts; 0: they go with them."""
    inbox_s: float = 30 * DAY_S
    """How long requests that came in are kept, whatever became of them."""
    max_size_bytes: int = 0
    """Above this requests go that came in more than a day ago, then the oldest ended deliveries, then what else came
    in; but nothing that ended or came in the last ten minutes."""

    def age_s(self, state: DeliveryState) -> float:
        """How long a delivery that ended in this state is kept; 0: for ever."""
        match state:
            case DeliveryState.DELIVERED:
                return self.delivered_s
            case DeliveryState.FAILED:
                return self.failed_s
            case DeliveryState.CANCELLED:
                return self.cancelled_s
            case DeliveryState.PENDING | DeliveryState.SENDING:
                return 0.0

    @property
    def deletes_nothing(self) -> bool:
        """Everything is kept for ever, whatever its size."""
        return not (any(self.age_s(state) for state in ENDED) or self.bodies_s or self.inbox_s or self.max_size_bytes)


class Phase(StrEnum):
    """What a sweep looks through, in this order."""

    INBOX = "inbox"
    DELIVERIES = "deliveries"
    EVENTS = "events"
    BODIES = "bodies"
    RECENT_INBOX = "recent inbox"
    """What a store that is too large lets go of when nothing else is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoffs:
    """What ended before these times (epoch ms) may go; None: nothing of that kind."""

    by_state: tuple[tuple[DeliveryState, int], ...]
    unwanted_ms: int | None
    """For events without deliveries."""
    bodies_ms: int | None
    inbox_ms: int | None = None
    recent_inbox_ms: int | None = None

    @property
    def youngest_ms(self) -> int:
        """Nothing made after this can be old enough."""
        return max((at for _, at in self.by_state), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a sweep has come to, and the numbers of what may go there."""

    phase: Phase
    ids: tuple[int, ...]
    after: int | None
    """The last one looked at; None: there is nothing more to look at in this phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What was deleted."""

    deliveries: int = 0
    attempts: int = 0
    events: int = 0
    bodies: int = 0
    requests: int = 0
    """Of the inbox."""

    def __add__(self, other: "Dropped") -> "Dropped":
        return Dropped(
            deliveries=self.deliveries + other.deliveries,
            attempts=self.attempts + other.attempts,
            events=self.events + other.events,
            bodies=self.bodies + other.bodies,
            requests=self.requests + other.requests,
        )

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.events or self.bodies or self.requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What the store takes on disk, in bytes."""

    file_bytes: int
    free_bytes: int
    """Inside the file, to be used again."""
    wal_bytes: int
    page_bytes: int
    requests: int = 0
    """About how many are in the inbox."""

    @property
    def used_bytes(self) -> int:
        """What the size limit is about: the file without what is free in it."""
        return self.file_bytes - self.free_bytes


def cutoffs(retention: Retention, now_ms: int, *, too_large: bool = False) -> Cutoffs:
    """The ages as times. A store that is too large lets go of everything that has ended, the oldest first."""

    def before(age_s: float) -> int:
        return now_ms - round(age_s * 1000)

    if too_large:
        at_ms = before(YOUNGEST_S)
        return Cutoffs(
            by_state=tuple((state, at_ms) for state in ENDED),
            unwanted_ms=at_ms,
            bodies_ms=None,
            inbox_ms=before(DAY_S),
            recent_inbox_ms=at_ms,
        )
    return Cutoffs(
        by_state=tuple((state, before(age)) for state in ENDED if (age := retention.age_s(state))),
        unwanted_ms=before(retention.delivered_s) if retention.delivered_s else None,
        bodies_ms=before(retention.bodies_s) if retention.bodies_s else None,
        inbox_ms=before(retention.inbox_s) if retention.inbox_s else None,
    )


def next_piece(size: int, took_s: float) -> int:
    """How many deliveries the next piece may have, after one of `size` held the write lock for `took_s`."""
    wanted = size * 2 if took_s <= 0 else round(size * PIECE_S / took_s)
    return max(SMALLEST_PIECE, min(wanted, size * 2, LARGEST_PIECE))


def pause_s(took_s: float, *, behind: bool) -> float:
    """How long deletion rests after a piece that took `took_s`, its commit included."""
    share = _SHARE_BEHIND if behind else _SHARE
    return max(took_s, 0.001) * (1 - share) / share


def check_retention(retention: Retention) -> Retention:
    """Raises InvalidInputError when a part is out of bounds."""
    for name, age_s in (
        ("delivered", retention.delivered_s),
        ("failed", retention.failed_s),
        ("cancelled", retention.cancelled_s),
        ("bodies", retention.bodies_s),
        ("inbox", retention.inbox_s),
    ):
        if age_s and not (math.isfinite(age_s) and LEAST_S <= age_s <= _LONGEST_S):
            raise InvalidInputError(f"{name} {age_s:g}s: 1m to 36500d are allowed, or 0 for ever")
    if retention.max_size_bytes and retention.max_size_bytes < LEAST_SIZE_BYTES:
        raise InvalidInputError(f"max-size {retention.max_size_bytes} bytes: at least 16M, or 0 for no limit")
    return retention


def parse_size_bytes(text: str) -> int:
    """`512M`, `20G`, `1.5GiB`: powers of 1024. A plain number is bytes.

    Raises:
        InvalidInputError
    """
    body = text.strip().lower().removesuffix("b").removesuffix("i")
    number, factor = (body[:-1], _UNITS[body[-1]]) if body and body[-1] in _UNITS else (body, 1)
    try:
        size = float(number) * factor
    except ValueError:
        size = -1.0
    if not (math.isfinite(size) and 0 <= size < 2**60):
        raise InvalidInputError(f"size {text[:40]!r}: write it as 512M, 20G or 1.5T")
    return int(size)
