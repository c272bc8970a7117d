"""Deliveries and attempts: the state machine, and what one outcome does to it.

pending ──claim──▶ sending ──2xx──▶ delivered
   ▲                  │
   └──retry owed──────┤
                      └──schedule exhausted or permanent──▶ failed
pending, failed ──operator──▶ cancelled;   failed, cancelled, delivered ──operator's retry──▶ pending
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from console.domain.breaker import Sign, sign_of
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId, FailureGroupId
from console.domain.outcome import Cause, Failure, Headers, Outcome, Response
from console.domain.policy import DeliveryPolicy
from console.domain.retry import GiveUp, RetryAt, next_try, retry_after_s


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


RETRYABLE = frozenset({DeliveryState.PENDING, DeliveryState.FAILED, DeliveryState.CANCELLED, DeliveryState.DELIVERED})
"""States from which an operator may ask for another try. `sending` is not: its try is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event owed to one endpoint, as a list shows it."""

    id: DeliveryId
    event_id: EventId
    event_type: str
    endpoint_id: EndpointId
    endpoint_name: str
    state: DeliveryState
    held: bool
    """Pending, but the endpoint is not active."""
    blocked: bool = False
    """Pending, but one accepted before it must be delivered or skipped first; no time is set for its next try."""
    attempts: int
    schedule_step: int
    schedule_length: int
    next_attempt_at_ms: int | None
    manual: bool
    """The next try was asked for by an operator and does not consume the schedule."""
    last_cause: Cause | None
    last_status: int | None
    last_attempt_at_ms: int | None
    created_at_ms: int
    updated_at_ms: int
    failure_group: FailureGroupId | None = None
    """What its last failure has in common with others; None: it has not failed."""
    url: str | None = None
    """Where it goes instead of its endpoint's URL, which an operator chose for this one alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP request made for a delivery, as a tail shows it. Not ended yet: `ended_at_ms` None."""

    id: AttemptId
    delivery_id: DeliveryId
    event_id: EventId
    event_type: str
    endpoint_id: EndpointId
    endpoint_name: str
    number: int
    """1 for a delivery's first attempt."""
    manual: bool
    started_at_ms: int
    ended_at_ms: int | None
    status: int | None
    cause: Cause | None
    detail: str | None
    total_ms: float | None
    first_byte_ms: float | None
    due_at_ms: int | None = None
    """When it was due: until it started it waited in the queue. None: made before that was kept."""
    resolve_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    """Parts of `first_byte_ms`. None: a connection was reused, or its transport cannot tell."""

    @property
    def succeeded(self) -> bool:
        return self.ended_at_ms is not None and self.cause is None

    @property
    def dry_run(self) -> bool:
        """It succeeded in that nothing was to be sent."""
        return self.succeeded and self.status is None


DRY_RUN_WORDS = "dry run: nothing was sent"

REQUEST_BODY_CAP_BYTES = 64 * 1024
"""What is kept of a body that a transform has made."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What went over the wire for one attempt. Secrets in the request headers are redacted. Not frozen, as a request is
    not."""

    url: str
    request_headers: Headers
    response_headers: Headers
    response_body: bytes
    response_truncated: bool
    remote_address: str | None
    request_method: str = "POST"
    request_body: bytes | None = None
    """What a transform has made, up to REQUEST_BODY_CAP_BYTES; None: the event's payload was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Taken by the receiver. `disable_endpoint`: which said with it that it wants no more.

    With no status it was a dry run: the endpoint is to be sent nothing, and what would have been sent is in the
    exchange. That says nothing of the receiver.
    """

    status: int | None
    disable_endpoint: bool = False

    @property
    def dry(self) -> bool:
        return self.status is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Failed, and owed another try at `at_ms`."""

    cause: Cause
    status: int | None
    detail: str
    at_ms: int
    why: str
    uncharged: bool = False
    """The try costs the schedule nothing, and one that an operator asked for is still asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Failed for good. `disable_endpoint`: the receiver said that it wants no more."""

    cause: Cause
    status: int | None
    detail: str
    why: str
    disable_endpoint: bool = False


Verdict = Delivered | Retry | Failed


def cause_of(outcome: Outcome) -> Cause | None:
    """Why an outcome is a failure; None for a success."""
    match outcome:
        case Failure(cause=cause):
            return cause
        case Response(status=status):
            if 200 <= status < 300:
                return None
            if status == 410:
                return Cause.GONE
            if 300 <= status < 400:
                return Cause.HTTP_3XX
            if 400 <= status < 500:
                return Cause.HTTP_4XX
            return Cause.HTTP_5XX if 500 <= status < 600 else Cause.PROTOCOL
        case _ as never:
            assert_never(never)


WANTS_NO_MORE = "the receiver wants no more (webhook-delivery: disable)"
_PUT_BACK = "the endpoint is still tripped: this probe costs the schedule nothing"


def word_of_receiver(headers: Headers) -> str | None:
    """What a receiver says of deliveries to it in its answer: `disable` or `abort-message`; None: nothing known."""
    for name, value in headers:
        if name.lower() == "webhook-delivery":
            word = value.strip().lower()
            return word if word in ("disable", "abort-message") else None
    return None


def judge(
    outcome: Outcome,
    *,
    policy: DeliveryPolicy,
    step: int,
    manual: bool,
    ended_at_ms: int,
    jitter_unit: float,
    probe: bool = False,
) -> Verdict:
    """What an attempt's outcome does to its delivery.

    A manual try that fails does not consume the schedule: what was left of it goes on, and a delivery whose schedule
    was exhausted fails again at once.

    Args:
        step: tries charged to the schedule, this one included when it is not manual.
        ended_at_ms: epoch ms.
        jitter_unit: a random number in [0, 1).
        probe: the endpoint is tripped: a failure that says it still is ill puts the delivery back as it was.
    """
    cause = cause_of(outcome)
    status = outcome.status if isinstance(outcome, Response) else None
    word = word_of_receiver(outcome.headers) if policy.obey_receiver and isinstance(outcome, Response) else None
    if cause is None:
        assert status is not None
        return Delivered(status=status, disable_endpoint=word == "disable")
    detail = outcome.detail if isinstance(outcome, Failure) else f"HTTP {status}"
    if cause is Cause.GONE:
        return Failed(cause=cause, status=status, detail=detail, why="410 Gone", disable_endpoint=True)
    if word == "disable":
        return Failed(cause=cause, status=status, detail=detail, why=WANTS_NO_MORE, disable_endpoint=True)
    if word == "abort-message":
        why = "the receiver does not want this event (webhook-delivery: abort-message)"
        return Failed(cause=cause, status=status, detail=detail, why=why)
    asked = None
    if isinstance(outcome, Response):
        if outcome.status in policy.permanent_statuses:
            return Failed(cause=cause, status=status, detail=detail, why=f"{outcome.status} is permanent by its policy")
        asked = retry_after_s(outcome.status, {k.lower(): v for k, v in outcome.headers}, ended_at_ms)
    if probe and sign_of(cause, status) is not Sign.WELL:
        return Retry(cause=cause, status=status, detail=detail, at_ms=ended_at_ms, why=_PUT_BACK, uncharged=True)
    # After a manual try made before the schedule's first, that first try is still owed: after the schedule's second
    # wait when there is one, since the first is mostly none at all and would hit a receiver that has just failed.
    charged = max(step, 1) if manual and len(policy.schedule_s) > 1 else step
    following = next_try(
        schedule_s=policy.schedule_s,
        step=charged,
        ended_at_ms=ended_at_ms,
        retry_after_s=asked,
        jitter_unit=jitter_unit,
        jitter=policy.jitter,
        retry_after_cap_s=policy.retry_after_cap_s,
    )
    match following:
        case RetryAt(at_ms=at_ms, why=why):
            return Retry(cause=cause, status=status, detail=detail, at_ms=at_ms, why=why)
        case GiveUp(why=why):
            return Failed(cause=cause, status=status, detail=detail, why=why)
