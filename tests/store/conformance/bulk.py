"""Operations that move deliveries in pieces: each once, however often interrupted; and undoing them."""

from collections.abc import Sequence

import pytest

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import Endpoint
from console.domain.errors import UnknownReferenceError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EventId, OperationId
from console.domain.operation import BURST_MS, Operation, OperationKind
from console.domain.policy import Ordering
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
    retry_matching,
    start_engine,
)
from tests.store.backends import Backend
from tests.store.worlds import rolled_back

RETRY, CANCEL, SKIP, UNDO = (
    OperationKind.DELIVERY_RETRY,
    OperationKind.DELIVERY_CANCEL,
    OperationKind.DELIVERY_SKIP,
    OperationKind.DELIVERY_UNDO,
)
FAILED = DeliveryFilter(states=(DeliveryState.FAILED,))
PENDING = DeliveryFilter(states=(DeliveryState.PENDING,))
LATER_MS = NOW_MS + 10**6
HOUR_MS = 3_600_000


def every_delivery(store: Store) -> list[Delivery]:
    """Oldest first."""
    return store.deliveries(DeliveryFilter(), limit=10_000)[::-1]


def in_state(store: Store, *states: DeliveryState) -> list[DeliveryId]:
    return [d.id for d in every_delivery(store) if d.state in states]


def shown(store: Store) -> list[tuple[object, ...]]:
    """What an undo brings back."""
    return [(d.id, d.state, d.next_attempt_at_ms, d.schedule_step, d.manual, d.attempts) for d in every_delivery(store)]


def fail_some(store: Store, count: int) -> int:
    """An endpoint that owes so many failed deliveries. Returns the epoch of an engine."""
    add_endpoint(store)
    store.accept([make_event() for _ in range(count)], NOW_MS)
    epoch = start_engine(store)
    attempt_all(store, epoch, failed())
    return epoch


def to_its_end(store: Store, operation: Operation, *, limit: int = 1000, now_ms: int = LATER_MS) -> Operation:
    for _ in range(1000):
        if not operation.is_open:
            return operation
        operation = store.advance_operation(operation.id, limit=limit, now_ms=now_ms)
    raise AssertionError("it does not end")


def undo(store: Store, undone: Operation | OperationId) -> int:
    """Take an operation back. Returns for how many deliveries."""
    id_ = undone.id if isinstance(undone, Operation) else undone
    return to_its_end(store, begin_bulk(store, UNDO, undoes=id_)).done


class BulkConformance:
    def test_beginning_moves_nothing_and_counts(self, store: Store) -> None:
        fail_some(store, 5)
        before = every_delivery(store)
        begun = begin_bulk(store, RETRY, FAILED, actor="ada@box", target="state:failed", reason="outage over")
        assert every_delivery(store) == before
        assert (begun.kind, begun.actor, begun.target, begun.reason) == (
            RETRY,
            "ada@box",
            "state:failed",
            "outage over",
        )
        assert (begun.done, begun.total, begun.is_open, begun.result, begun.rate_per_s) == (0, 5, True, None, None)
        assert store.operation(begun.id) == begun
        assert store.operations(limit=10) == store.open_operations() == [begun]

    @pytest.mark.parametrize("kind", [RETRY, CANCEL, SKIP])
    @pytest.mark.parametrize("limit", [1, 2, 7, 20, 21])
    def test_in_pieces_each_delivery_is_moved_once_oldest_first(
        self, store: Store, backend: Backend, kind: OperationKind, limit: int
    ) -> None:
        add_endpoint(store)
        store.accept([make_event() for _ in range(20)], NOW_MS)
        operation = begin_bulk(store, kind, PENDING)  # a retry leaves them matching
        moved: list[DeliveryId] = []
        while operation.is_open:
            now_ms = LATER_MS + len(moved)
            operation = store.advance_operation(operation.id, limit=limit, now_ms=now_ms)
            newly = [d.id for d in every_delivery(store) if d.updated_at_ms == now_ms]
            assert newly == sorted(newly)
            assert 0 < len(newly) <= limit
            moved += newly
            assert operation.done == len(moved)
        assert moved == [d.id for d in every_delivery(store)]
        assert (operation.result, operation.finished_at_ms) == ("20 deliveries", now_ms)
        assert store.open_operations() == []
        backend.assert_counted_right(store)

    def test_with_nothing_to_move_it_has_ended_when_it_begins(self, store: Store) -> None:
        fail_some(store, 3)
        begun = begin_bulk(store, CANCEL, DeliveryFilter(states=(DeliveryState.DELIVERED,)))
        assert (begun.total, begun.is_open, begun.result, begun.finished_at_ms) == (0, False, "0 deliveries", NOW_MS)
        assert store.open_operations() == []

    @pytest.mark.parametrize("limit", [1, 3, 100])
    def test_the_deliveries_of_some_endpoints_oldest_first(self, store: Store, limit: int) -> None:
        a, b, c = (add_endpoint(store, name=name) for name in "abc")
        epoch = start_engine(store)
        for _ in range(4):
            store.accept([make_event()], NOW_MS)
            claimed = claim_all(store, epoch, a, b, limit=1)
            store.complete([make_completed(one, failed()) for one in claimed], epoch=epoch)
            store.accept([make_event()], NOW_MS)
        operation = begin_bulk(store, SKIP, DeliveryFilter(endpoints=(b.id, a.id)))
        assert operation.total == 16
        moved: list[DeliveryId] = []
        while operation.is_open:
            operation = store.advance_operation(operation.id, limit=limit, now_ms=LATER_MS + len(moved))
            moved += [d.id for d in every_delivery(store) if d.updated_at_ms == LATER_MS + len(moved)]
        assert moved == [d.id for d in every_delivery(store) if d.endpoint_id != c.id]

    def test_few_that_match_among_many_are_found(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event(type="lead" if i % 40 == 39 else "invoice") for i in range(200)], NOW_MS)
        operation = begin_bulk(store, CANCEL, DeliveryFilter(type_pattern="lead"))
        assert operation.total == 5
        assert to_its_end(store, operation, limit=1).done == 5
        assert in_state(store, DeliveryState.CANCELLED) == [40, 80, 120, 160, 200]

    def test_ids_that_are_far_apart(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event() for _ in range(100)], NOW_MS)
        ids = tuple(DeliveryId(i) for i in (99, 3, 3, 50, 10**9, 7))
        operation = begin_bulk(store, CANCEL, DeliveryFilter(ids=ids))
        assert operation.total == 4
        assert to_its_end(store, operation, limit=1).done == 4
        assert in_state(store, DeliveryState.CANCELLED) == [3, 7, 50, 99]

    def test_ids_that_nothing_has_are_not_everything(self, store: Store) -> None:
        fail_some(store, 3)
        assert cancel_matching(store, DeliveryFilter(ids=(DeliveryId(10**9),))) == 0
        assert len(in_state(store, DeliveryState.FAILED)) == 3

    def test_the_deliveries_of_an_event(self, store: Store) -> None:
        for name in ("a", "b", "c"):
            add_endpoint(store, name=name)
        store.accept([make_event(id=EventId(f"evt_{i}")) for i in range(4)], NOW_MS)
        operation = begin_bulk(store, CANCEL, DeliveryFilter(event_id=EventId("evt_2")))
        assert to_its_end(store, operation, limit=1).done == 3
        assert {d.event_id for d in every_delivery(store) if d.state == "cancelled"} == {"evt_2"}

    def test_what_comes_after_the_beginning_is_left_alone(self, store: Store, backend: Backend) -> None:
        """New events, failures of what was pending or being sent, and failures again of what was made due."""
        endpoint = add_endpoint(store)
        store.accept([make_event() for _ in range(6)], NOW_MS)
        epoch = start_engine(store)
        early = claim_all(store, epoch, limit=3)
        store.complete([make_completed(c, failed()) for c in early[:2]], epoch=epoch)
        operation = begin_bulk(store, RETRY, FAILED)
        assert operation.total == 2
        store.complete([make_completed(early[2], failed())], epoch=epoch)
        store.accept([make_event() for _ in range(3)], NOW_MS)
        attempt_all(store, epoch, failed())
        operation = store.advance_operation(operation.id, limit=1, now_ms=LATER_MS)
        (again,) = claim_all(store, epoch, endpoint, now_ms=LATER_MS)
        store.complete([make_completed(again, failed())], epoch=epoch)
        ended = to_its_end(store, operation, limit=1)
        assert (ended.done, ended.result) == (2, "2 deliveries")
        assert in_state(store, DeliveryState.PENDING) == [early[1].delivery_id]
        backend.assert_counted_right(store)

    def test_what_has_changed_meanwhile_is_said(self, store: Store) -> None:
        fail_some(store, 5)
        operation = begin_bulk(store, RETRY, FAILED)
        cancel_matching(store, DeliveryFilter(ids=(DeliveryId(2),)))
        ended = to_its_end(store, operation)
        assert (ended.done, ended.result) == (4, "4 deliveries; 1 had changed meanwhile")

    @pytest.mark.parametrize("kind", [RETRY, CANCEL])
    def test_a_piece_that_fails_is_made_again(self, store: Store, backend: Backend, kind: OperationKind) -> None:
        fail_some(store, 10)
        operation = begin_bulk(store, kind, FAILED)
        store.advance_operation(operation.id, limit=4, now_ms=LATER_MS)
        before = backend.contents()
        with rolled_back(store):
            store.advance_operation(operation.id, limit=4, now_ms=LATER_MS)
        assert backend.contents() == before
        assert to_its_end(store, operation, limit=4).done == 10
        backend.assert_counted_right(store)

    def test_several_may_carry_it_on(self, store: Store, backend: Backend) -> None:
        fail_some(store, 30)
        operation = begin_bulk(store, RETRY, FAILED)
        others = [store, backend.open(), backend.open()]
        for turn in range(30):
            operation = others[turn % 3].advance_operation(operation.id, limit=1 + turn % 2, now_ms=LATER_MS + turn)
            if not operation.is_open:
                break
        assert operation.done == 30
        assert in_state(store, DeliveryState.FAILED) == []
        backend.assert_counted_right(store)

    def test_one_that_is_ended_stays_where_it_is(self, store: Store, backend: Backend) -> None:
        fail_some(store, 10)
        operation = begin_bulk(store, RETRY, FAILED)
        store.advance_operation(operation.id, limit=4, now_ms=LATER_MS)
        ended = store.cancel_operation(operation.id, actor="bob@box", now_ms=LATER_MS + 1)
        assert (ended.cancelled_by, ended.done, ended.total) == ("bob@box", 4, 10)
        assert (ended.result, ended.finished_at_ms) == ("stopped after 4 of 10 deliveries", LATER_MS + 1)
        before = backend.contents()
        assert store.advance_operation(operation.id, limit=4, now_ms=LATER_MS + 2) == ended
        assert store.cancel_operation(operation.id, actor="eve@box", now_ms=LATER_MS + 3) == ended
        assert backend.contents() == before
        assert len(in_state(store, DeliveryState.PENDING)) == 4
        assert store.open_operations() == []

    def test_what_is_no_bulk_operation_is_answered_as_it_is(self, store: Store) -> None:
        id_ = store.begin_operation(OperationKind.ENDPOINT_PAUSE, actor="a", target="b", reason=None, now_ms=NOW_MS)
        (pause,) = store.operations(limit=1)
        assert store.advance_operation(id_, limit=4, now_ms=LATER_MS) == pause
        assert store.cancel_operation(id_, actor="a", now_ms=LATER_MS) == pause
        assert store.open_operations() == []

    def test_an_unknown_one_is_refused_by_name(self, store: Store) -> None:
        unknown = OperationId(9)
        with pytest.raises(UnknownReferenceError, match="op_000009"):
            store.operation(unknown)
        with pytest.raises(UnknownReferenceError, match="op_000009"):
            store.advance_operation(unknown, limit=1, now_ms=NOW_MS)
        with pytest.raises(UnknownReferenceError, match="op_000009"):
            store.cancel_operation(unknown, actor="a", now_ms=NOW_MS)

    def test_a_rate_is_kept(self, store: Store) -> None:
        fail_some(store, 40)
        operation = begin_bulk(store, RETRY, FAILED, rate_per_s=10.0)
        assert operation.rate_per_s == 10.0
        done = []
        for tick in range(31):
            operation = store.advance_operation(operation.id, limit=1000, now_ms=NOW_MS + tick * 50)
            done.append(operation.done)
        assert done == [1 + tick // 2 for tick in range(31)]
        assert operation.is_open

    def test_time_in_which_nobody_carried_it_on_releases_no_flood(self, store: Store) -> None:
        fail_some(store, 200)
        operation = begin_bulk(store, RETRY, FAILED, rate_per_s=100.0)
        store.advance_operation(operation.id, limit=1000, now_ms=NOW_MS)
        at_once = store.advance_operation(operation.id, limit=1000, now_ms=NOW_MS + 5 * HOUR_MS).done
        assert at_once == 1 + 1 + BURST_MS * 100 / 1000
        back = store.advance_operation(operation.id, limit=1000, now_ms=NOW_MS)
        assert back.done <= at_once + 1 + BURST_MS * 100 / 1000, "a clock that was set back"
        assert store.advance_operation(operation.id, limit=1000, now_ms=NOW_MS + 100).done == back.done + 10

    def test_the_last_one_ends_a_slow_operation(self, store: Store) -> None:
        fail_some(store, 1)
        operation = begin_bulk(store, RETRY, FAILED, rate_per_s=1 / 3600)
        assert not store.advance_operation(operation.id, limit=10, now_ms=NOW_MS).is_open


class UndoConformance:
    @pytest.mark.parametrize("kind", [CANCEL, SKIP])
    def test_what_was_cancelled_is_as_it_was(self, store: Store, backend: Backend, kind: OperationKind) -> None:
        """Pending at any step, waiting for a retry, asked for by hand, and failed."""
        add_endpoint(store, policy={"schedule_s": (0.0, 5.0, 60.0)})
        epoch = start_engine(store)
        for verdict in (failed(), retry(NOW_MS + HOUR_MS), retry(NOW_MS + 77)):
            store.accept([make_event(), make_event()], NOW_MS)
            attempt_all(store, epoch, verdict)
        retry_matching(store, DeliveryFilter(ids=(DeliveryId(1), DeliveryId(3))), now_ms=NOW_MS + 5)
        store.accept([make_event()], NOW_MS + 9)
        before = shown(store)
        operation = to_its_end(store, begin_bulk(store, kind), limit=2)
        assert in_state(store, DeliveryState.CANCELLED) == list(range(1, 8))
        assert store.count_undoable(operation.id) == 7
        assert undo(store, operation) == 7
        assert shown(store) == before
        assert store.count_undoable(operation.id) == 0
        assert undo(store, operation) == 0
        backend.assert_counted_right(store)

    def test_what_was_retried_and_not_tried_is_as_it_was(self, store: Store, backend: Backend) -> None:
        endpoint = add_endpoint(store, policy={"schedule_s": (0.0, 5.0, 60.0)})
        epoch = start_engine(store)
        for verdict in (failed(), retry(NOW_MS + HOUR_MS), delivered()):
            store.accept([make_event(), make_event()], NOW_MS)
            attempt_all(store, epoch, verdict)
        store.accept([make_event(), make_event()], NOW_MS)
        cancel_matching(store, DeliveryFilter(ids=(DeliveryId(7), DeliveryId(8))))
        before = shown(store)
        operation = to_its_end(store, begin_bulk(store, RETRY), limit=3)
        assert len(in_state(store, DeliveryState.PENDING)) == 8
        tried = claim_all(store, epoch, endpoint, now_ms=LATER_MS, limit=3)
        store.complete([make_completed(tried[0], delivered()), make_completed(tried[1], retry(LATER_MS))], epoch=epoch)
        assert store.count_undoable(operation.id) == undo(store, operation) == 5
        left = {c.delivery_id for c in tried}
        assert [row for row in shown(store) if row[0] not in left] == [row for row in before if row[0] not in left]
        states = [d.state for d in every_delivery(store) if d.id in left]
        assert sorted(states) == ["delivered", "pending", "sending"]
        backend.assert_counted_right(store)

    def test_two_retries_before_the_try_are_one(self, store: Store) -> None:
        fail_some(store, 3)
        before = shown(store)
        first = to_its_end(store, begin_bulk(store, RETRY, FAILED))
        second = to_its_end(store, begin_bulk(store, RETRY, PENDING), now_ms=LATER_MS + 5)
        assert undo(store, first) == 0, "the second one has them now"
        assert undo(store, second) == 3
        assert shown(store) == before

    def test_what_a_later_operation_has_changed_is_left_alone(self, store: Store) -> None:
        fail_some(store, 6)
        first = to_its_end(store, begin_bulk(store, CANCEL))
        retry_matching(store, DeliveryFilter(ids=(DeliveryId(1), DeliveryId(2))))
        cancel_matching(store, DeliveryFilter(ids=(DeliveryId(2),)))
        assert undo(store, first) == 4
        assert in_state(store, DeliveryState.CANCELLED) == [2]
        assert in_state(store, DeliveryState.PENDING) == [1]

    def test_of_one_that_was_ended_what_it_did(self, store: Store) -> None:
        fail_some(store, 6)
        operation = begin_bulk(store, CANCEL)
        store.advance_operation(operation.id, limit=4, now_ms=LATER_MS)
        store.cancel_operation(operation.id, actor="a", now_ms=LATER_MS)
        assert undo(store, operation) == 4
        assert len(in_state(store, DeliveryState.FAILED)) == 6

    def test_an_undo_is_paced_cut_and_carried_on_as_any(self, store: Store) -> None:
        fail_some(store, 6)
        operation = to_its_end(store, begin_bulk(store, CANCEL))
        begun = begin_bulk(store, UNDO, undoes=operation.id, rate_per_s=10.0)
        assert begun.total == 6
        assert store.advance_operation(begun.id, limit=10, now_ms=NOW_MS).done == 1
        assert store.advance_operation(begun.id, limit=10, now_ms=NOW_MS + 200).done == 3
        store.cancel_operation(begun.id, actor="a", now_ms=LATER_MS)
        assert undo(store, operation) == 3
        assert len(in_state(store, DeliveryState.FAILED)) == 6

    def test_what_a_removed_endpoint_was_owed_stays_cancelled(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        operation = to_its_end(store, begin_bulk(store, CANCEL))
        store.remove_endpoint(endpoint.id, NOW_MS)
        assert undo(store, operation) == 0
        assert len(in_state(store, DeliveryState.CANCELLED)) == 1

    def test_what_is_due_again_nudges_the_engine(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        operation = to_its_end(store, begin_bulk(store, SKIP))
        since = store.newest_nudge()
        undo(store, operation)
        assert store.nudged(since).owed == {endpoint.seq}
        assert len(claim_all(store, start_engine(store))) == 1


class LinesConformance:
    """Of an endpoint that wants order, what an operator does to one delivery counts for those behind it."""

    def ordered(self, store: Store) -> tuple[Endpoint, int]:
        endpoint = add_endpoint(store, policy={"ordering": Ordering.FIFO, "schedule_s": (0.0,)})
        store.accept([make_event() for _ in range(4)], NOW_MS)
        return endpoint, start_engine(store)

    def sent(self, store: Store, epoch: int, *endpoints: Endpoint) -> Sequence[DeliveryId]:
        return [c.delivery_id for c in claim_all(store, epoch, *endpoints, now_ms=LATER_MS)]

    def test_a_failing_head_that_is_skipped_lets_the_next_go(self, store: Store, backend: Backend) -> None:
        endpoint, epoch = self.ordered(store)
        attempt_all(store, epoch, failed())
        assert self.sent(store, epoch) == []
        operation = to_its_end(store, begin_bulk(store, SKIP, DeliveryFilter(ids=(DeliveryId(1),))))
        assert operation.done == 1
        assert self.sent(store, epoch, endpoint) == [2]
        backend.assert_counted_right(store)

    def test_a_skip_that_is_undone_puts_the_head_back(self, store: Store) -> None:
        _, epoch = self.ordered(store)
        operation = to_its_end(store, begin_bulk(store, SKIP, DeliveryFilter(ids=(DeliveryId(1), DeliveryId(2)))))
        assert store.next_due([1]) == {1: LATER_MS}
        assert undo(store, operation) == 2
        assert self.sent(store, epoch) == [1]

    def test_a_retry_of_the_head_that_is_undone_blocks_again(self, store: Store) -> None:
        _, epoch = self.ordered(store)
        attempt_all(store, epoch, failed())
        operation = to_its_end(store, begin_bulk(store, RETRY, FAILED))
        assert undo(store, operation) == 1
        assert self.sent(store, epoch) == []

    def test_a_line_that_is_cancelled_and_put_back_goes_in_order(self, store: Store) -> None:
        _, epoch = self.ordered(store)
        operation = to_its_end(store, begin_bulk(store, CANCEL), limit=1)
        assert self.sent(store, epoch) == []
        assert to_its_end(store, begin_bulk(store, UNDO, undoes=operation.id), limit=1).done == 4
        order = []
        while claimed := claim_all(store, epoch, now_ms=LATER_MS + HOUR_MS):
            order += [c.delivery_id for c in claimed]
            store.complete([make_completed(c, delivered(), now_ms=LATER_MS) for c in claimed], epoch=epoch)
        assert order == [1, 2, 3, 4]
