"""The HTTP API over real sockets, in the test's own loop, on a store of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx

from console.domain.clock import Clock, SystemClock
from console.domain.policy import RateLimit
from console.domain.token import ALL_SCOPES, Scope, Token
from console.engine.services import Surroundings
from console.engine.writer import Writer
from console.intake.server import intake
from console.intake.settings import Address, IntakeSettings
from console.operations.tokens import add_token
from console.store import Store, open_store
from tests.engine.rig import HANG_S, Lines

T = TypeVar("T")

LOOPBACK = Address(host="127.0.0.1", port=0)


def make_token(
    store: Store,
    *scopes: Scope,
    name: str = "test",
    rate_limit: RateLimit | None = None,
    until_ms: int | None = None,
    now_ms: int | None = None,
) -> tuple[Token, str]:
    """A token that is good for these, or for everything."""
    return add_token(
        store,
        name,
        scopes or ALL_SCOPES,
        actor="ada@box",
        now_ms=SystemClock().now_ms() if now_ms is None else now_ms,
        random=Random(name),
        rate_limit=rate_limit,
        until_ms=until_ms,
    )


async def until(look: Callable[[], T]) -> T:
    """What `look` answers once that is anything."""
    async with asyncio.timeout(HANG_S):
        while not (found := look()):  # noqa: ASYNC110 - another thread or process does it, and tells nobody
            await asyncio.sleep(0.005)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that runs."""

    path: Path
    store: Store
    """Another process's connection to it, as far as the server can tell."""
    url: str
    port: int
    token: str
    """Good for everything."""
    lines: Lines
    writer: Writer
    stopping: asyncio.Event

    def client(self, token: str | None = "", **given: Any) -> httpx.AsyncClient:
        """Args: token: None: without; by default the one that is good for everything."""
        headers = given.pop("headers", {})
        if token is not None:
            headers = {"authorization": f"Bearer {token or self.token}", **headers}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False, **given)


@asynccontextmanager
async def serving(
    path: Path,
    *,
    clock: Clock | None = None,
    open_writer: Callable[[], Store] | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """A server on the store at `path`, without an engine, until the block ends."""
    lines, stopping = Lines(), asyncio.Event()
    with_store = open_store(path)
    token = make_token(with_store, name="everything")[1]
    writer = Writer(open_writer or (lambda: open_store(path, any_thread=True)))
    await writer.start()
    host = Surroundings(
        writer=writer,
        open_reader=lambda: open_store(path, read_only=True, any_thread=True),
        open_operator=lambda: open_store(path, any_thread=True),
        clock=clock or SystemClock(),
        log=lines.log,
        stopping=stopping,
    )
    try:
        async with intake(IntakeSettings(**{"listen": LOOPBACK, **settings}))(host):
            (said,) = lines.named("listening")
            yield Served(
                path=path,
                store=with_store,
                url=said["urls"][-1],
                port=said["port"],
                token=token,
                lines=lines,
                writer=writer,
                stopping=stopping,
            )
    finally:
        await writer.close()
        with_store.close()
