"""The alerts screen: what fires above the rules, muted and unmuted, and the way to the failures."""

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.domain.alerts import Alert, AlertChange, AlertKind, AlertRule, AlertSpec, Breach
from console.domain.operation import OperationKind
from console.store import Store
from console.ui.alert_rows import rows_of, what_words, where_words
from console.ui.app import ConsoleApp
from console.ui.screens import alerts
from console.ui.screens.alerts import AlertsScreen
from console.ui.screens.failures import FailuresScreen
from console.ui.widgets.confirm import FieldsScreen
from tests.factories import add_endpoint
from tests.ui.conftest import SIZES, MovableClock, screen_text, until
from tests.ui.test_failures import fill

Make = Callable[..., ConsoleApp]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "LOOK_EVERY_S", 0.05)


@pytest.fixture(autouse=True)
def _no_rules_yet(store: Store) -> None:
    for rule in store.alert_rules():
        store.remove_alert_rule(rule.id, 0)


def firing(store: Store, clock: MovableClock) -> tuple[AlertRule, AlertRule]:
    """A rule of error rates that fires for crm since two minutes, and one of crm alone that is quiet."""
    rate = store.add_alert_rule(AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=300, least=20, for_s=30))
    tripped = store.add_alert_rule(AlertSpec(kind=AlertKind.TRIPPED, endpoint=store.find_endpoint("crm").id))
    fire(store, rate, "crm", clock.now_ms() - 120_000)
    return rate, tripped


def fire(store: Store, rule: AlertRule, name: str, since_ms: int) -> None:
    key = (rule.id, store.find_endpoint(name).seq)
    change = AlertChange(key=key, breach=Breach(value=0.34, since_ms=since_ms), since_ms=since_ms)
    assert store.record_alerts([change], since_ms + 30_000)


async def opened(pilot: Pilot[Any], app: ConsoleApp) -> None:
    await until(pilot, lambda: app.snapshot is not None)
    await pilot.press("A")
    await until(pilot, lambda: isinstance(app.screen, AlertsScreen) and "Reading…" not in screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_what_fires_stands_above_the_rules(
    store: Store, clock: MovableClock, make_console: Make, size: tuple[int, int]
) -> None:
    fill(store, clock)
    rate, tripped = firing(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        lines = screen_text(app).splitlines()
        assert "Home › Alerts" in lines[0]
        assert "● running" in lines[0]
        assert "1 firing · 2 rules" in lines[1]
        assert lines[3].split()[:4] == ["►", "▲", "firing", "crm"]
        assert "34% of attempts failed in 5m" in lines[3]
        assert lines[3].split()[-2:] == ["2m", str(rate.id)]
        assert "▲ 1 firing" in lines[4]
        assert "each" in lines[4]
        assert "if 20% or more" in lines[4]
        assert "● quiet" in lines[5]
        assert lines[5].split()[-1] == str(tripped.id)
        assert "m Mute/unmute  q Back" in lines[-1]


async def test_m_mutes_for_an_hour_and_unmutes(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    rate, _ = firing(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, app)
        await pilot.press("m")
        await until(
            pilot,
            lambda: isinstance(app.screen, FieldsScreen) and f"alerts mute {rate.id} --for 1h" in screen_text(app),
        )
        await pilot.press("tab", *"known", "enter")
        await until(pilot, lambda: "‖ muted 1h" in screen_text(app))
        assert "none firing" in screen_text(app)
        left_ms = (store.alert_rule(rate.id).muted_until_ms or 0) - clock.now_ms()
        assert 3_500_000 < left_ms <= 3_600_000
        act = store.operations(limit=1)[0]
        assert (act.kind, act.actor, act.reason) == (OperationKind.ALERT_MUTE, "ada@test", "known")
        await pilot.press("m")  # nothing is asked
        await until(pilot, lambda: "▲ firing" in screen_text(app))
        assert store.alert_rule(rate.id).muted_until_ms is None


async def test_a_time_that_is_none_is_said_and_asked_again(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    fill(store, clock)
    rate, _ = firing(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, FieldsScreen))
        for text, answer in (
            ("soon", "write it as 250ms, 5s"),
            ("0s", "1s to 30d are allowed"),
            ("1000d", "1s to 30d"),
        ):
            app.screen.query_one("#field-0", Input).value = text
            await pilot.press("enter")
            await until(pilot, lambda answer=answer: answer in screen_text(app))  # type: ignore[misc]  # loop
        assert store.alert_rule(rate.id).muted_until_ms is None
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))
        assert store.alert_rule(rate.id).muted_until_ms is None


@pytest.mark.parametrize("size", SIZES)
async def test_enter_says_more_and_goes_to_the_failures(
    store: Store, clock: MovableClock, make_console: Make, size: tuple[int, int]
) -> None:
    fill(store, clock)
    rate, _ = firing(store, clock)
    app = make_console()
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: f"Alert of rule {rate.id}" in screen_text(app) and "(2m" in screen_text(app))
        shown = screen_text(app)
        for words in (
            "crm",
            "34% of attempts failed in 5m",
            "20% or more of at least 20 attempts",
            "Enter its failures",
        ):
            assert words in shown, words
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FailuresScreen))
        await until(pilot, lambda: "endpoint:crm" in screen_text(app) and "Failures · 3" in screen_text(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))
        await pilot.press("j", "enter")
        await until(pilot, lambda: f"Rule {rate.id}" in screen_text(app))
        assert "Enter its failures" not in screen_text(app), "it is about each endpoint"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))


async def test_read_only_shows_them_and_mutes_nothing(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    rate, _ = firing(store, clock)
    app = make_console(read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        assert "▲ firing" in screen_text(app)
        assert "Mute" not in screen_text(app)
        await pilot.press("m")
        await pilot.pause()
        assert isinstance(app.screen, AlertsScreen)
    assert store.alert_rule(rate.id).muted_until_ms is None


async def test_it_lives(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        assert "No rule says what must not be." in screen_text(app)
        assert "webhook-console alerts add" in screen_text(app)
        rule, _ = firing(store, clock)
        await until(pilot, lambda: "1 firing · 2 rules" in screen_text(app))
        fire(store, rule, "billing", clock.now_ms())
        await until(pilot, lambda: "2 firing" in screen_text(app))
        store.remove_alert_rule(rule.id, clock.now_ms())
        await until(pilot, lambda: "none firing · 1 rule" in screen_text(app))


async def test_without_an_engine_it_says_that_nobody_measures(
    store: Store, clock: MovableClock, make_console: Make
) -> None:
    epoch = fill(store, clock)
    firing(store, clock)
    store.release(epoch=epoch, now_ms=clock.now_ms())
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        assert "no engine: nothing is measured" in screen_text(app).splitlines()[1]


async def test_home_names_the_key(store: Store, clock: MovableClock, make_console: Make) -> None:
    fill(store, clock)
    firing(store, clock)
    app = make_console()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "· A shows it" in screen_text(app))


def test_the_newest_comes_first_and_what_is_muted_last(store: Store) -> None:
    now = 1_700_000_000_000
    rules = [store.add_alert_rule(AlertSpec(kind=kind, threshold=60)) for kind in list(AlertKind)[1:]]
    rules[0] = store.mute_alert_rule(rules[0].id, now + 90_000)

    def alert(rule: AlertRule, name: str | None, fired_at_ms: int) -> Alert:
        endpoint = None if name is None else add_endpoint(store, name=name).id
        return Alert(
            rule=rule, endpoint_id=endpoint, endpoint_name=name, endpoint_state=None,
            value=90, since_ms=fired_at_ms, fired_at_ms=fired_at_ms,
        )  # fmt: skip

    alerts = [alert(rules[0], "a", now - 1), alert(rules[1], "b", now - 9), alert(rules[2], None, now - 5)]
    rows = rows_of(rules, alerts, now)
    assert [where_words(row) for row in rows] == ["engine", "b", "a", "each", "each", "engine"]
    assert [row.muted for row in rows] == ["", "", "1m", "1m", "", ""]
    assert what_words(rows[2]) == "a due delivery has waited 1m30s"
    assert what_words(rows[0]).startswith("no engine from ")
    assert len({row.key for row in rows}) == len(rows)
