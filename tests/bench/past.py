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

_EVENTS = "INSERT INTO events (seq, id, type, payload, accepted_at, source) VALUES (?, ?, ?, CAST(? AS BLOB), ?, 'cli')"
_DELIVERIES = """
INSERT INTO deliveries (id, event, endpoint, state, attempts, step, next_attempt_at, last_cause, last_status,
  last_attempt_at, created_at, updated_at, failure_group) VALUES (?, ?, ?, ?, 1, 1, ?, ?, ?, ?, ?, ?, ?)
"""
_ATTEMPTS = """
INSERT INTO attempts (id, delivery, endpoint, number, manual, started_at, ended_at, status, cause, detail, total_ms)
VALUES (?, ?, ?, 1, 0, ?, ?, ?, ?, ?, 3.0)
"""
_EXCHANGES = """
INSERT INTO exchanges (attempt, url, request_headers, response_headers, response_body, truncated, remote_address)
VALUES (?, 'http://127.0.0.1:9/', '[]', '[]', CAST(? AS BLOB), 0, '127.0.0.1:9')
"""
_GROUPS = """
INSERT INTO failure_groups SELECT failure_group, endpoint, last_cause, coalesce(last_status, 0), failure_group,
  last_cause, min(last_attempt_at), max(last_attempt_at), max(id)
FROM deliveries WHERE failure_group IS NOT NULL GROUP BY failure_group
"""
_GROUP_RATES = """
INSERT INTO group_rates SELECT failure_group, last_attempt_at / 60000 * 60, count(*)
FROM deliveries WHERE failure_group IS NOT NULL GROUP BY 1, 2
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
_CAUSES_OF_FAILURE = (("http_5xx", 503), ("timeout_read", None), ("http_4xx", 402), ("dns", None))


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
                connection.run_many(_EXCHANGES, [row[3] for row in rows if row[3][1] is not None])
            connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
        with connection.transaction():
            for sql in (_GAUGES, _RATES, _CAUSES, _GROUPS, _GROUP_RATES):
                connection.run(sql)
        connection.run("PRAGMA wal_checkpoint(TRUNCATE)")


def _row(i: int, at: int, attempts: int, now: int) -> tuple[tuple[object, ...], ...]:
    """An event, its delivery, its attempt, and what came back if that failed."""
    rare = i // 3 == attempts // 6
    endpoint = len(ENDPOINTS) + 1 if rare else 1 + i % len(ENDPOINTS)
    type_ = RARE_TYPE if rare else TYPES[i // len(ENDPOINTS) % len(TYPES)]
    state, why, due = "delivered", None, None
    if i % 97 == 7:
        state, why = "failed", i // 97 % 3
    elif i % 9973 == 1:
        state, why, due = "pending", 3, now + 24 * 3600_000
    elif i % 9973 == 2:
        state = "cancelled"
    cause, status = (None, 200) if why is None else _CAUSES_OF_FAILURE[why]
    group = None if why is None else endpoint * len(_CAUSES_OF_FAILURE) + why
    payload = (
        f'{{"id": "in_{i * 2654435761 % 2**32:08x}", "customer": "cus_{i * 40503 % 65536}", "amount": {i % 9000}, '
        f'"currency": "eur", "lines": [{{"sku": "SKU-{i % 700}", "quantity": {1 + i % 5}}}], "note": "past {i}"}}'
    )
    body = {503: f"upstream gone, request {i}", 402: f'{{"error": "card declined", "code": {i % 40}}}'}.get(status or 0)
    return (
        (i, f"evt_past{i:012}", type_, payload, at),
        (i, i, endpoint, state, due, cause, status, at, at, at, group),
        (i, i, endpoint, at, at + 3, status, cause, None if cause is None else f"HTTP {status}" if status else cause),
        (i, body),
    )
