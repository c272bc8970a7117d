"""What the API says, as values. Names are those of the API; times are ISO 8601 in UTC."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event on its way in."""

    type: str
    data: Any
    """What JSON can hold; bytes are JSON already, and are sent byte for byte."""
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An event that is on the server's disk."""

    id: str
    duplicate: bool
    """Its id had been accepted before: nothing was changed."""
    deliveries: int
    """To how many endpoints it is owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, and where."""

    reason: str
    field: str | None = None
    item: int | None = None
    """The number of the event in its batch, from 0."""
    line: int | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event in a list."""

    id: str
    type: str
    size_bytes: int
    accepted_at: str
    source: str
    deliveries: int
    delivered: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event with what it carries."""

    id: str
    type: str
    size_bytes: int
    accepted_at: str
    source: str
    hops: int
    flaw: str | None
    copy_of: str | None
    payload: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP request made for a delivery."""

    id: str
    delivery_id: str
    event_id: str
    event_type: str
    endpoint_id: str
    endpoint: str
    number: int
    manual: bool
    started_at: str
    ended_at: str | None
    succeeded: bool | None
    status: int | None
    cause: str | None
    detail: str | None
    total_ms: float | None
    first_byte_ms: float | None
    due_at: str | None
    resolve_ms: float | None
    connect_ms: float | None
    tls_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event owed to one endpoint."""

    id: str
    event_id: str
    event_type: str
    endpoint_id: str
    endpoint: str
    state: str
    held: bool
    blocked: bool
    attempts: int
    schedule_step: int
    schedule_length: int
    next_attempt_at: str | None
    manual: bool
    last_cause: str | None
    last_status: int | None
    last_attempt_at: str | None
    created_at: str
    updated_at: str
    made: tuple[Attempt, ...] = ()
    """Its last attempts, the newest first, when it was asked for by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL that wants events."""

    id: str
    name: str
    url: str
    types: tuple[str, ...]
    state: str
    state_reason: str | None
    policy: dict[str, Any]
    own: tuple[str, ...]
    filter: str | None
    transform: dict[str, Any] | None
    dry_run: bool
    version: int
    pending: int
    sending: int
    delivered: int
    failed: int
    cancelled: int
    new_secret: str | None = field(default=None, repr=False)
    """The signing secret that was made for it, in the answer to its adding alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that was done, and how far it got."""

    id: str
    kind: str
    actor: str
    target: str
    reason: str | None
    started_at: str
    finished_at: str | None
    done: int
    total: int | None
    rate_per_s: float | None
    cancelled_by: str | None
    result: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What a retry is for, and the operation that does it."""

    dry_run: bool
    matching: int
    counted: bool
    """False: they are at least so many."""
    operation: Operation | None
