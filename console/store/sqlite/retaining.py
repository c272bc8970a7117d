"""Delete what is old: found by walking from the oldest id, dropped in pieces that hold the write lock for milliseconds.

No index helps here, since each would cost every delivery: ids are in order of time, so what is old is at the beginning,
and a walk reads only what has survived until then.
"""

import json
from collections.abc import Iterable

import msgspec

from console.domain.delivery import DeliveryState
from console.domain.rates import MINUTE, SECOND, SECONDS_KEPT_S
from console.domain.retention import Cutoffs, Dropped, Found, Phase, Retention, Space, check_retention
from console.store.sqlite import counting
from console.store.sqlite.base import Queries
from console.store.sqlite.schema import TROUBLED
from console.store.sqlite.shelves import IDENTITY, SHELF

_SETTING = "SELECT value FROM settings WHERE key = 'retention'"
_SET = """
INSERT INTO settings (key, value, updated_at) VALUES ('retention', ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""

_OLD_DELIVERIES = """
SELECT json_group_array(id) FILTER (WHERE old), max(id), max(created_at), count(*)
FROM (SELECT id, created_at, {old} AS old FROM deliveries WHERE id > ? ORDER BY id LIMIT ?)
"""
# Whether anybody is owed it is asked first: its time stands behind the payload, which may fill many pages.
_UNWANTED_EVENTS = """
SELECT json_group_array(seq) FILTER (WHERE old), max(seq), NULL, count(*)
FROM (SELECT seq, NOT EXISTS (SELECT 1 FROM deliveries WHERE event = seq) AND accepted_at < ? AS old
      FROM events WHERE seq > ? ORDER BY seq LIMIT ?)
"""
_ACCEPTED_AT = "SELECT accepted_at FROM events WHERE seq = ?"
_OLD_BODIES = """
SELECT json_group_array(id) FILTER (WHERE old), max(id), max(started_at), count(*)
FROM (SELECT a.id, a.started_at, coalesce(a.ended_at < ?, 0) AS old
      FROM exchanges x JOIN attempts a ON a.id = x.attempt WHERE x.attempt > ? ORDER BY x.attempt LIMIT ?)
"""
_OLD_REQUESTS = """
SELECT json_group_array(id) FILTER (WHERE received_at < ?), max(id), max(received_at), count(*)
FROM (SELECT id, received_at FROM inbox WHERE id > ? ORDER BY id LIMIT ?)
"""

# It keeps those accepted after it waiting until an operator has decided: still owed.
_BLOCKS = """
(state = 'failed' AND order_key IS NOT NULL
  AND EXISTS (SELECT 1 FROM endpoints WHERE seq = endpoint AND removed_at IS NULL))
"""

# The newest row of each table stays: the number after it is the next one's, and no number is ever given twice.
_PICK = """
SELECT endpoint, state, json_group_array(id), json_group_array(event) FROM deliveries
WHERE id IN (SELECT value FROM json_each(?)) AND {old}
  AND id <> (SELECT max(id) FROM deliveries)
  AND id <> coalesce((SELECT delivery FROM attempts ORDER BY id DESC LIMIT 1), 0)
GROUP BY endpoint, state
"""
_DROP_EXCHANGES = """
DELETE FROM exchanges WHERE attempt IN
  (SELECT a.id FROM json_each(?) picked JOIN attempts a ON a.delivery = picked.value)
"""
_DROP_ATTEMPTS = "DELETE FROM attempts WHERE delivery IN (SELECT value FROM json_each(?))"
_DROP_DELIVERIES = "DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each(?))"
_DROP_EVENTS = """
DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?)) AND seq <> (SELECT max(seq) FROM events)
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = seq)
"""
_DROP_BODIES = "DELETE FROM exchanges WHERE attempt IN (SELECT value FROM json_each(?))"
_DROP_REQUESTS = """
DELETE FROM inbox WHERE id IN (SELECT value FROM json_each(?)) AND id <> (SELECT max(id) FROM inbox)
"""
_REQUESTS = "SELECT (SELECT max(id) FROM inbox) - (SELECT min(id) FROM inbox) + 1"
_COUNT_OLD_REQUESTS = "SELECT count(*) FROM inbox WHERE received_at < ?"
_EVENTS_OF = """
SELECT DISTINCT d.event FROM json_each(?) picked JOIN attempts a ON a.id = picked.value
JOIN deliveries d ON d.id = a.delivery
"""
_NOTE_STALE = "INSERT INTO search_stale (shelf) VALUES (?)"
_DROP_RATES = """
DELETE FROM rates WHERE (width, bucket, endpoint) IN
  (SELECT width, bucket, endpoint FROM rates WHERE width = ? AND bucket < ? LIMIT ?)
"""
_DROP_CAUSES = """
DELETE FROM causes WHERE (bucket, endpoint, cause) IN
  (SELECT bucket, endpoint, cause FROM causes WHERE bucket < ? LIMIT ?)
"""
_DROP_GROUP_RATES = """
DELETE FROM group_rates WHERE (bucket, failure_group) IN
  (SELECT bucket, failure_group FROM group_rates WHERE bucket < ? LIMIT ?)
"""
# One that only a cancelled delivery still names is told by that delivery, should it come back.
_DROP_GROUPS = f"""
DELETE FROM failure_groups WHERE id IN (SELECT id FROM failure_groups g WHERE last_at < ? AND NOT EXISTS
  (SELECT 1 FROM deliveries INDEXED BY deliveries_group WHERE failure_group = g.id AND {TROUBLED}) LIMIT ?)
"""
_COUNTS_AT_ONCE = 1000
MINUTES_KEPT_S = 40 * 24 * 3600
# What has not been read for a month is on the disk: it is fetched here, not while the write lock is held.
_TOUCH = """
SELECT count(x.attempt), count(e.seq) FROM json_each(?) picked JOIN deliveries d ON d.id = picked.value
LEFT JOIN attempts a ON a.delivery = d.id LEFT JOIN exchanges x ON x.attempt = a.id
LEFT JOIN events e ON e.seq = d.event
"""
_COUNT_OLD = "SELECT state, count(*) FROM deliveries WHERE {old} GROUP BY state"

_read_numbers = msgspec.json.Decoder(tuple[int, ...]).decode
_read_retention = msgspec.json.Decoder(Retention).decode
_encode = msgspec.json.Encoder().encode


class RetainingQueries(Queries):
    def retention(self) -> Retention:
        text = self._connection.value(_SETTING)
        return Retention() if text is None else _read_retention(text)

    def set_retention(self, retention: Retention, now_ms: int) -> None:
        check_retention(retention)
        with self.transaction():
            self._connection.run(_SET, (_encode(retention).decode(), now_ms))

    def space(self) -> Space:
        page = self._connection.value("PRAGMA page_size")
        wal = self.path.with_name(self.path.name + "-wal")
        return Space(
            file_bytes=self._connection.value("PRAGMA page_count") * page,
            free_bytes=self._connection.value("PRAGMA freelist_count") * page,
            wal_bytes=wal.stat().st_size if wal.exists() else 0,
            page_bytes=page,
            requests=self._connection.value(_REQUESTS) or 0,
        )

    def find_old(self, phase: Phase, cutoffs: Cutoffs, *, after: int, limit: int) -> Found:
        sql, parameters, youngest_ms = _search(phase, cutoffs)
        if sql is None:
            return Found(phase=phase, ids=(), after=None)
        row = self._connection.row(sql, (*parameters, after, limit))
        assert row is not None
        ids, last, made_ms, looked = row
        found = _read_numbers(ids)
        if found and phase is Phase.DELIVERIES:
            self._connection.rows(_TOUCH, (ids,))
        if phase is Phase.EVENTS and last is not None:
            made_ms = self._connection.value(_ACCEPTED_AT, (last,))
        over = looked < limit or (not found and made_ms >= youngest_ms)
        return Found(phase=phase, ids=found, after=None if over else last)

    def drop_old(self, phase: Phase, ids: tuple[int, ...], cutoffs: Cutoffs) -> Dropped:
        numbers = json.dumps(ids)
        with self.transaction():
            match phase:
                case Phase.DELIVERIES:
                    return self._drop_deliveries(numbers, cutoffs)
                case Phase.EVENTS:
                    self._note_gone(ids)
                    return Dropped(events=self._connection.run(_DROP_EVENTS, (numbers,)))
                case Phase.BODIES:
                    self._note_gone(event for (event,) in self._connection.rows(_EVENTS_OF, (numbers,)))
                    return Dropped(bodies=self._connection.run(_DROP_BODIES, (numbers,)))
                case Phase.INBOX | Phase.RECENT_INBOX:
                    return Dropped(requests=self._connection.run(_DROP_REQUESTS, (numbers,)))

    def _drop_deliveries(self, numbers: str, cutoffs: Cutoffs) -> Dropped:
        old, parameters = _old(cutoffs)
        deliveries: list[int] = []
        events: set[int] = set()
        moves: dict[int, dict[str, int]] = {}
        # Looked at again inside the transaction: one may have been retried since it was found.
        for endpoint, state, ids, its_events in self._connection.rows(_PICK.format(old=old), (numbers, *parameters)):
            picked = _read_numbers(ids)
            deliveries += picked
            events.update(_read_numbers(its_events))
            moves.setdefault(endpoint, {})[state] = -len(picked)
        if not deliveries:
            return Dropped()
        numbers = json.dumps(deliveries)
        bodies = self._connection.run(_DROP_EXCHANGES, (numbers,))
        attempts = self._connection.run(_DROP_ATTEMPTS, (numbers,))
        self._connection.run(_DROP_DELIVERIES, (numbers,))
        counting.move(self._connection, moves)
        self._note_gone(events)
        gone = self._connection.run(_DROP_EVENTS, (json.dumps(sorted(events)),))
        return Dropped(deliveries=len(deliveries), attempts=attempts, events=gone, bodies=bodies)

    def _note_gone(self, events: Iterable[int]) -> None:
        """Let the words of what is deleted be taken out of the search file, if there is one."""
        if self._connection.value(IDENTITY) is not None:
            shelves = {event // SHELF for event in events}
            self._connection.run_many(_NOTE_STALE, [(shelf,) for shelf in sorted(shelves)])

    def drop_counts(self, now_ms: int) -> bool:
        now_s = now_ms // 1000
        with self.transaction():
            run = self._connection.run
            dropped = (
                run(_DROP_RATES, (SECOND, now_s - SECONDS_KEPT_S, _COUNTS_AT_ONCE)),
                run(_DROP_RATES, (MINUTE, now_s - MINUTES_KEPT_S, _COUNTS_AT_ONCE)),
                run(_DROP_CAUSES, (now_s - MINUTES_KEPT_S, _COUNTS_AT_ONCE)),
                run(_DROP_GROUP_RATES, (now_s - MINUTES_KEPT_S, _COUNTS_AT_ONCE)),
                run(_DROP_GROUPS, ((now_s - MINUTES_KEPT_S) * 1000, _COUNTS_AT_ONCE)),
            )
        return _COUNTS_AT_ONCE in dropped

    def give_back(self, pages: int) -> int:
        before = self._connection.value("PRAGMA freelist_count")
        with self.transaction():
            # Each row that is fetched frees a page.
            self._connection.rows(f"PRAGMA incremental_vacuum({int(pages)})")
        freed: int = before - self._connection.value("PRAGMA freelist_count")
        return max(0, freed)

    def count_old(self, cutoffs: Cutoffs) -> dict[DeliveryState, int]:
        old, parameters = _old(cutoffs)
        return {DeliveryState(s): n for s, n in self._connection.rows(_COUNT_OLD.format(old=old), parameters)}

    def count_old_requests(self, cutoffs: Cutoffs) -> int:
        at = cutoffs.inbox_ms
        return 0 if at is None else int(self._connection.value(_COUNT_OLD_REQUESTS, (at,)))


def _old(cutoffs: Cutoffs) -> tuple[str, list[object]]:
    """Whether a delivery may go, as an SQL condition with its parameters."""
    if not cutoffs.by_state:
        return "0", []
    condition = " OR ".join("(state = ? AND updated_at < ?)" for _ in cutoffs.by_state)
    return f"({condition}) AND NOT {_BLOCKS}", [value for state, at in cutoffs.by_state for value in (state.value, at)]


def _search(phase: Phase, cutoffs: Cutoffs) -> tuple[str | None, list[object], int]:
    """The query of a phase, its first parameters, and the time after which nothing can be old enough."""
    match phase:
        case Phase.DELIVERIES:
            old, parameters = _old(cutoffs)
            return (_OLD_DELIVERIES.format(old=old) if parameters else None), parameters, cutoffs.youngest_ms
        case Phase.EVENTS:
            at = cutoffs.unwanted_ms
            return (None if at is None else _UNWANTED_EVENTS), [at], at or 0
        case Phase.BODIES:
            at = cutoffs.bodies_ms
            return (None if at is None else _OLD_BODIES), [at], at or 0
        case Phase.INBOX | Phase.RECENT_INBOX:
            at = cutoffs.inbox_ms if phase is Phase.INBOX else cutoffs.recent_inbox_ms
            return (None if at is None else _OLD_REQUESTS), [at], at or 0
