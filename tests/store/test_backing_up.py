"""A copy of the store made while it is written: whole, of one moment, and for its owner alone."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from console.domain.errors import InvalidInputError, StoreError
from console.domain.filters import EventFilter
from console.store import Store, open_store
from console.store.sqlite import backing_up
from tests.factories import NOW_MS, add_endpoint, attempt_all, delivered, make_event, start_engine
from tests.store import recount


@contextmanager
def written_meanwhile(path: Path) -> Iterator[list[int]]:
    """Another connection that accepts and delivers all the time; how many events it has so far."""
    stop, done = threading.Event(), [0]

    def write() -> None:
        with closing(open_store(path)) as store:
            epoch = start_engine(store)
            while not stop.is_set():
                store.accept([make_event(payload=b"[" + b"1," * 500 + b"1]") for _ in range(20)], NOW_MS)
                attempt_all(store, epoch, delivered())
                done[0] += 20

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def ignore(_done: int, _total: int) -> None:
    """Nobody watches."""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "copy.db"


def test_it_ends_and_is_whole_while_others_write(store: Store, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backing_up, "STEP_PAGES", 5)
    add_endpoint(store)
    store.accept([make_event(payload=b'"' + b"x" * 100_000 + b'"') for _ in range(40)], NOW_MS)
    with written_meanwhile(store.path) as written, closing(open_store(store.path, read_only=True)) as reader:
        while written[0] < 100:
            pass
        seen: list[tuple[int, int]] = []

        def watch(done: int, total: int) -> None:
            """Between two steps others write, or the test shows nothing."""
            seen.append((done, total))
            before = written[0]
            while len(seen) < 20 and written[0] == before:
                pass

        made = reader.back_up(target, replace=False, progress=watch)
    assert made.path == target
    assert made.wal_grew_bytes > 0
    assert len({total for _, total in seen}) == 1, "it never began again"
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    with closing(open_store(target, read_only=True)) as copy:
        recount.assert_gauges_agree(copy)
        recount.assert_rates_agree(copy)
        assert len(copy.events(EventFilter(), limit=10_000)) >= 140
    assert recount.read(target, "PRAGMA integrity_check") == [("ok",)]
    assert names(target.parent) == ["copy.db"], "one file, also after it was looked into"


def test_it_is_for_its_owner_alone(store: Store, target: Path) -> None:
    before = os.umask(0)
    try:
        store.back_up(target, replace=False, progress=ignore)
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_copy_is_a_store_that_can_be_served(store: Store, target: Path) -> None:
    add_endpoint(store)
    store.accept([make_event()], NOW_MS)
    store.back_up(target, replace=False, progress=ignore)
    with closing(open_store(target)) as copy:
        assert len(attempt_all(copy, start_engine(copy), delivered())) == 1


def test_a_file_that_is_there_is_kept_unless_told(store: Store, target: Path) -> None:
    target.write_bytes(b"precious")
    with pytest.raises(InvalidInputError, match="--force"):
        store.back_up(target, replace=False, progress=ignore)
    assert target.read_bytes() == b"precious"
    store.back_up(target, replace=True, progress=ignore)
    open_store(target, read_only=True).close()


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_the_store_itself_is_no_target(store: Store, suffix: str) -> None:
    store.accept([make_event()], NOW_MS)
    itself = store.path.with_name(store.path.name + suffix)
    with pytest.raises(InvalidInputError, match="the store itself"):
        store.back_up(itself, replace=True, progress=ignore)
    assert len(store.events(EventFilter(), limit=9)) == 1


def test_places_that_are_no_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is a folder"):
        store.back_up(tmp_path, replace=True, progress=ignore)
    with pytest.raises(InvalidInputError, match="no folder"):
        store.back_up(tmp_path / "a" / "b.db", replace=True, progress=ignore)


def test_a_copy_that_is_cut_short_leaves_nothing(store: Store, target: Path) -> None:
    def interrupted(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.back_up(target, replace=False, progress=interrupted)
    assert names(target.parent) == []
    store.accept([make_event()], NOW_MS)  # and the store is free again


def test_a_damaged_store_gives_no_copy(store: Store, target: Path) -> None:
    store.accept([make_event(payload=b"[" + b"1," * 2000 + b"1]") for _ in range(50)], NOW_MS)
    path = store.path
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4096 * 3 // 4 * 4096)  # among the payloads
        file.write(b"\xff" * 8192)
    with (
        closing(open_store(path, read_only=True)) as damaged,
        pytest.raises(StoreError, match=r"damaged|malformed") as error,
    ):
        damaged.back_up(target, replace=False, progress=ignore)
    assert "\n" not in str(error.value)
    assert names(target.parent) == []


def test_a_full_disk_is_said_before_anything_is_copied(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "_SPARE_BYTES", 2**60)
    with pytest.raises(StoreError, match="free space"):
        store.back_up(target, replace=False, progress=ignore)
    assert names(target.parent) == []
