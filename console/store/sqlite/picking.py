"""Which rows are on a page of a list: found along indexes that are in the list's order, never by walking the history.

A filter is turned into streams: the entries of an index under one key (an endpoint and a state, a cause, a type), in
order of id. A page is the merge of its streams. Of the indexes that a filter could use the one is taken under which the
fewest rows stand; gauges tell that exactly, and what they say is none is not looked for. So a filter that matches
nothing is as quick as one that matches everything. What remains slow is a filter of two parts that each match very many
rows and together few: the fewer of both are walked.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from console.domain.delivery import DeliveryState
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter, StatusRange
from console.domain.ids import DeliveryId
from console.domain.outcome import Cause
from console.store.sqlite import filtering
from console.store.sqlite.connection import Connection
from console.store.sqlite.filtering import Conditions
from console.store.sqlite.schema import TROUBLED
from console.store.sqlite.times import Times

COUNTED = 2_000
"""Rows under keys are counted no further than this, which takes a millisecond. So many events' attempts are gathered
and sorted; those of more are looked for among all attempts."""

MANY = 50_000
"""What those are taken for that were not counted to the end: gauges know of the fewer, if there are."""

_ALL = 2**62
_STATES = tuple(DeliveryState)
_GAUGES = f"SELECT endpoint, {', '.join(_STATES)} FROM gauges WHERE {{where}}"
_TYPES = """
WITH RECURSIVE found (type) AS (
  SELECT min(type) FROM events UNION ALL
  SELECT (SELECT min(type) FROM events WHERE type > found.type) FROM found WHERE found.type IS NOT NULL
) SELECT type FROM found WHERE type GLOB ?
"""
_EVENT_BEFORE = "SELECT event FROM deliveries WHERE id < ? ORDER BY id DESC LIMIT 1"
_LEAST_STATUS = """SELECT min({status}) FROM {table} INDEXED BY {table}_status
  WHERE {cause} IS NOT NULL AND {status} IS NOT NULL AND {status} {beyond}"""
_STATUSES = f"""
WITH RECURSIVE found (at) AS (
  {_LEAST_STATUS.replace("{beyond}", ">= ?")} UNION ALL
  SELECT ({_LEAST_STATUS.replace("{beyond}", "> found.at")}) FROM found WHERE found.at <= ?
) SELECT at FROM found WHERE at <= ?
"""
_TYPE = "SELECT ?1 WHERE EXISTS (SELECT 1 FROM events WHERE type = ?1)"

# The newest of each stream come first: a page has rows of at most as many streams as it has rows, and none older than
# the newest row of the last of those.
_MERGED = """
WITH heads AS MATERIALIZED (
  SELECT a, b, head FROM (SELECT a, b, ({stream} LIMIT 1) AS head FROM
    (SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each(?)))
  WHERE head IS NOT NULL ORDER BY head {order} LIMIT ?
), edge AS MATERIALIZED (SELECT iif(count(*) < ?, {lowest}, {furthest}(head)) AS at FROM heads)
SELECT p.{id} AS picked FROM heads CROSS JOIN edge CROSS JOIN {table} p ON p.{id} IN
  (SELECT id FROM ({stream} LIMIT ?)) AND p.{id} {beyond} edge.at
ORDER BY p.{id} {order} LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Stream:
    """Where to find rows in order of id.

    `source` is what stands behind FROM, `keyed` the condition on `a` and `b` that makes one stream of it, `order` the
    columns that are the order of ids. Without keys it is one stream.
    """

    source: str
    id: str = "id"
    keyed: str = "1"
    order: str = "id {0}"
    keys: Sequence[tuple[object, object]] | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """A query for the ids of a page (`picked`), and its parameters."""

    sql: str
    parameters: list[object]


def pick_from(stream: Stream, table: str, where: Conditions, *, limit: int, ascending: bool = False) -> Pick:
    order, id_ = ("ASC" if ascending else "DESC"), stream.id.rpartition(".")[2]
    ordered = f"ORDER BY {stream.order.format(order)}"
    if stream.keys is None:
        sql = f"SELECT {stream.id} AS picked FROM {stream.source} WHERE {where.where()} {ordered} LIMIT ?"
        return Pick(sql, [*where.parameters, limit])
    one = f"SELECT {stream.id} AS id FROM {stream.source} WHERE {stream.keyed} AND {where.where()} {ordered}"
    sql = _MERGED.format(
        stream=one,
        order=order,
        id=id_,
        table=table,
        lowest="9e18" if ascending else "-1",
        furthest="max" if ascending else "min",
        beyond="<=" if ascending else ">=",
    )
    parameters = where.parameters
    return Pick(sql, [*parameters, json.dumps(stream.keys), limit, limit, *parameters, limit, limit])


def pick_all(stream: Stream, where: Conditions) -> Pick:
    """All of it in no order, to be counted: nothing is merged."""
    if stream.keys is None:
        return Pick(f"SELECT {stream.id} AS picked FROM {stream.source} WHERE {where.where()}", where.parameters)
    keys = "(SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each(?))"
    sql = (
        f"SELECT {stream.id} AS picked FROM {keys} CROSS JOIN {stream.source} WHERE {stream.keyed} AND {where.where()}"
    )
    return Pick(sql, [json.dumps(stream.keys), *where.parameters])


class Picking:
    """Picks pages over one connection. `snapshot` is around whatever must agree."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads of one moment; inside a transaction, nothing of its own."""
        raw = self._connection.raw
        if _is_open(raw):
            yield
            return
        self._connection.run("BEGIN")
        try:
            yield
        finally:
            # Past an interrupt too: a snapshot left open would pin the write-ahead log.
            if _is_open(raw):
                raw.execute("ROLLBACK")

    # Deliveries

    def deliveries(self, where: DeliveryFilter, *, limit: int | None, before: DeliveryId | None) -> Pick | None:
        """None: nothing matches. Without a limit, all that match."""
        size, stream = self.delivery_stream(where, before, whole=limit is None)
        if not size:
            return None
        c = filtering.of_deliveries(beside(where, stream))
        times = Times(self._connection, "deliveries", "id", "created_at")
        _within(c, "deliveries.id", times, where, before=before)
        return pick_from(stream, "deliveries", c, limit=_ALL if limit is None else limit)

    def delivery_stream(self, where: DeliveryFilter, before: DeliveryId | None, *, whole: bool) -> tuple[int, Stream]:
        """The stream with the fewest rows, and how many those are, as far as it was counted; 0: nothing matches.

        Args:
            whole: every row of it will be walked, so that what was not counted to the end is the last choice.
        """
        if where.ids or where.event_id is not None:
            return 1, Stream("deliveries")
        counts = self.by_endpoint_and_state(where)
        total = sum(counts.values())
        streams = [(total, _by_state(where, counts))]
        if not total:
            return streams[0]
        if where.groups:
            keys: list[tuple[object, object]] = [(group, None) for group in dict.fromkeys(where.groups)]
            streams.append((self._count(_DELIVERIES_BY_GROUP, keys), replace(_DELIVERIES_BY_GROUP, keys=keys)))
        if filtering.failures_only(where.statuses):
            keys = self._statuses("deliveries", "last_status", "last_cause", where.statuses)
            streams.append((self._count(_DELIVERIES_BY_STATUS, keys), replace(_DELIVERIES_BY_STATUS, keys=keys)))
        if causes := _causes_looked_for(where):
            keys = _cause_keys(causes, counts if where.endpoints else None)
            stream = _DELIVERIES_BY_CAUSE if keys[0][1] is None else _DELIVERIES_BY_ENDPOINT_AND_CAUSE
            streams.append((self._count(stream, keys), replace(stream, keys=keys)))
        if where.type_pattern is not None:
            keys = [(type_, None) for type_ in self._types(where.type_pattern)]
            keyed = f"events.type = a AND {self._events_of(where, before)}"
            events = Stream("events INDEXED BY events_type", keyed=keyed)
            streams.append((self._count(events, keys), replace(_DELIVERIES_BY_TYPE, keyed=keyed, keys=keys)))
        return min(streams, key=lambda sized: sized[0] if sized[0] != MANY or not whole else sized[0] * MANY)

    def _events_of(self, where: DeliveryFilter, before: DeliveryId | None) -> str:
        """Bounds of the events whose deliveries come into question."""
        times, bounds = Times(self._connection, "events", "seq", "accepted_at"), ["1"]
        if where.since_ms is not None:
            bounds.append(f"events.seq >= {times.first_since(where.since_ms):d}")
        if where.until_ms is not None:
            bounds.append(f"events.seq < {times.end_until(where.until_ms):d}")
        if before is not None:
            bounds.append(f"events.seq <= {self._connection.value(_EVENT_BEFORE, (before,)) or 0:d}")
        return " AND ".join(bounds)

    def by_endpoint_and_state(self, where: DeliveryFilter) -> dict[tuple[int, str], int]:
        """How many deliveries there are by endpoint (seq) and state, of those that the filter names; none without."""
        c = Conditions()
        c.endpoints("endpoint", where.endpoints)
        states = set(where.states or _STATES)
        if where.troubled or where.groups:
            states &= {DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.FAILED}
        return {
            (endpoint, state): count
            for endpoint, *counts in self._connection.rows(_GAUGES.format(where=c.where()), c.parameters)
            for state, count in zip(_STATES, counts, strict=True)
            if count and state in states
        }

    # Attempts

    def attempts(self, where: AttemptFilter, page: AttemptPage) -> Pick | None:
        """None: nothing matches."""
        parts = self.attempt_parts(where)
        if parts is None:
            return None
        stream, c = parts
        times = Times(self._connection, "attempts", "id", "started_at")
        _within(c, "attempts.id", times, where, before=page.before, after=page.after)
        return pick_from(stream, "attempts", c, limit=page.limit, ascending=page.after is not None)

    def attempt_parts(self, where: AttemptFilter) -> tuple[Stream, Conditions] | None:
        """The stream, and what is left to look at. None: nothing matches."""
        stream, type_pattern = self._attempt_stream(where), where.type_pattern
        if stream is None:
            return None
        c = Conditions()
        if type_pattern is not None and where.delivery_id is None and where.event_id is None:
            types = self._types(type_pattern)
            if not types:
                return None
            keys = [(type_, None) for type_ in types]
            events = Stream("events INDEXED BY events_type", id="seq", keyed="type = a")
            if self._count(events, keys) < COUNTED:
                # Few events: their attempts are gathered along the keys, and the rest is looked up.
                stream = Stream("attempts NOT INDEXED")
                c.add(_ATTEMPTS_OF_TYPES, json.dumps(types))
                where = replace(where, type_pattern=None)
        _extend(c, filtering.of_attempts(where if stream.keys is None else attempts_beside(where, stream)))
        return stream, c

    def _attempt_stream(self, where: AttemptFilter) -> Stream | None:
        if where.delivery_id is not None or where.event_id is not None:
            return Stream("attempts")
        causes = where.causes or (tuple(Cause) if where.failed_only else ())
        if filtering.failures_only(where.statuses):
            if not where.endpoints and not where.causes:
                return replace(_ATTEMPTS_BY_STATUS, keys=self._statuses("attempts", "status", "cause", where.statuses))
            causes = where.causes or filtering.causes_of(where.statuses)
        if where.endpoints:
            c = Conditions()
            c.endpoints("seq", where.endpoints)
            seqs = [
                seq for (seq,) in self._connection.rows(f"SELECT seq FROM endpoints WHERE {c.where()}", c.parameters)
            ]
            if not seqs:
                return None
            if causes:
                keys: list[tuple[object, object]] = [(cause, seq) for seq in seqs for cause in causes]
                return replace(_ATTEMPTS_BY_ENDPOINT_AND_CAUSE, keys=keys)
            return replace(_ATTEMPTS_BY_ENDPOINT, keys=[(seq, None) for seq in seqs])
        if where.causes:
            return replace(_ATTEMPTS_BY_CAUSE, keys=_cause_keys(where.causes, None))
        return Stream("attempts INDEXED BY attempts_failed" if where.failed_only else "attempts NOT INDEXED")

    # Events

    def events(self, where: EventFilter, *, limit: int, before_seq: int | None) -> Pick | None:
        """None: nothing matches."""
        parts = self.event_parts(where)
        if parts is None:
            return None
        stream, c = parts
        times = Times(self._connection, "events", "seq", "accepted_at")
        _within(c, "events.seq", times, where, before=before_seq)
        return pick_from(stream, "events", c, limit=limit)

    def event_parts(self, where: EventFilter) -> tuple[Stream, Conditions] | None:
        """The stream, and what is left to look at. None: nothing matches."""
        if where.event_id is not None:
            return Stream("events", id="seq", order="seq {0}"), filtering.of_events(where)
        stream = Stream("events NOT INDEXED", id="seq", order="seq {0}")
        if where.type_pattern is not None:
            keys = [(type_, None) for type_ in self._types(where.type_pattern)]
            if not keys:
                return None
            stream = replace(stream, source="events INDEXED BY events_type", keyed="type = a", keys=keys)
        return stream, filtering.of_events(replace(where, type_pattern=None))

    # Of all

    def _types(self, pattern: str) -> list[str]:
        """The types there are that match, found by leaps along their index."""
        sql = _TYPES if any(c in pattern for c in "*?[") else _TYPE
        return [type_ for (type_,) in self._connection.rows(sql, (pattern,))]

    def _statuses(
        self, table: str, status: str, cause: str, ranges: tuple[StatusRange, ...]
    ) -> list[tuple[object, object]]:
        """The statuses of failures there are in these ranges, as keys: found by leaps along their index."""
        sql = _STATUSES.replace("{table}", table).replace("{status}", status).replace("{cause}", cause)
        found = {at for each in ranges for (at,) in self._connection.rows(sql, (each.low, each.high, each.high))}
        return [(at, None) for at in sorted(found)]

    def _count(self, stream: Stream, keys: Sequence[tuple[object, object]]) -> int:
        """How many rows stand under the keys; MANY when they are COUNTED or more."""
        found = 0
        for a, b in keys:
            of_one = f"SELECT 1 FROM (SELECT ? AS a, ? AS b) CROSS JOIN {stream.source} WHERE {stream.keyed} LIMIT ?"
            found += self._connection.value(f"SELECT count(*) FROM ({of_one})", (a, b, COUNTED - found))
            if found >= COUNTED:
                return MANY
        return found


def _is_open(raw: Any) -> bool:
    return bool(raw.in_transaction)


_DELIVERIES_BY_STATE = Stream(
    "deliveries INDEXED BY deliveries_endpoint_state", keyed="deliveries.endpoint = a AND deliveries.state = b"
)
_DELIVERIES_BY_CAUSE = Stream(
    "deliveries INDEXED BY deliveries_cause", keyed="last_cause = a AND last_cause IS NOT NULL"
)
_DELIVERIES_BY_ENDPOINT_AND_CAUSE = Stream(
    "deliveries INDEXED BY deliveries_endpoint_cause",
    keyed="endpoint = b AND last_cause = a AND last_cause IS NOT NULL",
)
_DELIVERIES_BY_STATUS = Stream(
    "deliveries INDEXED BY deliveries_status",
    keyed="last_status = a AND last_cause IS NOT NULL AND last_status IS NOT NULL",
)
_DELIVERIES_BY_GROUP = Stream(
    "deliveries INDEXED BY deliveries_group", keyed=f"failure_group = a AND failure_group IS NOT NULL AND {TROUBLED}"
)
# Deliveries of a later event come later: they are made with it.
_DELIVERIES_BY_TYPE = Stream(
    "events INDEXED BY events_type CROSS JOIN deliveries INDEXED BY deliveries_event ON deliveries.event = events.seq",
    id="deliveries.id",
    keyed="events.type = a",
    order="events.seq {0}, deliveries.id {0}",
)
_ATTEMPTS_BY_ENDPOINT = Stream("attempts INDEXED BY attempts_endpoint", keyed="endpoint = a")
_ATTEMPTS_BY_CAUSE = Stream("attempts INDEXED BY attempts_cause", keyed="cause = a AND cause IS NOT NULL")
_ATTEMPTS_BY_ENDPOINT_AND_CAUSE = Stream(
    "attempts INDEXED BY attempts_endpoint_cause", keyed="endpoint = b AND cause = a AND cause IS NOT NULL"
)
_ATTEMPTS_BY_STATUS = Stream(
    "attempts INDEXED BY attempts_status", keyed="status = a AND cause IS NOT NULL AND status IS NOT NULL"
)
_ATTEMPTS_OF_TYPES = """
attempts.id IN (SELECT a.id FROM json_each(?) t CROSS JOIN events e INDEXED BY events_type ON e.type = t.value
  CROSS JOIN deliveries d ON d.event = e.seq CROSS JOIN attempts a ON a.delivery = d.id)
"""


def _by_state(where: DeliveryFilter, counts: dict[tuple[int, str], int]) -> Stream:
    if not where.endpoints:
        if where.troubled or where.groups or where.states == (DeliveryState.FAILED,):
            return Stream("deliveries INDEXED BY deliveries_troubled")
        if not where.states:
            return Stream("deliveries NOT INDEXED")
    return replace(_DELIVERIES_BY_STATE, keys=list(counts))


def beside(where: DeliveryFilter, stream: Stream) -> DeliveryFilter:
    """What is left to look at when the stream's keys have seen to the rest."""
    if stream.keys is not None and "endpoint_state" in stream.source:
        return replace(where, endpoints=(), states=(), troubled=where.troubled)
    if stream.keys is not None and "deliveries_status" in stream.source:
        return replace(where, statuses=())
    if stream.keys is not None and "deliveries_group" in stream.source:
        return replace(where, groups=())
    if stream.keys is not None and "cause" in stream.source:
        return replace(where, causes=(), endpoints=() if "endpoint" in stream.source else where.endpoints)
    if stream.keys is not None:
        return replace(where, type_pattern=None)
    return where


def attempts_beside(where: AttemptFilter, stream: Stream) -> AttemptFilter:
    if "attempts_status" in stream.source:
        return replace(where, statuses=(), failed_only=False)
    return replace(where, endpoints=(), causes=(), failed_only=False)


def _causes_looked_for(where: DeliveryFilter) -> tuple[Cause, ...]:
    if where.causes:
        return where.causes
    if where.endpoints and filtering.failures_only(where.statuses):
        return filtering.causes_of(where.statuses)
    return tuple(Cause) if where.troubled and where.endpoints else ()


def _cause_keys(causes: Sequence[Cause], counts: dict[tuple[int, str], int] | None) -> list[tuple[object, object]]:
    """(cause, endpoint), or (cause, None) without endpoints."""
    if counts is None:
        return [(cause, None) for cause in dict.fromkeys(causes)]
    endpoints = dict.fromkeys(endpoint for endpoint, _ in counts)
    return [(cause, endpoint) for endpoint in endpoints for cause in dict.fromkeys(causes)]


def _within(
    c: Conditions,
    id_: str,
    times: Times,
    where: DeliveryFilter | AttemptFilter | EventFilter,
    *,
    before: int | None,
    after: int | None = None,
) -> None:
    """The bounds of a page, and bounds of ids that contain all of a stretch of time: one of each, since of two SQLite
    walks from either."""
    lowest = [] if after is None else [after + 1]
    ends = [] if before is None else [before]
    if where.since_ms is not None:
        lowest.append(times.first_since(where.since_ms))
    if where.until_ms is not None:
        ends.append(times.end_until(where.until_ms))
    c.maybe(f"{id_} >= ?", max(lowest, default=None))
    c.maybe(f"{id_} < ?", min(ends, default=None))


def _extend(c: Conditions, more: Conditions) -> None:
    c.add(more.where(), *more.parameters)
