"""Charts: what the screen shows of a window, how a window is cut into parts, and the strips and curves themselves."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.delivery import Verdict
from console.domain.moment import Moment
from console.domain.outcome import Cause
from console.domain.rates import WINDOWS
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.chart_reading import part_length_s, read_charts
from console.ui.screens.charts import ChartsScreen
from console.ui.screens.groups import GroupsScreen
from console.ui.screens.home import HomeScreen
from console.ui.widgets.heat import ALL, CAUSE_LETTERS, FEW, FINE, MOST, QUIET, SOME, heat_glyph, heat_strip
from console.ui.widgets.plot import curve_lines, round_up, time_line
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_event, start_engine
from tests.ui.conftest import MovableClock, screen_text, until

Make = Callable[..., ConsoleApp]


def fill(store: Store, clock: MovableClock) -> None:
    """`crm` took 9 events and failed of one, half a minute ago; `billing` failed of 4 just now."""
    now_ms = clock.now_ms()
    add_endpoint(store, name="crm", types=("invoice.*",), now_ms=now_ms)
    add_endpoint(store, name="billing", types=("payment.*",), now_ms=now_ms)
    epoch = start_engine(store, now_ms=now_ms)

    def run(kind: str, verdict: Verdict, count: int, ago_s: int) -> None:
        at_ms = now_ms - ago_s * 1000
        store.accept([make_event(type=kind) for _ in range(count)], at_ms - 60_000)
        attempt_all(store, epoch, verdict, now_ms=at_ms)

    run("invoice.paid", delivered(), 9, 30)
    run("invoice.paid", failed(Cause.TIMEOUT_READ, None), 1, 30)
    run("payment.failed", failed(Cause.HTTP_5XX, 503), 4, 2)


async def open_charts(pilot: Any, app: ConsoleApp) -> None:
    await until(pilot, lambda: app.snapshot is not None and isinstance(app.screen, HomeScreen))
    await pilot.press("C")
    await until(pilot, lambda: isinstance(app.screen, ChartsScreen) and "in all" in screen_text(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_charts_stand_beside_their_numbers(
    store: Store, clock: MovableClock, make_console: Make, size: Any
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await open_charts(pilot, app)
        shown = screen_text(app)
        for words in ("Charts · all endpoints · 5m", "9 in all", "35.7%", "5 in all", "5 http_5xx 4", "p50", "p99"):
            assert words in shown, words
        assert "5" in next(line for line in shown.splitlines() if " why " in line)
        assert "10.0%" in shown
        await pilot.press("j")
        await until(pilot, lambda: "Charts · billing · 5m" in screen_text(app) and "100%" in screen_text(app))
        await until(pilot, lambda: "0 in all" in screen_text(app))
        await pilot.press("1")
        await until(pilot, lambda: "Charts · billing · 1m" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, GroupsScreen) and "endpoint:billing" in screen_text(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, ChartsScreen))


async def test_a_moment_of_the_past_is_charted(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    then_ms = clock.now_ms()
    clock.advance(1800)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.snapshot is not None and isinstance(app.screen, HomeScreen))
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ChartsScreen) and "0 in all" in screen_text(app))
        app.show_moment(Moment(at_ms=then_ms + 60_000))
        await until(pilot, lambda: "9 in all" in screen_text(app))


async def test_a_strip_stands_in_each_line_of_home_where_there_is_room(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: f"{ALL}" in _line(app, "billing"))
        assert FINE not in _line(app, "billing")


def _line(app: ConsoleApp, name: str) -> str:
    return next((line for line in screen_text(app).splitlines() if f" {name} " in line), "")


@given(
    window=st.sampled_from(WINDOWS),
    most=st.integers(11, 250),
    now_ms=st.integers(1_700_000_000_000, 1_700_000_500_000),
)
def test_a_window_is_cut_into_even_parts_that_cover_it(window: Any, most: int, now_ms: int) -> None:
    part_s = part_length_s(window.length_s, window.width_s, most)
    assert part_s % window.width_s == 0
    until_s = now_ms // 1000 + 1
    since_s = (until_s - window.length_s) // part_s * part_s
    parts = range(since_s, until_s, part_s)
    assert len(parts) <= most
    assert parts[0] <= until_s - window.length_s < parts[0] + part_s


def test_parts_add_up(store: Store, clock: MovableClock) -> None:
    fill(store, clock)
    charts = read_charts(store, WINDOWS[1], None, most=60, moment=None, now_ms=clock.now_ms())
    assert (sum(part.ok for part in charts.parts), sum(part.failed for part in charts.parts)) == (9, 5)
    assert (charts.total.ok, charts.total.failed) == (9, 5)
    assert {cause for cause, _ in charts.causes} == {Cause.HTTP_5XX, Cause.TIMEOUT_READ}
    assert [row.name for row in charts.endpoints] == ["all endpoints", "billing", "crm"]
    for row in charts.endpoints:
        ended = [share for share in row.shares if share is not None]
        assert (sum(ok for ok, _ in ended), sum(failed for _, failed in ended)) == (row.total.ok, row.total.failed)


SHARES = st.lists(st.none() | st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=200)


@given(shares=SHARES, cells=st.integers(0, 120))
def test_a_strip_hides_no_failure_and_invents_none(shares: list[Any], cells: int) -> None:
    strip = heat_strip(shares, cells)
    assert len(strip) == cells
    if cells and shares:
        assert any(share and share[1] for share in shares) == any(glyph in FEW + SOME + MOST + ALL for glyph in strip)


def test_glyphs_grow_denser() -> None:
    assert [heat_glyph(*share) for share in ((0, 0), (9, 0), (99, 1), (9, 1), (1, 9), (0, 1))] == [
        QUIET, FINE, FEW, SOME, MOST, ALL,
    ]  # fmt: skip
    assert set(CAUSE_LETTERS) == set(Cause)
    assert len(set(CAUSE_LETTERS.values())) == len(CAUSE_LETTERS)


@given(st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=90), st.integers(1, 8), st.integers(1, 90))
def test_curves_fit_their_place(values: list[float | None], height: int, cells: int) -> None:
    lines = curve_lines([(values, "normal"), (values, "accent")], cells, height, str)
    assert len(lines) == height
    assert all(sum(len(text) for text, _ in line[1:]) == cells for line in lines)
    if all(value is not None for value in values):
        assert any(glyph > "⠀" for line in lines for text, _ in line[1:] for glyph in text)


@given(st.floats(0.001, 1e9))
def test_an_axis_ends_at_a_round_number_above_all(value: float) -> None:
    assert value * 0.999 <= round_up(value) <= value * 10


@given(st.lists(st.sampled_from(["14:02", "14:02:11"]), min_size=2, max_size=9), st.integers(9, 200))
def test_times_stay_on_their_line(labels: list[str], cells: int) -> None:
    (_, (text, _)) = time_line(labels, cells)
    assert len(text) == cells
