"""The search file: made, made anew, thrown away, damaged, behind; answers are right all the while."""

import math
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from console.domain.delivery import DeliveryState
from console.domain.errors import StoreError
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.domain.ids import EventId
from console.domain.retention import Cutoffs, Phase
from console.store import Store, open_store
from console.store.sqlite import indexing, shelves
from console.store.sqlite.library import sqlite3
from tests.factories import (
    NOW_MS,
    add_endpoint,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    make_exchange,
    start_engine,
)


def fill(
    store: Store, events: int, *, word: str = "plain", answer: bytes = b"thanks", epoch: int | None = None
) -> None:
    """So many events, delivered; the seventh of them says `word`."""
    if not store.endpoints():
        add_endpoint(store)
    epoch = start_engine(store) if epoch is None else epoch
    said = [f'{{"says": "{word if i == 7 else "plain"}"}}'.encode() for i in range(events)]
    store.accept([make_event(payload=payload) for payload in said], NOW_MS)
    claimed = claim_all(store, epoch)
    exchange = make_exchange(response_body=answer)
    store.complete([make_completed(c, delivered(), exchange=exchange) for c in claimed], epoch=epoch)


def index(store: Store) -> None:
    while (piece := store.index_words()).more:
        if piece.stale_up_to is not None:
            store.settle_stale(piece.stale_up_to)


def found(store: Store, text: str) -> int:
    where = DeliveryFilter(texts=(text,))
    count = len(store.find_deliveries(where, limit=10_000, budget_ms=math.inf).rows)
    assert count == store.count_found(where, budget_ms=math.inf).total
    attempts = store.find_attempts(AttemptFilter(texts=(text,)), AttemptPage(limit=10_000), budget_ms=math.inf)
    assert len(attempts.rows) == count
    return count


def words_kept(store: Store) -> set[str]:
    assert store.search_file is not None
    with closing(sqlite3.connect(store.search_file)) as search:
        return {term for (term,) in search.execute("SELECT DISTINCT term FROM vocabulary")}


@pytest.fixture
def searched(store: Store) -> Store:
    store.begin_search()
    fill(store, 200, word="needle")
    index(store)
    return store


def test_the_file_is_its_owners_alone(searched: Store) -> None:
    assert searched.search_file is not None
    for path in searched.path.parent.glob("*-search*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_indexed_and_what_is_not_is_found(searched: Store) -> None:
    status = searched.search_status(NOW_MS)
    assert status is not None
    assert (status.indexed_event, status.newest_event, status.lag_s) == (191, 200, 0)
    fill(searched, 150, word="needle")
    status = searched.search_status(NOW_MS + 60_000)
    assert status is not None
    assert (status.lag_s, status.behind) == (60, 350 - 191 + 150)
    assert found(searched, "needle") == 2
    index(searched)
    assert found(searched, "needle") == 2
    assert found(searched, "thanks") == 350


def test_an_answer_that_came_late_is_found(searched: Store) -> None:
    """Its attempt was under way when the others of its number were indexed."""
    epoch = start_engine(searched)
    searched.accept([make_event()], NOW_MS)
    (slow,) = claim_all(searched, epoch)
    fill(searched, 100, epoch=epoch)
    index(searched)
    exchange = make_exchange(response_body=b"late words")
    assert searched.complete([make_completed(slow, failed(), exchange=exchange)], epoch=epoch)
    assert found(searched, "late words") == 1
    index(searched)
    assert "late" in words_kept(searched)
    assert found(searched, "late words") == 1


def test_a_file_that_is_deleted_is_made_anew(searched: Store) -> None:
    assert searched.search_file is not None
    for path in searched.path.parent.glob("*-search*"):
        path.unlink()
    assert found(searched, "needle") == 1
    index(searched)
    assert searched.search_file is not None
    assert "needle" in words_kept(searched)
    assert found(searched, "needle") == 1


@pytest.mark.parametrize("begin", [0, 4096])
def test_a_damaged_file_keeps_nobody_from_finding(searched: Store, begin: int) -> None:
    path = searched.search_file
    assert path is not None
    with closing(sqlite3.connect(path)) as search:
        search.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xa5" * (path.stat().st_size - begin))
    with closing(open_store(searched.path)) as store:
        assert found(store, "needle") == 1
        for _ in range(2):
            try:
                index(store)
            except StoreError:
                assert store.search_file is None
        assert found(store, "needle") == 1
        assert "needle" in words_kept(store)


def test_a_store_that_was_put_back_is_indexed_anew(searched: Store, tmp_path: Path) -> None:
    """The copy numbers other events as those that the file has seen were numbered."""
    copy = tmp_path / "copy.db"
    searched.back_up(copy, replace=False, progress=lambda done, total: None)
    fill(searched, 150)
    index(searched)
    searched.close()
    for name in ("", "-wal", "-shm"):
        Path(f"{searched.path}{name}").unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(searched.path)) as target:
        source.backup(target)
    with closing(open_store(searched.path)) as store:
        assert store.search_status(NOW_MS) is None
        fill(store, 300, word="other")
        assert store.search_status(NOW_MS) is None
        assert found(store, "other") == 1
        index(store)
        assert found(store, "other") == 1
        assert "other" in words_kept(store)


def test_a_copy_has_none_and_is_searched_all_the_same(searched: Store, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copy.db"
    copy.parent.mkdir()
    searched.back_up(copy, replace=False, progress=lambda done, total: None)
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"]
    with closing(open_store(copy, read_only=True)) as store:
        assert store.search_status(NOW_MS) is None
        assert found(store, "needle") == 1


def test_words_of_what_is_deleted_go(searched: Store) -> None:
    fill(searched, 10)
    old = [d.id for d in searched.deliveries(DeliveryFilter(), limit=1000)][-60:]
    cutoffs = Cutoffs(by_state=((DeliveryState.DELIVERED, NOW_MS + 10_000),), unwanted_ms=None, bodies_ms=None)
    assert "needle" in words_kept(searched)
    assert searched.drop_old(Phase.DELIVERIES, tuple(old), cutoffs).events == 60
    index(searched)
    assert "needle" not in words_kept(searched)
    assert found(searched, "plain") == 150
    bodies = tuple(range(1, 1000))
    searched.drop_old(Phase.BODIES, bodies, cutoffs)
    index(searched)
    assert "thanks" not in words_kept(searched)
    assert searched.index_words().stale_up_to is None


def test_without_a_file_nothing_is_noted(store: Store) -> None:
    fill(store, 80)
    cutoffs = Cutoffs(by_state=((DeliveryState.DELIVERED, NOW_MS + 10_000),), unwanted_ms=None, bodies_ms=None)
    assert store.drop_old(Phase.DELIVERIES, tuple(range(1, 80)), cutoffs).deliveries
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("SELECT count(*) FROM search_stale").fetchone() == (0,)


def test_one_that_is_not_wanted_is_removed(searched: Store) -> None:
    searched.end_search()
    assert list(searched.path.parent.glob("*-search*")) == []
    assert found(searched, "needle") == 1


def test_many_answers_for_one_shelf_become_one_row(searched: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "SHELF_ROWS", 4)
    monkeypatch.setattr(shelves, "SHELF_ROWS", 4)
    searched.end_search()
    searched.begin_search()
    add_endpoint(searched, name="again")
    for i in range(12):
        epoch = start_engine(searched)
        searched.accept([make_event()], NOW_MS)
        claimed = claim_all(searched, epoch)
        exchange = make_exchange(response_body=f"answer number{i}".encode())
        searched.complete([make_completed(c, delivered(), exchange=exchange) for c in claimed], epoch=epoch)
        index(searched)
    assert {f"number{i}" for i in range(12)} <= words_kept(searched)
    assert found(searched, "number3") == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from console.store import open_store
store = open_store(Path(sys.argv[1]), read_only=True)
for _ in range(int(sys.argv[2])):
    store.index_words()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_one_whose_writer_was_killed_goes_on(store: Store, pieces: int) -> None:
    store.begin_search()
    fill(store, 900, word="needle")
    subprocess.run([sys.executable, "-c", KILLED, str(store.path), str(pieces)], check=False)
    before = store.search_status(NOW_MS)
    assert before is not None
    assert 0 < before.indexed_event < 899
    assert found(store, "needle") == 1
    index(store)
    assert found(store, "needle") == 1
    assert found(store, "thanks") == 900


def test_an_event_that_nobody_wants_is_found(store: Store) -> None:
    store.begin_search()
    store.accept([make_event(id=EventId(f"evt-{i}"), payload=b'"alone"') for i in range(100)], NOW_MS)
    index(store)
    assert len(store.find_events(EventFilter(texts=("alone",)), limit=1000, budget_ms=math.inf).rows) == 100
