"""Bulk operations amid everything else, dying and carried on by others, in any order.

For each operation it is known what it must move (what matched when it began, and nobody changed since) and what it may
(what matches when it comes to it, was there when it began, and for a retry was not tried since).
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings

from console.domain.delivery import RETRYABLE, Delivery, DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId
from console.domain.operation import Operation, OperationKind
from console.domain.work import Claimed
from console.store import open_store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    begin_bulk,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    retry,
    start_engine,
)
from tests.store import recount
from tests.store.worlds import rolled_back

RETRY, UNDO = OperationKind.DELIVERY_RETRY, OperationKind.DELIVERY_UNDO
MOVING = (RETRY, OperationKind.DELIVERY_CANCEL, OperationKind.DELIVERY_SKIP)
CANCELLABLE = frozenset({DeliveryState.PENDING, DeliveryState.FAILED})
CHOICES = (
    (DeliveryState.PENDING,),
    (DeliveryState.FAILED,),
    (DeliveryState.PENDING, DeliveryState.FAILED),
    (DeliveryState.CANCELLED, DeliveryState.DELIVERED),
    tuple(DeliveryState),
)
Was = tuple[DeliveryState, int | None, bool]


@dataclass(slots=True)
class Begun:
    """One operation, and what a test knows of it."""

    operation: Operation
    states: frozenset[DeliveryState]
    seen: dict[DeliveryId, Delivery]
    """Every delivery as it was at the beginning."""
    must: set[DeliveryId]
    undoes: "Begun | None" = None
    moved: dict[DeliveryId, Was] = field(default_factory=dict)
    """What each was before it was moved."""
    holds: dict[DeliveryId, Delivery] = field(default_factory=dict)
    """What is still as it left it."""


class Life:
    """One store, and what was done to it."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.stores = [stack.enter_context(closing(open_store(path))) for _ in range(2)]
        self.store = self.stores[0]
        self.now_ms = NOW_MS
        self.begun: list[Begun] = []
        self.in_flight: list[Claimed] = []
        self.epoch = start_engine(self.store)
        add_endpoint(self.store, policy={"schedule_s": (0.0, 5.0)})
        self.accept(6)

    # --- everything else

    def accept(self, number: int) -> None:
        self.store.accept([make_event() for _ in range(1 + number % 6)], self.now_ms)

    def claim(self, number: int) -> None:
        self.now_ms += 10_000
        before = self.everything()
        self.in_flight += claim_all(self.store, self.epoch, now_ms=self.now_ms, limit=1 + number % 6)
        self.others_changed(before)

    def complete(self, number: int) -> None:
        before = self.everything()
        count = 1 + number % 6
        ended, self.in_flight = self.in_flight[:count], self.in_flight[count:]
        verdict = (delivered(), failed(), failed(), retry(self.now_ms + 5000))[number % 4]
        self.store.complete([make_completed(c, verdict, now_ms=self.now_ms) for c in ended], epoch=self.epoch)
        self.others_changed(before)

    def the_engine_dies(self, number: int) -> None:
        before = self.everything()
        self.epoch = start_engine(self.store, now_ms=self.now_ms)
        self.store.recover(epoch=self.epoch, now_ms=self.now_ms)
        self.in_flight = []
        self.others_changed(before)

    # --- operations

    def begin(self, number: int) -> None:
        kind, states = (RETRY, *MOVING)[number % 4], CHOICES[number % 5]
        possible = frozenset(states) & (RETRYABLE if kind is RETRY else CANCELLABLE)
        seen = self.everything()
        operation = begin_bulk(self.store, kind, DeliveryFilter(states=states), now_ms=self.now_ms)
        must = {id_ for id_, d in seen.items() if d.state in possible}
        assert operation.total == len(must)
        self.begun.append(Begun(operation, possible, seen, must))

    def begin_undo(self, number: int) -> None:
        done = [one for one in self.begun if not one.operation.is_open and one.operation.kind in MOVING]
        if not done:
            return
        undone = done[number % len(done)]
        seen = self.everything()
        operation = begin_bulk(self.store, UNDO, undoes=undone.operation.id, now_ms=self.now_ms)
        must = {id_ for id_ in undone.holds if seen[id_].state in (DeliveryState.CANCELLED, DeliveryState.PENDING)}
        assert operation.total == self.store.count_undoable(undone.operation.id) == len(must)
        self.begun.append(Begun(operation, frozenset(DeliveryState), seen, must, undone))

    def advance(self, number: int) -> None:
        if not self.open():
            return
        one = self.open()[number % len(self.open())]
        before = self.everything()
        store, limit = self.stores[number % 2], 1 + number % 5
        if number % 7 == 0:  # the process dies before the commit
            with rolled_back(store):
                store.advance_operation(one.operation.id, limit=limit, now_ms=self.now_ms)
            assert self.everything() == before
            return
        one.operation = store.advance_operation(one.operation.id, limit=limit, now_ms=self.now_ms)
        self.moved(one, before, limit)
        if not one.operation.is_open:
            assert one.must <= set(one.moved), "what matched from the beginning to the end was left out"

    def end_early(self, number: int) -> None:
        if not self.open():
            return
        one = self.open()[number % len(self.open())]
        one.operation = self.store.cancel_operation(one.operation.id, actor="a", now_ms=self.now_ms)
        assert not one.operation.is_open

    # --- what must hold

    def moved(self, one: Begun, before: dict[DeliveryId, Delivery], limit: int) -> None:
        """One piece was made: check each delivery that it changed."""
        after = self.everything()
        # Made due at the same moment twice, a delivery reads the same: who has it now tells.
        newly = sorted(id_ for id_ in after if after[id_] != before[id_])
        assert len(newly) <= one.operation.done - len(one.moved) <= limit
        for id_ in newly:
            was = before[id_]
            assert id_ not in one.moved, "twice"
            assert id_ >= max(one.moved, default=0), "oldest first"
            assert id_ in one.seen, "it came later"
            assert was.state in one.states
            if one.undoes is not None:
                now = after[id_]
                assert (now.state, now.next_attempt_at_ms, now.manual) == one.undoes.moved[id_]
            elif one.operation.kind is RETRY:
                assert was.attempts == one.seen[id_].attempts, "it was tried since"
                assert one.seen[id_].state is not DeliveryState.SENDING, "it was being sent"
        self.take(one, newly, before, after)

    def take(
        self,
        one: Begun,
        newly: list[DeliveryId],
        before: dict[DeliveryId, Delivery],
        after: dict[DeliveryId, Delivery],
    ) -> None:
        for id_ in newly:
            was = before[id_]
            earlier = next((b for b in self.begun if id_ in b.holds), None)
            again = one.operation.kind is RETRY and was.manual and was.state is DeliveryState.PENDING
            one.moved[id_] = (
                earlier.moved[id_] if again and earlier else (was.state, was.next_attempt_at_ms, was.manual)
            )
            for other in self.begun:
                other.holds.pop(id_, None)
                if other is not one:
                    other.must.discard(id_)
            if one.undoes is None:
                one.holds[id_] = after[id_]
        assert one.operation.done == len(one.moved)

    def others_changed(self, before: dict[DeliveryId, Delivery]) -> None:
        after = self.everything()
        for id_ in before:
            if after[id_] != before[id_]:
                for one in self.begun:
                    one.must.discard(id_)
                    one.holds.pop(id_, None)

    def check(self) -> None:
        recount.assert_gauges_agree(self.store)
        assert self.store.open_operations() == [one.operation for one in self.open()]

    # --- looking

    def everything(self) -> dict[DeliveryId, Delivery]:
        self.now_ms += 1  # no two moves at the same moment
        return {d.id: d for d in self.store.deliveries(DeliveryFilter(), limit=10_000)}

    def open(self) -> list[Begun]:
        return [one for one in self.begun if one.operation.is_open]


Act = Callable[[Life, int], None]
OFTEN: dict[Act, int] = {
    Life.accept: 2, Life.claim: 2, Life.complete: 3, Life.the_engine_dies: 1, Life.begin: 3, Life.begin_undo: 2,
    Life.advance: 8, Life.end_early: 1,
}  # fmt: skip
LIVES = settings().max_examples // 4


@pytest.mark.parametrize("seed", range(LIVES))
def test_each_delivery_is_moved_once_whatever_happens(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    with ExitStack() as stack:
        life = Life(tmp_path / "store.db", stack)
        for act in random.choices(list(OFTEN), weights=list(OFTEN.values()), k=80):
            act(life, random.randrange(1000))
            life.check()
