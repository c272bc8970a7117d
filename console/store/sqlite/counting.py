"""Gauges and rollups: every transaction that moves deliveries or ends attempts also counts them here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from console.domain.rates import MINUTE, SECOND, SLOTS, slot_of
from console.store.sqlite.connection import Connection
from console.store.sqlite.schema import HISTOGRAM_COLUMNS

ALL_ENDPOINTS = 0
"""The `endpoint` of a bucket that counts all of them."""

Moves = Mapping[int, Mapping[str, int]]
"""By endpoint: how many more, or fewer, deliveries are in each state."""

_MOVE = """
INSERT INTO gauges (endpoint, pending, sending, delivered, failed, cancelled) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (endpoint) DO UPDATE SET
  pending = pending + excluded.pending, sending = sending + excluded.sending,
  delivered = delivered + excluded.delivered, failed = failed + excluded.failed,
  cancelled = cancelled + excluded.cancelled
"""
_STATES = ("pending", "sending", "delivered", "failed", "cancelled")

_LAST_SUCCESS = "UPDATE gauges SET last_success_at = ?, failing_since = NULL WHERE endpoint = ?"
_LAST_FAILURE = """
UPDATE gauges SET last_failure_at = ?1, last_failure_cause = ?2, last_failure_detail = ?3,
  failing_since = coalesce(failing_since, ?1) WHERE endpoint = ?4
"""
_COUNTED = ("accepted", "ok", "failed", *HISTOGRAM_COLUMNS)
_ADD_RATES = f"""
INSERT INTO rates (width, bucket, endpoint, {", ".join(_COUNTED)}) VALUES {{rows}}
ON CONFLICT (width, bucket, endpoint) DO UPDATE SET {", ".join(f"{c} = {c} + excluded.{c}" for c in _COUNTED)}
"""
_ADD_CAUSES = """
INSERT INTO causes (bucket, endpoint, cause, count) VALUES (?, ?, ?, ?)
ON CONFLICT (bucket, endpoint, cause) DO UPDATE SET count = count + excluded.count
"""
_ADD_ACCEPTED = """
INSERT INTO rates (width, bucket, endpoint, accepted) VALUES (?, ?, 0, ?)
ON CONFLICT (width, bucket, endpoint) DO UPDATE SET accepted = accepted + excluded.accepted
"""
_OK, _FAILED, _FIRST_SLOT = 1, 2, 3


def move(connection: Connection, moves: Moves) -> None:
    """Add to the gauges."""
    connection.run_many(
        _MOVE, [(endpoint, *(by_state.get(s, 0) for s in _STATES)) for endpoint, by_state in moves.items()]
    )


def count_accepted(connection: Connection, events: int, now_ms: int) -> None:
    """Count accepted events."""
    second = now_ms // 1000
    connection.run_many(_ADD_ACCEPTED, [(w, second - second % w, events) for w in (SECOND, MINUTE)])


class AttemptCounts:
    """Sums of one batch of ended attempts, so that it costs one upsert for each bucket and endpoint."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, int], list[int]] = {}
        """By endpoint and second; minutes and all endpoints together are made of them when they are written."""
        self._causes: dict[tuple[int, int, str], int] = defaultdict(int)
        self._successes: dict[int, int] = {}
        self._failures: dict[int, tuple[int, str, str]] = {}

    def add(
        self, *, endpoint: int, ended_at_ms: int, total_ms: float | None, cause: str | None, detail: str,
        elsewhere: bool = False,
    ) -> None:  # fmt: skip
        """Count one ended attempt.

        Args:
            total_ms: None: its duration is not known, and the histogram leaves it out.
            elsewhere: it went to another URL than the endpoint's, and says nothing of how that one does.
        """
        second = ended_at_ms // 1000
        counts = self._seconds.get((endpoint, second))
        if counts is None:
            counts = self._seconds[endpoint, second] = [0] * (_FIRST_SLOT + SLOTS)
        if total_ms is not None:
            counts[_FIRST_SLOT + slot_of(total_ms)] += 1
        if cause is None:
            counts[_OK] += 1
            if not elsewhere:
                self._successes[endpoint] = ended_at_ms
        else:
            counts[_FAILED] += 1
            self._causes[second - second % MINUTE, endpoint, cause] += 1
            if not elsewhere:
                self._failures[endpoint] = (ended_at_ms, cause, detail)

    def write(self, connection: Connection) -> None:
        """Add the sums to the store. The gauges' rows must exist."""
        connection.run_rows(_ADD_RATES, [(*key, *counts) for key, counts in self._rates().items()])
        connection.run_many(_ADD_CAUSES, [(*key, count) for key, count in self._causes.items()])
        connection.run_many(_LAST_SUCCESS, [(at, endpoint) for endpoint, at in self._successes.items()])
        connection.run_many(_LAST_FAILURE, [(*last, endpoint) for endpoint, last in self._failures.items()])

    def _rates(self) -> dict[tuple[int, int, int], list[int]]:
        """By width, bucket and endpoint."""
        rates: dict[tuple[int, int, int], list[int]] = {}
        for (endpoint, second), counts in self._seconds.items():
            for width in (SECOND, MINUTE):
                for whose in (endpoint, ALL_ENDPOINTS):
                    key = (width, second - second % width, whose)
                    known = rates.get(key)
                    rates[key] = [a + b for a, b in zip(known, counts, strict=True)] if known else counts
        return rates


def moves_between(changes: Iterable[tuple[int, str, str]]) -> Moves:
    """Gauge changes of (endpoint, state before, state after)."""
    moves: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for endpoint, before, after in changes:
        moves[endpoint][before] -= 1
        moves[endpoint][after] += 1
    return moves
