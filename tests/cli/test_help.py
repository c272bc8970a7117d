"""The help, its examples, and the shell's completion."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.main import cli
from console.store import Store
from tests.cli.support import SECRET, CommandLine, make_endpoint


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, (*path, name))


ALL = list(walk(cli))
EXAMPLES = [
    (path, example)
    for path, command in ALL
    if isinstance(command, ConsoleCommand | ConsoleGroup)
    for example in command.examples
]
EXPECTED = [
    "doctor", "apply", "export", "recipes", "recipes-list", "recipes-show",
    "alerts", "alerts-add", "alerts-edit", "alerts-list", "alerts-mute", "alerts-remove", "alerts-unmute",
    "attempts", "attempts-list", "attempts-show", "attempts-tail", "backup", "completion", "config", "config-check",
    "config-keys", "config-path", "config-show", "defaults",
    "defaults-edit", "defaults-show", "deliveries", "deliveries-cancel", "deliveries-list", "deliveries-retry",
    "deliveries-show", "deliveries-skip", "deliveries-why", "demo", "failures", "endpoints",
    "endpoints-add", "endpoints-edit",
    "endpoints-list", "endpoints-pause", "endpoints-remove", "endpoints-resume", "endpoints-reveal-secret",
    "endpoints-rotate-secret",
    "endpoints-show", "endpoints-test", "events", "events-list", "events-resend", "events-show", 
    "filters", "filters-list", "filters-remove", "filters-save", "forecast", "operations", "operations-cancel",
    "read", "operations-list", "operations-show", "operations-undo", "operations-watch", "retention", "retention-edit",
    "retention-run", "retention-show", "secrets", "secrets-generate-key", "secrets-seal", "secrets-status",
    "secrets-unseal", "send", "serve", "stats", "status", "stop",
    "schemas", "schemas-add", "schemas-list", "schemas-retire", "schemas-show", "schemas-test",
    "tokens", "tokens-add", "tokens-list", "tokens-revoke",
    "sources", "sources-add", "sources-disable", "sources-edit", "sources-enable", "sources-list", "sources-remove",
    "sources-rotate-secret", "sources-show", "sources-test", "capture", "capture-list", "capture-new", "capture-remove",
    "inbox", "inbox-list", "inbox-replay", "inbox-show", "inbox-tail", "listen",
    "transform", "transform-helpers", "transform-test", "verify", "web",
]  # fmt: skip


def test_every_command_is_there() -> None:
    assert sorted("-".join(path) for path, _ in ALL if path) == sorted(EXPECTED)


@pytest.mark.parametrize(("path", "command"), ALL, ids=lambda value: "-".join(value) if type(value) is tuple else "")
def test_help_has_examples_and_the_shared_options(
    console: CommandLine, path: tuple[str, ...], command: click.Command
) -> None:
    result = console(*path, "--help")
    assert result.code == 0
    assert "Examples:" in result.out
    assert "--store PATH" in result.out
    assert "--json" in result.out
    assert command.help


@pytest.mark.parametrize(("path", "example"), EXAMPLES, ids=[example or "console" for _, example in EXAMPLES])
def test_examples_parse(
    console: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], example: str
) -> None:
    (tmp_path / "events.ndjson").write_text("")
    (tmp_path / "invoice.json").write_text("{}")
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "token.txt").write_text("a-token")
    monkeypatch.chdir(tmp_path)
    called: list[str] = []
    monkeypatch.setattr("console.cli.opening.open_console", lambda *_args, **_flags: called.append("console"))
    for where, command in ALL:
        if where and not isinstance(command, click.Group):
            monkeypatch.setattr(command, "callback", recorder(called, " ".join(where)))
    words = shlex.split(example)
    words = words[: words.index(">")] if ">" in words else words
    result = console(*words)
    assert (result.code, result.err) == (0, "")
    (name,) = called
    assert example.startswith(name) or name == "console"
    assert not path or name.startswith(" ".join(path))


def recorder(called: list[str], name: str) -> Any:
    def record(**_values: object) -> int:
        called.append(name)
        return 0

    return record


def completions(words: str, console: CommandLine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("_WEBHOOK_CONSOLE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        console()
    out, _ = console._captured()
    return [line.partition(",")[2] for line in out.splitlines() if line]


def test_completion_knows_endpoints_states_and_causes(
    console: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(store, "billing")
    make_endpoint(store, "crm")
    assert completions("webhook-console endpoints show ", console, monkeypatch) == ["billing", "crm"]
    assert completions("webhook-console endpoints pause bi", console, monkeypatch) == ["billing"]
    assert completions("webhook-console deliveries list --state f", console, monkeypatch) == ["failed"]
    assert completions("webhook-console deliveries retry --cause timeout_", console, monkeypatch) == [
        "timeout_connect",
        "timeout_read",
    ]
    assert "deliveries" in completions("webhook-console de", console, monkeypatch)


def test_completion_inside_a_filter_and_of_the_newer_commands(
    console: CommandLine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_endpoint(store, "billing")
    assert console("filters", "save", "slow", "cause:timeout_read").code == 0

    def offered(words: str) -> list[str]:
        return completions(f"webhook-console {words}", console, monkeypatch)

    assert offered("failures --filter cau") == ["cause:"]
    assert offered("failures --filter 'endpoint:b") == ["endpoint:billing"]
    assert offered("deliveries list --filter cause:timeout_") == ["cause:timeout_connect", "cause:timeout_read"]
    assert offered("deliveries retry --filter @s") == ["@slow"]
    assert "attempts:" not in offered("events list --filter a")
    assert offered("filters remove s") == ["slow"]
    assert offered("filters save mine status:50") == [
        "status:500",
        "status:502",
        "status:503",
        "status:504",
        "status:>=500",
    ]
    assert offered("forecast b") == ["billing"]
    assert offered("verify --endpoint b") == ["billing"]
    assert offered("read --window 1") == ["1m", "15m", "1h"]
    assert "dark" in offered("web --theme d")
    assert offered("config s") == ["show"]


def test_completion_without_a_store_is_silent(console: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completions("webhook-console endpoints show ", console, monkeypatch) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(console: CommandLine, shell: str) -> None:
    result = console("completion", shell)
    assert result.code == 0
    assert "_WEBHOOK_CONSOLE_COMPLETE" in result.out
    assert result.err == ""
