"""Send an event once more as a new one that is linked to it: to another endpoint or URL, or with an edited payload."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from console.domain.change import Change
from console.domain.endpoint import Endpoint, check_url
from console.domain.errors import InvalidInputError
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, EventId
from console.domain.operation import OperationKind
from console.domain.payload import check_payload
from console.operations.accepting import SchemaBook
from console.operations.endpoints import refuse_own_intake
from console.store.protocol import Store

SOURCE = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """A copy that was accepted, and the delivery that is owed for it."""

    event_id: EventId
    delivery_id: DeliveryId
    edited: bool
    """Its payload is another than that of the event it is a copy of."""


def resend(
    store: Store,
    event_id: EventId,
    endpoint_id: EndpointId,
    *,
    actor: str,
    now_ms: int,
    url: str | None = None,
    payload: bytes | None = None,
    reason: str | None = None,
) -> Resent:
    """Accept a copy of an event, with a webhook-id of its own, and owe it to one endpoint, whatever types it wants.

    Args:
        url: where it goes instead of the endpoint's URL, with the endpoint's secrets and policy; retries go there too.
        payload: what it carries instead; None: byte for byte what the event carries.

    Raises:
        UnknownReferenceError: no such event or endpoint.
        InvalidInputError: the URL or the payload is wrong, or the endpoint may only be sent to where it permitted it.
    """
    with store.transaction():
        event, endpoint = store.event(event_id), store.find_endpoint(endpoint_id)
        elsewhere = check_elsewhere(endpoint, url)
        data = event.payload if payload is None else check_payload(payload)
        if elsewhere is not None:
            refuse_own_intake(store, elsewhere)
        copy = NewEvent(type=event.type, payload=data, source=SOURCE, copy_of=event.id, hops=event.hops, via=event.via)
        copy = SchemaBook().refresh(store).mark(copy)
        accepted = store.accept_for(copy, endpoint.id, now_ms, url=elsewhere)
        edited = data != event.payload
        operation = store.begin_operation(
            OperationKind.EVENT_RESEND,
            actor=actor,
            target=f"{event.id} to {endpoint.name}" + (f" at {elsewhere}" if elsewhere else ""),
            reason=reason,
            now_ms=now_ms,
            change=Change(
                subject=event.id,
                after={"event": accepted.id, "endpoint": endpoint.name, "url": elsewhere, "edited": edited},
            ),
        )
        store.progress_operation(operation, done=1, result=accepted.id, finished_at_ms=now_ms)
        (delivery,) = store.deliveries(DeliveryFilter(event_id=accepted.id), limit=1)
    return Resent(event_id=accepted.id, delivery_id=delivery.id, edited=edited)


def check_elsewhere(endpoint: Endpoint, url: str | None) -> str | None:
    """The URL when it is another than the endpoint's own and may be sent to; None for the endpoint's own.

    Raises:
        InvalidInputError
    """
    if url is None or url == endpoint.url:
        return None
    if endpoint.policy.handshake:
        raise InvalidInputError(
            f"{endpoint.name}: asks its receiver for permission first, which {_host(url)} has not given: "
            "send to an endpoint without --handshake"
        )
    return check_url(url)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url[:60]
