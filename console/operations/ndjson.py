"""Events as lines of JSON: `{"type": …, "data": …, "id"?: …}`. Pure: bytes in, events and complaints out."""

from dataclasses import dataclass

import msgspec

from console.domain.errors import InvalidInputError, one_line
from console.domain.event import PAYLOAD_CAP_BYTES, NewEvent
from console.domain.ids import check_event_id
from console.domain.matching import check_told_type
from console.domain.strict_json import check_strict, reason_of

LINE_CAP_BYTES = PAYLOAD_CAP_BYTES + 4096
"""A line longer than this cannot be good; it is not kept in memory."""

_BLANKS = b" \t\r"


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    data: msgspec.Raw
    id: str | None = None


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that is no event, counted from 1, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodLine:
    number: int
    event: NewEvent


def parse_line(number: int, line: bytes) -> GoodLine | BadLine:
    """The event of one line; its payload is the bytes of `data` as they stand."""
    try:
        # msgspec does not look into the strings of what it keeps raw.
        line.decode()
        fields = _DECODER.decode(line)
        check_strict(line, around=1)
        payload = bytes(fields.data)
        if len(payload) > PAYLOAD_CAP_BYTES:
            raise InvalidInputError(f"data of {len(payload):,} bytes: at most {PAYLOAD_CAP_BYTES:,} are accepted")
        event = NewEvent(
            type=check_told_type(fields.type),
            payload=payload,
            id=None if fields.id is None else check_event_id(fields.id),
        )
    except InvalidInputError as problem:
        return BadLine(number=number, reason=str(problem))
    except msgspec.ValidationError as problem:
        return BadLine(number=number, reason=one_line(str(problem)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return BadLine(number=number, reason=f"not JSON: {reason_of(problem)}")
    return GoodLine(number=number, event=event)


class LineReader:
    """Cuts a stream of bytes into lines and reads each. Empty lines are counted and skipped."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._number = 1

    @property
    def lines(self) -> int:
        """Whole lines seen so far."""
        return self._number - 1

    def feed(self, chunk: bytes) -> list[GoodLine | BadLine]:
        """What the bytes completed."""
        *whole, rest = chunk.split(b"\n")
        found: list[GoodLine | BadLine] = []
        for end in whole:
            self._keep(end)
            self._end_line(found)
        self._keep(rest)
        return found

    def finish(self) -> list[GoodLine | BadLine]:
        """The last line, when no line break follows it."""
        found: list[GoodLine | BadLine] = []
        if self._kept_bytes:
            self._end_line(found)
        return found

    def _keep(self, part: bytes) -> None:
        self._kept_bytes += len(part)
        if self._kept_bytes > LINE_CAP_BYTES:
            self._kept.clear()
        elif part:
            self._kept.append(part)

    def _end_line(self, found: list[GoodLine | BadLine]) -> None:
        size, line = self._kept_bytes, b"".join(self._kept).strip(_BLANKS)
        if size > LINE_CAP_BYTES:
            found.append(BadLine(number=self._number, reason=f"line of {size:,} bytes: at most {LINE_CAP_BYTES:,}"))
        elif line:
            found.append(parse_line(self._number, line))
        self._kept, self._kept_bytes = [], 0
        self._number += 1
