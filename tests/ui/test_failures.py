"""Failures: what is listed, what the filters mean, and what the keys do to the store."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId
from console.domain.operation import OperationKind
from console.domain.outcome import Cause
from console.store import Store
from console.ui import failure_search
from console.ui.app import ConsoleApp
from console.ui.failure_search import Piece
from console.ui.previews import same_command
from console.ui.screens.failures import FailuresScreen
from console.ui.screens.groups import GroupsScreen
from console.ui.screens.home import HomeScreen
from console.ui.widgets.confirm import PromptScreen
from console.ui.widgets.failure_table import PAGE, FailureTable
from console.ui.widgets.filter_bar import FilterBar
from console.ui.widgets.group_table import GroupTable
from console.ui.widgets.safe_input import SafeInput
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_event, retry, start_engine
from tests.ui.conftest import SIZES, MovableClock, screen_text, until
from tests.ui.test_explain import make_endpoint

Make = Callable[..., ConsoleApp]
ALL = DeliveryFilter()


def fill(store: Store, clock: MovableClock) -> int:
    """`crm` owes 3 failed ones (4xx), `billing` 2 that wait for another try (5xx). Returns the engine's epoch."""
    now_ms = clock.now_ms()
    add_endpoint(store, name="crm", types=("invoice.*",), now_ms=now_ms)
    add_endpoint(store, name="billing", types=("payment.*",), now_ms=now_ms)
    epoch = start_engine(store, now_ms=now_ms)
    store.accept([make_event(type="invoice.paid") for _ in range(3)], now_ms)
    attempt_all(store, epoch, failed(), now_ms=now_ms)
    store.accept([make_event(type="payment.failed") for _ in range(2)], now_ms)
    attempt_all(store, epoch, retry(now_ms + 300_000), now_ms=now_ms)
    return epoch


async def open_failures(pilot: Any, app: ConsoleApp, rows: int = 5) -> FailureTable:
    await until(pilot, lambda: app.snapshot is not None and isinstance(app.screen, HomeScreen))
    await pilot.press("F")
    await until(pilot, lambda: isinstance(app.screen, GroupsScreen) and bool(app.screen.query(GroupTable)))
    await pilot.press("b")
    await until(pilot, lambda: isinstance(app.screen, FailuresScreen) and bool(app.screen.query(FailureTable)))
    table = app.screen.query_one(FailureTable)
    await until(pilot, lambda: table.pages.count == rows, f"{rows} rows")
    return table


def states(store: Store) -> list[DeliveryState]:
    return sorted(d.state for d in store.deliveries(ALL, limit=1000))


def due_now(deliveries: list[Delivery], clock: MovableClock) -> int:
    return sum(d.state is DeliveryState.PENDING and (d.next_attempt_at_ms or 0) <= clock.now_ms() for d in deliveries)


@pytest.mark.parametrize("size", SIZES)
async def test_lists_what_failed_and_what_is_retried(
    store: Store, clock: MovableClock, make_console: Make, size: Any
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await open_failures(pilot, app)
        await pilot.pause()
        shown = screen_text(app)
    for words in ("Home › Failures", "✗ failed", "↻ retrying", "422 http_4xx", "503 http_5xx", "1/10", "AGE", "5m"):
        assert words in shown, words
    assert shown.index("payment.failed") < shown.index("invoice.paid"), "newest first"


@pytest.mark.parametrize("size", SIZES)
async def test_r_retries_the_current_one(store: Store, clock: MovableClock, make_console: Make, size: Any) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_failures(pilot, app)
        await pilot.press("G", "r")
        await until(pilot, lambda: "Retry 1 delivery now?" in screen_text(app))
        assert "1 → crm" in screen_text(app)
        await pilot.press("enter")  # No has the focus
        await until(pilot, lambda: isinstance(app.screen, FailuresScreen))
        assert states(store).count(DeliveryState.FAILED) == 3
        await pilot.press("r")
        await until(pilot, lambda: "Retry 1 delivery now?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: states(store).count(DeliveryState.FAILED) == 2)
        await until(pilot, lambda: "1 delivery due now" in screen_text(app))
        await until(pilot, lambda: screen_text(app).count("✗ failed") == 2)
        assert due_now(store.deliveries(ALL, limit=10), clock) == 1


async def test_r_retries_the_marked_ones(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("g", "space", "j", "j", "space")
        await until(pilot, lambda: "2 marked" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: "Retry 2 deliveries" in screen_text(app))
        assert "1 → billing" in screen_text(app)
        assert "1 → crm" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: due_now(store.deliveries(ALL, limit=10), clock) == 2)
        await until(pilot, lambda: table.marks == ())


async def test_capital_r_retries_all_that_match(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    store.set_endpoint_state(store.find_endpoint("crm").id, EndpointState.PAUSED, "deploy", clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("x")
        await until(pilot, lambda: table.pages.count == 3)
        await pilot.press("R")
        await until(pilot, lambda: "Retry 3 deliveries" in screen_text(app))
        assert "paused: waits until it is resumed" in screen_text(app)
        assert "billing" not in screen_text(app).split("Retry 3")[1].split("No (n)")[0]
        await pilot.press("y")
        await until(pilot, lambda: DeliveryState.FAILED not in states(store))
        operation = store.operations(limit=1)[0]
        assert (operation.kind, operation.done) == (OperationKind.DELIVERY_RETRY, 3)
        await until(pilot, lambda: table.pages.count == 0)
        assert "Nothing matches" in screen_text(app)


async def test_capital_r_keeps_to_the_text_of_the_filter(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("slash", *"billing", "enter")
        await until(pilot, lambda: table.pages.count == 2 and app.focused is table)
        await pilot.press("R")
        await until(pilot, lambda: "Retry 2 deliveries" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: due_now(store.deliveries(ALL, limit=10), clock) == 2)
    assert states(store).count(DeliveryState.FAILED) == 3


async def test_d_cancels_after_a_question(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_failures(pilot, app)
        await pilot.press("d")
        await until(pilot, lambda: "Cancel 1 delivery for good?" in screen_text(app))
        await pilot.press("y")
        await until(pilot, lambda: states(store).count(DeliveryState.CANCELLED) == 1)
        await until(pilot, lambda: app.screen.query_one(FailureTable).pages.count == 4)


async def test_x_and_c_cycle_filters_and_esc_clears(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("x", "x")
        await until(pilot, lambda: table.pages.count == 2 and "retrying" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: table.pages.count == 5)
        await pilot.press("c")
        await until(pilot, lambda: {d.last_cause for d in table.pages.deliveries} == {Cause.HTTP_4XX})
        assert "http_4xx" in screen_text(app).splitlines()[3]
        await pilot.press("c")  # what is not in the list is not offered
        await until(pilot, lambda: {d.last_cause for d in table.pages.deliveries} == {Cause.HTTP_5XX})
        await pilot.press("c")
        await until(pilot, lambda: table.pages.count == 5)
        await pilot.press("c")
        await until(pilot, lambda: table.pages.count == 3)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_slash_filters_by_what_is_typed(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("slash", *"bill", "enter")
        await until(pilot, lambda: {d.endpoint_name for d in table.pages.deliveries} == {"billing"})
        await pilot.press("slash", *" cause:zz")
        await until(pilot, lambda: "'zz' is no cause" in screen_text(app))
        assert table.pages.count == 2, "the last filter that could be read stays"
        lines = screen_text(app).splitlines()
        at = next(at for at, line in enumerate(lines) if line.startswith(" /"))
        line, carets = lines[at : at + 2]
        assert carets.index("^") == line.index("zz"), "under its place"
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen.query(FilterBar), "what cannot be read is not kept"
        await pilot.press("escape")
        await until(pilot, lambda: table.pages.count == 5)
        assert not app.screen.query(FilterBar)


async def test_a_filter_is_completed_saved_and_used_again(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("slash", *"en", "tab", *"b")
        bar = app.screen.query_one(FilterBar)
        typed = bar.query_one(SafeInput)
        await until(pilot, lambda: typed.value == "endpoint:b" and " ► billing" in screen_text(app))
        await pilot.press("right")
        await until(pilot, lambda: typed.value == "endpoint:billing" and table.pages.count == 2)
        await pilot.press("space", *"ca", "tab", "down", "tab")
        await until(pilot, lambda: typed.value == f"endpoint:billing cause:{list(Cause)[1]}")
        await pilot.press("ctrl+w", "ctrl+w", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        await pilot.press(*"ours", "enter")
        await until(pilot, lambda: "@ours is saved" in screen_text(app))
        await pilot.press("ctrl+u", *"@o", "tab")
        await until(pilot, lambda: typed.value == "@ours" and table.pages.count == 2)
        assert "= endpoint:billing" in screen_text(app)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: table.pages.count == 5)
        await pilot.press("slash", "up")
        await until(pilot, lambda: table.pages.count == 2)
        assert app.screen.query_one(FilterBar).query_one(SafeInput).value == "@ours"


async def test_marks_outlive_a_filter_and_escape(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("g", "space", "slash", *"crm", "enter")
        await until(pilot, lambda: table.pages.count == 3)
        assert "1 marked, 1 of them not shown" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: table.pages.count == 5)
        assert len(table.marks) == 1
        await pilot.press("r")
        await until(pilot, lambda: "Retry 1 delivery now?" in screen_text(app))
        assert "1 → billing" in screen_text(app)


async def test_states_that_are_named_are_shown(store: Store, clock: MovableClock, make_console: Make) -> None:
    epoch = fill(store, clock)
    clock.advance(301)
    attempt_all(store, epoch, delivered(), now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app, rows=3)
        await pilot.press("slash", *"state:delivered", "enter")
        await until(pilot, lambda: {d.state for d in table.pages.deliveries} == {DeliveryState.DELIVERED})
        assert table.pages.count == 2


async def test_texts_are_found_in_payloads_and_answers(store: Store, clock: MovableClock, make_console: Make) -> None:
    epoch = fill(store, clock)
    store.accept([make_event(type="invoice.paid", payload=b'{"why": "card declined"}')], clock.now_ms())
    attempt_all(store, epoch, failed(), now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        table = await open_failures(pilot, app, rows=6)
        await pilot.press("slash", *'text:"CARD declined"', "enter")
        await until(pilot, lambda: [d.id for d in table.pages.deliveries] == [6])
        assert "no index of words" in screen_text(app)
        await pilot.press("slash", "ctrl+u", *'crm text:"ok"', "enter")
        await until(pilot, lambda: table.pages.count == 4)


async def test_rows_appear_while_the_search_goes_on(
    store: Store, clock: MovableClock, make_console: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, clock)
    gate = Event()

    def piece(store: Store, where: DeliveryFilter, *, limit: int, before: DeliveryId | None) -> Piece:
        """One row a piece; all but the first wait."""
        if before is not None:
            gate.wait(10)
        rows = tuple(store.deliveries(where, limit=1, before=before))
        if not rows:
            return Piece(rows=(), reached=0, done=True, at_ms=None)
        return Piece(rows=rows, reached=rows[0].id, done=False, at_ms=rows[0].created_at_ms)

    monkeypatch.setattr(failure_search, "_piece", piece)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        table = await open_failures(pilot, app, rows=1)
        await until(pilot, lambda: "going on …" in screen_text(app))
        assert "searched back to" in screen_text(app)
        await pilot.press("space")
        await until(pilot, lambda: len(table.marks) == 1, "keys do not wait")
        gate.set()
        await until(pilot, lambda: table.pages.complete and table.pages.count == 5)
        assert "going on" not in screen_text(app)
        numbers = [d.id for d in table.pages.deliveries]
        assert numbers == sorted(set(numbers), reverse=True)


async def test_read_only_only_looks(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console(read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_failures(pilot, app)
        assert "Retry" not in screen_text(app)
        await pilot.press("r", "R", "d")
        await pilot.pause()
        assert isinstance(app.screen, FailuresScreen)
    assert states(store) == ["failed"] * 3 + ["pending"] * 2


async def test_pages_come_as_one_scrolls(store: Store, clock: MovableClock, make_console: Make) -> None:
    now_ms = clock.now_ms()
    add_endpoint(store, now_ms=now_ms)
    epoch = start_engine(store, now_ms=now_ms)
    store.accept([make_event() for _ in range(PAGE + 30)], now_ms)
    attempt_all(store, epoch, failed(), now_ms=now_ms)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app, rows=PAGE)
        assert f"{PAGE}+" in screen_text(app)
        await pilot.press("G")
        await until(pilot, lambda: table.pages.count == PAGE + 30)
        assert table.pages.complete
        numbers = [d.id for d in table.pages.deliveries]
        assert numbers == sorted(set(numbers), reverse=True)


async def test_the_list_refreshes_by_itself(store: Store, clock: MovableClock, make_console: Make) -> None:
    epoch = fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        store.accept([make_event(type="invoice.paid")], clock.now_ms())
        attempt_all(store, epoch, failed(), now_ms=clock.now_ms())
        await until(pilot, lambda: table.pages.count == 6)


async def test_away_from_the_top_rows_stay_and_newer_ones_are_announced(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("j")
        current = table.current
        store.accept([make_event(type="invoice.paid")], clock.now_ms())
        attempt_all(store, epoch, failed(), now_ms=clock.now_ms())
        await until(pilot, lambda: "newer ones above" in screen_text(app))
        assert table.pages.count == 5
        assert current is not None
        assert table.current is not None
        assert table.current.delivery.id == current.delivery.id
        assert table.cursor == 1
        await pilot.press("g")
        await until(pilot, lambda: table.pages.count == 6 and table.cursor == 0)
        assert "newer ones above" not in screen_text(app)


async def test_what_was_delivered_since_it_was_marked_is_not_sent_again(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        await pilot.press("g", "space", "G", "space")
        assert len(table.marks) == 2
        clock.advance(301)
        attempt_all(store, epoch, delivered(), now_ms=clock.now_ms())
        await pilot.press("r")
        await until(pilot, lambda: "Retry 1 delivery now?" in screen_text(app))
        assert "invoice.paid · evt_" in screen_text(app)
        assert "deliveries retry dlv_" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: due_now(store.deliveries(ALL, limit=10), clock) == 1)
    assert states(store).count(DeliveryState.DELIVERED) == 2


def test_the_command_that_does_the_same() -> None:
    crm = make_endpoint(id=EndpointId("ep_1"), name="crm; rm")
    known = {crm.id: crm}
    failed_at = DeliveryFilter(states=(DeliveryState.FAILED,), endpoints=(crm.id,), type_pattern="invoice.*")
    said = """the same: webhook-console deliveries retry --filter 'endpoint:"crm; rm" state:failed type:invoice.*'"""
    assert same_command("retry", failed_at, known) == ["", said]
    troubled = same_command("retry", DeliveryFilter(troubled=True), known)
    assert troubled == ["", "the same: webhook-console deliveries retry --filter state:troubled"]
    assert same_command("cancel", DeliveryFilter(ids=(DeliveryId(51),), troubled=True), known)[1].endswith("dlv_00001k")


async def test_two_presses_ask_once(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_failures(pilot, app)
        table.action_retry()
        table.action_retry()
        await until(pilot, lambda: "Retry 1 delivery now?" in screen_text(app))
        await pilot.pause(0.1)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, FailuresScreen))
        await pilot.pause(0.1)
        assert isinstance(app.screen, FailuresScreen)
