"""How an engine ends, and what it does when its store is in trouble: nothing is lost, nothing fails silently."""

import asyncio
import os
from typing import cast

import pytest

from console.domain.delivery import DeliveryState
from console.domain.errors import FencedError, StoreError
from console.domain.outcome import Cause
from console.domain.work import Recovered
from console.engine import supervisor
from console.operations.engine import stop_engine
from console.store import Store, open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.store import SqliteStore
from tests.engine.rig import Rig, TroubledStore
from tests.engine.test_steering import Gate
from tests.receivers import ScriptedReceiver, answers, hangs
from tests.store.recount import assert_gauges_agree, assert_rates_agree

DELIVERED, FAILED, PENDING = DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING
SENDING = DeliveryState.SENDING


async def test_a_drain_finishes_what_is_in_flight_and_claims_no_more(rig: Rig) -> None:
    gate = Gate()
    async with ScriptedReceiver(gate) as receiver:
        rig.add(receiver.url, policy={"max_in_flight": 3})
        await rig.start()
        rig.send(10)
        await receiver.wait_for(3)
        assert rig.supervisor is not None
        rig.supervisor.stop("first")
        rig.supervisor.stop("twice is once")
        rig.send(5)
        gate.opened.set()
        await rig.ended()
        assert len(receiver.requests) == 3
    assert (len(rig.deliveries(DELIVERED)), len(rig.deliveries(PENDING))) == (3, 12)
    status = rig.store.engine_status()
    assert status is not None
    assert status.stopped_at_ms is not None
    assert len(rig.lines.named("stopping")) == 1


async def test_another_process_asks_the_engine_to_stop(rig: Rig) -> None:
    await rig.start()
    stop_engine(rig.store, actor="ada", reason=None, now_ms=rig.clock.now_ms())
    await rig.ended()
    (line,) = rig.lines.named("stopping")
    assert line["why"] == "asked by an operator"
    await rig.start()  # what was asked of the one before does not end this one
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url)
        rig.send()
        await receiver.wait_for(1)


class StoppedDuringRecovery(TroubledStore):
    """A store that an operator asks to stop while its engine is starting."""

    def recover(self, *, epoch: int, now_ms: int) -> Recovered:
        self._store.request_stop()
        return self._store.recover(epoch=epoch, now_ms=now_ms)


async def test_a_stop_asked_for_during_the_start_is_not_missed(rig: Rig) -> None:
    await rig.start(open_writer=lambda: cast(Store, StoppedDuringRecovery(open_store(rig.store.path, any_thread=True))))
    await rig.ended()


async def test_what_outlasts_the_grace_is_unknown_and_sent_again(rig: Rig) -> None:
    async with ScriptedReceiver(hangs) as receiver:
        rig.add(receiver.url, "owed", policy={"timeout_s": 60})
        rig.add(receiver.url, "exhausted", policy={"timeout_s": 60, "schedule_s": (0.0,)})
        await rig.start(drain_s=0.05)
        (event,) = rig.send()
        await receiver.wait_for(2)
        await rig.stop()
        deliveries = {d.endpoint_name: d for d in rig.deliveries()}
        assert {d.last_cause for d in deliveries.values()} == {Cause.UNKNOWN_OUTCOME}
        assert (deliveries["owed"].state, deliveries["exhausted"].state) == (PENDING, FAILED)
        assert (deliveries["owed"].next_attempt_at_ms or 0) <= rig.clock.now_ms()
        assert [a.cause for a in rig.attempts()] == [Cause.UNKNOWN_OUTCOME] * 2
        receiver.behaviour = answers()
        await rig.start()
        await rig.until_state(DELIVERED)
        assert [r.header("webhook-id") for r in receiver.requests] == [event] * 3
    assert_gauges_agree(rig.store)
    assert_rates_agree(rig.store)


async def test_what_a_dead_engine_left_is_unknown_and_sent_again(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        endpoint = rig.add(receiver.url)
        rig.send(2)
        dead = open_store(rig.store.path)
        epoch = dead.take_over(pid=1, host="test", version="0", now_ms=rig.clock.now_ms())
        from tests.factories import claim_all

        assert len(claim_all(dead, epoch, endpoint, now_ms=rig.clock.now_ms())) == 2
        dead.close()
        await rig.start()
        await rig.until_state(DELIVERED, 2)
        assert [a.cause for a in rig.attempts()] == [Cause.UNKNOWN_OUTCOME] * 2 + [None] * 2


async def test_a_fenced_engine_ends_although_requests_are_in_flight(rig: Rig) -> None:
    async with ScriptedReceiver(hangs) as receiver:
        rig.add(receiver.url, policy={"timeout_s": 60})
        await rig.start()
        rig.send(3)
        await receiver.wait_for(3)
        epoch = rig.store.take_over(pid=os.getpid(), host="test", version="0", now_ms=rig.clock.now_ms())
        rig.send()  # makes it write
        with pytest.raises(FencedError, match=f"engine {epoch} has taken over"):
            await rig.ended()
        assert len(rig.deliveries(SENDING)) == 3, "nothing was written after it was fenced"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "TROUBLE_WAIT_S", 0.01)


@pytest.mark.usefixtures("impatient")
async def test_outcomes_wait_for_a_store_that_cannot_be_written(rig: Rig) -> None:
    troubled: list[TroubledStore] = []
    gate = Gate()

    def open_writer() -> Store:
        troubled.append(TroubledStore(open_store(rig.store.path, any_thread=True)))
        return cast(Store, troubled[0])

    async with ScriptedReceiver(gate) as receiver:
        rig.add(receiver.url, policy={"max_in_flight": 4})
        await rig.start(open_writer=open_writer)
        rig.send(20)
        await receiver.wait_for(4)
        troubled[0].broken = StoreError("the disk is full")
        gate.opened.set()
        await rig.until(lambda: [e for e in rig.lines.named("store cannot be written") if e.get("unrecorded") == 4])
        assert len(rig.deliveries(SENDING)) == 4
        assert len(receiver.requests) == 4, "nothing is sent that could not be recorded"
        troubled[0].broken = None
        await rig.until_state(DELIVERED, 20)
        assert len(receiver.requests) == 20, "nothing was sent twice"
    assert [a.cause for a in rig.attempts()] == [None] * 20
    assert_gauges_agree(rig.store)
    assert_rates_agree(rig.store)


@pytest.mark.usefixtures("impatient")
async def test_an_engine_ends_although_its_store_cannot_be_written(rig: Rig) -> None:
    troubled: list[TroubledStore] = []

    def open_writer() -> Store:
        troubled.append(TroubledStore(open_store(rig.store.path, any_thread=True)))
        return cast(Store, troubled[-1])

    async with ScriptedReceiver(Gate()) as receiver:
        rig.add(receiver.url, policy={"timeout_s": 60})
        await rig.start(open_writer=open_writer, drain_s=0.05)
        rig.send(2)
        await receiver.wait_for(2)
        troubled[0].broken = StoreError("the disk is full")
        with pytest.raises(StoreError, match="2 outcomes are not recorded"):
            await rig.stop()
        receiver.behaviour = answers()
        await rig.start()
        await rig.until_state(DELIVERED, 2)
    assert [a.cause for a in rig.attempts()] == [Cause.UNKNOWN_OUTCOME] * 2 + [None] * 2


@pytest.mark.usefixtures("impatient")
async def test_a_write_lock_held_by_another_process_is_waited_for(rig: Rig) -> None:
    def open_writer() -> Store:
        connection = Connection(rig.store.path, read_only=False, any_thread=True, lock_wait_s=0.02)
        connection.prepare()
        return SqliteStore(connection)

    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url)
        await rig.start(open_writer=open_writer)
        with rig.store.transaction():
            rig.send(3)
            rig.lines.entries.clear()
            await rig.until(lambda: rig.lines.named("store cannot be written") or None)
            assert not receiver.requests
        await rig.until_state(DELIVERED, 3)
        assert len(receiver.requests) == 3


async def test_a_wall_clock_set_back_delays_nothing_that_is_due_now(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url)
        await rig.start()
        rig.send()
        await rig.until_state(DELIVERED)
        rig.clock.shift_ms -= 3_600_000
        rig.send()
        await rig.until_state(DELIVERED, 2)
        assert all((a.ended_at_ms or 0) >= a.started_at_ms for a in rig.attempts())
        assert len(receiver.requests) == 2


async def test_events_of_another_process_are_seen_without_waiting_for_the_heartbeat(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url)
        await rig.start()
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        for i in range(20):
            rig.send()
            await receiver.wait_for(i + 1)
        # 20 heartbeats would take 20 s; seen through the store's version it is some 20 ms each.
        assert loop.time() - started_s < 10
