"""Lists and single rows, for screens and commands."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.domain.delivery import Attempt, Delivery, Exchange
from console.domain.errors import UnknownReferenceError
from console.domain.event import Event, EventRow
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId, OperationId, format_number
from console.domain.operation import Operation
from console.domain.outcome import Cause
from console.domain.passing import Glimpse
from console.domain.rates import MINUTE, Bucket
from console.domain.searching import Counted, Found
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
    EXCHANGE_COLUMNS,
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

if TYPE_CHECKING:
    from console.store.sqlite.finding import Finder

# Ids are picked first, over one table and its indexes; only those of the page are joined.
_EVENTS = """
SELECT e.seq, e.id, e.type, length(e.payload), e.accepted_at, e.source, count(d.id),
  sum(d.state = 'delivered'), sum(d.state = 'failed')
FROM ({picked}) CROSS JOIN events e ON e.seq = picked LEFT JOIN deliveries d ON d.event = e.seq
GROUP BY e.seq ORDER BY e.seq DESC
"""
_EVENT = """
SELECT seq, id, type, payload, accepted_at, source, (SELECT o.id FROM events o WHERE o.seq = events.copy_of),
  hops, via, flaw
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
_GLIMPSE = "a.id, p.name, a.started_at, a.ended_at IS NOT NULL, a.cause IS NOT NULL"
_OF_ENDPOINT = "AND a.endpoint = (SELECT seq FROM endpoints WHERE id = ?)"
_NEWEST_GLIMPSES = f"""
SELECT * FROM (
  SELECT {_GLIMPSE} FROM attempts a CROSS JOIN endpoints p ON p.seq = a.endpoint
  WHERE a.id > ? {{only}} ORDER BY a.id DESC LIMIT ?) ORDER BY 1
"""
_GLIMPSES_OF = f"""
SELECT {_GLIMPSE} FROM json_each(?) CROSS JOIN attempts a ON a.id = value CROSS JOIN endpoints p ON p.seq = a.endpoint
"""
_EXCHANGE = f"SELECT {EXCHANGE_COLUMNS} FROM exchanges WHERE attempt = ?"
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
    _found_with: "Finder | None" = None

    @property
    def _finder(self) -> "Finder":
        if self._found_with is None:
            # Only who searches needs it loaded.
            from console.store.sqlite.finding import Finder

            self._found_with = Finder(self._connection)
        return self._found_with

    @property
    def _picking(self) -> Picking:
        return Picking(self._connection)

    def _rows(self, sql: str, pick: Pick | None) -> list[Row]:
        return [] if pick is None else self._connection.rows(sql.format(picked=pick.sql), pick.parameters)

    def events(self, where: EventFilter, *, limit: int, before_seq: int | None = None) -> list[EventRow]:
        if where.texts:
            found = self.find_events(where, limit=limit, before_seq=before_seq, budget_ms=math.inf)
            return list(found.rows)
        with self._picking.snapshot():
            pick = self._picking.events(where, limit=limit, before_seq=before_seq)
            return [event_row_of(row) for row in self._rows(_EVENTS, pick)]

    def event(self, event_id: EventId) -> Event:
        row = self._connection.row(_EVENT, (event_id,))
        if row is None:
            raise UnknownReferenceError(f"no event {event_id!r}: see `webhook-console events list`")
        return event_of(row)

    def deliveries(self, where: DeliveryFilter, *, limit: int, before: DeliveryId | None = None) -> list[Delivery]:
        if where.texts:
            return list(self.find_deliveries(where, limit=limit, before=before, budget_ms=math.inf).rows)
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
        if where.texts:
            return self.count_found(where, budget_ms=math.inf).by_endpoint
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
        if where.texts:
            return list(self.find_attempts(where, page, budget_ms=math.inf).rows)
        with self._picking.snapshot():
            return [attempt_of(row) for row in self._rows(_ATTEMPTS, self._picking.attempts(where, page))]

    def find_events(
        self, where: EventFilter, *, limit: int, before_seq: int | None = None, budget_ms: float
    ) -> Found[EventRow]:
        with self._picking.snapshot():
            reach = self._finder.events(where, limit=limit, before_seq=before_seq, budget_ms=budget_ms)
            rows = self._rows(_EVENTS, _named(reach.found))
        return Found(rows=tuple(map(event_row_of, rows)), reached=reach.reached, done=reach.done)

    def find_deliveries(
        self, where: DeliveryFilter, *, limit: int, before: DeliveryId | None = None, budget_ms: float
    ) -> Found[Delivery]:
        with self._picking.snapshot():
            reach = self._finder.deliveries(where, limit=limit, before=before, budget_ms=budget_ms)
            rows = self._rows(_DELIVERIES, _named(reach.found))
        return Found(rows=tuple(map(delivery_of, rows)), reached=reach.reached, done=reach.done)

    def find_attempts(self, where: AttemptFilter, page: AttemptPage, *, budget_ms: float) -> Found[Attempt]:
        with self._picking.snapshot():
            reach = self._finder.attempts(where, page, budget_ms=budget_ms)
            rows = self._rows(_ATTEMPTS, _named(reach.found))
        return Found(rows=tuple(map(attempt_of, rows)), reached=reach.reached, done=reach.done)

    def glimpses(
        self, *, after: AttemptId, also: Sequence[AttemptId] = (), endpoint: EndpointId | None = None, limit: int
    ) -> list[Glimpse]:
        only, which = ("", ()) if endpoint is None else (_OF_ENDPOINT, (endpoint,))
        found = self._connection.rows(_NEWEST_GLIMPSES.format(only=only), (after, *which, limit))
        if also:
            found += self._connection.rows(_GLIMPSES_OF, (json.dumps(also),))
            found.sort()
        return [Glimpse(AttemptId(id_), name, at, bool(ended), bool(failed)) for id_, name, at, ended, failed in found]

    def count_found(self, where: DeliveryFilter, *, budget_ms: float) -> Counted:
        if where == DeliveryFilter(states=where.states, endpoints=where.endpoints):
            return Counted(by_endpoint=self.count_deliveries(where), complete=True)
        with self._picking.snapshot():
            counts, complete = self._finder.count(where, budget_ms=budget_ms)
            rows = self._connection.rows(_NAMED_COUNTS, (json.dumps(counts),))
        return Counted(by_endpoint={EndpointId(id_): count for id_, count in rows}, complete=complete)

    def interrupt(self) -> None:
        super().interrupt()
        if self._found_with is not None:
            self._found_with.shelves.interrupt()

    def go_on(self) -> None:
        super().go_on()
        if self._found_with is not None:
            self._found_with.shelves.go_on()

    def close(self) -> None:
        if self._found_with is not None:
            self._found_with.shelves.close()
        super().close()

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


def _named(ids: list[int]) -> Pick:
    return Pick("SELECT value AS picked FROM json_each(?)", [json.dumps(ids)])
