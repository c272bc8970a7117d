"""Home: endpoints, the tail, and every key, asserted on the store and on the screen."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from console.domain.alerts import AlertChange, AlertKind, Breach
from console.domain.endpoint import EndpointState
from console.domain.outcome import Cause
from console.domain.pacing import Pace
from console.domain.status import Gauge
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.screens.home import HomeScreen
from console.ui.widgets.attempt_tail import AttemptTail, Folded
from console.ui.widgets.endpoint_table import EndpointTable, make_row, render_endpoint
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_event, retry, start_engine
from tests.ui.conftest import SIZES, MovableClock, screen_text, until

Make = Callable[..., ConsoleApp]


def fill(store: Store, clock: MovableClock) -> int:
    """Three endpoints: `crm` delivers, `billing` fails, `paused` holds. Returns the engine's epoch."""
    now_ms = clock.now_ms()
    for name, types in (("crm", ("invoice.*",)), ("billing", ("payment.*",)), ("paused", ("invoice.*",))):
        add_endpoint(store, name=name, url=f"https://{name}.example.com/in", types=types, now_ms=now_ms)
    store.set_endpoint_state(store.find_endpoint("paused").id, EndpointState.PAUSED, "deploy", now_ms)
    epoch = start_engine(store, now_ms=now_ms)
    store.accept([make_event(type="invoice.paid") for _ in range(3)], now_ms)
    attempt_all(store, epoch, delivered(), now_ms=now_ms)
    store.accept([make_event(type="payment.failed") for _ in range(2)], now_ms)
    attempt_all(store, epoch, retry(now_ms + 300_000), now_ms=now_ms)
    return epoch


def send(
    store: Store, clock: MovableClock, epoch: int, count: int, verdict: Any = None, type: str = "invoice.x"
) -> None:
    store.accept([make_event(type=type) for _ in range(count)], clock.now_ms())
    attempt_all(store, epoch, verdict or delivered(), now_ms=clock.now_ms())


def tables(app: ConsoleApp) -> tuple[EndpointTable, AttemptTail]:
    return app.screen.query_one(EndpointTable), app.screen.query_one(AttemptTail)


def screen_follows(app: ConsoleApp) -> bool:
    return tables(app)[1].follow


async def read(pilot: Any, app: ConsoleApp, rows: int = 3, attempts: int = 5) -> None:
    """Wait for the first data."""
    await until(pilot, lambda: isinstance(app.screen, HomeScreen) and bool(app.screen.query(AttemptTail)))
    endpoints, tail = tables(app)
    await until(pilot, lambda: len(endpoints.rows) == rows and len(tail.model.rows) >= attempts)


@pytest.mark.parametrize("size", SIZES)
async def test_shows_how_things_stand(store: Store, clock: MovableClock, make_console: Make, size: Any) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await read(pilot, app)
        await pilot.pause()
        shown = screen_text(app)
    for words in ("● running", "● data live", "store.db", "success", "60.0%", "40.0%", "in flight", "[5m]"):
        assert words in shown
    for words in ("● active", "‖ paused", "http_5xx", "✓ 200", "✗ 503 http_5xx", "TRY", "AGE"):
        assert words in shown, words
    assert shown.splitlines()[0].startswith(" Home")


async def test_an_empty_store_says_what_to_type(make_console: Make) -> None:
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "webhook-console endpoints add URL" in screen_text(app))
        assert "webhook-console demo" in screen_text(app)
        assert "■ no engine" in screen_text(app)


async def test_endpoints_without_attempts_say_how_to_send(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "webhook-console send invoice.paid" in screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_p_pauses_with_a_reason_and_resumes(
    store: Store, clock: MovableClock, make_console: Make, size: Any
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=size, notifications=True) as pilot:
        await read(pilot, app)
        await pilot.press("j")  # billing is first by name, crm second
        await pilot.press("p")
        await until(pilot, lambda: "Pause crm" in screen_text(app))
        await pilot.press(*"broken", "enter")
        await until(pilot, lambda: store.find_endpoint("crm").state is EndpointState.PAUSED)
        assert store.find_endpoint("crm").state_reason == "broken"
        assert store.operations(limit=1)[0].actor == "ada@test"
        await until(pilot, lambda: screen_text(app).count("‖ paused") >= 2)
        await pilot.press("p")
        await until(pilot, lambda: "Resume crm" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: store.find_endpoint("crm").state is EndpointState.ACTIVE)


async def test_esc_leaves_an_endpoint_as_it_was(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        await pilot.press("p")
        await until(pilot, lambda: "Pause billing" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        assert store.find_endpoint("billing").state is EndpointState.ACTIVE
        assert store.operations(limit=1) == []


async def test_p_pauses_the_marked_ones_together(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        await pilot.press("space", "j", "space", "p")
        await until(pilot, lambda: "Pause 2 endpoints" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: {e.state for e in store.endpoints()} == {EndpointState.PAUSED})
        await until(pilot, lambda: tables(app)[0].marks == ())


async def test_read_only_has_no_pause(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console(read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        assert "⊘ read-only" in screen_text(app)
        assert "Pause/resume" not in screen_text(app)
        await pilot.press("p")
        await pilot.pause()
        assert isinstance(app.screen, HomeScreen)


async def test_the_endpoints_sort_and_filter(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        endpoints, _ = tables(app)
        assert [row.name for row in endpoints.rows] == ["billing", "crm", "paused"]
        await pilot.press("O", "O")  # by name, then by name downwards
        await until(pilot, lambda: [row.name for row in endpoints.rows] == ["paused", "crm", "billing"])
        await pilot.press("slash", *"paused")
        await until(pilot, lambda: [row.name for row in endpoints.rows] == ["paused"])
        assert "1 of 3" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is endpoints)
        assert [row.name for row in endpoints.rows] == ["paused"]
        await pilot.press("escape")
        await until(pilot, lambda: len(endpoints.rows) == 3)


async def test_enter_narrows_to_an_endpoint_and_esc_widens(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        endpoints, tail = tables(app)
        await pilot.press("j", "enter")
        await until(pilot, lambda: app.snapshot is not None and app.snapshot.focus is not None)
        await until(pilot, lambda: len(tail.model.rows) == 3)
        assert {row.endpoint_name for row in tail.model.rows if not isinstance(row, Folded)} == {"crm"}
        await until(pilot, lambda: "Home › crm" in screen_text(app))
        await until(pilot, lambda: "100%" in screen_text(app).splitlines()[1])
        await pilot.press("escape")
        await until(pilot, lambda: len(tail.model.rows) == 5 and len(endpoints.rows) == 3)
        assert "›" not in screen_text(app).splitlines()[0]


async def test_the_tail_follows_lets_go_and_resumes(store: Store, clock: MovableClock, make_console: Make) -> None:
    epoch = fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        _, tail = tables(app)
        await pilot.press("tab")
        assert app.focused is tail
        assert screen_follows(app)
        send(store, clock, epoch, 2)
        await until(pilot, lambda: len(tail.model.rows) == 7)
        assert tail.cursor == 6
        await pilot.press("k")
        assert not screen_follows(app)
        send(store, clock, epoch, 3)
        await until(pilot, lambda: "3 new · G resumes" in screen_text(app))
        assert tail.cursor == 5
        await pilot.press("G")
        await until(pilot, lambda: tail.follow and "following" in screen_text(app))
        await pilot.press("f")
        await until(pilot, lambda: "released" in screen_text(app))


async def test_e_finds_errors(store: Store, clock: MovableClock, make_console: Make) -> None:
    epoch = fill(store, clock)
    send(store, clock, epoch, 4)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app, attempts=9)
        _, tail = tables(app)
        await pilot.press("tab", "E")
        assert tail.cursor == 4
        await pilot.press("E")
        assert tail.cursor == 3
        await pilot.press("e")
        assert tail.cursor == 4
        await pilot.press("e")  # none further down: the cursor stays
        assert tail.cursor == 4


async def test_the_tail_filters(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        _, tail = tables(app)
        await pilot.press("tab", "slash", *"http_5xx")
        await until(pilot, lambda: len(tail.model.rows) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: len(tail.model.rows) == 5 and app.focused is tail)


@pytest.mark.parametrize("size", SIZES)
async def test_s_stops_the_view_and_says_so(store: Store, clock: MovableClock, make_console: Make, size: Any) -> None:
    epoch = fill(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await read(pilot, app)
        _, tail = tables(app)
        await pilot.press("s")
        await until(pilot, lambda: "VIEW PAUSED" in screen_text(app))
        send(store, clock, epoch, 4)
        await until(pilot, lambda: "4 attempts since" in screen_text(app))
        assert len(tail.model.rows) == 5
        await pilot.press("s")
        await until(pilot, lambda: len(tail.model.rows) == 9 and "VIEW PAUSED" not in screen_text(app))


async def test_z_gives_one_pane_the_screen(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        endpoints, tail = tables(app)
        await pilot.press("tab", "z")
        await until(pilot, lambda: tail.size.height == 24 - 5 and not endpoints.display)
        await pilot.press("escape")
        await until(pilot, lambda: endpoints.display)
        await pilot.press("tab", "z")
        await until(pilot, lambda: not tail.display)


async def test_enter_opens_the_inspector(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        await pilot.press("tab", "enter")
        await until(pilot, lambda: type(app.screen).__name__ == "InspectorScreen")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_what_comes_while_home_is_covered_is_there_on_the_way_back(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        _, tail = tables(app)
        await pilot.press("F")
        await until(pilot, lambda: not isinstance(app.screen, HomeScreen))
        send(store, clock, epoch, 3)
        await until(pilot, lambda: app.snapshot is not None and app.snapshot.rates.total.ok == 6)
        covered = app.screen_stack[0]
        assert isinstance(covered, HomeScreen)
        covered._on_tick()
        assert len(tail.model.rows) == 5, "a covered screen is not painted"
        await pilot.press("escape")
        await until(pilot, lambda: len(tail.model.rows) == 8)


async def test_the_first_frame_has_what_was_read_before_it(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    app = make_console()
    painted: list[tuple[int, int]] = []
    display = app._display

    def note(screen: Any, renderable: Any) -> None:
        endpoints, tail = screen.query_one(EndpointTable), screen.query_one(AttemptTail)
        painted.append((len(endpoints.rows), len(tail.model.rows)))
        display(screen, renderable)

    app._display = note  # type: ignore[method-assign]  # what is painted, and not what is there in the end
    app.feed.start()
    assert app.feed._read_once.wait(10)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: painted)
        assert painted[0] == (3, 5)


async def test_windows(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(pilot, app)
        for key, label in (("1", "1m"), ("5", "24h"), ("left_square_bracket", "1h"), ("right_square_bracket", "24h")):
            await pilot.press(key)
            await until(pilot, lambda label=label: f"[{label}]" in screen_text(app))  # type: ignore[misc]  # loop
            await until(
                pilot,
                lambda label=label: app.snapshot is not None and app.snapshot.rates.window.label == label,  # type: ignore[misc]  # loop
            )


async def test_hostile_names_never_reach_the_terminal_raw(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = fill(store, clock)
    store.accept([make_event(type="payment.failed")], clock.now_ms())
    hostile = failed()
    evil = "\x1b]52;c;ZXZpbA==\x07[bold]x[/]\x9b31m\u202e"
    attempt_all(
        store, epoch, type(hostile)(cause=hostile.cause, status=422, detail=evil, why=""), now_ms=clock.now_ms()
    )
    app = make_console()
    async with app.run_test(size=(200, 40)) as pilot:
        await read(pilot, app, attempts=6)
        await until(pilot, lambda: "[bold]x[/]" in screen_text(app))
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(screen_text(app))


async def test_what_fires_is_said_above_all_and_a_tripped_endpoint_says_when_it_is_probed(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    crm = store.find_endpoint("crm")
    with store.transaction():
        now_ms = clock.now_ms()
        store.set_endpoint_state(crm.id, EndpointState.TRIPPED, "20 failures in a row", now_ms)
        rule = next(rule for rule in store.alert_rules() if rule.spec.kind is AlertKind.TRIPPED)
        breach = Breach(value=0.0, since_ms=now_ms)
        store.record_alerts([AlertChange(key=(rule.id, crm.seq), breach=breach, since_ms=now_ms)], now_ms)
    app = make_console()
    async with app.run_test(size=(120, 40)) as pilot:
        await read(pilot, app)
        await until(pilot, lambda: "▲ crm: tripped since" in screen_text(app))
        row = next(row for row in tables(app)[0].rows if row.name == "crm")
        assert row.state is EndpointState.TRIPPED


def test_a_tripped_row_says_when_its_probe_is(store: Store, clock: MovableClock) -> None:
    fill(store, clock)
    tripped = replace(store.find_endpoint("crm"), state=EndpointState.TRIPPED, probe_at_ms=10_000)
    rows = [
        make_row(tripped, Gauge(last_failure_cause=Cause.HTTP_5XX), None, elapsed_s=60, now_ms=now_ms)
        for now_ms in (0, 9_001, 10_000)
    ]
    shown = [render_endpoint(row, "failure")[0] for row in rows]
    assert shown == ["probe 10s · http_5xx", "probe 1s · http_5xx", "probing · http_5xx"]


@pytest.mark.parametrize(
    ("per_s", "shown"), [(20, "● 20/s"), (1000, "● 1000/s"), (16.67, "● 17/s"), (0.5, "● 0.5/s"), (2, "● 2/s")]
)
def test_an_endpoint_that_is_drained_at_a_pace_says_so(
    store: Store, clock: MovableClock, per_s: float, shown: str
) -> None:
    fill(store, clock)
    paced = replace(store.find_endpoint("crm"), pace=Pace(per_s=per_s, ramp_s=0, since_ms=0))
    row = make_row(paced, Gauge(), None, elapsed_s=60, now_ms=0)
    assert render_endpoint(row, "state")[0] == shown
    paused = make_row(replace(paced, state=EndpointState.PAUSED), Gauge(), None, elapsed_s=60, now_ms=0)
    assert render_endpoint(paused, "state")[0] == "‖ paused", "nothing is sent, at no rate"


def test_a_row_that_is_held_says_why(store: Store, clock: MovableClock) -> None:
    fill(store, clock)
    gauge = Gauge(last_failure_cause=Cause.HTTP_5XX)

    def said(state: EndpointState, reason: str | None) -> str:
        endpoint = replace(store.find_endpoint("crm"), state=state, state_reason=reason)
        return render_endpoint(make_row(endpoint, gauge, None, elapsed_s=60, now_ms=0), "failure")[0]

    assert said(EndpointState.PAUSED, "their deploy") == "paused: their deploy"
    assert said(EndpointState.DISABLED, "410 Gone") == "disabled: 410 Gone"
    assert said(EndpointState.PAUSED, None) == "http_5xx"
    assert said(EndpointState.ACTIVE, "mended") == "http_5xx", "why it was resumed says nothing of now"
