"""`/v1/deliveries` and `/v1/attempts`."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import JSONBody

from console.domain.delivery import Attempt
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, parse_number
from console.domain.operation import Operation
from console.domain.policy import parse_rate_limit
from console.domain.query import Query
from console.domain.searching import Found
from console.domain.token import Scope
from console.intake import shaping
from console.intake.desk import Desk
from console.intake.pages import BUDGET_MS, Cursor, Filter, Limit, found_page, names_of, number_of, query_of
from console.intake.routes.parts import Asked, At, Id, actor, needs
from console.intake.shapes import (
    AttemptShape,
    AttemptWithExchange,
    DeliveryShape,
    DeliveryWithAttempts,
    OperationShape,
    Page,
    Retried,
)
from console.operations import deliveries as acts
from console.store.protocol import Store

_SHOWN_ATTEMPTS = 100


class RetryAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which deliveries to try again, and how fast."""

    filter: Annotated[str, msgspec.Meta(max_length=4000)]
    """A line of the filter language; empty: all."""
    rate: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    """At most so many: `200/s`."""
    reason: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    """Why, for the audit log."""
    dry_run: bool = False
    """Only say how many match."""


class WhyAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why it is done."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] | None = None


@get("/v1/deliveries", summary="List deliveries", **needs(Scope.EVENTS_READ, tag="deliveries"))
async def list_(desk: At, filter: Filter = None, limit: Limit = 50, cursor: Cursor = None) -> Page[DeliveryShape]:
    """Deliveries, newest first."""
    mark = number_of("delivery", cursor)
    query, before = query_of(filter, desk.clock.now_ms()), None if mark is None else DeliveryId(mark)
    found = await desk.read(
        lambda store: store.find_deliveries(
            query.deliveries(names_of(store)), limit=limit, before=before, budget_ms=BUDGET_MS
        )
    )
    return found_page("delivery", found, limit, shaping.delivery)


@get("/v1/deliveries/{delivery_id:str}", summary="Show a delivery", **needs(Scope.EVENTS_READ, 404, tag="deliveries"))
async def show(desk: At, delivery_id: Id) -> DeliveryWithAttempts:
    """A delivery with its last attempts, the newest first."""
    id_ = DeliveryId(parse_number("dlv", delivery_id))
    found, made = await desk.read(
        lambda store: (
            store.delivery(id_),
            store.attempts(AttemptFilter(delivery_id=id_), AttemptPage(limit=_SHOWN_ATTEMPTS)),
        )
    )
    return shaping.delivery_with_attempts(found, list(reversed(made)))


@post(
    "/v1/deliveries/retry",
    status_code=202,
    summary="Retry deliveries",
    **needs(Scope.DELIVERIES_WRITE, 413, tag="deliveries"),
)
async def retry(request: Asked, desk: At, data: JSONBody[RetryAsked]) -> Retried:
    """Make all that match due again. The engine carries it out as an operation, which can be looked at and undone."""
    now_ms = desk.clock.now_ms()
    query = query_of(data.filter, now_ms)
    rate = None if data.rate is None else parse_rate_limit(data.rate).per_s
    if data.dry_run:
        counted = await desk.read(
            lambda store: store.count_found(query.deliveries(names_of(store)), budget_ms=BUDGET_MS)
        )
        return Retried(dry_run=True, matching=counted.total, counted=counted.complete, operation=None)
    operation = await desk.operate(
        lambda store: acts.begin_retry(
            store,
            query.deliveries(names_of(store)),
            actor=actor(request),
            now_ms=now_ms,
            reason=data.reason,
            rate_per_s=rate,
        )
    )
    return Retried(dry_run=False, matching=operation.total or 0, counted=True, operation=shaping.operation(operation))


@post(
    "/v1/deliveries/{delivery_id:str}/retry",
    status_code=202,
    summary="Retry a delivery",
    **needs(Scope.DELIVERIES_WRITE, 404, 413, tag="deliveries"),
)
async def retry_one(
    request: Asked, desk: At, delivery_id: Id, data: JSONBody[WhyAsked | None] = None
) -> OperationShape:
    """Make it due now. One that is on the wire is left alone."""
    return await _move_one(acts.begin_retry, request, desk, delivery_id, data)


@post(
    "/v1/deliveries/{delivery_id:str}/cancel",
    status_code=202,
    summary="Cancel a delivery",
    **needs(Scope.DELIVERIES_WRITE, 404, 413, tag="deliveries"),
)
async def cancel_one(
    request: Asked, desk: At, delivery_id: Id, data: JSONBody[WhyAsked | None] = None
) -> OperationShape:
    """Give it up, when it is pending or failed."""
    return await _move_one(acts.begin_cancel, request, desk, delivery_id, data)


async def _move_one(
    begin: Callable[..., Operation], request: Asked, desk: Desk, delivery_id: str, data: WhyAsked | None
) -> OperationShape:
    """Begin a bulk operation on one delivery, and carry it out."""
    id_, who, now_ms = DeliveryId(parse_number("dlv", delivery_id)), actor(request), desk.clock.now_ms()
    reason = None if data is None else data.reason

    def work(store: Store) -> Operation:
        begun = begin(store, _only(store, id_), actor=who, now_ms=now_ms, reason=reason)
        return store.advance_operation(begun.id, limit=1, now_ms=now_ms)

    return shaping.operation(await desk.operate(work))


def _only(store: Store, id_: DeliveryId) -> DeliveryFilter:
    """Raises UnknownReferenceError when it is not there."""
    return DeliveryFilter(ids=(store.delivery(id_).id,))


@get("/v1/attempts", summary="List attempts", **needs(Scope.EVENTS_READ, tag="attempts"))
async def attempts(desk: At, filter: Filter = None, limit: Limit = 50, cursor: Cursor = None) -> Page[AttemptShape]:
    """Attempts, newest first."""
    mark = number_of("attempt", cursor)
    query, before = query_of(filter, desk.clock.now_ms()), None if mark is None else AttemptId(mark)
    found = await desk.read(lambda store: _attempts(store, query, before, limit))
    return found_page("attempt", found, limit, shaping.attempt)


def _attempts(store: Store, query: Query, before: AttemptId | None, limit: int) -> Found[Attempt]:
    where, page = query.attempts(names_of(store)), AttemptPage(limit=limit, before=before)
    found = store.find_attempts(where, page, budget_ms=BUDGET_MS)
    return Found(rows=tuple(reversed(found.rows)), reached=found.reached, done=found.done)


@get("/v1/attempts/{attempt_id:str}", summary="Show an attempt", **needs(Scope.EVENTS_READ, 404, tag="attempts"))
async def attempt(desk: At, attempt_id: Id) -> AttemptWithExchange:
    """An attempt, and what went over the wire."""
    id_ = AttemptId(parse_number("att", attempt_id))
    found, came = await desk.read(lambda store: (store.attempt(id_), store.exchange(id_)))
    return shaping.attempt_with_exchange(found, came)


ROUTES = [list_, show, retry, retry_one, cancel_one, attempts, attempt]
