"""Every adapter against a receiver that breaks the protocol in each way we know of.

For each: the same cause from both adapters, in bounded time and memory, nothing left open or running, and the next
request to the same origin answered as if nothing had been.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.domain.outcome import RESPONSE_BODY_CAP_BYTES, Cause, Outcome, Request
from console.engine.transport import TransportKind
from console.engine.transport.seam import Transport
from tests.engine.transport.conftest import MakeTransport
from tests.engine.transport.misbehaving import MisbehavingReceiver, Misdeed, Wire, answers_with
from tests.engine.transport.requests import answered, failed, make_request

_LATENESS_MS = 2500
"""What a busy machine may add to nothing, or to the total where that is what ends the attempt."""
_MEMORY_BYTES = 48 << 20
_HEAD = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _HEAD + b"transfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A misdeed and what must come of it: a cause, or an answer of this status and body."""

    misdeed: Misdeed
    cause: Cause | None = None
    answer: tuple[int, bytes] | None = None
    method: str = "POST"
    body: bytes = b"{}"

    @property
    def total_s(self) -> float:
        """Short where it is what ends the attempt, long where it must not."""
        return 0.4 if self.cause is Cause.TIMEOUT_READ else 20

    @property
    def most_ms(self) -> float:
        return _LATENESS_MS + (self.total_s * 1000 if self.cause is Cause.TIMEOUT_READ else 0)


def _fails(misdeed: Misdeed, cause: Cause, *, body: bytes = b"{}") -> Case:
    return Case(misdeed=misdeed, cause=cause, body=body)


def _answers(misdeed: Misdeed, status: int, body: bytes, *, method: str = "POST") -> Case:
    return Case(misdeed=misdeed, answer=(status, body), method=method)


async def _resets_at_accept(wire: Wire) -> None:
    wire.reset()


async def _closes_at_accept(wire: Wire) -> None:
    wire.close()


async def _resets_after_the_request_line(wire: Wire) -> None:
    await wire.read_line()
    wire.reset()


async def _closes_after_the_request_line(wire: Wire) -> None:
    await wire.read_line()
    wire.close()


async def _resets_while_the_body_comes(wire: Wire) -> None:
    while await wire.read_line() != b"\r\n":
        pass
    wire.reset()


async def _is_silent_from_the_start(wire: Wire) -> None:
    await wire.wait_until_left()


async def _drips_its_head(wire: Wire) -> None:
    await wire.read_request()
    await wire.drip(_HEAD + b"x-slow: " + b"a" * 1000)


async def _drips_its_body(wire: Wire) -> None:
    await wire.read_request()
    await wire.send(_HEAD + b"content-length: 1000\r\n\r\n")
    await wire.drip(b"x" * 1000)


async def _drips_chunks(wire: Wire) -> None:
    await wire.read_request()
    await wire.send(_CHUNKED)
    while True:
        await wire.drip(b"1\r\nx\r\n")


def _pours(head: bytes, rest: bytes) -> Misdeed:
    async def misdeed(wire: Wire) -> None:
        await wire.read_request()
        await wire.send(head)
        await wire.pour(rest)

    return misdeed


_BIG = b"{" + b" " * (8 << 20) + b"}"
_KIB = b"x" * 1024

CASES: dict[str, Case] = {
    # Ends at each stage.
    "reset at accept": _fails(_resets_at_accept, Cause.RESET),
    "close at accept": _fails(_closes_at_accept, Cause.RESET),
    "reset after the request line": _fails(_resets_after_the_request_line, Cause.RESET),
    "close after the request line": _fails(_closes_after_the_request_line, Cause.RESET),
    "reset while the request's body is on its way": _fails(_resets_while_the_body_comes, Cause.RESET, body=_BIG),
    "reset after the request": _fails(answers_with(b"", then="resets"), Cause.RESET),
    "close after the request": _fails(answers_with(b"", then="closes"), Cause.RESET),
    "reset in the head": _fails(answers_with(_HEAD + b"x-a", then="resets"), Cause.RESET),
    "close in the head": _fails(answers_with(_HEAD + b"x-a", then="closes"), Cause.RESET),
    "reset in the body": _fails(answers_with(_HEAD + b"content-length: 9\r\n\r\nab", then="resets"), Cause.RESET),
    "close in the body": _fails(answers_with(_HEAD + b"content-length: 9\r\n\r\nab", then="closes"), Cause.RESET),
    "close in a chunk": _fails(answers_with(_CHUNKED + b"9\r\nab", then="closes"), Cause.RESET),
    "close before the last chunk": _fails(answers_with(_CHUNKED + b"2\r\nab\r\n", then="closes"), Cause.RESET),
    "close after 100": _fails(answers_with(b"HTTP/1.1 100 Continue\r\n\r\n", then="closes"), Cause.RESET),
    # Slow.
    "silence from the start": _fails(_is_silent_from_the_start, Cause.TIMEOUT_READ),
    "silence after the request": _fails(answers_with(b"", then="is silent"), Cause.TIMEOUT_READ),
    "a head that drips": _fails(_drips_its_head, Cause.TIMEOUT_READ),
    "a body that drips": _fails(_drips_its_body, Cause.TIMEOUT_READ),
    "chunks that drip": _fails(_drips_chunks, Cause.TIMEOUT_READ),
    "a body shorter than said": _fails(
        answers_with(_HEAD + b"content-length: 9\r\n\r\nab", then="is silent"), Cause.TIMEOUT_READ
    ),
    "100 and no more": _fails(answers_with(b"HTTP/1.1 100 Continue\r\n\r\n", then="is silent"), Cause.TIMEOUT_READ),
    "endless 100s": _fails(_pours(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), Cause.TIMEOUT_READ),
    "endless 103s": _fails(_pours(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), Cause.TIMEOUT_READ),
    # Large.
    "a header without end": _fails(_pours(_HEAD + b"x-long: ", _KIB), Cause.BODY_TOO_LARGE),
    "headers without end": _fails(_pours(_HEAD, b"x-many: " + _KIB + b"\r\n"), Cause.BODY_TOO_LARGE),
    "a chunk extension without end": _fails(_pours(_CHUNKED + b"2;", _KIB), Cause.BODY_TOO_LARGE),
    "trailers without end": _fails(
        _pours(_CHUNKED + b"2\r\nab\r\n0\r\n", b"x-many: " + _KIB + b"\r\n"), Cause.BODY_TOO_LARGE
    ),
    "a body of a gigabyte": _answers(_pours(_HEAD + b"content-length: 1073741824\r\n\r\n", _KIB), 200, _KIB * 16),
    "chunks without end": _answers(_pours(_CHUNKED, b"400\r\n" + _KIB + b"\r\n"), 200, _KIB * 16),
    "a body without length or end": _answers(_pours(_HEAD + b"\r\n", _KIB), 200, _KIB * 16),
    # What is no HTTP.
    "garbage": _fails(answers_with(b"\x00\xff\x80 nothing of the kind\r\n\r\n"), Cause.PROTOCOL),
    "another protocol": _fails(answers_with(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), Cause.PROTOCOL),
    "HTTP/0.9": _fails(answers_with(b"<html>\r\n\r\nhello</html>\r\n", then="closes"), Cause.PROTOCOL),
    "another version": _fails(answers_with(b"HTTP/3 200 OK\r\n\r\n"), Cause.PROTOCOL),
    "status 099": _fails(answers_with(b"HTTP/1.1 099 Odd\r\ncontent-length: 0\r\n\r\n"), Cause.PROTOCOL),
    "status 20": _fails(answers_with(b"HTTP/1.1 20 Odd\r\ncontent-length: 0\r\n\r\n"), Cause.PROTOCOL),
    "101": _fails(answers_with(b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), Cause.PROTOCOL),
    "a header without a colon": _fails(answers_with(_HEAD + b"nonsense\r\ncontent-length: 0\r\n\r\n"), Cause.PROTOCOL),
    "a zero byte in a header": _fails(answers_with(_HEAD + b"x: a\0b\r\ncontent-length: 0\r\n\r\n"), Cause.PROTOCOL),
    "a length that is no number": _fails(answers_with(_HEAD + b"content-length: many\r\n\r\n"), Cause.PROTOCOL),
    "a negative length": _fails(answers_with(_HEAD + b"content-length: -2\r\n\r\nok"), Cause.PROTOCOL),
    "two lengths": _fails(answers_with(_HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nokk"), Cause.PROTOCOL),
    "a chunk size that is no number": _fails(answers_with(_CHUNKED + b"zz\r\nab\r\n0\r\n\r\n"), Cause.PROTOCOL),
    "a chunk size beyond all numbers": _fails(answers_with(_CHUNKED + b"F" * 40 + b"\r\nab\r\n"), Cause.PROTOCOL),
    "a chunk longer than said": _fails(answers_with(_CHUNKED + b"2\r\nabcd\r\n0\r\n\r\n"), Cause.PROTOCOL),
    # Odd, and an answer all the same.
    "100, 102 and 103 first": _answers(
        answers_with(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + _HEAD + b"content-length: 2\r\n\r\nok"
        ),
        200,
        b"ok",
    ),
    "bare line feeds": _answers(answers_with(b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok"), 200, b"ok"),
    "HTTP/1.0": _answers(answers_with(b"HTTP/1.0 200 OK\r\n\r\nok", then="closes"), 200, b"ok"),
    "no reason phrase": _answers(answers_with(b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok"), 200, b"ok"),
    "a length and chunks": _answers(
        answers_with(_HEAD + b"content-length: 99\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        200,
        b"ok",
    ),
    "a body longer than said": _answers(answers_with(_HEAD + b"content-length: 2\r\n\r\nok, and more"), 200, b"ok"),
    "two answers in one packet": _answers(answers_with((_HEAD + b"content-length: 2\r\n\r\nok") * 2), 200, b"ok"),
    "a second answer unasked": _answers(
        answers_with(_HEAD + b"content-length: 0\r\n\r\nHTTP/1.1 500 Smuggled\r\ncontent-length: 0\r\n\r\n"), 200, b""
    ),
    "204 with a body": _answers(answers_with(b"HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\nhello"), 204, b""),
    "304 with a length": _answers(answers_with(b"HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\n"), 304, b""),
    "HEAD with a length": _answers(answers_with(_HEAD + b"content-length: 1000\r\n\r\n"), 200, b"", method="HEAD"),
    "OPTIONS": _answers(answers_with(_HEAD + b"content-length: 2\r\n\r\nok"), 200, b"ok", method="OPTIONS"),
    "a broken gzip body": _answers(
        answers_with(_HEAD + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"), 200, b"nope"
    ),
}


@pytest.fixture
async def sender(transport: MakeTransport) -> Transport:
    return transport()


async def _send(sender: Transport, request: Request) -> Outcome:
    async with asyncio.timeout(request.total_timeout_s + 5):
        return await sender.send(request)


def _memory_bytes() -> int:
    """What this process has in memory now, the library's own included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("name", CASES)
async def test_a_misdeed_is_a_value_and_leaves_nothing_behind(
    name: str, kind: TransportKind, sender: Transport, stack: AsyncExitStack
) -> None:
    case = CASES[name]
    there = await stack.enter_async_context(MisbehavingReceiver(case.misdeed))
    tasks, memory_bytes = asyncio.all_tasks(), _memory_bytes()
    request = make_request(there.url, method=case.method, body=case.body, total_timeout_s=case.total_s)

    outcome = await _send(sender, request)

    assert outcome.total_ms < case.most_ms
    if case.answer is None:
        assert failed(outcome).cause is case.cause
    else:
        response = answered(outcome)
        assert (response.status, response.body) == case.answer
        assert response.body_truncated is (len(response.body) == RESPONSE_BODY_CAP_BYTES)
    assert _memory_bytes() - memory_bytes < _MEMORY_BYTES
    there.misdeed = None
    again = answered(await _send(sender, make_request(there.url)))
    assert (again.status, again.body) == (202, b"well")
    assert there.connections_opened <= 2, (
        "one for each request at most: what failed on a new connection is not repeated"
    )
    assert asyncio.all_tasks() - there.tasks <= tasks
    await sender.aclose()
    await there.wait_until_unconnected()
