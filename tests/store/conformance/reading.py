from collections.abc import Callable

import pytest

from console.domain.delivery import Attempt
from console.domain.errors import StoreError, UnknownReferenceError
from console.domain.event import EventRow
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId, OperationId
from console.domain.matching import pattern_matches
from console.domain.operation import OperationKind
from console.domain.outcome import Cause
from console.domain.rates import MINUTE, SECOND, total_of
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    begin_bulk,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    make_spec,
    start_engine,
)
from tests.store.backends import Backend
from tests.store.worlds import World, make_world, rolled_back

PATTERNS = ("*", "invoice.*", "invoice.paid", "none")


def attempt_filters_of(world: World) -> list[tuple[AttemptFilter, Callable[[Attempt], bool]]]:
    first, second, _ = world.endpoints
    delivery = world.every_id()[2]
    since, until = NOW_MS + 4000, NOW_MS + 11_000
    return [
        (AttemptFilter(), lambda a: True),
        (AttemptFilter(endpoints=(first.id,)), lambda a: a.endpoint_id == first.id),
        (AttemptFilter(endpoints=(first.id, second.id)), lambda a: a.endpoint_id in (first.id, second.id)),
        (AttemptFilter(endpoints=(EndpointId("x"),)), lambda a: False),
        (AttemptFilter(delivery_id=delivery), lambda a: a.delivery_id == delivery),
        (AttemptFilter(event_id=EventId("evt_00")), lambda a: a.event_id == "evt_00"),
        (AttemptFilter(event_id=EventId("none")), lambda a: False),
        *((AttemptFilter(type_pattern=p), lambda a, p=p: pattern_matches(p, a.event_type)) for p in PATTERNS),
        *((AttemptFilter(causes=(c,)), lambda a, c=c: a.cause is c) for c in Cause),
        (AttemptFilter(failed_only=True), lambda a: a.cause is not None),
        (AttemptFilter(ended_only=True), lambda a: a.ended_at_ms is not None),
        (AttemptFilter(since_ms=since), lambda a: a.started_at_ms >= since),
        (AttemptFilter(until_ms=until), lambda a: a.started_at_ms < until),
        (
            AttemptFilter(failed_only=True, endpoints=(first.id,), type_pattern="invoice.*", since_ms=since),
            lambda a: (
                a.cause is not None
                and a.endpoint_id == first.id
                and a.event_type.startswith("invoice.")
                and a.started_at_ms >= since
            ),
        ),
    ]


class PagesConformance:
    def test_deliveries_in_pages_are_all_of_them_newest_first(self, store: Store) -> None:
        world = make_world(store)
        for where in (DeliveryFilter(), DeliveryFilter(troubled=True), DeliveryFilter(type_pattern="invoice.*")):
            whole = [d.id for d in store.deliveries(where, limit=10_000)]
            assert whole == sorted(whole, reverse=True)
            for limit in (1, 3, len(whole), len(whole) + 1):
                read: list[DeliveryId] = []
                while page := store.deliveries(where, limit=limit, before=read[-1] if read else None):
                    read += [d.id for d in page]
                assert read == whole
        assert len(world.every_id()) == len(set(world.every_id()))

    def test_events_in_pages_are_all_of_them_newest_first(self, store: Store) -> None:
        make_world(store)
        filters: list[tuple[EventFilter, Callable[[EventRow], bool]]] = [
            (EventFilter(), lambda e: True),
            *((EventFilter(type_pattern=p), lambda e, p=p: pattern_matches(p, e.type)) for p in PATTERNS),
            (EventFilter(since_ms=NOW_MS + 3000), lambda e: e.accepted_at_ms >= NOW_MS + 3000),
            (EventFilter(until_ms=NOW_MS + 3000), lambda e: e.accepted_at_ms < NOW_MS + 3000),
        ]
        everything = store.events(EventFilter(), limit=1000)
        assert [e.id for e in everything] == [f"evt_{i:02}" for i in reversed(range(24))]
        for where, matches in filters:
            whole = [e for e in everything if matches(e)]
            for limit in (1, 5, 1000):
                read: list[EventRow] = []
                while page := store.events(where, limit=limit, before_seq=read[-1].seq if read else None):
                    read += page
                assert read == whole

    def test_an_event_counts_its_deliveries(self, store: Store) -> None:
        make_world(store)
        every = store.deliveries(DeliveryFilter(), limit=1000)
        for row in store.events(EventFilter(), limit=1000):
            states = [d.state for d in every if d.event_id == row.id]
            assert (row.deliveries, row.delivered, row.failed) == (
                len(states), states.count("delivered"), states.count("failed"),  # type: ignore[arg-type]  # a StrEnum equals its text
            )  # fmt: skip
            assert row.size_bytes == len(make_event().payload)

    def test_attempts_match_their_filter_in_pages_both_ways(self, store: Store) -> None:
        world = make_world(store)
        everything = store.attempts(AttemptFilter(), AttemptPage(limit=10_000))
        assert [a.id for a in everything] == sorted({a.id for a in everything})
        for where, matches in attempt_filters_of(world):
            whole = [a for a in everything if matches(a)]
            for limit in (1, 4, 10_000):
                down: list[Attempt] = []
                while page := store.attempts(where, AttemptPage(limit=limit, before=down[0].id if down else None)):
                    assert len(page) <= limit
                    down = page + down
                assert down == whole
                up: list[Attempt] = []
                while page := store.attempts(where, AttemptPage(limit=limit, after=up[-1].id if up else AttemptId(0))):
                    up += page
                assert up == whole

    def test_a_tail_sees_each_new_attempt_once(self, store: Store, backend: Backend) -> None:
        tail = backend.open(read_only=True)
        add_endpoint(store)
        epoch, last, seen = start_engine(store), AttemptId(0), []
        for i in range(5):
            store.accept([make_event() for _ in range(i)], NOW_MS)
            attempt_all(store, epoch, delivered())
            new = tail.attempts(AttemptFilter(), AttemptPage(limit=100, after=last))
            seen += [a.id for a in new]
            last = seen[-1] if seen else last
        assert len(seen) == len(set(seen)) == 10
        assert seen == sorted(seen)

    def test_a_row_says_what_its_list_says(self, store: Store) -> None:
        make_world(store)
        for delivery in store.deliveries(DeliveryFilter(), limit=1000):
            assert store.delivery(delivery.id) == delivery
        for attempt in store.attempts(AttemptFilter(), AttemptPage(limit=1000)):
            assert store.attempt(attempt.id) == attempt

    def test_what_is_not_there_is_said_in_one_line(self, store: Store) -> None:
        for read in (
            lambda: store.event(EventId("evt_none")),
            lambda: store.delivery(DeliveryId(99)),
            lambda: store.attempt(AttemptId(99)),
        ):
            with pytest.raises(UnknownReferenceError) as refused:
                read()
            assert "\n" not in str(refused.value)
        assert store.exchange(AttemptId(99)) is None

    def test_a_new_store_has_empty_lists(self, store: Store) -> None:
        assert store.events(EventFilter(), limit=10) == []
        assert store.deliveries(DeliveryFilter(troubled=True), limit=10) == []
        assert store.attempts(AttemptFilter(), AttemptPage(limit=10)) == []
        assert store.operations(limit=10) == []
        assert store.endpoints() == []
        assert store.gauges() == {}
        assert store.count_deliveries(DeliveryFilter()) == {}
        assert store.causes(since_s=0, until_s=10**10) == {}
        assert store.totals_by_endpoint(since_s=0, until_s=10**10, width_s=SECOND) == {}


class RatesConformance:
    def test_a_window_begins_with_its_first_second_and_ends_before_its_last(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        epoch, base = start_engine(store), NOW_MS // 1000
        for second in range(5):
            at_ms = (base + second) * 1000
            store.accept([make_event() for _ in range(second + 1)], at_ms)
            attempt_all(store, epoch, delivered(), now_ms=at_ms)
        shown = store.buckets(since_s=base + 1, until_s=base + 4, width_s=SECOND)
        assert [(b.start_s - base, b.accepted, b.ok) for b in shown] == [(1, 2, 2), (2, 3, 3), (3, 4, 4)]
        totals = store.totals_by_endpoint(since_s=base + 1, until_s=base + 4, width_s=SECOND)
        assert totals[endpoint.id].ok == 9
        assert totals[endpoint.id].accepted == 0
        assert store.buckets(since_s=base + 4, until_s=base + 4, width_s=SECOND) == []

    def test_seconds_and_minutes_add_up_to_the_same(self, store: Store, backend: Backend) -> None:
        world = make_world(store)
        end_s = 2**40
        seconds = total_of(store.buckets(since_s=0, until_s=end_s, width_s=SECOND), 0)
        assert seconds == total_of(store.buckets(since_s=0, until_s=end_s, width_s=MINUTE), 0)
        assert seconds.accepted == 24
        by_endpoint = store.totals_by_endpoint(since_s=0, until_s=end_s, width_s=MINUTE)
        together = total_of(by_endpoint.values(), 0)
        assert (together.ok, together.failed, together.histogram) == (seconds.ok, seconds.failed, seconds.histogram)
        for endpoint in world.endpoints:
            alone = store.buckets(since_s=0, until_s=end_s, width_s=SECOND, endpoint=endpoint.id)
            assert total_of(alone, 0) == by_endpoint[endpoint.id]
        assert store.buckets(since_s=0, until_s=end_s, width_s=SECOND, endpoint=EndpointId("x")) == []
        backend.assert_counted_right(store)

    def test_causes_are_counted_by_minutes_that_begin_before_the_end(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        epoch, minute = start_engine(store), NOW_MS // 60_000 * 60
        causes = (Cause.DNS, Cause.TLS, Cause.REFUSED)
        for i, cause in enumerate(causes):
            at_ms = (minute + i * MINUTE + 30) * 1000
            store.accept([make_event()], at_ms)
            for claimed in claim_all(store, epoch, now_ms=at_ms):
                completed = make_completed(claimed, failed(cause, None), ended_at_ms=at_ms)
                store.complete([completed], epoch=epoch)

        def shown(since_s: int, until_s: int) -> set[Cause]:
            return set(store.causes(since_s=since_s, until_s=until_s).get(endpoint.id, {}))

        assert shown(minute, minute + 3 * MINUTE) == set(causes)
        assert shown(minute + 59, minute + 3 * MINUTE) == set(causes), "the minute that is under way counts whole"
        assert shown(minute + 60, minute + 2 * MINUTE) == {Cause.TLS}
        assert store.causes(since_s=0, until_s=minute + 60) == {endpoint.id: {Cause.DNS: 1}}


class DataVersionConformance:
    def test_it_moves_when_another_connection_commits_and_only_then(self, store: Store, backend: Backend) -> None:
        watcher = backend.open(read_only=True)
        version = watcher.data_version()
        assert watcher.data_version() == version
        store.deliveries(DeliveryFilter(), limit=10)
        assert watcher.data_version() == version
        with store.transaction():
            store.accept([make_event()], NOW_MS)
            assert watcher.data_version() == version
        moved = watcher.data_version()
        assert moved != version
        with rolled_back(store):
            store.accept([make_event()], NOW_MS)
        assert watcher.data_version() == moved


class TransactionConformance:
    def test_several_calls_are_one(self, store: Store, backend: Backend) -> None:
        other = backend.open(read_only=True)
        with store.transaction():
            add_endpoint(store)
            store.accept([make_event()], NOW_MS)
            assert other.endpoints() == []
        assert len(other.endpoints()) == len(other.deliveries(DeliveryFilter(), limit=10)) == 1

    @pytest.mark.parametrize("depth", [1, 2, 3])
    def test_a_failure_at_any_depth_takes_the_whole_back(self, store: Store, backend: Backend, depth: int) -> None:
        add_endpoint(store, name="before")
        before = backend.contents()

        def nest(left: int) -> None:
            with store.transaction():
                add_endpoint(store, name=f"at-{left}")
                store.accept([make_event()], NOW_MS)
                if left == 1:
                    raise ZeroDivisionError
                nest(left - 1)

        with pytest.raises(ZeroDivisionError):
            nest(depth)
        assert backend.contents() == before
        add_endpoint(store, name="after")
        assert [e.name for e in store.endpoints()] == ["after", "before"]

    def test_after_an_inner_one_ended_the_outer_may_still_fail(self, store: Store, backend: Backend) -> None:
        before = backend.contents()
        with rolled_back(store), store.transaction():
            add_endpoint(store)
        assert backend.contents() == before

    def test_a_refused_call_leaves_the_rest_of_its_transaction(self, store: Store) -> None:
        with store.transaction():
            crm = add_endpoint(store, name="crm")
            with pytest.raises(UnknownReferenceError):
                store.remove_endpoint(EndpointId("ep_unknown"), NOW_MS)
            store.accept([make_event()], NOW_MS)
        assert store.endpoints() == [crm]
        assert store.gauges()[crm.id].pending == 1


class ReadOnlyConformance:
    @pytest.mark.parametrize(
        "write",
        [
            lambda store: store.accept([make_event()], NOW_MS),
            lambda store: add_endpoint(store, name="other"),
            lambda store: store.edit_endpoint(store.endpoints()[0].id, make_spec(), NOW_MS),
            lambda store: store.remove_endpoint(store.endpoints()[0].id, NOW_MS),
            lambda store: begin_bulk(store, OperationKind.DELIVERY_RETRY),
            lambda store: store.advance_operation(OperationId(1), limit=1, now_ms=NOW_MS),
            lambda store: store.cancel_operation(OperationId(1), actor="a", now_ms=NOW_MS),
            lambda store: store.begin_operation(
                OperationKind.ENGINE_STOP, actor="a", target="b", reason=None, now_ms=NOW_MS
            ),
            lambda store: store.request_stop(),
            start_engine,
        ],
    )
    def test_nothing_is_ever_written(self, store: Store, backend: Backend, write: Callable[[Store], object]) -> None:
        make_world(store)
        before = backend.contents()
        reader = backend.open(read_only=True)
        assert reader.read_only
        assert not store.read_only
        with pytest.raises(StoreError, match="read-only") as refused:
            write(reader)
        assert str(reader.path) in str(refused.value)
        assert backend.contents() == before


def test_glimpses_are_of_the_newest_and_of_those_that_are_asked_for(store: Store) -> None:
    crm = add_endpoint(store, name="crm", types=("to.crm",))
    slack = add_endpoint(store, name="slack", types=("to.slack",))
    epoch = start_engine(store)
    store.accept([make_event(type="to.crm") for _ in range(3)], NOW_MS)
    attempt_all(store, epoch, delivered(), now_ms=NOW_MS)
    store.accept([make_event(type="to.slack") for _ in range(2)], NOW_MS)
    attempt_all(store, epoch, failed(), now_ms=NOW_MS)
    every = store.glimpses(after=AttemptId(0), limit=100)
    assert [(g.endpoint_name, g.ended, g.failed) for g in every] == [("crm", True, False)] * 3 + [
        ("slack", True, True)
    ] * 2
    assert [g.id for g in every] == [attempt.id for attempt in store.attempts(AttemptFilter(), AttemptPage(limit=100))]
    assert store.glimpses(after=AttemptId(0), limit=2) == every[-2:]
    assert store.glimpses(after=every[2].id, endpoint=crm.id, limit=100) == []
    assert store.glimpses(after=every[2].id, endpoint=slack.id, limit=100) == every[3:]
    assert store.glimpses(after=every[3].id, also=[every[0].id, AttemptId(10**9)], limit=100) == [every[0], every[4]]
