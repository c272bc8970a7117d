"""What the engine alone does: the lease, claims, and what came of them. The hot path."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import assert_never

import msgspec

from console.domain.delivery import DRY_RUN_WORDS, Delivered, Failed, Retry
from console.domain.endpoint import Endpoint
from console.domain.errors import FencedError
from console.domain.fingerprint import fingerprint
from console.domain.ids import AttemptId, DeliveryId, EventId
from console.domain.ordering import BLOCKED_AT_MS
from console.domain.outcome import PLAIN_WORDS, Cause, Parts
from console.domain.rates import MINUTE, SECOND, SECONDS_KEPT_S
from console.domain.work import Claimed, ClaimOrder, Completed, Nudges, Recovered
from console.store.sqlite import counting, nudging, ordering
from console.store.sqlite.checkpointing import checkpoint, write_all_again
from console.store.sqlite.grouping import FailureGroups, kind_of
from console.store.sqlite.health import HealthQueries
from console.store.sqlite.policies import policy_of, read_policy
from console.store.sqlite.rows import ENDPOINT_COLUMNS, endpoint_of, headers_text
from console.store.sqlite.times import note_clock

_TAKE_OVER = """
INSERT INTO engine (id, epoch, pid, host, version, started_at, heartbeat_at) VALUES (1, 1, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1, pid = excluded.pid, host = excluded.host,
  version = excluded.version, started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at,
  stopped_at = NULL, stop_requested = 0, in_flight = 0
RETURNING epoch
"""
_EPOCH = "SELECT epoch FROM engine WHERE id = 1"
_HEARTBEAT = "UPDATE engine SET heartbeat_at = ?, in_flight = ? WHERE id = 1"
_RELEASE = "UPDATE engine SET stopped_at = ?, heartbeat_at = ?, in_flight = 0 WHERE id = 1"

_LEFT_IN_FLIGHT = f"""
SELECT d.id, d.endpoint, d.step, d.attempts, {policy_of("p")}, a.id
FROM deliveries d JOIN endpoints p ON p.seq = d.endpoint
LEFT JOIN attempts a ON a.delivery = d.id AND a.number = d.attempts WHERE d.state = 'sending'
"""
_END_UNKNOWN = """
UPDATE attempts SET ended_at = ?, cause = 'unknown_outcome', detail = ? WHERE id = ? AND ended_at IS NULL
"""
_RECOVER = """
UPDATE deliveries SET state = ?, next_attempt_at = ?, manual = 0, last_cause = 'unknown_outcome', last_status = NULL,
  last_attempt_at = ?, updated_at = ?, failure_group = ? WHERE id = ?
"""

# The hot path is written so that one statement does the work of a whole batch and returns one row. The interpreter's
# lock is let go of and taken back at each step of a statement, and beside a busy event loop taking it back is slow.
_DUE = """
SELECT json_group_array(id) FROM (
  SELECT id FROM deliveries INDEXED BY deliveries_due WHERE endpoint = ? AND state = 'pending' AND next_attempt_at <= ?
    AND EXISTS (SELECT 1 FROM endpoints WHERE seq = endpoint AND state = ? AND removed_at IS NULL)
  ORDER BY next_attempt_at, id LIMIT ?)
"""
_CLAIM = """
UPDATE deliveries SET state = 'sending', next_attempt_at = NULL, attempts = attempts + 1,
  step = step + 1 - manual, lease = ?, updated_at = ?
WHERE id IN (SELECT value FROM json_each(?))
"""
_NEWEST_ATTEMPT = "SELECT id, started_at FROM attempts WHERE id = (SELECT max(id) FROM attempts)"
_INSERT_ATTEMPTS = """
INSERT INTO attempts (id, delivery, endpoint, number, manual, started_at, due_at)
SELECT ? + picked.key, d.id, d.endpoint, d.attempts + 1, d.manual, ?, d.next_attempt_at
FROM json_each(?) picked JOIN deliveries d ON d.id = picked.value
"""
# A delivery is made with its event, whose own time stands behind the payload, which may fill many pages.
_CLAIMED = """
SELECT json_group_array(json_array(
    picked.key, d.id, d.endpoint, d.attempts, d.step, d.manual, d.order_key IS NOT NULL, e.id, e.type,
    octet_length(e.payload), d.url, d.created_at, e.hops, e.via)),
  CAST(group_concat(e.payload, '') AS BLOB)
FROM json_each(?) picked JOIN deliveries d ON d.id = picked.value JOIN events e ON e.seq = d.event
"""

_END_ATTEMPT = """
UPDATE attempts SET started_at = column1, ended_at = column2, status = column3, cause = column4, detail = column5,
  total_ms = column6, first_byte_ms = column7
FROM (VALUES {rows}) WHERE id = column8
"""
_KEEP_PARTS = """
UPDATE attempts SET resolve_ms = column1, connect_ms = column2, tls_ms = column3 FROM (VALUES {rows}) WHERE id = column4
"""
_INSERT_EXCHANGE = """
INSERT INTO exchanges (attempt, url, request_headers, response_headers, response_body, truncated, remote_address)
VALUES {rows}
"""
_KEEP_REQUEST = """
UPDATE exchanges SET request_method = column1, request_body = column2 FROM (VALUES {rows}) WHERE attempt = column3
"""
_COMPLETE = """
UPDATE deliveries SET state = column1, next_attempt_at = column2, manual = 0, last_cause = column3,
  last_status = column4, last_attempt_at = column5, updated_at = column5, failure_group = column6
FROM (VALUES {rows}) WHERE id = column7 AND state = 'sending' AND attempts = column8 AND lease = column9
"""
_STILL_OPEN = """
SELECT a.id FROM json_each(?) picked JOIN attempts a ON a.id = picked.value JOIN deliveries d ON d.id = a.delivery
WHERE a.ended_at IS NULL AND d.attempts = a.number AND d.lease = ?
"""

_NEXT_DUE = f"""
SELECT seq, (SELECT min(next_attempt_at) FROM deliveries INDEXED BY deliveries_due
  WHERE endpoint = seq AND state = 'pending' AND next_attempt_at < {BLOCKED_AT_MS}) AS due
FROM (SELECT value AS seq FROM json_each(?)) WHERE due IS NOT NULL
"""
_NUDGED = "SELECT id, endpoint, settings FROM nudges WHERE id > ? ORDER BY id"
_NEWEST_NUDGE = "SELECT seq FROM sqlite_sequence WHERE name = 'nudges'"
_EVERY_ENDPOINT = "SELECT seq FROM endpoints"
_STOP_REQUESTED = "SELECT stop_requested FROM engine WHERE id = 1"
_ENDPOINT_AT = f"SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE seq = ? AND removed_at IS NULL"
_TIDY_RATES = """
DELETE FROM rates WHERE (width, bucket, endpoint) IN
  (SELECT width, bucket, endpoint FROM rates WHERE width = ? AND bucket < ? LIMIT 5000)
"""
_CANCEL_ORPHANS = """
UPDATE deliveries SET state = 'cancelled', next_attempt_at = NULL, updated_at = ?
WHERE state = 'pending' AND endpoint IN
  (SELECT seq FROM endpoints JOIN gauges ON endpoint = seq WHERE removed_at IS NOT NULL AND pending > 0)
RETURNING endpoint
"""
_TIDY_NUDGES = "DELETE FROM nudges WHERE id <= ?"
_MINUTES_KEPT_S = 40 * 24 * 3600
_NUDGES_KEPT = 1000
_CHECKPOINT_PAGES = 8000
_LOG = "PRAGMA wal_checkpoint(NOOP)"
"""How many pages the log holds, and how many of them are in the store. Before SQLite 3.51 it is a checkpoint, too."""


_read_ids = msgspec.json.Decoder(list[int]).decode
_read_claims = msgspec.json.Decoder(
    list[tuple[int, int, int, int, int, int, int, str, str, int, str | None, int, int, str | None]]
).decode


class EngineQueries(HealthQueries):
    _known_groups: FailureGroups | None = None

    @property
    def _groups(self) -> FailureGroups:
        if self._known_groups is None:
            self._known_groups = FailureGroups(self._connection)
        return self._known_groups

    def _forget(self) -> None:
        super()._forget()
        self._known_groups = None

    def settle_log(self) -> None:
        # An engine that died may have been told of a failed sync. What a dead process left in the log and could not
        # sync is not on any disk; this way it is before anything is promised that stands on it.
        write_all_again(self._connection)
        checkpoint(self._connection, "TRUNCATE")

    def keep_log_short(self) -> None:
        # Only the engine checkpoints: two that do at once are what costs time, and once cost data.
        _, pages, stored = self._connection.rows(_LOG)[0]
        if pages >= _CHECKPOINT_PAGES and (stored < pages or self._connection.log_in_doubt):
            checkpoint(self._connection, "PASSIVE")

    def take_over(self, *, pid: int, host: str, version: str, now_ms: int) -> int:
        with self.transaction():
            epoch = self._connection.value(_TAKE_OVER, (pid, host, version, now_ms, now_ms))
            assert isinstance(epoch, int)
            # From now on whatever this connection writes is refused once a newer engine has taken over: also what its
            # method has no epoch for. When this transaction fails, there is none that is newer.
            self._connection.at_begin = partial(self._refuse_if_fenced, epoch, newer_only=True)
            return epoch

    def recover(self, *, epoch: int, now_ms: int) -> Recovered:
        detail = PLAIN_WORDS[Cause.UNKNOWN_OUTCOME]
        pending = failed = 0
        changes: list[tuple[int, str, str]] = []
        found: list[int] = []
        failures: list[tuple[int, int, int]] = []
        counts = counting.AttemptCounts()
        with self.transaction():
            self._refuse_if_fenced(epoch)
            for delivery, endpoint, step, _, policy, attempt in self._connection.rows(_LEFT_IN_FLIGHT):
                # The try was charged when it was claimed. Not the receiver's fault: the next one is due at once.
                exhausted = step >= len(read_policy(policy).schedule_s)
                state, due = ("failed", None) if exhausted else ("pending", now_ms)
                pending, failed = pending + (not exhausted), failed + exhausted
                error = fingerprint(b"", detail)
                group = self._groups.group_of(kind_of(endpoint, Cause.UNKNOWN_OUTCOME), error, now_ms, attempt)
                self._connection.run(_END_UNKNOWN, (now_ms, detail, attempt))
                self._connection.run(_RECOVER, (state, due, now_ms, now_ms, group, delivery))
                failures.append((group, now_ms, attempt))
                changes.append((endpoint, "sending", state))
                found.append(delivery)
                counts.add(
                    endpoint=endpoint, ended_at_ms=now_ms, total_ms=None, cause=Cause.UNKNOWN_OUTCOME, detail=detail
                )
            counting.move(self._connection, counting.moves_between(changes))
            counts.write(self._connection)
            self._groups.count(failures)
            ordering.arrange(self._connection, found, now_ms)
        return Recovered(pending=pending, failed=failed)

    def heartbeat(self, *, epoch: int, in_flight: int, now_ms: int) -> None:
        with self.transaction():
            self._refuse_if_fenced(epoch)
            self._connection.run(_HEARTBEAT, (now_ms, in_flight))

    def release(self, *, epoch: int, now_ms: int) -> None:
        with self.transaction():
            self._refuse_if_fenced(epoch)
            self._connection.run(_RELEASE, (now_ms, now_ms))

    def claim(self, orders: Sequence[ClaimOrder], *, epoch: int, now_ms: int) -> list[Claimed]:
        with self.transaction():
            self._refuse_if_fenced(epoch)
            picked: list[int] = []
            for order in orders:
                state = "tripped" if order.probe else "active"
                picked += _read_ids(self._connection.value(_DUE, (order.endpoint_seq, now_ms, state, order.limit)))
            if not picked:
                return []
            ids = json.dumps(picked)
            newest, newest_ms = self._connection.row(_NEWEST_ATTEMPT) or (0, None)
            note_clock(self._connection, newest_ms, now_ms)
            first = newest + 1
            # Before the claim, which takes away when each was due.
            self._connection.run(_INSERT_ATTEMPTS, (first, now_ms, ids))
            self._connection.run(_CLAIM, (epoch, now_ms, ids))
            claimed = self._read_claimed(ids, first)
            moves = counting.moves_between((c.endpoint_seq, "pending", "sending") for c in claimed)
            counting.move(self._connection, moves)
            return claimed

    def _read_claimed(self, ids: str, first_attempt: int) -> list[Claimed]:
        row = self._connection.row(_CLAIMED, (ids,))
        assert row is not None
        payloads, start, claimed = row[1] or b"", 0, []
        for claim in _read_claims(row[0]):
            (key, delivery, endpoint, number, step, manual, ordered, event_id, event_type, size, url, accepted, hops,
             via) = claim  # fmt: skip
            claimed.append(
                Claimed(
                    delivery_id=DeliveryId(delivery),
                    attempt_id=AttemptId(first_attempt + key),
                    endpoint_seq=endpoint,
                    number=number,
                    step=step,
                    manual=bool(manual),
                    event_id=EventId(event_id),
                    event_type=event_type,
                    payload=payloads[start : start + size],
                    ordered=bool(ordered),
                    url=url,
                    accepted_at_ms=accepted,
                    hops=hops,
                    via=via,
                )
            )
            start += size
        return claimed

    def complete(self, completed: Sequence[Completed], *, epoch: int) -> int:
        with self.transaction():
            self._refuse_if_fenced(epoch)
            completed = _first_of_each(completed)
            groups = self._groups.of_failures(completed, lambda c: bool(self._just_moved([c], epoch)))
            moved = self._connection.run_rows(_COMPLETE, [_delivery_row(c, epoch, groups) for c in completed])
            if moved != len(completed):
                completed = self._just_moved(completed, epoch)
            self._connection.run_rows(_END_ATTEMPT, [_attempt_row(c) for c in completed])
            # Of a kept-alive connection, which most attempts have, there are none.
            self._connection.run_rows(_KEEP_PARTS, [_parts_row(c, c.parts) for c in completed if c.parts])
            self._connection.run_rows(_INSERT_EXCHANGE, [row for c in completed if (row := _exchange_row(c))])
            self._connection.run_rows(_KEEP_REQUEST, [row for c in completed if (row := _request_row(c))])
            self._count(completed)
            if groups:
                ended = ((c.claimed.attempt_id, c.ended_at_ms) for c in completed)
                self._groups.count((groups[id_], at_ms, id_) for id_, at_ms in ended if id_ in groups)
            self._keep_order(completed)
            self._heed(completed)
            return moved

    def _just_moved(self, completed: Sequence[Completed], epoch: int) -> list[Completed]:
        """Those that `_COMPLETE` moves or has moved: whose attempt has not ended, and is their delivery's last."""
        ours = {c.claimed.attempt_id: c for c in completed}
        rows = self._connection.rows(_STILL_OPEN, (json.dumps(list(ours)), epoch))
        return [ours[AttemptId(id_)] for (id_,) in rows]

    def _keep_order(self, completed: Sequence[Completed]) -> None:
        """Where one of them stood in a line, let the line move on."""
        until = ordering.reordered_until(self._connection)
        lined = [c for c in completed if c.claimed.ordered or c.claimed.attempt_id <= until]
        if lined:
            now_ms = max(c.ended_at_ms for c in lined)
            ordering.arrange(self._connection, [c.claimed.delivery_id for c in lined], now_ms)
            # The engine looks by itself at what an ordered claim leaves behind.
            nudging.work_changed(self._connection, {c.claimed.endpoint_seq for c in lined if not c.claimed.ordered})

    def _count(self, completed: Sequence[Completed]) -> None:
        counts = counting.AttemptCounts()
        moves: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for c in completed:
            verdict, endpoint = c.verdict, c.claimed.endpoint_seq
            cause, detail = (None, "") if isinstance(verdict, Delivered) else (verdict.cause, verdict.detail)
            dry = _is_dry(verdict)
            moves[endpoint]["sending"] -= 1
            moves[endpoint][_state_after(verdict)] += 1
            counts.add(
                endpoint=endpoint, ended_at_ms=c.ended_at_ms, total_ms=None if dry else c.total_ms, cause=cause,
                detail=detail, elsewhere=c.claimed.url is not None or dry,
            )  # fmt: skip
        counting.move(self._connection, moves)
        counts.write(self._connection)

    def next_due(self, endpoint_seqs: Iterable[int]) -> dict[int, int]:
        return dict(self._connection.rows(_NEXT_DUE, (json.dumps(list(endpoint_seqs)),)))

    def nudged(self, after: int) -> Nudges:
        rows = self._connection.rows(_NUDGED, (after,))
        if rows and rows[0][0] > after + 1:
            return self._nudged_all(rows[-1][0])
        return Nudges(
            newest=rows[-1][0] if rows else after,
            owed=frozenset(endpoint for _, endpoint, settings in rows if not settings),
            settings=frozenset(endpoint for _, endpoint, settings in rows if settings) - {nudging.ENGINE},
            stop=any(endpoint == nudging.ENGINE for _, endpoint, _ in rows),
        )

    def _nudged_all(self, newest: int) -> Nudges:
        """What to say when nudges were tidied away unread: anything may have changed."""
        everyone = frozenset(seq for (seq,) in self._connection.rows(_EVERY_ENDPOINT))
        stop = bool(self._connection.value(_STOP_REQUESTED))
        return Nudges(newest=newest, owed=everyone, settings=everyone, stop=stop)

    def newest_nudge(self) -> int:
        newest = self._connection.value(_NEWEST_NUDGE)
        return newest if isinstance(newest, int) else 0

    def endpoint_at(self, seq: int) -> Endpoint | None:
        row = self._connection.row(_ENDPOINT_AT, (seq,))
        return None if row is None else endpoint_of(row)

    def tidy(self, *, epoch: int, now_ms: int) -> None:
        now_s = now_ms // 1000
        with self.transaction():
            self._refuse_if_fenced(epoch)
            self._connection.run(_TIDY_RATES, (SECOND, now_s - SECONDS_KEPT_S))
            self._connection.run(_TIDY_RATES, (MINUTE, now_s - _MINUTES_KEPT_S))
            self._connection.run(_TIDY_NUDGES, (self.newest_nudge() - _NUDGES_KEPT,))
            # A try that was in flight when its endpoint was removed, failed, and was put back.
            orphans = self._connection.rows(_CANCEL_ORPHANS, (now_ms,))
            counting.move(self._connection, counting.moves_between((e, "pending", "cancelled") for (e,) in orphans))

    def _refuse_if_fenced(self, epoch: int, *, newer_only: bool = False) -> None:
        current = self._connection.value(_EPOCH)
        if current != epoch and not (newer_only and (current is None or current < epoch)):
            raise FencedError(f"{self.path}: engine {current} has taken over from this one ({epoch}): it stops")


def _first_of_each(completed: Sequence[Completed]) -> Sequence[Completed]:
    """One outcome for each attempt: of two rows for one delivery, SQLite would take either."""
    first: dict[AttemptId, Completed] = {}
    for c in completed:
        first.setdefault(c.claimed.attempt_id, c)
    return completed if len(first) == len(completed) else list(first.values())


def _state_after(verdict: Delivered | Retry | Failed) -> str:
    match verdict:
        case Delivered():
            return "delivered"
        case Retry():
            return "pending"
        case Failed():
            return "failed"
        case _ as never:
            assert_never(never)


def _is_dry(verdict: Delivered | Retry | Failed) -> bool:
    return isinstance(verdict, Delivered) and verdict.dry


def _delivery_row(c: Completed, epoch: int, groups: Mapping[AttemptId, int]) -> tuple[object, ...]:
    v, claimed = c.verdict, c.claimed
    due = v.at_ms if isinstance(v, Retry) else None
    cause = None if isinstance(v, Delivered) else v.cause
    group = None if cause is None else groups[claimed.attempt_id]
    return _state_after(v), due, cause, v.status, c.ended_at_ms, group, claimed.delivery_id, claimed.number, epoch


def _attempt_row(c: Completed) -> tuple[object, ...]:
    v = c.verdict
    if _is_dry(v):
        return c.started_at_ms, c.ended_at_ms, None, None, DRY_RUN_WORDS, None, None, c.claimed.attempt_id
    cause, detail = (None, None) if isinstance(v, Delivered) else (v.cause, f"{v.detail}; {v.why}")
    return c.started_at_ms, c.ended_at_ms, v.status, cause, detail, c.total_ms, c.first_byte_ms, c.claimed.attempt_id


def _parts_row(c: Completed, parts: Parts) -> tuple[object, ...]:
    return parts.resolve_ms, parts.connect_ms, parts.tls_ms, c.claimed.attempt_id


def _exchange_row(c: Completed) -> tuple[object, ...] | None:
    x = c.exchange
    if x is None:
        return None
    return (
        c.claimed.attempt_id,
        x.url,
        headers_text(x.request_headers),
        headers_text(x.response_headers) if x.response_headers else None,
        x.response_body or None,
        int(x.response_truncated),
        x.remote_address,
    )


def _request_row(c: Completed) -> tuple[object, ...] | None:
    """How a transform has made the request; None: it was a POST of the payload."""
    x = c.exchange
    if x is None or (x.request_body is None and x.request_method == "POST"):
        return None
    return None if x.request_method == "POST" else x.request_method, x.request_body, c.claimed.attempt_id
