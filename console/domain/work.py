"""What passes between the engine and the store: claimed work, and what came of it."""

from dataclasses import dataclass

from console.domain.delivery import Exchange, Verdict
from console.domain.ids import AttemptId, DeliveryId, EventId
from console.domain.outcome import Parts


@dataclass(slots=True, kw_only=True)
class Claimed:
    """A delivery that this engine must attempt now; its attempt row is on disk. Not frozen: the hot path makes
    thousands a second, and a frozen dataclass costs three times as much to make."""

    delivery_id: DeliveryId
    attempt_id: AttemptId
    endpoint_seq: int
    number: int
    step: int
    manual: bool
    event_id: EventId
    event_type: str
    payload: bytes
    ordered: bool = False
    """It is the head of its order key: what follows waits for its end."""
    probe: bool = False
    """Its endpoint is tripped, and what comes of it says whether it still is."""
    url: str | None = None
    """Where it goes instead of its endpoint's URL: what comes of it says nothing of the endpoint."""
    accepted_at_ms: int = 0
    """When its event was."""
    hops: int = 0
    via: str | None = None
    """Of its event."""


@dataclass(slots=True, kw_only=True)
class Completed:
    """A claimed delivery, attempted. Times are epoch ms and durations ms."""

    claimed: Claimed
    verdict: Verdict
    started_at_ms: int
    ended_at_ms: int
    total_ms: float
    first_byte_ms: float | None
    exchange: Exchange | None
    parts: Parts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimOrder:
    """How many due deliveries of one endpoint to claim."""

    endpoint_seq: int
    limit: int
    probe: bool = False
    """The endpoint is tripped, and this is the request that finds out whether it still is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudges:
    """What other processes changed: endpoints by number (seq)."""

    newest: int
    owed: frozenset[int]
    """Something became due, or is no longer."""
    settings: frozenset[int]
    """URL, policy or state changed, or the endpoint was added or removed."""
    stop: bool
    """Somebody asks the engine to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What an engine found in flight at start: left by one that died."""

    pending: int
    failed: int
