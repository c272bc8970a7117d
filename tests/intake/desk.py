"""An inbound handler over a real store, and what is sent to it."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import structlog

from console.domain.clock import Clock, ManualClock
from console.domain.errors import StoreError
from console.domain.inbound import Arrival, Fate, InboundRequest, InboxFilter
from console.domain.sealing import Keyring
from console.domain.signing import Secret
from console.domain.source import Source, SourceKind, SourceOptions, SourceSpec
from console.intake.doors import LOOK_S, Doors
from console.intake.inbound import Checks, Inbound, InboundAnswer, no_checks
from console.operations.sources import add_source
from console.store import Store
from tests.domain.kinds.senders import JSON, SECRETS, SIGNERS

T = TypeVar("T")


class Writes:
    """The writer of an engine: a transaction at a time. `trouble` is raised instead of working."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.trouble: StoreError | None = None

    async def do(self, work: Callable[[Store], T]) -> T:
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        with self.store.transaction():
            return work(self.store)

    do_here = do


class Desk:
    """A store with an inbound handler before it."""

    def __init__(
        self, store: Store, reader: Store, *, keys: Keyring, checks: Checks = no_checks, clock: Clock | None = None
    ) -> None:
        self.store, self.keys = store, keys
        self.clock = ManualClock()
        time = self._time = clock or self.clock
        self.writes = Writes(store)
        doors = Doors(reader, time, keys)
        self.inbound = Inbound(doors, self.writes, time, structlog.get_logger(), checks=checks)

    def tick(self, seconds: float) -> None:
        """Let time pass, on a clock that can be told to."""
        assert isinstance(self._time, ManualClock)
        self._time.advance(seconds)

    def add(self, kind: SourceKind, name: str = "shop", *secrets: str, **options: Any) -> Source:
        known = secrets or ((SECRETS[kind],) if kind in SECRETS else ())
        spec = SourceSpec(
            name=name, kind=kind, secrets=tuple(Secret(text=s) for s in known), options=SourceOptions(**options)
        )
        if isinstance(self._time, ManualClock):
            self.tick(2 * LOOK_S)
        return add_source(
            self.store, spec, actor="ada", now_ms=self.clock.now_ms(), random=Random(name), keys=self.keys
        )

    async def send(
        self, body: bytes = b"{}", *headers: tuple[str, str], name: str = "shop", **given: Any
    ) -> InboundAnswer:
        request = InboundRequest(
            **{
                "method": "POST",
                "path": "",
                "query": "",
                "headers": headers or (JSON,),
                "body": body,
                "remote_address": "192.0.2.1",
                "received_at_ms": self._time.now_ms(),
                **given,
            }
        )
        return await self.inbound.take(name, request)

    async def send_signed(self, kind: SourceKind, body: bytes, **given: Any) -> InboundAnswer:
        return await self.send(body, *SIGNERS[kind](SECRETS[kind], body, self.clock.now_ms() // 1000), **given)

    def inbox(self) -> list[Arrival]:
        return [self.store.arrival(row.id) for row in reversed(self.store.arrivals(InboxFilter(), limit=500))]

    @property
    def fates(self) -> list[Fate]:
        return [arrival.row.fate for arrival in self.inbox()]
