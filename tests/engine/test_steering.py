"""What operators do while the engine runs, from another connection: it counts from the moment it is stored."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from standardwebhooks import Webhook

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.outcome import Cause
from console.domain.policy import DeliveryPolicy
from console.domain.signing import make_secret
from console.domain.work import ClaimOrder, Completed
from console.engine import supervisor
from console.operations.deliveries import cancel, retry
from console.operations.endpoints import (
    TEST_EVENT_TYPE,
    edit_endpoint,
    pause_endpoint,
    remove_endpoint,
    resume_endpoint,
    send_test,
)
from console.store import Store
from tests.engine.rig import Rig
from tests.factories import SECRET, make_spec
from tests.receivers import Conversation, ScriptedReceiver, answers
from tests.store.recount import assert_gauges_agree, assert_rates_agree

DELIVERED, FAILED, PENDING = DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING
LONG = (0.0, 3600.0, 3600.0)


class Gate:
    """A behaviour that answers only when it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, conversation: Conversation) -> None:
        await self.opened.wait()
        await conversation.answer()


async def seen(rig: Rig, name: str = "witness") -> None:
    """Returns when the engine has done all that was asked before: a later event has arrived elsewhere."""
    async with ScriptedReceiver() as witness:
        rig.add(witness.url, name, types=("witness",))
        rig.send(type="witness")
        await witness.wait_for(1)


@pytest.fixture
def late_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that learns late what others changed: the claim itself must look."""
    monkeypatch.setattr(supervisor, "LOOK_S", 0.3)
    monkeypatch.setattr(supervisor, "LOOK_BUSY_S", 0.3)


@pytest.mark.usefixtures("late_to_look")
async def test_nothing_is_claimed_after_a_pause_is_stored(rig: Rig) -> None:
    gate = Gate()
    async with ScriptedReceiver(gate) as receiver:
        endpoint = rig.add(receiver.url, types=("invoice.*",), policy={"max_in_flight": 5})
        await rig.start()
        rig.send(50)
        await receiver.wait_for(5)
        pause_endpoint(rig.store, endpoint.id, actor="ada", reason="migration", now_ms=rig.clock.now_ms())
        claimed = rig.attempts(endpoint)
        gate.opened.set()
        await rig.until_state(DELIVERED, len(claimed))
        rig.send(10)
        await seen(rig)
        assert rig.attempts(endpoint)[-1].id == claimed[-1].id
        held = [d for d in rig.deliveries(PENDING) if d.endpoint_id == endpoint.id]
        assert len(held) == 60 - len(claimed)
        assert all(d.held for d in held)
        resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await rig.until_state(DELIVERED, 61)
        assert len({r.header("webhook-id") for r in receiver.requests}) == len(receiver.requests) == 60
    assert_gauges_agree(rig.store)
    assert_rates_agree(rig.store)


async def test_a_pause_amid_traffic_is_a_line_in_the_log(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        endpoint = rig.add(receiver.url)
        await rig.start()
        for _ in range(5):
            rig.send(150)
            await receiver.wait_for(len(receiver.requests) + 20)
            pause_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
            last = rig.attempts(endpoint)[-1].id
            await rig.until(lambda: rig.store.gauges()[endpoint.id].sending == 0)
            assert rig.attempts(endpoint)[-1].id == last
            resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await rig.until_state(DELIVERED, 750)
        assert len(receiver.requests) == 750


async def test_a_failed_delivery_is_retried(rig: Rig) -> None:
    async with ScriptedReceiver(answers(422)) as receiver:
        rig.add(receiver.url, policy={"schedule_s": (0.0,)})
        await rig.start()
        rig.send(3)
        await rig.until_state(FAILED, 3)
        receiver.behaviour = answers()
        where = DeliveryFilter(states=(FAILED,), causes=(Cause.HTTP_4XX,))
        assert retry(rig.store, where, actor="ada", clock=rig.clock) == 3
        deliveries = await rig.until_state(DELIVERED, 3)
        assert [(d.attempts, d.manual) for d in deliveries] == [(2, False)] * 3
        assert sorted(a.manual for a in rig.attempts()) == [False] * 3 + [True] * 3


async def test_a_manual_retry_replaces_the_pending_one_and_costs_no_step(rig: Rig) -> None:
    async with ScriptedReceiver(answers(500)) as receiver:
        rig.add(receiver.url, types=("invoice.*",), policy={"schedule_s": LONG})
        await rig.start()
        rig.send()
        (waiting,) = await rig.until(lambda: [d for d in rig.deliveries(PENDING) if d.attempts == 1])
        for number in (2, 3):
            retry(rig.store, DeliveryFilter(ids=(waiting.id,)), actor="ada", clock=rig.clock)
            tried = await rig.until(lambda n=number: [d for d in rig.deliveries(PENDING) if d.attempts == n])  # type: ignore[misc]  # n is bound in the loop
            assert (tried[0].schedule_step, tried[0].schedule_length) == (1, 3)
        assert len(receiver.requests) == 3
        receiver.behaviour = answers()
        rig.clock.shift_ms += 2 * 3_600_000
        await rig.until_state(DELIVERED)
        await seen(rig, "later")
        assert len(receiver.requests) == 4, "the retry that was pending before did not come beside it"


async def test_a_cancelled_delivery_is_not_sent(rig: Rig) -> None:
    async with ScriptedReceiver(answers(500)) as receiver:
        rig.add(receiver.url, types=("invoice.*",), policy={"schedule_s": LONG})
        await rig.start()
        rig.send(2)
        await rig.until(lambda: sum(d.attempts for d in rig.deliveries(PENDING)) == 2)
        one, other = rig.deliveries(PENDING)
        assert cancel(rig.store, DeliveryFilter(ids=(one.id,)), actor="ada", clock=rig.clock) == 1
        receiver.behaviour = answers()
        rig.clock.shift_ms += 2 * 3_600_000
        await rig.until_state(DELIVERED)
        await seen(rig)
        assert [r.header("webhook-id") for r in receiver.requests].count(one.event_id) == 1
        assert rig.store.delivery(one.id).state is DeliveryState.CANCELLED
        assert rig.store.delivery(other.id).state is DELIVERED


async def test_an_edit_counts_from_the_next_attempt(rig: Rig) -> None:
    secret = make_secret(b"the secret that came after, 32 b")
    async with ScriptedReceiver(answers(500)) as old, ScriptedReceiver() as new:
        endpoint = rig.add(old.url, policy={"schedule_s": LONG})
        await rig.start()
        rig.send()
        (waiting,) = await rig.until(lambda: [d for d in rig.deliveries(PENDING) if d.attempts == 1])
        spec = make_spec(url=new.url, secrets=(secret, SECRET))
        spec = replace(spec, policy=DeliveryPolicy(schedule_s=LONG, headers=(("X-Edition", "2"),)))
        edit_endpoint(rig.store, endpoint.id, spec, actor="ada", now_ms=rig.clock.now_ms(), changed="url secret")
        retry(rig.store, DeliveryFilter(ids=(waiting.id,)), actor="ada", clock=rig.clock)
        (request,) = await new.wait_for(1)
        await rig.until_state(DELIVERED)
        assert len(old.requests) == 1
    assert request.header("x-edition") == "2"
    for each in (secret, SECRET):
        Webhook(each).verify(request.body, dict(request.headers))


async def test_a_removed_endpoint_gets_nothing_more_and_costs_nothing(rig: Rig) -> None:
    gates = [Gate(), Gate()]
    waiting = iter(gates)

    async def fail_late(conversation: Conversation) -> None:
        await next(waiting).opened.wait()
        await conversation.answer(500)

    async with ScriptedReceiver(fail_late) as receiver:
        endpoint = rig.add(receiver.url, types=("invoice.*",), policy={"max_in_flight": 2, "schedule_s": (0.0, 0.0)})
        await rig.start()
        rig.send(4)
        await receiver.wait_for(2)
        assert remove_endpoint(rig.store, endpoint.id, actor="ada", now_ms=rig.clock.now_ms()) == 2
        await seen(rig)
        gates[0].opened.set()
        await rig.until(lambda: any(a.endpoint_id == endpoint.id and a.ended_at_ms for a in rig.attempts()))
        asked: list[int] = []
        commit = rig.supervisor._commit  # type: ignore[union-attr]  # the engine runs

        def noted(store: Store, completed: list[Completed], orders: list[ClaimOrder], owed: Iterable[int]) -> object:
            asked.extend(order.endpoint_seq for order in orders)
            return commit(store, completed, orders, owed)

        rig.supervisor._commit = noted  # type: ignore[union-attr, method-assign]  # it looks on
        await seen(rig, "later")
        await seen(rig, "last")
        assert len(receiver.requests) == 2
    assert asked, "the engine works"
    assert endpoint.seq not in asked, "a try that cannot be made is not asked for again and again"


async def test_a_test_event_goes_to_one_endpoint_only(rig: Rig) -> None:
    async with ScriptedReceiver() as asked, ScriptedReceiver() as other:
        endpoint = rig.add(asked.url, types=("invoice.*",))
        rig.add(other.url, "other")
        await rig.start()
        send_test(rig.store, endpoint, actor="ada", now_ms=rig.clock.now_ms())
        (request,) = await asked.wait_for(1)
        await rig.until_state(DELIVERED)
        assert request.header("webhook-event-type") == TEST_EVENT_TYPE
        assert not other.requests


async def test_an_endpoint_added_while_the_engine_runs_is_served(rig: Rig) -> None:
    await rig.start()
    rig.send()
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url)
        (event,) = rig.send()
        (request,) = await receiver.wait_for(1)
        assert request.header("webhook-id") == event


async def test_a_tripped_endpoint_is_held_until_it_is_resumed(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        endpoint = rig.add(receiver.url, types=("invoice.*",))
        rig.store.set_endpoint_state(endpoint.id, EndpointState.TRIPPED, "failing", rig.clock.now_ms())
        await rig.start()
        rig.send()
        await seen(rig)
        assert not receiver.requests
        resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await receiver.wait_for(1)
