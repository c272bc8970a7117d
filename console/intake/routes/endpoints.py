"""`/v1/endpoints`."""

from typing import Annotated

import msgspec
from litestar import delete, get, patch, post
from litestar.params import JSONBody

from console.domain.endpoint import Endpoint
from console.domain.errors import UnknownReferenceError
from console.domain.query_rows import endpoint_query
from console.domain.status import Gauge
from console.domain.token import Scope
from console.intake import shaping
from console.intake.endpoint_words import Asked as AskedEndpoint
from console.intake.endpoint_words import changed_spec, new_spec, resume_pace
from console.intake.pages import Cursor, Filter, Limit, cursor_of, mark_of, query_of
from console.intake.routes.parts import Asked, At, Id, actor, needs
from console.intake.shapes import EndpointAdded, EndpointRemoved, EndpointShape, Page
from console.operations import endpoints as acts
from console.store.protocol import Store


class PauseAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why, and for how long."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    for_s: Annotated[float, msgspec.Meta(gt=0, le=366 * 24 * 3600)] | None = None
    """The engine resumes it after so many seconds; null: somebody has to."""


class ResumeAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why, and how fast what waits is to be sent."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    rate: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    """At most so many: `20/s`; null: as fast as its policy lets."""


@get("/v1/endpoints", summary="List endpoints", **needs(Scope.ENDPOINTS_READ, tag="endpoints"))
async def list_(desk: At, filter: Filter = None, limit: Limit = 50, cursor: Cursor = None) -> Page[EndpointShape]:
    """Endpoints by name, with what each is owed."""
    after, query = mark_of("endpoint", cursor), endpoint_query(query_of(filter, desk.clock.now_ms()))
    endpoints, gauges = await desk.read(lambda store: (store.endpoints(), store.gauges()))
    rows = [one for one in endpoints if (after is None or one.name > after) and query.matches(one)]
    page = rows[:limit]
    return Page(
        data=[shaping.endpoint(one, gauges.get(one.id, Gauge())) for one in page],
        next=cursor_of("endpoint", page[-1].name) if len(rows) > limit else None,
        complete=True,
    )


@post("/v1/endpoints", status_code=201, summary="Add an endpoint", **needs(Scope.ENDPOINTS_WRITE, 413, tag="endpoints"))
async def add(request: Asked, desk: At, data: JSONBody[AskedEndpoint]) -> EndpointAdded:
    """Add a URL that wants events. A signing secret is made when none is given, and is told only in this answer."""
    who, now_ms = actor(request), desk.clock.now_ms()

    def work(store: Store) -> tuple[Endpoint, str | None]:
        spec, made = new_spec(store, data)
        endpoint = acts.add_endpoint(store, spec, actor=who, now_ms=now_ms, random=desk.random, keys=desk.settings.keys)
        return endpoint, made

    return shaping.endpoint_added(*await desk.operate(work))


@get("/v1/endpoints/{ref:str}", summary="Show an endpoint", **needs(Scope.ENDPOINTS_READ, 404, tag="endpoints"))
async def show(desk: At, ref: Id) -> EndpointShape:
    """An endpoint by its id or name."""
    return await desk.read(lambda store: _shown(store, _find(store, ref)))


@patch("/v1/endpoints/{ref:str}", summary="Edit an endpoint", **needs(Scope.ENDPOINTS_WRITE, 404, 413, tag="endpoints"))
async def edit(request: Asked, desk: At, ref: Id, data: JSONBody[AskedEndpoint]) -> EndpointShape:
    """Change what is given, and nothing else. A part of the policy may be `default`, to follow the default again."""
    who, now_ms = actor(request), desk.clock.now_ms()

    def work(store: Store) -> EndpointShape:
        before = _find(store, ref)
        spec, changed = changed_spec(store, before, data)
        endpoint = before
        if changed:
            endpoint = acts.edit_endpoint(
                store,
                before.id,
                spec,
                actor=who,
                now_ms=now_ms,
                changed=", ".join(changed),
                keys=desk.settings.keys,
            )
        return _shown(store, endpoint)

    return await desk.operate(work)


@delete(
    "/v1/endpoints/{ref:str}",
    status_code=200,
    summary="Remove an endpoint",
    **needs(Scope.ENDPOINTS_WRITE, 404, tag="endpoints"),
)
async def remove(request: Asked, desk: At, ref: Id) -> EndpointRemoved:
    """Take it away. What it is still owed is cancelled; its history stays."""
    who, now_ms = actor(request), desk.clock.now_ms()

    def work(store: Store) -> EndpointRemoved:
        endpoint = _find(store, ref)
        cancelled = acts.remove_endpoint(store, endpoint.id, actor=who, now_ms=now_ms)
        return EndpointRemoved(id=endpoint.id, name=endpoint.name, removed=True, cancelled=cancelled)

    return await desk.operate(work)


@post(
    "/v1/endpoints/{ref:str}/pause",
    status_code=200,
    summary="Pause an endpoint",
    **needs(Scope.ENDPOINTS_WRITE, 404, 413, tag="endpoints"),
)
async def pause(request: Asked, desk: At, ref: Id, data: JSONBody[PauseAsked | None] = None) -> EndpointShape:
    """Hold what it is owed. Events are still accepted for it, and wait."""
    asked, who, now_ms = data or PauseAsked(), actor(request), desk.clock.now_ms()
    until_ms = None if asked.for_s is None else now_ms + max(1, round(asked.for_s * 1000))

    def work(store: Store) -> EndpointShape:
        endpoint, _ = acts.pause_endpoint(
            store, _find(store, ref).id, actor=who, reason=asked.reason, now_ms=now_ms, resume_at_ms=until_ms
        )
        return _shown(store, endpoint)

    return await desk.operate(work)


@post(
    "/v1/endpoints/{ref:str}/resume",
    status_code=200,
    summary="Resume an endpoint",
    **needs(Scope.ENDPOINTS_WRITE, 404, 413, tag="endpoints"),
)
async def resume(request: Asked, desk: At, ref: Id, data: JSONBody[ResumeAsked | None] = None) -> EndpointShape:
    """Send again, be it paused, tripped or disabled."""
    asked, who, now_ms = data or ResumeAsked(), actor(request), desk.clock.now_ms()
    pace = resume_pace(asked.rate, now_ms)

    def work(store: Store) -> EndpointShape:
        endpoint, _ = acts.resume_endpoint(
            store, _find(store, ref).id, actor=who, reason=asked.reason, now_ms=now_ms, pace=pace
        )
        return _shown(store, endpoint)

    return await desk.operate(work)


def _find(store: Store, ref: str) -> Endpoint:
    """By its whole id or name: a beginning is no way for a program to name a thing. Raises UnknownReferenceError."""
    endpoint = store.find_endpoint(ref)
    if ref not in (endpoint.id, endpoint.name):
        raise UnknownReferenceError(f"no endpoint has the id or the name {ref[:80]!r}")
    return endpoint


def _shown(store: Store, endpoint: Endpoint) -> EndpointShape:
    return shaping.endpoint(endpoint, store.gauges().get(endpoint.id, Gauge()))


ROUTES = [list_, add, show, edit, remove, pause, resume]
