"""Reads with a budget: what matches is looked for in pieces, each as large as is looked through in some milliseconds.

Without texts the pieces are stretches of ids of the stream that `picking` chose. With texts they are shelves where the
texts may stand, unless another part of the filter leaves fewer rows to compare than there are on those.
"""

import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from console.domain.clock import SystemClock
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.domain.ids import DeliveryId
from console.domain.words import phrase_of
from console.store.sqlite import filtering
from console.store.sqlite.connection import Connection, TimeUpError
from console.store.sqlite.filtering import Conditions
from console.store.sqlite.picking import COUNTED, Pick, Picking, Stream, beside, pick_all, pick_from
from console.store.sqlite.shelves import SHELF, Candidates, Shelves
from console.store.sqlite.times import Times

PIECE_S = 0.012
"""How long one piece should take."""
_FASTER, _SLOWER = 8.0, 0.25
"""How much larger and smaller the next piece may be."""
_FIRST_IDS, _FIRST_SHELVES = 2048, 4
_LEAST_IDS, _LEAST_SHELVES = 256, 1

NOT_INDEXED = 5_000
"""Attempts that the search file does not know yet. Of more it is not said where they belong: everything is compared."""

FEW_SHELVES = 100
"""The attempts of so many are gathered and sorted; to find those of more, attempts are walked."""

_ALL = 2**62
_NEWEST_EVENT = "SELECT coalesce(max(seq), 0) FROM events"
_NEWEST_ATTEMPT = "SELECT coalesce(max(id), 0) FROM attempts"
_EVENT_FROM = "SELECT event FROM deliveries WHERE id >= ? ORDER BY id LIMIT 1"
_EVENT_BELOW = "SELECT event FROM deliveries WHERE id < ? ORDER BY id DESC LIMIT 1"
_FIRST_OF_EVENTS = "SELECT id FROM deliveries INDEXED BY deliveries_event WHERE event >= ? ORDER BY event, id LIMIT 1"
_SHELVES_OF = f"""
SELECT DISTINCT d.event / {SHELF} FROM attempts a JOIN deliveries d ON d.id = a.delivery
WHERE a.id > ? OR a.id IN (SELECT value FROM json_each(?))
"""
_ON_SHELVES = f"(SELECT value * {SHELF} AS low FROM json_each(?)) CROSS JOIN"
_DELIVERIES_ON = f"""
SELECT deliveries.id AS picked FROM {_ON_SHELVES} deliveries INDEXED BY deliveries_event
  ON deliveries.event >= low AND deliveries.event < low + {SHELF} WHERE {{where}} ORDER BY 1 DESC LIMIT ?
"""
_EVENTS_ON = f"""
SELECT events.seq AS picked FROM {_ON_SHELVES} events ON seq >= low AND seq < low + {SHELF}
WHERE {{where}} ORDER BY 1 DESC LIMIT ?
"""
_ATTEMPTS_ON = f"""
SELECT attempts.id FROM {_ON_SHELVES} deliveries INDEXED BY deliveries_event
  ON deliveries.event >= low AND deliveries.event < low + {SHELF}
  CROSS JOIN attempts INDEXED BY attempts_delivery ON attempts.delivery = deliveries.id
  WHERE attempts.id >= ? AND attempts.id < ?
"""
_ATTEMPTS_AMONG = """
SELECT attempts.id AS picked FROM (SELECT value FROM json_each(?)) CROSS JOIN attempts ON attempts.id = value
WHERE {where} LIMIT ?
"""
_BY_ENDPOINT = """
SELECT endpoint, count(*) FROM ({picked}) CROSS JOIN deliveries ON deliveries.id = picked WHERE {also} GROUP BY endpoint
"""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table whose rows have a number and a time."""

    name: str
    number: str
    at: str

    @property
    def least(self) -> str:
        return f"SELECT min({self.number}) FROM {self.name}"

    @property
    def most(self) -> str:
        return f"SELECT max({self.number}) FROM {self.name}"


_DELIVERIES, _ATTEMPTS = _Table("deliveries", "id", "created_at"), _Table("attempts", "id", "started_at")
_EVENTS = _Table("events", "seq", "accepted_at")

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Reach(Generic[R]):
    """What was found, how far was looked, and whether that was everything."""

    found: list[R]
    reached: int
    done: bool


class _Course(Protocol):
    """A way to go in pieces."""

    width: int
    least: int

    @property
    def over(self) -> bool: ...

    def piece(self) -> Any:
        """The next one, of `width`."""
        ...

    def past(self, piece: Any) -> None:
        """That one was looked through."""
        ...

    @property
    def reached(self) -> int: ...


class _Ids:
    """Stretches of ids in [bottom, top), downwards or upwards: pieces are their bounds."""

    least = _LEAST_IDS

    def __init__(self, bottom: int, top: int, *, ascending: bool = False) -> None:
        self._bottom, self._top, self._ascending = bottom, max(top, bottom), ascending
        self.width = _FIRST_IDS

    @property
    def over(self) -> bool:
        return self._bottom >= self._top

    def piece(self) -> tuple[int, int]:
        if self._ascending:
            return self._bottom, min(self._top, self._bottom + self.width)
        return max(self._bottom, self._top - self.width), self._top

    def past(self, piece: tuple[int, int]) -> None:
        if self._ascending:
            self._bottom = piece[1]
        else:
            self._top = piece[0]

    @property
    def reached(self) -> int:
        return self._bottom - 1 if self._ascending else self._top


class _OnShelves:
    """Candidates in [bottom, top), downwards. `number` makes of a shelf the number that callers go on from."""

    least = _LEAST_SHELVES

    def __init__(self, candidates: Candidates, bottom: int, top: int, number: Callable[[int], int]) -> None:
        self._candidates, self._bottom, self._at, self._number = candidates, bottom, max(top, bottom), number
        self._next = self._at
        self.width = _FIRST_SHELVES

    @property
    def over(self) -> bool:
        return self._at <= self._bottom

    def piece(self) -> list[int]:
        shelves, self._next = self._candidates.below(self._at, self._bottom, self.width)
        return shelves

    def past(self, piece: list[int]) -> None:
        self._at = self._next

    @property
    def reached(self) -> int:
        return self._number(self._at)


class _Listed:
    """Numbers that are known, in order; behind the last one comes `end`."""

    least = _LEAST_IDS

    def __init__(self, numbers: list[int], end: int) -> None:
        self._numbers, self._at, self._end = numbers, 0, end
        self.width = _LEAST_IDS

    @property
    def over(self) -> bool:
        return self._at >= len(self._numbers)

    def piece(self) -> list[int]:
        return self._numbers[self._at : self._at + self.width]

    def past(self, piece: list[int]) -> None:
        self._at += len(piece)

    @property
    def reached(self) -> int:
        return self._end if self.over else self._numbers[self._at - 1]


Read = Callable[[Any, int], Pick]
"""The query for so many of what matches in a piece, in the order of the course."""


class Finder:
    """Finds over one connection; the caller sees to a snapshot around what must agree."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._picking = Picking(connection)
        self.shelves = Shelves(connection)
        self._clock = SystemClock()
        self._deadline_s = math.inf

    def _begin(self, budget_ms: float) -> None:
        self._deadline_s = self._clock.monotonic_s() + budget_ms / 1000

    def deliveries(
        self, where: DeliveryFilter, *, limit: int, before: DeliveryId | None, budget_ms: float
    ) -> Reach[int]:
        """Ids, the newest first."""
        self._begin(budget_ms)
        way = self._way_to_deliveries(where, before)
        return Reach([], 0, done=True) if way is None else self._walk(*way, limit)

    def count(self, where: DeliveryFilter, *, budget_ms: float, also: str = "1") -> tuple[dict[int, int], bool]:
        """How many there are of each endpoint (seq), and whether those are all.

        Args:
            also: one more condition, on the columns of `deliveries`.
        """
        self._begin(budget_ms)
        way = self._way_to_deliveries(where, None)
        if way is None:
            return {}, True
        course, read = way
        counts: dict[int, int] = {}

        def add(piece: Any, _: int) -> list[int]:
            pick = read(piece, _ALL)
            for endpoint, count in self._connection.rows(
                _BY_ENDPOINT.format(picked=pick.sql, also=also), pick.parameters
            ):
                counts[endpoint] = counts.get(endpoint, 0) + count
            return []

        done = self._go(course, add, _ALL).done
        return counts, done

    def attempts(self, where: AttemptFilter, page: AttemptPage, *, budget_ms: float) -> Reach[int]:
        """Ids in the page's direction."""
        self._begin(budget_ms)
        ascending = page.after is not None
        newest = self._connection.value(_NEWEST_ATTEMPT)
        if where.delivery_id is not None or where.event_id is not None:
            pick = self._picking.attempts(where, page)
            found = [] if pick is None else self._ids(pick)
            reached = found[-1] if found else newest if ascending else 0
            return Reach(found, reached, done=len(found) < page.limit)
        parts = self._picking.attempt_parts(where)
        if parts is None:
            return Reach([], newest if ascending else 0, done=True)
        bottom, top = self._bounds(_ATTEMPTS, where, page.before, page.after)
        listed = self._on_few_shelves(where, bottom, top, ascending=ascending) if where.texts else None
        if listed is not None:
            course: _Course = _Listed(listed, top - 1 if ascending else bottom)

            def read_listed(piece: list[int], wanted: int) -> Pick:
                c = filtering.of_attempts(where)
                return Pick(_ATTEMPTS_AMONG.format(where=c.where()), [json.dumps(piece), *c.parameters, wanted])

            return self._walk(course, read_listed, page.limit)
        stream, conditions = parts

        def read(piece: tuple[int, int], wanted: int) -> Pick:
            c = _within(conditions, "attempts.id", piece)
            return pick_from(stream, "attempts", c, limit=wanted, ascending=ascending)

        return self._walk(_Ids(bottom, top, ascending=ascending), read, page.limit)

    def events(self, where: EventFilter, *, limit: int, before_seq: int | None, budget_ms: float) -> Reach[int]:
        """Numbers, the newest first."""
        self._begin(budget_ms)
        parts = self._picking.event_parts(where)
        if parts is None:
            return Reach([], 0, done=True)
        stream, conditions = parts
        if where.event_id is not None:
            found = self._ids(pick_from(stream, "events", conditions, limit=limit))
            return Reach([seq for seq in found if before_seq is None or seq < before_seq], 0, done=True)
        bottom, top = self._bounds(_EVENTS, where, before_seq, None)
        candidates = self._candidates(where.texts, answers=False) if where.texts else None
        if candidates is not None:

            def read_shelves(piece: list[int], wanted: int) -> Pick:
                c = _within(filtering.of_events(where), "+events.seq", (bottom, top))  # the shelf bounds it
                return Pick(_EVENTS_ON.format(where=c.where()), [json.dumps(piece), *c.parameters, wanted])

            course = _OnShelves(candidates, bottom // SHELF, -(-top // SHELF), lambda shelf: shelf * SHELF)
            return self._walk(course, read_shelves, limit)

        def read(piece: tuple[int, int], wanted: int) -> Pick:
            return pick_from(stream, "events", _within(conditions, "events.seq", piece), limit=wanted)

        return self._walk(_Ids(bottom, top), read, limit)

    def _way_to_deliveries(self, where: DeliveryFilter, before: DeliveryId | None) -> tuple[_Course, Read] | None:
        size, stream = self._picking.delivery_stream(where, before, whole=False)
        if not size:
            return None
        bottom, top = self._bounds(_DELIVERIES, where, before, None)
        if where.ids or where.event_id is not None:
            # They are few, or were named one by one.
            def read_all(piece: tuple[int, int], wanted: int) -> Pick:
                c = _within(filtering.of_deliveries(where), "deliveries.id", piece)
                return pick_from(stream, "deliveries", c, limit=wanted)

            course = _Ids(bottom, top)
            course.width = max(1, top - bottom)
            return course, read_all
        if where.texts and size >= COUNTED:
            low, high = self._event_from(bottom) // SHELF, self._event_below(top) // SHELF + 1
            candidates = self._candidates(where.texts, answers=True)
            if candidates is not None and candidates.estimate(low, high) * SHELF <= size:
                return self._on_shelves(where, candidates, (low, high), (bottom, top))
        course = _Ids(bottom, top)
        if where.texts:
            course.width = _LEAST_IDS
        return course, self._along(where, stream)

    def _on_shelves(
        self, where: DeliveryFilter, candidates: Candidates, shelves: tuple[int, int], ids: tuple[int, int]
    ) -> tuple[_Course, Read]:
        def read(piece: list[int], wanted: int) -> Pick:
            c = _within(filtering.of_deliveries(where), "deliveries.id", ids)
            return Pick(_DELIVERIES_ON.format(where=c.where()), [json.dumps(piece), *c.parameters, wanted])

        def first_on(shelf: int) -> int:
            first = self._connection.value(_FIRST_OF_EVENTS, (shelf * SHELF,))
            return ids[1] if first is None else min(max(ids[0], first), ids[1])

        return _OnShelves(candidates, *shelves, first_on), read

    def _along(self, where: DeliveryFilter, stream: Stream) -> Read:
        left = filtering.of_deliveries(beside(where, stream))
        through_events = stream.source.startswith("events")

        def read(piece: tuple[int, int], wanted: int) -> Pick:
            c = _within(left, "deliveries.id", piece)
            if through_events:
                c.add("events.seq BETWEEN ? AND ?", self._event_from(piece[0]), self._event_below(piece[1]))
            return pick_all(stream, c) if wanted == _ALL else pick_from(stream, "deliveries", c, limit=wanted)

        return read

    def _on_few_shelves(self, where: AttemptFilter, bottom: int, top: int, *, ascending: bool) -> list[int] | None:
        """All attempts of the shelves in question; None: of those there are many, or nobody knows."""
        candidates = self._candidates(where.texts, answers=True)
        if candidates is None:
            return None
        end = self._connection.value(_NEWEST_EVENT) // SHELF + 1
        shelves, reached = candidates.below(end, 0, FEW_SHELVES)
        if reached > 0:
            return None
        rows = self._connection.rows(_ATTEMPTS_ON, (json.dumps(shelves), bottom, top))
        return sorted((id_ for (id_,) in rows), reverse=not ascending)

    def _candidates(self, texts: tuple[str, ...], *, answers: bool) -> Candidates | None:
        """None: there is no search file, or it is too far behind."""
        progress = self.shelves.progress()
        if progress is None:
            return None
        also: set[int] = set()
        if answers:
            newest = self._connection.value(_NEWEST_ATTEMPT)
            late = self.shelves.late()
            if late is None or newest - progress.attempts + len(late) > NOT_INDEXED:
                return None
            rows = self._connection.rows(_SHELVES_OF, (progress.attempts, json.dumps(late)))
            also = {shelf for (shelf,) in rows}
        return Candidates(self.shelves, [phrase_of(text) for text in texts], covered=progress.shelves, also=also)

    def _bounds(
        self, table: _Table, where: DeliveryFilter | AttemptFilter | EventFilter, before: int | None, after: int | None
    ) -> tuple[int, int]:
        """The numbers in question: [bottom, top)."""
        bottoms = [self._connection.value(table.least) or 0] if after is None else [after + 1]
        tops = [(self._connection.value(table.most) or 0) + 1]
        if before is not None:
            tops.append(before)
        times = Times(self._connection, table.name, table.number, table.at)
        if where.since_ms is not None:
            bottoms.append(times.first_since(where.since_ms))
        if where.until_ms is not None:
            tops.append(times.end_until(where.until_ms))
        return max(bottoms), max(min(tops), max(bottoms))

    def _event_from(self, id_: int) -> int:
        found = self._connection.value(_EVENT_FROM, (id_,))
        return self._connection.value(_NEWEST_EVENT) if found is None else found  # type: ignore[no-any-return]  # a column

    def _event_below(self, id_: int) -> int:
        return self._connection.value(_EVENT_BELOW, (id_,)) or 0

    def _ids(self, pick: Pick) -> list[int]:
        return [id_ for (id_,) in self._connection.rows(pick.sql, pick.parameters)]

    def _walk(self, course: _Course, read: Read, wanted: int) -> Reach[int]:
        return self._go(course, lambda piece, left: self._ids(read(piece, left)), wanted)

    def _go(self, course: _Course, read: Callable[[Any, int], list[int]], wanted: int) -> Reach[int]:
        """Go piece by piece until there are enough, the budget is spent or all was looked at; by one piece at least."""
        now_s, deadline_s = self._clock.monotonic_s, self._deadline_s
        found: list[int] = []
        fastest_s, bounded = math.inf, False
        while not course.over and len(found) < wanted:
            piece, began_s = course.piece(), now_s()
            try:
                with self._connection.until(deadline_s) if bounded else nullcontext():
                    found += read(piece, wanted - len(found))
            except TimeUpError:
                break
            course.past(piece)
            bounded = math.isfinite(deadline_s)
            if now_s() >= deadline_s:
                break
            took_s = max(now_s() - began_s, 1e-6)
            fastest_s = min(fastest_s, took_s)
            # Whatever a piece costs at the least, a larger one must be worth it.
            target_s = min(max(PIECE_S, 3 * fastest_s), deadline_s - now_s())
            factor = min(max(target_s / took_s, _SLOWER), _FASTER)
            course.width = max(course.least, int(course.width * factor))
        if len(found) >= wanted:
            return Reach(found, found[-1], done=False)
        return Reach(found, course.reached, done=course.over)


def _within(conditions: Conditions, number: str, bounds: tuple[int, int]) -> Conditions:
    """The same and bounds of ids: [low, high)."""
    c = Conditions()
    c.add(conditions.where(), *conditions.parameters)
    c.add(f"{number} >= ? AND {number} < ?", *bounds)
    return c
