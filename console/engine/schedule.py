"""Which endpoints may be claimed now, and how much. Synchronous decisions on state in memory; others do the I/O.

The store knows what is due; this knows, for each endpoint, when its next delivery is due and how many of its requests
are on the wire. A paused, slow or dead endpoint costs the others nothing: it is in no heap of those that may be claimed
while it cannot send, and when the slots of the whole engine are short, whoever holds the fewest is served first.

An endpoint at its rate limit, and a tripped one until its probe, stand in a heap by monotonic time: setting the clock
neither hurries nor delays them.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush

from console.domain.clock import Clock, SystemClock
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.pacing import Limiter, Pace, speed_of
from console.domain.work import ClaimOrder

CLAIM_AT_ONCE = 256
"""The most that one order asks for, so that one transaction stays short."""

_UNTIL_TOLD = float("inf")


@dataclass(slots=True)
class Lane:
    """One endpoint's state in the engine."""

    endpoint: Endpoint
    due_ms: int | None = None
    in_flight: int = 0
    removed: bool = False
    waits: set[int] = field(default_factory=set)
    """The times under which it stands in the heap of those that wait: none is entered twice, since a busy endpoint
    with one retry due tomorrow would else leave an entry for each request until then."""
    ready: int | None = None
    """How many it had in flight when it was last entered among those that are due; None: it is not there."""

    limiter: Limiter | None = None
    limits: tuple[float | None, Pace | None] = (None, None)
    """What the limiter was made for: the policy's rate a second, and the pace."""
    held_until_s: float | None = None
    """No request before (monotonic): it is at its rate limit, tripped, or its probe is out."""

    @property
    def may_send(self) -> bool:
        if self.removed or self.held_until_s is not None:
            return False
        endpoint = self.endpoint
        if endpoint.state is EndpointState.ACTIVE:
            return self.in_flight < endpoint.policy.max_in_flight
        # A probe is sent alone. Without a time for it there is none.
        return endpoint.state is EndpointState.TRIPPED and endpoint.probe_at_ms is not None and not self.in_flight


class Schedule:
    """Lanes by endpoint number, a heap of when they are due, and a heap of those that are due by what they have.

    Both heaps may hold entries that are out of date; one counts only while it agrees with its lane.
    """

    def __init__(self, max_in_flight: int, clock: Clock | None = None) -> None:
        self._max_in_flight, self._clock = max_in_flight, clock or SystemClock()
        self._lanes: dict[int, Lane] = {}
        self._waiting: list[tuple[int, int]] = []
        """(due, endpoint)"""
        self._ready: list[tuple[int, int, int]] = []
        """(in flight, due, endpoint)"""
        self._held: list[tuple[float, int]] = []
        """(monotonic seconds, endpoint)"""
        self.paced: set[int] = set()
        """Endpoints whose backlog is drained at a pace."""
        self.in_flight = 0

    def endpoint(self, seq: int) -> Endpoint | None:
        lane = self._lanes.get(seq)
        return lane.endpoint if lane else None

    def in_flight_of(self, seq: int) -> int:
        """How many slots an endpoint holds, those of open orders included."""
        lane = self._lanes.get(seq)
        return lane.in_flight if lane else 0

    def put(self, endpoint: Endpoint) -> None:
        """An endpoint is new or has changed."""
        lane = self._lanes.get(endpoint.seq)
        if lane is None:
            lane = self._lanes[endpoint.seq] = Lane(endpoint)
        else:
            lane.endpoint = endpoint
        self._limit(lane)
        self._hold(lane)
        self._enter(endpoint.seq, lane)

    def drop(self, seq: int) -> None:
        """An endpoint was removed. What is on the wire for it ends as it does."""
        lane = self._lanes.get(seq)
        if lane is not None:
            lane.due_ms, lane.removed = None, True
            self.paced.discard(seq)
            self._release(seq, lane, 0)

    def set_due(self, seq: int, due_ms: int | None) -> None:
        """The store says when this endpoint's next delivery is due; None: it owes none."""
        lane = self._lanes.get(seq)
        if lane is not None and not lane.removed and lane.due_ms != due_ms:
            lane.due_ms = due_ms
            self._enter(seq, lane)

    def orders(self, now_ms: int) -> list[ClaimOrder]:
        """What to claim now. The slots are taken until `claimed` says how many were needed."""
        if self._held:
            self._let_go()
        while self._waiting and self._waiting[0][0] <= now_ms:
            lane = self._pop_waiting()
            if lane is not None:
                self._enter_ready(lane)
        orders: list[ClaimOrder] = []
        while self._ready and self.in_flight < self._max_in_flight:
            key, _, seq = heappop(self._ready)
            lane = self._lanes.get(seq)
            if lane is None or lane.ready != key:
                continue
            lane.ready = None
            if lane.due_ms is None or lane.due_ms > now_ms or not lane.may_send:
                self._enter(seq, lane)
                continue
            if lane.limiter is not None and not lane.limiter.available(self._clock.monotonic_s()):
                self._hold(lane)
                continue
            orders.append(self._order(seq, lane))
        return orders

    def claimed(self, order: ClaimOrder, count: int) -> None:
        """An order was answered with `count` deliveries; the slots it did not need are free again."""
        lane = self._lanes[order.endpoint_seq]
        if order.probe:
            if not count and lane.held_until_s == _UNTIL_TOLD:
                self._hold(lane)
        elif lane.limiter is not None:
            lane.limiter.give_back(order.limit - count)
        self._release(order.endpoint_seq, lane, order.limit - count)

    def ended(self, seq: int) -> None:
        """A request of this endpoint is off the wire."""
        self._release(seq, self._lanes[seq], 1)

    def next_due_ms(self) -> int | None:
        """When there is something to claim next; None: nothing before something else happens."""
        if self.in_flight >= self._max_in_flight:
            return None
        if self._ready:
            return self._ready[0][1]
        while self._waiting:
            due_ms, seq = self._waiting[0]
            lane = self._lanes.get(seq)
            if lane is not None and lane.due_ms == due_ms and lane.may_send:
                return due_ms
            self._pop_waiting()
        return None

    def held_s(self) -> float | None:
        """In how many seconds the first of those that are held may send; None: none is held, or no slot is free."""
        if not self._held or self.in_flight >= self._max_in_flight:
            return None
        return max(0.0, self._held[0][0] - self._clock.monotonic_s())

    def _order(self, seq: int, lane: Lane) -> ClaimOrder:
        probe = lane.endpoint.state is EndpointState.TRIPPED
        most = 1 if probe else lane.endpoint.policy.max_in_flight - lane.in_flight
        limit = min(most, self._max_in_flight - self.in_flight, CLAIM_AT_ONCE)
        if probe:
            lane.held_until_s = _UNTIL_TOLD  # what comes of it says when the next may be sent
        elif lane.limiter is not None:
            now_s = self._clock.monotonic_s()
            limit = min(limit, lane.limiter.available(now_s))
            lane.limiter.take(limit, now_s)
        lane.in_flight += limit
        self.in_flight += limit
        lane.due_ms = None
        return ClaimOrder(endpoint_seq=seq, limit=limit, probe=probe)

    def _limit(self, lane: Lane) -> None:
        """Make the limiter that the endpoint wants now; what was taken from the one before is still owed."""
        endpoint = lane.endpoint
        (self.paced.discard if endpoint.pace is None else self.paced.add)(endpoint.seq)
        rate = endpoint.policy.rate_limit
        limits = (None if rate is None else rate.per_s, endpoint.pace)
        if limits == lane.limits:
            return
        lane.limits, before, speed = limits, lane.limiter, speed_of(*limits)
        if speed is None:
            lane.limiter = None
            return
        now_s = self._clock.monotonic_s()
        begun_s = 0.0 if endpoint.pace is None else max(0.0, (self._clock.now_ms() - endpoint.pace.since_ms) / 1000)
        owed = 0.0 if before is None else before.debt(now_s)
        lane.limiter = Limiter(speed, since_s=now_s - begun_s, now_s=now_s, owed=owed)

    def _hold(self, lane: Lane) -> None:
        """Hold a tripped endpoint until its probe, and one at its rate limit until that allows some more."""
        endpoint, until_s = lane.endpoint, None
        if endpoint.state is EndpointState.TRIPPED:
            if endpoint.probe_at_ms is not None:
                wait_s = (endpoint.probe_at_ms - self._clock.now_ms()) / 1000
                # The wall clock may have been set back since: never longer than the longest wait there is.
                until_s = self._clock.monotonic_s() + min(wait_s, endpoint.policy.breaker.probe_cap_s)
        elif lane.limiter is not None and not lane.limiter.available(self._clock.monotonic_s()):
            # A turn for each single request would cost more than the requests.
            until_s = lane.limiter.next_s(max(1, lane.limiter.burst // 4))
        if until_s is not None and until_s != lane.held_until_s:
            heappush(self._held, (until_s, endpoint.seq))
        lane.held_until_s = until_s

    def _let_go(self) -> None:
        """Those whose time has come may send again."""
        now_s = self._clock.monotonic_s()
        while self._held and self._held[0][0] <= now_s:
            until_s, seq = heappop(self._held)
            lane = self._lanes.get(seq)
            if lane is not None and lane.held_until_s == until_s:
                lane.held_until_s = None
                self._enter(seq, lane)

    def _release(self, seq: int, lane: Lane, slots: int) -> None:
        lane.in_flight -= slots
        self.in_flight -= slots
        if lane.removed and not lane.in_flight:
            del self._lanes[seq]
        else:
            self._enter(seq, lane)

    def _enter(self, seq: int, lane: Lane) -> None:
        """Enter a lane where its turn will be found, unless it cannot send: what ends or changes that enters it."""
        if lane.due_ms is None or not lane.may_send:
            return
        if lane.ready is not None:
            self._enter_ready(lane)
        elif lane.due_ms not in lane.waits:
            lane.waits.add(lane.due_ms)
            heappush(self._waiting, (lane.due_ms, seq))

    def _enter_ready(self, lane: Lane) -> None:
        if lane.due_ms is not None and (lane.ready is None or lane.in_flight < lane.ready):
            lane.ready = lane.in_flight
            heappush(self._ready, (lane.in_flight, lane.due_ms, lane.endpoint.seq))

    def _pop_waiting(self) -> Lane | None:
        """The lane of the first entry, taken out; None when the entry was out of date."""
        due_ms, seq = heappop(self._waiting)
        lane = self._lanes.get(seq)
        if lane is None:
            return None
        lane.waits.discard(due_ms)
        return lane if lane.due_ms == due_ms and lane.may_send else None
