"""The oracle of the counters: everything counted again from the rows themselves."""

from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId
from console.domain.ordering import BLOCKED_AT_MS
from console.domain.outcome import Cause
from console.domain.rates import MINUTE, SECOND, SLOTS, Bucket, slot_of, total_of
from console.store.protocol import Store
from console.store.sqlite.library import sqlite3

FOREVER_S = 2**40

_DELIVERIES = "SELECT p.id, state_, count(*) FROM (SELECT endpoint AS e, state AS state_ FROM deliveries) \
JOIN endpoints p ON p.seq = e WHERE p.removed_at IS NULL GROUP BY p.id, state_"
_ATTEMPTS = "SELECT p.id, a.ended_at, a.total_ms, a.cause FROM attempts a JOIN endpoints p ON p.seq = a.endpoint \
WHERE a.ended_at IS NOT NULL"


def read(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows, over a connection that shares nothing with the code under test."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def _buckets(path: Path, width: int) -> dict[EndpointId | None, list[Bucket]]:
    """By endpoint, and of all together under None."""
    cells: dict[EndpointId | None, dict[int, list[Bucket]]] = defaultdict(lambda: defaultdict(list))
    nothing = (0,) * SLOTS
    for (accepted_at,) in read(path, "SELECT accepted_at FROM events"):
        start = accepted_at // 1000 // width * width
        cells[None][start].append(Bucket(start_s=start, accepted=1, ok=0, failed=0, histogram=nothing))
    for endpoint, ended_at, total_ms, cause in read(path, _ATTEMPTS):
        start = ended_at // 1000 // width * width
        slot = None if total_ms is None else slot_of(total_ms)
        one = Bucket(
            start_s=start,
            accepted=0,
            ok=int(cause is None),
            failed=int(cause is not None),
            histogram=tuple(int(i == slot) for i in range(SLOTS)),
        )
        cells[endpoint][start].append(one)
        cells[None][start].append(one)
    return {
        endpoint: [total_of(ones, start) for start, ones in sorted(by_start.items())]
        for endpoint, by_start in cells.items()
    }


def _causes(path: Path) -> dict[EndpointId, dict[Cause, int]]:
    found: dict[EndpointId, dict[Cause, int]] = defaultdict(Counter)
    for endpoint, _, _, cause in read(path, _ATTEMPTS):
        if cause is not None:
            found[endpoint][Cause(cause)] += 1
    return {endpoint: dict(counts) for endpoint, counts in found.items()}


def assert_gauges_agree(store: Store) -> None:
    """Each endpoint's gauge says what its deliveries say."""
    counted: dict[EndpointId, dict[str, int]] = {e.id: {} for e in store.endpoints()}
    for endpoint, state, count in read(store.path, _DELIVERIES):
        counted[endpoint][state] = count
    shown = {
        id_: {
            state: count
            for state in ("pending", "sending", "delivered", "failed", "cancelled")
            if (count := getattr(gauge, state))
        }
        for id_, gauge in store.gauges().items()
    }
    assert shown == counted


def assert_rates_agree(store: Store) -> None:
    """Buckets, totals and causes say what the attempts say."""
    for width in (SECOND, MINUTE):
        counted = _buckets(store.path, width)
        assert store.buckets(since_s=0, until_s=FOREVER_S, width_s=width) == counted.get(None, [])
        for endpoint in store.endpoints():
            shown = store.buckets(since_s=0, until_s=FOREVER_S, width_s=width, endpoint=endpoint.id)
            assert shown == counted.get(endpoint.id, [])
        totals = {id_: total_of(buckets, 0) for id_, buckets in counted.items() if id_ is not None}
        assert store.totals_by_endpoint(since_s=0, until_s=FOREVER_S, width_s=width) == totals
    assert store.causes(since_s=0, until_s=FOREVER_S) == _causes(store.path)


_LINED = """
SELECT endpoint, order_key, id, state, next_attempt_at FROM deliveries
WHERE order_key IS NOT NULL AND state IN ('pending', 'sending', 'failed') ORDER BY id
"""
_BLOCKED_ALONE = f"SELECT id FROM deliveries WHERE next_attempt_at = {BLOCKED_AT_MS} AND order_key IS NULL"


def assert_lines_stand(store: Store) -> None:
    """Exactly the head of each line is not blocked, and not even that while another of it is on the wire."""
    lines: dict[tuple[int, str], list[tuple[int, str, int | None]]] = defaultdict(list)
    for endpoint, key, *delivery in read(store.path, _LINED):
        lines[endpoint, key].append((delivery[0], delivery[1], delivery[2]))
    for line, members in lines.items():
        sending = any(state == "sending" for _, state, _ in members)
        for place, (id_, state, due) in enumerate(members):
            if state == "pending":
                assert (due == BLOCKED_AT_MS) == (place > 0 or sending), (line, id_, members)
    assert not read(store.path, _BLOCKED_ALONE), "nobody waits outside of a line"


_GROUPED = """
SELECT d.id, f.endpoint, f.cause, f.status, d.endpoint, d.last_cause, coalesce(d.last_status, 0)
FROM deliveries d LEFT JOIN failure_groups f ON f.id = d.failure_group
WHERE d.last_cause IS NOT NULL AND d.state IN ('pending', 'sending', 'failed')
"""
_GROUP_COUNTS = """
SELECT failure_group, count(*), max(id) FROM deliveries NOT INDEXED
WHERE last_cause IS NOT NULL AND state IN ('pending', 'sending', 'failed') GROUP BY failure_group
"""
_FAILED_BY_MINUTE = """
SELECT endpoint, cause, coalesce(status, 0), ended_at / 60000 * 60, count(*) FROM attempts
WHERE cause IS NOT NULL AND ended_at IS NOT NULL GROUP BY 1, 2, 3, 4
"""
_GROUPED_BY_MINUTE = """
SELECT endpoint, cause, status, bucket, sum(count) FROM group_rates JOIN failure_groups f ON f.id = failure_group
GROUP BY 1, 2, 3, 4
"""


def assert_groups_agree(store: Store) -> None:
    """Each troubled delivery is in a group of its endpoint, cause and status, and groups count what is theirs."""
    for id_, *both in read(store.path, _GROUPED):
        assert both[:3] == both[3:], id_
    shown = {(group.id, group.deliveries, group.newest) for group in store.failure_groups(DeliveryFilter())}
    assert shown == {tuple(row) for row in read(store.path, _GROUP_COUNTS)}
    assert sorted(read(store.path, _GROUPED_BY_MINUTE)) == sorted(read(store.path, _FAILED_BY_MINUTE))
