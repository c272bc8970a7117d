"""Flags and files that say what the console shows first."""

from pathlib import Path

import pytest

from console.cli import main, viewing
from console.cli.viewing import Asked
from console.domain.errors import InvalidInputError
from console.domain.rates import WINDOWS
from console.store import Store
from console.ui.view import SCREENS
from tests.cli.support import CommandLine, make_endpoint, now


def test_windows_and_screens_are_those_that_there_are() -> None:
    assert tuple(window.label for window in WINDOWS) == main.SHOWN_WINDOWS
    assert SCREENS == main.SHOWN_SCREENS


def test_flags_of_a_view_belong_to_the_console(console: CommandLine) -> None:
    refused = console("--at", "2h ago", "status")
    assert refused.code == 2
    assert "--at belongs to the console" in refused.err


def test_a_file_is_looked_at_and_a_command_wins(
    console: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[Path, Asked]] = []

    def open_copy(_invocation: object, path: Path, *, theme: str | None, asked: Asked) -> int:
        opened.append((path, asked))
        return 0

    monkeypatch.setattr(viewing, "open_copy", open_copy)
    monkeypatch.chdir(tmp_path)
    for name in ("copy.db", "status"):
        (tmp_path / name).touch()
    assert console("--read-only", "copy.db", "--at", "14:02", "--endpoint", "crm").code == 0
    assert console("./status").code == 0
    console("status")
    assert opened == [(Path("copy.db"), Asked(at="14:02", endpoint="crm")), (Path("./status"), Asked())]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.db"], "there is no command and no file 'missing.db'"),
        (["copy.db", "status"], "a command takes its store by --store"),
        (["nonsense"], "no such command 'nonsense'"),
    ],
)
def test_what_is_neither_is_wrong_usage(
    console: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy.db").touch()
    refused = console(*words)
    assert (refused.code, said in refused.err) == (2, True), refused.err


def test_a_view_names_what_is_there(store: Store) -> None:
    endpoint = make_endpoint(store, "billing")
    view = Asked(at="1h ago", window="15m", endpoint="bil", filter_text="cause:dns").view(store, now())
    assert (view.focus, view.screen, view.filter_text) == (endpoint.id, "failures", "cause:dns")
    assert view.window is not None
    assert view.window.label == "15m"
    assert view.moment is not None
    with pytest.raises(InvalidInputError, match="is no moment"):
        Asked(at="soon").view(store, now())


def test_a_forecast_of_each_that_has_something_pending(console: CommandLine, store: Store) -> None:
    assert "nothing is pending" in console("forecast").out
    make_endpoint(store, "billing")
    quiet = make_endpoint(store, "quiet", types=("never.*",))
    console("send", "invoice.paid", "--data", "{}")
    seen = console("forecast")
    assert seen.code == 0
    assert "billing  active, 1 pending" in seen.out
    assert "1 falls due in the next 10m" in seen.out
    assert quiet.name not in seen.out
    record = console("forecast", "billing", "--json").record
    assert (record["endpoint"], record["pending"], record["due_soon"], record["never"]) == ("billing", 1, 1, False)
    assert console("forecast", "quiet").out.startswith("quiet  active, 0 pending: nothing is pending")
    assert "due in 10m if it recovers now" in console("endpoints", "show", "billing").out
