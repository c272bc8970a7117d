"""The console in a browser on the same machine: textual-serve behind a secret address.

Whoever opens it acts as the user who started it. So it listens on loopback alone, its address holds a secret that is
new each time (other users of the machine reach loopback too), and a page of another origin cannot connect: a browser
sends WebSocket requests to loopback for any page that asks.
"""

import asyncio
import hmac
import secrets
import shlex
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from textual_serve.server import Server

HOST = "127.0.0.1"
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self' ws://{host}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Nothing is fetched from elsewhere: textual-serve's page asks for a font that an incident need not wait for."""


class _Quiet(Server):
    """textual-serve without its banner."""

    async def on_startup(self, app: web.Application) -> None:
        pass

    async def application(self) -> web.Application:
        return await self._make_app()


async def serve_web(command: Sequence[str], *, port: int, ready: Callable[[str], object]) -> None:
    """Serve a command that shows a Textual app until SIGINT or SIGTERM.

    Args:
        command: the words of the command line; each browser tab runs one.
        port: on 127.0.0.1; 0: any that is free.
        ready: told the whole address, its secret included, once it is served.

    Raises:
        OSError: the port is taken.
    """
    token = secrets.token_urlsafe(24)
    server = _Quiet(shlex.join(command), host=HOST, port=port, title="webhook-console")
    app = await server.application()
    gate = _Gate(token)
    app.middlewares.append(gate.check)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        bound = runner.addresses[0][1]
        server.port, server.public_url = bound, f"http://{HOST}:{bound}"
        gate.host = f"{HOST}:{bound}"
        ready(f"{server.public_url}/?token={token}")
        await _ended()
    finally:
        await runner.cleanup()


class _Gate:
    """Lets in who has the secret, and pages of this origin alone."""

    host = ""

    def __init__(self, token: str) -> None:
        self._token = token

    @web.middleware
    async def check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        # The host, since a name elsewhere may be made to resolve to loopback.
        if request.headers.get("Host") != self.host:
            raise web.HTTPForbidden(text="not served under this name\n")
        if request.headers.get("Origin", f"http://{self.host}") != f"http://{self.host}":
            raise web.HTTPForbidden(text="pages of other origins may not connect\n")
        given = request.query.get("token") or request.cookies.get(self._cookie, "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise web.HTTPForbidden(text="open the address that `webhook-console web` printed: it holds a secret\n")
        response = await handler(request)
        if not response.prepared:
            self._dress(response)
        return response

    @property
    def _cookie(self) -> str:
        # Cookies are one for all ports of a host.
        return "webhook_console_" + self.host.rpartition(":")[2]

    def _dress(self, response: web.StreamResponse) -> None:
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
        fields: dict[str, Any] = {
            "Content-Security-Policy": _POLICY.format(host=self.host),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        response.headers.update(fields)


async def _ended() -> None:
    """Wait for SIGINT or SIGTERM."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await over.wait()
