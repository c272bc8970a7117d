"""What an end-to-end test stands on: the installed program, real processes, and a receiver that does as it is told."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

from console.domain.endpoint import Endpoint
from console.domain.event import NewEvent
from console.domain.ids import EventId
from console.store import Store, open_store
from tests.engine_process import EngineProcess
from tests.factories import add_endpoint
from tests.receivers import Behaviour, ReceivedRequest, ScriptedReceiver
from tests.terminal import GUARD_S, ScreenTimeoutError, Terminal, plain_environment, processes_with

T = TypeVar("T")

MARK = "WEBHOOK_CONSOLE_TEST_MARK"
"""Set in the environment of every process of a test, so that also an orphan is found."""

SIZES = ((80, 24), (120, 40))


def program() -> list[str]:
    """The script that installing made; where there is none, the package."""
    script = Path(sys.executable).with_name("webhook-console")
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "console"]


def eventually(look: Callable[[], T], *, what: str, timeout_s: float = GUARD_S) -> T:
    """The first true answer of `look`. Raises AssertionError when none comes in time."""
    until_s = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < until_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)
    return found


def press_until(terminal: Terminal, key: str, pattern: str) -> None:
    """Press a key that may be pressed again, until it has told: what it is for may only just be on its way."""
    for _ in range(20):
        terminal.press(key)
        try:
            terminal.wait_for(pattern, timeout_s=1)
        except ScreenTimeoutError:
            continue
        return
    terminal.wait_for(pattern, timeout_s=0)


class Receiver:
    """A ScriptedReceiver on a loop and a thread of its own, for tests that wait on a terminal."""

    def __init__(self) -> None:
        self._scripted: ScriptedReceiver
        self._loop: asyncio.AbstractEventLoop
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="receiver", daemon=True)

    @property
    def url(self) -> str:
        return self._scripted.url

    @property
    def requests(self) -> list[ReceivedRequest]:
        """All that came so far, in order."""
        return list(self._scripted.requests)

    @property
    def event_ids(self) -> list[str | None]:
        """The webhook-id of each."""
        return [request.header("webhook-id") for request in self.requests]

    def behave(self, behaviour: Behaviour) -> None:
        """From the next request on."""
        self._scripted.behaviour = behaviour

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(GUARD_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(GUARD_S)

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with ScriptedReceiver() as self._scripted:
            self._ready.set()
            await self._ended.wait()


class Stage:
    """A folder, a store in it, and the processes that a test starts. What a test leaves running is its failure."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "store.db"
        self._mark = uuid4().hex
        self.environment = plain_environment(folder, **{MARK: self._mark})
        self._stack = ExitStack()
        self.store: Store = self._stack.enter_context(_closing(open_store(self.path)))

    def engine(self, *arguments: str) -> EngineProcess:
        """An engine for the store, with more flags of `serve`, until the test ends."""
        log = self.folder / "engine.log"
        process = EngineProcess(self.path, log=log, arguments=arguments, environment=self.environment)
        return self._stack.enter_context(process)

    def receiver(self) -> Receiver:
        """A receiver that answers 200 until told otherwise."""
        return self._stack.enter_context(Receiver())

    def endpoint(self, name: str, url: str, *, schedule_s: tuple[float, ...] = (0.0,)) -> Endpoint:
        """Wants every event. By default one failed try is the last."""
        now_ms = time.time_ns() // 1_000_000
        return add_endpoint(self.store, name=name, url=url, policy={"schedule_s": schedule_s}, now_ms=now_ms)

    def accept(self, count: int, *, type_: str = "invoice.paid", payload: bytes = b'{"amount": 4200}') -> list[EventId]:
        """Events through the store, as every source does."""
        events = [NewEvent(type=type_, payload=payload) for _ in range(count)]
        return [accepted.id for accepted in self.store.accept(events, time.time_ns() // 1_000_000)]

    def run(
        self, *arguments: str, size: tuple[int, int], command: Sequence[str] | None = None, **environment: str
    ) -> Terminal:
        """The program in a terminal, until the test ends. `environment` is added to the plain one."""
        columns, rows = size
        terminal = Terminal(
            [*(command or program()), *arguments],
            columns=columns,
            rows=rows,
            environment={**self.environment, **environment},
            folder=self.folder,
        )
        return self._stack.enter_context(terminal)

    def console(self, *arguments: str, size: tuple[int, int], **environment: str) -> Terminal:
        """The console on this store."""
        return self.run("--store", str(self.path), *arguments, size=size, **environment)

    def processes(self) -> list[int]:
        """Every process of this test that runs at this moment, but for the test itself."""
        return processes_with(MARK, self._mark)

    def engines(self) -> list[int]:
        """Those of them that are engines."""
        return [pid for pid in self.processes() if b"\0serve\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def close(self) -> list[int]:
        """End everything in order. Returns what was still running then, and is killed now."""
        self._stack.close()
        until_s = time.monotonic() + 5
        while (left := self.processes()) and time.monotonic() < until_s:
            time.sleep(0.02)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return left


@contextmanager
def _closing(store: Store) -> Iterator[Store]:
    try:
        yield store
    finally:
        store.close()


def assert_given_back(terminal: Terminal) -> None:
    """The terminal is as it was: modes, alternate screen, cursor, mouse, settings."""
    assert terminal.modes_left_on() == set()
    assert terminal.modes() == terminal.modes_before
    # It had been taken at all, else the lines above say nothing.
    assert b"\x1b[?1049h" in terminal.raw
