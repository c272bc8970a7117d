"""Keys bound anew, alerts that ring, and settings taken over while the console runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from console.domain.alerts import Alert, AlertKind, AlertRule, AlertRuleId, AlertSpec
from console.settings import Setting, Settings, load_settings
from console.ui.announcing import Announcer, notification
from console.ui.app import ConsoleApp
from console.ui.bindings import all_bindings, problems
from console.ui.screens.alerts import AlertsScreen
from tests.ui.conftest import until

Make = Callable[..., ConsoleApp]


def alert(name: str, rule: int = 1) -> Alert:
    return Alert(
        rule=AlertRule(
            id=AlertRuleId(rule), spec=AlertSpec(kind=AlertKind.TRIPPED), endpoint_name=name, muted_until_ms=None
        ),
        endpoint_id=None,
        endpoint_name=name,
        endpoint_state=None,
        value=0,
        since_ms=1,
        fired_at_ms=2,
    )


def settings(**given: str | bool) -> Settings:
    by_name = dict(Settings().by_name)
    by_name |= {name.replace("_", "."): Setting(value, "here") for name, value in given.items()}
    return Settings(by_name=by_name)


def said(app: ConsoleApp) -> str:
    return "\n".join(notification.message for notification in app._notifications)


class TestAnnouncing:
    @pytest.fixture
    def written(self) -> list[str]:
        return []

    @pytest.fixture
    def announcer(self, written: list[str]) -> Announcer:
        return Announcer(written.append, {"TERM": "xterm-kitty"})

    def test_what_fires_already_is_not_announced_and_what_begins_to_is_once(
        self, announcer: Announcer, written: list[str]
    ) -> None:
        announcer.take([alert("crm")], settings())
        assert written == []
        announcer.take([alert("crm"), alert("slack")], settings())
        assert written == ["\a", "\x1b]9;webhook-console: slack: tripped\x07"]
        announcer.take([alert("crm"), alert("slack")], settings())
        assert len(written) == 2
        announcer.take([], settings())
        announcer.take([alert("slack")], settings(alerts_bell=False, alerts_notify="osc777"))
        assert written[2:] == ["\x1b]777;notify;webhook-console;slack: tripped\x07"]

    def test_an_unknown_terminal_is_only_rung(self, written: list[str]) -> None:
        announcer = Announcer(written.append, {"TERM": "linux"})
        announcer.take([], settings())
        announcer.take([alert("crm")], settings())
        assert written == ["\a"]

    def test_a_hostile_name_writes_no_sequence_of_its_own(self) -> None:
        said = notification("a\x1b]52;c;x\x07;b", settings(alerts_notify="osc777"), {})
        assert said.count("\x1b") == 1
        assert said.count(";") == 3
        assert said.endswith("\x07")
        assert said.count("\x07") == 1

    def test_inside_tmux_it_is_passed_on(self) -> None:
        said = notification("x", settings(alerts_notify="osc9"), {"TMUX": "1"})
        assert said == "\x1bPtmux;\x1b\x1b]9;webhook-console: x\x07\x1b\\"


class TestKeys:
    def test_every_binding_has_an_id_of_its_own(self) -> None:
        bound = all_bindings()
        assert {"app.help", "home.failures", "lines.down", "app.window-3"} <= set(bound)
        assert problems({name: ",".join(one.keys) for name, one in bound.items()}, {}) == []

    def test_an_unknown_name_and_a_clash_are_said_with_their_lines(self) -> None:
        keys = {"home.failure": "F", "home.zoom-of-nothing-like-it": "Z", "app.alerts": "a"}
        said = problems(keys, {name: f"config.toml:{n}" for n, name in enumerate(keys, 1)})
        assert said[0] == "config.toml:1: nothing is called `home.failure`: did you mean home.failures?"
        assert said[1].startswith("config.toml:2: nothing is called")
        assert said[2:] == ["config.toml:3: a would be both `app.alerts` and `app.operations`: bind one of them anew"]

    def test_keys_that_change_places_do_not_clash(self) -> None:
        assert problems({"app.alerts": "a", "app.operations": "A"}, {}) == []

    async def test_a_changed_file_is_taken_over_at_once(self, make_console: Make, tmp_path: Path) -> None:
        environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
        path = tmp_path / "config" / "webhook-console" / "config.toml"
        path.parent.mkdir(parents=True)
        path.write_text('[keys]\n"app.alerts" = "ctrl+l"\n')
        app = make_console(settings=load_settings(environ), reload=lambda: load_settings(environ))
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.snapshot is not None)
            await pilot.press("ctrl+l")
            await until(pilot, lambda: isinstance(app.screen, AlertsScreen))
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, AlertsScreen))
            await until(pilot, lambda: any(worker.group == "settings" for worker in app.workers))
            await pilot.pause(0.5)  # the watcher says nothing when it has begun to watch

            path.write_text('theme = "light"\n[keys]\n"app.alerts" = "ctrl+k"\n"app.help" = "ctrl+k"\n')
            await until(pilot, lambda: app.theme == "console-light", "the theme of the file")
            await until(pilot, lambda: "would be both" in said(app), "the clash")

            path.write_text("theme = [\n")
            await until(pilot, lambda: "config.toml:1" in said(app), "what is wrong with the file")
            assert app.theme == "console-light"
