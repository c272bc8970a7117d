"""What the inspector shows of a delivery at a moment of the past: what had happened by then, and nothing later.

Attempts, states and what was done are those of then. What nobody wrote down, an endpoint's policy and its secrets, is
today's; whoever shows it says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from console.domain.delivery import Attempt, Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, EndpointId
from console.domain.operation import OperationKind
from console.domain.why import Standing
from console.store import Store
from console.ui.explain import Circumstances
from console.ui.inspection import MOST_ATTEMPTS, MOST_DELIVERIES, Inspection, outcomes_of, read_inspection
from console.ui.past import as_of, endpoint_as_of

OPERATIONS_SEARCHED = 300
"""How far the audit log is looked back at for who paused."""


def read_past_inspection(store: Store, delivery_id: DeliveryId, at_ms: int) -> Inspection:
    """As `read_inspection`, at the end of `at_ms`. Raises UnknownReferenceError when there is no such delivery."""
    newest_ms = store.newest_ms()
    if newest_ms is not None and at_ms >= newest_ms:
        # Nothing happened since: what is kept is exact.
        return replace(read_inspection(store, delivery_id, at_ms), at_ms=at_ms)
    version = store.data_version()
    today = store.delivery(delivery_id)
    event = store.event(today.event_id)
    attempts = _attempts_by(store, delivery_id, at_ms)
    levels = store.levels_at(at_ms)
    endpoints = [endpoint_as_of(one, levels.get(one.id)) for one in store.endpoints_at(at_ms)]
    by_id = {one.id: one for one in endpoints}
    siblings = store.deliveries(DeliveryFilter(event_id=event.id), limit=MOST_DELIVERIES)
    then = store.deliveries_at([delivery_id, *(one.id for one in siblings)], at_ms)
    delivery = _delivery_then(store, today, then, by_id, at_ms)
    endpoint = by_id.get(today.endpoint_id)
    owed = event.accepted_at_ms <= at_ms
    others = [_delivery_then(store, one, then, by_id, at_ms) for one in siblings if one.created_at_ms <= at_ms]
    return Inspection(
        data_version=version,
        delivery=delivery,
        event=event,
        attempts=tuple(attempts),
        engine=store.engine_status(),
        around=Circumstances(
            standing=_standing_then(store.standing(delivery_id), at_ms),
            endpoint=endpoint,
            # Nobody wrote down when engines ran: what is said of the delivery does not rest on it.
            engine_alive=True,
            held_by=_paused_by(store, endpoint, at_ms) if delivery.held and endpoint is not None else None,
        ),
        outcomes=tuple(outcomes_of(event, delivery, others, endpoints)) if owed else (),
        at_ms=at_ms,
    )


def _attempts_by(store: Store, delivery_id: DeliveryId, at_ms: int) -> list[Attempt]:
    where = AttemptFilter(delivery_id=delivery_id, until_ms=at_ms + 1)
    return [as_of(attempt, at_ms) for attempt in store.attempts(where, AttemptPage(limit=MOST_ATTEMPTS))]


def _delivery_then(
    store: Store,
    today: Delivery,
    then: Mapping[DeliveryId, tuple[AttemptId, Delivery]],
    endpoints: Mapping[EndpointId, Endpoint],
    at_ms: int,
) -> Delivery:
    """A delivery as it stood; one that had no attempt that had ended by then was sent for the first time, or waited."""
    found = then.get(today.id)
    delivery = found[1] if found is not None else _before_its_first(store, today, at_ms)
    endpoint = endpoints.get(delivery.endpoint_id)
    held = delivery.state is DeliveryState.PENDING and endpoint is not None and endpoint.state != EndpointState.ACTIVE
    return replace(delivery, held=held)


def _before_its_first(store: Store, today: Delivery, at_ms: int) -> Delivery:
    page = AttemptPage(limit=1, after=AttemptId(0))
    first = next(iter(store.attempts(AttemptFilter(delivery_id=today.id), page)), None)
    sending = first is not None and first.started_at_ms <= at_ms
    state, due_ms = DeliveryState.SENDING if sending else DeliveryState.PENDING, None
    if not sending:
        due_ms = today.created_at_ms if first is None else first.due_at_ms or first.started_at_ms
        if first is None and today.updated_at_ms <= at_ms:
            state, due_ms = today.state, today.next_attempt_at_ms
    return replace(
        today, state=state, held=False, blocked=False, attempts=int(sending), schedule_step=0, manual=False,
        next_attempt_at_ms=due_ms, last_cause=None, last_status=None, last_attempt_at_ms=None,
        updated_at_ms=today.created_at_ms, failure_group=None,
    )  # fmt: skip


def _standing_then(today: Standing, at_ms: int) -> Standing:
    """Who stood before it is not known; who moved it is, unless that was later."""
    by = today.moved_by
    return Standing(in_line=today.in_line, moved_by=by if by is not None and by.started_at_ms <= at_ms else None)


def _paused_by(store: Store, endpoint: Endpoint, at_ms: int) -> str | None:
    pauses: Iterable[str] = (
        operation.actor
        for operation in store.operations(limit=OPERATIONS_SEARCHED)
        if operation.kind is OperationKind.ENDPOINT_PAUSE
        and operation.target == endpoint.name
        and operation.started_at_ms <= at_ms
    )
    return next(iter(pauses), None) if endpoint.state is EndpointState.PAUSED else None
