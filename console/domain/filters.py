"""What an operator may ask lists for; the same on screens, in commands and in bulk actions."""

from dataclasses import dataclass

from console.domain.delivery import DeliveryState
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId, FailureGroupId
from console.domain.outcome import Cause


@dataclass(frozen=True, slots=True)
class StatusRange:
    """HTTP statuses from `low` to `high`, both included: `404` is 404 to 404, `5xx` is 500 to 599."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Deliveries that match every part that is given. Times are of creation, epoch ms, since inclusive, until not."""

    ids: tuple[DeliveryId, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    endpoints: tuple[EndpointId, ...] = ()
    event_id: EventId | None = None
    type_pattern: str | None = None
    causes: tuple[Cause, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    statuses: tuple[StatusRange, ...] = ()
    """The last answer's status is in one of these."""
    attempts_least: int | None = None
    attempts_most: int | None = None
    """Requests made so far, both bounds included."""
    groups: tuple[FailureGroupId, ...] = ()
    """The last failure is of one of these groups, and it is still so: not of those delivered or cancelled since."""
    texts: tuple[str, ...] = ()
    """Each is in the payload, or in what came back at any attempt."""
    troubled: bool = False
    """Only failed ones, and pending or sending ones whose last try failed."""

    @property
    def matches_all(self) -> bool:
        """No part is given: every delivery matches."""
        return self == DeliveryFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFilter:
    """Attempts that match every part that is given. Times are of the start, epoch ms."""

    endpoints: tuple[EndpointId, ...] = ()
    delivery_id: DeliveryId | None = None
    event_id: EventId | None = None
    type_pattern: str | None = None
    causes: tuple[Cause, ...] = ()
    statuses: tuple[StatusRange, ...] = ()
    attempts_least: int | None = None
    attempts_most: int | None = None
    """Its number among the attempts of its delivery, both bounds included."""
    texts: tuple[str, ...] = ()
    """Each is in the event's payload or in what came back at this attempt."""
    failed_only: bool = False
    delivered_only: bool = False
    ended_only: bool = False
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Events that match every part that is given. Times are of acceptance, epoch ms."""

    event_id: EventId | None = None
    type_pattern: str | None = None
    texts: tuple[str, ...] = ()
    """Each is in the payload."""
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPage:
    """Which attempts to read: the newest below `before`, or the oldest above `after`."""

    limit: int
    before: AttemptId | None = None
    after: AttemptId | None = None
