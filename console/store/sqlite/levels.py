"""How endpoints stood: written down about once a minute where something changed, and read back for any moment."""

import json
from collections.abc import Sequence
from dataclasses import replace

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import AttemptId, DeliveryId, EndpointId
from console.domain.level import LEVELS_KEPT_S, LastFailure, Level
from console.domain.outcome import Cause
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row
from console.store.sqlite.rows import DELIVERY_COLUMNS, ENDPOINT_COLUMNS, delivery_of, endpoint_of
from console.store.sqlite.times import Times

FLIGHT_MOST_MS = 120_000
"""No request is under way for longer: timeouts are at most a minute, and ends are written in batches."""

_CHANGED = """
SELECT e.seq, e.state, e.state_since, coalesce(g.pending, 0), coalesce(g.failed, 0)
FROM endpoints e LEFT JOIN gauges g ON g.endpoint = e.seq
LEFT JOIN levels l ON l.endpoint = e.seq AND l.at = (SELECT max(at) FROM levels WHERE endpoint = e.seq)
WHERE e.removed_at IS NULL AND (l.at IS NULL OR l.state <> e.state OR l.state_since <> e.state_since
  OR l.pending <> coalesce(g.pending, 0) OR l.failed <> coalesce(g.failed, 0))
"""
_RECORD = """
INSERT OR REPLACE INTO levels (endpoint, at, state, state_since, pending, failed)
SELECT value ->> 0, ?, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)
"""
# The last one before the bound stays: it says how everything stood at the bound, and may be true to this day.
_DROP = """
DELETE FROM levels WHERE endpoint = ?1 AND at < (SELECT max(at) FROM levels WHERE endpoint = ?1 AND at <= ?2)
"""
_PART = "SELECT seq FROM endpoints WHERE seq % ? = ?"

_THERE = "created_at <= ?1 AND (removed_at IS NULL OR removed_at > ?1)"
_ENDPOINTS_AT = f"SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE {_THERE} ORDER BY name, removed_at"
_LEVELS_AT = f"""
WITH there AS (
  SELECT seq, id, state, state_since,
    (SELECT max(at) FROM levels WHERE endpoint = seq AND at <= ?1) AS before,
    (SELECT min(at) FROM levels WHERE endpoint = seq AND at > ?1) AS after
  FROM endpoints WHERE {_THERE})
SELECT t.id, t.state, t.state_since, a.state, a.state_since, b.state, b.state_since, b.at, b.pending, b.failed
FROM there t LEFT JOIN levels b ON b.endpoint = t.seq AND b.at = t.before
  LEFT JOIN levels a ON a.endpoint = t.seq AND a.at = t.after
"""
_SERIES = """
SELECT at, state, state_since, pending, failed FROM levels
WHERE endpoint = (SELECT seq FROM endpoints WHERE id = ?1) AND at < ?3
  AND at >= coalesce((SELECT max(at) FROM levels WHERE endpoint = (SELECT seq FROM endpoints WHERE id = ?1)
                      AND at <= ?2), ?2)
ORDER BY at
"""
_SENDING_AT = """
SELECT p.id, count(*) FROM attempts a JOIN endpoints p ON p.seq = a.endpoint
WHERE a.id >= ? AND a.id < ? AND a.started_at <= ?3 AND (a.ended_at IS NULL OR a.ended_at > ?3) GROUP BY p.seq
"""
_LAST_FAILURES = f"""
SELECT id, at, cause, detail FROM (
  SELECT p.id AS id, a.ended_at AS at, a.cause AS cause, a.detail AS detail,
    row_number() OVER (PARTITION BY p.seq ORDER BY a.ended_at DESC) AS place
  FROM (SELECT seq, id FROM endpoints WHERE {_THERE} LIMIT ?2) p, json_each(?3) c
  JOIN attempts a ON a.id = (
    SELECT max(x.id) FROM attempts x WHERE x.endpoint = p.seq AND x.cause = c.value AND x.id < ?4 AND x.ended_at <= ?1))
WHERE place = 1
"""
_DELIVERIES_AT = f"""
SELECT l.id, l.number, l.status, l.cause, l.ended_at, n.started_at, n.manual, n.due_at, {DELIVERY_COLUMNS}
FROM json_each(?1) i JOIN deliveries d ON d.id = i.value JOIN events e ON e.seq = d.event
  JOIN endpoints p ON p.seq = d.endpoint
  JOIN attempts l ON l.delivery = d.id AND l.number = (
    SELECT max(number) FROM attempts WHERE delivery = d.id AND ended_at <= ?2)
  LEFT JOIN attempts n ON n.delivery = d.id AND n.number = l.number + 1
"""
_DUE = """
SELECT count(*) FROM (
  SELECT 1 FROM deliveries INDEXED BY deliveries_due
  WHERE endpoint = (SELECT seq FROM endpoints WHERE id = ?) AND state = 'pending' AND next_attempt_at <= ? LIMIT ?)
"""
_NEWEST = """
SELECT max(at) FROM (
  SELECT max(started_at, coalesce(ended_at, 0)) AS at FROM (SELECT * FROM attempts ORDER BY id DESC LIMIT 1)
  UNION ALL SELECT accepted_at FROM (SELECT accepted_at FROM events ORDER BY seq DESC LIMIT 1)
  UNION ALL SELECT max(started_at, coalesce(finished_at, 0)) FROM (SELECT * FROM operations ORDER BY id DESC LIMIT 1)
  UNION ALL SELECT max(heartbeat_at, coalesce(stopped_at, 0)) FROM engine
  UNION ALL SELECT max(created_at) FROM endpoints)
"""


class LevelQueries(Queries):
    def changed_levels(self) -> list[tuple[int, EndpointState, int, int, int]]:
        rows = self._connection.rows(_CHANGED)
        return [(seq, EndpointState(state), since, pending, failed) for seq, state, since, pending, failed in rows]

    def record_levels(self, levels: Sequence[tuple[int, EndpointState, int, int, int]], now_ms: int) -> None:
        with self.transaction():
            self._connection.run(_RECORD, (now_ms, json.dumps(levels)))

    def drop_levels(self, part: int, parts: int, now_ms: int) -> None:
        until_ms = now_ms - LEVELS_KEPT_S * 1000
        with self.transaction():
            some = self._connection.rows(_PART, (parts, part))
            self._connection.run_many(_DROP, [(seq, until_ms) for (seq,) in some])

    def levels_at(self, at_ms: int) -> dict[EndpointId, Level]:
        levels = {EndpointId(row[0]): _level_at(row, at_ms) for row in self._connection.rows(_LEVELS_AT, (at_ms,))}
        return {id_: level for id_, level in levels.items() if level is not None}

    def level_series(self, endpoint: EndpointId, *, since_ms: int, until_ms: int) -> list[Level]:
        return [
            Level(at_ms=at, state=EndpointState(state), state_since_ms=since, pending=pending, failed=failed)
            for at, state, since, pending, failed in self._connection.rows(_SERIES, (endpoint, since_ms, until_ms))
        ]

    def endpoints_at(self, at_ms: int) -> list[Endpoint]:
        return [endpoint_of(row) for row in self._connection.rows(_ENDPOINTS_AT, (at_ms,))]

    def sending_at(self, at_ms: int) -> dict[EndpointId, int]:
        first, end = self._attempts_around(at_ms)
        return {EndpointId(id_): n for id_, n in self._connection.rows(_SENDING_AT, (first, end, at_ms))}

    def last_failures_at(self, at_ms: int, *, limit: int) -> dict[EndpointId, LastFailure]:
        _, end = self._attempts_around(at_ms)
        rows = self._connection.rows(_LAST_FAILURES, (at_ms, limit, json.dumps(list(Cause)), end))
        return {
            EndpointId(id_): LastFailure(at_ms=at, cause=Cause(cause), detail=detail or "")
            for id_, at, cause, detail in rows
        }

    def deliveries_at(self, ids: Sequence[DeliveryId], at_ms: int) -> dict[DeliveryId, tuple[AttemptId, Delivery]]:
        rows = self._connection.rows(_DELIVERIES_AT, (json.dumps(ids), at_ms))
        return {DeliveryId(row[8]): (AttemptId(row[0]), _delivery_at(row, at_ms)) for row in rows}

    def _attempts_around(self, at_ms: int) -> tuple[int, int]:
        times = Times(self._connection, "attempts", "id", "started_at")
        return times.first_since(at_ms - FLIGHT_MOST_MS), times.end_until(at_ms + 1)

    def due_within(self, endpoint: EndpointId, until_ms: int, cap: int) -> int:
        count = self._connection.value(_DUE, (endpoint, until_ms, cap))
        assert isinstance(count, int)
        return count

    def newest_ms(self) -> int | None:
        newest = self._connection.value(_NEWEST)
        assert newest is None or isinstance(newest, int)
        return newest


def _level_at(row: Row, at_ms: int) -> Level | None:
    """The state is that of whatever is known to have begun last by then; counts are those written down before."""
    _, now, now_since, after, after_since, before, before_since, counted_at, pending, failed = row
    if after is None:
        after, after_since = now, now_since  # nothing was written down since: it changed after that, or never
    if after_since <= at_ms:
        state, since_ms = after, after_since
    else:
        state, since_ms = before, before_since
    if state is None and counted_at is None:
        return None
    return Level(
        at_ms=counted_at if counted_at is not None else since_ms,
        state=None if state is None else EndpointState(state),
        state_since_ms=since_ms,
        pending=pending,
        failed=failed,
    )


def _delivery_at(row: Row, at_ms: int) -> Delivery:
    """A delivery as its last attempt that had ended by then left it."""
    _, number, status, cause, ended_at, next_started, next_manual, next_due, *columns = row
    today = delivery_of(tuple(columns))
    state, due_ms = DeliveryState.FAILED, None
    if next_started is not None and next_started <= at_ms:
        state = DeliveryState.SENDING
    elif cause is None:
        state = DeliveryState.DELIVERED
    elif next_started is not None and not next_manual:
        state, due_ms = DeliveryState.PENDING, next_due if next_due is not None else next_started
    elif next_started is None and (today.updated_at_ms <= at_ms or not today.manual):
        # Nothing was tried since, and nobody has asked for it: it is as it was left, unless it was cancelled since.
        if today.state is DeliveryState.PENDING:
            state, due_ms = today.state, today.next_attempt_at_ms
        elif today.state is DeliveryState.CANCELLED and today.updated_at_ms <= at_ms:
            state = today.state
    return replace(
        today,
        state=state,
        held=False,
        blocked=False,
        attempts=number,
        next_attempt_at_ms=due_ms,
        manual=False,
        last_cause=None if cause is None else Cause(cause),
        last_status=status,
        last_attempt_at_ms=ended_at,
        updated_at_ms=ended_at,
    )
