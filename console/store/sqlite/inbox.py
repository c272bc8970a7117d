"""The inbox: every request that came in, and what became of it. Writing it is a hot path."""

import json
from collections.abc import Sequence

from console.domain.errors import UnknownReferenceError
from console.domain.ids import EventId, format_number
from console.domain.inbound import Arrival, ArrivalRow, Fate, InboxFilter, NewArrival, RequestId
from console.domain.source import SourceId
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row
from console.store.sqlite.filtering import Conditions
from console.store.sqlite.rows import headers_of, headers_text
from console.store.sqlite.times import Times, note_clock

COUNTED = 10_000
"""Requests of one source and fate are counted no further than this."""

_NEWEST = "SELECT id, received_at FROM inbox WHERE id = (SELECT max(id) FROM inbox)"
_SEQS = "SELECT id, seq FROM {table} WHERE id IN (SELECT value FROM json_each(?))"
_INSERT = """
INSERT INTO inbox (id, source, received_at, fate, event, status, took_ms, remote_address, method, path, query,
  content_type, reason, size, headers, body)
VALUES {rows}
"""
_ROW = (
    "i.id, s.id, s.name, i.received_at, i.method, i.path, i.query, i.size, i.content_type, i.remote_address, i.fate, "
    "i.reason, e.id, e.type, i.status, i.took_ms"
)
_JOINS = "JOIN inbox i ON i.id = picked JOIN sources s ON s.seq = i.source LEFT JOIN events e ON e.seq = i.event"
# Ids are picked first, along one index; only those of the page are joined.
_PAGE = f"""
SELECT {_ROW} FROM (SELECT id AS picked FROM inbox {{index}} WHERE {{where}} ORDER BY id {{order}} LIMIT ?)
{_JOINS} ORDER BY i.id {{order}}
"""
_WHOLE = f"SELECT {_ROW}, i.headers, i.body FROM (SELECT ? AS picked) {_JOINS}"
_SOURCE = "source = (SELECT seq FROM sources WHERE id = ?)"
_EVENT = "event = (SELECT seq FROM events WHERE id = ?)"
_COUNT = """
SELECT s.id, fates.value, (SELECT count(*) FROM (
  SELECT 1 FROM inbox INDEXED BY inbox_source_fate
  WHERE source = s.seq AND fate = fates.value AND id >= ? LIMIT ?)) AS n
FROM sources s CROSS JOIN json_each(?) fates WHERE s.removed_at IS NULL AND n > 0
"""
_COUNT_EDGE = """
SELECT s.id, fate, count(*) FROM (SELECT source, fate, received_at FROM inbox
  WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?) CROSS JOIN sources s ON s.seq = source
WHERE received_at >= ? AND s.removed_at IS NULL GROUP BY 1, 2
"""
_FATES = json.dumps(list(Fate))


class InboxQueries(Queries):
    def record_arrivals(self, arrivals: Sequence[NewArrival]) -> list[RequestId]:
        if not arrivals:
            return []
        with self.transaction():
            sources = self._seqs("sources", [arrival.source for arrival in arrivals])
            events = self._seqs("events", [a.event_id for a in arrivals if a.event_id is not None])
            newest, newest_ms = self._connection.row(_NEWEST) or (0, None)
            note_clock(self._connection, newest_ms, max(a.request.received_at_ms for a in arrivals))
            rows = []
            for number, arrival in enumerate(arrivals, newest + 1):
                source = sources.get(arrival.source)
                if source is None:
                    raise UnknownReferenceError(f"no source {arrival.source}: it has never been in this store")
                event = None if arrival.event_id is None else events.get(arrival.event_id)
                rows.append((number, source, *_arrival_row(arrival, event)))
            self._connection.run_rows(_INSERT, rows)
            return [RequestId(newest + 1 + index) for index in range(len(arrivals))]

    def _seqs(self, table: str, ids: Sequence[str]) -> dict[str, int]:
        if not ids:
            return {}
        return dict(self._connection.rows(_SEQS.format(table=table), (json.dumps(list(set(ids))),)))

    def arrivals(self, where: InboxFilter, *, limit: int, before: RequestId | None = None) -> list[ArrivalRow]:
        conditions, index = self._filtered(where)
        conditions.maybe("id < ?", before)
        return self._page(conditions, index, "DESC", limit)

    def arrivals_after(self, after: RequestId, where: InboxFilter, *, limit: int) -> list[ArrivalRow]:
        conditions, index = self._filtered(where)
        conditions.add("id > ?", after)
        return self._page(conditions, index, "ASC", limit)

    def _page(self, conditions: Conditions, index: str, order: str, limit: int) -> list[ArrivalRow]:
        sql = _PAGE.format(index=index, where=conditions.where(), order=order)
        return [_row_of(row) for row in self._connection.rows(sql, (*conditions.parameters, limit))]

    def arrival(self, request_id: RequestId) -> Arrival:
        row = self._connection.row(_WHOLE, (request_id,))
        if row is None:
            raise UnknownReferenceError(
                f"no request {format_number('req', request_id)}: see `webhook-console inbox list`"
            )
        return Arrival(row=_row_of(row[:-2]), headers=headers_of(row[-2]), body=row[-1])

    def count_arrivals(self, *, since_ms: int) -> dict[SourceId, dict[str, int]]:
        # Indexes tell the times only as well as numbers do: what stands at the edge is looked at.
        first, sure = self._times.first_since(since_ms), self._times.end_until(since_ms)
        rows = self._connection.rows(_COUNT, (sure, COUNTED, _FATES))
        rows += self._connection.rows(_COUNT_EDGE, (first, sure, COUNTED, since_ms))
        counts: dict[SourceId, dict[str, int]] = {}
        for source, fate, count in rows:
            of_source = counts.setdefault(SourceId(source), {})
            of_source[fate] = min(of_source.get(fate, 0) + count, COUNTED)
        return counts

    @property
    def _times(self) -> Times:
        return Times(self._connection, "inbox", "id", "received_at")

    def _filtered(self, where: InboxFilter) -> tuple[Conditions, str]:
        """A filter as conditions, and the index that has what it finds in order of ids."""
        c = Conditions()
        c.maybe(_EVENT, where.event_id)
        c.maybe(_SOURCE, where.source)
        c.maybe("fate = ?", where.fate)
        if where.since_ms is not None:
            c.add("id >= ? AND received_at >= ?", self._times.first_since(where.since_ms), where.since_ms)
        if where.until_ms is not None:
            c.add("id < ? AND received_at < ?", self._times.end_until(where.until_ms), where.until_ms)
        match where:
            case InboxFilter(event_id=str()):
                index = "INDEXED BY inbox_event"
            case InboxFilter(source=str(), fate=str()):
                index = "INDEXED BY inbox_source_fate"
            case InboxFilter(source=str()):
                index = "INDEXED BY inbox_source"
            case InboxFilter(fate=str()):
                index = "INDEXED BY inbox_fate"
            case _:
                index = "NOT INDEXED"
        return c, index


def _arrival_row(arrival: NewArrival, event: int | None) -> tuple[object, ...]:
    request = arrival.request
    return (
        request.received_at_ms,
        arrival.fate,
        event,
        arrival.status,
        arrival.took_ms,
        _kept(request.remote_address),
        _kept(request.method),
        _kept(request.path),
        _kept(request.query),
        None if (content_type := request.header("content-type")) is None else _kept(content_type),
        None if arrival.reason is None else _kept(arrival.reason),
        len(request.body),
        headers_text(request.headers),
        request.body,
    )


def _kept(text: str) -> str:
    """Half of a surrogate pair, smuggled into a text by a hostile request, must not keep its batch from the inbox."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _row_of(row: Row) -> ArrivalRow:
    (id_, source, source_name, received, method, path, query, size, content_type, address, fate, reason, event_id,
     event_type, status, took) = row  # fmt: skip
    return ArrivalRow(
        id=RequestId(id_),
        source=SourceId(source),
        source_name=source_name,
        received_at_ms=received,
        method=method,
        path=path,
        query=query,
        size_bytes=size,
        content_type=content_type,
        remote_address=address,
        fate=Fate(fate),
        reason=reason,
        event_id=None if event_id is None else EventId(event_id),
        event_type=event_type,
        status=status,
        took_ms=took,
    )
