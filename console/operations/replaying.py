"""Replay what came in: as an event that is owed to one endpoint."""

from dataclasses import dataclass, replace

from console.domain.change import Change
from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.event import NewEvent
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, EventId, format_number
from console.domain.inbound import Arrival, Genuine, InboundRequest, Refused, RequestId
from console.domain.kinds.judge import judge_request
from console.domain.loops import parse_hops
from console.domain.operation import OperationKind
from console.domain.source import Source, SourceId, SourceKind, SourceOptions
from console.operations.accepting import SchemaBook
from console.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The event that was made of a request, and the delivery that is owed for it."""

    event_id: EventId
    delivery_id: DeliveryId
    type: str


def replay_to_endpoint(
    store: Store, request_id: RequestId, endpoint_id: EndpointId, *, actor: str, now_ms: int, reason: str | None = None
) -> Replayed:
    """Accept a new event from a request in the inbox, whatever became of it, and owe it to one endpoint.

    Raises:
        UnknownReferenceError: no such request or endpoint.
        InvalidInputError: nothing that could be a payload is in it.
    """
    with store.transaction():
        arrival, endpoint = store.arrival(request_id), store.find_endpoint(endpoint_id)
        event = SchemaBook().refresh(store).mark(_event_of(store, arrival))
        accepted = store.accept_for(event, endpoint.id, now_ms)
        number = format_number("req", request_id)
        operation = store.begin_operation(
            OperationKind.EVENT_RESEND,
            actor=actor,
            target=f"{number} to {endpoint.name}",
            reason=reason,
            now_ms=now_ms,
            change=Change(subject=number, after={"event": accepted.id, "endpoint": endpoint.name}),
        )
        store.progress_operation(operation, done=1, result=accepted.id, finished_at_ms=now_ms)
        (delivery,) = store.deliveries(DeliveryFilter(event_id=accepted.id), limit=1)
    return Replayed(event_id=accepted.id, delivery_id=delivery.id, type=event.type)


def _event_of(store: Store, arrival: Arrival) -> NewEvent:
    row = arrival.row
    if arrival.cut_short and row.event_id is None:
        raise InvalidInputError(f"{format_number('req', row.id)}: only the beginning of its body was kept")
    if row.event_id is not None:
        try:
            before = store.event(row.event_id)
        except UnknownReferenceError:
            pass  # it is no longer kept; the request still is
        else:
            return NewEvent(
                type=before.type,
                payload=before.payload,
                source=f"in/{row.source_name}",
                copy_of=before.id,
                hops=before.hops,
                via=before.via,
            )
    source, request = _as_open(row.source, row.source_name), _request(arrival)
    judged = judge_request(source, request, secrets=(), now_ms=0)
    if isinstance(judged, Refused):  # it is not what its content type says: then it is a text like any other
        untold = tuple(field for field in request.headers if field[0].lower() != "content-type")
        judged = judge_request(source, replace(request, headers=untold), secrets=(), now_ms=0)
    if not isinstance(judged, Genuine):
        why = getattr(judged, "reason", None) or getattr(judged, "why", "")
        raise InvalidInputError(f"{format_number('req', row.id)}: nothing in it can be a payload: {why}")
    way = parse_hops(arrival.headers)
    return NewEvent(
        type=judged.type, payload=judged.payload, source=f"in/{row.source_name}", hops=way.hops, via=way.via
    )


def _as_open(source_id: SourceId, name: str) -> Source:
    """What reads any request: proof was asked for when it came, and the operator has seen what came of that."""
    return Source(
        seq=0,
        id=source_id,
        name=name,
        kind=SourceKind.OPEN,
        secrets=(),
        options=SourceOptions(),
        until_ms=None,
        enabled=True,
        created_at_ms=0,
        version=0,
    )


def _request(arrival: Arrival) -> InboundRequest:
    row = arrival.row
    return InboundRequest(
        method=row.method,
        path=row.path,
        query=row.query,
        headers=arrival.headers,
        body=arrival.body,
        remote_address=row.remote_address,
        received_at_ms=row.received_at_ms,
    )
