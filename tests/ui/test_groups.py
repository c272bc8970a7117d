"""Failures by cause: what is listed, the example, and what the keys do to the store."""

from collections.abc import Callable
from typing import Any

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.moment import Moment
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.screens.failures import FailuresScreen
from console.ui.screens.groups import GroupsScreen
from console.ui.screens.home import HomeScreen
from console.ui.screens.inspector import InspectorScreen
from console.ui.widgets.failure_table import FailureTable
from console.ui.widgets.group_table import GroupTable
from tests.factories import (
    add_endpoint,
    claim_all,
    failed,
    make_completed,
    make_event,
    make_exchange,
    retry,
    start_engine,
)
from tests.ui.conftest import SIZES, MovableClock, screen_text, until

Make = Callable[..., ConsoleApp]
HOSTILE = b"no such customer 9 \x1b]52;c;aGk=\x07 [bold]x[/bold]"


def fill(store: Store, clock: MovableClock) -> None:
    """`crm` failed of 3 lost customers and 1 lock, `billing` waits for another try of 2."""
    now_ms = clock.now_ms()
    add_endpoint(store, name="crm", types=("invoice.*",), now_ms=now_ms)
    add_endpoint(store, name="billing", types=("payment.*",), now_ms=now_ms)
    epoch = start_engine(store, now_ms=now_ms)
    bodies = [f"no such customer {n}".encode() for n in (7, 8, 9)] + [b"locked"]
    store.accept([make_event(type="invoice.paid") for _ in bodies], now_ms)
    claimed = claim_all(store, epoch, now_ms=now_ms)
    given = [make_exchange(response_body=body) for body in bodies]
    store.complete(
        [make_completed(c, failed(), now_ms=now_ms, exchange=x) for c, x in zip(claimed, given, strict=True)],
        epoch=epoch,
    )
    store.accept([make_event(type="payment.failed") for _ in range(2)], now_ms)
    claimed = claim_all(store, epoch, now_ms=now_ms)
    store.complete(
        [make_completed(c, retry(now_ms + 300_000), now_ms=now_ms, exchange=None) for c in claimed], epoch=epoch
    )


async def open_groups(pilot: Any, app: ConsoleApp, rows: int = 3) -> GroupTable:
    await until(pilot, lambda: app.snapshot is not None and isinstance(app.screen, HomeScreen))
    await pilot.press("F")
    await until(pilot, lambda: isinstance(app.screen, GroupsScreen) and bool(app.screen.query(GroupTable)))
    table = app.screen.query_one(GroupTable)
    await until(pilot, lambda: len(table.rows) == rows, f"{rows} groups")
    return table


@pytest.mark.parametrize("size", SIZES)
async def test_lists_groups_the_largest_first_with_an_example(
    store: Store, clock: MovableClock, make_console: Make, size: Any
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await open_groups(pilot, app)
        await until(pilot, lambda: "HTTP 422; schedule exhausted" in screen_text(app))
        shown = screen_text(app)
    assert "Failures by cause · 3 groups · 6 deliveries" in shown
    for words in ("Home › Failures by cause", "422 http_4xx", "503 http_5xx", "no such customer …", "TREND", "FIRST"):
        assert words in shown, words
    assert shown.index("no such customer …") < shown.index("503 http_5xx") < shown.index("locked")
    assert "application/json · " in shown
    assert "\x1b" not in shown


async def test_what_came_back_is_shown_as_text(store: Store, clock: MovableClock, make_console: Make) -> None:
    now_ms = clock.now_ms()
    add_endpoint(store, now_ms=now_ms)
    epoch = start_engine(store, now_ms=now_ms)
    store.accept([make_event()], now_ms)
    (claimed,) = claim_all(store, epoch, now_ms=now_ms)
    exchange = make_exchange(response_body=HOSTILE)
    store.complete([make_completed(claimed, failed(), now_ms=now_ms, exchange=exchange)], epoch=epoch)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_groups(pilot, app, rows=1)
        await until(pilot, lambda: "no such customer 9 ␛]52;c;aGk=␇ [bold]x[/bold]" in screen_text(app))


async def test_enter_opens_the_group_and_b_lists_one_by_one(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_groups(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FailuresScreen) and bool(app.screen.query(FailureTable)))
        table = app.screen.query_one(FailureTable)
        await until(pilot, lambda: table.pages.count == 3, "the three of the group")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, FailuresScreen) and bool(app.screen.query(FailureTable)))
        table = app.screen.query_one(FailureTable)
        await until(pilot, lambda: table.pages.count == 6, "all of them")
        await pilot.press("b")
        await open_groups_again(pilot, app)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, InspectorScreen))


async def open_groups_again(pilot: Any, app: ConsoleApp) -> None:
    await until(pilot, lambda: isinstance(app.screen, GroupsScreen) and bool(app.screen.query(GroupTable)))
    await until(pilot, lambda: "HTTP 422; schedule exhausted" in screen_text(app), "its example")


async def test_r_retries_the_group_and_p_pauses_its_endpoint(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        table = await open_groups(pilot, app)
        await pilot.press("R")
        await until(pilot, lambda: "Retry 3 deliveries" in screen_text(app))
        assert "group:" in screen_text(app), "the command that does the same"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        await pilot.press("j", "p")
        await until(pilot, lambda: "Pause billing" in screen_text(app))
        await pilot.press(*"why", "enter")
        await until(pilot, lambda: store.find_endpoint("billing").state is EndpointState.PAUSED)
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen))
        assert [row.group.deliveries for row in table.rows] == [3, 2, 1]
    assert store.count_deliveries(DeliveryFilter(states=(DeliveryState.FAILED,)))[store.find_endpoint("crm").id] == 4


async def test_a_moment_of_the_past_shows_what_failed_then(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    at_ms = clock.now_ms()
    clock.advance(3600)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_groups(pilot, app)
        app.show_moment(Moment(at_ms=at_ms + 1000))
        await until(pilot, lambda: "6 failed attempts" in screen_text(app))
        app.show_moment(Moment(at_ms=at_ms - 3_600_000))
        await until(pilot, lambda: "Nothing failed in that time." in screen_text(app))
        assert "Retry the group" not in screen_text(app)


async def test_nothing_has_failed(make_console: Make) -> None:
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_groups(pilot, app, rows=0)
        await until(pilot, lambda: "Nothing has failed" in screen_text(app))
