"""Requests over kept connections, as cheaply as Python can make them: in a process of its own.

As a program: `python -m tests.bench.http_load PORT`, with a JSON object of options on its standard input; prints one.
Closed (no rate): each connection sends the next request when it has its answer. Open: requests are due by the clock
whether or not those before were answered, and are timed from when they were due.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from typing import Any, cast

import uvloop

from tests.bench.machine import spread

WARM_UP_S = 0.5
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


def load(port: int, request: bytes, *, connections: int, seconds: float, rate: float | None = None) -> dict[str, Any]:
    """What came of it: how many answers by their status, how many a second, and how long they took."""
    options = {"request": request.decode(), "connections": connections, "seconds": seconds, "rate": rate}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.http_load", str(port)],
        input=json.dumps(options),
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def post(path: str, body: bytes, **fields: str) -> bytes:
    """A request as it goes over the wire."""
    head = {"host": "127.0.0.1", "content-type": "application/json", **fields, "content-length": str(len(body))}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, run: "_Run") -> None:
        self._run, self._got = run, b""
        self._sent_s: deque[float] = deque()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, due_s: float) -> None:
        assert self._transport is not None
        self._sent_s.append(due_s)
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        data = self._got + data if self._got else data
        while data:
            head_end = data.find(_HEAD_END)
            if head_end < 0:
                break
            at = data.find(_LENGTH, 0, head_end)
            end = head_end + len(_HEAD_END) + int(data[at + len(_LENGTH) : data.index(b"\r", at)])
            if len(data) < end:
                break
            self._run.answered(self, data[9:12].decode(), self._sent_s.popleft())
            data = data[end:]
        self._got = data


class _Run:
    def __init__(self, request: bytes, seconds: float, rate: float | None) -> None:
        self.request, self._rate = request, rate
        self._from_s = time.perf_counter() + WARM_UP_S
        self._until_s = self._from_s + seconds
        self._statuses: dict[str, int] = {}
        self._took_ms: list[float] = []
        self._answers = 0
        self._idle: deque[_Connection] = deque()
        self._late: deque[float] = deque()
        """When requests were due for which no connection was free."""

    async def go(self, port: int, connections: int) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, made = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
            self._idle.append(made)
        if self._rate is None:
            while self._idle:
                self._idle.popleft().send(time.perf_counter())
            await asyncio.sleep(self._until_s - time.perf_counter())
        else:
            await self._arrive(self._rate)
        seconds = self._until_s - self._from_s
        return {
            "answers": self._answers,
            "per_s": round(len(self._took_ms) / seconds),
            "statuses": self._statuses,
            "took_ms": spread(self._took_ms, 2),
        }

    async def _arrive(self, rate: float) -> None:
        began_s, number = time.perf_counter(), 0
        while (now_s := time.perf_counter()) < self._until_s:
            while (due_s := began_s + number / rate) <= now_s:
                number += 1
                if self._idle:
                    self._idle.popleft().send(due_s)
                else:
                    self._late.append(due_s)
            await asyncio.sleep(0.001)

    def answered(self, connection: _Connection, status: str, due_s: float) -> None:
        now_s = time.perf_counter()
        self._answers += 1
        if self._from_s <= now_s < self._until_s:
            self._took_ms.append((now_s - due_s) * 1000)
            self._statuses[status] = self._statuses.get(status, 0) + 1
        if now_s >= self._until_s:
            return
        if self._rate is None:
            connection.send(now_s)
        elif self._late:
            connection.send(self._late.popleft())
        else:
            self._idle.append(connection)


def main() -> None:
    options = json.load(sys.stdin)
    run = _Run(options["request"].encode(), options["seconds"], options["rate"])
    print(json.dumps(uvloop.run(run.go(int(sys.argv[1]), options["connections"]))))


if __name__ == "__main__":
    main()
