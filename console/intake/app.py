"""The routes, put together."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler

from console.intake.desk import Desk
from console.intake.metrics import Metrics
from console.intake.openapi import Description
from console.intake.problems import Fault, Problem, problem_of
from console.intake.routes import deliveries, endpoints, events, standing

ROUTES: Sequence[BaseRouteHandler] = (*events.ROUTES, *deliveries.ROUTES, *endpoints.ROUTES, *standing.ROUTES)
"""All that the API describes."""


def make_app(desk: Desk) -> Litestar:
    """The framework's part of the server."""

    def enter(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if not handler.opt.get("open"):
            connection.scope["auth"] = desk.gate.enter(
                connection.headers.get("authorization"), handler.opt.get("scope")
            )

    description, metrics = Description(ROUTES), Metrics(desk)

    @get("/v1/openapi.json", include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(await description.read(), media_type="application/vnd.oai.openapi+json")

    return Litestar(
        route_handlers=[*ROUTES, openapi],
        guards=[enter],
        dependencies={
            "desk": Provide(lambda: desk, sync_to_thread=False),
            "metrics": Provide(lambda: metrics, sync_to_thread=False),
        },
        exception_handlers={Exception: _tell},
        openapi_config=None,
        logging_config=None,
    )


def _tell(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What the framework refuses is told in the same form; anything else is for the front."""
    problem = problem_of(error) or _of_framework(error)
    if problem is None:
        raise error
    fields = {name.decode(): value.decode() for name, value in problem.headers}
    return Response(
        problem.body,
        status_code=problem.status,
        headers={name: value for name, value in fields.items() if name != "content-type"},
        media_type=fields["content-type"],
    )


def _of_framework(error: Exception) -> Problem | None:
    match error:
        case ValidationException():
            faults = [_fault(one) for one in error.extra or [] if isinstance(one, dict)]
            first = f"{faults[0].field}: {faults[0].reason}" if faults else error.detail
            return Problem(400, first, errors=faults or None)
        case HTTPException():
            more = tuple((name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items())
            return Problem(error.status_code, error.detail, headers=more)
        case msgspec.ValidationError() | msgspec.DecodeError():
            return Problem(400, str(error))
        case _:
            return None


def _fault(extra: dict[str, Any]) -> Fault:
    return Fault(reason=str(extra.get("message", "is wrong")), field=str(extra.get("key") or "") or None)
