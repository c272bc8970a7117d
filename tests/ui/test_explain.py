"""Plain words: each state of a delivery says what happened, whose fault it is and what comes next."""

from typing import Any

import pytest

from console.domain.delivery import Attempt, Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.event import Event
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId
from console.domain.outcome import Cause
from console.domain.policy import DeliveryPolicy
from console.domain.why import Standing
from console.ui.explain import (
    Circumstances,
    explain_attempt,
    explain_cause,
    explain_delivery,
    not_owed,
)
from console.ui.widgets.vocabulary import attempt_mark, delivery_mark

NOW = 1_700_000_000_000


def make_endpoint(**kw: Any) -> Endpoint:
    given: dict[str, Any] = {
        "seq": 1,
        "id": EndpointId("ep_1"),
        "name": "crm",
        "url": "https://crm.example/in",
        "types": ("*",),
        "secrets": (),
        "policy": DeliveryPolicy(schedule_s=(0, 5, 300)),
        "state": EndpointState.ACTIVE,
        "state_reason": None,
        "state_since_ms": NOW - 120_000,
        "created_at_ms": NOW - 900_000,
        "version": 1,
    }
    return Endpoint(**given | kw)


def make_delivery(**kw: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": DeliveryId(1),
        "event_id": EventId("evt_1"),
        "event_type": "invoice.paid",
        "endpoint_id": EndpointId("ep_1"),
        "endpoint_name": "crm",
        "state": DeliveryState.PENDING,
        "held": False,
        "attempts": 0,
        "schedule_step": 0,
        "schedule_length": 3,
        "next_attempt_at_ms": NOW,
        "manual": False,
        "last_cause": None,
        "last_status": None,
        "last_attempt_at_ms": None,
        "created_at_ms": NOW - 600_000,
        "updated_at_ms": NOW,
    }
    return Delivery(**given | kw)


def make_attempt(**kw: Any) -> Attempt:
    given: dict[str, Any] = {
        "id": AttemptId(1),
        "delivery_id": DeliveryId(1),
        "event_id": EventId("evt_1"),
        "event_type": "invoice.paid",
        "endpoint_id": EndpointId("ep_1"),
        "endpoint_name": "crm",
        "number": 1,
        "manual": False,
        "started_at_ms": NOW - 10_000,
        "ended_at_ms": NOW - 9_000,
        "status": 500,
        "cause": Cause.HTTP_5XX,
        "detail": "HTTP 500",
        "total_ms": 1000.0,
        "first_byte_ms": 900.0,
    }
    return Attempt(**given | kw)


def around(**kw: Any) -> Circumstances:
    given: dict[str, Any] = {"endpoint": make_endpoint(), "engine_alive": True}
    return Circumstances(**given | kw)


def test_delivered() -> None:
    success = make_attempt(number=3, status=200, cause=None, detail=None, ended_at_ms=NOW - 600_000 + 312_000)
    said = explain_delivery(
        make_delivery(state=DeliveryState.DELIVERED, attempts=3), [make_attempt(), success], around(), NOW
    )
    assert said.what == "Delivered on attempt 3 of 3, 5m12s after it was accepted."
    assert said.meaning == "ok"


def test_delivered_by_hand() -> None:
    success = make_attempt(number=12, status=200, cause=None, manual=True)
    said = explain_delivery(make_delivery(state=DeliveryState.DELIVERED, attempts=12), [success], around(), NOW)
    assert said.what.startswith("Delivered on attempt 12, asked for by an operator, ")


def test_failed_for_good() -> None:
    delivery = make_delivery(
        state=DeliveryState.FAILED, attempts=3, schedule_step=3, last_status=500, last_cause=Cause.HTTP_5XX
    )
    said = explain_delivery(delivery, [make_attempt()], around(), NOW)
    assert said.what == "Failed for good: HTTP 500; schedule exhausted after 3 tries."
    assert said.why is not None
    assert "receiver's side" in said.why
    assert said.next == "Nothing more will be sent until somebody retries it."


def test_gone() -> None:
    delivery = make_delivery(
        state=DeliveryState.FAILED, attempts=1, schedule_step=1, last_status=410, last_cause=Cause.GONE
    )
    assert (
        explain_delivery(delivery, [], around(), NOW).what == "Failed for good: HTTP 410; the receiver wants no more."
    )


def test_waiting_names_the_wait_of_the_schedule() -> None:
    delivery = make_delivery(attempts=2, schedule_step=2, next_attempt_at_ms=NOW + 272_000)
    said = explain_delivery(delivery, [make_attempt(ended_at_ms=NOW - 9_000)], around(), NOW)
    assert said.what == "Waiting: next try in 4m32s (wait 3 of the schedule, 300 s ±20%)."


def test_waiting_because_the_receiver_asked() -> None:
    delivery = make_delivery(attempts=1, schedule_step=1, next_attempt_at_ms=NOW + 51_000)
    said = explain_delivery(
        delivery, [make_attempt(status=429, cause=Cause.HTTP_4XX, ended_at_ms=NOW - 9_000)], around(), NOW
    )
    assert said.what == "Waiting: next try in 51s (the receiver asked for 1m, more than the schedule's 5 s)."
    assert said.why is not None
    assert "fewer requests" in said.why


def test_due_with_no_engine() -> None:
    said = explain_delivery(make_delivery(manual=True), [], around(engine_alive=False), NOW)
    assert said.what.startswith("Due now (asked for by an operator)")
    assert said.next == "No engine is running: nothing is sent until one starts."


def test_held_says_since_when_by_whom_and_why() -> None:
    endpoint = make_endpoint(state=EndpointState.PAUSED, state_reason="deploy")
    said = explain_delivery(make_delivery(held=True), [], around(endpoint=endpoint, held_by="ada@box"), NOW)
    assert said.what.startswith("Held: the endpoint is paused since ")
    assert said.what.endswith("(2m ago) by ada@box, because: deploy.")
    assert said.next == "It is sent when the endpoint is resumed."


def test_in_line_says_for_whom() -> None:
    delivery = make_delivery(blocked=True, next_attempt_at_ms=None)
    said = explain_delivery(delivery, [], around(standing=Standing(blocked_by=DeliveryId(51))), NOW)
    assert said.what == "Waits for dlv_00001k, which is first in order."
    assert delivery_mark(delivery) == ("≡ in line", "warning")


def test_sending_and_orphaned() -> None:
    current = make_attempt(number=2, ended_at_ms=None, status=None, cause=None, started_at_ms=NOW - 2000)
    delivery = make_delivery(state=DeliveryState.SENDING, attempts=2)
    assert (
        explain_delivery(delivery, [current], around(), NOW).what
        == "Being sent now: attempt 2, begun 2s ago (timeout 15 s)."
    )
    orphan = explain_delivery(delivery, [current], around(engine_alive=False), NOW)
    assert "engine stopped" in orphan.what


def test_cancelled() -> None:
    delivery = make_delivery(state=DeliveryState.CANCELLED, attempts=1)
    assert explain_delivery(delivery, [], around(), NOW).what == "Cancelled after 1 try: an operator gave it up."
    removed = explain_delivery(delivery, [], around(endpoint=None), NOW)
    assert removed.what.endswith("its endpoint was removed.")
    assert removed.next is None


@pytest.mark.parametrize("state", list(DeliveryState))
@pytest.mark.parametrize("endpoint", [None, make_endpoint()])
@pytest.mark.parametrize("held", [False, True])
def test_every_state_has_words_and_a_mark(state: DeliveryState, endpoint: Endpoint | None, held: bool) -> None:
    delivery = make_delivery(state=state, held=held and state is DeliveryState.PENDING, next_attempt_at_ms=None)
    for attempts in ([], [make_attempt()], [make_attempt(ended_at_ms=None, cause=None)]):
        assert explain_delivery(delivery, attempts, around(endpoint=endpoint), NOW).what.endswith(".")
    glyph, word = delivery_mark(delivery)[0].split(" ", 1)
    assert len(glyph) == 1
    assert word


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_words(cause: Cause) -> None:
    assert explain_cause(cause, None)
    said = explain_attempt(make_attempt(cause=cause, status=None, detail="odd"), None)
    assert said.what == f"{cause}: odd"
    assert said.why == explain_cause(cause, None)


def test_attempts() -> None:
    ok = make_attempt(status=204, cause=None)
    assert explain_attempt(ok, None).what == "The receiver accepted it: HTTP 204 in 1.0s."
    assert explain_attempt(make_attempt(), None).what == "HTTP 500"
    under_way = make_attempt(ended_at_ms=None, cause=None, status=None)
    assert explain_attempt(under_way, DeliveryPolicy()).what == "The request is under way, for at most 15 s."
    assert [attempt_mark(a)[1] for a in (ok, make_attempt(), under_way)] == ["ok", "error", "accent"]


def test_why_not_owed() -> None:
    event = Event(
        seq=1, id=EventId("evt_1"), type="lead.new", payload=b"{}", accepted_at_ms=NOW - 600_000, source="api"
    )
    assert (
        not_owed(event, make_endpoint(types=("invoice.*", "payment.failed")))
        == "wants invoice.*, payment.failed, not lead.new"
    )
    assert not_owed(event, make_endpoint(created_at_ms=NOW)).startswith("was added 10m after the event was accepted (")
    assert "did not when" in not_owed(event, make_endpoint())
