"""What the HTTP API says of itself: OpenAPI, generated from the routes when it is first asked for."""

import asyncio
from collections.abc import Sequence

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from console import __version__

DESCRIPTION = """Events in, and what became of them out.

Every request but those of `/healthz` and `/readyz` needs a token: `Authorization: Bearer whc_…`, made by
`webhook-console tokens add NAME --scope …`. What goes wrong is answered as RFC 9457 has it."""


class Description:
    """The document, made once."""

    def __init__(self, routes: Sequence[BaseRouteHandler]) -> None:
        self._routes = routes
        self._making: asyncio.Future[bytes] | None = None

    async def read(self) -> bytes:
        """As JSON. It takes a second to make, which is why another thread does."""
        if self._making is None:
            self._making = asyncio.get_running_loop().run_in_executor(None, self._make)
        return await asyncio.shield(self._making)

    def _make(self) -> bytes:
        # An application of its own: the one that serves would get pages of its own for this, and a way to be asked.
        described = Litestar(
            route_handlers=self._routes,
            # Neither is a parameter of theirs.
            dependencies={name: Provide(lambda: None, sync_to_thread=False) for name in ("desk", "metrics")},
            openapi_config=OpenAPIConfig(
                title="webhook-console",
                version=__version__,
                description=DESCRIPTION,
                components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
                security=[{"token": []}],
                use_handler_docstrings=True,
            ),
            logging_config=None,
        )
        return msgspec.json.encode(described.openapi_schema.to_schema())
