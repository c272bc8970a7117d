"""The routes, put together."""

from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from console import __version__
from console.intake.desk import Desk
from console.intake.problems import Fault, Problem, problem_of
from console.intake.routes import deliveries, endpoints, events, standing

DESCRIPTION = """Events in, and what became of them out.

Every request but those of `/healthz` and `/readyz` needs a token: `Authorization: Bearer whc_…`, made by
`webhook-console tokens add NAME --scope …`. What goes wrong is answered as RFC 9457 has it."""


def make_app(desk: Desk) -> Litestar:
    """The framework's part of the server."""

    def enter(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if not handler.opt.get("open"):
            connection.scope["auth"] = desk.gate.enter(
                connection.headers.get("authorization"), handler.opt.get("scope")
            )

    return Litestar(
        route_handlers=[*events.ROUTES, *deliveries.ROUTES, *endpoints.ROUTES, *standing.ROUTES],
        guards=[enter],
        dependencies={"desk": Provide(lambda: desk, sync_to_thread=False)},
        exception_handlers={Exception: _tell},
        openapi_config=OpenAPIConfig(
            title="webhook-console",
            version=__version__,
            description=DESCRIPTION,
            path="/v1",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"token": []}],
            use_handler_docstrings=True,
        ),
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
            return Problem(error.status_code, error.detail, headers=())
        case msgspec.ValidationError() | msgspec.DecodeError():
            return Problem(400, str(error))
        case _:
            return None


def _fault(extra: dict[str, Any]) -> Fault:
    return Fault(reason=str(extra.get("message", "is wrong")), field=str(extra.get("key") or "") or None)
