"""What operators change, and the audit log."""

from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, OperationId
from console.domain.operation import OperationKind
from console.store.sqlite import counting, filtering, nudging
from console.store.sqlite.base import Queries

_PICK = "SELECT id, endpoint, state FROM deliveries WHERE {where} ORDER BY id LIMIT ?"
_RETRY = """
UPDATE deliveries SET state = 'pending', next_attempt_at = ?, manual = 1, updated_at = ? WHERE id = ?
"""
_CANCEL = "UPDATE deliveries SET state = 'cancelled', next_attempt_at = NULL, updated_at = ? WHERE id = ?"
_BEGIN = "INSERT INTO operations (kind, actor, target, reason, started_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
_PROGRESS = "UPDATE operations SET done = ?, result = ?, finished_at = ? WHERE id = ?"
_STOP = "UPDATE engine SET stop_requested = 1 WHERE id = 1"


class SteeringQueries(Queries):
    def retry_deliveries(
        self, where: DeliveryFilter, *, now_ms: int, limit: int, after: DeliveryId | None = None
    ) -> tuple[int, DeliveryId | None]:
        # A removed endpoint has nowhere to send to.
        allowed = "state <> 'sending' AND endpoint IN (SELECT seq FROM endpoints WHERE removed_at IS NULL)"
        return self._move(where, allowed, "pending", _RETRY, (now_ms, now_ms), limit, after)

    def cancel_deliveries(
        self, where: DeliveryFilter, *, now_ms: int, limit: int, after: DeliveryId | None = None
    ) -> tuple[int, DeliveryId | None]:
        return self._move(where, "state IN ('pending', 'failed')", "cancelled", _CANCEL, (now_ms,), limit, after)

    def _move(
        self,
        where: DeliveryFilter,
        allowed: str,
        to: str,
        update: str,
        values: tuple[int, ...],
        limit: int,
        after: DeliveryId | None,
    ) -> tuple[int, DeliveryId | None]:
        c = filtering.of_deliveries(where)
        c.add(allowed)
        c.maybe("id > ?", after)
        with self.transaction():
            picked = self._connection.rows(_PICK.format(where=c.where()), (*c.parameters, limit))
            self._connection.run_many(update, [(*values, id_) for id_, _, _ in picked])
            counting.move(self._connection, counting.moves_between((e, before, to) for _, e, before in picked))
            nudging.work_changed(self._connection, {endpoint for _, endpoint, _ in picked})
        return len(picked), DeliveryId(picked[-1][0]) if picked and len(picked) == limit else None

    def begin_operation(
        self, kind: OperationKind, *, actor: str, target: str, reason: str | None, now_ms: int
    ) -> OperationId:
        with self.transaction():
            return OperationId(self._connection.value(_BEGIN, (kind, actor, target, reason, now_ms)))

    def progress_operation(
        self, operation_id: OperationId, *, done: int, result: str | None, finished_at_ms: int | None
    ) -> None:
        with self.transaction():
            self._connection.run(_PROGRESS, (done, result, finished_at_ms, operation_id))

    def request_stop(self) -> None:
        with self.transaction():
            self._connection.run(_STOP)
            nudging.stop_asked(self._connection)
