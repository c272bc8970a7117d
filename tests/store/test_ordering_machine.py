"""Strict order, whatever happens: hypothesis looks for a life of an endpoint in which one overtakes another."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from console.domain.delivery import Delivery, DeliveryState, Verdict
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, OperationId
from console.domain.operation import OperationKind
from console.domain.policy import Ordering
from console.domain.work import Claimed, ClaimOrder
from console.store import Store, open_store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    begin_bulk,
    delivered,
    failed,
    make_completed,
    make_event,
    make_spec,
    retry,
    start_engine,
)
from tests.store import recount

PICK = st.integers(0, 1000)
OPEN = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.FAILED)
ORDERS: tuple[dict[str, Any], ...] = (
    {"ordering": Ordering.FIFO},
    {"ordering": Ordering.FIFO, "order_key": "customer"},
    {"ordering": Ordering.FIFO, "order_key": "data.0.part"},
    {},
)
SCHEDULE = {"schedule_s": (0.0, 5.0, 60.0)}


class OrderingMachine(RuleBasedStateMachine):
    """One endpoint, and what its receiver sees. It is written without a look at how lines are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "store.db"
        self.now_ms = NOW_MS
        self.in_flight: list[Claimed] = []
        self.keys: dict[DeliveryId, tuple[str, str]] = {}
        """Of each delivery, under each way to order."""
        self.delivered: set[DeliveryId] = set()
        self.outside: set[DeliveryId] = set()
        """Those that failed before order was asked for, and tests."""
        self.operations: list[OperationId] = []

    @initialize(order=st.integers(0, 1))
    def start(self, order: int) -> None:
        self.order = order
        self.store: Store = open_store(self.path)
        self.epoch = start_engine(self.store, now_ms=self.now_ms)
        self.endpoint = add_endpoint(self.store, policy=SCHEDULE | ORDERS[order])

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    # --- what happens

    @rule(who=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), min_size=1, max_size=4))
    def accept(self, who: list[tuple[str, str]]) -> None:
        payloads = [json.dumps({"customer": one, "data": [{"part": other}]}).encode() for one, other in who]
        self.store.accept([make_event(payload=payload) for payload in payloads], self.now_ms)
        new = [d.id for d in self.every()][-len(who) :]
        self.keys.update(zip(new, who, strict=True))

    @rule()
    def accept_a_test(self) -> None:
        self.store.accept_for(make_event(source="test"), self.endpoint.id, self.now_ms)
        newest = self.every()[-1].id
        self.keys[newest] = ("", "")
        self.outside.add(newest)

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        before = {d.id: d for d in self.every()}
        claimed = self.store.claim(
            [ClaimOrder(endpoint_seq=self.endpoint.seq, limit=limit)], epoch=self.epoch, now_ms=self.now_ms
        )
        for c in claimed:
            if self.in_line(c.delivery_id):
                line = [before[i] for i in before if self.in_line(i) and self.key_of(i) == self.key_of(c.delivery_id)]
                older = [d for d in line if d.id < c.delivery_id and d.state in OPEN]
                assert not older, f"{c.delivery_id} overtakes {[(d.id, d.state) for d in older]}"
                assert not [d for d in line if d.state is DeliveryState.SENDING], "two of one line on the wire"
        self.in_flight += claimed

    @precondition(lambda self: self.in_flight)
    @rule(picks=st.lists(PICK, min_size=1, max_size=4), kinds=st.lists(st.integers(0, 3), min_size=4, max_size=4))
    def complete(self, picks: list[int], kinds: list[int]) -> None:
        done = []
        for pick, kind in zip(picks, kinds, strict=False):
            if not self.in_flight:
                break
            claimed = self.in_flight.pop(pick % len(self.in_flight))
            verdicts: tuple[Verdict, ...] = (delivered(), failed(), retry(self.now_ms + 5000), delivered())
            done.append(make_completed(claimed, verdicts[kind], now_ms=self.now_ms))
            if kind in (0, 3):
                self.delivered.add(claimed.delivery_id)
        assert self.store.complete(done, epoch=self.epoch) == len(done)

    @rule()
    def crash(self) -> None:
        self.store.close()
        self.store = open_store(self.path)
        self.epoch = start_engine(self.store, now_ms=self.now_ms)
        self.store.recover(epoch=self.epoch, now_ms=self.now_ms)
        self.in_flight = []

    @precondition(lambda self: self.keys)
    @rule(
        kind=st.sampled_from([OperationKind.DELIVERY_RETRY, OperationKind.DELIVERY_SKIP]),
        picks=st.lists(PICK, min_size=1, max_size=5),
        limit=st.integers(1, 3),
    )
    def steer(self, kind: OperationKind, picks: list[int], limit: int) -> None:
        every = list(self.keys)
        self.carry_out(kind, DeliveryFilter(ids=tuple({every[p % len(every)] for p in picks})), None, limit)

    @precondition(lambda self: self.operations)
    @rule(pick=PICK, limit=st.integers(1, 3))
    def undo(self, pick: int, limit: int) -> None:
        undone = self.operations[pick % len(self.operations)]
        self.carry_out(OperationKind.DELIVERY_UNDO, DeliveryFilter(), undone, limit)

    @rule(order=st.integers(0, 3), by_default=st.booleans())
    def change_order(self, order: int, by_default: bool) -> None:
        spec = make_spec(policy=SCHEDULE | ORDERS[order])
        if by_default:
            self.store.set_policy_defaults(spec.policy, self.now_ms)
        self.store.edit_endpoint(self.endpoint.id, spec, self.now_ms)
        if order != self.order and 3 in (order, self.order):
            # What has failed by now is in no line, and never was in one that counts from here.
            self.outside.update(d.id for d in self.every() if d.state is DeliveryState.FAILED)
        self.order = order

    @rule(seconds=st.sampled_from([0.001, 5.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)

    # --- what always holds

    @invariant()
    def lines_stand(self) -> None:
        recount.assert_lines_stand(self.store)
        recount.assert_gauges_agree(self.store)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Whoever is pending is due at some time, or something older of its line is open, or on the wire."""
        every = self.every()
        for d in every:
            if d.state is not DeliveryState.PENDING:
                continue
            line = [o for o in self.line_of(d, every) if o.state in OPEN and o.id != d.id]
            reason = [o for o in line if o.id < d.id or o.state is DeliveryState.SENDING]
            assert d.blocked == bool(reason), (d.id, [(o.id, o.state) for o in line])
            assert d.blocked == (d.next_attempt_at_ms is None)

    # --- how it is looked at

    def every(self) -> list[Delivery]:
        return self.store.deliveries(DeliveryFilter(), limit=10_000)[::-1]

    def in_line(self, i: DeliveryId) -> bool:
        return self.order != 3 and i not in self.delivered and i not in self.outside

    def key_of(self, i: DeliveryId) -> str:
        return ("", *self.keys[i])[self.order]

    def line_of(self, d: Delivery, every: Iterable[Delivery]) -> list[Delivery]:
        if not self.in_line(d.id):
            return []
        return [o for o in every if self.in_line(o.id) and self.key_of(o.id) == self.key_of(d.id)]

    def carry_out(self, kind: OperationKind, where: DeliveryFilter, undoes: OperationId | None, limit: int) -> None:
        operation = begin_bulk(self.store, kind, where, undoes=undoes, now_ms=self.now_ms)
        before = {d.id: d.state for d in self.every()}
        while operation.is_open:
            operation = self.store.advance_operation(operation.id, limit=limit, now_ms=self.now_ms)
        self.operations.append(operation.id)
        for d in self.every():
            # An operator's retry brings what had failed before order was asked for into its line.
            if d.state is DeliveryState.PENDING and before[d.id] is not DeliveryState.PENDING:
                self.outside.discard(d.id) if self.keys[d.id] != ("", "") else None


TestOrderingMachine = OrderingMachine.TestCase
TestOrderingMachine.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=40)
