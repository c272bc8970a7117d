"""A receiver in its own process that notes when each event came, by webhook-id.

As a program: prints its port, serves until its input closes, and then prints one line an event: id, epoch nanoseconds.
"""

import asyncio
import os
import sys
import time
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_HEAD_END = b"\r\n\r\n"

came_ns: dict[bytes, int] = {}
"""The first time that each event came."""


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports only look like asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        at_ns = time.time_ns()
        data = self._pending + data
        while (head_end := data.find(_HEAD_END)) >= 0:
            end = head_end + len(_HEAD_END) + int(_field(data[:head_end], b"content-length") or b"0")
            if len(data) < end:
                break
            came_ns.setdefault(_field(data[:head_end], b"webhook-id") or b"?", at_ns)
            if self._transport is not None:
                self._transport.write(_ANSWER)
            data = data[end:]
        self._pending = data


def _field(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    input_closed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else input_closed.set())
    print(server.sockets[0].getsockname()[1], flush=True)
    await input_closed.wait()
    server.close()


def main() -> None:
    uvloop.run(_serve())
    for event_id, at_ns in came_ns.items():
        print(event_id.decode(), at_ns)


if __name__ == "__main__":
    main()
