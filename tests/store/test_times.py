"""Times as bounds of ids: exact whatever the clock did."""

from pathlib import Path
from random import Random

import pytest

from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.store import Store, open_store
from console.store.sqlite.times import ROOM_MS
from tests.factories import NOW_MS, add_endpoint, attempt_all, delivered, make_event, start_engine

HOUR_MS = 3600_000


def moments(kind: str, random: Random) -> list[int]:
    """When events are accepted, in the order in which they are."""
    at, found = NOW_MS, []
    for _ in range(60):
        at += random.randrange(5_000)
        late = random.randrange(ROOM_MS // 2) if kind == "late writers" else 0
        if kind == "set back" and random.random() < 0.1:
            at -= random.randrange(5 * HOUR_MS)
        found.append(at - late)
    return found


def fill(store: Store, times: list[int]) -> None:
    """An event, its delivery and its attempt at each of the times."""
    add_endpoint(store)
    epoch = start_engine(store)
    for at in times:
        store.accept([make_event()], at)
        attempt_all(store, epoch, delivered(), now_ms=at + ROOM_MS // 2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["steady", "late writers", "set back"])
def test_a_stretch_of_time_has_all_that_is_of_it(store_path: Path, kind: str, seed: int) -> None:
    random = Random(f"{kind} {seed}")
    times = moments(kind, random)
    store = open_store(store_path)
    fill(store, times)
    events = store.events(EventFilter(), limit=1000)
    deliveries = store.deliveries(DeliveryFilter(), limit=1000)
    attempts = store.attempts(AttemptFilter(), AttemptPage(limit=1000))
    for _ in range(40):
        since, until = sorted(random.choice(times) + random.randrange(-ROOM_MS, ROOM_MS) for _ in range(2))
        assert store.events(EventFilter(since_ms=since, until_ms=until), limit=1000) == [
            e for e in events if since <= e.accepted_at_ms < until
        ]
        assert store.deliveries(DeliveryFilter(since_ms=since, until_ms=until), limit=1000) == [
            d for d in deliveries if since <= d.created_at_ms < until
        ]
        assert store.attempts(AttemptFilter(since_ms=since, until_ms=until), AttemptPage(limit=1000)) == [
            a for a in attempts if since <= a.started_at_ms < until
        ]
    store.close()


def test_a_pattern_of_types_with_a_stretch_of_time(store_path: Path) -> None:
    store = open_store(store_path)
    add_endpoint(store)
    for i in range(300):
        store.accept([make_event(type=("invoice.paid", "lead.created")[i % 2])], NOW_MS + i * 60_000)
    since, until = NOW_MS + 100 * 60_000, NOW_MS + 110 * 60_000
    where = DeliveryFilter(type_pattern="lead.*", since_ms=since, until_ms=until)
    found = [(d.created_at_ms - NOW_MS) // 60_000 for d in store.deliveries(where, limit=50)]
    assert found == [109, 107, 105, 103, 101]
    page = store.deliveries(where, limit=2)
    assert [d.id for d in store.deliveries(where, limit=2, before=page[-1].id)] == [106, 104]
    store.close()
