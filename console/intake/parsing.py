"""Events as they are posted: one, a JSON list, or lines of JSON. Bytes in, events or what is wrong with them out."""

import re
from collections.abc import Sequence

import msgspec

from console.domain.errors import InvalidInputError, one_line
from console.domain.event import PAYLOAD_CAP_BYTES, NewEvent
from console.domain.ids import check_event_id
from console.domain.matching import check_told_type
from console.domain.strict_json import check_strict, reason_of
from console.intake.problems import Fault, Problem

BATCH_MOST = 1000
FAULTS_MOST = 100
"""So many faults of one batch are told."""

SOURCE = "api"

_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_NAMED = re.compile(r"field `([^`]+)`")


class EventIn(msgspec.Struct, forbid_unknown_fields=True):
    """An event as it is posted."""

    type: str
    """`invoice.paid`: dot-separated words."""
    data: msgspec.Raw
    """Any JSON; kept and delivered byte for byte."""
    id: str | None = None
    """1 to 128 visible ASCII characters without `.`; one is made when there is none. An event whose id was accepted
    before is a duplicate, and changes nothing."""


_one = msgspec.json.Decoder(EventIn).decode
_list = msgspec.json.Decoder(list[EventIn]).decode
_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _WrongError(Exception):
    """An event is none."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.field = reason, field


def parse_events(body: bytes, content_type: str) -> tuple[list[NewEvent], bool]:
    """The events of a request's body, and whether it is a batch.

    Raises:
        Problem: names each item and field that is wrong.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("application/x-ndjson", "application/jsonl"):
        return _parse_lines(body), True
    if kind not in ("", "application/json") and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(415, f"content type {kind[:60]!r}: application/json or application/x-ndjson is needed")
    _check_text(body)
    start = body[:64].lstrip()[:1]
    if start == b"[":
        return _parse_list(body), True
    try:
        return [_event(body)], False
    except _WrongError as wrong:
        raise not_accepted([Fault(reason=wrong.reason, field=wrong.field)]) from None


def _check_text(body: bytes) -> None:
    try:
        body.decode()  # msgspec does not look into the strings of what it keeps raw
    except UnicodeDecodeError as problem:
        raise not_accepted([Fault(reason=f"not JSON: {reason_of(problem)}")]) from None


def not_accepted(faults: Sequence[Fault], *, status: int = 400, count: int | None = None) -> Problem:
    """What is answered to events that are wrong, of which there are `count`."""
    first = faults[0]
    place = "" if first.item is None else f"event {first.item}: "
    place = place if first.line is None else f"line {first.line}: "
    field = f"{first.field}: " if first.field else ""
    others = (count or len(faults)) - 1
    more = f" (and {others} more)" if others else ""
    detail = f"nothing was accepted: {place}{field}{first.reason}{more}"
    return Problem(status, detail, errors=list(faults[:FAULTS_MOST]))


def _parse_list(body: bytes) -> list[NewEvent]:
    try:
        found = _list(body)
    except (msgspec.DecodeError, RecursionError):
        return _parse_items(body)
    _check_count(len(found))
    try:
        check_strict(body, around=2)
        return [_checked(event) for event in found]
    except (_WrongError, InvalidInputError):
        return _parse_items(body)


def _parse_items(body: bytes) -> list[NewEvent]:
    """One by one, to say what is wrong with which."""
    try:
        items = _raw_list(body)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise not_accepted([Fault(reason=f"not JSON: {reason_of(problem)}")]) from None
    _check_count(len(items))
    return _each([(bytes(item), {"item": number}) for number, item in enumerate(items)])


def _parse_lines(body: bytes) -> list[NewEvent]:
    _check_text(body)
    lines = [(number, line.strip(b" \t\r")) for number, line in enumerate(body.split(b"\n"), 1)]
    lines = [(number, line) for number, line in lines if line]
    _check_count(len(lines))
    return _each([(line, {"item": item, "line": number}) for item, (number, line) in enumerate(lines)])


def _check_count(count: int) -> None:
    if not count:
        raise Problem(400, "nothing was accepted: a batch of no events")
    if count > BATCH_MOST:
        raise Problem(400, f"nothing was accepted: a batch of {count:,} events: at most {BATCH_MOST:,}")


def _each(items: Sequence[tuple[bytes, dict[str, int]]]) -> list[NewEvent]:
    events: list[NewEvent] = []
    faults: list[Fault] = []
    for data, place in items:
        try:
            events.append(_event(data))
        except _WrongError as wrong:
            faults.append(Fault(reason=wrong.reason, field=wrong.field, **place))
    if faults:
        raise not_accepted(faults)
    return events


def _event(data: bytes) -> NewEvent:
    try:
        found = _one(data)
        check_strict(data, around=1)
        return _checked(found)
    except InvalidInputError as problem:
        raise _WrongError(str(problem)) from None
    except msgspec.ValidationError as problem:
        text = str(problem)
        place = _PLACE.search(text)
        named = _NAMED.search(text)
        field = place.group(1) if place else named.group(1) if named else None
        raise _WrongError(one_line(_PLACE.sub("", text)), one_line(field, 80) if field else None) from None
    except (msgspec.DecodeError, RecursionError) as problem:
        raise _WrongError(f"not JSON: {reason_of(problem)}") from None


def _checked(event: EventIn) -> NewEvent:
    field = "type"
    try:
        check_told_type(event.type)
        field = "id"
        event_id = None if event.id is None else check_event_id(event.id)
        field = "data"
        payload = bytes(event.data)
        if len(payload) > PAYLOAD_CAP_BYTES:
            raise InvalidInputError(f"{len(payload):,} bytes: at most {PAYLOAD_CAP_BYTES:,} are accepted")
    except InvalidInputError as problem:
        raise _WrongError(str(problem), field) from None
    return NewEvent(type=event.type, payload=payload, id=event_id, source=SOURCE)
