"""`config`: what is set, where each value came from, and what is wrong with the file."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, error, note, say
from console.cli.table import Column, print_table
from console.config import (
    ALLOW_VARIABLE,
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    STORE_VARIABLE,
    TRANSPORT_VARIABLE,
    allowed_addresses,
)
from console.settings import OPTIONS, load_settings, settings_file

_SETTING_COLUMNS = (Column(title="SETTING"), Column(title="VALUE", flexible=True), Column(title="FROM", flexible=True))
_KEY_COLUMNS = (
    Column(title="ID"),
    Column(title="KEYS"),
    Column(title="DOES", flexible=True),
    Column(title="FROM", flexible=True, optional=True),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of `config show`."""

    name: str
    value: str
    source: str
    help: str


@click.group(cls=ConsoleGroup, examples=("config show", "config keys", "config check"))
def config() -> None:
    """What is set, and where each value came from.

    A flag comes before the environment, that before ~/.config/webhook-console/config.toml, and that before what is
    built in. A console that is open takes over a changed file at once.
    """


@config.command(
    cls=ConsoleCommand, examples=("config show", "config show --json"), json_fields=("name", "value", "source", "help")
)
@pass_invocation
def show(invocation: Invocation) -> None:
    """Print every setting, its value and where that came from."""
    rows = list(_settings(invocation))
    if invocation.json:
        for row in rows:
            emit({"name": row.name, "value": row.value, "source": row.source, "help": row.help})
        return
    print_table(_SETTING_COLUMNS, [(row.name, row.value or "—", row.source) for row in rows])


@config.command(cls=ConsoleCommand, examples=("config keys",), json_fields=("id", "keys", "description", "source"))
@pass_invocation
def keys(invocation: Invocation) -> None:
    """Print everything that can be bound to keys: `id = "key,other"` in the file's [keys] table."""
    from console.ui.bindings import all_bindings

    settings = load_settings(invocation.environ)
    rows = [
        (one.id, settings.keys.get(one.id) or ",".join(one.keys), one.description, settings.key_lines.get(one.id))
        for one in all_bindings().values()
    ]
    if invocation.json:
        for id_, bound, words, place in rows:
            emit({"id": id_, "keys": bound, "description": words, "source": place or "built in"})
        return
    print_table(_KEY_COLUMNS, [(*row[:3], row[3] or "built in") for row in rows])


@config.command(cls=ConsoleCommand, examples=("config check",), json_fields=("problems",))
@pass_invocation
def check(invocation: Invocation) -> int:
    """Say what is wrong with the settings, one line each; exit code 1 when anything is."""
    from console.ui import themes
    from console.ui.bindings import problems

    settings = load_settings(invocation.environ)
    found = problems(settings.keys, settings.key_lines)
    if settings.theme is not None and settings.theme not in themes.theme_files(themes.themes_dirs()):
        found.append(f"{settings.by_name['theme'].source}: there is no theme {settings.theme!r}")
    for words in found:
        error(words)
    if invocation.json:
        emit({"problems": found})
    elif not found:
        note(f"{settings_file(invocation.environ)}: nothing is wrong")
    return 1 if found else 0


@config.command(cls=ConsoleCommand, json_fields=("path",), examples=("config path",))
@pass_invocation
def path(invocation: Invocation) -> None:
    """Print where the file is."""
    if invocation.json:
        emit({"path": str(settings_file(invocation.environ))})
    else:
        say(str(settings_file(invocation.environ)))


def _settings(invocation: Invocation) -> Iterator[Shown]:
    settings = load_settings(invocation.environ)
    for option in OPTIONS:
        setting = settings.by_name[option.name]
        value = str(setting.value).lower() if isinstance(setting.value, bool) else setting.value
        yield Shown(option.name, value, setting.source, option.help)
    for id_, bound in settings.keys.items():
        yield Shown(f"keys.{id_}", bound, settings.key_lines[id_], "keys bound anew")
    environ = invocation.environ
    chosen = "--store" if invocation.store_flag else f"${STORE_VARIABLE}" if environ.get(STORE_VARIABLE) else "built in"
    yield Shown("store", str(invocation.store_path), chosen, "the store to work on")
    networks = " ".join(allowed_addresses((), environ))
    for name, variable, value, words in (
        ("transport", TRANSPORT_VARIABLE, environ.get(TRANSPORT_VARIABLE) or "pyreqwest", "what makes the requests"),
        ("allow-address", ALLOW_VARIABLE, networks, "private networks that endpoints may be in"),
        ("key", KEY_VARIABLE, "set" if environ.get(KEY_VARIABLE) else "", "what seals secrets in the store"),
        ("key-file", KEY_FILE_VARIABLE, environ.get(KEY_FILE_VARIABLE, ""), "where those keys are"),
    ):
        yield Shown(name, value, f"${variable}" if environ.get(variable) else "built in", words)
