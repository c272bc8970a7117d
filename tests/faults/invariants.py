"""What must be true of a store after anything has been killed."""

from collections import Counter
from pathlib import Path

from console.domain.rates import MINUTE
from console.store import open_store
from tests.store import recount
from tests.store.recount import assert_gauges_agree, assert_rates_agree, read

_TORN = """
SELECT count(*) FROM attempts a JOIN deliveries d ON d.id = a.delivery
WHERE a.ended_at IS NULL AND NOT (d.state = 'sending' AND d.attempts = a.number)
"""
_UNTRIED = """
SELECT count(*) FROM deliveries d WHERE d.state = 'sending'
AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = d.id AND a.number = d.attempts AND a.ended_at IS NULL)
"""
_MISNUMBERED = """
SELECT count(*) FROM deliveries d WHERE d.attempts <> (SELECT count(*) FROM attempts a WHERE a.delivery = d.id)
OR d.attempts <> (SELECT coalesce(max(a.number), 0) FROM attempts a WHERE a.delivery = d.id)
"""
_UNENDED = "SELECT count(*) FROM attempts WHERE ended_at IS NULL"
_SUCCESSES = """
SELECT count(*) FROM deliveries d WHERE (d.state = 'delivered') <>
(SELECT count(*) = 1 FROM attempts a WHERE a.delivery = d.id AND a.ended_at IS NOT NULL AND a.cause IS NULL)
"""
_UNKNOWN = "SELECT count(*) FROM attempts WHERE cause = 'unknown_outcome'"
_UNEXPLAINED = "SELECT count(*) FROM deliveries WHERE state = 'failed' AND last_cause IS NULL"
_TRIES = """
SELECT e.id, p.url, count(a.id) FROM deliveries d JOIN events e ON e.seq = d.event
JOIN endpoints p ON p.seq = d.endpoint LEFT JOIN attempts a ON a.delivery = d.id GROUP BY d.id
"""
_STATES = """
SELECT e.id, p.name, d.state FROM events e LEFT JOIN deliveries d ON d.event = e.seq
LEFT JOIN endpoints p ON p.seq = d.endpoint
"""


def count(path: Path, sql: str) -> int:
    return int(read(path, sql)[0][0])


def posts(log: Path) -> list[tuple[str, str, int]]:
    """(event, path, status) of each POST that was received whole."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(event, path, int(status)) for event, path, status, _ in (line.split() for line in lines)]


def check_torn(path: Path, log: Path, *, rates: bool = True) -> None:
    """At any moment, an engine running or just killed: I2, I4, I5, and what the log says agrees with itself."""
    check_store(path, rates=rates)
    _check_posts(path, log)


def check_store(path: Path, *, rates: bool = True) -> None:
    """What the store alone can tell, at any moment: I4, I5, and that its log agrees with itself.

    Args:
        rates: also those by the second, which the engine keeps for a while only.
    """
    assert [row[0] for row in read(path, "PRAGMA integrity_check")] == ["ok"]
    assert read(path, "PRAGMA foreign_key_check") == []
    assert count(path, _TORN) == 0, "an attempt without an end belongs to a delivery that is being sent"
    assert count(path, _UNTRIED) == 0, "what is being sent has its attempt"
    assert count(path, _MISNUMBERED) == 0
    assert count(path, _SUCCESSES) == 0, "a delivered one has one success, and no other has any"
    assert count(path, _UNEXPLAINED) == 0
    store = open_store(path, read_only=True)
    try:
        assert_gauges_agree(store)
        if rates:
            assert_rates_agree(store)
    finally:
        store.close()


def check_counts(path: Path) -> None:
    """I4 for a store that has lived for days: what is kept for as long is as a recount says."""
    counted = recount._buckets(path, MINUTE)
    store = open_store(path, read_only=True)
    try:
        assert store.buckets(since_s=0, until_s=recount.FOREVER_S, width_s=MINUTE) == counted.get(None, [])
        for endpoint in store.endpoints():
            shown = store.buckets(since_s=0, until_s=recount.FOREVER_S, width_s=MINUTE, endpoint=endpoint.id)
            assert shown == counted.get(endpoint.id, [])
        assert store.causes(since_s=0, until_s=recount.FOREVER_S) == recount._causes(path)
    finally:
        store.close()


def check_settled(
    path: Path, log: Path, acknowledged: list[str], *, held: frozenset[str] = frozenset(), rates: bool = True
) -> None:
    """After a drain with nothing due: also I1. `held`: names of endpoints that are paused."""
    check_torn(path, log, rates=rates)
    check_counts(path)
    assert count(path, _UNENDED) == 0
    owed: dict[str, dict[str, str]] = {}
    for event, endpoint, state in read(path, _STATES):
        owed.setdefault(event, {})[endpoint] = state
    assert set(acknowledged) <= owed.keys(), "an acknowledged event is not in the store"
    names = {name for (name,) in read(path, "SELECT name FROM endpoints")}
    arrived = {(event, target) for event, target, status in posts(log) if status == 200}
    for event in acknowledged:
        assert owed[event].keys() == names
        for endpoint, state in owed[event].items():
            allowed = {"pending"} if endpoint in held else {"delivered", "failed"}
            assert state in allowed | ({"delivered"} if endpoint in held else set()), (event, endpoint, state)
            assert state != "delivered" or (event, f"/{endpoint}") in arrived


def unknown_outcomes(path: Path) -> int:
    return count(path, _UNKNOWN)


def attempts_by_target(path: Path) -> dict[tuple[str, str], int]:
    """How many attempt rows there are, by event and path of the endpoint's URL."""
    return {(event, "/" + url.rsplit("/", 1)[1]): tried for event, url, tried in read(path, _TRIES)}


def _check_posts(path: Path, log: Path) -> None:
    """I2. The receiver keeps its connections, so that no request is repeated over a stale one: no POST is excused."""
    tries = attempts_by_target(path)
    for target, received in Counter((event, path) for event, path, _ in posts(log)).items():
        assert received <= tries.get(target, 0), f"{target}: {received} POSTs, {tries.get(target, 0)} attempt rows"
