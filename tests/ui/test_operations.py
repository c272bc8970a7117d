"""The audit screen: newest first, filtered, paged, live, and nothing raw."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.domain.delivery import DeliveryState
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.operation import OperationKind
from console.operations.deliveries import begin_cancel
from console.operations.endpoints import pause_endpoint
from console.ui.audit import PAGE, matches, operation_lines, read_newer, result_cell, what_words
from console.ui.screens import operations
from console.ui.screens.operations import OperationScreen, OperationsScreen
from tests.ui.inspected import HOSTILE, Host, Scene, assert_nothing_raw, make_scene, seen_on, until

NARROW, WIDE = (80, 24), (120, 40)
Open = Callable[..., AbstractAsyncContextManager[tuple[Host, Pilot[None]]]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LOOK_EVERY_S", 0.05)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = make_scene(tmp_path)
    yield scene
    scene.store.close()


def retried(
    scene: Scene, *, target: str = "state:failed", done: int = 12, finished: bool = True, actor: str = "bob"
) -> None:
    """One bulk retry in the log."""
    now = scene.clock.now_ms()
    number = scene.store.begin_operation(
        OperationKind.DELIVERY_RETRY, actor=actor, target=target, reason=None, now_ms=now
    )
    scene.store.progress_operation(
        number,
        done=done,
        result=f"{done} deliveries" if finished else None,
        finished_at_ms=now + 1500 if finished else None,
    )


@pytest.fixture
def opened(scene: Scene) -> Open:
    @asynccontextmanager
    async def open_at(size: tuple[int, int] = WIDE) -> AsyncIterator[tuple[Host, Pilot[None]]]:
        app = scene.host()
        async with app.run_test(size=size, notifications=True) as pilot:
            await app.push_screen(OperationsScreen())
            await until(pilot, lambda: "Reading…" not in seen_on(app))
            yield app, pilot

    return open_at


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_each_act_says_who_what_whom_why_and_the_result(
    opened: Open, scene: Scene, size: tuple[int, int]
) -> None:
    pause_endpoint(scene.store, scene.crm.id, actor="ada@box", reason="deploy", now_ms=scene.clock.now_ms())
    retried(scene)
    retried(scene, done=1234, finished=False)
    async with opened(size) as (app, _):
        lines = seen_on(app).splitlines()
        rows = [line for line in lines if "11-14 22:13:28" in line]
        assert len(rows) == 3
        assert "1,234 so" in rows[0]
        assert "12 deliverie" in rows[1]
        for part in ("ada@box", "pause", "crm", "deploy", "active → paused"):
            assert part in rows[2]
        assert "data live" in lines[0]
        assert "Operations" in lines[0]


async def test_an_empty_log_says_so(opened: Open) -> None:
    async with opened(NARROW) as (app, _):
        assert "Nobody has done anything yet." in seen_on(app)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_enter_shows_the_whole_row_and_escape_closes_it(
    opened: Open, scene: Scene, size: tuple[int, int]
) -> None:
    target = "endpoint:" + "x" * 120
    retried(scene, target=target)
    async with opened(size) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OperationScreen) and "Esc closes" in seen_on(app))
        shown = seen_on(app)
        assert "(1.5s)" in shown
        assert "delivery_retry" in shown
        assert "Esc closes" in shown
        assert shown.count("x" * 40) >= 2
        assert shown.count("x") >= 120
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, OperationsScreen))


async def test_slash_filters_and_escape_clears_then_leaves(opened: Open, scene: Scene) -> None:
    pause_endpoint(scene.store, scene.crm.id, actor="ada@box", reason="deploy", now_ms=scene.clock.now_ms())
    retried(scene)
    async with opened(NARROW) as (app, pilot):
        await pilot.press("slash", *"ADA pau")
        await until(pilot, lambda: "deploy" in seen_on(app) and "12 deliverie" not in seen_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.focused is app.screen.query_one("LineTable"))
        assert "filter: ADA pau" in seen_on(app)
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: "Nothing matches the filter." in seen_on(app))
        await pilot.press("escape")
        await until(pilot, lambda: "12 deliverie" in seen_on(app))
        assert app.screen.query_one(Input).value == ""
        assert isinstance(app.screen, OperationsScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, OperationsScreen))


async def test_what_happens_meanwhile_appears_on_top_and_progress_moves(opened: Open, scene: Scene) -> None:
    number = scene.store.begin_operation(
        OperationKind.DELIVERY_RETRY, actor="bob", target="all", reason=None, now_ms=scene.clock.now_ms()
    )
    async with opened() as (app, pilot):
        assert "… 0 so far" in seen_on(app)
        with scene.store.transaction():
            for _ in range(PAGE + 5):
                retried(scene)
        scene.store.progress_operation(number, done=77, result="77 deliveries", finished_at_ms=scene.clock.now_ms())
        await until(pilot, lambda: "206" in seen_on(app))
        await pilot.press("G")
        await until(pilot, lambda: "77 deliveries" in seen_on(app))


async def test_older_pages_are_read_as_they_are_scrolled_to(opened: Open, scene: Scene) -> None:
    with scene.store.transaction():
        for i in range(2 * PAGE + 30):
            retried(scene, target=f"number-{i:04d}")
    async with opened() as (app, pilot):
        assert f"{PAGE}+" in seen_on(app)
        assert "number-0429" in seen_on(app)
        await pilot.press("G")
        await until(pilot, lambda: f"{2 * PAGE}+" in seen_on(app))
        await pilot.press("G")
        await until(pilot, lambda: "430" in seen_on(app) and "430+" not in seen_on(app))
        await pilot.press("G")
        await until(pilot, lambda: "number-0000" in seen_on(app))


async def test_a_filter_searches_what_is_not_loaded_yet(opened: Open, scene: Scene) -> None:
    with scene.store.transaction():
        for i in range(2 * PAGE + 30):
            retried(scene, target=f"number-{i:04d}")
    async with opened() as (app, pilot):
        await pilot.press("slash", *"number-0003")
        await until(pilot, lambda: "12 deliveries" in seen_on(app) and "number-0003" in seen_on(app).splitlines()[3])


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_hostile_names_are_shown_and_never_obeyed(opened: Open, scene: Scene, size: tuple[int, int]) -> None:
    retried(scene, target=HOSTILE, actor=HOSTILE)
    async with opened(size) as (app, pilot):
        assert_nothing_raw(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OperationScreen) and "evil[bold]$x[/]" in seen_on(app))
        assert_nothing_raw(app)


def test_an_unfinished_act_is_looked_at_however_old_it_is(scene: Scene) -> None:
    number = scene.store.begin_operation(
        OperationKind.DELIVERY_RETRY, actor="bob", target="all", reason=None, now_ms=scene.clock.now_ms()
    )
    with scene.store.transaction():
        for _ in range(PAGE + 5):
            retried(scene)
    newest = scene.store.operations(limit=1)[0].id
    assert number not in {operation.id for operation in read_newer(scene.store, newest, ())}
    assert number in {operation.id for operation in read_newer(scene.store, newest, (number,))}


def test_every_kind_has_words(scene: Scene) -> None:
    for kind in OperationKind:
        scene.store.begin_operation(kind, actor="ada", target="t", reason=None, now_ms=scene.clock.now_ms())
    for operation in scene.store.operations(limit=50):
        assert operation_lines(operation)
        assert result_cell(operation)[0] == "… 0 so far"
        assert matches(operation, f"ada {operation.kind}")
        assert not matches(operation, "ada zebra")
        assert len(what_words(operation)) <= 11, "it is not cut off at any width"


async def test_a_bulk_operation_shows_how_far_it_is_and_can_be_stopped_and_undone(opened: Open, scene: Scene) -> None:
    store, now = scene.store, scene.clock.now_ms()
    store.accept([NewEvent(type="a.b", payload=b"{}") for _ in range(40)], now)
    before = {d.id: d.state for d in store.deliveries(DeliveryFilter(), limit=500)}
    begun = begin_cancel(store, DeliveryFilter(states=(DeliveryState.PENDING,)), actor="ada", now_ms=now)
    assert begun.total is not None
    store.advance_operation(begun.id, limit=10, now_ms=now)
    async with opened() as (app, pilot):
        assert f"10 of {begun.total}" in seen_on(app)
        await pilot.press("x")
        await until(pilot, lambda: "Stop op_" in seen_on(app))
        await pilot.press("y")
        await until(pilot, lambda: "stopped after 10" in seen_on(app))
        assert not store.operation(begun.id).is_open
        await pilot.press("u")
        await until(pilot, lambda: "Undo op_" in seen_on(app))
        await pilot.press("y")
        await until(pilot, lambda: store.operations(limit=1)[0].kind is OperationKind.DELIVERY_UNDO)
        await until(pilot, lambda: not store.open_operations())
    assert {d.id: d.state for d in store.deliveries(DeliveryFilter(), limit=500)} == before


async def test_read_only_offers_neither_stop_nor_undo(opened: Open, scene: Scene) -> None:
    begin_cancel(scene.store, DeliveryFilter(states=(DeliveryState.PENDING,)), actor="ada", now_ms=scene.clock.now_ms())
    async with opened() as (app, pilot):
        app.session.read_only = True
        await pilot.press("x", "u")
        await pilot.pause()
        assert "Stop op_" not in seen_on(app)
    assert scene.store.open_operations()
