"""Lists and single rows, for screens and commands."""

import json

from console.domain.delivery import Attempt, Delivery, Exchange
from console.domain.errors import UnknownReferenceError
from console.domain.event import Event, EventRow
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId, OperationId, format_number
from console.domain.operation import Operation
from console.domain.outcome import Cause
from console.domain.rates import MINUTE, Bucket
from console.domain.searching import Counted, Found, SearchStatus
from console.domain.status import EngineStatus
from console.store.sqlite import filtering
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row
from console.store.sqlite.counting import ALL_ENDPOINTS
from console.store.sqlite.picking import Pick, Picking
from console.store.sqlite.rows import (
    ATTEMPT_COLUMNS,
    DELIVERY_COLUMNS,
    ENGINE_COLUMNS,
    OPERATION_COLUMNS,
    attempt_of,
    bucket_of,
    delivery_of,
    engine_of,
    event_of,
    event_row_of,
    exchange_of,
    operation_of,
)
from console.store.sqlite.schema import HISTOGRAM_COLUMNS

# Ids are picked first, over one table and its indexes; only those of the page are joined.
_EVENTS = """
SELECT e.seq, e.id, e.type, length(e.payload), e.accepted_at, e.source, count(d.id),
  sum(d.state = 'delivered'), sum(d.state = 'failed')
FROM ({picked}) CROSS JOIN events e ON e.seq = picked LEFT JOIN deliveries d ON d.event = e.seq
GROUP BY e.seq ORDER BY e.seq DESC
"""
_EVENT = """
SELECT seq, id, type, payload, accepted_at, source, (SELECT o.id FROM events o WHERE o.seq = events.copy_of)
FROM events WHERE id = ?
"""
_DELIVERY_JOINS = (
    "JOIN deliveries d ON d.id = picked JOIN events e ON e.seq = d.event JOIN endpoints p ON p.seq = d.endpoint"
)
_DELIVERIES = f"""
SELECT {DELIVERY_COLUMNS} FROM ({{picked}})
{_DELIVERY_JOINS} ORDER BY d.id DESC
"""
_DELIVERY = f"SELECT {DELIVERY_COLUMNS} FROM (SELECT ? AS picked) {_DELIVERY_JOINS}"
_COUNT = """
SELECT p.id, n FROM (
  SELECT endpoint, count(*) AS n FROM ({picked}) CROSS JOIN deliveries d ON d.id = picked GROUP BY endpoint)
JOIN endpoints p ON p.seq = endpoint ORDER BY p.name
"""
_NAMED_COUNTS = "SELECT p.id, value FROM json_each(?) JOIN endpoints p ON p.seq = CAST(key AS INTEGER) ORDER BY p.name"
_ATTEMPT_JOINS = (
    "JOIN attempts a ON a.id = picked JOIN deliveries d ON d.id = a.delivery JOIN events e ON e.seq = d.event "
    "JOIN endpoints p ON p.seq = a.endpoint"
)
_ATTEMPTS = f"""
SELECT {ATTEMPT_COLUMNS} FROM ({{picked}})
{_ATTEMPT_JOINS} ORDER BY a.id
"""
_ATTEMPT = f"SELECT {ATTEMPT_COLUMNS} FROM (SELECT ? AS picked) {_ATTEMPT_JOINS}"
_EXCHANGE = """
SELECT url, request_headers, response_headers, response_body, truncated, remote_address FROM exchanges WHERE attempt = ?
"""
_BUCKETS = f"""
SELECT bucket, accepted, ok, failed, {", ".join(HISTOGRAM_COLUMNS)} FROM rates
WHERE width = ? AND bucket >= ? AND bucket < ? AND endpoint = {{endpoint}} ORDER BY bucket
"""
_TOTALS = f"""
SELECT p.id, ?2, sum(accepted), sum(ok), sum(failed), {", ".join(f"sum({c})" for c in HISTOGRAM_COLUMNS)}
FROM rates JOIN endpoints p ON p.seq = endpoint
WHERE width = ?1 AND bucket >= ?2 AND bucket < ?3 AND endpoint <> {ALL_ENDPOINTS} GROUP BY endpoint
"""
_CAUSES = """
SELECT p.id, cause, sum(count) FROM causes JOIN endpoints p ON p.seq = endpoint
WHERE bucket >= ? AND bucket < ? GROUP BY endpoint, cause
"""
_OPERATIONS = f"SELECT {OPERATION_COLUMNS} FROM operations WHERE {{where}} ORDER BY id DESC LIMIT ?"
_ENGINE = f"SELECT {ENGINE_COLUMNS} FROM engine WHERE id = 1"


class ReadingQueries(Queries):
    @property
    def _picking(self) -> Picking:
        return Picking(self._connection)

    def _rows(self, sql: str, pick: Pick | None) -> list[Row]:
        return [] if pick is None else self._connection.rows(sql.format(picked=pick.sql), pick.parameters)

    def events(self, where: EventFilter, *, limit: int, before_seq: int | None = None) -> list[EventRow]:
        with self._picking.snapshot():
            pick = self._picking.events(where, limit=limit, before_seq=before_seq)
            return [event_row_of(row) for row in self._rows(_EVENTS, pick)]

    def event(self, event_id: EventId) -> Event:
        row = self._connection.row(_EVENT, (event_id,))
        if row is None:
            raise UnknownReferenceError(f"no event {event_id!r}: see `webhook-console events list`")
        return event_of(row)

    def deliveries(self, where: DeliveryFilter, *, limit: int, before: DeliveryId | None = None) -> list[Delivery]:
        with self._picking.snapshot():
            pick = self._picking.deliveries(where, limit=limit, before=before)
            return [delivery_of(row) for row in self._rows(_DELIVERIES, pick)]

    def delivery(self, delivery_id: DeliveryId) -> Delivery:
        row = self._connection.row(_DELIVERY, (delivery_id,))
        if row is None:
            raise UnknownReferenceError(
                f"no delivery {format_number('dlv', delivery_id)}: see `webhook-console deliveries list`"
            )
        return delivery_of(row)

    def count_deliveries(self, where: DeliveryFilter) -> dict[EndpointId, int]:
        with self._picking.snapshot():
            if where == DeliveryFilter(states=where.states, endpoints=where.endpoints):
                counts: dict[int, int] = {}
                for (endpoint, _), count in self._picking.by_endpoint_and_state(where).items():
                    counts[endpoint] = counts.get(endpoint, 0) + count
                rows = self._connection.rows(_NAMED_COUNTS, (json.dumps(counts),))
            else:
                pick = self._picking.deliveries(where, limit=None, before=None)
                rows = self._rows(_COUNT, pick)
        return {EndpointId(id_): count for id_, count in rows}

    def attempts(self, where: AttemptFilter, page: AttemptPage) -> list[Attempt]:
        with self._picking.snapshot():
            return [attempt_of(row) for row in self._rows(_ATTEMPTS, self._picking.attempts(where, page))]

    def find_events(
        self, where: EventFilter, *, limit: int, before_seq: int | None = None, budget_ms: float
    ) -> Found[EventRow]:
        rows = self.events(where, limit=limit, before_seq=before_seq)
        return Found(rows=tuple(rows), reached=rows[-1].seq if rows else 0, done=len(rows) < limit)

    def find_deliveries(
        self, where: DeliveryFilter, *, limit: int, before: DeliveryId | None = None, budget_ms: float
    ) -> Found[Delivery]:
        rows = self.deliveries(where, limit=limit, before=before)
        return Found(rows=tuple(rows), reached=rows[-1].id if rows else 0, done=len(rows) < limit)

    def find_attempts(self, where: AttemptFilter, page: AttemptPage, *, budget_ms: float) -> Found[Attempt]:
        rows = self.attempts(where, page)
        furthest = 0 if page.after is None else -1
        return Found(rows=tuple(rows), reached=rows[furthest].id if rows else 0, done=len(rows) < page.limit)

    def count_found(self, where: DeliveryFilter, *, budget_ms: float) -> Counted:
        return Counted(by_endpoint=self.count_deliveries(where), complete=True)

    def search_status(self, now_ms: int) -> SearchStatus | None:
        return None

    def attempt(self, attempt_id: AttemptId) -> Attempt:
        row = self._connection.row(_ATTEMPT, (attempt_id,))
        if row is None:
            raise UnknownReferenceError(
                f"no attempt {format_number('att', attempt_id)}: see `webhook-console attempts list`"
            )
        return attempt_of(row)

    def exchange(self, attempt_id: AttemptId) -> Exchange | None:
        row = self._connection.row(_EXCHANGE, (attempt_id,))
        return None if row is None else exchange_of(row)

    def buckets(self, *, since_s: int, until_s: int, width_s: int, endpoint: EndpointId | None = None) -> list[Bucket]:
        which, parameters = str(ALL_ENDPOINTS), [width_s, since_s, until_s]
        if endpoint is not None:
            which = "(SELECT seq FROM endpoints WHERE id = ?)"
        bound = (*parameters, *((endpoint,) if endpoint is not None else ()))
        return [bucket_of(row) for row in self._connection.rows(_BUCKETS.format(endpoint=which), bound)]

    def totals_by_endpoint(self, *, since_s: int, until_s: int, width_s: int) -> dict[EndpointId, Bucket]:
        rows = self._connection.rows(_TOTALS, (width_s, since_s, until_s))
        return {EndpointId(id_): bucket_of(tuple(sums)) for id_, *sums in rows}

    def causes(self, *, since_s: int, until_s: int) -> dict[EndpointId, dict[Cause, int]]:
        found: dict[EndpointId, dict[Cause, int]] = {}
        for id_, cause, count in self._connection.rows(_CAUSES, (since_s - since_s % MINUTE, until_s)):
            found.setdefault(EndpointId(id_), {})[Cause(cause)] = count
        return found

    def operations(self, *, limit: int, before: OperationId | None = None) -> list[Operation]:
        c = filtering.Conditions()
        c.maybe("id < ?", before)
        rows = self._connection.rows(_OPERATIONS.format(where=c.where()), (*c.parameters, limit))
        return [operation_of(row) for row in rows]

    def engine_status(self) -> EngineStatus | None:
        row = self._connection.row(_ENGINE)
        return None if row is None else engine_of(row)

    def data_version(self) -> int:
        version = self._connection.value("PRAGMA data_version")
        assert isinstance(version, int)
        return version
