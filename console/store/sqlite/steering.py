"""What operators change, and the audit log.

A bulk operation is a row: what it is for (`plan`), and how far it is (`position`, the last delivery looked at). Each
piece is one transaction that reads the row, moves deliveries and writes the row, so that nothing is lost or done twice
wherever a process dies, and however many carry it on.
"""

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

import msgspec

from console.domain.change import Change
from console.domain.delivery import RETRYABLE, DeliveryState
from console.domain.errors import UnknownReferenceError
from console.domain.filters import DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, OperationId, format_number
from console.domain.operation import BulkPlan, Operation, OperationKind, allowance, result_words
from console.store.sqlite import counting, filtering, nudging, ordering
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row
from console.store.sqlite.picking import Picking
from console.store.sqlite.rows import OPERATION_COLUMNS, change_text, operation_of
from console.store.sqlite.schema import TROUBLED

LOOK = 8
"""For each delivery that one piece may move, how many it looks at: what bounds a piece when few match."""

STREAMS = 12
"""The most pairs of an endpoint and a state whose deliveries are merged by age; for more all deliveries are walked."""

_ALL = 2**62

LOOK_AT_ONCE = 2_000
OLDEST_LOOK = 100_000
"""Deliveries that are looked at for the oldest one of a filter: some 100 ms."""

_BEGIN = """
INSERT INTO operations (kind, actor, target, reason, started_at, before) VALUES (?, ?, ?, ?, ?, ?) RETURNING id
"""
_BEGIN_BULK = f"""
INSERT INTO operations (kind, actor, target, reason, started_at, plan, total, rate, paced_until, finished_at, result)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING {OPERATION_COLUMNS}
"""
_PROGRESS = "UPDATE operations SET done = ?, result = ?, finished_at = ? WHERE id = ?"
_STOP = "UPDATE engine SET stop_requested = 1 WHERE id = 1"
_OPERATION = f"SELECT {OPERATION_COLUMNS} FROM operations WHERE id = ?"
_OPEN = f"SELECT {OPERATION_COLUMNS} FROM operations WHERE finished_at IS NULL AND plan IS NOT NULL ORDER BY id"
_STATE = "SELECT plan, position, paced_until FROM operations WHERE id = ?"
_ADVANCED = f"""
UPDATE operations SET done = ?, position = ?, paced_until = ?, result = ?, finished_at = ? WHERE id = ?
RETURNING {OPERATION_COLUMNS}
"""
_CANCEL_OPERATION = f"""
UPDATE operations SET cancelled_by = ?, result = ?, finished_at = ? WHERE id = ? RETURNING {OPERATION_COLUMNS}
"""

_NEWEST = """
SELECT (SELECT coalesce(max(id), 0) FROM deliveries), (SELECT coalesce(max(id), 0) FROM attempts),
  (SELECT json_group_array(id) FROM deliveries WHERE state = 'sending')
"""
_COUNT = "SELECT count(*) FROM ({picked}) CROSS JOIN deliveries ON deliveries.id = picked WHERE {movable}"
_COUNT_UNDOABLE = "SELECT count(*) FROM deliveries INDEXED BY deliveries_operation WHERE operation = ? AND {movable}"
_LOOKED = "SELECT id AS looked FROM deliveries {source} WHERE {where} AND id > ? AND id <= ? ORDER BY id LIMIT ?"
_OF_ENDPOINT = """
SELECT id AS looked FROM deliveries INDEXED BY deliveries_endpoint_state
WHERE endpoint = (SELECT seq FROM endpoints WHERE id = ?) AND state = ? AND id > ? AND id <= ?
"""
_GIVEN = "SELECT value AS looked FROM json_each(?)"
_LAST_LOOKED = "SELECT count(*), max(looked) FROM ({looked})"
# Without an ORDER BY of its own: the rows come in the order of what is looked at, and no more is looked at than needed.
_PICK = """
SELECT id, endpoint, state, state_before, order_key FROM ({looked}) CROSS JOIN deliveries ON id = looked
WHERE {matching} LIMIT ?
"""
# A removed endpoint has nowhere to send to.
_PRESENT = "endpoint IN (SELECT seq FROM endpoints WHERE removed_at IS NULL)"
_UNTOUCHED = """
coalesce((SELECT a.id FROM attempts a WHERE a.delivery = deliveries.id AND a.number = deliveries.attempts), 0) <= ?
AND deliveries.id NOT IN (SELECT value FROM json_each(?))
"""

# A second retry by hand, before the first one's try, is the same retry: taking it back leads to before both.
_RETRY = """
UPDATE deliveries SET
  state_before = iif(state = 'pending' AND manual AND state_before IS NOT NULL, state_before, state),
  due_before = iif(state = 'pending' AND manual AND state_before IS NOT NULL, due_before, next_attempt_at),
  state = 'pending', next_attempt_at = ?2, manual = 1, operation = ?1, updated_at = ?2
WHERE id IN (SELECT value FROM json_each(?3))
"""
_CANCEL = """
UPDATE deliveries SET state_before = state, due_before = next_attempt_at,
  state = 'cancelled', next_attempt_at = NULL, operation = ?1, updated_at = ?2
WHERE id IN (SELECT value FROM json_each(?3))
"""
_UNDO = """
UPDATE deliveries SET state = state_before, next_attempt_at = iif(state_before = 'pending', due_before, NULL),
  manual = iif(state = 'cancelled', manual, 0), state_before = NULL, due_before = NULL, operation = ?1, updated_at = ?2
WHERE id IN (SELECT value FROM json_each(?3))
"""


@dataclass(frozen=True, slots=True)
class _Move:
    """What a kind of bulk operation does: to deliveries in which states and otherwise, and how; `to` None: to the state
    they had before."""

    states: tuple[DeliveryState, ...]
    movable: str
    update: str
    to: str | None


_CANCELLING = _Move(
    (DeliveryState.PENDING, DeliveryState.FAILED), "state IN ('pending', 'failed')", _CANCEL, "cancelled"
)
_MOVES: Mapping[OperationKind, _Move] = {
    OperationKind.DELIVERY_RETRY: _Move(
        tuple(state for state in DeliveryState if state in RETRYABLE),
        f"state <> 'sending' AND {_PRESENT}",
        _RETRY,
        "pending",
    ),
    OperationKind.DELIVERY_CANCEL: _CANCELLING,
    OperationKind.DELIVERY_SKIP: _CANCELLING,
    # What was cancelled and still is, and what was retried and waits for its try.
    OperationKind.DELIVERY_UNDO: _Move(
        (DeliveryState.PENDING, DeliveryState.CANCELLED),
        f"state_before IS NOT NULL AND (state = 'cancelled' OR state = 'pending' AND manual) AND {_PRESENT}",
        _UNDO,
        None,
    ),
}

_encode = msgspec.json.Encoder().encode
_read_plan = msgspec.json.Decoder(BulkPlan).decode
_read_ids = msgspec.json.Decoder(tuple[DeliveryId, ...]).decode


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one piece found: rows to move, the last delivery looked at, and whether there is more behind it."""

    rows: list[Row]
    position: int
    more: bool


class SteeringQueries(Queries):
    def begin_bulk(
        self,
        kind: OperationKind,
        where: DeliveryFilter,
        *,
        undoes: OperationId | None = None,
        rate_per_s: float | None,
        actor: str,
        target: str,
        reason: str | None,
        now_ms: int,
    ) -> Operation:
        states = tuple(s for s in where.states or _MOVES[kind].states if s in _MOVES[kind].states)
        # When it can move none of the states that are asked for, none is what it finds.
        where = replace(where, ids=tuple(sorted(set(where.ids))), states=states or where.states)
        total = self._count_movable(kind, where) if undoes is None else self.count_undoable(undoes)
        paced_until = None if rate_per_s is None else now_ms - 1000 / rate_per_s
        with self.transaction():
            newest, newest_attempt, sending = self._connection.rows(_NEWEST)[0]
            plan = BulkPlan(
                where=where,
                newest=DeliveryId(newest),
                newest_attempt=AttemptId(newest_attempt),
                sending=_read_ids(sending) if kind is OperationKind.DELIVERY_RETRY else (),
                undoes=undoes,
            )
            text = _encode(plan).decode()
            # Nothing to move is no reason to look at every delivery.
            end = (None, None) if total else (now_ms, result_words(0, 0, stopped=False))
            values = (kind, actor, target, reason, now_ms, text, total, rate_per_s, paced_until, *end)
            return operation_of(self._connection.rows(_BEGIN_BULK, values)[0])

    def _count_movable(self, kind: OperationKind, where: DeliveryFilter) -> int:
        picking = Picking(self._connection)
        with picking.snapshot():
            if where.texts:
                from console.store.sqlite.finding import Finder

                counts, _ = Finder(self._connection).count(where, budget_ms=inf, also=_MOVES[kind].movable)
                return sum(counts.values())
            pick = picking.deliveries(where, limit=_ALL, before=None)
            if pick is None:
                return 0
            count = self._connection.value(
                _COUNT.format(picked=pick.sql, movable=_MOVES[kind].movable), pick.parameters
            )
        assert isinstance(count, int)
        return count

    def advance_operation(self, operation_id: OperationId, *, limit: int, now_ms: int) -> Operation:
        with self.transaction():
            operation = self.operation(operation_id)
            if not operation.is_open:
                return operation
            text, position, paced_until = self._connection.rows(_STATE, (operation_id,))[0]
            allowed = limit
            if operation.rate_per_s is not None:
                by_rate, paced_until = allowance(operation.rate_per_s, paced_until, now_ms)
                allowed = min(limit, by_rate)
            if allowed <= 0:
                return operation
            piece = self._next_piece(operation.kind, _read_plan(text), position, allowed, limit * LOOK)
            if piece.rows:
                self._move(operation, piece.rows, now_ms)
            done = operation.done + len(piece.rows)
            if operation.rate_per_s is not None:
                paced_until += len(piece.rows) * 1000 / operation.rate_per_s
            result = None if piece.more else result_words(done, operation.total or 0, stopped=False)
            ended = None if piece.more else now_ms
            values = (done, piece.position, paced_until, result, ended, operation_id)
            return operation_of(self._connection.rows(_ADVANCED, values)[0])

    def _next_piece(self, kind: OperationKind, plan: BulkPlan, position: int, allowed: int, look: int) -> _Piece:
        """At most `allowed` deliveries behind `position` to move, among the next `look` that come into question."""
        looked, values = _in_question(plan, position, look)
        # The ids that were given are those that are looked at.
        c = filtering.of_deliveries(replace(plan.where, ids=()))
        c.add(_MOVES[kind].movable)
        c.add("id <= ?", plan.newest)
        c.maybe("operation = ?", plan.undoes)
        if kind is OperationKind.DELIVERY_RETRY:
            c.add(_UNTOUCHED, plan.newest_attempt, json.dumps(plan.sending))
        sql = _PICK.format(looked=looked, matching=c.where())
        rows = self._connection.rows(sql, (*values, *c.parameters, allowed + 1))
        if len(rows) > allowed:
            return _Piece(rows[:allowed], rows[allowed - 1][0], more=True)
        count, last = self._connection.rows(_LAST_LOOKED.format(looked=looked), values)[0]
        return _Piece(rows, last or position, more=count == look)

    def _move(self, operation: Operation, rows: list[Row], now_ms: int) -> None:
        move = _MOVES[operation.kind]
        ids = json.dumps([row[0] for row in rows])
        self._connection.run(move.update, (operation.id, now_ms, ids))
        if move.to == "cancelled":
            ordering.promote(self._connection, (row[0] for row in rows), now_ms)
        else:
            ordering.place(self._connection, (row[0] for row in rows), now_ms)
        changes = [(endpoint, state, move.to or before) for _, endpoint, state, before, _ in rows]
        counting.move(self._connection, counting.moves_between(changes))
        nudging.work_changed(self._connection, {row[1] for row in rows})

    def oldest_movable(
        self, kind: OperationKind, where: DeliveryFilter, *, look: int = OLDEST_LOOK
    ) -> DeliveryId | None:
        states = tuple(s for s in where.states or _MOVES[kind].states if s in _MOVES[kind].states)
        where = replace(where, ids=tuple(sorted(set(where.ids))), states=states or where.states)
        plan, position = BulkPlan(where=where, newest=DeliveryId(_ALL), newest_attempt=AttemptId(_ALL)), 0
        for _ in range(0, look, LOOK_AT_ONCE):
            piece = self._next_piece(kind, plan, position, 1, LOOK_AT_ONCE)
            if piece.rows:
                return DeliveryId(piece.rows[0][0])
            if not piece.more:
                return None
            position = piece.position
        return None

    def cancel_operation(self, operation_id: OperationId, *, actor: str, now_ms: int) -> Operation:
        with self.transaction():
            operation = self.operation(operation_id)
            if not operation.is_open:
                return operation
            result = result_words(operation.done, operation.total or 0, stopped=True)
            rows = self._connection.rows(_CANCEL_OPERATION, (actor, result, now_ms, operation_id))
            return operation_of(rows[0])

    def operation(self, operation_id: OperationId) -> Operation:
        row = self._connection.row(_OPERATION, (operation_id,))
        if row is None:
            raise UnknownReferenceError(
                f"no operation {format_number('op', operation_id)}: see `webhook-console operations list`"
            )
        return operation_of(row)

    def open_operations(self) -> list[Operation]:
        return [operation_of(row) for row in self._connection.rows(_OPEN)]

    def count_undoable(self, operation_id: OperationId) -> int:
        movable = _MOVES[OperationKind.DELIVERY_UNDO].movable
        count = self._connection.value(_COUNT_UNDOABLE.format(movable=movable), (operation_id,))
        assert isinstance(count, int)
        return count

    def begin_operation(
        self,
        kind: OperationKind,
        *,
        actor: str,
        target: str,
        reason: str | None,
        now_ms: int,
        change: Change | None = None,
    ) -> OperationId:
        with self.transaction():
            values = (kind, actor, target, reason, now_ms, change_text(change))
            return OperationId(self._connection.value(_BEGIN, values))

    def progress_operation(
        self, operation_id: OperationId, *, done: int, result: str | None, finished_at_ms: int | None
    ) -> None:
        with self.transaction():
            self._connection.run(_PROGRESS, (done, result, finished_at_ms, operation_id))

    def request_stop(self) -> None:
        with self.transaction():
            self._connection.run(_STOP)
            nudging.stop_asked(self._connection)


def _in_question(plan: BulkPlan, position: int, look: int) -> tuple[str, list[object]]:
    """The next ids to look at, as SQL and its parameters: along an index, so that those between cost nothing."""
    where = plan.where
    if where.ids:
        begin = bisect_right(where.ids, position)
        return _GIVEN, [json.dumps(where.ids[begin : begin + look])]
    bounds = (position, plan.newest)
    if 0 < len(where.endpoints) * len(where.states) <= STREAMS and where.event_id is None:
        keys = [(endpoint, state) for endpoint in where.endpoints for state in where.states]
        merged = " UNION ALL ".join([_OF_ENDPOINT] * len(keys))
        values: list[object] = [value for key in keys for value in (*key, *bounds)]
        return f"{merged} ORDER BY looked LIMIT ?", [*values, look]
    c, source = filtering.Conditions(), "NOT INDEXED"
    if plan.undoes is not None:
        source = "INDEXED BY deliveries_operation"
        c.add("operation = ?", plan.undoes)
    elif where.event_id is not None:
        source = "INDEXED BY deliveries_event"
        c.add("event = (SELECT seq FROM events WHERE id = ?)", where.event_id)
    elif where.troubled or where.groups or where.states == (DeliveryState.FAILED,):
        source = "INDEXED BY deliveries_troubled"
        c.add(TROUBLED)
    return _LOOKED.format(source=source, where=c.where()), [*c.parameters, *bounds, look]
