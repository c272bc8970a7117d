"""Which endpoints may be claimed now, and how much. Synchronous decisions on state in memory; others do the I/O.

The store knows what is due; this knows, for each endpoint, when its next delivery is due and how many of its requests
are on the wire. A paused, slow or dead endpoint costs the others nothing: it is in no heap while it cannot send, and
when the slots of the whole engine are short, whoever holds the fewest is served first.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.work import ClaimOrder

CLAIM_AT_ONCE = 256
"""The most that one order asks for, so that one transaction stays short."""


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

    @property
    def may_send(self) -> bool:
        active = self.endpoint.state is EndpointState.ACTIVE and not self.removed
        return active and self.in_flight < self.endpoint.policy.max_in_flight


class Schedule:
    """Lanes by endpoint number, a heap of when they are due, and a heap of those that are due by what they have.

    Both heaps may hold entries that are out of date; one counts only while it agrees with its lane.
    """

    def __init__(self, max_in_flight: int) -> None:
        self._max_in_flight = max_in_flight
        self._lanes: dict[int, Lane] = {}
        self._waiting: list[tuple[int, int]] = []
        """(due, endpoint)"""
        self._ready: list[tuple[int, int, int]] = []
        """(in flight, due, endpoint)"""
        self.in_flight = 0

    def endpoint(self, seq: int) -> Endpoint | None:
        lane = self._lanes.get(seq)
        return lane.endpoint if lane else None

    def put(self, endpoint: Endpoint) -> None:
        """An endpoint is new or has changed."""
        lane = self._lanes.get(endpoint.seq)
        if lane is None:
            self._lanes[endpoint.seq] = Lane(endpoint)
        else:
            lane.endpoint = endpoint
            self._enter(endpoint.seq, lane)

    def drop(self, seq: int) -> None:
        """An endpoint was removed. What is on the wire for it ends as it does."""
        lane = self._lanes.get(seq)
        if lane is not None:
            lane.due_ms, lane.removed = None, True
            self._release(seq, lane, 0)

    def set_due(self, seq: int, due_ms: int | None) -> None:
        """The store says when this endpoint's next delivery is due; None: it owes none."""
        lane = self._lanes.get(seq)
        if lane is not None and not lane.removed and lane.due_ms != due_ms:
            lane.due_ms = due_ms
            self._enter(seq, lane)

    def orders(self, now_ms: int) -> list[ClaimOrder]:
        """What to claim now. The slots are taken until `claimed` says how many were needed."""
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
            orders.append(self._order(seq, lane))
        return orders

    def claimed(self, order: ClaimOrder, count: int) -> None:
        """An order was answered with `count` deliveries; the slots it did not need are free again."""
        self._release(order.endpoint_seq, self._lanes[order.endpoint_seq], order.limit - count)

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

    def _order(self, seq: int, lane: Lane) -> ClaimOrder:
        limit = min(
            lane.endpoint.policy.max_in_flight - lane.in_flight, self._max_in_flight - self.in_flight, CLAIM_AT_ONCE
        )
        lane.in_flight += limit
        self.in_flight += limit
        lane.due_ms = None
        return ClaimOrder(endpoint_seq=seq, limit=limit)

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
