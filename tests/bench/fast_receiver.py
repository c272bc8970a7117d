"""A receiver in its own process that costs as little as Python can: it counts requests and answers baked bytes.

As a program: `python -m tests.bench.fast_receiver [--delay-ms N]` prints its port and serves until its input closes.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from types import TracebackType
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n" + b'{"ok":true}'
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"ontent-length: "


class FastReceiver:
    """Starts the receiver and ends it with the block. `count()` asks it how many POSTs came."""

    def __init__(self, *, delay_ms: float = 0) -> None:
        self._delay_ms = delay_ms
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def count(self) -> int:
        """POSTs received whole so far. Blocks for one loopback request."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/count", timeout=10) as answer:
            return int(json.load(answer)["requests"])

    def __enter__(self) -> "FastReceiver":
        command = [sys.executable, "-m", "tests.bench.fast_receiver", "--delay-ms", str(self._delay_ms)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


class _Connection(asyncio.Protocol):
    requests = 0
    """Over all connections."""
    delay_s = 0.0

    def __init__(self) -> None:
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports only look like asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._pending + data if self._pending else data
        while data:
            head_end = data.find(_HEAD_END)
            if head_end < 0:
                break
            at = data.find(_LENGTH, 0, head_end)
            length = int(data[at + len(_LENGTH) : data.index(b"\r", at)]) if at >= 0 else 0
            end = head_end + len(_HEAD_END) + length
            if len(data) < end:
                break
            self._answer(data.startswith(b"GET"))
            data = data[end:]
        self._pending = data

    def _answer(self, asks_count: bool) -> None:
        if asks_count:
            body = json.dumps({"requests": _Connection.requests}).encode()
            self._write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            return
        _Connection.requests += 1
        if _Connection.delay_s:
            asyncio.get_running_loop().call_later(_Connection.delay_s, self._write, _ANSWER)
        else:
            self._write(_ANSWER)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def _serve(delay_ms: float) -> None:
    _Connection.delay_s = delay_ms / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    input_closed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else input_closed.set())
    print(server.sockets[0].getsockname()[1], flush=True)
    await input_closed.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=float, default=0)
    uvloop.run(_serve(parser.parse_args().delay_ms))


if __name__ == "__main__":
    main()
