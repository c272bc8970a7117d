"""The tail on a screen: back to the first attempt and forth again, counts that open, and ticks where errors are."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from console.domain.delivery import Attempt
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.live import BUSY_ABOVE, FIRST_PAGE
from console.ui.tail_pages import PAGE
from console.ui.widgets.attempt_tail import AttemptTail, Folded
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_event, start_engine
from tests.ui.conftest import MovableClock, screen_text, until

Make = Callable[..., ConsoleApp]

ALL = FIRST_PAGE + 2 * PAGE


def made(store: Store, clock: MovableClock, epoch: int, count: int, verdict: Any = None) -> None:
    store.accept([make_event() for _ in range(count)], clock.now_ms())
    with store.transaction():
        attempt_all(store, epoch, verdict or delivered(), now_ms=clock.now_ms(), limit=count)


def tail_of(app: ConsoleApp) -> AttemptTail:
    return app.screen.query_one(AttemptTail)


def ids(tail: AttemptTail) -> list[int]:
    return [row.id for row in tail.model.rows if isinstance(row, Attempt)]


async def past_on_screen(pilot: Any, app: ConsoleApp) -> AttemptTail:
    """Wait for the first page, and go to the tail."""
    await until(pilot, lambda: app.screen.query(AttemptTail) and len(ids(tail_of(app))) == FIRST_PAGE)
    tail = tail_of(app)
    tail.focus()
    await until(pilot, lambda: app.focused is tail)
    return tail


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_g_goes_to_the_first_of_all_and_capital_g_to_the_newest(
    store: Store, clock: MovableClock, make_console: Make, size: Any
) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    made(store, clock, epoch, ALL)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        tail = await past_on_screen(pilot, app)
        await pilot.press("g")
        await until(pilot, lambda: ids(tail)[0] == 1 and tail.cursor == 0)
        assert (tail.follow, tail.model.at_start, tail.model.detached) == (False, True, True)
        for _ in range(2 * ALL // tail.page_lines):  # page after page, all the way down
            await pilot.press("pagedown")
            await until(pilot, lambda: tail._asked is None)
        assert ids(tail) == list(range(1, ALL + 1))
        assert not tail.model.detached
        await pilot.press("g")
        await until(pilot, lambda: tail.cursor == 0)
        await pilot.press("G")
        await until(pilot, lambda: tail.follow and tail.cursor == len(tail.model.rows) - 1)
        assert ids(tail)[-1] == ALL


async def test_going_up_brings_what_is_older_and_moves_nothing(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    made(store, clock, epoch, ALL)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        tail = await past_on_screen(pilot, app)
        seen: list[int] = []
        while ids(tail)[0] > 1 or tail.cursor:
            row = tail.current
            assert isinstance(row, Attempt)
            seen.append(row.id)
            await pilot.press("pageup")
            await until(pilot, lambda: tail._asked is None)
            assert len(seen) < ALL
        assert seen == sorted(seen, reverse=True)
        assert max(a - b for a, b in pairwise(seen)) <= tail.page_lines, "no jump over a row"
        assert ids(tail) == list(range(1, ALL + 1))


async def test_a_count_opens_and_closes_and_errors_are_ticks(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    made(store, clock, epoch, FIRST_PAGE)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        tail = await past_on_screen(pilot, app)
        many = 2 * BUSY_ABOVE
        with store.transaction():
            made(store, clock, epoch, many)
            made(store, clock, epoch, 1, failed())
        await until(pilot, lambda: tail.model.folded == many)
        await until(pilot, lambda: f"✓ {many} delivered · crm {many}" in screen_text(app))
        await until(pilot, lambda: any("✗" in line and line[-1] in "╡┫" for line in screen_text(app).splitlines()))
        fold = next(index for index, row in enumerate(tail.model.rows) if isinstance(row, Folded))
        tail.move_cursor(fold)
        await pilot.press("enter")
        await until(pilot, lambda: len(ids(tail)) == FIRST_PAGE + 1 + many)
        assert "▾ ✓ 40 delivered" in screen_text(app)
        assert not tail.follow
        await pilot.press("j", "escape")
        await until(pilot, lambda: len(ids(tail)) == FIRST_PAGE + 1)
        assert isinstance(tail.current, Folded)
