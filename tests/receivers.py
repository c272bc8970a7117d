"""A real HTTP receiver on loopback whose behaviour a test changes at any moment."""

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType

_CONTENT_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request as it came over the wire. Header names are in lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received_s: float
    """Monotonic seconds."""
    connection: int
    """Which connection carried it, counted from 1."""
    nth_on_connection: int

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name.lower()), None)


class Conversation:
    """What a behaviour may do with one request."""

    def __init__(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self._writer = writer

    async def answer(self, status: int = 200, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A well-formed answer that keeps the connection."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
        # 204 and 304 may not announce a body.
        length = "" if status in (204, 304) else f"content-length: {len(body)}\r\n"
        await self.send(f"HTTP/1.1 {status} Scripted\r\n{fields}{length}\r\n".encode("latin-1") + body)

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """RST, when the peer sent something that was not read; else an abrupt end."""
        self._writer.transport.abort()

    def close(self) -> None:
        """FIN."""
        self._writer.close()


Behaviour = Callable[[Conversation], Awaitable[None]]


def answers(status: int = 200, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Behaviour:
    """The same well-formed answer to each request."""

    async def behave(conversation: Conversation) -> None:
        await conversation.answer(status, body, headers)

    return behave


def sends(data: bytes, *, then_close: bool = False) -> Behaviour:
    """These bytes, and then silence or the end of the connection."""

    async def behave(conversation: Conversation) -> None:
        await conversation.send(data)
        if then_close:
            conversation.close()

    return behave


async def hangs(conversation: Conversation) -> None:
    """No answer, ever."""
    await asyncio.Event().wait()


async def resets(conversation: Conversation) -> None:
    conversation.reset()


async def closes(conversation: Conversation) -> None:
    conversation.close()


def keep_until_done(task: "asyncio.Task[None]", tasks: "set[asyncio.Task[None]]", writer: asyncio.StreamWriter) -> None:
    """Keep what serves a connection, and end that with it: also when it is cancelled before its first step."""
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(lambda _: writer.transport.abort())


async def end_server(server: asyncio.Server, tasks: "set[asyncio.Task[None]]") -> None:
    """Stop listening and end every connection."""
    server.close()
    for _ in range(3):  # a connection that was being accepted has its task in one of the next rounds of the loop
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
    await server.wait_closed()


class ScriptedReceiver:
    """An HTTP/1.1 server on 127.0.0.1 at a port of the system's choice.

    Set `behaviour` at any time; it is looked up at each request. `requests` holds all that came, in order.
    Pass `tls` to serve https, `host` to listen on another loopback address.
    """

    def __init__(
        self, behaviour: Behaviour | None = None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.behaviour: Behaviour = behaviour or answers()
        self.requests: list[ReceivedRequest] = []
        self.connections_opened = 0
        self.sni_names: list[str | None] = []
        self.client_names: list[str] = []
        """Of each connection that came with a certificate: what its holder is called in it."""
        self._host = host
        self._tls = tls
        self._open: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.sni_names.append(name)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}/hook"

    @property
    def connections_open(self) -> int:
        return len(self._open)

    async def wait_for(self, count: int, *, timeout_s: float = 10) -> list[ReceivedRequest]:
        """The requests, once at least `count` have come whole."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def wait_until_unconnected(self, *, timeout_s: float = 10) -> None:
        """Until the peers have let go of every connection."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: not self._open)

    def drop_connections(self) -> None:
        """Ends every connection, as a receiver does that restarts."""
        for task in self._open:
            task.cancel()

    async def __aenter__(self) -> "ScriptedReceiver":
        self._server = await asyncio.start_server(self._accepted, self._host, 0, ssl=self._tls, limit=1 << 20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        await end_server(self._server, self._open)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_opened += 1
        certificate = writer.get_extra_info("peercert") or {}
        self.client_names += [
            value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"
        ]
        task = asyncio.create_task(self._serve(reader, writer, self.connections_opened))
        keep_until_done(task, self._open, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        nth = 0
        serving: asyncio.Task[None] | None = None
        try:
            while not writer.is_closing():
                nth += 1
                request = await _read_request(reader, connection, nth)
                self.requests.append(request)
                await self._notify()
                serving = asyncio.ensure_future(_behave(self.behaviour, Conversation(request, writer)))
                await _until_served_or_gone(serving, reader)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            if serving is not None:
                serving.cancel()
            # Not close(): a peer that does not read must not keep the test waiting.
            writer.transport.abort()
            task = asyncio.current_task()
            if task is not None:
                self._open.discard(task)
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _behave(behaviour: Behaviour, conversation: Conversation) -> None:
    try:
        await behaviour(conversation)
    except ConnectionError:
        # The sender let go first, which is its right.
        conversation.reset()


async def _until_served_or_gone(serving: "asyncio.Task[None]", reader: asyncio.StreamReader) -> None:
    """Ends when the behaviour does, or with ConnectionError when the peer leaves before."""
    while not serving.done():
        if reader.at_eof():
            raise ConnectionResetError
        await asyncio.wait([serving], timeout=0.02)
    serving.result()


async def _read_request(reader: asyncio.StreamReader, connection: int, nth: int) -> ReceivedRequest:
    head = await reader.readuntil(b"\r\n\r\n")
    length = _CONTENT_LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else b""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _version = first.split(" ", 2)
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return ReceivedRequest(
        method=method,
        target=target,
        headers=headers,
        body=body,
        received_s=time.monotonic(),
        connection=connection,
        nth_on_connection=nth,
    )
