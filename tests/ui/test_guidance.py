"""What the console says where there is nothing to look at yet."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.store import Store
from console.ui import guidance
from console.ui.app import ConsoleApp
from console.ui.guidance import Standing
from console.ui.screens.endpoint_form import EndpointForm
from console.ui.screens.home import HomeScreen
from console.ui.widgets.endpoint_table import EndpointTable
from console.ui.widgets.guide import Guide
from tests.factories import add_endpoint, make_event, start_engine
from tests.ui.conftest import SIZES, MovableClock, screen_text, until

Make = Callable[..., ConsoleApp]

LIVE = Standing(read_only=False, live=True, engine_alive=True, pending=0, store=None)


def words(lines: list[tuple[str, str]]) -> str:
    return "\n".join(command + text for command, text in lines)


def test_three_ways_to_begin_and_how_an_engine_is_started() -> None:
    said = words(guidance.no_endpoints(LIVE))
    assert "nadds" in said
    assert "webhook-console endpoints add URL" in said
    assert "webhook-console demo" in said
    assert "serve" not in said
    assert "webhook-console serve" in words(guidance.no_endpoints(replace(LIVE, engine_alive=False)))


def test_commands_name_a_store_that_is_not_the_usual_one() -> None:
    said = words(guidance.no_endpoints(replace(LIVE, store=Path("/srv/a b.db"), engine_alive=False)))
    assert "endpoints add URL --store '/srv/a b.db'" in said
    assert "serve --store '/srv/a b.db'" in said
    assert "demo --store" not in said


def test_who_may_only_look_is_told_of_nothing_to_do() -> None:
    for standing in (replace(LIVE, read_only=True, engine_alive=False), replace(LIVE, live=False, engine_alive=False)):
        said = words(guidance.no_endpoints(standing)) + guidance.no_attempts(standing) + guidance.held_up(standing)
        assert not any(word in said for word in ("serve", "endpoints add", "webhook-console send", "demo"))


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (LIVE, "t sends a test event"),
        (replace(LIVE, engine_alive=False), "No engine is running"),
        (replace(LIVE, pending=12, engine_alive=False), "12 deliveries wait, and no engine is running"),
        (replace(LIVE, pending=1), "1 delivery waits, for its time"),
    ],
)
def test_no_attempts(standing: Standing, said: str) -> None:
    assert said in guidance.no_attempts(standing)


def test_what_holds_everything_up_is_said_only_when_something_waits() -> None:
    assert guidance.held_up(LIVE) == guidance.held_up(replace(LIVE, engine_alive=False)) == ""
    assert guidance.held_up(replace(LIVE, pending=2)) == ""
    assert "2 deliveries wait" in guidance.held_up(replace(LIVE, pending=2, engine_alive=False))


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_store_is_a_panel_until_there_is_an_endpoint(
    store: Store, clock: MovableClock, make_console: Make, size: Any
) -> None:
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "Nothing is set up yet" in screen_text(app))
        await until(pilot, lambda: screen_text(app).splitlines()[-1].startswith(" F Failures"), "no key of a table")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, EndpointForm))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        add_endpoint(store, now_ms=clock.now_ms())
        await until(pilot, lambda: not app.screen.query(Guide) and isinstance(app.screen.focused, EndpointTable))
        await until(pilot, lambda: "t sends a test event" in screen_text(app))


async def test_deliveries_that_wait_for_an_engine_are_said_above_all(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    store.accept([make_event(), make_event()], clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "■ no engine is running and 2 deliveries wait" in screen_text(app))
        start_engine(store, now_ms=clock.now_ms())
        await until(pilot, lambda: "2 deliveries wait:" not in screen_text(app))
