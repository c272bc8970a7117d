"""`schemas`: what the payloads of event types must look like."""

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, paint, say
from console.cli.parameters import EVENT_ID, EVENT_TYPE, PATTERN, TEXT, Words
from console.cli.records import Record, flaw_record, iso
from console.domain.event_schema import EventSchema, Flaw, SchemaMode
from console.domain.ids import EventId
from console.operations import schemas as acts
from console.operations.actor import current_actor
from console.store import Store

SCHEMA_FIELDS = ("pattern", "version", "mode", "created_at", "retired", "size_bytes")
_TEST_FIELDS = ("type", "pattern", "version", "mode", "matches", "flaw")
_MOST_BYTES = 4 * 1024 * 1024


@click.group(
    cls=ConsoleGroup,
    examples=("schemas add 'invoice.*' invoice.json", "schemas test invoice.paid --data '{\"id\": 42}'"),
)
def schemas() -> None:
    """What payloads must look like to be let in: JSON Schemas by event type, checked wherever events come in.

    The most specific pattern counts: invoice.paid before invoice.* before *. A payload that does not match is refused,
    or taken with a note of where and why (--mode flag).
    """


@schemas.command(
    cls=ConsoleCommand,
    json_fields=SCHEMA_FIELDS,
    examples=("schemas add invoice.paid invoice.json", "schemas add 'invoice.*' invoice.json --mode flag"),
)
@click.argument("pattern", metavar="TYPE_PATTERN", type=PATTERN)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--mode",
    type=Words(SchemaMode),
    default=SchemaMode.REJECT.value,
    help="What is done with a payload that does not match. Default: reject",
)
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def add(invocation: Invocation, pattern: str, file: str, mode: SchemaMode, reason: str | None) -> int:
    """Check the payloads of some types against a JSON Schema from now on. Of a pattern the newest version counts.

    Draft 2020-12, or 4, 6, 7 and 2019-09 when $schema says so. Formats such as email are checked. Nothing is fetched: a
    $ref leads within the file. Patterns have no look-around and no back-references, so that none takes long.
    """
    with click.open_file(file, "rb") as opened:
        text = opened.read(_MOST_BYTES)
    with invocation.writing(create=True) as store:
        now_ms = invocation.clock.now_ms()
        schema = acts.add_schema(store, pattern, text, mode, actor=current_actor(), now_ms=now_ms, reason=reason)
    if invocation.json:
        emit(_record(schema))
    else:
        say(f"{clean(pattern)} v{schema.version}  {paint('added', 'ok')}: what does not match is {_DONE[schema.mode]}")
    return 0


@schemas.command(
    "list", cls=ConsoleCommand, json_fields=SCHEMA_FIELDS, examples=("schemas list", "schemas list --retired")
)
@click.option("--retired", is_flag=True, help="With the versions that count no longer.")
@pass_invocation
def list_(invocation: Invocation, retired: bool) -> int:
    """List the schemas that count, by pattern."""
    with invocation.reading() as store:
        rows = store.schemas(retired=retired)
    if invocation.json:
        for schema in rows:
            emit(_record(schema))
    elif rows:
        _print(rows)
    else:
        nothing("no schemas: every payload is let in. Add one with 'webhook-console schemas add TYPE_PATTERN FILE'")
    return 0


@schemas.command(
    cls=ConsoleCommand,
    json_fields=(*SCHEMA_FIELDS, "schema"),
    examples=("schemas show 'invoice.*'", "schemas show invoice.paid --version 1"),
)
@click.argument("pattern", metavar="TYPE_PATTERN", type=PATTERN)
@click.option("--version", type=int, metavar="N", help="This version. Default: the one that counts, else the newest.")
@pass_invocation
def show(invocation: Invocation, pattern: str, version: int | None) -> int:
    """Show one schema, as it was given."""
    with invocation.reading() as store:
        schema = acts.find_schema(store, pattern, version)
    if invocation.json:
        import msgspec

        emit({**_record(schema), "schema": msgspec.Raw(msgspec.json.format(schema.text, indent=-1))})
        return 0
    from console.cli.attempt_views import print_payload

    say(f"{clean(schema.pattern)} v{schema.version}  {_state(schema)}")
    print_payload(schema.text)
    return 0


@schemas.command(
    cls=ConsoleCommand, json_fields=SCHEMA_FIELDS, examples=("schemas retire 'invoice.*' --reason 'moved to v2'",)
)
@click.argument("pattern", metavar="TYPE_PATTERN", type=PATTERN)
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log.")
@pass_invocation
def retire(invocation: Invocation, pattern: str, reason: str | None) -> int:
    """Check nothing against a schema any more. Its versions can still be shown."""
    with invocation.writing() as store:
        now_ms = invocation.clock.now_ms()
        schema = acts.retire_schema(store, pattern, actor=current_actor(), now_ms=now_ms, reason=reason)
    if invocation.json:
        emit(_record(schema))
    else:
        say(f"{clean(pattern)} v{schema.version}: retired")
    return 0


@schemas.command(
    cls=ConsoleCommand,
    json_fields=_TEST_FIELDS,
    examples=("schemas test invoice.paid --data @invoice.json", "schemas test invoice.paid --event evt_1"),
)
@click.argument("type_", metavar="TYPE", type=EVENT_TYPE)
@click.option("--data", metavar="JSON|@FILE|-", help="A payload.")
@click.option("--event", "event_id", type=EVENT_ID, metavar="ID", help="The payload of a past event.")
@pass_invocation
def test(invocation: Invocation, type_: str, data: str | None, event_id: EventId | None) -> int:
    """Say what would be done with a payload of a type, and accept nothing. The exit code is 1 when it does not match.

    With --json, flaw is null or an object with path, reason, pattern and version.
    """
    if (data is None) == (event_id is None):
        raise click.UsageError("give one of --data and --event")
    from console.cli.send import read_payload
    from console.domain.schema_check import flaw_of, schema_for

    with invocation.reading() as store:
        payload = _payload(store, event_id) if event_id is not None else read_payload(data)
        schema = schema_for(store.schemas(), type_)
    flaw = None if schema is None else flaw_of(schema, payload)
    if invocation.json:
        emit(
            {
                "type": type_,
                "pattern": None if schema is None else schema.pattern,
                "version": None if schema is None else schema.version,
                "mode": None if schema is None else schema.mode.value,
                "matches": flaw is None,
                "flaw": flaw_record(flaw),
            }
        )
    else:
        _tell(type_, schema, flaw)
    return 0 if flaw is None else 1


def _payload(store: Store, event_id: EventId) -> bytes:
    return store.event(event_id).payload


def _tell(type_: str, schema: EventSchema | None, flaw: Flaw | None) -> None:
    if schema is None:
        say(f"no schema counts for {type_}: it is let in")
    elif flaw is None:
        say(f"{paint('matches', 'ok')} {clean(schema.pattern)} v{schema.version}")
    else:
        say(f"{paint(_DONE[schema.mode], 'error')}: {clean(str(flaw))}")


_DONE = {SchemaMode.REJECT: "refused", SchemaMode.FLAG: "taken and flagged"}


def _state(schema: EventSchema) -> str:
    return paint("retired", "muted") if schema.retired else f"what does not match is {_DONE[schema.mode]}"


def _record(schema: EventSchema) -> Record:
    return {
        "pattern": schema.pattern,
        "version": schema.version,
        "mode": schema.mode.value,
        "created_at": iso(schema.created_at_ms),
        "retired": schema.retired,
        "size_bytes": len(schema.text),
    }


def _print(rows: list[EventSchema]) -> None:
    from console.cli.table import Cell, Column, print_table
    from console.ui.format import date_time, size

    columns = (
        Column(title="TYPES", flexible=True),
        Column(title="VERSION", right=True),
        Column(title="MODE"),
        Column(title="ADDED", optional=True),
        Column(title="SIZE", right=True, optional=True),
    )
    cells: list[list[Cell]] = [
        [
            schema.pattern,
            str(schema.version),
            ("retired", "muted") if schema.retired else schema.mode.value,
            date_time(schema.created_at_ms),
            size(len(schema.text)),
        ]
        for schema in rows
    ]
    print_table(columns, cells)
