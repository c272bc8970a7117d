"""What a long line costs: moving it on, joining it and leaving it take the same work however many wait in it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.policy import Ordering
from console.store.sqlite.connection import Connection
from console.store.sqlite.opening import open_sqlite_store
from console.store.sqlite.store import SqliteStore
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    cancel_matching,
    delivered,
    make_event,
    retry_matching,
    start_engine,
)

WAITING = 30_000
FEW = 15_000
"""Instructions of SQLite's virtual machine; a look at each of those that wait takes at least 90,000."""


@pytest.fixture(scope="module")
def lined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqliteStore, Connection, int]]:
    path: Path = tmp_path_factory.mktemp("line") / "store.db"
    open_sqlite_store(path, read_only=False, create=True).close()
    connection = Connection(path, read_only=False)
    connection.prepare()
    with closing(SqliteStore(connection)) as store:
        add_endpoint(store, policy={"ordering": Ordering.FIFO})
        epoch = start_engine(store)
        for _ in range(WAITING // 5000):
            store.accept([make_event()] * 5000, NOW_MS)
        yield store, connection, epoch


def work_of(connection: Connection, call: Callable[[], object]) -> int:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.raw.set_progress_handler(step, 100)
    try:
        call()
    finally:
        connection.raw.set_progress_handler(None, 0)
    return steps * 100


@pytest.mark.parametrize("name", ["next", "accept", "skip the head", "skip one within", "retry one within"])
def test_a_long_line_costs_what_a_short_one_does(lined: tuple[SqliteStore, Connection, int], name: str) -> None:
    store, connection, epoch = lined
    pending = store.deliveries(DeliveryFilter(states=(DeliveryState.PENDING,)), limit=WAITING)
    one, within = DeliveryFilter(ids=(pending[-1].id,)), DeliveryFilter(ids=(pending[50].id,))
    acts: dict[str, Callable[[], object]] = {
        "next": lambda: attempt_all(store, epoch, delivered(), now_ms=NOW_MS),
        "accept": lambda: store.accept([make_event()], NOW_MS),
        "skip the head": lambda: cancel_matching(store, one),
        "skip one within": lambda: cancel_matching(store, within),
        "retry one within": lambda: retry_matching(store, within),
    }
    assert work_of(connection, acts[name]) < FEW
