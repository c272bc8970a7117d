"""What 'why' needs beside lists: who stands before a delivery, what moved it, and endpoints that are no more."""

from console.domain.endpoint import Endpoint
from console.domain.errors import UnknownReferenceError
from console.domain.ids import DeliveryId
from console.domain.retry import retry_after_s
from console.domain.why import Standing
from console.store.sqlite.base import Queries
from console.store.sqlite.rows import ENDPOINT_COLUMNS, OPERATION_COLUMNS, endpoint_of, exchange_of, operation_of

_LINE = """
SELECT order_key IS NOT NULL, operation, (
    SELECT min(o.id) FROM deliveries o WHERE o.endpoint = d.endpoint AND o.order_key = d.order_key
      AND o.order_key IS NOT NULL AND o.state IN ('pending', 'sending', 'failed')), (
    SELECT min(o.id) FROM deliveries o WHERE o.endpoint = d.endpoint AND o.order_key = d.order_key
      AND o.state = 'sending' AND o.order_key IS NOT NULL AND o.state IN ('pending', 'sending', 'failed'))
FROM deliveries d WHERE d.id = ?
"""
_OPERATION = f"SELECT {OPERATION_COLUMNS} FROM operations WHERE id = ?"
_LAST_ANSWER = """
SELECT status, ended_at, url, request_headers, response_headers, NULL, truncated, remote_address, NULL, NULL
FROM attempts JOIN exchanges ON attempt = id
WHERE delivery = ? AND number = (SELECT attempts FROM deliveries WHERE id = delivery) AND status IS NOT NULL
"""
_REMOVED = f"""
SELECT removed_at, {ENDPOINT_COLUMNS} FROM endpoints WHERE removed_at IS NOT NULL AND (id = ?1 OR name = ?1)
ORDER BY id = ?1 DESC, removed_at DESC LIMIT 1
"""


class ExplainingQueries(Queries):
    def standing(self, delivery_id: DeliveryId) -> Standing:
        row = self._connection.row(_LINE, (delivery_id,))
        if row is None:
            return Standing()
        in_line, operation, head, sending = row
        # A head waits too: for one of its line that was on the wire when it came back.
        first = sending if head == delivery_id else head
        moved_by = None if operation is None else self._connection.row(_OPERATION, (operation,))
        return Standing(
            in_line=bool(in_line),
            blocked_by=DeliveryId(first) if first is not None and first != delivery_id else None,
            moved_by=None if moved_by is None else operation_of(moved_by),
            retry_after_s=self._asked_for(delivery_id),
        )

    def _asked_for(self, delivery_id: DeliveryId) -> float | None:
        row = self._connection.row(_LAST_ANSWER, (delivery_id,))
        if row is None:
            return None
        status, ended_ms, *exchange = row
        headers = {name.lower(): value for name, value in exchange_of(tuple(exchange)).response_headers}
        return retry_after_s(status, headers, ended_ms)

    def removed_endpoint(self, reference: str) -> tuple[Endpoint, int]:
        row = self._connection.row(_REMOVED, (reference,))
        if row is None:
            raise UnknownReferenceError(
                f"no endpoint {reference!r}, and none that was removed: see `webhook-console endpoints list`"
            )
        return endpoint_of(row[1:]), row[0]
