"""One request that came in, as lines to read: what became of it, what it was made of, how long it took. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from textual.content import Content

from console.domain.delivery import Delivery, DeliveryState
from console.domain.errors import UnknownReferenceError
from console.domain.event import Event
from console.domain.filters import DeliveryFilter
from console.domain.ids import format_number
from console.domain.inbound import Arrival, ArrivalRow, Fate, RequestId
from console.domain.outcome import Headers
from console.domain.redaction import REDACTED, redact_url
from console.store import Store
from console.ui.curl import is_secret_header
from console.ui.exchange_lines import header_lines
from console.ui.format import counted, date_time, duration, sanitise, size
from console.ui.inbox_rows import FATE_MARKS, whole_target
from console.ui.masking import mask_body, mask_headers, mask_text, mask_url
from console.ui.raw_lines import body_lines, field_lines
from console.ui.widgets.reading_view import Line
from console.ui.widgets.vocabulary import Cell

MOST_DELIVERIES = 1_000
_NAME_CELLS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request, and the event that came of it."""

    arrival: Arrival
    event: Event | None
    deliveries: tuple[Delivery, ...]
    """Of the event."""

    @property
    def row(self) -> ArrivalRow:
        return self.arrival.row


def read_arrival(store: Store, request_id: RequestId) -> Seen:
    """Raises UnknownReferenceError when there is no such request."""
    arrival = store.arrival(request_id)
    event, deliveries = None, []
    if arrival.row.event_id is not None:
        try:
            event = store.event(arrival.row.event_id)
            deliveries = store.deliveries(DeliveryFilter(event_id=event.id), limit=MOST_DELIVERIES)
        except UnknownReferenceError:
            event = None  # it is no longer kept
    return Seen(arrival=arrival, event=event, deliveries=tuple(deliveries))


def shown_headers(headers: Headers) -> Headers:
    """The fields, with what proves who the sender is left out."""
    return tuple((name, REDACTED if is_secret_header(name) else value) for name, value in headers)


def masked_arrival(arrival: Arrival) -> Arrival:
    """The same with all values hidden, for a screen that is shared."""
    row = replace(arrival.row, path=mask_url(arrival.row.path), query=mask_text(arrival.row.query))
    return Arrival(row=row, headers=mask_headers(arrival.headers), body=mask_body(arrival.body))


# What became of it


def verdict(seen: Seen) -> tuple[Cell, str]:
    """What became of it, as glyph and word, and why: in a sentence."""
    row = seen.row
    return FATE_MARKS[row.fate], _why(seen)


def _why(seen: Seen) -> str:
    row = seen.row
    reason = row.reason or ""
    match row.fate:
        case Fate.REJECTED:
            return f"Refused with {row.status}: {reason or 'no reason was kept'}. The sender was told the status alone."
        case Fate.FLAGGED:
            return f"Taken although it does not match its schema: {reason}. {_event_words(seen)}"
        case Fate.ACCEPTED:
            return _event_words(seen)
        case Fate.DUPLICATE:
            return f"The sender tried again: nothing new is owed. {_event_words(seen)}"
        case Fate.CAPTURED:
            return f"Recorded, and answered with {row.status}: it is no event, and nobody is owed it. r sends it on."
        case Fate.ANSWERED:
            return f"Answered with {row.status}, and no event: {reason or 'a handshake or a ping'}."


def _event_words(seen: Seen) -> str:
    row = seen.row
    if row.event_id is None:
        return "It became no event."
    named = f"{row.event_type} {row.event_id}" if row.event_type else str(row.event_id)
    if seen.event is None:
        return f"It became {named}, which is no longer kept."
    if not seen.deliveries:
        return f"It became {named}, which no endpoint wanted when it came."
    return f"It became {named}, {_deliveries_words(seen.deliveries)}. Enter shows it."


def _deliveries_words(deliveries: tuple[Delivery, ...]) -> str:
    states = [one.state for one in deliveries]
    parts = [f"{states.count(state)} {state}" for state in DeliveryState if state in states]
    return f"owed to {counted(len(deliveries), 'endpoint', 'endpoints')}: {', '.join(parts)}"


def explanation(seen: Seen) -> Content:
    """The verdict as content, clean."""
    (mark, meaning), why = verdict(seen)
    style = {"ok": "$text-success", "normal": "", "strong": ""}.get(meaning, f"$text-{meaning}")
    return Content.assemble((mark, f"bold {style}"), "  ", sanitise(why.replace("\n", " ")))


# What it was made of


def request_lines(arrival: Arrival, seen: Seen) -> list[Line]:
    """Everything about it but its body. `arrival`: as it may be shown."""
    row = arrival.row
    lines = [_first_line(row), Line()]
    lines += [_fact(name, cell) for name, cell in _facts(seen)]
    if seen.event is not None and seen.event.flaw is not None:
        flaw = seen.event.flaw
        lines += [Line(), Line(spans=(("SCHEMA", "accent"), (f"  {flaw.pattern} v{flaw.version}", "muted")))]
        lines.append(_fact("where", (flaw.path or "the payload as a whole", "warning")))
        lines.append(_fact("why", (flaw.reason, "warning")))
    if row.query:
        lines += [Line(), Line(spans=(("QUERY", "accent"),))]
        lines += header_lines(_query_fields(row.query))
    lines += [Line(), Line(spans=(("HEADERS", "accent"), (f"  {len(arrival.headers)}", "muted")))]
    return [*lines, *header_lines(shown_headers(arrival.headers))]


def _first_line(row: ArrivalRow) -> Line:
    return Line(spans=((whole_target(row), "strong"),), hang=2)


def _facts(seen: Seen) -> Iterator[tuple[str, Cell]]:
    row = seen.row
    yield "came", (date_time(row.received_at_ms), "normal")
    yield "from", (row.remote_address, "normal")
    yield "source", (row.source_name, "normal")
    took = f" in {duration(row.took_ms)}" if row.took_ms is not None else ""
    yield "answered", (f"{row.status}{took}", "normal" if row.status < 400 else "error")
    if row.reason:
        yield "because", (row.reason, {Fate.REJECTED: "error", Fate.FLAGGED: "warning"}.get(row.fate, "normal"))  # type: ignore[misc]  # a style name
    if row.event_id is not None:
        yield "event", (row.event_id, "normal")
    yield "body", (f"{size(row.size_bytes)}  {row.content_type or 'no content type'}", "normal")
    if seen.arrival.cut_short:
        yield "", (f"✂ cut: only the first {size(len(seen.arrival.body))} are kept", "warning")
    yield "number", (format_number("req", row.id), "muted")


def _fact(name: str, cell: Cell) -> Line:
    return Line(spans=((f"  {name:<{_NAME_CELLS}}", "muted"), cell), hang=_NAME_CELLS + 2, prose=True)


def _query_fields(query: str) -> Headers:
    """The parameters, unescaped; those that are named like secrets without their values."""
    shown = redact_url(f"?{query}").removeprefix("?")
    return tuple(parse_qsl(shown, keep_blank_values=True, errors="replace"))


def raw_lines(arrival: Arrival) -> list[Line]:
    """The request as it came: one header field a line, the body as it is, bytes that are no text in hex."""
    row = arrival.row
    lines = [_first_line(row)]
    lines += field_lines(shown_headers(arrival.headers))
    return [*lines, Line(), *body_lines(arrival.body)]
