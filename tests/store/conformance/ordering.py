"""Endpoints that want order: which delivery goes, and which wait."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import Endpoint
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId
from console.domain.operation import OperationKind
from console.domain.policy import DeliveryPolicy, Ordering
from console.domain.work import Claimed
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    begin_bulk,
    cancel_matching,
    claim_all,
    delivered,
    failed,
    gone,
    make_completed,
    make_event,
    make_spec,
    retry,
    retry_matching,
    start_engine,
)
from tests.store.backends import Backend

FIFO = {"ordering": Ordering.FIFO}
KEYED = {**FIFO, "order_key": "customer"}
LATER_MS = NOW_MS + 10_000
FAR_MS = NOW_MS + 10**9


def customers(names: str) -> list[NewEvent]:
    """An event for each letter, of the customer with that name."""
    return [make_event(payload=json.dumps({"customer": name}).encode()) for name in names]


def all_of(store: Store) -> list[Delivery]:
    """Oldest first."""
    return store.deliveries(DeliveryFilter(), limit=1000)[::-1]


def waiting(store: Store) -> list[int]:
    """Places (from 0, by age) of the deliveries that wait for another."""
    return [place for place, d in enumerate(all_of(store)) if d.blocked]


def claim(store: Store, epoch: int, now_ms: int = FAR_MS) -> list[Claimed]:
    return claim_all(store, epoch, now_ms=now_ms)


def end(store: Store, epoch: int, claimed: Sequence[Claimed], verdict: Any, now_ms: int = NOW_MS) -> None:
    store.complete([make_completed(c, verdict, now_ms=now_ms) for c in claimed], epoch=epoch)


def ids_of(claimed: Sequence[Claimed]) -> list[DeliveryId]:
    return sorted(c.delivery_id for c in claimed)


class OrderingConformance:
    def test_one_line_for_the_endpoint(self, store: Store) -> None:
        add_endpoint(store, policy=FIFO)
        store.accept(customers("abc"), NOW_MS)
        store.accept(customers("a"), NOW_MS)
        epoch = start_engine(store)
        expected = [d.id for d in all_of(store)]
        seen: list[DeliveryId] = []
        assert waiting(store) == [1, 2, 3]
        while claimed := claim(store, epoch):
            assert len(claimed) == 1
            assert claimed[0].ordered
            assert not claim(store, epoch), "nothing goes while the head is on the wire"
            seen += ids_of(claimed)
            end(store, epoch, claimed, delivered())
        assert seen == expected

    def test_keys_flow_beside_each_other(self, store: Store) -> None:
        add_endpoint(store, policy=KEYED)
        store.accept(customers("aabba"), NOW_MS)
        one, two, three, four, five = (d.id for d in all_of(store))
        epoch = start_engine(store)
        first = claim(store, epoch)
        assert ids_of(first) == [one, three]
        end(store, epoch, [c for c in first if c.delivery_id == three], delivered())
        second = claim(store, epoch)
        assert ids_of(second) == [four]
        end(store, epoch, second + [c for c in first if c.delivery_id == one], delivered())
        assert ids_of(claim(store, epoch)) == [two]
        assert waiting(store) == [4]
        assert five

    def test_a_retry_keeps_its_place_and_its_wait(self, store: Store) -> None:
        endpoint = add_endpoint(store, policy=KEYED)
        store.accept(customers("ab"), NOW_MS)
        store.accept(customers("a"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch, NOW_MS), retry(LATER_MS))
        assert not claim(store, epoch, LATER_MS - 1)
        assert store.next_due([endpoint.seq]) == {endpoint.seq: LATER_MS}
        assert ids_of(claim(store, epoch, LATER_MS)) == [d.id for d in all_of(store)[:2]]

    def test_what_waits_for_another_is_no_work(self, store: Store) -> None:
        endpoint = add_endpoint(store, policy=FIFO)
        store.accept(customers("ab"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), failed())
        assert store.next_due([endpoint.seq]) == {}
        second = all_of(store)[1]
        assert (second.state, second.blocked, second.next_attempt_at_ms) == (DeliveryState.PENDING, True, None)
        assert store.gauges()[endpoint.id].pending == 1

    def test_a_failed_head_blocks_its_key_only_until_it_is_skipped(self, store: Store) -> None:
        add_endpoint(store, policy=KEYED)
        store.accept(customers("aabb"), NOW_MS)
        epoch = start_engine(store)
        first = claim(store, epoch)
        head = first[0].delivery_id
        end(store, epoch, first[:1], failed())
        end(store, epoch, first[1:], delivered())
        assert ids_of(claim(store, epoch)) == [all_of(store)[3].id]
        assert cancel_matching(store, DeliveryFilter(ids=(head,)), now_ms=LATER_MS) == 1
        assert ids_of(claim(store, epoch)) == [all_of(store)[1].id]

    def test_a_failed_head_that_is_retried_goes_first(self, store: Store) -> None:
        add_endpoint(store, policy=FIFO)
        store.accept(customers("abc"), NOW_MS)
        epoch = start_engine(store)
        first = claim(store, epoch)
        end(store, epoch, first, failed())
        store.accept(customers("d"), NOW_MS)
        assert retry_matching(store, now_ms=LATER_MS) == 4, "asking for all of them does not mix them up"
        again = claim(store, epoch)
        assert ids_of(again) == ids_of(first)
        end(store, epoch, again, delivered())
        assert ids_of(claim(store, epoch)) == [all_of(store)[1].id]

    def test_a_skip_taken_back_goes_before_those_behind_it(self, store: Store) -> None:
        add_endpoint(store, policy=FIFO)
        store.accept(customers("abc"), NOW_MS)
        epoch = start_engine(store)
        head, second, _ = (d.id for d in all_of(store))
        skip = begin_bulk(store, OperationKind.DELIVERY_SKIP, DeliveryFilter(ids=(head,)))
        store.advance_operation(skip.id, limit=10, now_ms=NOW_MS)
        assert waiting(store) == [2]
        undo = begin_bulk(store, OperationKind.DELIVERY_UNDO, undoes=skip.id)
        store.advance_operation(undo.id, limit=10, now_ms=NOW_MS)
        assert waiting(store) == [1, 2]
        assert ids_of(claim(store, epoch)) == [head]
        assert second

    def test_a_skip_taken_back_waits_for_what_is_on_the_wire(self, store: Store) -> None:
        add_endpoint(store, policy=FIFO)
        store.accept(customers("abc"), NOW_MS)
        epoch = start_engine(store)
        head, second, third = (d.id for d in all_of(store))
        cancel_matching(store, DeliveryFilter(ids=(head,)))
        sent = claim(store, epoch)
        assert ids_of(sent) == [second]
        retry_matching(store, DeliveryFilter(ids=(head,)))
        assert not claim(store, epoch)
        end(store, epoch, sent, retry(NOW_MS))
        sent = claim(store, epoch)
        assert ids_of(sent) == [head]
        end(store, epoch, sent, delivered())
        sent = claim(store, epoch)
        assert ids_of(sent) == [second]
        end(store, epoch, sent, delivered())
        assert ids_of(claim(store, epoch)) == [third]

    def test_what_was_delivered_is_sent_again_at_once_and_blocks_nothing(self, store: Store) -> None:
        add_endpoint(store, policy=FIFO)
        store.accept(customers("abc"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), delivered())
        first, second, _ = (d.id for d in all_of(store))
        for _ in range(2):  # asked for twice, it still stands in no line
            retry_matching(store, DeliveryFilter(ids=(first,)))
        both = claim(store, epoch)
        assert ids_of(both) == [first, second]
        end(store, epoch, [c for c in both if c.delivery_id == first], failed())
        end(store, epoch, [c for c in both if c.delivery_id == second], delivered())
        assert waiting(store) == []

    @pytest.mark.parametrize("exhausted", [True, False])
    def test_after_a_crash_the_head_is_still_the_head(self, store: Store, exhausted: bool) -> None:
        add_endpoint(store, policy={**FIFO, "schedule_s": (0.0,) if exhausted else (0.0, 5.0)})
        store.accept(customers("ab"), NOW_MS)
        claim(store, start_engine(store))
        epoch = start_engine(store)
        store.recover(epoch=epoch, now_ms=LATER_MS)
        assert waiting(store) == [1]
        assert ids_of(claim(store, epoch)) == ([] if exhausted else [all_of(store)[0].id])

    def test_gone_disables_and_keeps_the_line(self, store: Store) -> None:
        add_endpoint(store, policy=FIFO)
        store.accept(customers("ab"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), gone())
        assert waiting(store) == [1]
        assert all_of(store)[1].held

    def test_a_removed_endpoint_keeps_nobody_waiting(self, store: Store, backend: Backend) -> None:
        endpoint = add_endpoint(store, policy=FIFO)
        store.accept(customers("abc"), NOW_MS)
        epoch = start_engine(store)
        sent = claim(store, epoch)
        assert store.remove_endpoint(endpoint.id, NOW_MS) == 2
        end(store, epoch, sent, retry(LATER_MS))
        store.tidy(epoch=epoch, now_ms=LATER_MS)
        assert {d.state for d in all_of(store)} == {DeliveryState.CANCELLED}
        backend.assert_counted_right(store)

    def test_a_test_event_goes_past_the_line(self, store: Store) -> None:
        endpoint = add_endpoint(store, policy=FIFO)
        store.accept(customers("a"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), failed())
        store.accept_for(make_event(source="test"), endpoint.id, NOW_MS)
        assert ids_of(claim(store, epoch)) == [all_of(store)[1].id]

    def test_the_first_wait_of_the_schedule_is_kept(self, store: Store) -> None:
        add_endpoint(store, policy={**FIFO, "schedule_s": (20.0, 5.0)})
        store.accept(customers("a"), NOW_MS)
        store.accept(customers("b"), LATER_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), delivered(), now_ms=NOW_MS + 20_000)
        assert all_of(store)[1].next_attempt_at_ms == LATER_MS + 20_000

    def test_an_endpoint_without_order_knows_no_lines(self, store: Store) -> None:
        add_endpoint(store)
        store.accept(customers("aa"), NOW_MS)
        claimed = claim(store, start_engine(store))
        assert [c.ordered for c in claimed] == [False, False]


def edit(store: Store, endpoint: Endpoint, **policy: Any) -> None:
    store.edit_endpoint(endpoint.id, make_spec(policy=policy), LATER_MS)


class ReorderingConformance:
    def test_order_asked_for_later_orders_what_is_pending(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept(customers("aab"), NOW_MS)
        edit(store, endpoint, **FIFO)
        assert waiting(store) == [1, 2]
        edit(store, endpoint, **KEYED)
        assert waiting(store) == [1]
        edit(store, endpoint)
        assert waiting(store) == []
        epoch = start_engine(store)
        assert [c.ordered for c in claim(store, epoch)] == [False] * 3

    def test_what_failed_before_order_was_asked_for_blocks_nothing(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept(customers("ab"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), failed())
        edit(store, endpoint, **FIFO)
        store.accept(customers("c"), NOW_MS)
        assert waiting(store) == []

    def test_a_failed_head_blocks_under_its_new_key_too(self, store: Store) -> None:
        endpoint = add_endpoint(store, policy=FIFO)
        store.accept(customers("a"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), failed())
        store.accept(customers("ab"), NOW_MS)
        edit(store, endpoint, **KEYED)
        assert waiting(store) == [1]

    def test_a_waiting_head_keeps_its_wait(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept(customers("ab"), NOW_MS)
        epoch = start_engine(store)
        end(store, epoch, claim(store, epoch), retry(LATER_MS))
        edit(store, endpoint, **FIFO)
        assert [d.next_attempt_at_ms for d in all_of(store)] == [LATER_MS, None]

    @pytest.mark.parametrize("first", [0, 1])
    def test_what_was_on_the_wire_at_the_change_comes_back_in_order(self, store: Store, first: int) -> None:
        endpoint = add_endpoint(store)
        store.accept(customers("aa"), NOW_MS)
        epoch = start_engine(store)
        sent = claim(store, epoch)
        edit(store, endpoint, **FIFO)
        store.accept(customers("b"), NOW_MS)
        since = store.newest_nudge()
        end(store, epoch, [sent[first]], retry(LATER_MS))
        assert not claim(store, epoch), "the other one is on the wire"
        end(store, epoch, [sent[1 - first]], retry(LATER_MS))
        assert waiting(store) == [1, 2]
        assert store.nudged(since).owed == {endpoint.seq}, "the engine does not know that these stand in a line"
        assert ids_of(claim(store, epoch)) == [all_of(store)[0].id]

    def test_the_default_policy_orders_too(self, store: Store) -> None:
        add_endpoint(store)
        own = add_endpoint(store, name="own", policy=FIFO)
        store.accept(customers("ab"), NOW_MS)
        before = [d.endpoint_id for d in all_of(store) if d.blocked]
        assert before == [own.id]
        store.set_policy_defaults(DeliveryPolicy(ordering=Ordering.FIFO), LATER_MS)
        assert len(waiting(store)) == 2
        store.set_policy_defaults(DeliveryPolicy(), LATER_MS)
        assert [d.endpoint_id for d in all_of(store) if d.blocked] == [own.id]

    def test_what_was_given_up_before_the_change_finds_its_line(self, store: Store) -> None:
        endpoint = add_endpoint(store, policy=KEYED)
        store.accept(customers("ab"), NOW_MS)
        cancel_matching(store)
        edit(store, endpoint, **FIFO)
        retry_matching(store, now_ms=LATER_MS)
        assert waiting(store) == [1]
        cancel_matching(store)
        edit(store, endpoint)
        undone = store.operations(limit=1)[0]
        undo = begin_bulk(store, OperationKind.DELIVERY_UNDO, undoes=undone.id)
        store.advance_operation(undo.id, limit=10, now_ms=LATER_MS)
        assert waiting(store) == []
        assert len(claim(store, start_engine(store))) == 2
