"""The demo's receivers on loopback: one port each, real HTTP/1.1 with keep-alive, and an honest count.

Each checks the Standard Webhooks signature by itself, so that what it counts is evidence about the sender. What it
answers is decided in `behaviours`.
"""

import asyncio
import base64
import random
import socket
import struct
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self, cast

from console.demo.behaviours import (
    CAST,
    Answer,
    Behaviour,
    Receiver,
    ReceiverCounts,
    ReceiverSpec,
    Reset,
    Role,
    html_answer,
)
from console.domain.clock import Clock, SystemClock

HEAD_CAP_BYTES = 64 * 1024
BODY_CAP_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


def _take_request(buffer: bytearray) -> _Request | int | None:
    """Take one whole request off the buffer; None while part of it is missing, or the status that refuses it."""
    end = buffer.find(b"\r\n\r\n", 0, HEAD_CAP_BYTES)
    if end < 0:
        return 431 if len(buffer) >= HEAD_CAP_BYTES else None
    request_line, *lines = buffer[:end].decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            return 400
        headers[name.lower()] = value.strip()
    words = request_line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return 400
    if words[0] != "POST":
        return 405
    length = headers.get("content-length")
    if length is None:
        return 411
    if not (length.isdecimal() and len(length) <= 12):
        return 400
    if int(length) > BODY_CAP_BYTES:
        return 413
    body_start = end + 4
    body_end = body_start + int(length)
    if len(buffer) < body_end:
        return None
    body = bytes(buffer[body_start:body_end])
    del buffer[:body_end]
    keep_alive = words[2] == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return _Request(headers=headers, body=body, keep_alive=keep_alive)


class _Connection(asyncio.Protocol):
    """One TCP connection: requests one after the other, each answered after the delay its receiver decides."""

    def __init__(self, receiver: Receiver, open_connections: "_OpenConnections") -> None:
        self._receiver = receiver
        self._open_connections = open_connections
        self._buffer = bytearray()
        self._answering: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, since uvloop's transports are not instances of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._open_connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering is not None:
            self._answering.cancel()
            self._receiver.answered("abandoned")
        self._open_connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > HEAD_CAP_BYTES + BODY_CAP_BYTES:
            self.abort()  # a sender that pipelines without end
        else:
            self._next_request()

    def abort(self) -> None:
        self._transport.abort()

    def _next_request(self) -> None:
        if self._answering is not None or self._transport.is_closing():
            return
        request = _take_request(self._buffer)
        if isinstance(request, _Request):
            decision = self._receiver.decide(request.headers, request.body)
            loop = asyncio.get_running_loop()
            self._answering = loop.call_later(decision.delay_s, self._carry_out, decision, request.keep_alive)
        elif request is not None:
            self._write(html_answer(request, delay_s=0.0), keep_alive=False)

    def _carry_out(self, decision: Answer | Reset, keep_alive: bool) -> None:
        self._answering = None
        if isinstance(decision, Reset):
            self._receiver.answered("reset")
            # Lingering for no time makes the close an RST in place of a FIN.
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.abort()
            return
        self._receiver.answered(str(decision.status))
        self._write(decision, keep_alive=keep_alive)
        self._next_request()

    def _write(self, answer: Answer, *, keep_alive: bool) -> None:
        head = [
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
            f"content-type: {answer.content_type}",
            f"content-length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers),
        ]
        if not keep_alive:
            head.append("connection: close")
        self._transport.write("\r\n".join(head).encode() + b"\r\n\r\n" + answer.body)
        if not keep_alive:
            self._transport.close()


class _OpenConnections:
    """The connections that must be gone before the receivers are."""

    def __init__(self) -> None:
        self._connections: set[_Connection] = set()
        self._none_left = asyncio.Event()
        self._closing = False

    def add(self, connection: _Connection) -> None:
        self._connections.add(connection)
        if self._closing:
            connection.abort()  # accepted by the loop just before its server closed

    def discard(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._none_left.set()

    async def aclose(self) -> None:
        self._closing = True
        for connection in tuple(self._connections):
            connection.abort()
        if self._connections:
            self._none_left.clear()
            await self._none_left.wait()


class DemoReceivers:
    """The whole cast, listening from `async with` until its end, on ports the OS chooses.

    Two with the same seed have the same secrets and habits; ports differ.
    """

    def __init__(self, *, seed: int, clock: Clock | None = None) -> None:
        self._seed = seed
        self._clock = clock or SystemClock()
        self._receivers: list[Receiver] = []
        self._open_connections = _OpenConnections()
        self._stack = AsyncExitStack()

    @property
    def specs(self) -> tuple[ReceiverSpec, ...]:
        """What to register, in the order of CAST; empty before the start."""
        return tuple(receiver.spec for receiver in self._receivers)

    def counts(self) -> dict[str, ReceiverCounts]:
        """What each receiver has seen, by name."""
        return {receiver.spec.name: receiver.counts() for receiver in self._receivers}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            for role in CAST:
                await self._open(role, starting)
            self._stack = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        await self._open_connections.aclose()

    async def _open(self, role: Role, stack: AsyncExitStack) -> None:
        listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        rng = random.Random(f"{self._seed}/{role.name}")
        spec = ReceiverSpec(
            name=role.name,
            url=f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks",
            behaviour=role.behaviour,
            secret="whsec_" + base64.b64encode(rng.randbytes(32)).decode(),
            types=role.types,
            description=role.description,
        )
        receiver = Receiver(spec, rng, self._clock)
        self._receivers.append(receiver)
        if role.behaviour is Behaviour.DOWN:
            return  # bound and never listening: refused, and the port cannot pass to another program meanwhile
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(receiver, self._open_connections), sock=listener, backlog=512
        )
        stack.callback(server.close)
