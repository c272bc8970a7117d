"""How endpoints fare: tripped, probed, recovered, disabled. Each change of state is a row in the audit log and an
operational event, in the transaction of the attempts that caused it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, assert_never

import msgspec

from console.domain.alerts import duration_words
from console.domain.breaker import (
    DISABLED_TYPE,
    RECOVERED_TYPE,
    TRIPPED_TYPE,
    HealthChange,
    ProbeFailed,
    ProbeSucceeded,
    Tripped,
)
from console.domain.delivery import WANTS_NO_MORE, Delivered, Retry
from console.domain.errors import FencedError
from console.domain.event import NewEvent
from console.domain.handshake import Permission, Permitted, Refused
from console.domain.operation import OperationKind
from console.domain.work import Completed
from console.store.sqlite import nudging
from console.store.sqlite.endpoints import WAITS_NO_MORE
from console.store.sqlite.intake import IntakeQueries

_EPOCH = "SELECT epoch FROM engine WHERE id = 1"
_STANDING = """
SELECT p.id, p.name, p.url, p.state_since, coalesce(g.pending, 0) FROM endpoints p
LEFT JOIN gauges g ON g.endpoint = p.seq WHERE p.seq = ?
"""
_TRIP = """
UPDATE endpoints SET state = 'tripped', state_reason = ?, state_since = ?, probe_at = ?, trips = 1,
  version = version + 1
WHERE seq = ? AND state = 'active' AND removed_at IS NULL
"""
_PROBE_FAILED = """
UPDATE endpoints SET probe_at = ?, trips = trips + 1, version = version + 1
WHERE seq = ? AND state = 'tripped' AND removed_at IS NULL
"""
_RECOVER = """
UPDATE endpoints SET state = 'active', state_reason = NULL, state_since = ?, probe_at = NULL, trips = 0,
  version = version + 1
WHERE seq = ? AND state = 'tripped' AND removed_at IS NULL
"""
_DISABLE = """
UPDATE endpoints SET state = 'disabled', state_reason = ?, state_since = ?, probe_at = NULL, trips = 0,
  version = version + 1
WHERE seq = ? AND state IN ({states}) AND removed_at IS NULL
"""
_ANY_BUT_DISABLED = "'active', 'paused', 'tripped'"
_SENT_TO = "'active', 'tripped'"
_FAILING = """
SELECT endpoint, failing_since FROM gauges JOIN json_each(?1) wanted ON endpoint = wanted.key + 0
WHERE failing_since + wanted.value <= ?2
"""
_END_PACE = "UPDATE endpoints SET pace = NULL, version = version + 1 WHERE seq = ? AND pace IS NOT NULL"
_PUT_BACK = "UPDATE deliveries SET step = max(0, step - 1 + ?), manual = ? WHERE id = ?"
_PERMIT = f"""
UPDATE endpoints SET permitted_url = url, permitted_per_minute = ?, {WAITS_NO_MORE}, version = version + 1
WHERE seq = ? AND version = ? AND removed_at IS NULL
"""
_REFUSE = """
UPDATE endpoints SET state_reason = CASE WHEN state = 'active' THEN ? ELSE state_reason END
WHERE seq = ? AND version = ? AND removed_at IS NULL
"""
_LOG = """
INSERT INTO operations (kind, actor, target, reason, started_at, finished_at, done, result)
VALUES (?, 'engine', ?, ?, ?, ?, 1, ?)
"""
_encode = msgspec.json.Encoder().encode


class HealthQueries(IntakeQueries):
    def change_health(self, changes: Sequence[HealthChange], *, epoch: int, now_ms: int) -> None:
        with self.transaction():
            self._refuse_other_engine(epoch)
            for change in changes:
                self._change(change, now_ms)

    def disable_failing(self, after_ms: Mapping[int, int], *, epoch: int, now_ms: int) -> list[int]:
        with self.transaction():
            self._refuse_other_engine(epoch)
            found = self._connection.rows(_FAILING, (json.dumps(after_ms), now_ms))
            return [seq for seq, since in found if self._disable(seq, _failing_words(since, now_ms), now_ms, _SENT_TO)]

    def end_pace(self, endpoint_seqs: Iterable[int], *, epoch: int) -> None:
        with self.transaction():
            self._refuse_other_engine(epoch)
            for seq in endpoint_seqs:
                if self._connection.run(_END_PACE, (seq,)):
                    nudging.settings_changed(self._connection, seq)

    def set_permission(self, endpoint_seq: int, version: int, permission: Permission, *, epoch: int) -> bool:
        with self.transaction():
            self._refuse_other_engine(epoch)
            match permission:
                case Permitted(per_minute=per_minute):
                    stored = self._connection.run(_PERMIT, (per_minute, endpoint_seq, version)) > 0
                    if stored:
                        nudging.settings_changed(self._connection, endpoint_seq)
                    return stored
                case Refused(reason=reason):
                    return self._connection.run(_REFUSE, (reason, endpoint_seq, version)) > 0
                case _ as never:
                    assert_never(never)

    def _heed(self, completed: Sequence[Completed]) -> None:
        """What an attempt's end says beside its outcome: no more of it, or that it was not to count."""
        for c in completed:
            verdict = c.verdict
            if isinstance(verdict, Retry):
                if verdict.uncharged:
                    manual = int(c.claimed.manual)
                    self._connection.run(_PUT_BACK, (manual, manual, c.claimed.delivery_id))
            elif verdict.disable_endpoint:
                why = WANTS_NO_MORE if isinstance(verdict, Delivered) else verdict.why
                self._disable(c.claimed.endpoint_seq, why, c.ended_at_ms, _ANY_BUT_DISABLED)

    def _change(self, change: HealthChange, now_ms: int) -> None:
        seq = change.endpoint_seq
        standing = self._connection.row(_STANDING, (seq,))
        match change:
            case Tripped(reason=reason, probe_at_ms=probe_at_ms):
                if self._connection.run(_TRIP, (reason, now_ms, probe_at_ms, seq)):
                    self._tell(TRIPPED_TYPE, OperationKind.ENDPOINT_TRIP, "tripped", standing, reason, now_ms, now_ms)
            case ProbeFailed(probe_at_ms=probe_at_ms):
                self._connection.run(_PROBE_FAILED, (probe_at_ms, seq))
            case ProbeSucceeded(reason=reason):
                if self._connection.run(_RECOVER, (now_ms, seq)):
                    since_ms = standing[3] if standing else now_ms
                    kind = OperationKind.ENDPOINT_RECOVER
                    self._tell(RECOVERED_TYPE, kind, "tripped → active", standing, reason, since_ms, now_ms)
            case _ as never:
                assert_never(never)
        nudging.settings_changed(self._connection, seq)

    def _disable(self, seq: int, why: str, now_ms: int, states: str) -> bool:
        standing = self._connection.row(_STANDING, (seq,))
        changed = self._connection.run(_DISABLE.format(states=states), (why, now_ms, seq)) > 0
        if changed:
            self._tell(DISABLED_TYPE, OperationKind.ENDPOINT_DISABLE, "disabled", standing, why, now_ms, now_ms)
            nudging.settings_changed(self._connection, seq)
        return changed

    def _tell(
        self,
        type_: str,
        kind: OperationKind,
        result: str,
        standing: tuple[Any, ...] | None,
        reason: str,
        since_ms: int,
        now_ms: int,
    ) -> None:
        """In the audit log, and to who wants to know."""
        assert standing is not None, "an endpoint's row is never deleted"
        id_, name, url, _, pending = standing
        self._connection.run(_LOG, (kind, name, reason, now_ms, now_ms, result))
        data = {"endpoint": id_, "name": name, "url": url, "reason": reason, "since": _moment(since_ms)}
        payload = {"type": type_, "timestamp": _moment(now_ms), "data": {**data, "pending": pending}}
        self.accept([NewEvent(type=type_, payload=_encode(payload), source="engine")], now_ms)

    def _refuse_other_engine(self, epoch: int) -> None:
        current = self._connection.value(_EPOCH)
        if current != epoch:
            raise FencedError(f"{self.path}: engine {current} has taken over from this one ({epoch}): it stops")


def _failing_words(since_ms: int, now_ms: int) -> str:
    return f"nothing but failure for {duration_words((now_ms - since_ms) / 1000)}"


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
