"""Retry, cancel, skip deliveries, and take that back: one, the marked ones, or all that match a filter.

Each is a bulk operation in the store, which any process may carry on: the running engine does, and without one the
process that began it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from console.domain.clock import Clock
from console.domain.errors import InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, OperationId, format_number
from console.domain.operation import Operation, OperationKind
from console.domain.query_format import format_query
from console.store.protocol import Store

CHUNK = 500
"""Deliveries moved in one transaction: ~5 ms of the write lock, so that a bulk operation never stalls an accept."""

PAUSE_S = 0.005
"""Between two chunks, so that others come to write."""

LOOK_S = 0.05
"""How often the progress of an operation is looked at that is paced, or that the engine carries on."""

CONFIRM_ABOVE = 100
"""A command asks before it touches more than this many."""

UNDOABLE = frozenset({OperationKind.DELIVERY_RETRY, OperationKind.DELIVERY_CANCEL, OperationKind.DELIVERY_SKIP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a bulk action would touch."""

    by_endpoint: dict[EndpointId, int]

    @property
    def total(self) -> int:
        return sum(self.by_endpoint.values())


def preview(store: Store, where: DeliveryFilter) -> Preview:
    """How many deliveries match, by endpoint."""
    return Preview(by_endpoint=store.count_deliveries(where))


def begin_retry(
    store: Store,
    where: DeliveryFilter,
    *,
    actor: str,
    now_ms: int,
    reason: str | None = None,
    rate_per_s: float | None = None,
) -> Operation:
    """Begin to make every matching delivery due now, so many a second when a rate is given.

    Those being sent at the beginning are left alone, and so is whatever is accepted or tried after it.
    """
    return _begin(store, OperationKind.DELIVERY_RETRY, where, actor, now_ms, reason, rate_per_s)


def begin_cancel(
    store: Store,
    where: DeliveryFilter,
    *,
    actor: str,
    now_ms: int,
    reason: str | None = None,
    rate_per_s: float | None = None,
) -> Operation:
    """Begin to give up every matching delivery that is pending or failed. What is accepted later is left alone."""
    return _begin(store, OperationKind.DELIVERY_CANCEL, where, actor, now_ms, reason, rate_per_s)


def begin_skip(store: Store, where: DeliveryFilter, *, actor: str, now_ms: int, reason: str | None = None) -> Operation:
    """As `begin_cancel`, for what stands in the way of what follows it: old ones after a pause, a failing head."""
    return _begin(store, OperationKind.DELIVERY_SKIP, where, actor, now_ms, reason, None)


def begin_undo(
    store: Store,
    operation_id: OperationId,
    *,
    actor: str,
    now_ms: int,
    reason: str | None = None,
    rate_per_s: float | None = None,
) -> Operation:
    """Begin to give back the state that a retry, cancel or skip took: to what is still as that operation left it.

    What was cancelled waits again for the try it was owed, at the step of the schedule where it was, and is due when
    it was due; what had failed has failed. What was retried and not tried yet is what it was before.

    Raises:
        UnknownReferenceError: no such operation.
        InvalidInputError: it is of a kind that cannot be taken back, still goes on, or nothing of it is left to undo.
    """
    undone = store.operation(operation_id)
    name = format_number("op", operation_id)
    check_undoable(store, undone)
    return store.begin_bulk(
        OperationKind.DELIVERY_UNDO,
        DeliveryFilter(),
        undoes=operation_id,
        rate_per_s=rate_per_s,
        actor=actor,
        target=f"{name} {undone.kind} {undone.target}",
        reason=reason,
        now_ms=now_ms,
    )


def check_undoable(store: Store, undone: Operation) -> None:
    """Raises InvalidInputError as `begin_undo` does."""
    name = format_number("op", undone.id)
    if undone.kind not in UNDOABLE or not undone.is_bulk:
        raise InvalidInputError(f"{name} ({undone.kind}): only a retry, cancel or skip can be undone")
    if undone.is_open:
        raise InvalidInputError(f"{name} still goes on: end it first with 'webhook-console operations cancel {name}'")
    if not store.count_undoable(undone.id):
        raise InvalidInputError(f"{name}: nothing of it is left to undo: {_gone_words(undone)}")


def _gone_words(undone: Operation) -> str:
    if not undone.done:
        return "it changed nothing"
    if undone.kind is OperationKind.DELIVERY_RETRY:
        return "all it made due was tried since, or changed by a later operation"
    return "all it cancelled was changed by a later operation"


def stop(store: Store, operation_id: OperationId, *, actor: str, now_ms: int) -> Operation:
    """End a bulk operation where it is; what it did stays done.

    Raises:
        UnknownReferenceError: no such operation.
        InvalidInputError: it is at its end, or did not move deliveries.
    """
    with store.transaction():
        operation = store.operation(operation_id)
        if not operation.is_open:
            name = format_number("op", operation_id)
            undo = f": to take it back, 'webhook-console operations undo {name}'" if operation.is_bulk else ""
            raise InvalidInputError(f"{name} is at its end{undo}")
        return store.cancel_operation(operation_id, actor=actor, now_ms=now_ms)


def carry_out(
    store: Store,
    operation: Operation,
    *,
    clock: Clock,
    progress: Callable[[int], None] | None = None,
    leave_to_engine: bool = False,
) -> Operation:
    """Return when a bulk operation is at its end, having carried it on.

    Args:
        progress: told the number so far, now and then.
        leave_to_engine: look on while an engine is alive; carry on only without one.
    """
    while operation.is_open:
        # A small one is done sooner than the engine sees it.
        look_on = leave_to_engine and (operation.total or 0) > CHUNK and _engine_alive(store, clock)
        if look_on:
            operation = store.operation(operation.id)
        else:
            operation = store.advance_operation(operation.id, limit=CHUNK, now_ms=clock.now_ms())
        if progress is not None:
            progress(operation.done)
        if operation.is_open:
            time.sleep(LOOK_S if look_on or operation.rate_per_s is not None else PAUSE_S)
    return operation


def retry(
    store: Store, where: DeliveryFilter, *, actor: str, clock: Clock, progress: Callable[[int], None] | None = None
) -> int:
    """`begin_retry`, and carry it out here. Returns how many were made due.

    Args:
        progress: told the number so far after each chunk.
    """
    operation = begin_retry(store, where, actor=actor, now_ms=clock.now_ms())
    return carry_out(store, operation, clock=clock, progress=progress).done


def cancel(
    store: Store, where: DeliveryFilter, *, actor: str, clock: Clock, progress: Callable[[int], None] | None = None
) -> int:
    """`begin_cancel`, and carry it out here. Returns how many were cancelled."""
    operation = begin_cancel(store, where, actor=actor, now_ms=clock.now_ms())
    return carry_out(store, operation, clock=clock, progress=progress).done


def _begin(
    store: Store,
    kind: OperationKind,
    where: DeliveryFilter,
    actor: str,
    now_ms: int,
    reason: str | None,
    rate_per_s: float | None,
) -> Operation:
    target = describe(where, {endpoint.id: endpoint.name for endpoint in store.endpoints()})
    return store.begin_bulk(
        kind, where, rate_per_s=rate_per_s, actor=actor, target=target, reason=reason, now_ms=now_ms
    )


def _engine_alive(store: Store, clock: Clock) -> bool:
    status = store.engine_status()
    return status is not None and status.alive(clock.now_ms())


def describe(where: DeliveryFilter, names: Mapping[EndpointId, str]) -> str:
    """A filter as the audit log keeps it: a line of the filter language, but for ids when they are many. `names`: of
    endpoints; one that is not in it is shown by its id."""
    parts = (_ids_in_words(where.ids), format_query(replace(where, ids=()), names))
    return " ".join(part for part in parts if part) or "all"


def _ids_in_words(ids: tuple[DeliveryId, ...]) -> str:
    shown = ",".join(format_number("dlv", i) for i in ids[:5])
    return shown + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
