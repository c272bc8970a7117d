"""A receiver that misbehaves on the wire, and behaves when it is told to."""

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType

from tests.receivers import end_server, keep_until_done

WELL = b"HTTP/1.1 202 Accepted\r\ncontent-length: 4\r\n\r\nwell"


class Wire:
    """One accepted connection, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.ended = False

    async def read_line(self) -> bytes:
        return await self._reader.readuntil(b"\r\n")

    async def read_some(self) -> bytes:
        return await self._reader.read(65536)

    async def read_request(self) -> bytes:
        """The head of a request, once all of it has come, body included."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await self._reader.readexactly(int(line.partition(b":")[2]))
        return head

    async def send(self, data: bytes) -> None:
        """Raises ConnectionError when the peer has left."""
        self._writer.write(data)
        await self._writer.drain()

    async def drip(self, data: bytes, gap_s: float = 0.02) -> None:
        """One byte at a time."""
        for byte in data:
            await self.send(bytes([byte]))
            await asyncio.sleep(gap_s)

    async def pour(self, data: bytes) -> None:
        """The same bytes for ever."""
        while True:
            await self.send(data)

    async def wait_until_left(self) -> None:
        """Silence until the peer closes. What it sends meanwhile is not read."""
        while await self._reader.read(65536):
            pass
        self.ended = True

    def reset(self) -> None:
        """RST: what was sent and not yet read by the peer is lost too."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self.ended = True

    def close(self) -> None:
        """FIN, after what was sent."""
        self._writer.close()
        self.ended = True


Misdeed = Callable[[Wire], Awaitable[None]]


class MisbehavingReceiver:
    """Does `misdeed` first with each connection that opens while there is one, and then answers 202 `well`."""

    def __init__(self, misdeed: Misdeed | None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.misdeed = misdeed
        self.connections_opened = 0
        self._tls = tls
        self._host = host
        self._open: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/hook"

    @property
    def tasks(self) -> set["asyncio.Task[None]"]:
        """Those of the receiver itself: one for each connection."""
        return set(self._open)

    async def wait_until_unconnected(self, *, timeout_s: float = 10) -> None:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: not self._open)

    async def __aenter__(self) -> "MisbehavingReceiver":
        self._server = await asyncio.start_server(
            self._accepted, self._host, 0, ssl=self._tls, limit=1 << 20, backlog=512
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        await end_server(self._server, self._open)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_opened += 1
        task = asyncio.create_task(self._serve(Wire(reader, writer), writer))
        keep_until_done(task, self._open, writer)

    async def _serve(self, wire: Wire, writer: asyncio.StreamWriter) -> None:
        try:
            if self.misdeed is not None:
                await self.misdeed(wire)
            while not wire.ended:
                await wire.read_request()
                await wire.send(WELL)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            if not writer.is_closing():
                writer.transport.abort()
            try:
                with contextlib.suppress(Exception):
                    await writer.wait_closed()
            finally:
                # Cancelled meanwhile: what was still to be flushed or said goodbye to is not waited for.
                writer.transport.abort()
            task = asyncio.current_task()
            assert task is not None
            self._open.discard(task)
            async with self._changed:
                self._changed.notify_all()


async def speaks_plainly(wire: Wire) -> None:
    """HTTP where TLS was begun."""
    await wire.read_some()
    await wire.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    await wire.wait_until_left()


def answers_with(data: bytes, *, then: str = "keeps") -> Misdeed:
    """These bytes for the first request; `then` the connection is kept, or it closes, resets or stays silent."""

    async def misdeed(wire: Wire) -> None:
        await wire.read_request()
        await wire.send(data)
        match then:
            case "closes":
                wire.close()
            case "resets":
                wire.reset()
            case "is silent":
                await wire.wait_until_left()

    return misdeed


_POURER = """
import contextlib, socket, threading
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)

def pour(connection):
    with contextlib.suppress(OSError):
        connection.recv(65536)
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\\r\\n\\r\\n" * 2600)

while True:
    threading.Thread(target=pour, args=server.accept()[:1], daemon=True).start()
"""


@contextlib.contextmanager
def pouring_receiver() -> Iterator[str]:
    """Gives the URL of a receiver that answers with `100 Continue` for ever, as fast as a process of its own can."""
    with subprocess.Popen([sys.executable, "-c", _POURER], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()
