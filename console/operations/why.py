"""Look up all that 'why' is answered from."""

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import UnknownReferenceError
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import EventId
from console.domain.not_owed import why_not_owed
from console.domain.operation import OperationKind
from console.domain.why import Answer, Around, Times, why_delivery, why_unknown
from console.store.protocol import Store

_OPERATIONS_SEARCHED = 300
_ATTEMPTS_LOOKED_AT = 50


def find_endpoint_ever(store: Store, reference: str) -> tuple[Endpoint, int | None]:
    """An endpoint by reference, and when it was removed; a removed one by its whole id or name.

    Raises:
        UnknownReferenceError: there is none, or several.
    """
    try:
        return store.find_endpoint(reference), None
    except UnknownReferenceError as unknown:
        try:
            return store.removed_endpoint(reference)
        except UnknownReferenceError:
            raise unknown from None


def who_paused(store: Store, endpoint: Endpoint) -> str | None:
    """Who paused an endpoint that is paused, as far as the audit log is looked back at."""
    if endpoint.state is not EndpointState.PAUSED:
        return None
    pauses = (
        operation.actor
        for operation in store.operations(limit=_OPERATIONS_SEARCHED)
        if operation.kind is OperationKind.ENDPOINT_PAUSE and operation.target == endpoint.name
    )
    return next(pauses, None)


def why(store: Store, event_id: EventId, endpoint: Endpoint, removed_at_ms: int | None, times: Times) -> Answer:
    """What became of an event at an endpoint, and why."""
    found = store.deliveries(DeliveryFilter(event_id=event_id, endpoints=(endpoint.id,)), limit=1)
    if not found:
        try:
            event = store.event(event_id)
        except UnknownReferenceError:
            return why_unknown(event_id)
        return why_not_owed(event, endpoint, removed_at_ms, times)
    (delivery,) = found
    engine = store.engine_status()
    around = Around(
        endpoint=endpoint,
        removed_at_ms=removed_at_ms,
        engine_alive=engine is not None and engine.alive(times.now_ms),
        held_by=who_paused(store, endpoint) if delivery.held else None,
    )
    attempts = store.attempts(AttemptFilter(delivery_id=delivery.id), AttemptPage(limit=_ATTEMPTS_LOOKED_AT))
    return why_delivery(delivery, attempts, around, store.standing(delivery.id), times)
