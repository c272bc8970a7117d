"""What is found in a store, whole or not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from console.domain.endpoint import EndpointState
from console.store import Store, open_store
from console.store.sqlite import examining
from console.store.sqlite.library import sqlite3
from tests.factories import NOW_MS, add_endpoint, attempt_all, claim_all, delivered, failed, make_event, start_engine


@contextmanager
def changed(path: Path) -> Iterator["sqlite3.Connection"]:
    """What no part of the product would do."""
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


@pytest.fixture
def lived_in(store: Store) -> Store:
    epoch = start_engine(store)
    add_endpoint(store)
    store.accept([make_event() for _ in range(10)], NOW_MS)
    attempt_all(store, epoch, delivered(), limit=5)
    attempt_all(store, epoch, failed(), limit=2)
    claim_all(store, epoch, limit=1)
    return store


def test_facts(lived_in: Store) -> None:
    tripped = add_endpoint(lived_in, name="off")
    lived_in.set_endpoint_state(tripped.id, EndpointState.TRIPPED, None, NOW_MS)
    facts = lived_in.facts(NOW_MS + 60_000)
    assert (facts.pending, facts.sending, facts.sending_since_ms, facts.newest_ms) == (2, 1, NOW_MS, NOW_MS)
    assert facts.overdue is not None
    assert (facts.overdue.endpoint, facts.overdue.due_ms) == ("crm", NOW_MS)
    assert facts.accepted_a_day == 10
    assert facts.event_bytes == facts.space.used_bytes // 10
    assert facts.stopped == ("off",)


def test_facts_of_an_empty_store(store: Store) -> None:
    facts = store.facts(NOW_MS)
    assert (facts.newest_ms, facts.overdue, facts.sending_since_ms, facts.growth_bytes_a_day) == (None, None, None, 0)


@pytest.mark.parametrize("full", [False, True])
def test_a_sound_store(lived_in: Store, full: bool) -> None:
    assert lived_in.damage(full=full) == []


def test_counters_that_are_wrong_are_found(lived_in: Store) -> None:
    with changed(lived_in.path) as connection:
        connection.execute("UPDATE gauges SET delivered = delivered + 3")
    assert lived_in.damage(full=False) == []
    assert lived_in.damage(full=True) == ["crm: 8 delivered are shown and there are 5"]


def test_rows_that_refer_to_nothing_are_found(lived_in: Store) -> None:
    with changed(lived_in.path) as connection:
        connection.execute("DELETE FROM events WHERE seq < 3")
    assert lived_in.damage(full=True) == ["2 rows of deliveries refer to events that are not there"]


@pytest.mark.parametrize("full", [False, True])
def test_a_page_with_other_bytes_is_found(lived_in: Store, full: bool) -> None:
    lived_in.accept([make_event(payload=b'"' + b"x" * 3000 + b'"') for _ in range(50)], NOW_MS)
    path = lived_in.path
    lived_in.close()
    with path.open("r+b") as file:
        # The pages that came last are of those events: what opening reads lies before them.
        file.seek(-16384, os.SEEK_END)
        file.write(b"\xa5" * 8192)
    with closing(open_store(path, read_only=True)) as store:
        lines = store.damage(full=full)
    assert lines
    assert all(line.isprintable() for line in lines)


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM events").fetchall()
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="this system does not say who locks what")
def test_who_pins_the_log_is_named(lived_in: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "_LOOK_S", 0.001)
    assert lived_in.log_pins() == []
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lived_in.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    try:
        (pin,) = lived_in.log_pins()
    finally:
        child.communicate("go\n", timeout=30)
    assert pin.pid == child.pid
    assert pin.command.startswith(f"{sys.executable} -c ")
    assert pin.pid != os.getpid()
    assert lived_in.log_pins() == []


def test_a_system_that_does_not_say_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "shm").touch()
    assert examining.pins_of(tmp_path / "shm", tmp_path / "locks") == []
    (tmp_path / "locks").write_text("garbage\n1: FLOCK ADVISORY WRITE 1 fe:00:1 0 EOF\n")
    assert examining.pins_of(tmp_path / "shm", tmp_path / "locks") == []
    assert examining.pins_of(tmp_path / "none", tmp_path / "locks") == []
