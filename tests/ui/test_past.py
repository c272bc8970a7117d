"""The screens at moments of the past: what was so then is shown, what nobody knows is not, and nothing looks live."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from console.cli.viewing import Asked
from console.domain.delivery import Attempt
from console.domain.endpoint import EndpointState
from console.domain.ids import EndpointId
from console.domain.moment import Moment
from console.domain.operation import OperationKind
from console.domain.rates import WINDOWS, window_of
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.live import Taken
from console.ui.past import as_of, read_past
from console.ui.screens.failures import FailuresScreen
from console.ui.screens.operations import OperationsScreen
from console.ui.view import View
from tests.factories import add_endpoint, attempt_all, delivered, make_event
from tests.ui.conftest import MovableClock, screen_text, until, widget_text
from tests.ui.past_world import BROKE, MINUTE_MS, MINUTES, PAUSED, RESUMED, Incident, make_incident

Make = Callable[..., ConsoleApp]
SIZE = (100, 30)
FIVE = next(window for window in WINDOWS if window.label == "5m")


@pytest.fixture
def incident(store: Store, clock: MovableClock) -> Incident:
    start_ms = (clock.now_ms() - (MINUTES + 10) * MINUTE_MS) // MINUTE_MS * MINUTE_MS
    made = make_incident(store, start_ms)
    # Something is done much later, so that no moment of the incident is the last one of the store.
    store.accept([make_event()], clock.now_ms())
    return made


def past(store: Store, at_ms: int, *, focus: EndpointId | None = None, since_ms: int | None = None) -> Taken:
    moment = Moment(at_ms=at_ms, since_ms=since_ms)
    return read_past(store, moment, window=FIVE, focus=focus, generation=-1, read_at_s=0.0)


def states(taken: Taken) -> dict[str, EndpointState]:
    assert taken.snapshot is not None
    return {endpoint.name: endpoint.state for endpoint in taken.snapshot.endpoints}


# What is read


def test_endpoints_are_in_the_states_that_they_were_in(store: Store, incident: Incident) -> None:
    at = {number: states(past(store, incident.minute(number)))["crm"] for number in (PAUSED - 1, PAUSED, RESUMED)}
    assert at == {PAUSED - 1: "active", PAUSED: "paused", RESUMED: "active"}


def test_counts_are_those_written_down_by_then(store: Store, incident: Incident) -> None:
    for number, pending, failed in ((BROKE + 0.5, 0, 10), (PAUSED + 0.5, 10, 50), (RESUMED - 0.5, 30, 50)):
        snapshot = past(store, incident.minute(number)).snapshot
        assert snapshot is not None
        gauge = snapshot.gauges[incident.crm.id]
        assert (gauge.pending, gauge.failed) == (pending, failed), number
        assert snapshot.pending_is_known
        assert snapshot.pending_levels[-1] == pending


def test_the_tail_ends_then_and_nothing_of_it_had_come_later(store: Store, incident: Incident) -> None:
    at_ms = incident.minute(BROKE)
    attempts = past(store, at_ms).attempts
    assert max(attempt.started_at_ms for attempt in attempts) == at_ms
    assert all(attempt.ended_at_ms is None for attempt in attempts if attempt.started_at_ms == at_ms)
    assert all(attempt.ended_at_ms is not None for attempt in past(store, at_ms + 12).attempts)
    ranged = past(store, at_ms, since_ms=incident.minute(BROKE - 3)).attempts
    assert min(attempt.started_at_ms for attempt in ranged) == incident.minute(BROKE - 3)


def test_rates_are_of_the_window_that_ended_then(store: Store, incident: Incident) -> None:
    snapshot = past(store, incident.minute(BROKE + 2) - 1).snapshot
    assert snapshot is not None
    total = snapshot.rates.total
    # Minutes 37 to 41: one attempt each at both, and ten each from 40 on.
    assert (total.ok, total.failed) == (3 * 2 + 2 * 10, 2 * 10)
    assert snapshot.rates.elapsed_s == 300


def test_where_seconds_are_gone_rates_are_of_whole_minutes_and_never_of_later(store: Store, incident: Incident) -> None:
    store.accept([make_event()], incident.minute(MINUTES) + 3 * 3_600_000)
    snapshot = past(store, incident.minute(BROKE + 2) + 30_000).snapshot
    assert snapshot is not None
    assert snapshot.rates.window.width_s == 60
    assert (snapshot.rates.total.ok, snapshot.rates.total.failed) == (3 * 2 + 2 * 10, 2 * 10)


def test_what_nobody_wrote_down_is_unknown(store: Store, incident: Incident, clock: MovableClock) -> None:
    late = add_endpoint(store, name="late", now_ms=incident.minute(10))
    store.set_endpoint_state(late.id, EndpointState.PAUSED, None, clock.now_ms())
    snapshot = past(store, incident.minute(20)).snapshot
    assert snapshot is not None
    assert snapshot.uncounted == snapshot.unknown_states == {late.id}
    assert not snapshot.pending_is_known
    assert late.id not in snapshot.gauges
    before = past(store, incident.minute(9)).snapshot
    assert before is not None
    assert "late" not in {endpoint.name for endpoint in before.endpoints}


def test_at_the_end_of_a_store_everything_is_exact(store: Store, incident: Incident) -> None:
    newest = store.newest_ms()
    assert newest is not None
    snapshot = past(store, newest).snapshot
    assert snapshot is not None
    assert snapshot.gauges == store.gauges()
    assert not snapshot.uncounted


def test_an_attempt_that_ended_later_was_under_way(store: Store, incident: Incident) -> None:
    attempt = past(store, incident.minute(BROKE + 1)).attempts[0]
    assert attempt.ended_at_ms is not None
    before: Attempt = as_of(attempt, attempt.ended_at_ms - 1)
    assert (before.ended_at_ms, before.status, before.cause, before.total_ms) == (None, None, None, None)
    assert as_of(attempt, attempt.ended_at_ms) is attempt


# The screens


async def ready(pilot: Any, app: ConsoleApp) -> None:
    await until(pilot, lambda: "● data live" in screen_text(app), "live")


def landing(incident: Incident, number: int) -> Moment:
    """The last second of a minute: where < and > end."""
    return Moment(at_ms=incident.minute(number + 1) - 1_000)


async def test_stepping_through_an_incident_and_back_to_live(
    make_console: Make, store: Store, incident: Incident
) -> None:
    app = make_console()
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot, app)
        await pilot.press("less_than_sign")
        await until(pilot, lambda: app.moment == landing(incident, RESUMED), "the second burst")
        await pilot.press("less_than_sign")
        await until(pilot, lambda: app.moment == landing(incident, BROKE), "the first burst")
        await until(pilot, lambda: "◷ PAST" in screen_text(app) and "500 http_5xx" in screen_text(app))
        shown = screen_text(app)
        assert "L goes live" in shown
        assert "data live" not in shown, "what is frozen never looks live"
        assert "Attempts · until" in shown
        await pilot.press("full_stop")
        await until(pilot, lambda: app.moment == landing(incident, BROKE + 5))
        await until(pilot, lambda: "‖ paused" in screen_text(app), "crm was paused then")
        await pilot.press("comma", "greater_than_sign")
        await until(pilot, lambda: app.moment == landing(incident, RESUMED))
        await pilot.press("L")
        await ready(pilot, app)
        assert app.moment is None
        # The tail goes on where the present is.
        epoch = store.take_over(pid=1, host="h", version="0", now_ms=app.now_ms)
        attempt_all(store, epoch, delivered(204), now_ms=app.now_ms)
        await until(pilot, lambda: "✓ 204" in screen_text(app), "what comes now is shown again")


async def test_a_moment_is_asked_for_and_a_wrong_one_is_said(make_console: Make, incident: Incident) -> None:
    app = make_console()
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot, app)
        await pilot.press("T")
        await until(pilot, lambda: "Show which moment?" in screen_text(app))
        await pilot.press(*"soon", "enter")
        await until(pilot, lambda: "✗ 'soon' is no moment" in screen_text(app))
        for _ in range(4):
            await pilot.press("backspace")
        await pilot.press(*"2h", "full_stop", "full_stop", *"1h", "enter")
        await until(pilot, lambda: app.moment is not None)
        assert app.moment is not None
        assert app.moment.length_s == 3600
        assert app.window == window_of(3600), "a range chooses its own window"
        await until(pilot, lambda: "◷ PAST" in screen_text(app))


async def test_nothing_can_be_changed_while_the_past_is_shown(make_console: Make, incident: Incident) -> None:
    app = make_console()
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot, app)
        assert "p Pause/resume" in screen_text(app)
        app.show_moment(Moment(at_ms=incident.minute(BROKE)))
        await until(pilot, lambda: "◷ PAST" in screen_text(app))
        await until(pilot, lambda: "p Pause/resume" not in screen_text(app))
        await pilot.press("p")
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_failures_are_those_that_had_failed_by_then(make_console: Make, store: Store, incident: Incident) -> None:
    app = make_console()
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot, app)
        app.show_moment(Moment(at_ms=incident.minute(BROKE + 1.5)))
        app.action_open_failures()
        await until(pilot, lambda: "Failures · 20" in screen_text(app))
        assert isinstance(app.screen, FailuresScreen)
        app.show_moment(Moment(at_ms=incident.minute(BROKE - 1)))
        await until(pilot, lambda: "Failures · 0" in screen_text(app))


async def test_the_audit_log_ends_then(make_console: Make, store: Store, incident: Incident) -> None:
    for number in (PAUSED, RESUMED):
        kind = OperationKind.ENDPOINT_PAUSE if number == PAUSED else OperationKind.ENDPOINT_RESUME
        at_ms = incident.minute(number)
        made = store.begin_operation(kind, actor="ada@box", target="crm", reason=None, now_ms=at_ms)
        store.progress_operation(made, done=1, result="1 endpoint", finished_at_ms=at_ms + 30_000)
    app = make_console()
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot, app)
        app.show_moment(Moment(at_ms=incident.minute(PAUSED) + 10_000))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, OperationsScreen) and "crm" in screen_text(app))
        assert "What was done  1" in screen_text(app)
        assert "◷ PAST" in screen_text(app)
        app.show_moment(Moment(at_ms=incident.minute(RESUMED)))
        await until(pilot, lambda: "What was done  2" in screen_text(app))


async def test_a_view_has_a_command_line_that_opens_it_again(
    make_console: Make, store: Store, incident: Incident
) -> None:
    app = make_console()
    moment = Moment(at_ms=incident.minute(BROKE + 1))
    async with app.run_test(size=SIZE) as pilot:
        await ready(pilot, app)
        app.choose_window(FIVE)
        app.look_at(focus=incident.crm.id)
        app.show_moment(moment)
        await until(pilot, lambda: "◷ PAST" in screen_text(app))
        words = shlex.split(app.travel.command(screen="failures", filter_text="cause:http_5xx"))
        await pilot.press("at")
        await until(pilot, lambda: "The command that opens this view" in screen_text(app))
    flags = dict(zip(words[1::2], words[2::2], strict=True))
    asked = Asked(
        at=flags["--at"],
        window=flags["--window"],
        endpoint=flags["--endpoint"],
        screen=flags["--screen"],
        filter_text=flags["--filter"],
    )
    view = View(moment=moment, window=FIVE, focus=incident.crm.id, screen="failures", filter_text="cause:http_5xx")
    assert asked.view(store, app.session.clock.now_ms()) == view
    again = make_console(view=view)
    async with again.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: isinstance(again.screen, FailuresScreen) and "Failures · 10" in screen_text(again))
        assert (again.moment, again.window, again.focus_on) == (moment, FIVE, incident.crm.id)


async def test_a_forecast_is_under_the_endpoints_while_something_waits(
    make_console: Make, store: Store, incident: Incident, clock: MovableClock
) -> None:
    store.set_endpoint_state(incident.crm.id, EndpointState.PAUSED, None, clock.now_ms())
    store.accept([make_event() for _ in range(5)], clock.now_ms())
    app = make_console()
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "6 due in 10m if it recovers now" in screen_text(app))
        line = widget_text(app.screen.query_one("#forecast"))
        assert "paused: nothing is drained until it is active again" in line
        app.show_moment(Moment(at_ms=incident.minute(BROKE)))
        await until(pilot, lambda: "if it recovers" not in screen_text(app), "nothing is forecast of the past")
