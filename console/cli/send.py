"""`send`: one event from the command line, or many from a file or a pipe."""

import sys

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, note, paint, say
from console.cli.parameters import EVENT_ID, EVENT_TYPE
from console.domain.errors import InvalidInputError
from console.domain.event import PAYLOAD_CAP_BYTES, Accepted, NewEvent
from console.domain.ids import EventId
from console.operations.accepting import Refusal, SchemaBook, accept
from console.store import Store

SEND_FIELDS = ("id", "type", "duplicate", "deliveries", "engine_alive", "flaw")


@click.command(
    cls=ConsoleCommand,
    short_help="Accept an event, or many.",
    json_fields=SEND_FIELDS,
    examples=(
        "send invoice.paid --data '{\"id\": 42}'",
        "send invoice.paid --data @invoice.json --id invoice-42-paid",
        "send --ndjson events.ndjson",
        "send --ndjson - --json",
    ),
)
@click.argument("type_", metavar="TYPE", type=EVENT_TYPE, required=False)
@click.option("--data", metavar="JSON|@FILE|-", help="The payload, delivered byte for byte. Default: {}")
@click.option("--id", "event_id", type=EVENT_ID, metavar="ID", help="Your own id: the same one again is accepted once.")
@click.option(
    "--ndjson",
    metavar="FILE|-",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Many events, one JSON object a line.",
)
@pass_invocation
def send(
    invocation: Invocation, type_: str | None, data: str | None, event_id: EventId | None, ndjson: str | None
) -> int:
    """Accept an event: it is on disk when this command returns, and owed to every endpoint that wants its type.

    With --ndjson each line is {"type": "invoice.paid", "data": {…}, "id": "optional"}. The bytes of data are kept as
    they stand. A bad line is reported with its number and the rest goes on; the exit code is then 1. With --json that
    prints one object {"line", "error"} for each bad line and a last one with accepted, duplicates, deliveries, bad,
    lines and seconds.
    """
    if ndjson is not None:
        if type_ is not None or data is not None or event_id is not None:
            raise click.UsageError("--ndjson takes TYPE, data and id from its lines")
        from console.cli.bulk import send_lines

        return send_lines(invocation, ndjson)
    if type_ is None:
        raise click.UsageError("missing TYPE, such as invoice.paid (or --ndjson FILE)")
    event = NewEvent(type=type_, payload=read_payload(data), id=event_id)
    with invocation.writing(create=True) as store:
        now_ms = invocation.clock.now_ms()
        (accepted,) = accept(store, [event], now_ms, SchemaBook())
        if isinstance(accepted, Refusal):
            raise InvalidInputError(f"{type_} does not match its schema: {accepted}")
        _report(invocation, store, type_, accepted, now_ms)
    return 0


def read_payload(data: str | None) -> bytes:
    """A payload as it was given, from the file that `@FILE` names, or from standard input for `-`; None: `{}`.

    What is wrong with it is wrong usage.
    """
    if data is None:
        return b"{}"
    from console.domain.payload import check_payload

    if data == "-":
        raw = sys.stdin.buffer.read(2 * PAYLOAD_CAP_BYTES)
    elif data.startswith("@"):
        try:
            with click.open_file(data[1:], "rb") as file:
                raw = file.read(2 * PAYLOAD_CAP_BYTES)
        except OSError as problem:
            raise click.UsageError(f"--data {data}: {problem.strerror}") from None
    else:
        raw = data.encode("utf-8", "surrogateescape")
    try:
        return check_payload(raw)
    except InvalidInputError as problem:
        raise click.UsageError(f"--data: {problem}") from None


def _report(invocation: Invocation, store: Store, type_: str, accepted: Accepted, now_ms: int) -> None:
    status = store.engine_status()
    alive = status is not None and status.alive(now_ms)
    if invocation.json:
        emit(
            {
                "id": accepted.id,
                "type": type_,
                "duplicate": accepted.duplicate,
                "deliveries": accepted.deliveries,
                "engine_alive": alive,
                "flaw": None if accepted.flaw is None else str(accepted.flaw),
            }
        )
        return
    shown = clean(accepted.id)
    if accepted.duplicate:
        say(f"{shown}  {paint('duplicate', 'warning')}: this id was accepted before, nothing changed")
        return
    owed = f"{accepted.deliveries} endpoint{'' if accepted.deliveries == 1 else 's'}"
    say(f"{shown}  {paint('accepted', 'ok')}, owed to {owed}")
    if accepted.flaw is not None:
        note(f"flagged: it does not match its schema: {clean(str(accepted.flaw))}")
    if not accepted.deliveries:
        note(f"hint: no endpoint wants {type_}: see 'endpoints list', or add one with 'endpoints add URL'")
    elif not alive:
        note("hint: no engine is running, so nothing is sent yet: start one with 'webhook-console serve'")
