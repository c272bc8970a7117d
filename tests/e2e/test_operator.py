"""What an operator does at three in the morning, in a real terminal: watch, pause, see it break, retry, look, leave."""

import re

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.operation import OperationKind
from tests.e2e.stage import SIZES, Stage, assert_given_back, eventually, press_until
from tests.receivers import answers

pytestmark = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def count(stage: Stage, endpoint: Endpoint, state: DeliveryState) -> int:
    where = DeliveryFilter(endpoints=(endpoint.id,), states=(state,))
    return sum(stage.store.count_deliveries(where).values())


def test_from_watching_to_leaving(stage: Stage, size: tuple[int, int]) -> None:
    engine = stage.engine()
    billing_receiver, crm_receiver = stage.receiver(), stage.receiver()
    billing = stage.endpoint("billing", billing_receiver.url)
    crm = stage.endpoint("crm", crm_receiver.url)

    # Watch.
    terminal = stage.console(size=size)
    terminal.wait_for(r"running · pid")
    terminal.wait_for(r"data live")
    terminal.wait_for(r"billing +● active.*crm +● active")
    stage.accept(3, type_="lead.created")
    terminal.wait_for(r"lead\.created +✓ 200")

    # Pause, with a reason.
    terminal.press("p")
    terminal.wait_for(r"Pause billing.*Enter accepts")
    terminal.press(*"moving to new servers", "enter")
    terminal.wait_for(r"billing +‖ paused")
    paused = stage.store.find_endpoint("billing")
    assert (paused.state, paused.state_reason) == (EndpointState.PAUSED, "moving to new servers")

    # What comes now is held for the one, and fails at the other.
    crm_receiver.behave(answers(500, b'{"error": "disk full"}'))
    broken = stage.accept(4, type_="order.created")
    terminal.wait_for(r"order\.created +✗ 500 http_5xx")
    eventually(lambda: count(stage, crm, DeliveryState.FAILED) == 4, what="four failed")
    assert count(stage, billing, DeliveryState.PENDING) == 4
    assert len(billing_receiver.requests) == 3

    # The failures; No is what Enter answers.
    terminal.press("F")
    terminal.wait_for(r"Failures by cause · 1 group · 4 deliveries.*disk full")
    terminal.press("b")
    terminal.wait_for(r"Failures · 4 .*order\.created")
    terminal.press("r")
    terminal.wait_for(r"Retry 1 delivery now\?.*1 → crm")
    terminal.press("enter")
    terminal.wait_until_gone(r"now\?")
    assert count(stage, crm, DeliveryState.FAILED) == 4
    assert all(o.kind is not OperationKind.DELIVERY_RETRY for o in stage.store.operations(limit=10))

    # Mended: one first, then all of them.
    crm_receiver.behave(answers(200, b'{"stored": true}'))
    terminal.press("r")
    terminal.wait_for(r"Retry 1 delivery now\?")
    terminal.press("y")
    terminal.wait_for(r"1 delivery due now")
    terminal.wait_for(r"Failures · 3 ")
    eventually(lambda: count(stage, crm, DeliveryState.FAILED) == 3, what="one delivered")
    terminal.press("R")
    terminal.wait_for(r"Retry 3 deliveries: all that match.*3 → crm")
    terminal.press("enter")
    terminal.wait_until_gone(r"now\?")
    assert count(stage, crm, DeliveryState.FAILED) == 3
    terminal.press("R")
    press_until(terminal, "y", r"Failures · 0 ")
    eventually(lambda: count(stage, crm, DeliveryState.DELIVERED) == 7, what="all delivered")
    # The same ids as before: a receiver can tell a repetition.
    assert sorted(crm_receiver.event_ids[-4:], key=str) == sorted(broken)
    assert sorted(crm_receiver.event_ids[3:7], key=str) == sorted(broken)

    # Look at one closely.
    terminal.press("esc")
    terminal.wait_for(r"Attempts · following")
    terminal.press("tab", "G", "enter")
    terminal.wait_for(r"Home › dlv_.*Attempt 2 of 2.*HTTP 200")
    terminal.wait_for(r"REQUEST +POST " + re.escape(crm_receiver.url) + r".*webhook-id +evt_")
    terminal.press("tab")
    press_until(terminal, "G", r"RESPONSE.*\"stored\": true")
    terminal.press("[")
    terminal.wait_for(r"HTTP 500")
    press_until(terminal, "G", r"RESPONSE.*disk full")
    terminal.press("esc")
    terminal.wait_for(r"Attempts · following")

    # Resumed: what was held arrives.
    terminal.press("tab", "g", "p")
    terminal.wait_for(r"Resume billing: how fast\?.*4 wait, the oldest due")
    terminal.press(*"50/s", "enter")
    terminal.wait_for(r"reason, kept in the audit log")
    terminal.press("enter")
    terminal.wait_for(r"billing is active, at 50/s")
    eventually(lambda: len(billing_receiver.requests) == 7, what="held deliveries arrive")

    # Leave.
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert_given_back(terminal)
    assert engine.alive
