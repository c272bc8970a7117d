"""The log is put back into the store, and all of it once more when it is in doubt how much of it is there."""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from console.domain.errors import StoreError
from console.store import open_store
from console.store.sqlite import checkpointing, engine
from console.store.sqlite.base import Queries
from console.store.sqlite.checkpointing import checkpoint, write_all_again
from console.store.sqlite.store import SqliteStore
from tests.factories import NOW_MS, add_endpoint, make_event, start_engine
from tests.faults.invariants import check_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(_open(tmp_path / "store.db")) as store:
        add_endpoint(store)
        yield store


def _open(path: Path) -> SqliteStore:
    store = open_store(path)
    assert isinstance(store, SqliteStore)
    return store


def _accept(store: SqliteStore, count: int = 20) -> None:
    store.accept([make_event() for _ in range(count)], NOW_MS)


def _log(store: SqliteStore) -> tuple[int, int]:
    """How many pages it holds, and how many SQLite takes to be in the store."""
    _, pages, stored = store._connection.rows("PRAGMA wal_checkpoint(NOOP)")[0]
    return pages, stored


def _cut_short(store: SqliteStore, within: ExitStack) -> None:
    """Make a checkpoint that a reader cuts short."""
    _accept(store)
    reader = within.enter_context(closing(open_store(store.path, read_only=True)))
    assert isinstance(reader, Queries)
    reader._connection.raw.execute("BEGIN")
    reader.endpoints()
    _accept(store)
    checkpoint(store._connection, "PASSIVE")
    pages, stored = _log(store)
    assert 0 < stored < pages


def test_a_checkpoint_that_failed_makes_the_next_write_all(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    row = store._connection.row

    def failing(sql: str) -> object:
        if "wal_checkpoint" in sql:
            raise StoreError("the disk failed")
        return row(sql)

    with ExitStack() as stack:
        _cut_short(store, stack)
        monkeypatch.setattr(store._connection, "row", failing)
        monkeypatch.setattr(engine, "_CHECKPOINT_PAGES", 1)
        with pytest.raises(StoreError, match="the disk failed"):
            store.keep_log_short()
        assert _log(store)[1] == 0
        monkeypatch.undo()
    monkeypatch.setattr(engine, "_CHECKPOINT_PAGES", 1)
    store.keep_log_short()
    pages, stored = _log(store)
    assert pages == stored > 0
    _accept(store)
    check_store(store.path)


def test_while_another_process_checkpoints_the_count_is_left(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote would be overwritten. Until it can be seen to, nothing is put back over this connection."""

    def refuse(*_: object) -> None:
        raise BlockingIOError(11, "locked")

    with ExitStack() as stack:
        _cut_short(store, stack)
        before = _log(store)
        monkeypatch.setattr(fcntl, "lockf", refuse)
        monkeypatch.setattr(checkpointing, "LOCK_WAIT_S", 0.0)
        with pytest.raises(StoreError, match="cannot be put back"):
            write_all_again(store._connection)
        with pytest.raises(StoreError, match="cannot be put back"):
            checkpoint(store._connection, "PASSIVE")
        assert _log(store) == before
        monkeypatch.undo()
        checkpoint(store._connection, "PASSIVE")
        assert not store._connection.log_in_doubt


def test_others_read_and_write_while_all_is_written_again(store: SqliteStore) -> None:
    """A thread that accepts beside a connection that reads, and the count set back under both, again and again."""
    over = threading.Event()
    accepted: list[int] = []

    def produce() -> None:
        with closing(_open(store.path)) as producer:
            while not over.is_set():
                _accept(producer, 3)
                accepted.append(3)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        with closing(open_store(store.path, read_only=True)) as reader:
            for _ in range(100):
                write_all_again(store._connection)
                checkpoint(store._connection, "PASSIVE")
                reader.gauges()
    finally:
        over.set()
        thread.join()
    check_store(store.path)
    assert store._connection.value("SELECT count(*) FROM events") == sum(accepted)


def test_a_new_engine_writes_all_that_it_finds(store: SqliteStore) -> None:
    with ExitStack() as stack:
        _cut_short(store, stack)
        store.settle_log()
        assert _log(store)[1] > 0, "as far as the reader lets it"
    store.settle_log()
    assert _log(store) == (0, 0)
    start_engine(store)


def test_a_short_log_is_left_alone(store: SqliteStore) -> None:
    _accept(store)
    store.keep_log_short()
    pages, stored = _log(store)
    assert (pages > 0, stored) == (True, 0)
