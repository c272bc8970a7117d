"""Why an event was delivered to an endpoint, is not yet, never will be, or was never owed: in words. Pure.

Screens and commands lay these words out; they have none of their own. Texts may hold names and messages from outside as
they came: whoever shows them sanitises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, assert_never

from console.domain.delivery import Attempt, Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.handshake import WAITS, wants_permission
from console.domain.ids import DeliveryId, EventId, format_number
from console.domain.operation import Operation, OperationKind
from console.domain.outcome import PLAIN_WORDS, Cause

STATUS_WORDS: dict[int, str] = {
    400: "It could not make sense of the request: compare the payload with what it expects.",
    401: "It does not accept the credentials: check the endpoint's headers and signing secret.",
    403: "It forbids the request: check the endpoint's headers and signing secret, and its allow list.",
    404: "Nothing is at this URL: check the endpoint's path.",
    405: "It takes no POST at this URL: check the endpoint's path.",
    408: "It waited too long for the request.",
    413: "The payload is larger than it takes.",
    415: "It does not take application/json.",
    422: "It understood the payload and refused its contents.",
    429: "It asks for fewer requests: lower the endpoint's max-in-flight, or set a rate limit.",
    500: "Its own code failed: its log has the reason.",
    502: "A proxy in front of it got no good answer from it.",
    503: "It says that it is overloaded or down for maintenance.",
    504: "A proxy in front of it waited too long for it.",
}
_RETRIED = "Nothing more will be sent until somebody retries it."
_NO_ENGINE = "No engine is running: nothing is sent until one starts."


class Outcome(StrEnum):
    """What became of an event at an endpoint. `held`: pending, but the endpoint is not active. `blocked`: pending, but
    another is to be delivered first. `unknown`: the store has no such event."""

    DELIVERED = "delivered"
    SENDING = "sending"
    PENDING = "pending"
    HELD = "held"
    BLOCKED = "blocked"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_OWED = "not_owed"
    UNKNOWN = "unknown"


class Times(Protocol):
    """How moments (epoch ms) and durations (ms) are written, seen from now."""

    now_ms: int

    def at(self, moment_ms: int) -> str:
        """`14:02:11`"""
        ...

    def ago(self, moment_ms: int) -> str:
        """`2m ago`"""
        ...

    def ahead(self, moment_ms: int) -> str:
        """`in 4m32s`, or `now`"""
        ...

    def span(self, duration_ms: float) -> str:
        """`5m12s`"""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a delivery's past and future depend on, besides itself."""

    in_line: bool = False
    """It stands in a line: others wait for it, or it for others."""
    blocked_by: DeliveryId | None = None
    """The head of its line, when that is another."""
    moved_by: Operation | None = None
    """The operation that retried or cancelled it last."""
    retry_after_s: float | None = None
    """What the receiver asked for in its last answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """An endpoint and an engine, as they are now."""

    endpoint: Endpoint | None
    """None: it was removed, and is not known here any more."""
    removed_at_ms: int | None = None
    engine_alive: bool
    held_by: str | None = None
    """Who paused the endpoint, from the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`what` is so, the `sums` behind a time, `why` (whose fault it is), what stands `before` it, what comes `next`."""

    outcome: Outcome
    what: str
    sums: str | None = None
    why: str | None = None
    before: tuple[str, ...] = ()
    next: str | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(s for s in (self.what, self.sums, self.why, *self.before, self.next) if s)


def why_delivery(
    delivery: Delivery, attempts: Sequence[Attempt], around: Around, standing: Standing, times: Times
) -> Answer:
    """How a delivery stands. `attempts`: its own, oldest first; the last ones are enough."""
    match delivery.state:
        case DeliveryState.DELIVERED:
            return _delivered(delivery, attempts, times)
        case DeliveryState.FAILED:
            return _failed(delivery, attempts, around, standing, times)
        case DeliveryState.CANCELLED:
            return _cancelled(delivery, around, standing, times)
        case DeliveryState.SENDING:
            return _sending(delivery, attempts, around, times)
        case DeliveryState.PENDING if delivery.held:
            return _held(delivery, around, standing, times)
        case DeliveryState.PENDING if delivery.blocked:
            return _blocked(delivery, attempts, around, standing)
        case DeliveryState.PENDING:
            return _waiting(delivery, attempts, around, standing, times)
        case _ as never:
            assert_never(never)


def why_unknown(event_id: EventId) -> Answer:
    """There is no such event."""
    return Answer(
        outcome=Outcome.UNKNOWN,
        what=f"No event {event_id} is in this store.",
        why="It was never accepted here, or retention has deleted it.",
        next="See `webhook-console events list` for what is kept, and `webhook-console retention` for how long.",
    )


def why_cause(cause: Cause, status: int | None) -> str:
    """Why an attempt failed and what to look at, as one would tell a colleague."""
    special = STATUS_WORDS.get(status) if status is not None else None
    if special is None or cause not in (Cause.HTTP_4XX, Cause.HTTP_5XX):
        return PLAIN_WORDS[cause]
    side = "The receiver refused the request." if cause is Cause.HTTP_4XX else "The fault is on the receiver's side."
    return f"{side} {special}"


def result_words(status: int | None, cause: Cause | None) -> str:
    """`HTTP 503`, `timeout_read`, or nothing."""
    if status is not None:
        return f"HTTP {status}"
    return str(cause) if cause is not None else ""


def _delivered(delivery: Delivery, attempts: Sequence[Attempt], times: Times) -> Answer:
    success = next((a for a in reversed(attempts) if a.succeeded), None)
    if success is not None and success.dry_run:
        return Answer(
            outcome=Outcome.DELIVERED,
            what=f"Dry run on attempt {success.number}: nothing was sent, because its endpoint was to be sent nothing.",
            next="What would have been sent is in that attempt; a retry sends it once the endpoint is live again.",
        )
    if success is None or success.ended_at_ms is None:
        return Answer(outcome=Outcome.DELIVERED, what=f"Delivered after {_tries(delivery.attempts)}.")
    later = times.span(max(0, success.ended_at_ms - delivery.created_at_ms))
    by_hand = ", asked for by an operator" if success.manual else f" of {delivery.schedule_length}"
    took = f" in {times.span(success.total_ms)}" if success.total_ms is not None else ""
    return Answer(
        outcome=Outcome.DELIVERED,
        what=f"Delivered on attempt {success.number}{by_hand}, {later} after it was accepted.",
        sums=f"The receiver answered {result_words(success.status, None)}{took}, {times.at(success.ended_at_ms)}.",
    )


def _failed(
    delivery: Delivery, attempts: Sequence[Attempt], around: Around, standing: Standing, times: Times
) -> Answer:
    last = result_words(delivery.last_status, delivery.last_cause) or "unknown"
    policy = around.endpoint.policy if around.endpoint else None
    if delivery.last_cause is Cause.TRANSFORM_ERROR:
        how = "a template that fails once fails each time, so no further try is made"
    elif delivery.last_cause is Cause.GONE:
        how = "the receiver wants no more"
    elif policy is not None and delivery.last_status in policy.permanent_statuses:
        how = f"the endpoint's policy takes {delivery.last_status} for permanent"
    elif delivery.schedule_step >= delivery.schedule_length:
        how = f"schedule exhausted after {_tries(delivery.attempts)}"
    else:
        how = f"given up after {_tries(delivery.attempts)}"
    when = delivery.last_attempt_at_ms
    waiting = ("Those accepted after it in its line wait until it is retried or skipped.",) if standing.in_line else ()
    return Answer(
        outcome=Outcome.FAILED,
        what=f"Failed for good: {last}; {how}.",
        sums=f"The last try ended {times.ago(when)}, {times.at(when)}." if when is not None else None,
        why=_why(delivery, attempts),
        before=waiting,
        next=_RETRIED if around.endpoint and around.removed_at_ms is None else None,
    )


def _cancelled(delivery: Delivery, around: Around, standing: Standing, times: Times) -> Answer:
    present = around.endpoint is not None and around.removed_at_ms is None
    by = standing.moved_by
    if by is not None and by.kind in (OperationKind.DELIVERY_CANCEL, OperationKind.DELIVERY_SKIP):
        verb = "skipped" if by.kind is OperationKind.DELIVERY_SKIP else "cancelled"
        because = f", because: {by.reason}" if by.reason else ""
        how = f"{by.actor} {verb} it {times.ago(by.started_at_ms)} ({format_number('op', by.id)}){because}"
    else:
        how = "an operator gave it up" if present else "its endpoint was removed"
    return Answer(
        outcome=Outcome.CANCELLED,
        what=f"Cancelled after {_tries(delivery.attempts)}: {how}.",
        next=_RETRIED if present else None,
    )


def _sending(delivery: Delivery, attempts: Sequence[Attempt], around: Around, times: Times) -> Answer:
    current = attempts[-1] if attempts and attempts[-1].ended_at_ms is None else None
    since = f", begun {times.ago(current.started_at_ms)}" if current else ""
    limit = f" (timeout {around.endpoint.policy.timeout_s:g} s)" if around.endpoint else ""
    number = current.number if current else delivery.attempts
    if not around.engine_alive:
        return Answer(
            outcome=Outcome.SENDING,
            what=f"Attempt {number} was under way when the engine stopped.",
            why=PLAIN_WORDS[Cause.UNKNOWN_OUTCOME],
            next="It is taken up again when an engine starts.",
        )
    return Answer(outcome=Outcome.SENDING, what=f"Being sent now: attempt {number}{since}{limit}.")


def _held(delivery: Delivery, around: Around, standing: Standing, times: Times) -> Answer:
    endpoint = around.endpoint
    if endpoint is None:
        return Answer(outcome=Outcome.HELD, what="Held: its endpoint is not active.")
    by = f" by {around.held_by}" if around.held_by else ""
    because = f", because: {endpoint.state_reason}" if endpoint.state_reason else ""
    since = f"since {times.at(endpoint.state_since_ms)} ({times.ago(endpoint.state_since_ms)})"
    word = {
        EndpointState.PAUSED: "paused",
        EndpointState.TRIPPED: "tripped by the circuit breaker",
        EndpointState.DISABLED: "disabled",
        EndpointState.ACTIVE: "about to be active",
    }[endpoint.state]
    due = delivery.next_attempt_at_ms
    following = "It is sent when the endpoint is resumed"
    if endpoint.state is EndpointState.TRIPPED:
        probe = endpoint.probe_at_ms
        when = f" (the next {times.ahead(probe)})" if probe is not None else ""
        following = f"It is sent when a probe succeeds{when} or the endpoint is resumed"
    if due is not None and due > times.now_ms:
        following += f", not before its next try {times.ahead(due)}"
    return Answer(
        outcome=Outcome.HELD,
        what=f"Held: the endpoint is {word} {since}{by}{because}.",
        before=(_turn(standing),) if delivery.blocked else (),
        next=following + ".",
    )


def _blocked(delivery: Delivery, attempts: Sequence[Attempt], around: Around, standing: Standing) -> Answer:
    return Answer(
        outcome=Outcome.BLOCKED,
        what=_turn(standing),
        why=_why(delivery, attempts),
        before=() if around.engine_alive else (_NO_ENGINE,),
        next="It is due when that one is delivered, or skipped by an operator.",
    )


def _turn(standing: Standing) -> str:
    first = format_number("dlv", standing.blocked_by) if standing.blocked_by is not None else "another"
    return f"Waits for {first}, which is first in order."


def _waiting(
    delivery: Delivery, attempts: Sequence[Attempt], around: Around, standing: Standing, times: Times
) -> Answer:
    due = delivery.next_attempt_at_ms
    wait = _which_wait(delivery, attempts, around.endpoint, standing.retry_after_s, times)
    before: list[str] = []
    asking = _asking(around.endpoint)
    if due is not None and due > times.now_ms:
        what = f"Waiting: {'next' if delivery.attempts else 'first'} try {times.ahead(due)}{wait}."
        if asking is not None:
            before = [f"Until then the endpoint {asking}."]
    elif asking is not None:
        what = f"Due now{wait}, but the endpoint {asking}."
    else:
        what = f"Due now{wait}: it is sent as soon as the endpoint has a free place."
        before = _what_slows(around.endpoint, times)
    return Answer(
        outcome=Outcome.PENDING,
        what=what,
        sums=_sums(delivery, attempts, standing.moved_by, times),
        why=_why(delivery, attempts),
        before=tuple(before),
        next=None if around.engine_alive else _NO_ENGINE,
    )


def _asking(endpoint: Endpoint | None) -> str | None:
    """What an endpoint that may not be sent to yet waits for, with the endpoint as the subject."""
    if endpoint is None or not wants_permission(endpoint):
        return None
    if endpoint.state_reason is not None and endpoint.state_reason.startswith(WAITS):
        return endpoint.state_reason
    return f"{WAITS}: its receiver is being asked (OPTIONS)"


def _what_slows(endpoint: Endpoint | None, times: Times) -> list[str]:
    """What else is asked before a delivery that is due goes on the wire."""
    if endpoint is None:
        return []
    said: list[str] = []
    if endpoint.policy.rate_limit is not None:
        said.append(f"The endpoint takes at most {endpoint.policy.rate_limit}.")
    if endpoint.policy.handshake and endpoint.permitted_per_minute is not None:
        said.append(f"Its receiver permits at most {endpoint.permitted_per_minute:,} requests a minute.")
    if (pace := endpoint.pace) is not None:
        climb = f", reached over {pace.ramp_s:g} s" if pace.ramp_s else ""
        said.append(f"Its backlog is drained at {pace.per_s:g} a second since {times.at(pace.since_ms)}{climb}.")
    said.append(f"At most {endpoint.policy.max_in_flight} of its requests are on the wire at a time.")
    return said


def _which_wait(
    delivery: Delivery, attempts: Sequence[Attempt], endpoint: Endpoint | None, asked: float | None, times: Times
) -> str:
    """Where the next try's time comes from, in brackets."""
    if delivery.manual:
        return " (asked for by an operator)"
    step, due = delivery.schedule_step, delivery.next_attempt_at_ms
    if endpoint is None or due is None or step >= len(endpoint.policy.schedule_s):
        return ""
    base = endpoint.policy.schedule_s[step]
    ended = attempts[-1].ended_at_ms if attempts else None
    if ended is None:
        return f" (wait {step + 1} of the schedule, {base:g} s)" if base else ""
    jitter = endpoint.policy.jitter
    if asked is None and (due - ended) / 1000 > base * (1 + jitter) + 1:
        asked = (due - ended) / 1000
    if asked is not None and (due - ended) / 1000 > base * (1 + jitter):
        return f" (the receiver asked for {times.span(asked * 1000)}, more than the schedule's {base:g} s)"
    return f" (wait {step + 1} of the schedule, {base:g} s ±{jitter:.0%})"


def _sums(delivery: Delivery, attempts: Sequence[Attempt], by: Operation | None, times: Times) -> str | None:
    """`Try 2 ended 14:02:11; 4m41s after that is 14:06:52.`, or who asked for a try and when."""
    if delivery.manual:
        if by is None or by.kind is not OperationKind.DELIVERY_RETRY:
            return None
        return f"{by.actor} asked for it {times.ago(by.started_at_ms)} ({format_number('op', by.id)})."
    due, last = delivery.next_attempt_at_ms, attempts[-1] if attempts else None
    if due is None or last is None or last.ended_at_ms is None or due < last.ended_at_ms:
        return None
    wait = times.span(due - last.ended_at_ms)
    return f"Try {last.number} ended {times.at(last.ended_at_ms)}; {wait} after that is {times.at(due)}."


def _why(delivery: Delivery, attempts: Sequence[Attempt]) -> str | None:
    last = next((a for a in reversed(attempts) if a.ended_at_ms is not None), None)
    if last is not None and last.cause is Cause.TRANSFORM_ERROR and last.detail:
        return f"{why_cause(last.cause, None)} {last.detail}."
    if last is not None and last.cause is not None:
        return why_cause(last.cause, last.status)
    return why_cause(delivery.last_cause, delivery.last_status) if delivery.last_cause else None


def _tries(n: int) -> str:
    return f"{n:,} {'try' if n == 1 else 'tries'}"
