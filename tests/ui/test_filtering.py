"""The filter line on home: the same language in both panes, with texts that only the store can find."""

import os
import stat
from collections.abc import Callable

from console.saved_filters import SavedFilters
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.widgets.filter_bar import FilterBar
from console.ui.widgets.safe_input import SafeInput
from tests.factories import attempt_all, delivered, failed, make_event
from tests.ui.conftest import MovableClock, screen_text, until
from tests.ui.test_home import fill, read, tables

Make = Callable[..., ConsoleApp]


async def test_texts_are_found_in_the_tail_and_in_what_comes_later(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await read(pilot, app)
        _, tail = tables(app)
        before = len(tail.model.rows)
        await pilot.press("tab", "slash", *'text:"card declined"')
        await until(pilot, lambda: not tail.model.rows)
        store.accept([make_event(type="invoice.paid", payload=b'{"why": "card declined"}')], clock.now_ms())
        attempt_all(store, epoch, failed(), now_ms=clock.now_ms())
        store.accept([make_event(type="invoice.paid", payload=b'{"why": "no reason"}')], clock.now_ms())
        attempt_all(store, epoch, delivered(), now_ms=clock.now_ms())
        await until(pilot, lambda: len(tail.model.rows) == 1)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: len(tail.model.rows) == before + 2)
        await pilot.press("slash", *"-failed text:declined")
        await until(pilot, lambda: not tail.model.rows)


async def test_both_panes_share_what_was_typed_and_what_is_saved(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await read(pilot, app)
        endpoints, tail = tables(app)
        await pilot.press("slash", *"status:5xx")
        await until(pilot, lambda: "endpoints have no status" in screen_text(app))
        await pilot.press("ctrl+u", *"state:paused", "enter")
        await until(pilot, lambda: [row.name for row in endpoints.rows] == ["paused"])
        await pilot.press("escape", "tab", "slash", "up")
        typed = app.screen.query_one(FilterBar).query_one(SafeInput)
        await until(pilot, lambda: typed.value == "state:paused" and "never paused" in screen_text(app))
        await pilot.press("ctrl+u", *"crm", "ctrl+s")
        await until(pilot, lambda: "under which name" in screen_text(app))
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: "@mine is saved" in screen_text(app))
        await until(pilot, lambda: len(tail.model.rows) == 3)

    saved = SavedFilters(os.environ)
    assert saved.read() == {"mine": "crm"}
    assert stat.S_IMODE(saved.path.stat().st_mode) == 0o600


async def test_a_file_of_saved_filters_that_is_wrong_is_said_and_stops_nothing(
    store: Store, clock: MovableClock, make_console: Make
) -> None:

    fill(store, clock)
    app = make_console()
    path = SavedFilters(os.environ).path
    path.parent.mkdir(parents=True)
    path.write_text("mine = 1\n", "utf-8")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await read(pilot, app)
        endpoints, _ = tables(app)
        await pilot.press("slash", *"paused")
        await until(pilot, lambda: "filters.toml:1: `mine` must be" in screen_text(app))
        await until(pilot, lambda: [row.name for row in endpoints.rows] == ["paused"])


async def test_keys_that_are_typed_ahead_mean_what_they_meant(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await read(pilot, app)
        endpoints, _ = tables(app)
        await pilot.press("slash")
        await until(pilot, lambda: app.screen.query(FilterBar))
        bar = app.screen.query_one(FilterBar)
        typed = bar.query_one(SafeInput)
        # All in one turn of the loop, as a terminal hands over what was typed while it was away.
        typed.insert_text_at_cursor("en")
        bar.action_take()
        typed.insert_text_at_cursor("b")
        bar.action_take()
        assert typed.value == "endpoint:billing"
        bar.action_keep()
        await until(pilot, lambda: [row.name for row in endpoints.rows] == ["billing"])


async def test_what_may_become_a_key_narrows_the_endpoints_meanwhile(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await read(pilot, app)
        endpoints, _ = tables(app)
        await pilot.press("slash", *"en")
        await until(pilot, lambda: "endpoint:" in screen_text(app) and not endpoints.rows)
        await pilot.press("backspace")
        await until(pilot, lambda: len(endpoints.rows) == 3, "each URL has an e")


async def test_a_text_that_is_half_typed_shows_what_begins_so(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = fill(store, clock)
    store.accept([make_event(type="invoice.paid", payload=b'{"why": "card declined"}')], clock.now_ms())
    attempt_all(store, epoch, failed(), now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await read(pilot, app)
        _, tail = tables(app)
        await pilot.press("tab", "slash", *'text:"card decl')
        await until(pilot, lambda: len(tail.model.rows) == 1)
        assert "while it is typed; Enter looks for whole words" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "the quote is not closed" in screen_text(app), "an open quote is not kept")
        await pilot.press("quotation_mark", "enter")
        await until(pilot, lambda: not tail.model.rows, "as whole words nothing says it")
        assert "no index of words" in screen_text(app)
