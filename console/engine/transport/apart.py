"""A transport in a process of its own.

What an HTTP library does in its threads and what the engine does in its loop both need the interpreter, and on one
interpreter they take turns: with both in one process a fifth of the processor went into handing it over. Apart they
share nothing, and use two cores. Requests and answers pass in batches over a socket pair.

The process ends when its socket closes, so it never outlives the engine, however that ends. When the process itself
dies, what it had in flight is answered as unknown, and another is started.
"""

import asyncio
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from console.domain.clock import Clock
from console.domain.outcome import Cause, Failure, Outcome, Request
from console.engine.transport.wire import Answer, Ask, Unpacker, ask_of, cancel_of, outcome_of, packed, read_answers

BUFFER_BYTES = 1024 * 1024
_START_AGAIN_S = 0.5


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What the sending process is told when it starts, as JSON on its command line."""

    transport: str
    networks: tuple[str, ...]
    """That receivers may be in although they are private: `AddressPolicy.parse`."""
    extra_ca_file: str | None


class ApartTransport:
    """A Transport whose requests are made by another process."""

    def __init__(self, start: Start, *, clock: Clock) -> None:
        """Raises OSError when no process can be started."""
        self._start, self._clock = start, clock
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._number = 0
        self._outgoing: list[Ask] = []
        self._closing = False
        self._again: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes]
        self._link: asyncio.Future[asyncio.Transport]
        self._open()

    @property
    def pid(self) -> int:
        """Of the process that sends."""
        return self._process.pid

    async def send(self, request: Request) -> Outcome:
        self._number = number = self._number + 1
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._ask(ask_of(number, request))
        try:
            return await future
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is not None:
                self._ask(cancel_of(number))
            raise

    async def aclose(self) -> None:
        self._closing = True
        if self._again is not None:
            self._again.cancel()
        self._flush()
        with suppress(OSError):
            (await self._link).close()
        process = self._process
        await asyncio.get_running_loop().run_in_executor(None, _wait_for, process)

    def _ask(self, ask: Ask) -> None:
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)  # with all that asks in this round of the loop
        self._outgoing.append(ask)

    def _open(self) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "console.engine.transport.apart_process"),
                    *(str(theirs.fileno()), msgspec.json.encode(self._start).decode()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # A Ctrl-C at the terminal is for the engine, which drains; this ends when the engine lets go of it.
                start_new_session=True,
            )
        loop = asyncio.get_running_loop()
        self._link = asyncio.ensure_future(self._connect(loop, ours))

    async def _connect(self, loop: asyncio.AbstractEventLoop, ours: socket.socket) -> asyncio.Transport:
        ours.setblocking(False)
        link, _ = await loop.create_connection(lambda: _Link(self), sock=ours)
        link.set_write_buffer_limits(high=1 << 30)  # what is in flight is bounded already
        return link

    def _flush(self) -> None:
        if not self._outgoing:
            return
        if not self._link.done():
            self._link.add_done_callback(lambda _: self._flush())
            return
        batch, self._outgoing = self._outgoing, []
        if not self._link.result().is_closing():
            self._link.result().write(packed(batch))
        else:
            self._outgoing = batch  # for the process that is about to be started

    def answered(self, answers: list[Answer]) -> None:
        """From the link: outcomes by number; those of requests cancelled meanwhile are dropped."""
        waiting = self._waiting
        for answer in answers:
            future = waiting.pop(answer[0], None)
            if future is not None and not future.done():
                future.set_result(outcome_of(answer))

    def lost(self) -> None:
        """From the link: the process has died."""
        if self._closing:
            self._fail(list(self._waiting), "the engine stopped")
            return
        unsent = {ask[0] for ask in self._outgoing}
        self._fail(
            [number for number in self._waiting if number not in unsent],
            "the process that sends ended before the answer came; another is started",
        )
        self._again = asyncio.ensure_future(self._reopen())

    async def _reopen(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, _wait_for, self._process)
        while True:
            await asyncio.sleep(_START_AGAIN_S)
            # No memory or no process left, say: what is asked for meanwhile waits, and nothing of it was sent.
            with suppress(OSError):
                self._open()
                break
        self._flush()

    def _fail(self, numbers: list[int], detail: str) -> None:
        for number in numbers:
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(Failure(cause=Cause.UNKNOWN_OUTCOME, detail=detail, total_ms=0.0))


class _Link(asyncio.Protocol):
    def __init__(self, owner: ApartTransport) -> None:
        self._owner = owner
        self._unpacker = Unpacker(read_answers, owner.answered)

    def data_received(self, data: bytes) -> None:
        self._unpacker.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost()


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_of(transport: str, networks: tuple[str, ...], extra_ca_file: Path | None) -> Start:
    return Start(
        transport=transport,
        networks=networks,
        extra_ca_file=None if extra_ca_file is None else str(extra_ca_file.absolute()),
    )
