from dataclasses import replace

from console.domain.change import Change
from console.domain.delivery import DeliveryState, Verdict
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.ids import EventId
from console.domain.operation import OperationKind, Outcomes
from console.domain.pacing import Pace
from console.domain.policy import Ordering
from console.domain.watcher import STALE_MS, Watcher
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    begin_bulk,
    cancel_matching,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    retry,
    start_engine,
)


class FollowingConformance:
    def test_what_came_of_a_retry(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        store.accept([make_event() for _ in range(6)], NOW_MS)
        attempt_all(store, epoch, failed())
        begun = begin_bulk(store, OperationKind.DELIVERY_RETRY)
        assert store.outcomes(begun.id) == Outcomes()
        plan = store.bulk_plan(begun.id)
        assert plan is not None
        assert plan.where.ids == ()
        store.advance_operation(begun.id, limit=100, now_ms=NOW_MS)
        assert store.outcomes(begun.id) == Outcomes(waiting=6)
        claimed = claim_all(store, epoch)
        assert store.outcomes(begun.id) == Outcomes(waiting=6)
        verdicts: tuple[Verdict, ...] = (delivered(), delivered(), failed(), retry(NOW_MS + 10**9))
        store.complete([make_completed(c, v) for c, v in zip(claimed, verdicts, strict=False)], epoch=epoch)
        assert store.outcomes(begun.id) == Outcomes(delivered=2, failed_again=2, waiting=2)

    def test_a_copy_is_linked_and_goes_elsewhere(self, store: Store) -> None:
        epoch = start_engine(store)
        endpoint = add_endpoint(store, types=("other.*",))
        store.accept([make_event(id=EventId("evt_a"))], NOW_MS)
        copies = [
            store.accept_for(make_event(copy_of=EventId("evt_a")), endpoint.id, NOW_MS, url=url).id
            for url in (None, "http://127.0.0.1:9/elsewhere")
        ]
        assert store.copies(EventId("evt_a"), limit=10) == copies[::-1]
        assert store.copies(EventId("evt_a"), limit=1) == copies[1:]
        assert [store.event(id_).copy_of for id_ in (EventId("evt_a"), *copies)] == [None, "evt_a", "evt_a"]
        urls = {d.event_id: d.url for d in store.deliveries(DeliveryFilter(), limit=10)}
        assert urls == {copies[0]: None, copies[1]: "http://127.0.0.1:9/elsewhere"}
        assert {c.event_id: c.url for c in claim_all(store, epoch)} == urls

    def test_the_head_of_a_line_and_what_follows_it(self, store: Store) -> None:
        epoch = start_engine(store)
        unordered = add_endpoint(store, name="any")
        fifo = add_endpoint(store, name="fifo", policy={"ordering": Ordering.FIFO, "order_key": "who"})
        assert store.first_in_line(fifo.id) is None
        store.accept([make_event(payload=b'{"who": %d}' % (n % 2)) for n in range(6)], NOW_MS)
        mine = sorted(d.id for d in store.deliveries(DeliveryFilter(endpoints=(fifo.id,)), limit=10))
        assert store.first_in_line(unordered.id) is None
        assert store.first_in_line(fifo.id) == mine[0]
        assert [d.id for d in store.behind(mine[0], limit=10)] == mine[2::2]
        assert [d.id for d in store.behind(mine[0], limit=1)] == mine[2:3]
        attempt_all(store, epoch, failed())
        assert store.first_in_line(fifo.id) == mine[0], "a failed one holds up what is behind it"

    def test_the_oldest_that_a_retry_would_move(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        retrying = OperationKind.DELIVERY_RETRY
        where = DeliveryFilter(states=(DeliveryState.FAILED,))
        assert store.oldest_movable(retrying, where) is None
        store.accept([make_event() for _ in range(4)], NOW_MS)
        claimed = claim_all(store, epoch)
        verdicts: tuple[Verdict, ...] = (delivered(), failed(), failed(), delivered())
        store.complete([make_completed(c, v) for c, v in zip(claimed, verdicts, strict=True)], epoch=epoch)
        ids = tuple(c.delivery_id for c in claimed)
        assert store.oldest_movable(retrying, where) == ids[1]
        assert store.oldest_movable(retrying, DeliveryFilter(ids=ids[2:])) == ids[2]
        assert store.oldest_movable(retrying, DeliveryFilter()) == ids[0]

    def test_paused_endpoints_are_found_when_their_time_comes(self, store: Store) -> None:
        first, second = (add_endpoint(store, name=name) for name in ("a", "b"))
        pace = Pace(per_s=5.0, ramp_s=60.0, since_ms=0)
        paused = EndpointState.PAUSED
        store.set_endpoint_state(first.id, paused, None, NOW_MS, resume_at_ms=NOW_MS + 20, resume_pace=pace)
        store.set_endpoint_state(second.id, paused, None, NOW_MS, resume_at_ms=NOW_MS + 10)
        assert store.resuming(NOW_MS + 9) == []
        assert [e.name for e in store.resuming(NOW_MS + 20)] == ["b", "a"]
        assert store.find_endpoint(first.id).resume_pace == pace
        for state in (EndpointState.ACTIVE, EndpointState.PAUSED):
            after = store.set_endpoint_state(first.id, state, None, NOW_MS)
            assert (after.resume_at_ms, after.resume_pace) == (None, None)
        store.remove_endpoint(second.id, NOW_MS)
        assert store.resuming(NOW_MS + 10**9) == []

    def test_a_change_is_kept_with_its_operation(self, store: Store) -> None:
        change = Change(subject="ep_1", before={"timeout_s": 5.0}, after={"timeout_s": 9.0}, hidden=("headers",))
        id_ = store.begin_operation(
            OperationKind.ENDPOINT_EDIT, actor="a", target="b", reason=None, now_ms=NOW_MS, change=change
        )
        assert store.operation(id_).change == store.operations(limit=1)[0].change == change
        assert store.bulk_plan(id_) is None

    def test_watchers_are_there_until_they_leave_or_are_not_seen(self, store: Store) -> None:
        ada = Watcher(id="1", actor="ada@box", place="Home", since_ms=NOW_MS, seen_at_ms=NOW_MS)
        bob = Watcher(id="2", actor="bob@box", place="Failures", since_ms=NOW_MS + 1, seen_at_ms=NOW_MS + 1)
        store.watch(ada)
        store.watch(bob)
        assert store.watchers(NOW_MS + 2) == [ada, bob]
        moved = replace(ada, place="Audit", seen_at_ms=NOW_MS + 10_000)
        store.watch(moved)
        assert store.watchers(NOW_MS + STALE_MS + 1) == [moved]
        store.unwatch("1")
        assert store.watchers(NOW_MS + 2) == [bob]

    def test_what_was_moved_on_by_another_operation_is_not_counted(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        store.accept([make_event() for _ in range(2)], NOW_MS)
        attempt_all(store, epoch, failed())
        begun = begin_bulk(store, OperationKind.DELIVERY_RETRY)
        store.advance_operation(begun.id, limit=100, now_ms=NOW_MS)
        ids = tuple(d.id for d in store.deliveries(DeliveryFilter(), limit=1))
        cancel_matching(store, DeliveryFilter(ids=ids))
        assert store.outcomes(begun.id) == Outcomes(waiting=1)
