"""Retry and cancel deliveries: one, the marked ones, or all that match a filter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from console.domain.clock import Clock
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, format_number
from console.domain.operation import OperationKind
from console.store.protocol import Store

CHUNK = 2000
"""Deliveries moved in one transaction: ~20 ms of the write lock, so that a bulk action never stalls an accept."""

CONFIRM_ABOVE = 100
"""A command asks before it touches more than this many."""


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


def retry(
    store: Store, where: DeliveryFilter, *, actor: str, clock: Clock, progress: Callable[[int], None] | None = None
) -> int:
    """Make every matching delivery due now. Those being sent at this moment are left alone. Returns how many were.

    Args:
        progress: told the number so far after each chunk.
    """
    return _in_chunks(store, OperationKind.DELIVERY_RETRY, where, actor, clock, progress)


def cancel(
    store: Store, where: DeliveryFilter, *, actor: str, clock: Clock, progress: Callable[[int], None] | None = None
) -> int:
    """Give up every matching delivery that is pending or failed. Returns how many were."""
    return _in_chunks(store, OperationKind.DELIVERY_CANCEL, where, actor, clock, progress)


def _in_chunks(
    store: Store,
    kind: OperationKind,
    where: DeliveryFilter,
    actor: str,
    clock: Clock,
    progress: Callable[[int], None] | None,
) -> int:
    move = store.retry_deliveries if kind is OperationKind.DELIVERY_RETRY else store.cancel_deliveries
    target = describe(where, {endpoint.id: endpoint.name for endpoint in store.endpoints()})
    operation = store.begin_operation(kind, actor=actor, target=target, reason=None, now_ms=clock.now_ms())
    done, after, finished = 0, None, False
    while not finished:
        with store.transaction():
            moved, after = move(where, now_ms=clock.now_ms(), limit=CHUNK, after=after)
            done, finished = done + moved, after is None
            store.progress_operation(
                operation,
                done=done,
                result=f"{done} {'delivery' if done == 1 else 'deliveries'}" if finished else None,
                finished_at_ms=clock.now_ms() if finished else None,
            )
        if progress is not None:
            progress(done)
    return done


def describe(where: DeliveryFilter, names: Mapping[EndpointId, str]) -> str:
    """A filter in words, as the audit log keeps it. `names`: of endpoints; one that is not in it is shown by its id."""
    parts = [
        ("", _ids_in_words(where.ids)),
        ("state:", ",".join(where.states)),
        ("endpoint:", ",".join(names.get(id_, id_) for id_ in where.endpoints)),
        ("event:", where.event_id),
        ("type:", where.type_pattern),
        ("cause:", ",".join(where.causes)),
        ("since:", _time_in_words(where.since_ms)),
        ("until:", _time_in_words(where.until_ms)),
        ("", "troubled" if where.troubled else ""),
    ]
    return " ".join(f"{label}{value}" for label, value in parts if value not in (None, "")) or "all"


def _time_in_words(at_ms: int | None) -> str:
    if at_ms is None:
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _ids_in_words(ids: tuple[DeliveryId, ...]) -> str:
    shown = ",".join(format_number("dlv", i) for i in ids[:5])
    return shown + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
