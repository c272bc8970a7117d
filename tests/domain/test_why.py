"""Each outcome in words: what is so, why, what stands before it, and what comes next."""

from typing import Any

import pytest

from console.domain.delivery import DRY_RUN_WORDS, DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.event import Event
from console.domain.ids import DeliveryId, EventId, OperationId
from console.domain.not_owed import not_owed_words, why_not_owed
from console.domain.operation import Operation, OperationKind
from console.domain.outcome import Cause
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy, parse_rate_limit
from console.domain.why import (
    Answer,
    Around,
    Outcome,
    Standing,
    why_delivery,
    why_unknown,
)
from tests.ui.test_explain import NOW, make_attempt, make_delivery, make_endpoint


class PlainTimes:
    """Seconds before and after now."""

    now_ms = NOW

    def at(self, moment_ms: int) -> str:
        return f"at {(moment_ms - NOW) // 1000:+d}"

    def ago(self, moment_ms: int) -> str:
        return f"{(NOW - moment_ms) // 1000}s ago"

    def ahead(self, moment_ms: int) -> str:
        return f"in {(moment_ms - NOW) // 1000}s"

    def span(self, duration_ms: float) -> str:
        return f"{duration_ms / 1000:g}s"


TIMES = PlainTimes()


def operation(kind: OperationKind, **given: Any) -> Operation:
    return Operation(
        **{
            "id": OperationId(51),
            "kind": kind,
            "actor": "ada@box",
            "target": "all",
            "reason": None,
            "started_at_ms": NOW - 60_000,
            "finished_at_ms": NOW,
            "done": 1,
            "result": None,
            **given,
        }
    )


def ask(delivery: dict[str, Any], *attempts: Any, endpoint: Any = None, alive: bool = True, **standing: Any) -> Answer:
    around = Around(endpoint=endpoint or make_endpoint(), engine_alive=alive)
    return why_delivery(make_delivery(**delivery), attempts, around, Standing(**standing), TIMES)


def test_delivered_when_on_which_try_and_how_fast() -> None:
    success = make_attempt(number=2, status=204, cause=None, ended_at_ms=NOW - 500_000, total_ms=40.0)
    said = ask({"state": DeliveryState.DELIVERED, "attempts": 2}, success)
    assert said.outcome is Outcome.DELIVERED
    assert said.sentences == (
        "Delivered on attempt 2 of 3, 100s after it was accepted.",
        "The receiver answered HTTP 204 in 0.04s, at -500.",
    )


def test_pending_with_its_sums() -> None:
    said = ask({"attempts": 1, "schedule_step": 1, "next_attempt_at_ms": NOW - 9_000 + 14_500}, make_attempt())
    assert said.outcome is Outcome.PENDING
    assert said.what == "Waiting: next try in 5s (the receiver asked for 14.5s, more than the schedule's 5 s)."
    said = ask({"attempts": 2, "schedule_step": 2, "next_attempt_at_ms": NOW + 272_000}, make_attempt(number=2))
    assert said.what == "Waiting: next try in 272s (wait 3 of the schedule, 300 s ±20%)."
    assert said.sums == "Try 2 ended at -9; 281s after that is at +272."


def test_the_jitter_and_the_wish_are_the_endpoints_and_the_receivers_own() -> None:
    endpoint = make_endpoint(policy=DeliveryPolicy(schedule_s=(0, 5), jitter=0.5))
    waiting = {"attempts": 1, "schedule_step": 1, "next_attempt_at_ms": NOW - 9_000 + 7_400}
    assert "(wait 2 of the schedule, 5 s ±50%)" in ask(waiting, make_attempt(), endpoint=endpoint).what
    waiting["next_attempt_at_ms"] = NOW - 9_000 + 63_000
    said = ask(waiting, make_attempt(status=429), endpoint=endpoint, retry_after_s=60.0)
    assert "(the receiver asked for 60s, more than the schedule's 5 s)" in said.what


def test_a_try_asked_for_by_hand_names_who_asked() -> None:
    said = ask({"manual": True}, moved_by=operation(OperationKind.DELIVERY_RETRY))
    assert said.what.startswith("Due now (asked for by an operator)")
    assert said.sums == "ada@box asked for it 60s ago (op_00001k)."


def test_one_that_waits_for_its_receivers_permission() -> None:
    policy, reason = DeliveryPolicy(handshake=True), "waits for permission: 405 to OPTIONS; asks again at 14:03:10"
    url = "https://crm.example/in"
    refused = make_endpoint(policy=policy, permitted_url="https://crm.example/old", state_reason=reason)
    due, later = {"next_attempt_at_ms": NOW}, {"next_attempt_at_ms": NOW + 60_000}
    said = ask(due, endpoint=refused)
    assert said.outcome is Outcome.PENDING
    assert said.what == f"Due now, but the endpoint {reason}."
    assert said.before == ()
    assert ask(later, endpoint=refused).before == (f"Until then the endpoint {reason}.",)
    fresh = make_endpoint(policy=policy, state_reason="their deploy is done")
    words = "Due now, but the endpoint waits for permission: its receiver is being asked (OPTIONS)."
    assert ask(due, endpoint=fresh).what == words
    permitted = make_endpoint(policy=policy, url=url, permitted_url=url, permitted_per_minute=1200)
    assert ask(due, endpoint=permitted).before[0] == "Its receiver permits at most 1,200 requests a minute."
    assert "permi" not in " ".join(ask(later, endpoint=permitted).sentences)


def test_what_slows_a_delivery_that_is_due() -> None:
    endpoint = make_endpoint(
        policy=DeliveryPolicy(rate_limit=parse_rate_limit("50/m"), max_in_flight=4),
        pace=Pace(per_s=10, ramp_s=60, since_ms=NOW - 30_000),
    )
    said = ask({}, endpoint=endpoint, alive=False)
    assert said.before == (
        "The endpoint takes at most 50/m.",
        "Its backlog is drained at 10 a second since at -30, reached over 60 s.",
        "At most 4 of its requests are on the wire at a time.",
    )
    assert said.next == "No engine is running: nothing is sent until one starts."


def test_blocked_names_who_is_first() -> None:
    said = ask({"blocked": True, "next_attempt_at_ms": None}, blocked_by=DeliveryId(51), in_line=True)
    assert said.outcome is Outcome.BLOCKED
    assert said.what == "Waits for dlv_00001k, which is first in order."
    assert said.next == "It is due when that one is delivered, or skipped by an operator."


def test_held_by_the_breaker_says_when_it_probes() -> None:
    endpoint = make_endpoint(state=EndpointState.TRIPPED, state_reason="20 failures", probe_at_ms=NOW + 30_000)
    held = {"held": True, "blocked": True, "next_attempt_at_ms": None}
    said = ask(held, endpoint=endpoint, blocked_by=DeliveryId(51))
    assert said.sentences == (
        "Held: the endpoint is tripped by the circuit breaker since at -120 (120s ago), because: 20 failures.",
        "Waits for dlv_00001k, which is first in order.",
        "It is sent when a probe succeeds (the next in 30s) or the endpoint is resumed.",
    )


def test_failed_says_why_no_more_and_who_waits() -> None:
    failed = {
        "state": DeliveryState.FAILED,
        "attempts": 1,
        "last_status": 404,
        "last_cause": Cause.HTTP_4XX,
        "last_attempt_at_ms": NOW - 5000,
    }
    endpoint = make_endpoint(policy=DeliveryPolicy(permanent_statuses=(404,)))
    said = ask(failed, endpoint=endpoint, in_line=True)
    assert said.what == "Failed for good: HTTP 404; the endpoint's policy takes 404 for permanent."
    assert said.sums == "The last try ended 5s ago, at -5."
    assert said.why is not None
    assert "Nothing is at this URL" in said.why
    assert said.before == ("Those accepted after it in its line wait until it is retried or skipped.",)
    assert said.next == "Nothing more will be sent until somebody retries it."
    assert ask(failed).what == "Failed for good: HTTP 404; given up after 1 try."


@pytest.mark.parametrize(
    ("kind", "verb"), [(OperationKind.DELIVERY_CANCEL, "cancelled"), (OperationKind.DELIVERY_SKIP, "skipped")]
)
def test_cancelled_by_whom(kind: OperationKind, verb: str) -> None:
    said = ask({"state": DeliveryState.CANCELLED, "attempts": 3}, moved_by=operation(kind, reason="too old"))
    assert said.what == f"Cancelled after 3 tries: ada@box {verb} it 60s ago (op_00001k), because: too old."


def test_a_template_that_failed_is_told_of_with_its_place() -> None:
    failed = {
        "cause": Cause.TRANSFORM_ERROR,
        "status": None,
        "detail": "transform body, line 2, column 4: x is missing",
    }
    said = ask(
        {"state": DeliveryState.FAILED, "attempts": 1, "last_cause": Cause.TRANSFORM_ERROR, "last_status": None},
        make_attempt(**failed),
    )
    assert said.what == (
        "Failed for good: transform_error; a template that fails once fails each time, so no further try is made."
    )
    assert said.why is not None
    assert said.why.endswith("so nothing was sent. transform body, line 2, column 4: x is missing.")


def test_a_dry_run_is_not_taken_for_a_delivery() -> None:
    dry = make_attempt(cause=None, status=None, detail=DRY_RUN_WORDS, total_ms=None)
    said = ask({"state": DeliveryState.DELIVERED, "attempts": 1}, dry)
    assert said.what == "Dry run on attempt 1: nothing was sent, because its endpoint was to be sent nothing."


def event(**given: Any) -> Event:
    return Event(
        **{
            "seq": 1,
            "id": EventId("evt_1"),
            "type": "invoice.paid",
            "payload": b"{}",
            "accepted_at_ms": NOW - 600_000,
            "source": "api",
            **given,
        }
    )


@pytest.mark.parametrize(
    ("of_event", "of_endpoint", "removed_s", "words"),
    [
        ({}, {"types": ("lead.*",)}, None, "wants lead.*, not invoice.paid"),
        (
            {"type": "webhook.endpoint.tripped"},
            {},
            None,
            (
                "wants *, not webhook.endpoint.tripped (* leaves out what webhook-console says of itself; webhook.* "
                "asks for it)"
            ),
        ),
        ({}, {"created_at_ms": NOW}, None, "was added 600s after the event was accepted (at -600)"),
        ({}, {}, -700, "was removed (at -700) before the event was accepted (at -600)"),
        ({}, {"types": ("lead.*",)}, -5, "wants lead.*, not invoice.paid"),
        (
            {"payload": b'{"amount": 5}'},
            {"filter": "payload.amount\n > 10"},
            None,
            "wants * only when payload.amount > 10, which does not hold for this payload",
        ),
        (
            {"payload": b'{"amount": [5]}'},
            {"filter": "payload.amount | lower == 'x'"},
            None,
            (
                "has no delivery of it: * matches today and did not when the event was accepted (at -600), or "
                "retention has deleted the delivery"
            ),
        ),
        ({"source": "test"}, {}, None, "has no part in it: it is a test event, accepted for one endpoint alone"),
        (
            {},
            {},
            None,
            (
                "has no delivery of it: * matches today and did not when the event was accepted (at -600), or "
                "retention has deleted the delivery"
            ),
        ),
    ],
)
def test_not_owed_and_by_which_rule(
    of_event: dict[str, Any], of_endpoint: dict[str, Any], removed_s: int | None, words: str
) -> None:
    removed_at_ms = None if removed_s is None else NOW + removed_s * 1000
    endpoint = make_endpoint(**of_endpoint)
    assert not_owed_words(event(**of_event), endpoint, removed_at_ms, TIMES) == words
    said = why_not_owed(event(**of_event), endpoint, removed_at_ms, TIMES)
    assert (said.outcome, said.what) == (Outcome.NOT_OWED, f"Not owed: crm {words}.")


def test_an_unknown_event() -> None:
    said = why_unknown(EventId("evt_x"))
    assert said.outcome is Outcome.UNKNOWN
    assert said.why == "It was never accepted here, or retention has deleted it."
