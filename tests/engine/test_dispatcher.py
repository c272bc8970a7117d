"""One delivery on its way, when what carries it fails."""

from random import Random

from console.domain.clock import ManualClock
from console.domain.delivery import Retry
from console.domain.endpoint import Endpoint
from console.domain.ids import AttemptId, DeliveryId, EventId
from console.domain.outcome import Cause, Outcome, Request
from console.domain.work import Claimed
from console.engine.dispatcher import Dispatcher
from console.store import Store
from tests.factories import add_endpoint


class BrokenTransport:
    """Raises, which a transport never should."""

    async def send(self, request: Request) -> Outcome:
        raise RuntimeError("a fault of ours")

    async def aclose(self) -> None: ...


def claimed_for(endpoint: Endpoint) -> Claimed:
    return Claimed(
        delivery_id=DeliveryId(1),
        attempt_id=AttemptId(1),
        endpoint_seq=endpoint.seq,
        number=1,
        step=1,
        manual=False,
        event_id=EventId("evt_1"),
        event_type="invoice.paid",
        payload=b"{}",
    )


async def test_a_fault_of_ours_costs_one_try_and_is_told(store: Store) -> None:
    endpoint = add_endpoint(store)
    dispatcher = Dispatcher(BrokenTransport(), clock=ManualClock(), random=Random(1))
    completed = await dispatcher.deliver(claimed_for(endpoint), endpoint)
    assert isinstance(completed.verdict, Retry)
    assert completed.verdict.cause is Cause.PROTOCOL
    assert completed.verdict.detail == "this program failed on it: RuntimeError: a fault of ours"
