"""The same framework and server answering the same request with nothing behind it.

As a program: `python -m tests.bench.plain_api` prints its port and serves until its input closes.
"""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import uvicorn
import uvloop
from litestar import Litestar, post
from litestar.params import JSONBody


class _EventIn(msgspec.Struct):
    type: str
    data: Any
    id: str | None = None


class _Accepted(msgspec.Struct):
    id: str
    duplicate: bool
    deliveries: int


@post("/v1/events", status_code=202)
async def _events(data: JSONBody[_EventIn]) -> _Accepted:
    return _Accepted(id="evt_01m8j8rdzy08k89sk9vqt4w4k6", duplicate=False, deliveries=1)


class PlainApi:
    """Runs while the block runs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def cpu_s(self) -> float:
        """Processor seconds it has used, in steps of a clock tick (mostly 10 ms)."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "PlainApi":
        command = [sys.executable, "-m", "tests.bench.plain_api"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.communicate(timeout=20)


async def _serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    app = Litestar([_events], logging_config=None, openapi_config=None)
    config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    input_closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else input_closed.set())
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve([listener]))
        print(listener.getsockname()[1], flush=True)
        await input_closed.wait()
        loop.remove_reader(sys.stdin.fileno())
        server.should_exit = True


if __name__ == "__main__":
    uvloop.run(_serve())
