"""Retries at a rate, and bulk operations stopped and taken back; wrong answers, and refusals."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.operation import Operation, OperationKind
from console.ui import steering
from console.ui.steering import retry_deliveries, stop_operation, undo_operation
from console.ui.widgets.confirm import ConfirmScreen, PromptScreen
from tests.factories import attempt_all, begin_bulk, failed, make_event
from tests.ui.inspected import Host, Scene, make_scene, seen_on, until

Asking = Callable[..., AbstractAsyncContextManager[tuple[Host, Pilot[None], list[bool]]]]
FAILED = DeliveryFilter(states=(DeliveryState.FAILED,))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = make_scene(tmp_path)
    yield scene
    scene.store.close()


@pytest.fixture
def asking(scene: Scene) -> Asking:
    """An app in which one of the functions was called; its answers come into the list."""

    @asynccontextmanager
    async def ask(act: Callable[..., Any], *given: Any) -> AsyncIterator[tuple[Host, Pilot[None], list[bool]]]:
        app, answers = scene.host(), list[bool]()

        async def run() -> None:
            answers.append(await act(app, *given))

        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            app.run_worker(run(), exit_on_error=True)
            yield app, pilot, answers

    return ask


@pytest.fixture
def many(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Six failed deliveries, which are many here."""
    monkeypatch.setattr(steering, "ASK_RATE_ABOVE", 5)
    scene.store.accept([make_event(type="lead.won") for _ in range(6)], scene.clock.now_ms())
    attempt_all(scene.store, scene.epoch, failed(), now_ms=scene.clock.now_ms())
    scene.beat()
    return scene


async def ask_for_rate(app: Host, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    await pilot.press("y")
    await until(pilot, lambda: isinstance(app.screen, PromptScreen) and "How fast may" in seen_on(app))


async def test_a_retry_of_many_asks_how_fast_and_is_left_to_the_engine(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await ask_for_rate(app, pilot)
        await pilot.press(*"600/m", "enter")
        await until(pilot, lambda: answers == [True])
        (begun,) = many.store.open_operations()
        assert (begun.kind, begun.rate_per_s, begun.done) == (OperationKind.DELIVERY_RETRY, 10.0, 0)
        assert begun.total == sum(many.store.count_deliveries(FAILED).values())
        assert app.said == [f"op_{begun.id:06d} has begun: {begun.total} deliveries; a shows how far it is"]


async def test_an_empty_rate_is_as_fast_as_it_goes(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await ask_for_rate(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: answers == [True])
        assert many.store.open_operations()[0].rate_per_s is None


async def test_a_wrong_rate_is_said_and_asked_again(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await ask_for_rate(app, pilot)
        await pilot.press(*"fast", "enter")
        await until(pilot, lambda: "rate 'fast': write it as 50/s, 1000/m or 20000/h" in seen_on(app))
        assert isinstance(app.screen, PromptScreen)
        assert app.screen.query_one(Input).value == "fast", "what was typed stays, to be put right"
        assert not many.store.open_operations()
        await pilot.press(*(["backspace"] * 4))
        await until(pilot, lambda: "Enter accepts" in seen_on(app))
        await pilot.press(*"2/s", "enter")
        await until(pilot, lambda: answers == [True])
        assert many.store.open_operations()[0].rate_per_s == 2.0
        assert all("write it as" not in said for said in app.said)


async def test_escape_at_the_rate_begins_nothing(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await ask_for_rate(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: answers == [False])
        assert many.store.open_operations() == []


async def test_without_an_engine_no_rate_is_asked_for(many: Scene, asking: Asking) -> None:
    many.store.release(epoch=many.epoch, now_ms=many.clock.now_ms())
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: answers == [True])
        assert many.store.count_deliveries(FAILED) == {}


def begun(scene: Scene, kind: OperationKind = OperationKind.DELIVERY_CANCEL) -> Operation:
    return begin_bulk(scene.store, kind, now_ms=scene.clock.now_ms())


def ended(scene: Scene) -> Operation:
    return scene.store.advance_operation(begun(scene).id, limit=100, now_ms=scene.clock.now_ms())


async def test_what_is_at_its_end_cannot_be_stopped(scene: Scene, asking: Asking) -> None:
    operation = ended(scene)
    async with asking(stop_operation, operation) as (app, pilot, answers):
        await until(pilot, lambda: answers == [False])
        assert app.said == [f"op_{operation.id:06d} is at its end"]


async def test_what_ended_while_it_was_asked_says_so(scene: Scene, asking: Asking) -> None:
    operation = begun(scene)
    async with asking(stop_operation, operation) as (app, pilot, answers):
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        scene.store.advance_operation(operation.id, limit=100, now_ms=scene.clock.now_ms())
        await pilot.press("y")
        await until(pilot, lambda: answers == [False])
        (said,) = app.said
        assert f"op_{operation.id:06d} is at its end" in said
        assert "\n" not in said


async def test_no_stops_nothing(scene: Scene, asking: Asking) -> None:
    operation = begun(scene)
    async with asking(stop_operation, operation) as (app, pilot, answers):
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: answers == [False])
        assert scene.store.operation(operation.id).is_open
        assert app.said == []


async def test_what_still_goes_on_cannot_be_undone(scene: Scene, asking: Asking) -> None:
    operation = begun(scene)
    async with asking(undo_operation, operation) as (app, pilot, answers):
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: answers == [False])
        assert len(app.said) == 1
        assert "still goes on: end it first" in app.said[0]
        assert [o.id for o in scene.store.open_operations()] == [operation.id]


async def test_what_is_no_bulk_operation_cannot_be_undone(scene: Scene, asking: Asking) -> None:
    number = scene.store.begin_operation(
        OperationKind.ENDPOINT_PAUSE, actor="ada", target="crm", reason=None, now_ms=scene.clock.now_ms()
    )
    async with asking(undo_operation, scene.store.operation(number)) as (app, pilot, answers):
        await until(pilot, lambda: answers == [False] or isinstance(app.screen, ConfirmScreen))
        assert answers == [False], "not asked about what cannot be"
        assert len(app.said) == 1
        assert "only a retry, cancel or skip can be undone" in app.said[0]


async def test_what_was_changed_since_cannot_be_undone(scene: Scene, asking: Asking) -> None:
    operation = ended(scene)
    assert operation.done
    undone = begin_bulk(scene.store, OperationKind.DELIVERY_UNDO, undoes=operation.id, now_ms=scene.clock.now_ms())
    scene.store.advance_operation(undone.id, limit=100, now_ms=scene.clock.now_ms())
    async with asking(undo_operation, operation) as (app, pilot, answers):
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: answers == [False])
        assert len(app.said) == 1
        assert "nothing of it is left to undo" in app.said[0]
