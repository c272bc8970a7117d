"""Opening the console: what must be there first, and the engine behind it."""

import os
from pathlib import Path

import pytest

from console.cli.invocation import Invocation
from console.cli.opening import open_console
from console.store import open_store
from console.ui.session import Session
from tests.cli.support import CommandLine


class Shown:
    """Stands where the screen would be, and remembers what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Path, bool, str | None, str | None, bool]] = []
        self.states: list[object] = []

    def __call__(
        self, session: Session, *, theme: str | None, notice: str | None, started_engine: bool, **more: object
    ) -> int:
        self.states.append(more.get("state"))
        self.calls.append((session.path, session.read_only, theme, notice, started_engine))
        return 0


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    import console.ui.app

    shown = Shown()
    monkeypatch.setattr(console.ui.app, "run_console", shown)
    monkeypatch.setattr("console.cli.opening.require_terminal", lambda _environ: None)
    return shown


def test_it_starts_an_engine_and_says_so(console: CommandLine, shown: Shown) -> None:
    assert console("--theme", "light").code == 0
    ((path, read_only, theme, notice, started),) = shown.calls
    assert (path, read_only, theme, started) == (console.store_path, False, "light", True)
    assert notice is not None
    status = console("status", "--json").record
    assert f"pid {status['engine']['pid']}" in notice
    assert console().code == 0
    assert shown.calls[1][3:] == (None, False)
    assert console("stop").code == 0
    os.waitpid(status["engine"]["pid"], 0)


def test_no_engine_and_read_only_start_none(console: CommandLine, shown: Shown) -> None:
    assert console("--read-only").code == 1
    assert console("--no-engine").code == 0
    assert console("--read-only").code == 0
    assert [call[1:] for call in shown.calls] == [(False, None, None, False), (True, None, None, False)]
    assert console("status", "--json").record["engine"] is None


def test_an_engine_that_does_not_start_is_said_in_the_console(console: CommandLine, shown: Shown) -> None:
    open_store(console.store_path).close()
    Path(f"{console.store_path}.log").mkdir()
    assert console().code == 0
    assert shown.calls[0][3] is not None
    assert shown.calls[0][3].startswith("no engine: ")
    assert shown.calls[0][4] is False


def test_what_is_remembered_is_left_alone_when_it_is_not_wanted(
    console: CommandLine, shown: Shown, tmp_path: Path
) -> None:
    assert console("--no-engine").code == 0
    assert console("--no-engine", "--no-state").code == 0
    folder = tmp_path / "config" / "webhook-console"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("state = false\n")
    environ = {"WEBHOOK_CONSOLE_STORE": str(console.store_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert open_console(Invocation(environ=environ), theme=None, read_only=False, no_engine=True) == 0
    assert [state is not None for state in shown.states] == [True, False, False]
    wrong = console("--no-state", "status")
    assert wrong.code == 2
    assert "--no-state belongs to the console" in wrong.err
