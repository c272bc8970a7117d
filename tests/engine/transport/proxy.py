"""A forward proxy on loopback: CONNECT tunnels and absolute-form requests, with names that only it resolves."""

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

from tests.receivers import end_server, keep_until_done

Pump = Callable[[asyncio.StreamReader, asyncio.StreamWriter], "asyncio.Task[None]"]


class ForwardProxy:
    """Connects to `names[host]`, or to the host itself.

    `credentials` (`user:password`) are demanded when given. When it `misbehaves`, `says` is all that it answers: None
    is silence, empty bytes the end of the connection.
    """

    def __init__(self, names: dict[str, str] | None = None, *, credentials: str | None = None) -> None:
        self.names = names or {}
        self.credentials = credentials
        self.asked: list[str] = []
        """The request lines that came, without the version."""
        self.connections_opened = 0
        self.misbehaves = False
        self.says: bytes | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "ForwardProxy":
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=1 << 20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        await end_server(self._server, self._open)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_opened += 1
        task = asyncio.create_task(self._serve(reader, writer))
        keep_until_done(task, self._open, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            await _end(writer)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether another request may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split(" ", 2)
        self.asked.append(f"{method} {target}")
        if self.misbehaves:
            if self.says != b"":
                writer.write(self.says or b"")
                await reader.read()
            return False
        if self.credentials is not None:
            wanted = b64encode(self.credentials.encode()).decode()
            if f"proxy-authorization: basic {wanted}".lower() not in head.lower():
                writer.write(b"HTTP/1.1 407 Who Are You\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
                return False
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host = parts.hostname or ""
        there_reader, there_writer = await asyncio.open_connection(self.names.get(host, host), parts.port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
                await _join(reader, writer, there_reader, there_writer)
                return False
            await self._forward(head, reader, there_writer)
            writer.write(await _read_message(there_reader))
            await writer.drain()
            return True
        finally:
            await _end(there_writer)

    async def _forward(self, head: str, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        """The request in origin form, without what is meant for the proxy."""
        first, *fields = head.rstrip("\r\n").split("\r\n")
        method, target, version = first.split(" ")
        parts = urlsplit(target)
        kept = [field for field in fields if not field.lower().startswith("proxy-")]
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        there.write("\r\n".join([f"{method} {path} {version}", *kept, "", ""]).encode("latin-1"))
        there.write(await reader.readexactly(_length("\r\n".join(fields))))
        await there.drain()


def _length(head: str) -> int:
    fields = (line.partition(":") for line in head.split("\r\n"))
    return next((int(value) for name, _, value in fields if name.lower() == "content-length"), 0)


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(_length(head.decode("latin-1")))


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there_reader: asyncio.StreamReader,
    there_writer: asyncio.StreamWriter,
) -> None:
    """Both ways until one side ends."""
    ways = [
        asyncio.create_task(_pump(reader, there_writer)),
        asyncio.create_task(_pump(there_reader, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        with contextlib.suppress(Exception):
            await writer.wait_closed()
    finally:
        writer.transport.abort()
