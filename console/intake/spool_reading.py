"""A file of the spool folder, read in pieces: first whether all of it is right, then its events."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from console.domain.event import NewEvent
from console.domain.ids import EventId
from console.domain.payload import reason_of
from console.intake.spool_folder import no_link
from console.operations.accepting import Refusal, SchemaBook
from console.operations.ndjson import BadLine, GoodLine, LineReader, parse_line

SOURCE = "spool"
JSON_CAP_BYTES = 64 * 1024 * 1024
"""Of a .json file, which is read as a whole."""

FAULTS_SHOWN = 20
_CHUNK_BYTES = 1 << 18
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"

_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is wrong with a file."""

    lines: tuple[BadLine, ...]
    """The first of them."""
    count: int
    unit: str = "line"

    def __str__(self) -> str:
        shown = [f"{self.unit} {bad.number}: {bad.reason}" for bad in self.lines]
        if self.count > len(shown):
            shown.append(f"and {self.count - len(shown):,} more")
        return "\n".join(shown)


def events_of(file: Path) -> Iterator[GoodLine | BadLine]:
    """Each event of a file with the number of its line, or of its place in a list. Raises OSError."""
    return _lines(file) if file.suffix.lower() == ".ndjson" else _json(file)


def unit_of(file: Path) -> str:
    """What those numbers count."""
    return "line" if file.suffix.lower() == ".ndjson" else "event"


def held_against(book: SchemaBook, found: Iterator[GoodLine | BadLine]) -> Iterator[GoodLine | BadLine]:
    """The same, with what does not match its schema among what is wrong."""
    for one in found:
        refusal = book.check(one.event) if isinstance(one, GoodLine) else None
        yield BadLine(number=one.number, reason=str(refusal)) if isinstance(refusal, Refusal) else one


def faults_of(found: Iterator[GoodLine | BadLine], unit: str) -> Faults | None:
    """All that is wrong; None: nothing is. A file without events is wrong, too."""
    bad: list[BadLine] = []
    count = events = 0
    for one in found:
        if isinstance(one, GoodLine):
            events += 1
            continue
        count += 1
        if len(bad) < FAULTS_SHOWN:
            bad.append(one)
    if not count and not events:
        bad, count = [BadLine(number=1, reason='is empty: {"type": …, "data": …} is needed')], 1
    return Faults(lines=tuple(bad), count=count, unit=unit) if count else None


def as_accepted(line: GoodLine, file_name: str) -> NewEvent:
    """The event with an id, which is made of the file's name when it has none."""
    event = line.event
    return replace(event, source=SOURCE, id=event.id or _derived_id(file_name, line.number))


def _derived_id(file_name: str, number: int) -> EventId:
    digest = hashlib.sha256(f"{number}\n{file_name}".encode("utf-8", "surrogateescape")).digest()
    drawn = int.from_bytes(digest[:17]) >> 6  # 130 bits
    return EventId("evt_" + "".join(_LETTERS[drawn >> 5 * place & 31] for place in reversed(range(26))))


def _lines(file: Path) -> Iterator[GoodLine | BadLine]:
    reader = LineReader()
    with open(file, "rb", opener=no_link) as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            yield from reader.feed(chunk)
    yield from reader.finish()


def _json(file: Path) -> Iterator[GoodLine | BadLine]:
    with open(file, "rb", opener=no_link) as opened:
        held = opened.read(JSON_CAP_BYTES + 1)
    if len(held) > JSON_CAP_BYTES:
        yield BadLine(number=1, reason=f"more than {JSON_CAP_BYTES:,} bytes: write it as .ndjson, an event a line")
        return
    if not held.lstrip().startswith(b"["):
        if held.strip():
            yield parse_line(1, held)
        return
    try:
        held.decode()
        items = _raw_list(held)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        yield BadLine(number=1, reason=f"not JSON: {reason_of(problem)}")
        return
    for number, item in enumerate(items, 1):
        yield parse_line(number, bytes(item))
