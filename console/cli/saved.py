"""`filters`: those that a user has saved, for `@name`."""

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, note, say
from console.cli.parameters import FILTER, SAVED, TEXT
from console.domain.query import parse_query
from console.saved_filters import SavedFilters


@click.group(
    cls=ConsoleGroup,
    short_help="Keep filters under names, for --filter @NAME.",
    examples=("filters save slow 'endpoint:crm cause:timeout_read'", "filters list"),
)
def filters() -> None:
    """Keep filters under names: @NAME stands for one in every --filter and on every screen."""


@filters.command("list", cls=ConsoleCommand, json_fields=("name", "filter"), examples=("filters list",))
@pass_invocation
def list_(invocation: Invocation) -> int:
    """List the filters that are saved."""
    found = SavedFilters(invocation.environ).read()
    if invocation.json:
        for name, text in found.items():
            emit({"name": name, "filter": text})
    elif found:
        from console.cli.table import Column, print_table

        print_table((Column(title="NAME"), Column(title="FILTER")), ((f"@{n}", text) for n, text in found.items()))
    else:
        nothing("no filter is saved yet")
    return 0


@filters.command(
    cls=ConsoleCommand,
    json_fields=("name", "filter"),
    examples=("filters save slow 'endpoint:crm cause:timeout_read since:2h'",),
)
@click.argument("name", metavar="NAME", type=TEXT)
@click.argument("text", metavar="TEXT", type=TEXT, shell_complete=FILTER.shell_complete)
@pass_invocation
def save(invocation: Invocation, name: str, text: str) -> int:
    """Save a filter under a name, or replace the one that has it. 2h in it means 2h before it is used."""
    saved = SavedFilters(invocation.environ)
    parse_query(text, now_ms=invocation.clock.now_ms(), saved={**saved.read(), name: text})
    replaced = saved.save(name, text)
    if invocation.json:
        emit({"name": name, "filter": text.strip()})
    else:
        say(f"@{name} is {'replaced' if replaced else 'saved'}")
        note(f"in {saved.path}")
    return 0


@filters.command(cls=ConsoleCommand, json_fields=("name",), examples=("filters remove slow",))
@click.argument("name", metavar="NAME", type=SAVED)
@pass_invocation
def remove(invocation: Invocation, name: str) -> int:
    """Forget a filter that was saved."""
    name = name.removeprefix("@")
    SavedFilters(invocation.environ).remove(name)
    if invocation.json:
        emit({"name": name})
    else:
        say(f"@{name} is forgotten")
    return 0
