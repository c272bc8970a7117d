"""A delivery, an attempt and what is not owed, laid out for the inspector. The words are those of `domain.why`. Pure.

The texts may hold names and messages from outside as they came: the widget that shows them sanitises.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from console.domain.delivery import Attempt, Delivery
from console.domain.endpoint import Endpoint
from console.domain.event import Event
from console.domain.not_owed import not_owed_words
from console.domain.policy import DeliveryPolicy
from console.domain.why import Around, Outcome, Standing, result_words, why_cause, why_delivery
from console.ui.format import duration
from console.ui.time_words import TimeWords
from console.ui.widgets.vocabulary import StyleName

explain_cause = why_cause

_MEANINGS: dict[Outcome, StyleName] = {
    Outcome.DELIVERED: "ok",
    Outcome.SENDING: "accent",
    Outcome.PENDING: "warning",
    Outcome.HELD: "warning",
    Outcome.BLOCKED: "warning",
    Outcome.FAILED: "error",
    Outcome.CANCELLED: "muted",
    Outcome.NOT_OWED: "muted",
    Outcome.UNKNOWN: "muted",
}


_NOTHING_MORE = Standing()


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
    standing: Standing = _NOTHING_MORE


def outcome_words(attempt: Attempt) -> str:
    """`HTTP 503`, `timeout_read`, or nothing while it is under way."""
    return result_words(attempt.status, attempt.cause)


def explain_delivery(
    delivery: Delivery, attempts: Sequence[Attempt], around: Circumstances, now_ms: int
) -> Explanation:
    """How a delivery stands. `attempts` are its own, oldest first."""
    here = Around(endpoint=around.endpoint, engine_alive=around.engine_alive, held_by=around.held_by)
    answer = why_delivery(delivery, attempts, here, around.standing, TimeWords(now_ms))
    stopped = answer.outcome is Outcome.SENDING and not around.engine_alive
    return Explanation(
        meaning="warning" if stopped else _MEANINGS[answer.outcome],
        what=answer.what,
        why=" ".join(part for part in (answer.why, *answer.before) if part) or None,
        next=answer.next,
    )


def explain_attempt(attempt: Attempt, policy: DeliveryPolicy | None) -> Explanation:
    """What came of one attempt. `policy` is the endpoint's of today; the attempt may have been made under another."""
    who = " (asked for by an operator)" if attempt.manual else ""
    if attempt.ended_at_ms is None:
        limit = f", for at most {policy.timeout_s:g} s" if policy else ""
        return Explanation(meaning="accent", what=f"The request is under way{limit}{who}.")
    if attempt.dry_run:
        return Explanation(meaning="accent", what=f"A dry run: nothing was sent; what would have been is below{who}.")
    if attempt.cause is None:
        took = f" in {duration(attempt.total_ms)}" if attempt.total_ms is not None else ""
        return Explanation(meaning="ok", what=f"The receiver accepted it: HTTP {attempt.status}{took}{who}.")
    outcome = outcome_words(attempt)
    detail = attempt.detail or outcome
    return Explanation(
        meaning="error",
        what=f"{detail if detail.startswith(outcome) else f'{outcome}: {detail}'}{who}",
        why=why_cause(attempt.cause, attempt.status),
    )


def not_owed(event: Event, endpoint: Endpoint, now_ms: int | None = None) -> str:
    """Why an endpoint that has no delivery of this event has none, with the endpoint as the subject."""
    return not_owed_words(event, endpoint, None, TimeWords(event.accepted_at_ms if now_ms is None else now_ms))
