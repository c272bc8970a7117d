"""One delivery on its way, when what carries it fails."""

from random import Random

from console.domain.clock import ManualClock
from console.domain.delivery import Retry
from console.domain.endpoint import Endpoint
from console.domain.ids import AttemptId, DeliveryId, EventId
from console.domain.outcome import Cause, Failure, Outcome, Request
from console.domain.work import Claimed
from console.engine.dispatcher import Dispatcher
from console.store import Store
from tests.factories import add_endpoint


class KeepingTransport:
    """Keeps what it is given, and gets no answer."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Outcome:
        self.requests.append(request)
        return Failure(cause=Cause.REFUSED, detail="connection refused", total_ms=1.0)

    async def aclose(self) -> None: ...


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


async def test_a_delivery_says_which_way_its_event_has_come(store: Store) -> None:
    endpoint = add_endpoint(store)
    dispatcher = Dispatcher(kept := KeepingTransport(), clock=ManualClock(), random=Random(1), instance="inst_b")
    await dispatcher.deliver(claimed_for(endpoint), endpoint)
    passed_on = claimed_for(endpoint)
    passed_on.hops, passed_on.via = 1, "inst_a/evt_0"
    completed = await dispatcher.deliver(passed_on, endpoint)
    first, second = (dict(request.headers) for request in kept.requests)
    assert (first["webhook-hops"], first["webhook-via"]) == ("1", "inst_b/evt_1")
    assert (second["webhook-hops"], second["webhook-via"]) == ("2", "inst_a/evt_0, inst_b/evt_1")
    assert completed.exchange is not None
    assert ("webhook-hops", "2") in completed.exchange.request_headers
