"""What a running engine does beside delivering: deletes what is old, and looks at the rules of alerts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from console.domain.alerts import AlertKind, AlertSpec
from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter, EventFilter
from console.domain.operation import OperationKind
from console.domain.retention import Retention
from console.domain.status import EngineStatus
from console.engine.alerting import Alerter
from console.engine.aside import Aside
from console.engine.retaining import Retainer
from console.engine.writer import Writer
from console.store import Store, open_store
from tests.engine.rig import Rig, ShiftedClock
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_event, start_engine
from tests.store import recount

T = TypeVar("T")
DAY_MS = 24 * 3600 * 1000


class Beside:
    """Chores on the rig's store, without the engine around them."""

    def __init__(self, rig: Rig, writer: Writer, aside: Aside) -> None:
        self.rig, self.writer, self.aside = rig, writer, aside

    def retainer(self) -> Retainer:
        return Retainer(
            aside=self.aside, writer=self.writer, clock=self.rig.clock, log=self.rig.lines.log,
            first_after_s=0, every_s=0.01,
        )  # fmt: skip

    def alerter(self, before: EngineStatus | None = None) -> Alerter:
        return Alerter(
            aside=self.aside, writer=self.writer, clock=self.rig.clock, log=self.rig.lines.log,
            before=before, every_s=0.01, longest_rest_s=0.1,
        )  # fmt: skip


@asynccontextmanager
async def chores(rig: Rig) -> AsyncIterator[Beside]:
    writer = Writer(lambda: open_store(rig.store.path, any_thread=True))
    await writer.start()
    aside = Aside(lambda: open_store(rig.store.path, read_only=True, any_thread=True))
    try:
        yield Beside(rig, writer, aside)
    finally:
        aside.close()
        await writer.close()


@asynccontextmanager
async def running(chore: Retainer | Alerter) -> AsyncIterator[None]:
    task = asyncio.create_task(chore.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def fill(store: Store, now_ms: int, *, good: int, bad: int) -> None:
    """Delivered and failed ones, and one that waits."""
    epoch = start_engine(store, now_ms=now_ms)
    add_endpoint(store, now_ms=now_ms)
    store.accept([make_event() for _ in range(good)], now_ms)
    attempt_all(store, epoch, delivered(), now_ms=now_ms, limit=10_000)
    store.accept([make_event() for _ in range(bad)], now_ms)
    attempt_all(store, epoch, failed(), now_ms=now_ms, limit=10_000)
    store.accept([make_event()], now_ms)


async def test_old_ones_go_while_the_engine_runs(rig: Rig) -> None:
    fill(rig.store, rig.clock.now_ms(), good=400, bad=20)
    rig.store.set_retention(Retention(delivered_s=DAY_MS / 1000, failed_s=0), 0)
    async with chores(rig) as beside, running(beside.retainer()):
        await asyncio.sleep(0.05)
        assert len(rig.deliveries(DeliveryState.DELIVERED)) == 400, "too young"
        rig.clock.shift_ms = DAY_MS + 60_000
        await rig.until(lambda: not rig.deliveries(DeliveryState.DELIVERED))
        await rig.until(lambda: rig.lines.named("old deliveries deleted"))
    assert len(rig.deliveries(DeliveryState.FAILED)) == 20
    assert len(rig.deliveries(DeliveryState.PENDING)) == 1
    assert len(rig.store.events(EventFilter(), limit=9999)) == 21
    recount.assert_gauges_agree(rig.store)


async def test_a_store_above_its_limit_shrinks_on_disk(rig: Rig) -> None:
    now_ms = rig.clock.now_ms()
    epoch = start_engine(rig.store, now_ms=now_ms)
    add_endpoint(rig.store, now_ms=now_ms)
    for _ in range(30):
        rig.store.accept([make_event(payload=b'"' + b"x" * 400_000 + b'"') for _ in range(3)], now_ms)
        attempt_all(rig.store, epoch, delivered(), now_ms=now_ms)
    limit = 20 * 2**20
    assert rig.store.space().used_bytes > limit
    rig.store.set_retention(Retention(max_size_bytes=limit), 0)
    async with chores(rig) as beside, running(beside.retainer()):
        await asyncio.sleep(0.05)
        assert len(rig.store.deliveries(DeliveryFilter(), limit=999)) == 90, "too young, however large it is"
        rig.clock.shift_ms = 601_000
        await rig.until(lambda: rig.store.space().file_bytes <= 1.1 * limit)
    assert 0.8 * limit < rig.store.space().used_bytes <= limit
    assert 40 < len(rig.store.deliveries(DeliveryFilter(), limit=999)) < 90


async def test_a_rule_fires_and_is_over(rig: Rig) -> None:
    endpoint = add_endpoint(rig.store)
    for rule in rig.store.alert_rules():
        rig.store.remove_alert_rule(rule.id, 0)
    rule = rig.store.add_alert_rule(AlertSpec(kind=AlertKind.TRIPPED, for_s=0.05))
    async with chores(rig) as beside, running(beside.alerter()):
        rig.store.set_endpoint_state(endpoint.id, EndpointState.TRIPPED, "why", rig.clock.now_ms())
        (alert,) = await rig.until(rig.store.alerts)
        assert (alert.rule.id, alert.words) == (rule.id, "crm: tripped")
        rig.store.set_endpoint_state(endpoint.id, EndpointState.ACTIVE, None, rig.clock.now_ms())
        await rig.until(lambda: rig.lines.named("alert resolved"))
    assert rig.store.alerts() == []
    types = [row.type for row in rig.store.events(EventFilter(), limit=9)]
    assert types == ["webhook.alert.resolved", "webhook.alert.fired"]
    assert [line["says"] for line in rig.lines.named("alert fired")] == ["crm: tripped"]


async def test_what_fired_before_a_restart_goes_on_and_ends(rig: Rig) -> None:
    endpoint = add_endpoint(rig.store)
    rule = rig.store.add_alert_rule(AlertSpec(kind=AlertKind.TRIPPED, for_s=0))
    rig.store.set_endpoint_state(endpoint.id, EndpointState.TRIPPED, "why", rig.clock.now_ms())
    async with chores(rig) as beside:
        async with running(beside.alerter()):
            await rig.until(rig.store.alerts)
        async with running(beside.alerter()):
            await asyncio.sleep(0.05)
            assert len(rig.store.events(EventFilter(), limit=9)) == 1, "it does not fire again"
            rig.store.set_endpoint_state(endpoint.id, EndpointState.ACTIVE, None, rig.clock.now_ms())
            await rig.until(lambda: not rig.store.alerts())
    assert rule.id


def status(rig: Rig, *, seconds_ago: int, in_order: bool) -> EngineStatus:
    at_ms = rig.clock.now_ms() - seconds_ago * 1000
    return EngineStatus(
        epoch=1, pid=1, host="h", version="0", started_at_ms=0, heartbeat_at_ms=at_ms,
        stopped_at_ms=at_ms if in_order else None, stop_requested=False, in_flight=0,
    )  # fmt: skip


async def test_an_engine_that_comes_back_says_for_how_long_there_was_none(rig: Rig) -> None:
    async with chores(rig) as beside, running(beside.alerter(status(rig, seconds_ago=300, in_order=False))):
        await rig.until(lambda: len(rig.store.events(EventFilter(), limit=9)) == 2)
        await asyncio.sleep(0.05)
    newest, fired = rig.store.events(EventFilter(), limit=9)
    assert (fired.type, newest.type) == ("webhook.alert.fired", "webhook.alert.resolved")
    assert rig.store.alerts() == []
    logged = [o for o in rig.store.operations(limit=9) if o.kind is OperationKind.ALERT_FIRED]
    assert [(o.target, o.result and o.result[:15]) for o in logged] == [("engine", "no engine from ")]
    assert b'"value":30' in rig.store.event(fired.id).payload


@pytest.mark.parametrize(("seconds_ago", "in_order"), [(300, True), (5, False)])
async def test_an_engine_that_ended_in_order_or_a_moment_ago_was_not_stalled(
    rig: Rig, seconds_ago: int, in_order: bool
) -> None:
    async with chores(rig) as beside, running(beside.alerter(status(rig, seconds_ago=seconds_ago, in_order=in_order))):
        await asyncio.sleep(0.1)
    assert rig.store.events(EventFilter(), limit=9) == []


async def test_a_loop_that_stood_still_is_noticed(rig: Rig) -> None:
    rig.clock = clock = Stopped()
    async with chores(rig) as beside, running(beside.alerter()):
        await asyncio.sleep(0.05)
        rig.clock.shift_ms += 7_200_000
        await asyncio.sleep(0.05)
        assert rig.store.events(EventFilter(), limit=9) == [], "the clock was set, and nobody stood still"
        clock.stood_s = 120.0
        await rig.until(lambda: len(rig.store.events(EventFilter(), limit=9)) == 2)


async def test_a_stop_in_the_middle_of_a_look_is_noticed_soon_after(rig: Rig) -> None:
    rig.clock = clock = Stopped()
    async with chores(rig) as beside:
        looked = beside.aside.do

        async def stopped(work: Callable[[Store], T]) -> T:
            found = await looked(work)
            if not clock.stood_s:
                clock.stood_s = 120.0
            return found

        beside.aside.do = stopped  # type: ignore[method-assign]  # stands still just there, as a process may
        async with running(beside.alerter()):
            await rig.until(lambda: len(rig.store.events(EventFilter(), limit=9)) == 2)


class Stopped(ShiftedClock):
    """A clock of a process that was stopped for a while."""

    stood_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.stood_s
