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
from console.operations import deliveries as operations
from console.ui.screens.retry import ProgressScreen, RetryScreen
from console.ui.steering import retry_deliveries
from console.ui.taking_back import stop_operation, undo_operation
from console.ui.widgets.confirm import ConfirmScreen
from tests.factories import (
    attempt_all,
    begin_bulk,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    make_exchange,
)
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
    monkeypatch.setattr(operations, "CONFIRM_ABOVE", 5)
    monkeypatch.setattr(operations, "CHUNK", 2)
    scene.store.accept([make_event(type="lead.won") for _ in range(6)], scene.clock.now_ms())
    attempt_all(scene.store, scene.epoch, failed(), now_ms=scene.clock.now_ms())
    scene.beat()
    return scene


async def asked(app: Host, pilot: Pilot[None]) -> RetryScreen:
    await until(pilot, lambda: isinstance(app.screen, RetryScreen) and "the same:" in seen_on(app))
    assert isinstance(app.screen, RetryScreen)
    return app.screen


def count(scene: Scene) -> int:
    return sum(scene.store.count_deliveries(FAILED).values())


async def test_the_preview_says_how_many_where_and_how_long(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await asked(app, pilot)
        shown = seen_on(app)
        assert f"Retry {count(many)} deliveries: all that match state:failed?" in shown
        assert "webhook-console deliveries retry --filter state:failed" in shown
        assert "→ leads · under 1s (now" in shown
        await pilot.press("escape")
        await until(pilot, lambda: answers == [False])
        assert many.store.open_operations() == []


async def test_all_now_is_left_to_the_engine_and_its_progress_is_shown(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        total = count(many)
        await asked(app, pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ProgressScreen) and f"0 of {total} · 0%" in seen_on(app))
        (begun,) = many.store.open_operations()
        assert (begun.kind, begun.rate_per_s, begun.done) == (OperationKind.DELIVERY_RETRY, None, 0)
        many.store.advance_operation(begun.id, limit=2, now_ms=many.clock.now_ms())
        await until(pilot, lambda: f"2 of {total}" in seen_on(app))
        many.store.advance_operation(begun.id, limit=100, now_ms=many.clock.now_ms())
        await until(pilot, lambda: f"delivered 0, failed again 0, {total} still wait" in seen_on(app))
        attempt_all(many.store, many.epoch, delivered(), now_ms=many.clock.now_ms())
        await until(pilot, lambda: f"delivered {total}, failed again 0" in seen_on(app))
        await pilot.press("escape")
        await until(pilot, lambda: answers == [True])


async def test_x_ends_it_where_it_is(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await asked(app, pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ProgressScreen) and "x stops it" in seen_on(app))
        (begun,) = many.store.open_operations()
        await pilot.press("x")
        await until(pilot, lambda: "stopped after" in seen_on(app))
        assert many.store.operation(begun.id).cancelled_by == "ada@box"
        await pilot.press("escape")
        await until(pilot, lambda: answers == [True])


async def test_a_rate_says_how_long_it_takes_before_it_is_taken(many: Scene, asking: Asking) -> None:
    async with asking(retry_deliveries, FAILED) as (app, pilot, _):
        await asked(app, pilot)
        await pilot.press("r", *"fast", "enter")
        await until(pilot, lambda: "rate 'fast': write it as 50/s, 1000/m or 20000/h" in seen_on(app))
        assert app.screen.query_one(Input).value == "fast", "what was typed stays, to be put right"
        assert not many.store.open_operations()
        await pilot.press(*(["backspace"] * 4))
        await pilot.press(*"6/m")
        await until(pilot, lambda: "0.1/s asked" in seen_on(app) or "/s asked)" in seen_on(app))
        assert "--rate 6/m" in seen_on(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ProgressScreen))
        assert many.store.open_operations()[0].rate_per_s == 0.1


async def test_without_an_engine_the_console_carries_it_on(many: Scene, asking: Asking) -> None:
    many.store.release(epoch=many.epoch, now_ms=many.clock.now_ms())
    async with asking(retry_deliveries, FAILED) as (app, pilot, _):
        await asked(app, pilot)
        await pilot.press("c")
        await until(pilot, lambda: "no engine is running: nothing would be sent" in seen_on(app))
        await pilot.press("y")
        await until(pilot, lambda: "nothing is sent until one starts" in seen_on(app))
        assert many.store.count_deliveries(FAILED) == {}


async def test_one_goes_first_and_the_rest_when_it_was_taken(many: Scene, asking: Asking) -> None:
    first = min(d.id for d in many.store.deliveries(FAILED, limit=100))
    total = count(many)
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await asked(app, pilot)
        await pilot.press("c")
        await until(pilot, lambda: many.store.delivery(first).state is DeliveryState.PENDING)
        assert count(many) == total - 1
        claimed = claim_all(many.store, many.epoch, now_ms=many.clock.now_ms())
        answer = make_exchange(response_body=b"thanks \x1b]52;c;AA==\x07\nsecond line")
        done = [make_completed(c, delivered(), now_ms=many.clock.now_ms(), exchange=answer) for c in claimed]
        many.store.complete(done, epoch=many.epoch)
        await until(pilot, lambda: "✓ delivered · HTTP 200" in seen_on(app))
        await until(pilot, lambda: "│ second line" in seen_on(app) and f"{total - 1} are left." in seen_on(app))
        assert "\x1b" not in seen_on(app)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ProgressScreen) or answers == [True])
        assert many.store.operations(limit=1)[0].total == total - 1


async def test_when_the_first_fails_again_the_rest_stays(many: Scene, asking: Asking) -> None:
    total = count(many)
    async with asking(retry_deliveries, FAILED) as (app, pilot, answers):
        await asked(app, pilot)
        await pilot.press("c")
        await until(pilot, lambda: count(many) == total - 1)
        attempt_all(many.store, many.epoch, failed(), now_ms=many.clock.now_ms())
        await until(pilot, lambda: "✗ failed again: http_4xx · HTTP 422" in seen_on(app))
        await pilot.press("n")
        await until(pilot, lambda: answers == [True])
        assert count(many) == total


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
        await until(pilot, lambda: answers == [False] and app.said)
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
        await until(pilot, lambda: app.said)
        assert "it was done before what it changed was kept" in app.said[0]


async def test_what_was_changed_since_cannot_be_undone(scene: Scene, asking: Asking) -> None:
    operation = ended(scene)
    assert operation.done
    undone = begin_bulk(scene.store, OperationKind.DELIVERY_UNDO, undoes=operation.id, now_ms=scene.clock.now_ms())
    scene.store.advance_operation(undone.id, limit=100, now_ms=scene.clock.now_ms())
    async with asking(undo_operation, operation) as (app, pilot, answers):
        await until(pilot, lambda: answers == [False] and app.said)
        assert len(app.said) == 1
        assert "nothing of it is left to undo" in app.said[0]
