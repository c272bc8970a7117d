"""A store that was fine, and then is not: each trouble is said in one line, and nothing is lost or changed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

from console.domain.errors import StoreError
from console.domain.filters import DeliveryFilter
from console.store import Store, open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.store import SqliteStore
from tests.factories import NOW_MS, make_event, start_engine
from tests.store import recount
from tests.store.opened import refused, run_python


def test_a_lock_that_another_process_holds(world_path: Path) -> None:
    with holding_the_lock(world_path), closing(impatient(world_path)) as store:
        assert len(store.endpoints()) == 3, "reading goes on"
        with refused(world_path, "locked by another process", "fuser"):
            store.accept([make_event()], NOW_MS)
        with refused(world_path, "locked by another process"):
            start_engine(store)
    with closing(impatient(world_path)) as store:
        store.accept([make_event()], NOW_MS)


def test_a_lock_is_waited_for(world_path: Path) -> None:
    code = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); \
c.execute('BEGIN IMMEDIATE'); print('held', flush=True); time.sleep(0.3); c.execute('COMMIT')"
    child = subprocess.Popen([sys.executable, "-c", code, str(world_path)], stdout=subprocess.PIPE, text=True)
    with child, closing(open_store(world_path)) as store:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert store.accept([make_event()], NOW_MS)


def test_a_damaged_page_is_reported_and_never_mended(world_path: Path) -> None:
    root = recount.read(world_path, "SELECT rootpage FROM sqlite_schema WHERE name = 'deliveries'")[0][0]
    size = recount.read(world_path, "PRAGMA page_size")[0][0]
    with world_path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * 64)
    before = world_path.read_bytes()
    with closing(open_store(world_path)) as store:
        with refused(world_path, "damaged", ".recover"):
            store.deliveries(DeliveryFilter(), limit=10)
        with refused(world_path, "damaged", ".recover"):
            store.accept([make_event()], NOW_MS)
        assert len(store.endpoints()) == 3, "what is whole can be read"
    assert world_path.read_bytes() == before


def test_a_store_that_may_not_grow(world_path: Path) -> None:
    with closing(Connection(world_path, read_only=False)) as connection:
        connection.prepare()
        connection.run(f"PRAGMA max_page_count={connection.value('PRAGMA page_count')}")
        store: Store = SqliteStore(connection)
        before = len(store.deliveries(DeliveryFilter(), limit=1000))
        with refused(world_path, "disk is full", "free space"):
            store.accept([make_event(payload=bytes(100_000))], NOW_MS)
        with refused(world_path, "disk is full"), store.transaction():
            store.accept([make_event(payload=bytes(100_000))], NOW_MS)
        assert len(store.deliveries(DeliveryFilter(), limit=1000)) == before
        connection.run("PRAGMA max_page_count=1000000")
        store.accept([make_event(payload=bytes(100_000))], NOW_MS)
        recount.assert_gauges_agree(store)


def test_a_file_system_that_takes_no_more(world_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from console.store import open_store
from console.domain.errors import StoreError
from tests.factories import NOW_MS, make_event
store = open_store(Path(sys.argv[1]))
accepted = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    for _ in range(100):
        store.accept([make_event(payload=bytes(20_000))], NOW_MS)
        accepted += 1
except StoreError as error:
    print(accepted)
    print(error)
"""
    done = run_python(code, world_path)
    assert done.stderr == ""
    accepted, text = done.stdout.splitlines()
    assert text.startswith(f"{world_path}: the disk ")
    kept = recount.read(world_path, "SELECT count(*) FROM events WHERE length(payload) = 20000")
    assert kept == [(int(accepted),)], "what was accepted is there, and nothing else"
    assert recount.read(world_path, "PRAGMA integrity_check") == [("ok",)]


def test_a_store_object_belongs_to_its_thread(store_path: Path) -> None:
    caught: list[BaseException] = []

    def use(store: Store) -> None:
        try:
            store.endpoints()
        except StoreError as error:
            caught.append(error)

    with closing(open_store(store_path)) as store:
        thread = Thread(target=use, args=(store,))
        thread.start()
        thread.join()
    assert len(caught) == 1


def impatient(path: Path) -> Store:
    """A store that does not wait for locks."""
    connection = Connection(path, read_only=False, lock_wait_s=0.05)
    connection.prepare()
    return SqliteStore(connection)


@contextmanager
def holding_the_lock(path: Path) -> Iterator[None]:
    """Another process is in the middle of writing."""
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); \
c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.readline(); c.execute('ROLLBACK')"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield
        finally:
            child.stdin.write("\n")
            child.stdin.close()
