"""The live feed over a real store: what it hands over, what it skips, and what it says of trouble."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.domain.delivery import Attempt
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId
from console.domain.outcome import Cause
from console.domain.passing import Passed
from console.domain.rates import WINDOWS
from console.domain.work import ClaimOrder
from console.store import Store
from console.store.sqlite.reading import ReadingQueries
from console.ui.live import BUSY_ABOVE, ROWS_AT_ONCE, LiveFeed, Snapshot, _Reader, _Wish, read_rates
from console.ui.widgets.attempt_tail import KEPT, Folded, TailModel
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_completed, make_event, start_engine
from tests.ui.conftest import MovableClock


class Listener:
    """Waits for what a feed says."""

    def __init__(self, path: Path, clock: MovableClock) -> None:
        self.told = threading.Semaphore(0)
        self.calls = 0
        self.attempts: list[Attempt] = []
        self.skipped = 0
        self.passed: list[Passed] = []
        self.snapshot: Snapshot | None = None
        self.trouble: str | None = None
        self.feed = LiveFeed(path, clock=clock, window=WINDOWS[0], changed=self._changed)

    def _changed(self) -> None:
        self.calls += 1
        self.told.release()

    def until(self, condition: Callable[[], Any]) -> None:
        """Take what comes until the condition holds."""
        for _ in range(100):
            if condition():
                return
            assert self.told.acquire(timeout=10), "the feed says nothing"
            taken = self.feed.take()
            self.attempts += taken.attempts
            self.skipped += taken.skipped
            self.passed += taken.passed
            self.snapshot, self.trouble = taken.snapshot or self.snapshot, taken.trouble
        raise AssertionError("never")


@pytest.fixture
def listener(store: Store, store_path: Path, clock: MovableClock) -> Iterator[Listener]:
    listener = Listener(store_path, clock)
    listener.feed.start()
    yield listener
    listener.feed.stop()
    listener.feed.join(10)
    assert not listener.feed.is_alive()


def test_hands_over_how_things_stand(store: Store, clock: MovableClock, listener: Listener) -> None:
    endpoint = add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    store.accept([make_event() for _ in range(4)], clock.now_ms())
    attempt_all(store, epoch, delivered(), now_ms=clock.now_ms(), limit=3)
    listener.until(lambda: listener.snapshot and listener.snapshot.rates.total.ok == 3)
    snapshot = listener.snapshot
    assert snapshot is not None
    assert [e.name for e in snapshot.endpoints] == ["crm"]
    assert (snapshot.pending, snapshot.in_flight) == (1, 0)
    assert snapshot.rates.by_endpoint[endpoint.id].ok == 3
    assert snapshot.engine is not None
    assert snapshot.engine.pid == 4242
    assert [a.status for a in listener.attempts if a.ended_at_ms] == [200] * 3


def test_an_attempt_under_way_is_handed_over_again_when_it_ends(
    store: Store, clock: MovableClock, listener: Listener
) -> None:
    endpoint = add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    store.accept([make_event()], clock.now_ms())
    claimed = store.claim([ClaimOrder(endpoint_seq=endpoint.seq, limit=1)], epoch=epoch, now_ms=clock.now_ms())
    listener.until(lambda: listener.attempts)
    assert listener.attempts[0].ended_at_ms is None
    store.complete([make_completed(claimed[0], failed(), now_ms=clock.now_ms())], epoch=epoch)
    listener.until(lambda: listener.attempts[-1].ended_at_ms is not None)
    assert [a.id for a in listener.attempts] == [claimed[0].attempt_id] * 2
    assert listener.attempts[-1].cause is Cause.HTTP_4XX


def burst_of(store: Store, clock: MovableClock, epoch: int, count: int, verdict: Any = None) -> None:
    store.accept([make_event() for _ in range(count)], clock.now_ms())
    with store.transaction():
        attempt_all(store, epoch, verdict or delivered(), now_ms=clock.now_ms(), limit=count)


def test_of_a_flood_failures_are_rows_and_successes_are_counted(
    store: Store, clock: MovableClock, listener: Listener
) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    burst_of(store, clock, epoch, 1)
    listener.until(lambda: listener.attempts)
    with store.transaction():
        burst_of(store, clock, epoch, 300)
        burst_of(store, clock, epoch, 3, failed())
    listener.until(lambda: sum(part.count for part in listener.passed) == 300)
    assert listener.skipped == 0
    assert [a.cause for a in listener.attempts[1:]] == [Cause.HTTP_4XX] * 3
    assert {part.endpoint_name for part in listener.passed} == {"crm"}


def test_what_was_under_way_in_a_flood_is_counted_when_it_ends_and_a_row_when_it_fails(
    store: Store, clock: MovableClock
) -> None:
    endpoint = add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    reader, wish = _Reader(store, clock), _Wish(window=WINDOWS[0], focus=None)
    reader.read(wish)
    many = BUSY_ABOVE + 10
    store.accept([make_event() for _ in range(many)], clock.now_ms())
    claimed = store.claim([ClaimOrder(endpoint_seq=endpoint.seq, limit=many)], epoch=epoch, now_ms=clock.now_ms())
    assert reader.read(wish)[1].attempts == []
    ends = [delivered()] * (many - 1) + [failed()]
    store.complete(
        [make_completed(c, end, now_ms=clock.now_ms()) for c, end in zip(claimed, ends, strict=True)], epoch=epoch
    )
    news = reader.read(wish)[1]
    assert [attempt.id for attempt in news.attempts] == [claimed[-1].attempt_id]
    assert sum(part.count for part in news.passed) == many - 1
    assert reader.read(wish)[1] == type(news)(attempts=[], passed=[]), "each once"


def test_who_filters_gets_all_of_a_flood(store: Store, clock: MovableClock) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    reader, wish = _Reader(store, clock), _Wish(window=WINDOWS[0], focus=None, whole=True)
    reader.read(wish)
    burst_of(store, clock, epoch, ROWS_AT_ONCE + 7)
    news = reader.read(wish)[1]
    assert (len(news.attempts), len(news.passed), news.skipped) == (ROWS_AT_ONCE, 0, 7)


def test_tells_once_until_it_is_taken(store: Store, store_path: Path, clock: MovableClock) -> None:
    listener = Listener(store_path, clock)
    reads = threading.Semaphore(0)
    read = ReadingQueries.engine_status

    def counting(self: Any) -> Any:
        reads.release()
        return read(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReadingQueries, "engine_status", counting)
        listener.feed.start()
        for seed in range(3):
            add_endpoint(store, name=f"e{seed}", now_ms=clock.now_ms())
            assert reads.acquire(timeout=10)
        listener.feed.stop()
        listener.feed.join(10)
    assert listener.calls == 1
    taken = listener.feed.take()
    assert taken.snapshot is not None


def test_a_flood_is_read_less_often(store: Store, clock: MovableClock) -> None:
    reader, wish = _Reader(store, clock), _Wish(window=WINDOWS[0], focus=None)
    add_endpoint(store)
    epoch = start_engine(store)

    def looked_again_after(seconds: float, attempts: int) -> bool:
        """Whether a change is read so long after a read that found so many attempts."""
        store.accept([make_event() for _ in range(attempts)], clock.now_ms())
        attempt_all(store, epoch, delivered(), now_ms=clock.now_ms())
        reader.read(wish)
        reader._version = None
        clock.advance(seconds)
        return reader.has_news(wish, 0.2, 0.8)

    assert looked_again_after(0.3, BUSY_ABOVE)
    assert not looked_again_after(0.3, BUSY_ABOVE + 1)
    assert looked_again_after(0.9, BUSY_ABOVE + 1)


def test_looking_at_one_endpoint_narrows_all_of_it(store: Store, clock: MovableClock, listener: Listener) -> None:
    crm = add_endpoint(store, name="crm", types=("a",), now_ms=clock.now_ms())
    add_endpoint(store, name="other", types=("b",), now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    store.accept([make_event(type="a"), make_event(type="b"), make_event(type="b")], clock.now_ms())
    attempt_all(store, epoch, delivered(), now_ms=clock.now_ms())
    listener.until(lambda: len(listener.attempts) >= 3)
    listener.attempts.clear()
    generation = listener.feed.look_at(window=WINDOWS[1], focus=crm.id)
    listener.until(lambda: listener.snapshot and listener.snapshot.focus == crm.id)
    assert generation == 1
    assert listener.snapshot is not None
    assert listener.snapshot.rates.total.ok == 1
    assert listener.snapshot.rates.window is WINDOWS[1]
    assert {a.endpoint_name for a in listener.attempts} == {"crm"}


def test_a_store_that_went_is_trouble_and_not_the_end(tmp_path: Path, clock: MovableClock) -> None:
    listener = Listener(tmp_path / "none.db", clock)
    listener.feed.start()
    listener.until(lambda: listener.trouble)
    assert "none.db" in str(listener.trouble)
    listener.feed.stop()
    listener.feed.join(10)
    assert not listener.feed.is_alive()


def test_rates_agree_with_what_was_done(store: Store, clock: MovableClock) -> None:
    add_endpoint(store, now_ms=clock.now_ms())
    epoch = start_engine(store, now_ms=clock.now_ms())
    for verdict, count in ((delivered(), 6), (failed(), 2)):
        store.accept([make_event() for _ in range(count)], clock.now_ms())
        attempt_all(store, epoch, verdict, now_ms=clock.now_ms())
    clock.advance(1)  # they end some ms after they began, which may be in the next second
    for window in WINDOWS:
        rates = read_rates(store, window, None, clock.now_ms())
        assert (rates.total.ok, rates.total.failed) == (6, 2)
        assert window.length_s - window.width_s <= rates.elapsed_s <= window.length_s
        errors = [value for value in rates.series.errors if value is not None]
        assert max(errors) <= 1
        assert errors
        assert len(rates.series.errors) <= 72


# The tail's rows


def attempt(number: int, *, cause: Cause | None = None, ended: bool = True, endpoint: str = "crm") -> Attempt:
    return Attempt(
        id=AttemptId(number),
        delivery_id=DeliveryId(number),
        event_id=EventId(f"evt_{number}"),
        event_type="invoice.paid",
        endpoint_id=EndpointId("ep_1"),
        endpoint_name=endpoint,
        number=1,
        manual=False,
        started_at_ms=number,
        ended_at_ms=number + 5 if ended else None,
        status=None if cause or not ended else 200,
        cause=cause,
        detail=None,
        total_ms=5.0 if ended else None,
        first_byte_ms=None,
    )


def take(model: TailModel, attempts: list[Attempt], skipped: int = 0) -> int:
    return model.take(attempts, skipped=skipped, now_ms=0)


def rows_of(model: TailModel) -> list[int]:
    """Ids of attempts, and counts of what was folded as negative numbers."""
    return [-row.count if isinstance(row, Folded) else row.id for row in model.rows]


def test_a_slow_tail_shows_every_attempt_and_updates_it_in_place() -> None:
    model = TailModel()
    take(model, [attempt(1, ended=False)])
    assert take(model, [attempt(2)]) == 1
    assert take(model, [attempt(1)]) == 0
    assert [(row.id, row.succeeded) for row in model.rows if isinstance(row, Attempt)] == [(1, True), (2, True)]


def test_a_fast_tail_folds_successes_and_keeps_failures() -> None:
    model = TailModel()
    take(model, [attempt(1)])
    many = [attempt(number, cause=Cause.DNS if number == 50 else None) for number in range(2, 102)]
    take(model, many[:60])
    take(model, many[60:])
    assert rows_of(model) == [*range(1, 22), -79, 50]
    assert model.folded == 79
    take(model, [attempt(1_100)])
    assert rows_of(model)[-1] == 1_100, "slow again: a row again"


def test_twenty_a_second_are_rows_however_late_they_are_read() -> None:
    model = TailModel()
    take(model, [attempt(1)])
    take(model, [attempt(50 * n) for n in range(1, 401)])  # twenty seconds of a view that was paused
    assert rows_of(model) == [1, *range(50, 20_001, 50)]
    assert model.folded == 0


def test_history_is_not_too_fast_and_does_not_make_what_follows_so() -> None:
    model = TailModel()
    take(model, [attempt(n) for n in range(1, 400)])
    take(model, [attempt(401)])
    assert rows_of(model) == [*range(1, 400), 401]


def test_what_began_too_fast_is_counted_when_it_ends_and_a_row_when_it_fails() -> None:
    model = TailModel()
    take(model, [attempt(1)])
    take(model, [attempt(n, ended=False) for n in range(2, 32)])
    assert rows_of(model) == list(range(1, 22)), "under way, and nothing to say of it yet"
    take(model, [attempt(30, cause=Cause.DNS), attempt(31), attempt(29, endpoint="mail"), attempt(5)])
    assert rows_of(model) == [*range(1, 22), 30, -2]
    last = model.rows[-1]
    assert isinstance(last, Folded)
    assert last.endpoints == {"crm", "mail"}


def test_folded_attempts_are_found_by_a_filter() -> None:
    model = TailModel()
    take(model, [attempt(1, endpoint="other")])
    take(model, [attempt(n) for n in range(2, 100)])
    model.filter(lambda attempt: attempt.endpoint_name == "crm" and attempt.status == 200)
    assert len(model.rows) == 98
    model.filter(lambda attempt: False)
    assert model.rows == []


def test_what_was_skipped_is_a_row_and_rows_are_bounded() -> None:
    model = TailModel()
    take(model, [attempt(1)])
    take(model, [attempt(500)], skipped=498)
    assert isinstance(model.rows[1], Folded)
    assert (model.rows[1].count, model.rows[1].skipped) == (498, True)
    for start in range(1000, 1000 + 3 * KEPT, KEPT // 2):
        take(model, [attempt(start + n, cause=Cause.DNS) for n in range(KEPT // 2)])
    assert len(model.rows) <= KEPT
    last = model.rows[-1]
    take(model, [attempt(last.id)] if isinstance(last, Attempt) else [])
    assert model.rows[-1] != last, "an update finds its row after older ones were dropped"
