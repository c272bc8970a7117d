"""The HTTP server in the engine's loop: listens, serves, and drains when the engine does."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from ipaddress import IPv4Network, ip_network
from random import SystemRandom
from typing import Any

import uvicorn
from structlog.typing import FilteringBoundLogger
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from console.domain.errors import ConfigError, StoreError
from console.intake.acceptor import Acceptor
from console.intake.app import make_app
from console.intake.backlog import Backlog
from console.intake.checks import StoreChecks
from console.intake.desk import Desk
from console.intake.doors import Doors
from console.intake.front import Front
from console.intake.gate import Gate
from console.intake.inbound import Inbound
from console.intake.limits import LimitedProtocol
from console.intake.readers import Readers
from console.intake.seam import Host
from console.intake.settings import Address, IntakeSettings
from console.intake.tracing import tracing

KEEP_ALIVE_S = 75
"""Longer than the reverse proxies in use keep their own end open."""

DRAIN_S = 10
"""For requests that are under way when the engine stops."""

LOOK_S = 1.0
"""How often connections that take too long are looked for."""


def intake(settings: IntakeSettings) -> Callable[[Host], AbstractAsyncContextManager[None]]:
    """The HTTP API as a service of an engine. Raises ConfigError when it begins and the address is taken."""
    return lambda host: _serving(settings, host)


@asynccontextmanager
async def _serving(settings: IntakeSettings, host: Host) -> AsyncIterator[None]:
    failure: Exception | None = None
    with _desk(settings, host) as desk, _uvicorn_speaks(host.log), tracing(settings.otel) as traced:
        inner: Any = make_app(desk)
        server = _server(settings, traced(Front(desk, inner)))
        listener = _listen(settings.listen)
        await _say(settings, host, listener)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve([listener]))
            works = (
                desk.acceptor.run(),
                desk.backlog.run(),
                desk.gate.note_uses(host.writer, host.log),
                _stop(host, server),
            )
            beside = [group.create_task(work) for work in works]
            await server.begun.wait()
            try:
                yield
            except Exception as error:  # else the group would wrap it
                failure = error
            server.end()
            await serving
            for task in beside:
                task.cancel()
        await desk.gate.note_now(host.writer, host.log)
    if failure is not None:
        raise failure


@contextmanager
def _desk(settings: IntakeSettings, host: Host) -> Any:
    reader, readers = host.open_reader(), Readers(host.open_reader)
    operator = Readers(host.open_operator, threads=1)
    backlog = Backlog(settings.max_backlog, readers, host.log)
    checks = StoreChecks(reader, host.clock)
    try:
        yield Desk(
            settings=settings,
            host=host,
            gate=Gate(reader, host.clock),
            readers=readers,
            operator=operator,
            acceptor=Acceptor(host.writer, backlog, host.clock, host.log),
            backlog=backlog,
            checks=checks,
            inbound=Inbound(
                Doors(reader, host.clock, settings.keys),
                host.writer,
                host.clock,
                host.log,
                checks=checks,
                full=lambda: backlog.full,
            ),
            random=SystemRandom(),
        )
    finally:
        operator.close()
        readers.close()
        reader.close()


async def _stop(host: Host, server: "Server") -> None:
    await host.stopping.wait()
    server.end()


class Server(uvicorn.Server):
    """Serves until `end`; signals are the engine's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._end = asyncio.Event()
        self.begun = asyncio.Event()

    def end(self) -> None:
        """Accept no more connections, and end those that wait for a request."""
        self.should_exit = True
        self._end.set()

    def capture_signals(self) -> Any:
        return nullcontext()

    async def main_loop(self) -> None:
        self.begun.set()
        loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            for connection in list(self.server_state.connections):
                assert isinstance(connection, LimitedProtocol)
                connection.end_if_late(loop.time())
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._end.wait()
            except TimeoutError:
                pass


def _server(settings: IntakeSettings, app: Any) -> Server:
    if settings.trusted_proxies:
        app = ProxyHeadersMiddleware(app, trusted_hosts=_both_ways(settings.trusted_proxies))
    protocol = type("Protocol", (LimitedProtocol,), {"settings": settings})
    try:
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"--tls-cert {settings.tls_cert}: no certificate and key that go together: {error}") from None
    return Server(config)


def _both_ways(networks: Iterable[str]) -> list[str]:
    """IPv4 networks also as who listens on IPv6 sees them."""
    found = [ip_network(text) for text in networks]
    mapped = [f"::ffff:{net.network_address}/{96 + net.prefixlen}" for net in found if isinstance(net, IPv4Network)]
    return [*map(str, found), *mapped]


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(2048)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        why = "is taken by another process: choose another" if error.errno == errno.EADDRINUSE else f"{error.strerror}"
        raise ConfigError(f"--listen {address}: {why}") from None
    return listener


async def _say(settings: IntakeSettings, host: Host, listener: socket.socket) -> None:
    """Log where requests are taken, and keep it for whoever wants to know."""
    urls = _urls(settings, listener)
    try:
        await host.writer.do(lambda store: store.set_listening(urls, host.clock.now_ms()))
    except StoreError:
        listener.close()
        raise
    host.log.info("listening", urls=urls, port=listener.getsockname()[1])


def _urls(settings: IntakeSettings, listener: socket.socket) -> list[str]:
    host, port = listener.getsockname()[:2]
    scheme = "http" if settings.tls_cert is None else "https"
    names = ["127.0.0.1", socket.gethostname()] if host in ("0.0.0.0", "::") else [host]
    urls = [f"{scheme}://{Address(host=name, port=port)}" for name in names]
    return urls if settings.public_url is None else [settings.public_url.rstrip("/"), *urls]


class _Forward(logging.Handler):
    """What the server says of itself becomes a line of the engine's log."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        more = {} if error is None else {"error": f"{type(error).__name__}: {error}"}
        self._log.warning("http server", why=record.getMessage().strip(), **more)


@contextmanager
def _uvicorn_speaks(log: FilteringBoundLogger) -> Any:
    logger, handler = logging.getLogger("uvicorn.error"), _Forward(log)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
