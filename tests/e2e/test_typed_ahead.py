"""Many keys in one write, as they come over a slow line: each goes to what those before it have opened."""

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.operation import OperationKind
from tests.e2e.stage import SIZES, Stage, eventually
from tests.receivers import answers

REASON = "tXKrR: upset, no FqaunpsS"
"""Every letter of it is a key somewhere."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_burst_of_keys_pauses_resumes_filters_and_retries(stage: Stage, size: tuple[int, int]) -> None:
    stage.engine()
    receiver = stage.receiver()
    receiver.behave(answers(503))
    billing, crm = (stage.endpoint(name, receiver.url) for name in ("billing", "crm"))
    stage.accept(2)
    terminal = stage.console(size=size)
    terminal.wait_for(r"billing +● active.*crm +● active.*✗ 503")
    terminal.press(f"gp{REASON}\r")
    terminal.wait_for(r"billing +‖ paused")
    paused = stage.store.operations(limit=10)
    assert [(op.kind, op.reason) for op in paused] == [(OperationKind.ENDPOINT_PAUSE, REASON)]
    stage.accept(1)  # waits, so that it is asked how fast
    eventually(lambda: len(receiver.requests) == 5, what="the other endpoint gets it")
    terminal.press("p\rback: upsetFrR\r")  # how fast, and then why
    eventually(lambda: stage.store.find_endpoint("billing").state is EndpointState.ACTIVE, what="resumed")
    assert stage.store.find_endpoint("crm").state is EndpointState.ACTIVE
    assert [op.kind for op in stage.store.operations(limit=10)] == [
        OperationKind.ENDPOINT_RESUME,
        OperationKind.ENDPOINT_PAUSE,
    ]
    failed = DeliveryFilter(states=(DeliveryState.FAILED,))
    eventually(lambda: sum(stage.store.count_deliveries(failed).values()) == 6, what="what waited was tried")
    receiver.behave(answers(200))
    terminal.press("Fb/crm\rRy")
    terminal.wait_for(r"3 deliveries due now|3 of 3")
    delivered = DeliveryFilter(endpoints=(crm.id,), states=(DeliveryState.DELIVERED,))
    eventually(lambda: sum(stage.store.count_deliveries(delivered).values()) == 3, what="all were sent again")
    others = DeliveryFilter(endpoints=(billing.id,), states=(DeliveryState.FAILED,))
    assert sum(stage.store.count_deliveries(others).values()) == 3, "what the filter left out was not"
    terminal.press("\x11")
    assert terminal.wait_for_end() == 0
