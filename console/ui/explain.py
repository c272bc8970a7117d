"""A delivery, an attempt and what is not owed, in plain words: what happened, whose fault it is, what comes next. Pure.

The texts may hold names and messages from outside as they came: the widget that shows them sanitises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from console.domain.delivery import Attempt, Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.event import Event
from console.domain.matching import first_match
from console.domain.outcome import PLAIN_WORDS, Cause
from console.domain.policy import DeliveryPolicy
from console.domain.retry import JITTER
from console.ui.format import age, clock_time, countdown, duration, exact
from console.ui.widgets.vocabulary import StyleName

_STATUS_WORDS: dict[int, str] = {
    400: "It could not make sense of the request: compare the payload with what it expects.",
    401: "It does not accept the credentials: check the endpoint's headers and signing secret.",
    403: "It forbids the request: check the endpoint's headers and signing secret, and its allow list.",
    404: "Nothing is at this URL: check the endpoint's path.",
    405: "It takes no POST at this URL: check the endpoint's path.",
    408: "It waited too long for the request.",
    413: "The payload is larger than it takes.",
    415: "It does not take application/json.",
    422: "It understood the payload and refused its contents.",
    429: "It asks for fewer requests: lower the endpoint's max-in-flight.",
    500: "Its own code failed: its log has the reason.",
    502: "A proxy in front of it got no good answer from it.",
    503: "It says that it is overloaded or down for maintenance.",
    504: "A proxy in front of it waited too long for it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`what` happened, `why` (whose fault it is), and what comes `next`; None where there is nothing to say."""

    meaning: StyleName
    what: str
    why: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a delivery's future depends on besides itself."""

    endpoint: Endpoint | None
    """None when it was removed."""
    engine_alive: bool
    held_by: str | None = None
    """Who paused the endpoint, from the audit log."""


def outcome_words(attempt: Attempt) -> str:
    """`HTTP 503`, `timeout_read`, or nothing while it is under way."""
    return _outcome(attempt.status, attempt.cause)


def _outcome(status: int | None, cause: Cause | None) -> str:
    if status is not None:
        return f"HTTP {status}"
    return str(cause) if cause is not None else ""


def explain_delivery(
    delivery: Delivery, attempts: Sequence[Attempt], around: Circumstances, now_ms: int
) -> Explanation:
    """How a delivery stands. `attempts` are its own, oldest first."""
    match delivery.state:
        case DeliveryState.DELIVERED:
            return _delivered(delivery, attempts)
        case DeliveryState.FAILED:
            return _failed(delivery, attempts)
        case DeliveryState.CANCELLED:
            return _cancelled(delivery, around)
        case DeliveryState.SENDING:
            return _sending(delivery, attempts, around, now_ms)
        case DeliveryState.PENDING:
            return _held(delivery, around, now_ms) if delivery.held else _waiting(delivery, attempts, around, now_ms)
        case _ as never:
            assert_never(never)


def _delivered(delivery: Delivery, attempts: Sequence[Attempt]) -> Explanation:
    success = next((a for a in reversed(attempts) if a.succeeded), None)
    if success is None or success.ended_at_ms is None:
        return Explanation(meaning="ok", what=f"Delivered after {_tries(delivery.attempts)}.")
    took = duration(max(0, success.ended_at_ms - delivery.created_at_ms))
    by_hand = ", asked for by an operator" if success.manual else f" of {delivery.schedule_length}"
    what = f"Delivered on attempt {success.number}{by_hand}, {took} after it was accepted."
    return Explanation(meaning="ok", what=what)


def _failed(delivery: Delivery, attempts: Sequence[Attempt]) -> Explanation:
    last = _outcome(delivery.last_status, delivery.last_cause) or "unknown"
    if delivery.last_cause is Cause.GONE:
        how = "the receiver wants no more"
    elif delivery.schedule_step >= delivery.schedule_length:
        how = f"schedule exhausted after {_tries(delivery.attempts)}"
    else:
        how = f"given up after {_tries(delivery.attempts)}"
    return Explanation(
        meaning="error",
        what=f"Failed for good: {last}; {how}.",
        why=_why(delivery, attempts),
        next="Nothing more will be sent until somebody retries it.",
    )


def _cancelled(delivery: Delivery, around: Circumstances) -> Explanation:
    removed = "its endpoint was removed" if around.endpoint is None else "an operator gave it up"
    following = None if around.endpoint is None else "Nothing more will be sent until somebody retries it."
    return Explanation(meaning="muted", what=f"Cancelled after {_tries(delivery.attempts)}: {removed}.", next=following)


def _sending(delivery: Delivery, attempts: Sequence[Attempt], around: Circumstances, now_ms: int) -> Explanation:
    current = attempts[-1] if attempts and attempts[-1].ended_at_ms is None else None
    since = f", begun {age(now_ms, current.started_at_ms)}" if current else ""
    limit = f" (timeout {around.endpoint.policy.timeout_s:g} s)" if around.endpoint else ""
    number = current.number if current else delivery.attempts
    if not around.engine_alive:
        return Explanation(
            meaning="warning",
            what=f"Attempt {number} was under way when the engine stopped.",
            why=PLAIN_WORDS[Cause.UNKNOWN_OUTCOME],
            next="It is taken up again when an engine starts.",
        )
    return Explanation(meaning="accent", what=f"Being sent now: attempt {number}{since}{limit}.")


def _held(delivery: Delivery, around: Circumstances, now_ms: int) -> Explanation:
    endpoint = around.endpoint
    if endpoint is None:
        return Explanation(meaning="warning", what="Held: its endpoint is not active.")
    by = f" by {around.held_by}" if around.held_by else ""
    because = f", because: {endpoint.state_reason}" if endpoint.state_reason else ""
    since = f"since {clock_time(endpoint.state_since_ms)[:5]} ({age(now_ms, endpoint.state_since_ms)})"
    word = {
        EndpointState.PAUSED: "paused",
        EndpointState.TRIPPED: "tripped by the circuit breaker",
        EndpointState.DISABLED: "disabled",
        EndpointState.ACTIVE: "about to be active",
    }[endpoint.state]
    due = delivery.next_attempt_at_ms
    following = "It is sent when the endpoint is resumed"
    if due is not None and due > now_ms:
        following += f", not before its next try {countdown(now_ms, due)}"
    return Explanation(
        meaning="warning", what=f"Held: the endpoint is {word} {since}{by}{because}.", next=following + "."
    )


def _waiting(delivery: Delivery, attempts: Sequence[Attempt], around: Circumstances, now_ms: int) -> Explanation:
    due = delivery.next_attempt_at_ms
    when = countdown(now_ms, due)
    wait = _which_wait(delivery, attempts, around.endpoint)
    if due is not None and due > now_ms:
        what = f"Waiting: {'next' if delivery.attempts else 'first'} try {when}{wait}."
    else:
        what = f"Due now{wait}: it is sent as soon as the endpoint has a free place."
    following = None if around.engine_alive else "No engine is running: nothing is sent until one starts."
    return Explanation(meaning="warning", what=what, why=_why(delivery, attempts), next=following)


def _which_wait(delivery: Delivery, attempts: Sequence[Attempt], endpoint: Endpoint | None) -> str:
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
    waited_s = (due - ended) / 1000
    if waited_s > base * (1 + JITTER) + 1:
        return f" (the receiver asked for {duration(due - ended)}, more than the schedule's {base:g} s)"
    return f" (wait {step + 1} of the schedule, {base:g} s ±{JITTER:.0%})"


def _why(delivery: Delivery, attempts: Sequence[Attempt]) -> str | None:
    last = next((a for a in reversed(attempts) if a.ended_at_ms is not None), None)
    if last is not None and last.cause is not None:
        return explain_cause(last.cause, last.status)
    return explain_cause(delivery.last_cause, delivery.last_status) if delivery.last_cause else None


def explain_cause(cause: Cause, status: int | None) -> str:
    """Why an attempt failed and what to look at, as one would tell a colleague."""
    special = _STATUS_WORDS.get(status) if status is not None else None
    words = PLAIN_WORDS[cause]
    if special is None or cause not in (Cause.HTTP_4XX, Cause.HTTP_5XX):
        return words
    side = "The receiver refused the request." if cause is Cause.HTTP_4XX else "The fault is on the receiver's side."
    return f"{side} {special}"


def explain_attempt(attempt: Attempt, policy: DeliveryPolicy | None) -> Explanation:
    """What came of one attempt. `policy` is the endpoint's of today; the attempt may have been made under another."""
    who = " (asked for by an operator)" if attempt.manual else ""
    if attempt.ended_at_ms is None:
        limit = f", for at most {policy.timeout_s:g} s" if policy else ""
        return Explanation(meaning="accent", what=f"The request is under way{limit}{who}.")
    if attempt.cause is None:
        took = f" in {duration(attempt.total_ms)}" if attempt.total_ms is not None else ""
        return Explanation(meaning="ok", what=f"The receiver accepted it: HTTP {attempt.status}{took}{who}.")
    outcome = outcome_words(attempt)
    detail = attempt.detail or outcome
    return Explanation(
        meaning="error",
        what=f"{detail if detail.startswith(outcome) else f'{outcome}: {detail}'}{who}",
        why=explain_cause(attempt.cause, attempt.status),
    )


def not_owed(event: Event, endpoint: Endpoint) -> str:
    """Why an endpoint that has no delivery of this event has none."""
    rule = first_match(endpoint.types, event.type)
    if rule is None:
        shown = ", ".join(endpoint.types[:4]) + (
            f" and {len(endpoint.types) - 4} more" if len(endpoint.types) > 4 else ""
        )
        return f"wants {shown}, not {event.type}"
    if endpoint.created_at_ms > event.accepted_at_ms:
        return f"added {duration(endpoint.created_at_ms - event.accepted_at_ms)} after the event was accepted"
    return f"{rule} matches today, and did not when the event was accepted"


def _tries(n: int) -> str:
    return f"{exact(n)} {'try' if n == 1 else 'tries'}"
