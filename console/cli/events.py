"""`events`: what was accepted, and where it went."""

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.filters import FILTER_LINE, LIMIT, PAGE, SINCE, TYPE, UNTIL
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, paint, say
from console.cli.parameters import EVENT_ID
from console.cli.records import EVENT_ROW_FIELDS, Record, delivery_record, event_record, event_row_record, flaw_record
from console.domain.delivery import Delivery
from console.domain.endpoint import Endpoint
from console.domain.event import Event, EventRow
from console.domain.filters import DeliveryFilter, EventFilter
from console.domain.ids import EventId
from console.domain.not_owed import not_owed_words
from console.domain.query import Query

_SHOW_FIELDS = (
    "id",
    "type",
    "size_bytes",
    "accepted_at",
    "source",
    "copy_of",
    "copies",
    "hops",
    "via",
    "flaw",
    "payload",
    "deliveries",
    "not_owed",
)


@click.group(
    cls=ConsoleGroup,
    lazy={"resend": "console.cli.resending:resend"},
    examples=("events list --type 'invoice.*'", "events show evt_01k0000000000000000000000"),
)
def events() -> None:
    """Look at the events that were accepted, and send them once more."""


@events.command(
    "list",
    cls=ConsoleCommand,
    json_fields=EVENT_ROW_FIELDS,
    examples=("events list", "events list --type 'invoice.*' --since 1h --json"),
)
@FILTER_LINE
@TYPE
@SINCE
@UNTIL
@LIMIT
@pass_invocation
def list_(
    invocation: Invocation,
    query: Query | None,
    type_pattern: str | None,
    since_ms: int | None,
    until_ms: int | None,
    limit: int,
) -> int:
    """List events, newest first."""
    where = EventFilter(type_pattern=type_pattern, since_ms=since_ms, until_ms=until_ms)
    where = where if query is None else query.events(where)
    rows: list[EventRow] = []
    with invocation.reading() as store:
        before: int | None = None
        while len(rows) < limit:
            wanted = min(PAGE, limit - len(rows))
            page = store.events(where, limit=wanted, before_seq=before)
            rows += page
            if len(page) < wanted:
                break
            before = page[-1].seq
    if invocation.json:
        for row in rows:
            emit(event_row_record(row))
    elif rows:
        from console.cli.views import print_events

        print_events(rows)
    else:
        nothing("no events yet" if where == EventFilter() else "no events match")
    return 0


@events.command(cls=ConsoleCommand, json_fields=_SHOW_FIELDS, examples=("events show evt_01k0000000000000000000000",))
@click.argument("event_id", metavar="ID", type=EVENT_ID)
@pass_invocation
def show(invocation: Invocation, event_id: EventId) -> int:
    """Show one event: its payload, its deliveries, and which endpoints are not owed it and why.

    With --json, deliveries holds objects with the fields of deliveries list, and not_owed objects with endpoint_id,
    endpoint and why; flaw is null or an object with path, reason, pattern and version.
    """
    with invocation.reading() as store:
        event = store.event(event_id)
        copies = store.copies(event_id, limit=PAGE)
        deliveries = store.deliveries(DeliveryFilter(event_id=event_id), limit=PAGE)
        not_owed = _not_owed(event, deliveries, store.endpoints(), invocation.clock.now_ms())
    if invocation.json:
        emit(
            {
                **event_record(event),
                "copy_of": event.copy_of,
                "copies": copies,
                "hops": event.hops,
                "via": event.via,
                "flaw": flaw_record(event.flaw),
                "deliveries": [delivery_record(delivery) for delivery in deliveries],
                "not_owed": not_owed,
            }
        )
        return 0
    _print(event, copies, deliveries, not_owed, invocation.clock.now_ms())
    return 0


def _not_owed(event: Event, deliveries: list[Delivery], endpoints: list[Endpoint], now_ms: int) -> list[Record]:
    from console.ui.time_words import TimeWords

    times = TimeWords(now_ms)
    owed = {delivery.endpoint_id for delivery in deliveries}
    return [
        {"endpoint_id": endpoint.id, "endpoint": endpoint.name, "why": not_owed_words(event, endpoint, None, times)}
        for endpoint in endpoints
        if endpoint.id not in owed
    ]


def _way(event: Event) -> str:
    """How many senders like this one, and which."""
    senders = "1 sender" if event.hops == 1 else f"{event.hops:,} senders"
    return senders if event.via is None else f"{senders}: {event.via}"


def _print(
    event: Event, copies: list[EventId], deliveries: list[Delivery], not_owed: list[Record], now_ms: int
) -> None:
    from console.cli.attempt_views import print_payload
    from console.cli.table import Column, print_facts, print_table
    from console.cli.views import print_deliveries
    from console.ui.format import date_time, size

    print_facts(
        (
            ("event", (event.id, "strong")),
            ("type", event.type),
            ("accepted", date_time(event.accepted_at_ms)),
            ("source", event.source),
            ("size", size(len(event.payload))),
            *((("a copy of", event.copy_of),) if event.copy_of is not None else ()),
            *(("copied as", copy) for copy in copies),
            *((("has passed", _way(event)),) if event.hops else ()),
            *((("flaw", (str(event.flaw), "warning")),) if event.flaw is not None else ()),
        )
    )
    say(f"\n{paint('payload', 'muted')}")
    print_payload(event.payload)
    say(f"\n{paint('owed to', 'muted')}")
    if deliveries:
        print_deliveries(deliveries, now_ms, indent="  ")
    else:
        say("  nobody")
    if not_owed:
        say(f"\n{paint('not owed to', 'muted')}")
        columns = (Column(title="ENDPOINT"), Column(title="WHY"))
        print_table(columns, ((row["endpoint"], row["why"]) for row in not_owed), indent="  ")
