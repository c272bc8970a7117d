"""The schedule: who may be claimed, how much, and who comes first. By example, and against a model."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.policy import DeliveryPolicy
from console.domain.signing import Secret
from console.domain.work import ClaimOrder
from console.engine.schedule import CLAIM_AT_ONCE, Schedule
from tests.factories import NOW_MS, SECRET


def make_endpoint(seq: int, *, state: EndpointState = EndpointState.ACTIVE, max_in_flight: int = 4) -> Endpoint:
    return Endpoint(
        seq=seq,
        id=EndpointId(f"ep_{seq}"),
        name=f"e{seq}",
        url="http://127.0.0.1:9/",
        types=("*",),
        secrets=(Secret(text=SECRET),),
        policy=DeliveryPolicy(max_in_flight=max_in_flight),
        state=state,
        state_reason=None,
        state_since_ms=0,
        created_at_ms=0,
        version=1,
    )


def make_schedule(*due_ms: int | None, cap: int = 100, **given: Any) -> Schedule:
    """Endpoints numbered from 1, due at these times."""
    schedule = Schedule(cap)
    for seq, due in enumerate(due_ms, start=1):
        schedule.put(make_endpoint(seq, **given))
        schedule.set_due(seq, due)
    return schedule


def order(seq: int, limit: int) -> ClaimOrder:
    return ClaimOrder(endpoint_seq=seq, limit=limit)


def test_what_is_due_is_ordered_up_to_what_it_may_have_in_flight() -> None:
    schedule = make_schedule(NOW_MS, NOW_MS + 1, None, max_in_flight=7)
    assert schedule.next_due_ms() == NOW_MS
    assert schedule.orders(NOW_MS) == [order(1, 7)]
    assert schedule.in_flight == 7
    assert schedule.next_due_ms() == NOW_MS + 1
    assert schedule.orders(NOW_MS) == []
    assert schedule.orders(NOW_MS + 1) == [order(2, 7)]
    assert schedule.next_due_ms() is None


def test_slots_that_a_claim_did_not_need_are_free_again() -> None:
    schedule = make_schedule(NOW_MS, cap=4)
    (first,) = schedule.orders(NOW_MS)
    schedule.claimed(first, 1)
    assert schedule.in_flight == 1
    schedule.set_due(1, NOW_MS + 5)
    assert schedule.orders(NOW_MS + 5) == [order(1, 3)]


def test_one_order_asks_for_a_bounded_number() -> None:
    assert make_schedule(NOW_MS, cap=5000, max_in_flight=1000).orders(NOW_MS) == [order(1, CLAIM_AT_ONCE)]


def test_a_full_endpoint_waits_for_a_request_of_its_own_to_end() -> None:
    schedule = make_schedule(NOW_MS, max_in_flight=1)
    schedule.claimed(schedule.orders(NOW_MS)[0], 1)
    schedule.set_due(1, NOW_MS)
    assert schedule.next_due_ms() is None
    assert schedule.orders(NOW_MS) == []
    schedule.ended(1)
    assert schedule.next_due_ms() == NOW_MS
    assert schedule.orders(NOW_MS) == [order(1, 1)]


def test_a_paused_endpoint_is_not_ordered_until_it_is_resumed() -> None:
    schedule = make_schedule(NOW_MS, NOW_MS)
    schedule.put(make_endpoint(1, state=EndpointState.PAUSED))
    assert [o.endpoint_seq for o in schedule.orders(NOW_MS)] == [2]
    assert schedule.next_due_ms() is None
    schedule.put(make_endpoint(1))
    assert schedule.orders(NOW_MS) == [order(1, 4)]


def test_a_removed_endpoint_is_forgotten_when_its_last_request_has_ended() -> None:
    schedule = make_schedule(NOW_MS)
    schedule.claimed(schedule.orders(NOW_MS)[0], 2)
    schedule.drop(1)
    assert schedule.endpoint(1) is not None
    schedule.ended(1)
    # A try that failed put its delivery back: the store says that it is due, and nobody may claim it.
    schedule.set_due(1, NOW_MS)
    assert schedule.next_due_ms() is None
    assert schedule.orders(NOW_MS) == []
    schedule.ended(1)
    assert schedule.endpoint(1) is None
    assert schedule.in_flight == 0


def test_an_endpoint_removed_while_it_was_claimed_is_forgotten() -> None:
    schedule = make_schedule(NOW_MS)
    (first,) = schedule.orders(NOW_MS)
    schedule.drop(1)
    schedule.claimed(first, 0)
    assert schedule.endpoint(1) is None
    assert schedule.in_flight == 0


def test_when_slots_are_short_whoever_has_the_fewest_comes_first() -> None:
    """Endpoints that hang, each with an old backlog, hold every slot; a healthy one gets the next that is free."""
    hanging = 8
    schedule = make_schedule(*[NOW_MS - 1000] * hanging, None, cap=hanging * 4)
    for one in schedule.orders(NOW_MS):
        schedule.claimed(one, one.limit)
        schedule.set_due(one.endpoint_seq, NOW_MS - 1000)
    healthy = hanging + 1
    schedule.set_due(healthy, NOW_MS)
    assert schedule.orders(NOW_MS) == []
    schedule.ended(3)
    assert schedule.orders(NOW_MS) == [order(healthy, 1)]


def test_a_retry_due_tomorrow_costs_nothing_while_thousands_are_sent() -> None:
    tomorrow_ms = NOW_MS + 24 * 3_600_000
    schedule = make_schedule(tomorrow_ms)
    for i in range(3000):
        schedule.set_due(1, NOW_MS + i)
        (one,) = schedule.orders(NOW_MS + i)
        schedule.claimed(one, 1)
        schedule.set_due(1, tomorrow_ms)
        schedule.ended(1)
    assert len(schedule._waiting) + len(schedule._ready) < 10
    assert schedule.next_due_ms() == tomorrow_ms


SEQS = st.integers(1, 4)


class ScheduleAgainstModel(RuleBasedStateMachine):
    """Anything the engine may tell a schedule, in any order. The model is what is known of each endpoint."""

    CAP = 7

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = NOW_MS
        self.schedule = Schedule(self.CAP)
        self.endpoints: dict[int, Endpoint] = {}
        self.due: dict[int, int | None] = {}
        self.on_wire: dict[int, int] = {}
        self.open_orders: list[ClaimOrder] = []

    def may_send(self, seq: int) -> bool:
        endpoint = self.endpoints[seq]
        return endpoint.state is EndpointState.ACTIVE and self.held(seq) < endpoint.policy.max_in_flight

    def held(self, seq: int) -> int:
        return self.on_wire.get(seq, 0) + sum(o.limit for o in self.open_orders if o.endpoint_seq == seq)

    @property
    def all_held(self) -> int:
        return sum(self.on_wire.values()) + sum(o.limit for o in self.open_orders)

    def sendable(self) -> dict[int, int]:
        return {seq: d for seq, d in self.due.items() if d is not None and seq in self.endpoints and self.may_send(seq)}

    @rule(seq=SEQS, state=st.sampled_from(EndpointState), cap=st.integers(1, 5))
    def put(self, seq: int, state: EndpointState, cap: int) -> None:
        if seq in self.endpoints or not self.held(seq):  # a number is never used again
            self.endpoints[seq] = make_endpoint(seq, state=state, max_in_flight=cap)
            self.due.setdefault(seq, None)
            self.schedule.put(self.endpoints[seq])

    @rule(seq=SEQS)
    def drop(self, seq: int) -> None:
        self.endpoints.pop(seq, None)
        self.due.pop(seq, None)
        self.schedule.drop(seq)

    @rule(seq=SEQS, after_ms=st.one_of(st.none(), st.integers(-20, 20)))
    def set_due(self, seq: int, after_ms: int | None) -> None:
        due = None if after_ms is None else self.now_ms + after_ms
        if seq in self.endpoints:
            self.due[seq] = due
        self.schedule.set_due(seq, due)

    @rule(ms=st.integers(0, 15))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    @rule()
    def order(self) -> None:
        before = {seq: (self.held(seq), due) for seq, due in self.sendable().items() if due <= self.now_ms}
        free = self.CAP - self.all_held
        orders = self.schedule.orders(self.now_ms)
        ordered = {o.endpoint_seq: o.limit for o in orders}
        assert len(ordered) == len(orders)
        assert ordered.keys() <= before.keys()
        for seq, limit in ordered.items():
            assert 1 <= limit <= self.endpoints[seq].policy.max_in_flight - before[seq][0]
            self.due[seq] = None
        self.open_orders += orders
        left = before.keys() - ordered.keys()
        if left:  # only because no slot is left, and then those that have fewer in flight came first
            assert sum(ordered.values()) == free
            assert max((before[s] for s in ordered), default=(0, 0)) <= min(before[s] for s in left)
        else:
            assert sum(ordered.values()) <= free

    @precondition(lambda self: self.open_orders)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        one = self.open_orders.pop(data.draw(st.integers(0, len(self.open_orders) - 1)))
        count = data.draw(st.integers(0, one.limit))
        self.on_wire[one.endpoint_seq] = self.on_wire.get(one.endpoint_seq, 0) + count
        self.schedule.claimed(one, count)

    @precondition(lambda self: any(self.on_wire.values()))
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        seq = data.draw(st.sampled_from(sorted(s for s, n in self.on_wire.items() if n)))
        self.on_wire[seq] -= 1
        self.schedule.ended(seq)

    @invariant()
    def slots_are_conserved(self) -> None:
        assert self.schedule.in_flight == self.all_held <= self.CAP

    @invariant()
    def the_next_due_is_never_missed(self) -> None:
        due = min(self.sendable().values(), default=None)
        next_ms = self.schedule.next_due_ms()
        if self.all_held >= self.CAP:
            assert next_ms is None
        elif due is not None:
            assert next_ms is not None
            assert next_ms <= max(due, self.now_ms)

    @invariant()
    def nothing_is_kept_of_what_is_gone(self) -> None:
        for seq in range(1, 5):
            known = seq in self.endpoints or self.held(seq) > 0
            assert (self.schedule.endpoint(seq) is not None) == known


TestScheduleAgainstModel = ScheduleAgainstModel.TestCase
