"""What became of things: of what a retry made due, of an event that was sent again, and who else looks on."""

import json

import msgspec

from console.domain.delivery import Delivery, DeliveryState
from console.domain.ids import DeliveryId, EndpointId, EventId, OperationId
from console.domain.operation import BulkPlan, Outcomes
from console.domain.watcher import STALE_MS, Watcher
from console.store.sqlite.base import Queries
from console.store.sqlite.rows import DELIVERY_COLUMNS, delivery_of

_OUTCOMES = """
SELECT state, manual, count(*) FROM deliveries INDEXED BY deliveries_operation WHERE operation = ?
GROUP BY state, manual
"""
_PLAN = "SELECT plan FROM operations WHERE id = ?"
_COPIES = """
SELECT c.id FROM events e CROSS JOIN events c INDEXED BY events_copies ON c.copy_of = e.seq
WHERE e.id = ? ORDER BY c.seq DESC LIMIT ?
"""
_WATCHERS = "SELECT id, actor, place, since, seen_at FROM watchers WHERE seen_at > ? ORDER BY since, id"
_WATCH = """
INSERT INTO watchers (id, actor, place, since, seen_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET place = excluded.place, seen_at = excluded.seen_at
"""
_FORGET_GONE = "DELETE FROM watchers WHERE seen_at <= ?"
_UNWATCH = "DELETE FROM watchers WHERE id = ?"

_FIRST_IN_LINE = """
SELECT min(id) FROM (SELECT (
  SELECT id FROM deliveries INDEXED BY deliveries_endpoint_state
  WHERE endpoint = p.seq AND state = states.value AND order_key IS NOT NULL ORDER BY id LIMIT 1) AS id
FROM endpoints p CROSS JOIN json_each('["pending", "sending", "failed"]') states WHERE p.id = ?)
"""
_BEHIND = """
SELECT o.id FROM deliveries h CROSS JOIN deliveries o
WHERE h.id = ?1 AND o.endpoint = h.endpoint AND o.order_key = h.order_key AND o.id > h.id
  AND o.order_key IS NOT NULL AND o.state IN ('pending', 'sending', 'failed') ORDER BY o.id LIMIT ?2
"""
_IN_ORDER = f"""
SELECT {DELIVERY_COLUMNS} FROM json_each(?) picked JOIN deliveries d ON d.id = picked.value
JOIN events e ON e.seq = d.event JOIN endpoints p ON p.seq = d.endpoint ORDER BY d.id
"""

_read_plan = msgspec.json.Decoder(BulkPlan).decode


class FollowingQueries(Queries):
    def outcomes(self, operation_id: OperationId) -> Outcomes:
        counts = {"delivered": 0, "failed_again": 0, "waiting": 0, "cancelled": 0}
        for state, manual, count in self._connection.rows(_OUTCOMES, (operation_id,)):
            counts[_outcome(DeliveryState(state), bool(manual))] += count
        return Outcomes(**counts)

    def bulk_plan(self, operation_id: OperationId) -> BulkPlan | None:
        text = self._connection.value(_PLAN, (operation_id,))
        return None if text is None else _read_plan(text)

    def copies(self, event_id: EventId, *, limit: int) -> list[EventId]:
        return [EventId(id_) for (id_,) in self._connection.rows(_COPIES, (event_id, limit))]

    def first_in_line(self, endpoint_id: EndpointId) -> DeliveryId | None:
        number = self._connection.value(_FIRST_IN_LINE, (endpoint_id,))
        return None if number is None else DeliveryId(number)

    def behind(self, head: DeliveryId, *, limit: int) -> list[Delivery]:
        ids = [number for (number,) in self._connection.rows(_BEHIND, (head, limit))]
        return [delivery_of(row) for row in self._connection.rows(_IN_ORDER, (json.dumps(ids),))]

    def watchers(self, now_ms: int) -> list[Watcher]:
        return [
            Watcher(id=id_, actor=actor, place=place, since_ms=since, seen_at_ms=seen_at)
            for id_, actor, place, since, seen_at in self._connection.rows(_WATCHERS, (now_ms - STALE_MS,))
        ]

    def watch(self, watcher: Watcher) -> None:
        with self.transaction():
            self._connection.run(_FORGET_GONE, (watcher.seen_at_ms - STALE_MS,))
            values = (watcher.id, watcher.actor, watcher.place, watcher.since_ms, watcher.seen_at_ms)
            self._connection.run(_WATCH, values)

    def unwatch(self, watcher_id: str) -> None:
        with self.transaction():
            self._connection.run(_UNWATCH, (watcher_id,))


def _outcome(state: DeliveryState, manual: bool) -> str:
    """Which of the outcomes of a retry a delivery in this state is. One that waits by the schedule has had its try."""
    match state:
        case DeliveryState.DELIVERED:
            return "delivered"
        case DeliveryState.FAILED:
            return "failed_again"
        case DeliveryState.PENDING:
            return "waiting" if manual else "failed_again"
        case DeliveryState.SENDING:
            return "waiting"
        case DeliveryState.CANCELLED:
            return "cancelled"
