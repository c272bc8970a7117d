"""`/v1/events`."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import OpenAPIMediaType, Operation
from litestar.params import Body, HeaderParameter

from console.domain.delivery import Delivery
from console.domain.event import Event
from console.domain.filters import DeliveryFilter, EventFilter
from console.domain.ids import DeliveryId, check_event_id
from console.domain.searching import Found
from console.domain.token import Scope
from console.intake import shaping
from console.intake.front import Head
from console.intake.pages import BUDGET_MS, Cursor, Filter, Limit, found_page, names_of, number_of, query_of
from console.intake.posting import AcceptedBatch, AcceptedEvent, post_events
from console.intake.routes.parts import Asked, At, Id, needs
from console.intake.shapes import DeliveryShape, EventRowShape, EventShape, Page
from console.store.protocol import Store


class PostedEvent(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An event as it is posted."""

    type: Annotated[str, msgspec.Meta(pattern=r"^(?!webhook\.)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=128)]
    """`invoice.paid`: dot-separated words. What begins with `webhook.` is said by webhook-console alone."""
    data: Any
    """Any JSON; kept and delivered byte for byte."""
    id: Annotated[str, msgspec.Meta(pattern=r"^[!-\-/-~]{1,128}$")] | None = None
    """Visible ASCII characters without `.`; one is made when there is none. An event whose id was accepted before is a
    duplicate, and changes nothing."""


class _Posting(Operation):
    """Lines are taken too."""

    def __post_init__(self) -> None:
        body: Any = self.request_body
        lines = OpenAPIMediaType(schema=None, example='{"type":"invoice.paid","data":{"id":42}}')
        body.content = {**body.content, "application/x-ndjson": lines}


@post(
    "/v1/events",
    status_code=202,
    operation_class=_Posting,
    summary="Accept events",
    **needs(Scope.EVENTS_WRITE, 413, 415, 422, 508, tag="events"),
)
async def post_(
    request: Asked,
    desk: At,
    data: Annotated[
        PostedEvent | list[PostedEvent],
        Body(description="One event, or a batch of up to 1,000: all of it is accepted, or nothing."),
    ],
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            required=False,
            description="The same key with the same events again is answered in the same way, and changes nothing.",
        ),
    ] = None,
) -> AcceptedEvent | AcceptedBatch:
    """Keep events and owe them to every endpoint that wants them. The answer comes when they are on disk."""
    answer, _ = await post_events(
        desk,
        request.auth,
        body=await request.body(),
        content_type=request.headers.get("content-type", ""),
        key=idempotency_key,
        way=Head(request.scope["headers"]).way,
    )
    # The answer has been encoded already, as the fast path needs it.
    shape: type[AcceptedEvent | AcceptedBatch] = AcceptedBatch if isinstance(data, list) else AcceptedEvent
    return msgspec.json.decode(answer, type=shape)


@get("/v1/events", summary="List events", **needs(Scope.EVENTS_READ, tag="events"))
async def list_(desk: At, filter: Filter = None, limit: Limit = 50, cursor: Cursor = None) -> Page[EventRowShape]:
    """Events, newest first."""
    before = number_of("event", cursor)
    where = query_of(filter, desk.clock.now_ms()).events(EventFilter())
    found = await desk.read(lambda store: store.find_events(where, limit=limit, before_seq=before, budget_ms=BUDGET_MS))
    return found_page("event", found, limit, shaping.event_row)


@get("/v1/events/{event_id:str}", summary="Show an event", **needs(Scope.EVENTS_READ, 404, tag="events"))
async def show(desk: At, event_id: Id) -> Response[EventShape]:
    """An event with its payload."""
    event: Event = await desk.read(lambda store: store.event(check_event_id(event_id)))
    return Response(shaping.event(event))


@get(
    "/v1/events/{event_id:str}/deliveries",
    summary="List the deliveries of an event",
    **needs(Scope.EVENTS_READ, 404, tag="events"),
)
async def deliveries(
    desk: At, event_id: Id, filter: Filter = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[DeliveryShape]:
    """To whom it is owed, newest first."""
    of, query = check_event_id(event_id), query_of(filter, desk.clock.now_ms())
    mark = number_of("delivery", cursor)
    before = None if mark is None else DeliveryId(mark)

    def read(store: Store) -> Found[Delivery]:
        store.event(of)
        where = query.deliveries(names_of(store), DeliveryFilter(event_id=of))
        return store.find_deliveries(where, limit=limit, before=before, budget_ms=BUDGET_MS)

    return found_page("delivery", await desk.read(read), limit, shaping.delivery)


ROUTES = [post_, list_, show, deliveries]
