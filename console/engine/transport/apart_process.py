"""The process that sends for an engine: `python -m console.engine.transport.apart_process FD START`."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import cast

import msgspec

from console.domain.addresses import AddressPolicy
from console.domain.clock import SystemClock
from console.domain.outcome import Cause, Failure, Outcome, Request
from console.engine.process import loop_factory, prepare
from console.engine.transport import kind_of, make_transport
from console.engine.transport.apart import Start
from console.engine.transport.guard import AddressGuard
from console.engine.transport.seam import Transport
from console.engine.transport.wire import Answer, Ask, Unpacker, answer_of, packed, read_asks, request_of


class _Service(asyncio.Protocol):
    """Sends what is asked for, each in a task that is kept and used again, and answers in batches."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._unpacker = Unpacker(read_asks, self._take)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._idle: list[asyncio.Future[tuple[int, Request]]] = []
        self._answers: list[Answer] = []
        self._link: asyncio.WriteTransport
        self._loop = asyncio.get_running_loop()
        self._all: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link = cast(asyncio.WriteTransport, transport)  # uvloop's are none by inheritance
        self._link.set_write_buffer_limits(high=1 << 30)

    def data_received(self, data: bytes) -> None:
        self._unpacker.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def _take(self, asks: list[Ask]) -> None:
        for ask in asks:
            number = ask[0]
            if ask[1] is None:
                task = self._tasks.get(number)
                if task is not None:
                    task.cancel()
            elif self._idle:
                self._idle.pop().set_result((number, request_of(ask)))
            else:
                task = self._loop.create_task(self._serve(number, request_of(ask)))
                self._all.add(task)
                task.add_done_callback(self._all.discard)

    async def _serve(self, number: int, request: Request) -> None:
        task = asyncio.current_task()
        assert task is not None
        outcome: Outcome
        while True:
            self._tasks[number] = task
            try:
                outcome = await self._transport.send(request)
            except Exception as error:  # the root of a request: a fault of ours costs this try, never the others
                detail = f"this program failed on it: {type(error).__name__}: {error}"
                outcome = Failure(cause=Cause.PROTOCOL, detail=detail, total_ms=0.0)
            finally:
                del self._tasks[number]
            if not self._answers:
                self._loop.call_soon(self._flush)
            self._answers.append(answer_of(number, outcome))
            waiting: asyncio.Future[tuple[int, Request]] = self._loop.create_future()
            self._idle.append(waiting)
            number, request = await waiting

    def _flush(self) -> None:
        batch, self._answers = self._answers, []
        self._link.write(packed(batch))


async def _serve(fd: int, start: Start) -> None:
    clock = SystemClock()
    guard = AddressGuard(AddressPolicy.parse(start.networks), clock=clock)
    extra = None if start.extra_ca_file is None else Path(start.extra_ca_file)
    transport = make_transport(kind_of(start.transport), guard, clock=clock, extra_ca_file=extra)
    service = _Service(transport)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: service, sock=socket.socket(fileno=fd))
    await service.ended.wait()
    # The engine is gone, or done. Whatever is still in flight is no longer anybody's.
    os._exit(0)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    fd, start = int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Start)
    os.set_inheritable(fd, False)
    prepare()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(fd, start))


if __name__ == "__main__":
    main()
