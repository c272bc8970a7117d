"""A real engine in the test's own loop, and what a test wants to know of its store."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from console.domain.addresses import AddressPolicy
from console.domain.clock import Clock, SystemClock
from console.domain.delivery import Attempt, Delivery, DeliveryState, Exchange
from console.domain.endpoint import Endpoint
from console.domain.event import NewEvent
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import EventId
from console.domain.sealing import NO_KEYS
from console.engine.bulk import BulkOperations
from console.engine.dispatcher import Dispatcher
from console.engine.resuming import Resumer
from console.engine.schedule import Schedule
from console.engine.supervisor import Supervisor
from console.engine.transport import make_transport
from console.engine.transport.guard import AddressGuard
from console.engine.writer import Writer
from console.store import Store, open_store
from tests.factories import add_endpoint

T = TypeVar("T")

HANG_S = 30.0
"""When a test is taken to hang. No test depends on it for its result."""

LOOPBACK = ("127.0.0.0/8",)
FOREVER = 10_000


class ShiftedClock(SystemClock):
    """The machine's clock, with wall time moved by a test."""

    shift_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.shift_ms


class Lines:
    """What an engine logged."""

    def __init__(self) -> None:
        self.entries: list[EventDict] = []
        self.log: FilteringBoundLogger = structlog.wrap_logger(
            None, processors=[self._keep], wrapper_class=structlog.make_filtering_bound_logger("info")
        )

    def _keep(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        self.entries.append(event)
        raise structlog.DropEvent

    def named(self, event: str) -> list[EventDict]:
        return [entry for entry in self.entries if entry["event"] == event]


async def resolve_loopback(host: str) -> list[str]:
    """A resolver that knows one name."""
    if host == "receiver.test":
        return ["127.0.0.1"]
    raise OSError(-2, "Name or service not known")


class Rig:
    """One store, the connection of an operator or producer to it, and at most one engine at a time."""

    def __init__(self, path: Path) -> None:
        self.store = open_store(path)
        self.clock = ShiftedClock()
        self.lines = Lines()
        self.keys = NO_KEYS
        """What opens sealed secrets in the engine that is started next."""
        self.supervisor: Supervisor | None = None
        self._engine: asyncio.Task[None] | None = None

    async def start(
        self,
        *,
        allow: Sequence[str] = LOOPBACK,
        max_in_flight: int = 1024,
        drain_s: float = HANG_S,
        open_writer: Callable[[], Store] | None = None,
    ) -> None:
        """Start an engine and wait until it delivers. `open_writer` makes the store that it writes."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run = self._run(
            allow, max_in_flight, drain_s, open_writer or (lambda: open_store(self.store.path, any_thread=True)), ready
        )
        self._engine = asyncio.create_task(run)
        await asyncio.wait([ready, self._engine], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._engine

    async def stop(self) -> None:
        """As SIGTERM does. Raises what the engine raised."""
        assert self.supervisor is not None
        self.supervisor.stop("the test says so")
        await self.ended()

    async def ended(self) -> None:
        """Wait for the engine's own end. Raises what it raised."""
        assert self._engine is not None
        engine, self._engine = self._engine, None
        async with asyncio.timeout(HANG_S):
            await engine

    async def close(self) -> None:
        if self._engine is not None:
            self._engine.cancel()
            await asyncio.gather(self._engine, return_exceptions=True)
        self.store.close()

    async def until(self, look: Callable[[], T]) -> T:
        """What `look` answers, as soon as that is true. Ends with the engine's error when it has died."""
        async with asyncio.timeout(HANG_S):
            while not (found := look()):
                if self._engine is not None and self._engine.done():
                    await self._engine
                    raise AssertionError("the engine ended before this was seen")
                await asyncio.sleep(0.003)
        return found

    async def until_state(self, state: DeliveryState, count: int = 1) -> list[Delivery]:
        """The deliveries in a state, oldest first, when there are so many or more."""
        return await self.until(lambda: self._enough(state, count))

    def _enough(self, state: DeliveryState, count: int) -> list[Delivery]:
        gauges = self.store.gauges().values()
        if sum(getattr(gauge, state) for gauge in gauges) < count:
            return []
        return self.deliveries(state)

    def add(self, url: str, name: str = "crm", **given: Any) -> Endpoint:
        """An endpoint, as an operator adds one."""
        return add_endpoint(self.store, name=name, url=url, now_ms=self.clock.now_ms(), **given)

    def send(self, count: int = 1, type: str = "invoice.paid", payload: bytes = b'{"amount": 4200}') -> list[EventId]:
        """Events, as a producer of another process sends them."""
        events = [NewEvent(type=type, payload=payload) for _ in range(count)]
        return [a.id for a in self.store.accept(events, self.clock.now_ms())]

    def deliveries(self, *states: DeliveryState) -> list[Delivery]:
        return self.store.deliveries(DeliveryFilter(states=states), limit=FOREVER)[::-1]

    def attempts(self, endpoint: Endpoint | None = None) -> list[Attempt]:
        where = AttemptFilter(endpoints=(endpoint.id,) if endpoint else ())
        return self.store.attempts(where, AttemptPage(limit=FOREVER))

    def exchange(self) -> Exchange:
        """Of the newest attempt."""
        exchange = self.store.exchange(self.attempts()[-1].id)
        assert exchange is not None
        return exchange

    async def _run(
        self,
        allow: Sequence[str],
        max_in_flight: int,
        drain_s: float,
        open_writer: Callable[[], Store],
        ready: "asyncio.Future[None]",
    ) -> None:
        """What console.engine.run does, without the process around it."""
        clock: Clock = self.clock
        writer = Writer(open_writer)
        await writer.start()
        reader = open_store(self.store.path, read_only=True)
        guard = AddressGuard(AddressPolicy.parse(allow), clock=clock, resolver=resolve_loopback)
        transport = make_transport("pyreqwest", guard, clock=clock)
        try:
            epoch = await writer.do(
                lambda store: store.take_over(pid=os.getpid(), host="test", version="0", now_ms=clock.now_ms())
            )
            await writer.do(lambda store: store.recover(epoch=epoch, now_ms=clock.now_ms()))
            self.supervisor = Supervisor(
                reader=reader,
                writer=writer,
                dispatcher=Dispatcher(
                    transport, clock=clock, random=Random(7), keys=self.keys, instance=self.store.instance()
                ),
                schedule=Schedule(max_in_flight, clock),
                clock=clock,
                epoch=epoch,
                drain_s=drain_s,
                log=self.lines.log,
                chores=(
                    BulkOperations(reader=reader, writer=writer, clock=clock, log=self.lines.log).run,
                    Resumer(reader=reader, writer=writer, clock=clock, log=self.lines.log).run,
                ),
            )
            ready.set_result(None)
            await self.supervisor.run()
            await writer.do(lambda store: store.release(epoch=epoch, now_ms=clock.now_ms()))
        finally:
            reader.close()
            await transport.aclose()
            await writer.close()


class TroubledStore:
    """A store whose transactions fail while `broken` says so: everything else is passed through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.broken: BaseException | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[None]:
        if self.broken is not None:
            raise self.broken
        with self._store.transaction(wait=wait):
            yield
