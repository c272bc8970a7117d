"""What the inspector shows of one delivery, read in one go."""

from collections.abc import Iterable
from dataclasses import dataclass

from console.domain.delivery import Attempt, Delivery
from console.domain.endpoint import Endpoint
from console.domain.event import Event
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, EventId
from console.domain.status import EngineStatus
from console.operations.why import who_paused
from console.store import Store
from console.ui.explain import Circumstances, not_owed
from console.ui.widgets.vocabulary import NOT_OWED, Cell, delivery_mark

MOST_ATTEMPTS = 1_000
"""The newest attempts of a delivery that are shown."""

MOST_DELIVERIES = 1_000
"""Deliveries of one event that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the event at one endpoint; `delivery_id` None: it is not owed, and `note` says why."""

    endpoint_id: EndpointId
    endpoint_name: str
    mark: Cell
    note: str
    delivery_id: DeliveryId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One delivery and all around it. `data_version` is that of the store when it was read."""

    data_version: int
    delivery: Delivery
    event: Event
    attempts: tuple[Attempt, ...]
    """Oldest first."""
    engine: EngineStatus | None
    around: Circumstances
    outcomes: tuple[Outcome, ...]
    """Of the event at the other endpoints; first those that it is owed to."""
    at_ms: int | None = None
    """The moment of the past at whose end all this was so; None: it is so now."""

    @property
    def endpoint(self) -> Endpoint | None:
        return self.around.endpoint

    @property
    def not_yet(self) -> bool:
        """The event came after the moment that is looked at."""
        return self.at_ms is not None and self.event.accepted_at_ms > self.at_ms


def read_inspection(store: Store, delivery_id: DeliveryId, now_ms: int) -> Inspection:
    """Raises UnknownReferenceError when there is no such delivery."""
    version = store.data_version()
    delivery = store.delivery(delivery_id)
    event = store.event(delivery.event_id)
    attempts = store.attempts(AttemptFilter(delivery_id=delivery_id), AttemptPage(limit=MOST_ATTEMPTS))
    endpoints = store.endpoints()
    endpoint = next((e for e in endpoints if e.id == delivery.endpoint_id), None)
    engine = store.engine_status()
    around = Circumstances(
        standing=store.standing(delivery_id),
        endpoint=endpoint,
        engine_alive=engine is not None and engine.alive(now_ms),
        held_by=who_paused(store, endpoint) if delivery.held and endpoint is not None else None,
    )
    siblings = store.deliveries(DeliveryFilter(event_id=event.id), limit=MOST_DELIVERIES)
    return Inspection(
        data_version=version,
        delivery=delivery,
        event=event,
        attempts=tuple(attempts),
        engine=engine,
        around=around,
        outcomes=tuple(outcomes_of(event, delivery, siblings, endpoints)),
    )


def read_if_changed(
    store: Store, delivery_id: DeliveryId, now_ms: int, known: int | None, *, at_ms: int | None = None
) -> Inspection | None:
    """As `read_inspection`, or at the end of `at_ms`; None when nothing was committed since data version `known`."""
    if known is not None and store.data_version() == known:
        return None
    if at_ms is None:
        return read_inspection(store, delivery_id, now_ms)
    from console.ui.past_inspection import read_past_inspection

    return read_past_inspection(store, delivery_id, at_ms)


def delivery_of_event(store: Store, event_id: EventId) -> DeliveryId | None:
    """The delivery of an event to look at first: a troubled one, else the newest. None when it is owed to nobody.

    Raises:
        UnknownReferenceError: no such event.
    """
    event = store.event(event_id)
    for troubled in (True, False):
        found = store.deliveries(DeliveryFilter(event_id=event.id, troubled=troubled), limit=1)
        if found:
            return found[0].id
    return None


def outcomes_of(
    event: Event, current: Delivery, siblings: Iterable[Delivery], endpoints: Iterable[Endpoint]
) -> Iterable[Outcome]:
    """What became of an event at the endpoints besides that of the delivery that is looked at."""
    owed = {current.endpoint_id}
    for sibling in sorted(siblings, key=lambda d: d.endpoint_name):
        owed.add(sibling.endpoint_id)
        if sibling.id != current.id:
            yield Outcome(
                endpoint_id=sibling.endpoint_id,
                endpoint_name=sibling.endpoint_name,
                mark=delivery_mark(sibling),
                note=_sibling_note(sibling),
                delivery_id=sibling.id,
            )
    for endpoint in endpoints:
        if endpoint.id not in owed:
            yield Outcome(
                endpoint_id=endpoint.id,
                endpoint_name=endpoint.name,
                mark=NOT_OWED,
                note=not_owed(event, endpoint),
                delivery_id=None,
            )


def _sibling_note(delivery: Delivery) -> str:
    last = f"HTTP {delivery.last_status}" if delivery.last_status is not None else str(delivery.last_cause or "")
    tries = f"{delivery.attempts} {'try' if delivery.attempts == 1 else 'tries'}"
    return f"{tries}, {last}" if last else tries
