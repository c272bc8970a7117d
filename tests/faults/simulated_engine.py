"""The product's own engine (`run._serve`: supervisor, schedule, dispatcher, store) where nothing is left to chance.

Its clock, its transport, its random numbers and the thread that commits are replaced; what waits in the product waits
here too, in simulated time. It can die at any moment, and be stopped for a while as SIGSTOP does.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import structlog
from structlog.typing import EventDict, WrappedLogger

from console.config import EngineSettings
from console.domain.addresses import AddressPolicy
from console.domain.errors import StoreError
from console.domain.outcome import Outcome, Request
from console.engine import run
from console.engine.signals import Signals
from console.store import Store, open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.intake import IntakeQueries
from tests.faults.simulated_time import SimulatedClock, SimulatedLoop

T = TypeVar("T")
POINTS = ("before commit", "after commit", "before answer", "before send", "after send")
"""Where an engine may be told to die; at any other moment it may be killed as well."""

_current: ContextVar["SimulatedEngine"] = ContextVar("engine")

Answer = Callable[["SimulatedEngine", Request], Any]


class _Died(BaseException):
    """In the middle of a transaction."""


class SimulatedEngine:
    """One engine's life.

    Args:
        answer: a coroutine function: what the world answers to a request.
        say: told in words what happens, in order.
        active: called when it does more than to look and to beat.
    """

    def __init__(
        self,
        path: Path,
        *,
        loop: SimulatedLoop,
        clock: SimulatedClock,
        random: Random,
        answer: Answer,
        say: Callable[[str], None],
        active: Callable[[], None],
    ) -> None:
        self.path, self.loop, self.clock, self.random = path, loop, clock, random
        self.answer, self.say, self.active = answer, say, active
        self.dead = False
        self.fenced = False
        """Another one has taken over."""
        self.changed_after_fence: set[str] = set()
        """What it did, by the name of the function."""
        self.death: tuple[str, int] | None = None
        """At which point, and the how manieth time."""
        self.running = asyncio.Event()
        self.running.set()
        self.started = False
        self.requests = 0
        """On the wire."""
        self.jobs = 0
        """Handed to the writer and not answered."""
        self._settings = EngineSettings(store=path, allow_addresses=("127.0.0.0/8",))
        self._signals = Signals()
        self.task = loop.create_task(self._run())

    async def _run(self) -> None:
        _current.set(self)
        policy = AddressPolicy.parse(self._settings.allow_addresses)
        await run._serve(self._settings, policy, self._make_log(), (), self._signals)

    def comes(self, point: str) -> bool:
        """The engine is at this point. Returns whether it is its last."""
        if self.death is None or self.death[0] != point:
            return False
        self.death = (point, self.death[1] - 1)
        return not self.death[1]

    def die(self) -> None:
        """Now. What its tasks still do while they end changes nothing: it cannot write any more."""
        self.say("dies")
        self.dead = True
        self.running.set()
        self.task.cancel()

    def terminate(self) -> None:
        self._signals.come(signal.SIGTERM)

    def freeze(self) -> None:
        self.running.clear()

    def thaw(self) -> None:
        self.running.set()

    def _make_log(self) -> Any:
        return structlog.wrap_logger(
            None, processors=[self._log], wrapper_class=structlog.make_filtering_bound_logger("info")
        )

    def _log(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        self.started = self.started or event["event"] == "started"
        varying = ("store", "pid")
        self.say("log " + " ".join(f"{k}={v}" for k, v in sorted(event.items()) if k not in varying))
        raise structlog.DropEvent


class SimulatedWriter:
    """What `console.engine.writer.Writer` promises, without its thread: one piece of work after another, each after a
    while, each committed before it is answered."""

    def __init__(self, open_store: Callable[[], Store], *, on_trouble: Callable[[StoreError], None]) -> None:
        self._open_store, self._on_trouble, self._engine = open_store, on_trouble, _current.get()
        self._loop = self._engine.loop
        self._store: Store | None = None
        self._queue: deque[tuple[Callable[[Store], Any], asyncio.Future[Any]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._store = self._open_store()

    async def do(self, work: Callable[[Store], T]) -> T:
        return await self._hand_over(work)

    async def do_here(self, work: Callable[[Store], T]) -> T:
        self._engine.active()
        return await self._hand_over(work)

    async def close(self) -> None:
        if self._worker is not None:
            if self._engine.dead:
                self._worker.cancel()
            await asyncio.wait([self._worker])
        if self._store is not None:
            self._store.close()
            self._store = None

    async def _hand_over(self, work: Callable[[Store], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.append((work, future))
        self._engine.jobs += 1
        if self._worker is None or self._worker.done():
            self._worker = self._loop.create_task(self._work())
        return await asyncio.shield(future)

    async def _work(self) -> None:
        engine = self._engine
        while self._queue:
            work, future = self._queue.popleft()
            await asyncio.sleep(engine.random.choice((0.0, 0.0001, 0.001, 0.05)))
            await engine.running.wait()
            if engine.dead:
                return
            try:
                result = self._commit(work)
                await asyncio.sleep(engine.random.choice((0.0, 0.001, 0.02)))
                await engine.running.wait()
                if engine.comes("before answer"):
                    raise _Died
            except _Died:
                engine.die()
                return
            except Exception as error:
                _settle(future, error=error)
            else:
                _settle(future, result=result)
            engine.jobs -= 1

    def _commit(self, work: Callable[[Store], T]) -> T:
        assert self._store is not None
        engine = self._engine
        look = open_store(engine.path, read_only=True) if engine.fenced else None
        before = look.data_version() if look else 0
        try:
            with self._store.transaction():
                result = work(self._store)
                if engine.comes("before commit"):
                    raise _Died
        finally:
            if look is not None:
                if look.data_version() != before:
                    engine.changed_after_fence.add(_name_of(work))
                look.close()
        if engine.comes("after commit"):
            raise _Died
        try:
            self._store.keep_log_short()
        except StoreError as error:
            self._on_trouble(error)
        return result


def _name_of(work: Any) -> str:
    function = getattr(work, "func", work)  # of a partial
    return f"{function.__module__}.{function.__qualname__}"


def _settle(future: "asyncio.Future[T]", *, result: T | None = None, error: Exception | None = None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
        future.exception()  # whoever asked may be gone
    else:
        future.set_result(result)  # type: ignore[arg-type]  # None only where T is


class _SimulatedTransport:
    def __init__(self) -> None:
        self._engine = _current.get()

    async def send(self, request: Request) -> Outcome:
        engine = self._engine
        await self._engine.running.wait()
        self._perhaps_the_last("before send")
        engine.active()
        engine.requests += 1
        try:
            outcome: Outcome = await engine.answer(engine, request)
            await engine.running.wait()
            self._perhaps_the_last("after send")
            return outcome
        finally:
            engine.requests -= 1
            engine.active()

    def _perhaps_the_last(self, point: str) -> None:
        if self._engine.comes(point):
            self._engine.die()
        if self._engine.dead:
            raise asyncio.CancelledError

    async def aclose(self) -> None:
        pass


@contextmanager
def simulated_parts(clock: SimulatedClock, random: Random) -> Iterator[None]:
    """While the block runs, an engine is made of these parts."""
    replaced: dict[str, Any] = {
        "SystemClock": lambda: clock,
        "Writer": SimulatedWriter,
        "_make_transport": lambda *_: _SimulatedTransport(),
        "Random": lambda *_: Random(random.random()),
    }
    prepare = Connection.prepare

    def prepare_quickly(connection: Connection) -> None:
        prepare(connection)
        connection.run("PRAGMA synchronous=OFF")  # no power is lost here, and no process dies

    kept = {name: getattr(run, name) for name in replaced}
    for name, part in replaced.items():
        setattr(run, name, part)
    entropy = IntakeQueries._random
    setattr(Connection, "prepare", prepare_quickly)  # noqa: B010 - mypy knows better than to let methods be replaced
    setattr(IntakeQueries, "_random", Random(random.random()))  # noqa: B010
    try:
        yield
    finally:
        setattr(Connection, "prepare", prepare)  # noqa: B010
        setattr(IntakeQueries, "_random", entropy)  # noqa: B010
        for name, part in kept.items():
            setattr(run, name, part)
