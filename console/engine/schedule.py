"""Which endpoints may be claimed now, and how much. Synchronous decisions on state in memory; others do the I/O.

The store knows what is due; this knows, for each endpoint, when its next delivery is due and how many of its requests
are on the wire. A paused, slow or dead endpoint costs the others nothing: it is simply not in the heap.
"""

from dataclasses import dataclass
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

    @property
    def may_send(self) -> bool:
        return self.endpoint.state is EndpointState.ACTIVE and self.in_flight < self.endpoint.policy.max_in_flight


class Schedule:
    """Lanes by endpoint number, and a heap of when they are due.

    The heap may hold entries that are out of date; one counts only while it agrees with its lane.
    """

    def __init__(self, max_in_flight: int) -> None:
        self._max_in_flight = max_in_flight
        self._lanes: dict[int, Lane] = {}
        self._heap: list[tuple[int, int]] = []
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
            self._push(endpoint.seq, lane)

    def drop(self, seq: int) -> None:
        """An endpoint was removed. What is on the wire for it ends as it does."""
        lane = self._lanes.get(seq)
        if lane is None:
            return
        lane.due_ms = None
        if not lane.in_flight:
            del self._lanes[seq]

    def set_due(self, seq: int, due_ms: int | None) -> None:
        """The store says when this endpoint's next delivery is due; None: it owes none."""
        lane = self._lanes.get(seq)
        if lane is not None and lane.due_ms != due_ms:
            lane.due_ms = due_ms
            self._push(seq, lane)

    def orders(self, now_ms: int) -> list[ClaimOrder]:
        """What to claim now. The slots are taken until `claimed` says how many were needed."""
        orders: list[ClaimOrder] = []
        while self._heap and self._heap[0][0] <= now_ms and self.in_flight < self._max_in_flight:
            due_ms, seq = heappop(self._heap)
            lane = self._lanes.get(seq)
            # Not in the heap while it cannot send: `ended` and `put` bring it back.
            if lane is None or lane.due_ms != due_ms or not lane.may_send:
                continue
            limit = min(
                lane.endpoint.policy.max_in_flight - lane.in_flight,
                self._max_in_flight - self.in_flight,
                CLAIM_AT_ONCE,
            )
            lane.in_flight += limit
            self.in_flight += limit
            lane.due_ms = None
            orders.append(ClaimOrder(endpoint_seq=seq, limit=limit))
        return orders

    def claimed(self, order: ClaimOrder, count: int) -> None:
        """An order was answered with `count` deliveries; the slots it did not need are free again."""
        lane = self._lanes[order.endpoint_seq]
        lane.in_flight -= order.limit - count
        self.in_flight -= order.limit - count

    def ended(self, seq: int) -> None:
        """A request of this endpoint is off the wire."""
        self.in_flight -= 1
        lane = self._lanes[seq]
        lane.in_flight -= 1
        self._push(seq, lane)

    def next_due_ms(self) -> int | None:
        """When there is something to claim next; None: nothing before something else happens."""
        if self.in_flight >= self._max_in_flight:
            return None
        while self._heap:
            due_ms, seq = self._heap[0]
            lane = self._lanes.get(seq)
            if lane is not None and lane.due_ms == due_ms and lane.may_send:
                return due_ms
            heappop(self._heap)
        return None

    def _push(self, seq: int, lane: Lane) -> None:
        if lane.due_ms is not None and lane.may_send:
            heappush(self._heap, (lane.due_ms, seq))
