"""Requests that came in, as the command line shows them."""

import base64
from collections.abc import Sequence

from console.cli.output import clean, paint, say
from console.cli.records import Record, iso, shown_headers
from console.domain.ids import format_number
from console.domain.inbound import Arrival, ArrivalRow, Fate
from console.domain.redaction import redact_url

ARRIVAL_FIELDS = (
    "id", "source", "source_id", "received_at", "method", "path", "query", "size_bytes", "content_type",
    "remote_address", "fate", "reason", "event_id", "event_type", "status", "took_ms",
)  # fmt: skip
WHOLE_FIELDS = (*ARRIVAL_FIELDS, "headers", "body", "body_base64", "cut_short")

STYLES = {
    Fate.ACCEPTED: "ok",
    Fate.FLAGGED: "warning",
    Fate.DUPLICATE: "muted",
    Fate.REJECTED: "error",
    Fate.CAPTURED: "accent",
    Fate.ANSWERED: "muted",
}
_BODY_MOST = 64 * 1024


def arrival_record(row: ArrivalRow, *, reveal: bool = False) -> Record:
    """As JSON. `reveal`: with what a query holds of secrets."""
    return {
        "id": format_number("req", row.id),
        "source": row.source_name,
        "source_id": row.source,
        "received_at": iso(row.received_at_ms),
        "method": row.method,
        "path": row.path,
        "query": row.query if reveal else _query(row),
        "size_bytes": row.size_bytes,
        "content_type": row.content_type,
        "remote_address": row.remote_address,
        "fate": row.fate.value,
        "reason": row.reason,
        "event_id": row.event_id,
        "event_type": row.event_type,
        "status": row.status,
        "took_ms": None if row.took_ms is None else round(row.took_ms, 3),
    }


def whole_record(arrival: Arrival, *, reveal: bool) -> Record:
    """With its header fields and its body; a body that is not UTF-8 is given in base64 instead."""
    try:
        text, encoded = arrival.body.decode(), None
    except UnicodeDecodeError:
        text, encoded = None, base64.b64encode(arrival.body).decode()
    headers = arrival.headers if reveal else shown_headers(arrival.headers)
    return {
        **arrival_record(arrival.row, reveal=reveal),
        "headers": [list(field) for field in headers],
        "body": text,
        "body_base64": encoded,
        "cut_short": arrival.cut_short,
    }


def _query(row: ArrivalRow) -> str:
    return redact_url(f"?{row.query}")[1:]


def target(row: ArrivalRow) -> str:
    """`POST /live?a=1`: what was asked for below the source's URL; parts named like secrets are redacted."""
    query = f"?{_query(row)}" if row.query else ""
    path = f"/{row.path.lstrip('/')}" if row.path else ""
    return f"{row.method} {path}{query}".rstrip()


def outcome(row: ArrivalRow) -> str:
    """What became of it, beside its fate."""
    if row.reason:
        return row.reason
    return f"{row.event_type} {row.event_id}" if row.event_id else row.content_type or ""


def arrival_line(row: ArrivalRow) -> str:
    """One line of a tail."""
    from console.ui.format import clock_time, size

    return "  ".join(
        (
            clock_time(row.received_at_ms),
            format_number("req", row.id),
            clean(row.source_name),
            paint(f"{row.fate.value:<9}", STYLES[row.fate]),
            str(row.status),
            clean(target(row)),
            size(row.size_bytes),
            clean(outcome(row)),
        )
    ).rstrip()


def print_arrivals(rows: Sequence[ArrivalRow]) -> None:
    """One line each, in columns."""
    from console.cli.table import Cell, Column, print_table
    from console.ui.format import date_time, size

    columns = (
        Column(title="ID"),
        Column(title="TIME"),
        Column(title="SOURCE", flexible=True),
        Column(title="FATE"),
        Column(title="STATUS", right=True),
        Column(title="REQUEST", flexible=True),
        Column(title="SIZE", right=True, optional=True),
        Column(title="WHAT", flexible=True),
        Column(title="FROM", optional=True),
    )
    cells: list[list[Cell]] = [
        [
            format_number("req", row.id),
            date_time(row.received_at_ms),
            row.source_name,
            (row.fate.value, STYLES[row.fate]),
            str(row.status),
            target(row),
            size(row.size_bytes),
            outcome(row),
            row.remote_address,
        ]
        for row in rows
    ]
    print_table(columns, cells)


def print_arrival(arrival: Arrival, *, reveal: bool) -> None:
    """All of one: what became of it, header fields, body."""
    from console.ui.format import date_time, duration, sanitise_bytes

    row = arrival.row
    say(f"{format_number('req', row.id)}  {paint(row.fate.value, STYLES[row.fate])}  {clean(outcome(row))}".rstrip())
    say(f"  source:    {clean(row.source_name)}")
    say(f"  received:  {date_time(row.received_at_ms)} from {clean(row.remote_address)}")
    say(f"  answered:  {row.status} after {duration(row.took_ms)}")
    query = f"?{row.query}" if reveal and row.query else None
    shown = target(row) if query is None else f"{row.method} {row.path}{query}"
    say()
    say(clean(shown))
    for name, value in arrival.headers if reveal else shown_headers(arrival.headers):
        say(f"{clean(name)}: {clean(value)}")
    say()
    for line in sanitise_bytes(arrival.body, _BODY_MOST).splitlines():
        say(line)
    if arrival.cut_short:
        say(paint("… only its beginning was kept", "muted"))
