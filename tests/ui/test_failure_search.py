"""The list of failures while it is looked for, over a real store that is read one row at a time."""

import pytest

from console.domain.delivery import Delivery
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId
from console.domain.searching import SearchStatus
from console.store import Store
from console.ui import failure_search
from console.ui.failure_search import FailureSearch, Piece, index_words
from tests.factories import NOW_MS, add_endpoint, attempt_all, failed, make_event, retry_matching, start_engine

TROUBLED = DeliveryFilter(troubled=True)


@pytest.fixture
def epoch(store: Store) -> int:
    """Six failed deliveries, a second apart."""
    add_endpoint(store)
    epoch = start_engine(store)
    for number in range(6):
        fail(store, epoch, NOW_MS + number * 1000)
    return epoch


def fail(store: Store, epoch: int, now_ms: int) -> None:
    store.accept([make_event()], now_ms)
    attempt_all(store, epoch, failed(), now_ms=now_ms)


@pytest.fixture
def two_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    def piece(store: Store, where: DeliveryFilter, *, limit: int, before: DeliveryId | None) -> Piece:
        rows = tuple(store.deliveries(where, limit=min(limit, 2), before=before))
        return Piece(rows=rows, reached=rows[-1].id if rows else 0, done=len(rows) < 2, at_ms=None)

    monkeypatch.setattr(failure_search, "_piece", piece)


def ids(rows: list[Delivery]) -> list[int]:
    return [row.id for row in rows]


def search_all(store: Store, search: FailureSearch) -> None:
    search.take_top(search.begin(10, from_top=True)(store))
    while search.goes_on(10):
        search.take_more(search.go_on(10 - len(search.rows))(store))


@pytest.mark.usefixtures("two_a_piece")
def test_a_look_at_the_newest_keeps_what_is_further_down(store: Store, epoch: int) -> None:
    search = FailureSearch(TROUBLED)
    search_all(store, search)
    assert ids(search.rows) == [6, 5, 4, 3, 2, 1]
    assert search.done
    fail(store, epoch, NOW_MS + 7000)
    retried = DeliveryFilter(ids=(DeliveryId(2), DeliveryId(6)))
    retry_matching(store, retried)
    search.take_top(search.begin(10, from_top=True)(store))
    expected = store.deliveries(TROUBLED, limit=10)
    assert ids(search.rows) == ids(expected)
    assert {row.id: row.state for row in search.rows} == {row.id: row.state for row in expected}, "all as they are now"


@pytest.mark.usefixtures("two_a_piece")
def test_what_no_longer_matches_further_down_goes(store: Store, epoch: int) -> None:
    failed_only = DeliveryFilter(states=(store.delivery(DeliveryId(1)).state,))
    search = FailureSearch(failed_only)
    search_all(store, search)
    retry_matching(store, DeliveryFilter(ids=(DeliveryId(2), DeliveryId(6))))
    search.take_top(search.begin(10, from_top=True)(store))
    assert ids(search.rows) == [5, 4, 3, 1]


def test_away_from_the_top_rows_stay_and_newer_ones_are_told_of(store: Store, epoch: int) -> None:
    search = FailureSearch(TROUBLED)
    search_all(store, search)
    fail(store, epoch, NOW_MS + 7000)
    piece = search.begin(10, from_top=False)(store)
    search.take_top(piece)
    assert ids(search.rows) == [6, 5, 4, 3, 2, 1]
    assert piece.newest == 7


def test_a_time_that_counts_from_now_moves_on_without_a_new_search(store: Store, epoch: int) -> None:
    search = FailureSearch(DeliveryFilter(troubled=True, since_ms=NOW_MS))
    search_all(store, search)
    assert search.moved_on(DeliveryFilter(troubled=True, since_ms=NOW_MS + 2000))
    assert ids(search.rows) == [6, 5, 4, 3]
    assert not search.moved_on(DeliveryFilter(troubled=True, since_ms=NOW_MS)), "what went is not there any more"
    assert not search.moved_on(DeliveryFilter(since_ms=NOW_MS + 3000))


def test_an_index_that_is_behind_is_said() -> None:
    def status(lag_s: float) -> SearchStatus:
        return SearchStatus(indexed_event=1, newest_event=9, indexed_attempt=1, newest_attempt=9, lag_s=lag_s)

    assert index_words(status(2)) == ""
    assert "up to 5m ago" in index_words(status(300))
    assert "no index" in index_words(None)
