"""Bulk operations beside deliveries: the engine carries them on, whoever began them, and goes on after a death."""

import asyncio
from contextlib import closing

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import StoreError
from console.domain.filters import DeliveryFilter
from console.domain.operation import BURST_MS, Operation, OperationKind
from console.domain.policy import BreakerPolicy
from console.engine import bulk
from console.operations.deliveries import begin_cancel, begin_retry, begin_undo, carry_out, stop
from console.store import open_store
from tests.engine.rig import Rig, TroubledStore
from tests.factories import attempt_all, failed, start_engine
from tests.receivers import ScriptedReceiver, answers
from tests.store.recount import assert_gauges_agree, assert_rates_agree

DELIVERED, FAILED, PENDING = DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING
ALL_FAILED = DeliveryFilter(states=(FAILED,))


def leave_failed(rig: Rig, url: str, count: int) -> None:
    """So many failed deliveries, left by an engine that is gone."""
    rig.add(url, policy={"schedule_s": (0.0,), "breaker": BreakerPolicy(enabled=False)})
    rig.send(count)
    with closing(open_store(rig.store.path)) as gone:
        attempt_all(gone, start_engine(gone), failed(), now_ms=rig.clock.now_ms() + 1, limit=10_000)
    assert len(rig.deliveries(FAILED)) == count


def begun(rig: Rig, rate_per_s: float | None = None) -> Operation:
    return begin_retry(rig.store, ALL_FAILED, actor="ada", now_ms=rig.clock.now_ms(), rate_per_s=rate_per_s)


async def ended(rig: Rig, operation: Operation) -> Operation:
    await rig.until(lambda: not rig.store.operation(operation.id).is_open)
    return rig.store.operation(operation.id)


async def test_the_engine_carries_out_what_was_left_to_it(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        leave_failed(rig, receiver.url, 300)
        operation = begun(rig)
        await rig.start()
        assert (await ended(rig, operation)).result == "300 deliveries"
        await rig.until_state(DELIVERED, 300)
        assert len({r.header("webhook-id") for r in receiver.requests}) == len(receiver.requests) == 300
    assert [line["result"] for line in rig.lines.named("operation ended")] == ["300 deliveries"]
    assert_gauges_agree(rig.store)
    assert_rates_agree(rig.store)


async def test_one_that_begins_while_it_runs(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        leave_failed(rig, receiver.url, 50)
        await rig.start()
        operation = begun(rig)
        assert (await ended(rig, operation)).done == 50
        await rig.until_state(DELIVERED, 50)


async def test_two_at_once_both_come_to_their_end(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        leave_failed(rig, receiver.url, 200)
        half = tuple(d.id for d in rig.deliveries(FAILED)[::2])
        others = tuple(d.id for d in rig.deliveries(FAILED)[1::2])
        now_ms = rig.clock.now_ms()
        first = begin_retry(rig.store, DeliveryFilter(ids=half), actor="ada", now_ms=now_ms)
        second = begin_cancel(rig.store, DeliveryFilter(ids=others), actor="bob", now_ms=now_ms)
        await rig.start()
        assert [(await ended(rig, each)).done for each in (first, second)] == [100, 100]
        await rig.until_state(DELIVERED, 100)
        assert {d.id for d in rig.deliveries(DeliveryState.CANCELLED)} == set(others)


async def test_a_rate_is_kept_while_the_engine_runs(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        leave_failed(rig, receiver.url, 20)
        operation = begun(rig, rate_per_s=50.0)
        await rig.start()
        began_s = rig.clock.monotonic_s()
        assert (await ended(rig, operation)).done == 20
        assert rig.clock.monotonic_s() - began_s >= (20 - 2 - BURST_MS * 50 / 1000) / 50


async def test_the_next_engine_goes_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST", 20)
    async with ScriptedReceiver() as receiver:
        leave_failed(rig, receiver.url, 400)
        operation = begun(rig)
        engines = 0
        while (operation := rig.store.operation(operation.id)).is_open:
            await rig.start()
            engines += 1
            await rig.until(lambda before=operation: rig.store.operation(before.id) != before)  # type: ignore[misc]  # operation is bound in the loop
            await rig.stop()
        assert engines > 1
        assert operation.done == 400
        await rig.start()
        deliveries = await rig.until_state(DELIVERED, 400)
    assert {d.attempts for d in deliveries} == {2}
    assert_gauges_agree(rig.store)


async def test_it_ends_when_it_is_told_to(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        leave_failed(rig, receiver.url, 100)
        operation = begun(rig, rate_per_s=20.0)
        await rig.start()
        await rig.until(lambda: rig.store.operation(operation.id).done >= 3)
        stopped = stop(rig.store, operation.id, actor="bob", now_ms=rig.clock.now_ms())
        assert stopped.result == f"stopped after {stopped.done} of 100 deliveries"
        await rig.until_state(DELIVERED, stopped.done)
        rig.send(3)
        await rig.until_state(DELIVERED, stopped.done + 3)
        assert len(rig.deliveries(FAILED)) == 100 - stopped.done


async def test_an_undo_is_carried_out_too(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        endpoint = rig.add(receiver.url)
        rig.send(80)
        cancelled = begin_cancel(rig.store, DeliveryFilter(), actor="ada", now_ms=rig.clock.now_ms())
        carry_out(rig.store, cancelled, clock=rig.clock)
        await rig.start()
        undo = begin_undo(rig.store, cancelled.id, actor="ada", now_ms=rig.clock.now_ms())
        assert (await ended(rig, undo)).kind is OperationKind.DELIVERY_UNDO
        await rig.until_state(DELIVERED, 80)
        assert len(rig.attempts(endpoint)) == 80


async def test_a_store_that_cannot_be_written_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "TROUBLE_WAIT_S", 0.01)
    troubled = TroubledStore(open_store(rig.store.path, any_thread=True))
    async with ScriptedReceiver(answers()) as receiver:
        leave_failed(rig, receiver.url, 30)
        await rig.start(open_writer=lambda: troubled)
        troubled.broken = StoreError("the disk is full")
        operation = begun(rig)
        await rig.until(lambda: rig.lines.named("operations cannot be carried on"))
        assert rig.store.operation(operation.id).done == 0
        troubled.broken = None
        assert (await ended(rig, operation)).done == 30
        await rig.until_state(DELIVERED, 30)


async def test_new_events_pass_a_large_operation(rig: Rig) -> None:
    """Every new event is delivered while thousands are moved: none waits for the end of the operation."""
    async with ScriptedReceiver() as receiver:
        rig.add("http://127.0.0.1:9/", "dead", types=("old",))
        rig.store.set_endpoint_state(rig.store.find_endpoint("dead").id, EndpointState.PAUSED, None, rig.clock.now_ms())
        rig.send(20_000, type="old")
        rig.add(receiver.url, "live", types=("new",))
        await rig.start()
        operation = begin_cancel(rig.store, DeliveryFilter(), actor="ada", now_ms=rig.clock.now_ms())
        arrived_while_open = 0
        while rig.store.operation(operation.id).is_open:
            count = len(receiver.requests)
            rig.send(type="new")
            await receiver.wait_for(count + 1)
            arrived_while_open += rig.store.operation(operation.id).is_open
            await asyncio.sleep(0)
        assert arrived_while_open >= 3
        assert rig.store.operation(operation.id).done == 20_000
