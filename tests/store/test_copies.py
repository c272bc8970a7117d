"""Copied stores are read where they lie, whatever is missing of them, and nothing is written beside them."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from console.domain.copy import Reading
from console.domain.errors import StoreError
from console.store import Store, copy_to_look_at, open_copied_store, open_store
from console.store.sqlite import copies
from tests.factories import NOW_MS, add_endpoint, make_event
from tests.store.test_upgrading import make_first

EVENTS = 40


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A store that nobody has open any more, but whose log is as an engine that was killed left it."""
    path = tmp_path / "origin" / "store.db"
    live = open_store(path)
    add_endpoint(live)
    live.accept([make_event() for _ in range(EVENTS)], NOW_MS)
    shutil.copytree(path.parent, tmp_path / "killed")
    live.close()
    return tmp_path / "killed" / "store.db"


def looked_at(path: Path, look: Callable[[Store], object] = lambda store: len(store.gauges())) -> object:
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}
    with copy_to_look_at(path) as copy, closing(open_copied_store(copy)) as store:
        seen = look(store)
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()} == before
    return seen


def pending(store: Store) -> int:
    return sum(gauge.pending for gauge in store.gauges().values())


def test_a_log_that_nobody_wrote_back_is_read_with_it(origin: Path) -> None:
    for suffix in ("", "-shm"):
        origin.with_name(f"store.db{suffix}").chmod(0o400)
    with copy_to_look_at(origin) as copy:
        assert (copy.reading, copy.opened, copy.notice) == (Reading.WITH_LOG, origin, None)
        assert copy.as_of_ms == NOW_MS
    assert looked_at(origin, pending) == EVENTS
    origin.with_name("store.db-shm").unlink()
    assert looked_at(origin, pending) == EVENTS, "its index is made anew in memory"


def test_several_read_it_side_by_side(origin: Path) -> None:
    with copy_to_look_at(origin) as copy:
        stores = [open_copied_store(copy) for _ in range(3)]
        assert [pending(store) for store in stores] == [EVENTS] * 3
        for store in stores:
            store.close()


def test_a_backup_needs_nothing_beside_it(origin: Path, tmp_path: Path) -> None:
    with closing(open_store(origin)) as store:
        (tmp_path / "backups").mkdir()
        store.back_up(tmp_path / "backups" / "b.db", replace=False, progress=lambda _done, _all: None)
    with copy_to_look_at(tmp_path / "backups" / "b.db") as copy:
        assert copy.reading is Reading.WHOLE
    assert looked_at(tmp_path / "backups" / "b.db", pending) == EVENTS


def test_nothing_can_be_written_to_it(origin: Path) -> None:
    with copy_to_look_at(origin) as copy, closing(open_copied_store(copy)) as store:
        assert store.read_only
        with pytest.raises(StoreError, match="read-only"):
            store.accept([make_event()], NOW_MS)


def test_an_older_schema_is_migrated_in_a_temporary_copy(tmp_path: Path) -> None:
    path = tmp_path / "old" / "store.db"
    path.parent.mkdir()
    make_first(path)
    with copy_to_look_at(path) as copy:
        assert copy.opened != path
        assert copy.notice is not None
        assert "schema (1)" in copy.notice
        opened = copy.opened
        with closing(open_copied_store(copy)) as store:
            assert len(store.operations(limit=9)) == 2
    assert not opened.exists(), "it is deleted in the end"
    assert looked_at(path, lambda store: len(store.operations(limit=9))) == 2


def test_one_that_is_too_large_to_be_migrated_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    make_first(path)
    monkeypatch.setattr(copies, "MIGRATED_MOST_BYTES", 10)
    with pytest.raises(StoreError, match="too large"), copy_to_look_at(path):
        pass


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "the copy is torn"),
        (lambda path: path.write_bytes(b"x" * 5000), "is no store"),
        (lambda path: path.write_bytes(b""), "no webhook-console store"),
        (lambda path: path.unlink(), "there is no such file"),
    ],
)
def test_what_is_no_whole_store_is_one_line(
    origin: Path, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    with closing(open_store(origin)) as store:
        store.back_up(tmp_path / "b.db", replace=False, progress=lambda _done, _all: None)
    damage(tmp_path / "b.db")
    with pytest.raises(StoreError, match=said) as refused, copy_to_look_at(tmp_path / "b.db"):
        pass
    assert "\n" not in str(refused.value)


def test_another_program_s_file_is_refused(tmp_path: Path) -> None:
    from console.store.sqlite.library import sqlite3

    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreError, match="no webhook-console store"), copy_to_look_at(path):
        pass
