"""A store with a long past, made straight by SQL."""

import time
from contextlib import closing
from pathlib import Path
from random import Random

from console.domain.delivery import DeliveryState
from console.domain.ids import new_endpoint_id
from console.domain.rates import MINUTE
from console.store import open_store
from console.store.sqlite.connection import Connection
from tests.factories import make_spec

ENDPOINTS = ("billing", "crm", "warehouse", "audit")
TYPES = ("invoice.paid", "invoice.voided", "lead.created", "user.updated")
RARE_TYPE, RARE_ENDPOINT = "account.closed", "rare"
DAYS = 30

_EVENTS = "INSERT INTO events VALUES (?, ?, ?, x'7b226964223a20343230307d', ?, 'cli', NULL)"
_DELIVERIES = """
INSERT INTO deliveries (id, event, endpoint, state, attempts, step, next_attempt_at, last_cause, last_status,
  last_attempt_at, created_at, updated_at) VALUES (?, ?, ?, ?, 1, 1, ?, ?, ?, ?, ?, ?)
"""
_ATTEMPTS = """
INSERT INTO attempts (id, delivery, endpoint, number, manual, started_at, ended_at, status, cause, detail, total_ms)
VALUES (?, ?, ?, 1, 0, ?, ?, ?, ?, ?, 3.0)
"""
_GAUGES = f"""
INSERT INTO gauges (endpoint, {", ".join(DeliveryState)})
SELECT endpoint, {", ".join(f"sum(state = '{state}')" for state in DeliveryState)} FROM deliveries GROUP BY endpoint
"""
_RATES = f"""
INSERT INTO rates (width, bucket, endpoint, ok, failed, h2)
SELECT {MINUTE}, ended_at / 60000 * 60, endpoint, sum(cause IS NULL), sum(cause IS NOT NULL), count(*)
FROM attempts GROUP BY 2, 3
UNION ALL SELECT {MINUTE}, ended_at / 60000 * 60, 0, sum(cause IS NULL), sum(cause IS NOT NULL), count(*)
FROM attempts GROUP BY 2
"""
_CAUSES = """
INSERT INTO causes SELECT ended_at / 60000 * 60, endpoint, cause, count(*) FROM attempts
WHERE cause IS NOT NULL GROUP BY 1, 2, 3
"""
_CHUNK = 50_000


def make_past(path: Path, attempts: int) -> None:
    """So many attempts over the last month, one for each of as many deliveries: one in 97 failed, one in 9,973 waits
    for a retry, as many are cancelled. A type and an endpoint of three ones each lie in the middle."""
    now = time.time_ns() // 1_000_000
    with closing(open_store(path)) as store:
        for name in (*ENDPOINTS, RARE_ENDPOINT):
            spec = make_spec(name=name, types=("past.*",))
            store.add_endpoint(new_endpoint_id(Random(name)), spec, now - DAYS * 24 * 3600_000)
    began, every_ms = now - DAYS * 24 * 3600_000, DAYS * 24 * 3600_000 / (attempts + 1)
    with closing(Connection(path, read_only=False)) as connection:
        connection.prepare()
        connection.run("PRAGMA synchronous=OFF")  # if the machine fails meanwhile it is made again
        connection.run("PRAGMA cache_size=-262144")
        for start in range(1, attempts + 1, _CHUNK):
            rows = [
                _row(i, round(began + i * every_ms), attempts, now)
                for i in range(start, min(start + _CHUNK, attempts + 1))
            ]
            with connection.transaction():
                connection.run_many(_EVENTS, [row[0] for row in rows])
                connection.run_many(_DELIVERIES, [row[1] for row in rows])
                connection.run_many(_ATTEMPTS, [row[2] for row in rows])
            connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
        with connection.transaction():
            for sql in (_GAUGES, _RATES, _CAUSES):
                connection.run(sql)
        connection.run("PRAGMA wal_checkpoint(TRUNCATE)")


def _row(i: int, at: int, attempts: int, now: int) -> tuple[tuple[object, ...], ...]:
    """An event, its delivery and its attempt."""
    rare = i // 3 == attempts // 6
    endpoint = len(ENDPOINTS) + 1 if rare else 1 + i % len(ENDPOINTS)
    type_ = RARE_TYPE if rare else TYPES[i // len(ENDPOINTS) % len(TYPES)]
    state, cause, status, due = "delivered", None, 200, None
    if i % 97 == 7:
        state, cause, status = "failed", ("http_5xx", "timeout_read", "http_4xx")[i // 97 % 3], 503
    elif i % 9973 == 1:
        state, cause, status, due = "pending", "dns", 503, now + 24 * 3600_000
    elif i % 9973 == 2:
        state = "cancelled"
    return (
        (i, f"evt_past{i:012}", type_, at),
        (i, i, endpoint, state, due, cause, status, at, at, at),
        (i, i, endpoint, at, at + 3, status, cause, None if cause is None else "HTTP 503"),
    )
