"""Order on the wire: a real engine, a real receiver, and a line that fails beside one that flows."""

import asyncio
import json
from collections import Counter, defaultdict

from console.domain.delivery import DeliveryState
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.policy import Ordering
from tests.engine.rig import Rig
from tests.factories import cancel_matching, make_spec
from tests.receivers import Conversation, ScriptedReceiver, answers
from tests.store.recount import assert_gauges_agree, assert_lines_stand

KEYED = {"ordering": Ordering.FIFO, "order_key": "customer", "max_in_flight": 16}


def send(rig: Rig, customers: str) -> None:
    """An event for each letter, numbered in order of acceptance."""
    first = len(rig.deliveries())
    payloads = [json.dumps({"customer": c, "number": first + i}).encode() for i, c in enumerate(customers)]
    rig.store.accept([NewEvent(type="invoice.paid", payload=p) for p in payloads], rig.clock.now_ms())


class Ledger:
    """A receiver that refuses some customers, and notes in which order it took what of the others."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.flaky = 0
        """Each so-many-th event is refused when it comes for the first time, and the second."""
        self.taken: dict[str, list[int]] = defaultdict(list)
        self._tries: Counter[int] = Counter()
        self._busy: set[str] = set()

    async def __call__(self, conversation: Conversation) -> None:
        event = json.loads(conversation.request.body)
        customer = event["customer"]
        assert customer not in self._busy, "two of one customer at once"
        self._busy.add(customer)
        self._tries[event["number"]] += 1
        await asyncio.sleep(0)  # what else is on the wire gets in here
        flaky = self.flaky and event["number"] % self.flaky == 0 and self._tries[event["number"]] < 3
        refuse = customer in self.refused or flaky
        if not refuse:
            self.taken[customer].append(event["number"])
        self._busy.discard(customer)
        await answers(503 if refuse else 200)(conversation)


async def test_a_failing_key_waits_and_another_flows(rig: Rig) -> None:
    ledger = Ledger("a")
    async with ScriptedReceiver(ledger) as receiver:
        rig.add(receiver.url, policy={**KEYED, "schedule_s": (0.0, 3600.0)})
        await rig.start()
        send(rig, "abcab" * 8)
        await rig.until_state(DeliveryState.DELIVERED, 24)
        assert len([r for r in receiver.requests if b'"a"' in r.body]) == 1, "only the head of the line is tried"
        assert sorted(ledger.taken) == ["b", "c"]
        assert all(taken == sorted(taken) for taken in ledger.taken.values())
        head = rig.deliveries(DeliveryState.PENDING)[0]
        assert [d.blocked for d in rig.deliveries(DeliveryState.PENDING)] == [False] + [True] * 15
        ledger.refused.clear()
        cancel_matching(rig.store, DeliveryFilter(ids=(head.id,)), now_ms=rig.clock.now_ms())
        await rig.until_state(DeliveryState.DELIVERED, 39)
        assert ledger.taken["a"] == sorted(ledger.taken["a"])
    assert_gauges_agree(rig.store)
    assert_lines_stand(rig.store)


async def test_retries_keep_the_order_of_each_key(rig: Rig) -> None:
    ledger = Ledger()
    ledger.flaky = 3
    async with ScriptedReceiver(ledger) as receiver:
        rig.add(receiver.url, policy={**KEYED, "schedule_s": (0.0,) * 5, "jitter": 0.0})
        await rig.start()
        for _ in range(4):
            send(rig, "abcdaabb" * 3)
        await rig.until_state(DeliveryState.DELIVERED, 96)
    assert {name: len(taken) for name, taken in ledger.taken.items()} == {"a": 36, "b": 36, "c": 12, "d": 12}
    assert all(taken == sorted(taken) for taken in ledger.taken.values())
    assert_lines_stand(rig.store)


async def test_a_line_moves_on_without_waiting_for_the_clock(rig: Rig) -> None:
    """Each of them is claimed in the transaction that records the one before."""
    ledger = Ledger()
    async with ScriptedReceiver(ledger) as receiver:
        rig.add(receiver.url, policy={"ordering": Ordering.FIFO})
        await rig.start()
        send(rig, "a" * 50)
        started_s = rig.clock.monotonic_s()
        await rig.until_state(DeliveryState.DELIVERED, 50)
        assert rig.clock.monotonic_s() - started_s < 25, "50 looks at the clock a second apart take 50 s"
    assert ledger.taken["a"] == list(range(50))


async def test_order_asked_for_while_requests_are_on_the_wire(rig: Rig) -> None:
    ledger = Ledger()
    async with ScriptedReceiver(ledger) as receiver:
        endpoint = rig.add(receiver.url, policy={"max_in_flight": 4})
        await rig.start()
        send(rig, "abcdefgh")
        await receiver.wait_for(1)
        spec = make_spec(url=receiver.url, policy={"ordering": Ordering.FIFO})
        rig.store.edit_endpoint(endpoint.id, spec, rig.clock.now_ms())
        send(rig, "xyz")
        await rig.until_state(DeliveryState.DELIVERED, 11)
    assert_lines_stand(rig.store)
