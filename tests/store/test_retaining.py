"""What retention deletes, what it never does, and what is counted afterwards."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from console.domain.clock import ManualClock
from console.domain.delivery import DeliveryState
from console.domain.errors import InvalidInputError
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.domain.ids import EventId
from console.domain.inbound import InboxFilter, RequestId
from console.domain.operation import OperationKind
from console.domain.policy import Ordering
from console.domain.rates import MINUTE, SECOND
from console.domain.retention import DAY_S, Dropped, Found, Phase, Retention, cutoffs
from console.domain.source import SourceKind
from console.operations import retention as acts
from console.store import Store, open_store
from console.store.sqlite import retaining
from tests.factories import (
    NOW_MS,
    add_endpoint,
    add_source,
    attempt_all,
    claim_all,
    delivered,
    failed,
    make_arrival,
    make_completed,
    make_event,
    retry,
    start_engine,
)
from tests.store import recount

DAY_MS = 24 * 3600 * 1000
NOTHING = Retention(delivered_s=0, failed_s=0, cancelled_s=0, inbox_s=0)


def run(store: Store, retention: Retention, *, days: float) -> Dropped:
    """Retention as an operator runs it, so many days after NOW_MS."""
    store.set_retention(retention, NOW_MS)
    return acts.run(store, actor="test", clock=ManualClock(NOW_MS + round(days * DAY_MS)), sleep=lambda _seconds: None)


def accept(store: Store, ids: Sequence[str], now_ms: int = NOW_MS, **given: object) -> None:
    store.accept([make_event(id=EventId(i), **given) for i in ids], now_ms)


def events(store: Store) -> list[EventId]:
    return [row.id for row in store.events(EventFilter(), limit=1000)][::-1]


def states(store: Store) -> list[tuple[EventId, DeliveryState]]:
    return [(d.event_id, d.state) for d in store.deliveries(DeliveryFilter(), limit=1000)][::-1]


@pytest.fixture
def engine(store: Store) -> int:
    return start_engine(store)


def steer(store: Store, kind: OperationKind, event_id: str) -> None:
    """What an operator does to the deliveries of one event."""
    where = DeliveryFilter(event_id=EventId(event_id))
    operation = store.begin_bulk(kind, where, rate_per_s=None, actor="a", target="", reason=None, now_ms=NOW_MS)
    assert store.advance_operation(operation.id, limit=10, now_ms=NOW_MS).done == 1


def later(store: Store, epoch: int) -> None:
    """A delivery that is too young to go; the newest always stays."""
    accept(store, ["later"], NOW_MS + 20 * DAY_MS)
    attempt_all(store, epoch, delivered(), now_ms=NOW_MS + 20 * DAY_MS)


def test_each_state_has_its_age(store: Store, engine: int) -> None:
    add_endpoint(store)
    for name, verdict in (("good", delivered()), ("bad", failed()), ("dropped", failed())):
        accept(store, [name])
        attempt_all(store, engine, verdict)
    steer(store, OperationKind.DELIVERY_CANCEL, "dropped")
    later(store, engine)
    ages = Retention(delivered_s=10 * 86400, failed_s=30 * 86400, cancelled_s=20 * 86400)
    assert run(store, ages, days=9.9) == Dropped()
    assert run(store, ages, days=10.1) == Dropped(deliveries=1, attempts=1, events=1, bodies=1)
    assert [name for name, _ in states(store)] == ["bad", "dropped", "later"]
    run(store, ages, days=20.1)
    assert [name for name, _ in states(store)] == ["bad", "later"]
    run(store, ages, days=29.9)
    assert [name for name, _ in states(store)] == ["bad", "later"]
    run(store, ages, days=30.1)
    assert events(store) == ["later"]
    recount.assert_gauges_agree(store)


def test_age_counts_from_the_end(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["slow"])
    attempt_all(store, engine, retry(NOW_MS + 8 * DAY_MS))
    attempt_all(store, engine, delivered(), now_ms=NOW_MS + 8 * DAY_MS)
    later(store, engine)
    ages = Retention(delivered_s=10 * 86400)
    assert not run(store, ages, days=11)
    assert run(store, ages, days=18.1) == Dropped(deliveries=1, attempts=2, events=1, bodies=2)


def test_what_is_owed_is_never_deleted(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["waits"])
    attempt_all(store, engine, retry(NOW_MS + 5000))
    accept(store, ["untried"])
    add_endpoint(store, name="sends")
    accept(store, ["inflight", "later"])
    claim_all(store, engine, limit=1)
    before = states(store)
    assert {state for _, state in before} == {DeliveryState.PENDING, DeliveryState.SENDING}
    tiny = Retention(delivered_s=60, failed_s=60, cancelled_s=60, max_size_bytes=16 * 1024 * 1024)
    assert not run(store, tiny, days=1000)
    assert states(store) == before


def test_for_ever_is_for_ever(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["good", "unwanted"])
    attempt_all(store, engine, delivered())
    later(store, engine)
    assert not run(store, NOTHING, days=36_000)
    assert events(store) == ["good", "unwanted", "later"]


def test_an_event_stays_until_its_last_delivery_has_gone(store: Store, engine: int) -> None:
    first, second = add_endpoint(store, name="a"), add_endpoint(store, name="b")
    accept(store, ["shared"])
    for endpoint, verdict in ((first, delivered()), (second, failed())):
        store.complete([make_completed(c, verdict) for c in claim_all(store, engine, endpoint)], epoch=engine)
    later(store, engine)
    ages = Retention(delivered_s=86400, failed_s=2 * 86400)
    assert run(store, ages, days=1.5) == Dropped(deliveries=1, attempts=1, events=0, bodies=1)
    assert "shared" in events(store)
    assert run(store, ages, days=2.5) == Dropped(deliveries=1, attempts=1, events=1, bodies=1)
    assert events(store) == ["later"]


def test_an_event_that_nobody_wanted_goes_by_age(store: Store, engine: int) -> None:
    add_endpoint(store, types=("invoice.*",))
    accept(store, ["unwanted"], type="bounce")
    later(store, engine)
    assert not run(store, Retention(delivered_s=86400), days=0.9)
    assert run(store, Retention(delivered_s=86400), days=1.1) == Dropped(events=1)
    assert events(store) == ["later"]


def test_a_deleted_id_is_new_again(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["again"])
    attempt_all(store, engine, delivered())
    later(store, engine)
    run(store, Retention(delivered_s=86400), days=2)
    (answer,) = store.accept([make_event(id=EventId("again"))], NOW_MS + 2 * DAY_MS)
    assert not answer.duplicate


def test_the_newest_of_everything_stays_so_that_no_number_is_given_twice(store: Store, engine: int) -> None:
    add_endpoint(store, types=("invoice.*",))
    accept(store, ["goes", "attempt", "delivery"])
    attempt_all(store, engine, delivered(), limit=2)
    steer(store, OperationKind.DELIVERY_CANCEL, "delivery")
    accept(store, ["event"], type="bounce")
    numbers = recount.read(store.path, _NEWEST)
    assert run(store, Retention(delivered_s=86400, cancelled_s=86400), days=2).deliveries == 1
    assert events(store) == ["attempt", "delivery", "event"]
    assert recount.read(store.path, _NEWEST) == numbers


_NEWEST = """
SELECT (SELECT max(id) FROM deliveries), (SELECT max(id) FROM attempts), (SELECT max(seq) FROM events)
"""


def test_bodies_may_go_before_their_attempts(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["good"])
    attempt_all(store, engine, delivered())
    accept(store, ["waits"])
    attempt_all(store, engine, retry(NOW_MS + 90 * DAY_MS))
    later(store, engine)
    assert run(store, Retention(delivered_s=30 * 86400, bodies_s=86400), days=2) == Dropped(bodies=2)
    attempts = store.attempts(AttemptFilter(), AttemptPage(limit=9))
    assert [store.exchange(a.id) is not None for a in attempts] == [False, False, True]


def test_rates_outlive_what_they_counted(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["good", "other"])
    attempt_all(store, engine, delivered())
    later(store, engine)
    before = store.buckets(since_s=0, until_s=2**40, width_s=MINUTE)
    assert run(store, Retention(delivered_s=86400), days=2).deliveries == 2
    assert store.buckets(since_s=0, until_s=2**40, width_s=MINUTE) == before
    recount.assert_gauges_agree(store)


def test_a_delivery_retried_after_it_was_found_stays(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["back"])
    attempt_all(store, engine, failed())
    later(store, engine)
    sweep = acts.Sweep(Retention(failed_s=86400, inbox_s=0), NOW_MS + 2 * DAY_MS)
    assert sweep.find(store) == Found(phase=Phase.INBOX, ids=(), after=None)
    found = sweep.find(store)
    assert found is not None
    (found_id,) = found.ids
    steer(store, OperationKind.DELIVERY_RETRY, "back")
    assert sweep.drop(found.phase, (found_id,), ManualClock(), store) == Dropped()
    assert "back" in events(store)


def test_a_failed_one_that_its_line_waits_for_stays(store: Store, engine: int) -> None:
    add_endpoint(store, policy={"ordering": Ordering.FIFO})
    accept(store, ["head"])
    attempt_all(store, engine, failed())
    add_endpoint(store, name="other", types=("nothing",))
    accept(store, ["waits"])
    later_one = add_endpoint(store, name="later", types=("bounce",))
    accept(store, ["newest"], type="bounce")
    store.complete([make_completed(c, delivered()) for c in claim_all(store, engine, later_one)], epoch=engine)
    assert not run(store, Retention(failed_s=86400, delivered_s=0), days=2)
    assert attempt_all(store, engine, delivered()) == [], "and the line still stands"
    steer(store, OperationKind.DELIVERY_SKIP, "head")
    attempt_all(store, engine, delivered())
    assert [state for _, state in states(store)][:2] == [DeliveryState.CANCELLED, DeliveryState.DELIVERED]


def test_a_walk_goes_past_what_survives(store: Store, engine: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "SPAN", 3)
    add_endpoint(store)
    names = [f"e{i}" for i in range(20)]
    for i, name in enumerate(names):
        accept(store, [name])
        attempt_all(store, engine, failed() if i % 5 else delivered())
    later(store, engine)
    assert run(store, Retention(delivered_s=86400, failed_s=0), days=2).deliveries == 4
    assert events(store) == [n for i, n in enumerate(names) if i % 5] + ["later"]
    recount.assert_gauges_agree(store)


def test_above_the_size_limit_the_oldest_go_first(store: Store, engine: int) -> None:
    add_endpoint(store)
    body = b'"' + b"x" * 200_000 + b'"'
    for i in range(150):
        accept(store, [f"e{i:03}"], NOW_MS + i, payload=body)
        attempt_all(store, engine, failed() if i % 3 else delivered(), now_ms=NOW_MS + i)
    limit = 20 * 1024 * 1024
    assert store.space().used_bytes > limit
    dropped = run(store, Retention(max_size_bytes=limit), days=0.1)
    assert 0 < dropped.deliveries < 150
    assert 0.9 * limit < store.space().used_bytes <= limit
    assert store.space().file_bytes < 1.1 * limit, "and the file is smaller too"
    left = events(store)
    assert left == [f"e{i:03}" for i in range(dropped.deliveries, 150)]
    recount.assert_gauges_agree(store)


def came_in(store: Store) -> list[RequestId]:
    return [row.id for row in store.arrivals(InboxFilter(), limit=10_000)][::-1]


def test_requests_that_came_in_have_their_own_age(store: Store, engine: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "SPAN", 3)
    source = add_source(store)
    for day in range(8):
        (event,) = store.accept([make_event(id=EventId(f"e{day}"))], NOW_MS + day * DAY_MS)
        store.record_arrivals([make_arrival(source, received_at_ms=NOW_MS + day * DAY_MS, event_id=event.id)])
    assert run(store, NOTHING, days=100) == Dropped()
    ages = Retention(delivered_s=0, inbox_s=5 * DAY_S)
    old = cutoffs(ages, NOW_MS + round(9.5 * DAY_MS))
    assert store.count_old_requests(old) == 5
    assert run(store, ages, days=9.5) == Dropped(requests=5)
    assert came_in(store) == [6, 7, 8]
    assert len(events(store)) == 8, "what came of them has its own"
    assert run(store, ages, days=100) == Dropped(requests=2)
    assert came_in(store) == [8], "the newest stays: no number is given twice"


def test_an_inbox_row_outlives_its_event(store: Store, engine: int) -> None:
    (event,) = store.accept([make_event(id=EventId("gone"))], NOW_MS)
    store.record_arrivals([make_arrival(add_source(store), event_id=event.id)])
    later(store, engine)
    assert run(store, Retention(delivered_s=86400), days=2) == Dropped(events=1)
    (row,) = store.arrivals(InboxFilter(), limit=9)
    assert (row.event_id, row.event_type) == (None, None)


def test_above_the_size_limit_the_inbox_of_yesterday_goes_first(store: Store, engine: int) -> None:
    add_endpoint(store)
    source, body = add_source(store), b"x" * 450_000
    for at_ms in (NOW_MS, NOW_MS + 2 * DAY_MS):
        store.record_arrivals([make_arrival(source, body=body, received_at_ms=at_ms) for _ in range(40)])
    accept(store, [f"e{i}" for i in range(5)], NOW_MS + 2 * DAY_MS)
    attempt_all(store, engine, delivered(), now_ms=NOW_MS + 2 * DAY_MS)
    limit = 20 * 1024 * 1024
    dropped = run(store, Retention(max_size_bytes=limit), days=2.5)
    assert (dropped.deliveries, len(events(store))) == (0, 5)
    assert 15 <= dropped.requests <= 40
    assert came_in(store)[0] == dropped.requests + 1
    limit = 16 * 1024 * 1024
    dropped += run(store, Retention(max_size_bytes=limit), days=2.5)
    assert dropped.deliveries == 4, "then what has ended, and what came in today"
    assert dropped.requests > 40
    assert store.space().used_bytes <= limit


def test_captures_that_are_over_are_removed_a_day_later(store: Store) -> None:
    over = add_source(store, name="over", kind=SourceKind.CAPTURE, until_ms=NOW_MS)
    add_source(store, name="on", kind=SourceKind.CAPTURE)
    add_source(store, name="other", until_ms=NOW_MS)
    store.record_arrivals([make_arrival(over)])
    before = store.intake_version()
    run(store, Retention(), days=1)
    assert len(store.sources()) == 3
    assert store.intake_version() == before
    run(store, Retention(), days=1.01)
    assert [source.name for source in store.sources()] == ["on", "other"]
    assert store.intake_version() > before
    assert came_in(store) == [1]


def test_settings_are_kept_and_audited(store_path: Path, store: Store) -> None:
    assert store.retention() == Retention()
    wanted = Retention(delivered_s=86400, bodies_s=3600, max_size_bytes=2**30)
    assert acts.edit(store, wanted, actor="ada@box", now_ms=NOW_MS) == Retention()
    with closing(open_store(store_path, read_only=True)) as other:
        assert other.retention() == wanted
    (operation,) = store.operations(limit=5)
    assert (operation.kind, operation.actor) == (OperationKind.RETENTION_EDIT, "ada@box")
    assert operation.result is not None
    assert "delivered_s" in operation.result
    with pytest.raises(InvalidInputError, match="36500d"):
        acts.edit(store, Retention(delivered_s=1), actor="ada@box", now_ms=NOW_MS)


def test_counting_what_would_go(store: Store, engine: int) -> None:
    add_endpoint(store)
    accept(store, ["a", "b", "c"])
    attempt_all(store, engine, delivered(), limit=2)
    attempt_all(store, engine, failed())
    old = cutoffs(Retention(delivered_s=86400, failed_s=0), NOW_MS + 2 * DAY_MS)
    assert store.count_old(old) == {DeliveryState.DELIVERED: 2}


def test_counts_of_long_ago_are_dropped(store: Store, engine: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retaining, "_COUNTS_AT_ONCE", 2)
    add_endpoint(store)
    for second in range(3):
        accept(store, [f"e{second}"], NOW_MS + second * 1000)
        attempt_all(store, engine, failed(), now_ms=NOW_MS + second * 1000)

    def shown() -> tuple[int, int, int]:
        seconds, minutes = (store.buckets(since_s=0, until_s=2**40, width_s=width) for width in (SECOND, MINUTE))
        return len(seconds), len(minutes), len(store.causes(since_s=0, until_s=2**40))

    assert not store.drop_counts(NOW_MS)
    assert shown() == (3, 1, 1)
    pieces = 1
    while store.drop_counts(NOW_MS + 3 * 3_600_000):
        pieces += 1
    assert (pieces, shown()) == (4, (0, 1, 1)), "six rows: of the endpoint, and of all"
    assert store.drop_counts(NOW_MS + 41 * DAY_MS)
    assert not store.drop_counts(NOW_MS + 41 * DAY_MS)
    assert shown() == (0, 0, 0)
