"""What can be wrong with a store: looked at, never mended."""

import time
from collections import Counter
from pathlib import Path

from console.domain.diagnosis import LogPin, Overdue, StoreFacts
from console.domain.errors import StoreError
from console.domain.rates import MINUTE
from console.store.sqlite.counting import ALL_ENDPOINTS
from console.store.sqlite.library import MAY_WRITE, sqlite3
from console.store.sqlite.retaining import RetainingQueries

MOST_LINES = 20
_LOOKS, _LOOK_S = 20, 0.05
_FIRST_READER, _LAST_READER = 124, 127
"""Bytes of the -shm file that a reader of one state of the log locks (https://www.sqlite.org/walformat.html)."""

_NEWEST = """
SELECT max((SELECT accepted_at FROM events ORDER BY seq DESC LIMIT 1),
  coalesce((SELECT started_at FROM attempts ORDER BY id DESC LIMIT 1), 0))
"""
_EVENT_SPAN = "SELECT coalesce((SELECT max(seq) FROM events) - (SELECT min(seq) FROM events) + 1, 0)"
_ACCEPTED = f"SELECT coalesce(sum(accepted), 0) FROM rates WHERE width = {MINUTE} AND bucket >= ? AND endpoint = ?"
_OVERDUE = """
SELECT name, due FROM (
  SELECT p.name, (SELECT min(next_attempt_at) FROM deliveries WHERE endpoint = p.seq AND state = 'pending') AS due
  FROM gauges g JOIN endpoints p ON p.seq = g.endpoint
  WHERE g.pending > 0 AND p.state = 'active' AND p.removed_at IS NULL)
ORDER BY due LIMIT 1
"""
_SENDING = """
SELECT count(*), min(a.started_at) FROM deliveries d
LEFT JOIN attempts a ON a.delivery = d.id AND a.number = d.attempts WHERE d.state = 'sending'
"""
_PENDING = "SELECT coalesce(sum(pending), 0) FROM gauges"
_STOPPED = """
SELECT name FROM endpoints WHERE state IN ('tripped', 'disabled') AND removed_at IS NULL ORDER BY state_since LIMIT 5
"""
_RECOUNT = """
SELECT p.name, s.value, coalesce(n, 0), CASE s.value WHEN 'pending' THEN g.pending WHEN 'sending' THEN g.sending
  WHEN 'delivered' THEN g.delivered WHEN 'failed' THEN g.failed ELSE g.cancelled END AS shown
FROM gauges g JOIN endpoints p ON p.seq = g.endpoint
CROSS JOIN json_each('["pending", "sending", "delivered", "failed", "cancelled"]') s
LEFT JOIN (SELECT endpoint, state, count(*) AS n FROM deliveries GROUP BY endpoint, state) c
  ON c.endpoint = g.endpoint AND c.state = s.value
WHERE coalesce(n, 0) <> shown ORDER BY p.name
"""


class ExaminingQueries(RetainingQueries):
    def facts(self, now_ms: int) -> StoreFacts:
        one = self._connection.value
        space = self.space()
        newest = one(_NEWEST)
        overdue = self._connection.row(_OVERDUE)
        sending, since = self._connection.rows(_SENDING)[0]
        day_ago_s = now_ms // 1000 - 24 * 3600
        return StoreFacts(
            space=space,
            newest_ms=newest or None,
            overdue=None if overdue is None or overdue[1] is None else Overdue(endpoint=overdue[0], due_ms=overdue[1]),
            sending=sending,
            sending_since_ms=since,
            pending=one(_PENDING),
            accepted_a_day=one(_ACCEPTED, (day_ago_s - day_ago_s % MINUTE, ALL_ENDPOINTS)),
            # What only came in takes room, too: where there is more of it, an event is taken for one of those.
            event_bytes=space.used_bytes // max(1, one(_EVENT_SPAN), space.requests),
            stopped=tuple(name for (name,) in self._connection.rows(_STOPPED)),
        )

    def damage(self, *, full: bool) -> list[str]:
        try:
            check = "integrity_check" if full else "quick_check"
            lines = self._texts(f"PRAGMA {check}({MOST_LINES})")
            if full:
                lines += self._broken_references() + self._wrong_counters()
            return lines
        except StoreError as error:
            return [str(error)]

    def _texts(self, sql: str) -> list[str]:
        return [" ".join(text.split()) for (text,) in self._connection.rows(sql) if text != "ok"]

    def _broken_references(self) -> list[str]:
        found = Counter((table, parent) for table, _, parent, _ in self._connection.rows("PRAGMA foreign_key_check"))
        return [f"{n:,} rows of {table} refer to {parent} that are not there" for (table, parent), n in found.items()]

    def _wrong_counters(self) -> list[str]:
        rows = self._connection.rows(_RECOUNT)
        return [f"{name}: {shown:,} {state} are shown and there are {n:,}" for name, state, n, shown in rows]

    @property
    def library(self) -> tuple[str, str, bool]:
        return sqlite3.__name__.partition(".")[0], sqlite3.sqlite_version, MAY_WRITE

    def log_pins(self) -> list[LogPin]:
        return pins_of(self.path.with_name(self.path.name + "-shm"))


def pins_of(shm: Path, locks: Path = Path("/proc/locks")) -> list[LogPin]:
    """Who kept one state of the log all the time it was looked at, but for this process; empty where no system says."""
    try:
        status = shm.stat()
    except OSError:
        return []
    device = f"{status.st_dev >> 8 & 0xFFF:02x}:{status.st_dev & 0xFF | status.st_dev >> 12 & 0xFFF00:02x}"
    always: Counter[int] = Counter()
    for _ in range(_LOOKS):
        readers = _readers(locks, f"{device}:{status.st_ino}")
        if not readers:
            return []
        always.update(readers)
        time.sleep(_LOOK_S)
    return [LogPin(pid=pid, command=_command(pid)) for pid, seen in always.items() if seen == _LOOKS]


def _readers(locks: Path, file: str) -> set[int]:
    try:
        lines = locks.read_text().splitlines()
    except OSError:
        return set()
    found: set[int] = set()
    for line in lines:
        fields = line.replace("->", "").split()
        if len(fields) == 8 and fields[5] == file and fields[3] == "READ" and fields[6].isdigit():
            first, last = int(fields[6]), int(fields[7]) if fields[7].isdigit() else int(fields[6])
            if first <= _LAST_READER and last >= _FIRST_READER:
                found.add(int(fields[4]))
    return found


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    return " ".join(word.decode("utf-8", "replace") for word in words if word)[:120] or "?"
