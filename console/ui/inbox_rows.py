"""The inbox as its tables show it: sources, and what came in. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from console.domain.inbound import ArrivalRow, Fate
from console.domain.redaction import redact_url
from console.domain.source import Source, SourceId, SourceKind
from console.ui import format as fmt
from console.ui.widgets.ages import brief_age, brief_countdown
from console.ui.widgets.columns import Column
from console.ui.widgets.vocabulary import Cell, StyleName

FATE_MARKS: Mapping[Fate, Cell] = {
    Fate.ACCEPTED: ("✓ accepted", "ok"),
    Fate.FLAGGED: ("⚑ flagged", "warning"),
    Fate.DUPLICATE: ("≡ duplicate", "muted"),
    Fate.REJECTED: ("✗ rejected", "error"),
    Fate.CAPTURED: ("◉ captured", "accent"),
    Fate.ANSWERED: ("↩ answered", "muted"),
}
"""What became of a request, as glyph and word."""

WIDE_FROM = 110
"""Cells of a screen in which the type and the reason have columns of their own."""

_FIRST = (
    Column(key="source", title="SOURCE", width=10, flex=1),
    Column(key="fate", title="FATE", width=11),
    Column(key="request", title="REQUEST", width=13, flex=3),
)
NARROW_COLUMNS = (
    Column(key="clock", title="TIME", width=8),
    *_FIRST,
    Column(key="what", title="TYPE OR REASON", width=14, flex=4),
    Column(key="size", title="SIZE", width=8, align="right", priority=1),
    Column(key="status", title="CODE", width=4, align="right"),
)
WIDE_COLUMNS = (
    Column(key="time", title="TIME", width=12),
    *_FIRST,
    Column(key="type", title="TYPE", width=14, flex=3),
    Column(key="size", title="SIZE", width=8, align="right"),
    Column(key="status", title="CODE", width=4, align="right"),
    Column(key="took", title="TOOK", width=5, align="right"),
    Column(key="address", title="FROM", width=15, priority=1),
    Column(key="reason", title="REASON", width=24, flex=5),
)

SOURCE_COLUMNS = (
    Column(key="name", title="SOURCE", width=12, flex=2),
    Column(key="kind", title="KIND", width=8),
    Column(key="state", title="STATE", width=10),
    Column(key="taken", title="TAKEN", width=6, align="right"),
    Column(key="flagged", title="FLAGGED", width=7, align="right", priority=2),
    Column(key="duplicate", title="DUPLICATE", width=9, align="right", priority=3),
    Column(key="rejected", title="REJECTED", width=8, align="right"),
    Column(key="age", title="LAST", width=4, align="right"),
    Column(key="url", title="URL", width=20, flex=4),
)

_TAKEN = (Fate.ACCEPTED, Fate.FLAGGED, Fate.DUPLICATE, Fate.CAPTURED, Fate.ANSWERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """A request that came in, and when, as it is shown: the time of today, else the day. Rows that are equal look
    alike."""

    arrival: ArrivalRow
    today: bool


def target(method: str, path: str, query: str) -> str:
    """`POST /orders?page=2`; parts that are named like secrets are redacted."""
    path = f"/{path.lstrip('/')}" if path else ""
    where = redact_url(f"{path}?{query}") if query else path
    return f"{method} {where}".rstrip()


def whole_target(row: ArrivalRow) -> str:
    """`POST /in/stripe/live`, from the root of what the engine listens on."""
    return target(row.method, whole_path(row), row.query)


def whole_path(row: ArrivalRow) -> str:
    """`/in/stripe/live`"""
    return f"/in/{row.source_name}" + (f"/{row.path.lstrip('/')}" if row.path else "")


def inbox_cell(row: InboxRow, key: str) -> Cell:
    """What a cell of a request says."""
    arrival = row.arrival
    match key:
        case "time":
            return _time(row), "muted"
        case "clock":
            return _time(row)[:8] if row.today else _time(row)[:5], "muted"
        case "source":
            return arrival.source_name, "strong"
        case "fate":
            return FATE_MARKS[arrival.fate]
        case "request":
            return target(arrival.method, arrival.path, arrival.query), "normal"
        case "type":
            return type_cell(arrival)
        case "what":
            return (arrival.reason, _reason_meaning(arrival)) if arrival.reason else type_cell(arrival)
        case "size":
            return fmt.size(arrival.size_bytes), "muted"
        case "status":
            return str(arrival.status), "normal" if arrival.status < 400 else "error"
        case "took":
            return fmt.duration(arrival.took_ms), "muted"
        case "address":
            return arrival.remote_address, "muted"
        case _:
            return (arrival.reason, _reason_meaning(arrival)) if arrival.reason else (fmt.ABSENT, "muted")


def _time(row: InboxRow) -> str:
    if row.today:
        return fmt.clock_time(row.arrival.received_at_ms)
    return fmt.date_time(row.arrival.received_at_ms)[5:16]


def type_cell(arrival: ArrivalRow) -> Cell:
    """The event's type; of what is no event, what it said it was."""
    if arrival.event_type is not None:
        return arrival.event_type, "normal"
    content_type = (arrival.content_type or "").partition(";")[0].strip()
    return content_type or fmt.ABSENT, "muted"


def _reason_meaning(arrival: ArrivalRow) -> StyleName:
    return {Fate.REJECTED: "error", Fate.FLAGGED: "warning"}.get(arrival.fate, "muted")  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source, and what came in over the window. Rows that are equal look alike."""

    id: SourceId
    name: str
    kind: SourceKind
    state: Cell
    counts: Mapping[str, int] | None
    """By fate; None: not counted, of a moment of the past."""
    age: str
    """Of the last request."""
    path: str
    """Its URL below what the engine listens on."""


def source_row(
    source: Source, counts: Mapping[str, int] | None, last_ms: int | None, now_ms: int, *, listening: bool
) -> SourceRow:
    """A source as its row shows it."""
    return SourceRow(
        id=source.id,
        name=source.name,
        kind=source.kind,
        state=state_cell(source, now_ms, listening=listening),
        counts=counts,
        age=brief_age(now_ms, last_ms),
        path=source_path(source),
    )


def source_path(source: Source) -> str:
    """Where requests come in, below what the engine listens on."""
    return f"/in/{source.name}"


def state_cell(source: Source, now_ms: int, *, listening: bool) -> Cell:
    """Whether a request would be taken now, as glyph and word."""
    if source.until_ms is not None and source.until_ms <= now_ms:
        return "■ ended", "muted"
    if not source.enabled:
        return "■ off", "warning"
    if not listening:
        return "○ closed", "warning"
    if source.until_ms is not None:
        return f"● {brief_countdown(now_ms, source.until_ms)} left", "accent"
    return "● open", "ok"


def source_cell(row: SourceRow, key: str) -> Cell:
    """What a cell of a source says."""
    match key:
        case "name":
            return row.name, "strong"
        case "kind":
            return row.kind, "normal"
        case "state":
            return row.state
        case "age":
            return row.age, "muted"
        case "url":
            return row.path, "accent"
        case "taken":
            return _count(row, _TAKEN, "normal")
        case "rejected":
            return _count(row, (Fate.REJECTED,), "error")
        case _:
            return _count(row, (Fate(key),), "warning" if key == Fate.FLAGGED else "normal")


def _count(row: SourceRow, fates: tuple[Fate, ...], meaning: StyleName) -> Cell:
    if row.counts is None:
        return fmt.ABSENT, "muted"
    found = sum(row.counts.get(fate, 0) for fate in fates)
    return fmt.count(found), meaning if found else "muted"
