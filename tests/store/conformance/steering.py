from collections.abc import Callable

import pytest

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, EventId, OperationId
from console.domain.matching import pattern_matches
from console.domain.operation import OperationKind
from console.domain.outcome import Cause
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    cancel_matching,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    retry_matching,
    start_engine,
)
from tests.store.backends import Backend
from tests.store.worlds import World, make_world, rolled_back

Matches = Callable[[Delivery], bool]
LATER_MS = NOW_MS + 10**6


def filters_of(world: World) -> list[tuple[DeliveryFilter, Matches]]:
    """Every part of a filter, alone and with others, and what it means."""
    first, second, _ = world.endpoints
    ids = tuple(world.every_id()[3:9])
    since, until = NOW_MS + 5000, NOW_MS + 12_000
    failed_state, causes = DeliveryState.FAILED, (Cause.DNS, Cause.HTTP_5XX)
    troubled = {"pending", "sending", "failed"}
    return [
        (DeliveryFilter(), lambda d: True),
        (DeliveryFilter(ids=ids), lambda d: d.id in ids),
        (DeliveryFilter(ids=(DeliveryId(10**9),)), lambda d: False),
        *((DeliveryFilter(states=(s,)), lambda d, s=s: d.state is s) for s in DeliveryState),
        (DeliveryFilter(states=(failed_state, DeliveryState.CANCELLED)), lambda d: d.state in ("failed", "cancelled")),
        (DeliveryFilter(endpoints=(first.id,)), lambda d: d.endpoint_id == first.id),
        (DeliveryFilter(endpoints=(first.id, second.id)), lambda d: d.endpoint_id in (first.id, second.id)),
        (DeliveryFilter(endpoints=(EndpointId("ep_unknown"),)), lambda d: False),
        (DeliveryFilter(event_id=EventId("evt_04")), lambda d: d.event_id == "evt_04"),
        (DeliveryFilter(event_id=EventId("unknown")), lambda d: False),
        *(
            (DeliveryFilter(type_pattern=p), lambda d, p=p: pattern_matches(p, d.event_type))
            for p in ("*", "invoice.*", "invoice.paid", "invoice.line.*", "none.*")
        ),
        *((DeliveryFilter(causes=(c,)), lambda d, c=c: d.last_cause is c) for c in Cause),
        (DeliveryFilter(causes=causes), lambda d: d.last_cause in causes),
        (DeliveryFilter(since_ms=since), lambda d: d.created_at_ms >= since),
        (DeliveryFilter(until_ms=until), lambda d: d.created_at_ms < until),
        (DeliveryFilter(since_ms=since, until_ms=until), lambda d: since <= d.created_at_ms < until),
        (DeliveryFilter(troubled=True), lambda d: d.last_cause is not None and d.state in troubled),
        (
            DeliveryFilter(troubled=True, endpoints=(first.id,), causes=causes, type_pattern="invoice.*"),
            lambda d: (
                d.last_cause in causes
                and d.state in troubled
                and d.endpoint_id == first.id
                and d.event_type.startswith("invoice.")
            ),
        ),
        (
            DeliveryFilter(states=(failed_state,), since_ms=since, ids=ids),
            lambda d: d.state is failed_state and d.created_at_ms >= since and d.id in ids,
        ),
    ]


def every_delivery(store: Store) -> list[Delivery]:
    return store.deliveries(DeliveryFilter(), limit=10_000)


class FilterConformance:
    def test_the_world_has_something_of_everything(self, store: Store, backend: Backend) -> None:
        make_world(store)
        shown = every_delivery(store)
        assert {d.state for d in shown} == set(DeliveryState)
        assert any(d.held for d in shown)
        assert any(d.state == "pending" and d.last_cause is not None for d in shown)
        backend.assert_counted_right(store)

    def test_lists_counts_and_bulk_actions_agree_on_what_each_filter_means(
        self, store: Store, backend: Backend
    ) -> None:
        world = make_world(store)
        everything = every_delivery(store)
        for where, matches in filters_of(world):
            expected = [d for d in everything if matches(d)]
            assert store.deliveries(where, limit=10_000) == expected, where
            counted = store.count_deliveries(where)
            assert counted == {e.id: n for e in world.endpoints if (n := sum(d.endpoint_id == e.id for d in expected))}

    @pytest.mark.parametrize("action", ["retry", "cancel"])
    def test_a_bulk_action_moves_what_its_filter_matches_and_nothing_else(
        self, store: Store, backend: Backend, action: str
    ) -> None:
        world = make_world(store)
        movable = {"retry": {"pending", "failed", "cancelled", "delivered"}, "cancel": {"pending", "failed"}}[action]
        move = retry_matching if action == "retry" else cancel_matching
        for where, matches in filters_of(world):
            with rolled_back(store):  # each filter meets the same world
                before = {d.id: d for d in every_delivery(store)}
                expected = {d.id for d in before.values() if matches(d) and d.state in movable}
                assert move(store, where, now_ms=LATER_MS) == len(expected)
                after = {d.id: d for d in every_delivery(store)}
                assert {id_ for id_ in before if after[id_] != before[id_]} == expected
                for id_ in expected:
                    moved = after[id_]
                    assert moved.updated_at_ms == LATER_MS
                    assert moved.schedule_step == before[id_].schedule_step
                    assert (moved.state, moved.next_attempt_at_ms, moved.manual) == (
                        ("pending", LATER_MS, True) if action == "retry" else ("cancelled", None, before[id_].manual)
                    )
        backend.assert_counted_right(store)


class SteeringConformance:
    def test_what_is_being_sent_is_left_alone(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        (claimed,) = claim_all(store, epoch)
        before = every_delivery(store)
        for where in (DeliveryFilter(), DeliveryFilter(ids=(claimed.delivery_id,))):
            assert retry_matching(store, where, now_ms=LATER_MS) == 0
            assert cancel_matching(store, where, now_ms=LATER_MS) == 0
        assert every_delivery(store) == before
        assert store.complete([make_completed(claimed, delivered())], epoch=epoch) == 1

    def test_a_manual_retry_replaces_the_pending_one(self, store: Store) -> None:
        endpoint = add_endpoint(store, policy={"schedule_s": (3600.0, 5.0)})
        store.accept([make_event()], NOW_MS)
        retry_matching(store)
        assert store.next_due([endpoint.seq]) == {endpoint.seq: NOW_MS}
        epoch = start_engine(store)
        assert len(attempt_all(store, epoch, delivered())) == 1
        assert store.next_due([endpoint.seq]) == {}

    def test_a_retry_for_a_paused_endpoint_is_held(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        attempt_all(store, epoch, failed())
        store.set_endpoint_state(endpoint.id, EndpointState.PAUSED, None, NOW_MS)
        assert retry_matching(store) == 1
        assert every_delivery(store)[0].held
        assert claim_all(store, epoch) == []

    def test_what_was_owed_to_a_removed_endpoint_is_not_retried(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        attempt_all(store, start_engine(store), failed())
        store.remove_endpoint(endpoint.id, NOW_MS)
        before = every_delivery(store)
        assert retry_matching(store) == 0
        assert every_delivery(store) == before

    def test_a_cancelled_delivery_is_not_sent_and_may_be_retried(self, store: Store, backend: Backend) -> None:
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        assert cancel_matching(store) == 1
        assert claim_all(store, epoch) == []
        assert cancel_matching(store) == 0
        assert retry_matching(store) == 1
        assert len(claim_all(store, epoch)) == 1
        backend.assert_counted_right(store)

    def test_forty_thousand_marks_are_one_filter(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event() for _ in range(20)], NOW_MS)
        ids = tuple(DeliveryId(i) for i in range(40_000))
        assert len(store.deliveries(DeliveryFilter(ids=ids), limit=100)) == 20
        assert sum(store.count_deliveries(DeliveryFilter(ids=ids)).values()) == 20
        assert retry_matching(store, DeliveryFilter(ids=ids)) == 20


class OperationsConformance:
    def test_an_operation_is_logged_as_it_goes(self, store: Store) -> None:
        id_ = store.begin_operation(
            OperationKind.DELIVERY_RETRY, actor="ada@box", target="state:failed", reason="outage over", now_ms=NOW_MS
        )
        (begun,) = store.operations(limit=10)
        assert (begun.id, begun.kind, begun.actor) == (id_, OperationKind.DELIVERY_RETRY, "ada@box")
        assert (begun.target, begun.reason, begun.started_at_ms) == ("state:failed", "outage over", NOW_MS)
        assert (begun.finished_at_ms, begun.done, begun.result) == (None, 0, None)
        store.progress_operation(id_, done=2000, result=None, finished_at_ms=None)
        store.progress_operation(id_, done=2500, result="2500 deliveries", finished_at_ms=NOW_MS + 90)
        (ended,) = store.operations(limit=10)
        assert (ended.done, ended.result, ended.finished_at_ms) == (2500, "2500 deliveries", NOW_MS + 90)

    @pytest.mark.parametrize("kind", OperationKind)
    def test_each_kind_of_operation_reads_back(self, store: Store, kind: OperationKind) -> None:
        store.begin_operation(kind, actor="a", target="b", reason=None, now_ms=NOW_MS)
        assert [o.kind for o in store.operations(limit=10)] == [kind]

    def test_operations_are_listed_newest_first_in_pages(self, store: Store) -> None:
        made = [
            store.begin_operation(OperationKind.ENDPOINT_ADD, actor="a", target=str(i), reason=None, now_ms=NOW_MS - i)
            for i in range(7)
        ]
        read: list[OperationId] = []
        while page := store.operations(limit=3, before=read[-1] if read else None):
            read += [o.id for o in page]
        assert read == made[::-1]

    def test_hostile_words_of_an_operator_read_back(self, store: Store) -> None:
        words = "\x1b]0;x\x07'; DROP TABLE operations; --\n[link=http://x]\x00\U0001f480"
        id_ = store.begin_operation(
            OperationKind.ENDPOINT_PAUSE, actor=words, target=words, reason=words, now_ms=NOW_MS
        )
        store.progress_operation(id_, done=1, result=words, finished_at_ms=NOW_MS)
        (operation,) = store.operations(limit=1)
        assert {operation.actor, operation.target, operation.reason, operation.result} == {words}

    def test_bytes_that_are_no_text_are_refused_in_words(self, store: Store, backend: Backend) -> None:
        before = backend.contents()
        with pytest.raises(InvalidInputError, match="Unicode"):
            store.begin_operation(OperationKind.ENDPOINT_PAUSE, actor="a", target="b", reason="\udcff", now_ms=NOW_MS)
        with pytest.raises(InvalidInputError, match="Unicode"):
            store.find_endpoint("\udcff")
        assert backend.contents() == before
