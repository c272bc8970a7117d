"""The routes, put together."""

from litestar import Litestar, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from console import __version__
from console.intake.desk import Desk


@get("/healthz", opt={"open": True})
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


def make_app(desk: Desk) -> Litestar:
    """The framework's part of the server."""
    return Litestar(
        route_handlers=[healthz],
        openapi_config=OpenAPIConfig(
            title="webhook-console",
            version=__version__,
            path="/v1",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
    )
