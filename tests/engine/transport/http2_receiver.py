"""An HTTP/2 receiver on loopback, as small as the tests of a sender allow: RFC 9113 frames, RFC 7541 header blocks."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import TracebackType

from tests.receivers import end_server, keep_until_done

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM = 0x0, 0x2, 0x7
_FRAME_BYTES = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Http2Request:
    """One request, its pseudo-header fields among the headers."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    stream: int

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)


class Http2Stream:
    """What a behaviour may do with one request."""

    def __init__(self, request: Http2Request, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self._writer = writer

    async def answer(self, status: int = 200, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
        block = b"".join(_literal(name, value) for name, value in ((":status", str(status)), *headers))
        await self.send_head(block)
        await self.frame(DATA, END_STREAM, body)

    async def send_head(self, block: bytes) -> None:
        """A header block over as many frames as it needs; the stream stays open."""
        parts = [block[at : at + _FRAME_BYTES] for at in range(0, len(block), _FRAME_BYTES)]
        for number, part in enumerate(parts):
            kind = HEADERS if number == 0 else CONTINUATION
            await self.frame(kind, END_HEADERS if number == len(parts) - 1 else 0, part)

    async def reset(self, code: int) -> None:
        await self.frame(RST_STREAM, 0, code.to_bytes(4))

    async def go_away(self, last_stream: int, code: int = NO_ERROR) -> None:
        """Says that streams after the last were not worked on, and closes."""
        self._writer.write(_frame(GOAWAY, 0, 0, last_stream.to_bytes(4) + code.to_bytes(4)))
        await self._writer.drain()
        self.close()

    async def frame(self, kind: int, flags: int, payload: bytes) -> None:
        await self.send(_frame(kind, flags, self.request.stream, payload))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


Behaviour = Callable[[Http2Stream], Awaitable[None]]


async def accepts(stream: Http2Stream) -> None:
    await stream.answer(202, b"accepted", (("x-protocol", "h2"),))


class Http2Receiver:
    """Does `behaviour` with each request; `deaf` answers not even pings. `tls` is told to offer h2."""

    def __init__(self, tls: ssl.SSLContext, behaviour: Behaviour = accepts) -> None:
        tls.set_alpn_protocols(["h2", "http/1.1"])
        self.behaviour = behaviour
        self.requests: list[Http2Request] = []
        self.connections_opened = 0
        self.deaf = False
        self._tls = tls
        self._open: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/hook"

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def wait_until_unconnected(self, *, timeout_s: float = 10) -> None:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: not self._open)

    async def __aenter__(self) -> "Http2Receiver":
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        await end_server(self._server, self._open)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_opened += 1
        task = asyncio.create_task(self._serve(reader, writer, self.connections_opened))
        keep_until_done(task, self._open, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        serving: set[asyncio.Task[None]] = set()
        try:
            async for request in self._requests(reader, writer, connection):
                self.requests.append(request)
                task = asyncio.create_task(_behave(self.behaviour, Http2Stream(request, writer)))
                serving.add(task)
                task.add_done_callback(serving.discard)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            for task in serving:
                task.cancel()
            writer.transport.abort()
            with contextlib.suppress(Exception):
                await writer.wait_closed()
            current = asyncio.current_task()
            assert current is not None
            self._open.discard(current)
            async with self._changed:
                self._changed.notify_all()

    async def _requests(  # type: ignore[no-untyped-def]  # an asynchronous generator, whose type says less than it
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ):
        assert await reader.readexactly(len(PREFACE)) == PREFACE
        writer.write(_frame(SETTINGS, 0, 0, b""))
        decoder = _HeaderDecoder()
        heads: dict[int, bytes] = {}
        bodies: dict[int, bytes] = {}
        while True:
            head = await reader.readexactly(9)
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
            payload = await reader.readexactly(int.from_bytes(head[:3]))
            if self.deaf:
                continue
            if kind in (SETTINGS, PING) and not flags & ACK:
                writer.write(_frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind in (HEADERS, CONTINUATION):
                heads[stream] = heads.get(stream, b"") + payload
            elif kind == DATA:
                bodies[stream] = bodies.get(stream, b"") + payload
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                yield Http2Request(
                    headers=tuple(decoder.decode(heads.pop(stream))),
                    body=bodies.pop(stream, b""),
                    connection=connection,
                    stream=stream,
                )


async def _behave(behaviour: Behaviour, stream: Http2Stream) -> None:
    # The sender may let go first, which is its right.
    with contextlib.suppress(ConnectionError):
        await behaviour(stream)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _literal(name: str, value: str) -> bytes:
    """A field with neither index nor Huffman code."""
    return b"\x00" + _text(name.encode()) + _text(value.encode())


def _text(data: bytes) -> bytes:
    length = len(data)
    if length < 127:
        return bytes([length]) + data
    out, length = bytearray([127]), length - 127
    while length >= 128:
        out.append(length % 128 + 128)
        length //= 128
    return bytes([*out, length]) + data


_KNOWN = {
    1: (":authority", ""),
    2: (":method", "GET"),
    3: (":method", "POST"),
    4: (":path", "/"),
    6: (":scheme", "http"),
    7: (":scheme", "https"),
    19: ("accept", ""),
    23: ("authorization", ""),
    28: ("content-length", ""),
    31: ("content-type", ""),
    58: ("user-agent", ""),
}
"""What a sender of webhooks uses of the static table."""
_STATIC_ENTRIES = 61

_BY_LENGTH = {
    5: "012aceiost",
    6: " %-./3456789=A_bdfghlmnpru",
    7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: "&*,;XZ",
    10: '!"()?',
    11: "'+|",
    12: "#>",
    13: "\0$@[]~",
    14: "^}",
    15: "<`{",
}
"""The Huffman code is canonical, so that the lengths tell it; the longer ones are for what no header field holds."""


def _huffman_codes() -> Iterator[tuple[str, str]]:
    code, length = 0, 0
    for longer, characters in _BY_LENGTH.items():
        code <<= longer - length
        length = longer
        for character in characters:
            yield f"{code:0{length}b}", character
            code += 1


_HUFFMAN = dict(_huffman_codes())


class _HeaderDecoder:
    """One connection's. The dynamic table never shrinks: tests send less than fills it."""

    def __init__(self) -> None:
        self._dynamic: list[tuple[str, str]] = []

    def decode(self, block: bytes) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(block):
            first = block[at]
            if first & 0x80:
                index, at = _integer(block, at, 7)
                yield self._field(index)
                continue
            if first & 0xE0 == 0x20:
                _size, at = _integer(block, at, 5)
                continue
            indexed = bool(first & 0x40)
            index, at = _integer(block, at, 6 if indexed else 4)
            if index:
                name = self._field(index)[0]
            else:
                name, at = _string(block, at)
            value, at = _string(block, at)
            if indexed:
                self._dynamic.insert(0, (name, value))
            yield name, value

    def _field(self, index: int) -> tuple[str, str]:
        return _KNOWN[index] if index <= _STATIC_ENTRIES else self._dynamic[index - _STATIC_ENTRIES - 1]


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    shift = 0
    while value >= most:
        value += (block[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not block[at - 1] & 0x80:
            break
    return value, at


def _string(block: bytes, at: int) -> tuple[str, int]:
    packed = bool(block[at] & 0x80)
    length, at = _integer(block, at, 7)
    data = block[at : at + length]
    if not packed:
        return data.decode(), at + length
    text, code = [], ""
    for bit in "".join(f"{byte:08b}" for byte in data):
        code += bit
        character = _HUFFMAN.get(code)
        if character is not None:
            text.append(character)
            code = ""
    return "".join(text), at + length
