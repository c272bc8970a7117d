"""The shapes of answers. Names are the words of the product, the same as in the command line's JSON, and stay.

Times are ISO 8601 in UTC with milliseconds. Absent is null, never 0 or "".
"""

from typing import Any, Generic, Literal, TypeVar

import msgspec

from console.domain.change import Values

T = TypeVar("T")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one thing."""


class Page(Shape, Generic[T], frozen=True, kw_only=True):
    """A part of a list."""

    data: list[T]
    next: str | None
    """Give it as `cursor` to go on; null: this was the end."""
    complete: bool
    """False: looking took too long, and there may be more before `next` than is here."""


class EventRowShape(Shape, frozen=True, kw_only=True):
    """An event in a list."""

    id: str
    type: str
    size_bytes: int
    accepted_at: str | None
    source: str
    deliveries: int
    delivered: int
    failed: int


class EventShape(Shape, frozen=True, kw_only=True):
    """An event with what it carries."""

    id: str
    type: str
    size_bytes: int
    accepted_at: str | None
    source: str
    hops: int
    flaw: str | None
    """Where it does not match its schema, when it was accepted all the same."""
    copy_of: str | None
    payload: Any
    """Token for token as it came."""


class DeliveryShape(Shape, frozen=True, kw_only=True):
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
    created_at: str | None
    updated_at: str | None


class AttemptShape(Shape, frozen=True, kw_only=True):
    """One HTTP request made for a delivery."""

    id: str
    delivery_id: str
    event_id: str
    event_type: str
    endpoint_id: str
    endpoint: str
    number: int
    manual: bool
    started_at: str | None
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


class DeliveryWithAttempts(DeliveryShape, frozen=True, kw_only=True):
    """A delivery and its last attempts, the newest first."""

    made: list[AttemptShape]


class ExchangeShape(Shape, frozen=True, kw_only=True):
    """What went over the wire. Values of headers and of parts of the URL that hold secrets are left out; a body that is
    not UTF-8 is given in base64 instead."""

    url: str
    request_method: str
    request_body: str | None
    """What a transform has made; null: the event's payload was sent."""
    request_headers: list[tuple[str, str]]
    response_headers: list[tuple[str, str]]
    response_body: str | None
    response_body_base64: str | None
    response_truncated: bool
    remote_address: str | None


class AttemptWithExchange(AttemptShape, frozen=True, kw_only=True):
    """An attempt, and what went over the wire; null: it is not known."""

    exchange: ExchangeShape | None


class SecretShape(Shape, frozen=True, kw_only=True):
    """A signing secret: never itself."""

    secret: str
    """`whsec_…abcd`: enough to tell two apart."""
    sealed: bool
    until: str | None
    public_key: str | None


class PaceShape(Shape, frozen=True, kw_only=True):
    """How a backlog is drained."""

    per_s: float
    ramp_s: float


class TransformShape(Shape, frozen=True, kw_only=True):
    """How events are reshaped."""

    body: str | None = None
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = []
    path: str | None = None
    method: str | None = None


class EndpointShape(Shape, frozen=True, kw_only=True):
    """A URL that wants events, and what it is owed."""

    id: str
    name: str
    url: str
    types: list[str]
    state: str
    state_reason: str | None
    state_since: str | None
    probe_at: str | None
    trips: int
    pace: PaceShape | None
    resume_at: str | None
    resume_pace: PaceShape | None
    permitted_url: str | None
    permitted_per_minute: int | None
    policy: dict[str, Any]
    """By part, as text that is taken again; secrets are left out."""
    own: list[str]
    """The parts that it says itself; the others follow the default of all endpoints."""
    secrets: list[SecretShape]
    filter: str | None
    transform: TransformShape | None
    dry_run: bool
    created_at: str | None
    version: int
    pending: int
    sending: int
    delivered: int
    failed: int
    cancelled: int
    last_success_at: str | None
    last_failure_at: str | None
    last_failure_cause: str | None
    last_failure_detail: str | None


class EndpointAdded(EndpointShape, frozen=True, kw_only=True):
    """An endpoint that was added."""

    new_secret: str | None
    """The signing secret that was made for it, which is told only now; null: one was given."""


class EndpointRemoved(Shape, frozen=True, kw_only=True):
    """An endpoint that is gone."""

    id: str
    name: str
    removed: bool
    cancelled: int
    """Deliveries that it was still owed."""


class OperationShape(Shape, frozen=True, kw_only=True):
    """Something that was done: who, when, on what, how far it got."""

    id: str
    kind: str
    actor: str
    target: str
    reason: str | None
    started_at: str | None
    finished_at: str | None
    done: int
    total: int | None
    rate_per_s: float | None
    cancelled_by: str | None
    result: str | None
    change: Values | None


class Retried(Shape, frozen=True, kw_only=True):
    """What a retry is for, and the operation that does it."""

    dry_run: bool
    matching: int
    counted: bool
    """False: they are at least so many."""
    operation: OperationShape | None
    """Null after a dry run."""


class Rates(Shape, frozen=True, kw_only=True):
    """Rates over a window, what is owed now, and attempts by cause. Ratios are null when there were no attempts."""

    attempts: int
    ok: int
    errors: int
    rate_per_s: float
    success_ratio: float | None
    error_ratio: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    pending: int
    sending: int
    delivered: int
    failed: int
    cancelled: int
    causes: dict[str, int]


class OverallRates(Rates, frozen=True, kw_only=True):
    """All endpoints together."""

    accepted: int


class EndpointRates(Rates, frozen=True, kw_only=True):
    """One endpoint."""

    endpoint_id: str
    endpoint: str
    state: str


class Stats(Shape, frozen=True, kw_only=True):
    """Rates, latencies and what is owed."""

    window_s: int
    since: str | None
    until: str | None
    overall: OverallRates
    endpoints: list[EndpointRates]


class Health(Shape, frozen=True, kw_only=True):
    """How it stands."""

    status: Literal["ok", "draining", "failing"]
    detail: str
