"""HTTP receivers on loopback that behave as the world does: one port each, one habit each, and an honest count.

Each is a real HTTP/1.1 server with keep-alive that checks the Standard Webhooks signature by itself, so that what it
counts is evidence about the sender. Chance comes from one seed, a generator for each receiver: for the same requests
in the same order a receiver gives the same answers.
"""

import asyncio
import base64
import hmac
import json
import math
import random
import socket
import struct
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self, assert_never, cast

from console.domain.clock import Clock, SystemClock

HEAD_CAP_BYTES = 64 * 1024
BODY_CAP_BYTES = 4 * 1024 * 1024
TIMESTAMP_TOLERANCE_S = 300
"""How far a signature's timestamp may be from now, as Standard Webhooks advises."""
RATE_LIMIT_PER_S = 5.0
RATE_LIMIT_BURST = 10
FLAKY_SHARE = 0.3
RESET_SHARE = 0.35


class Behaviour(StrEnum):
    """How a receiver misbehaves."""

    HEALTHY = "healthy"
    SLOW = "slow"
    FLAKY = "flaky"
    RATE_LIMITED = "rate_limited"
    DOWN = "down"
    GONE = "gone"
    REDIRECTING = "redirecting"
    RESETTING = "resetting"
    PICKY = "picky"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSpec:
    """All that is needed to register a receiver as an endpoint."""

    name: str
    url: str
    behaviour: Behaviour
    secret: str = field(repr=False)
    """`whsec_` and base64."""
    types: tuple[str, ...]
    """Patterns of the event types it wants."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverCounts:
    """What one receiver has seen since it started."""

    requests: int
    answers: dict[str, int]
    """By status, and `reset`, and `abandoned` where the sender hung up before the answer."""
    events: int
    """Distinct webhook-ids among the requests with a good signature."""
    duplicates: int
    """Requests for an event that this receiver had accepted before, whether or not the sender waited to hear so."""


class _Role(NamedTuple):
    name: str
    behaviour: Behaviour
    types: tuple[str, ...]
    description: str


CAST = (
    _Role("crm", Behaviour.HEALTHY, ("lead.*", "meeting.*", "payment.*"), "Customer records; answers in milliseconds"),
    _Role("warehouse", Behaviour.HEALTHY, ("*",), "Analytics; takes every event there is"),
    _Role(
        "mailer",
        Behaviour.SLOW,
        ("email.*", "lead.created", "payment.succeeded"),
        "Sends mail before it answers: 0.3 to 2.5 seconds",
    ),
    _Role(
        "provisioning",
        Behaviour.FLAKY,
        ("payment.*", "subscription.*"),
        "Opens and closes accounts; fails three times in ten",
    ),
    _Role(
        "slack",
        Behaviour.RATE_LIMITED,
        ("lead.created", "meeting.booked", "payment.failed"),
        "Chat alerts; 429 with Retry-After above 5 a second",
    ),
    _Role(
        "bookkeeping",
        Behaviour.PICKY,
        ("invoice.*", "payment.succeeded"),
        "Ledger; 422 for a currency that it does not keep",
    ),
    _Role("fraud-check", Behaviour.RESETTING, ("payment.*", "order.*"), "Risk scores; drops one connection in three"),
    _Role("legacy-erp", Behaviour.DOWN, ("invoice.*",), "Old accounting host; nothing listens there"),
    _Role("billing-v1", Behaviour.REDIRECTING, ("invoice.*", "subscription.*"), "Moved for good: 301 to a new address"),
    _Role("old-partner", Behaviour.GONE, ("lead.*", "order.*"), "Ended its contract: 410 Gone"),
)
"""The demo's receivers, in the order in which they are shown."""


def signature_fault(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> str | None:
    """Why a request is not to be trusted by Standard Webhooks (symmetric, `v1`), or None when it is.

    Header names in lower case, values decoded as latin-1. Never raises for what a sender wrote.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not (message_id and timestamp and signatures):
        return "webhook-id, webhook-timestamp and webhook-signature are required"
    if not (timestamp.isdecimal() and len(timestamp) <= 12):
        return "webhook-timestamp is not in whole seconds"
    if abs(now_s - int(timestamp)) > TIMESTAMP_TOLERANCE_S:
        return "webhook-timestamp is more than 5 minutes away"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode("latin-1") + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    if any(hmac.compare_digest(given.encode("latin-1"), expected) for given in signatures.split(" ")):
        return None
    return "no matching signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reset:
    delay_s: float


def _json(status: int, value: object, *, delay_s: float, headers: tuple[tuple[str, str], ...] = ()) -> _Answer:
    return _Answer(status=status, body=json.dumps(value).encode(), delay_s=delay_s, headers=headers)


def _html(status: int, *, delay_s: float, headers: tuple[tuple[str, str], ...] = ()) -> _Answer:
    """The error page of a proxy, as operators meet it."""
    title = f"{status} {HTTPStatus(status).phrase}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n"
    )
    return _Answer(status=status, body=page.encode(), content_type="text/html", headers=headers, delay_s=delay_s)


class TokenBucket:
    """Grants `rate_per_s` on average and `burst` at once."""

    def __init__(self, rate_per_s: float, burst: int, now_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = float(burst)
        self._filled_s = now_s

    def take(self, now_s: float) -> float:
        """Take a token: 0.0 when there was one, else the seconds until there will be."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._rate_per_s)
        self._filled_s = now_s
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate_per_s


UNKEPT_CURRENCIES = frozenset({"JPY", "BRL"})
"""What the picky receiver answers 422 to."""


def _refused_field(value: object) -> tuple[str, str] | None:
    """Path and value of the first currency in a JSON value that the picky receiver does not keep.

    Searched for, so that it is found in a bare payload and in an envelope alike; breadth first and without recursion,
    so that a payload nested a thousand deep is no trouble.
    """
    waiting: deque[tuple[str, object]] = deque([("", value)])
    while waiting:
        path, here = waiting.popleft()
        if isinstance(here, dict):
            currency = here.get("currency")
            if isinstance(currency, str) and currency in UNKEPT_CURRENCIES:
                return f"{path}currency", currency
            waiting.extend((f"{path}{key}.", inner) for key, inner in here.items())
        elif isinstance(here, list):
            waiting.extend((f"{path}{index}.", inner) for index, inner in enumerate(here))
    return None


class _Receiver:
    """One receiver's mind: decides what a request is answered and keeps the count. Touches no socket."""

    def __init__(self, spec: ReceiverSpec, rng: random.Random, clock: Clock) -> None:
        self.spec = spec
        self._rng = rng
        self._clock = clock
        self._bucket = TokenBucket(RATE_LIMIT_PER_S, RATE_LIMIT_BURST, clock.monotonic_s())
        self._requests = 0
        self._answers: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._accepted: set[str] = set()
        self._duplicates = 0

    def counts(self) -> ReceiverCounts:
        return ReceiverCounts(
            requests=self._requests,
            answers=dict(self._answers),
            events=len(self._seen),
            duplicates=self._duplicates,
        )

    def answered(self, what: str) -> None:
        self._answers[what] += 1

    def decide(self, headers: Mapping[str, str], body: bytes) -> _Answer | _Reset:
        self._requests += 1
        fault = signature_fault(self.spec.secret, headers, body, self._clock.now_ms() / 1000)
        if fault is not None:
            return _json(401, {"error": "unauthorized", "message": fault}, delay_s=0.001)
        event_id = headers["webhook-id"]
        self._seen.add(event_id)
        self._duplicates += event_id in self._accepted
        decision = self._behave(body)
        if isinstance(decision, _Answer) and decision.status < 300:
            self._accepted.add(event_id)
        return decision

    def _behave(self, body: bytes) -> _Answer | _Reset:
        quick_s = self._rng.uniform(0.002, 0.020)
        match self.spec.behaviour:
            case Behaviour.HEALTHY | Behaviour.DOWN:
                return self._accept(quick_s)
            case Behaviour.SLOW:
                # Most near half a second, about one in eighteen past a timeout of 2 s.
                return self._accept(self._rng.triangular(0.3, 2.5, 0.5))
            case Behaviour.FLAKY:
                return self._stumble(quick_s) if self._rng.random() < FLAKY_SHARE else self._accept(quick_s)
            case Behaviour.RATE_LIMITED:
                return self._limit(quick_s)
            case Behaviour.GONE:
                return _json(410, {"error": "gone", "message": "This integration was removed."}, delay_s=quick_s)
            case Behaviour.REDIRECTING:
                location = ("location", "https://billing.example.com/v2/webhooks")
                return _html(301, delay_s=quick_s, headers=(location,))
            case Behaviour.RESETTING:
                return _Reset(delay_s=quick_s) if self._rng.random() < RESET_SHARE else self._accept(quick_s)
            case Behaviour.PICKY:
                return self._read_closely(body, quick_s)
            case _ as never:
                assert_never(never)

    def _accept(self, delay_s: float) -> _Answer:
        request_id = ("x-request-id", f"{self._rng.getrandbits(64):016x}")
        return _json(200, {"received": True}, delay_s=delay_s, headers=(request_id,))

    def _stumble(self, delay_s: float) -> _Answer:
        request_id = f"{self._rng.getrandbits(64):016x}"
        match self._rng.choice((500, 502, 503)):
            case 502:
                return _html(502, delay_s=delay_s)
            case 503:
                error: object = {"error": {"code": "overloaded", "message": "No worker is free. Try again shortly."}}
                return _json(503, error, delay_s=delay_s, headers=(("retry-after", "2"),))
            case _:
                error = {
                    "error": {
                        "code": "internal_error",
                        "message": "deadlock detected while updating table accounts",
                        "request_id": request_id,
                    }
                }
                return _json(500, error, delay_s=delay_s, headers=(("x-request-id", request_id),))

    def _limit(self, delay_s: float) -> _Answer:
        wait_s = self._bucket.take(self._clock.monotonic_s())
        if not wait_s:
            return self._accept(delay_s)
        retry_after = ("retry-after", str(math.ceil(wait_s)))
        return _json(429, {"ok": False, "error": "ratelimited"}, delay_s=delay_s, headers=(retry_after,))

    def _read_closely(self, body: bytes, delay_s: float) -> _Answer:
        try:
            refused = _refused_field(json.loads(body))
        except (ValueError, RecursionError):
            return _json(400, {"error": "bad_request", "message": "The body is not JSON."}, delay_s=delay_s)
        if refused is None:
            return self._accept(delay_s)
        path, currency = refused
        error = {
            "type": "validation_error",
            "errors": [{"field": path, "code": "unsupported", "message": f"No ledger is kept in {currency}."}],
        }
        return _json(422, error, delay_s=delay_s)


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

    def __init__(self, receiver: _Receiver, open_connections: "_OpenConnections") -> None:
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
            self._write(_html(request, delay_s=0.0), keep_alive=False)

    def _carry_out(self, decision: _Answer | _Reset, keep_alive: bool) -> None:
        self._answering = None
        if isinstance(decision, _Reset):
            self._receiver.answered("reset")
            # Lingering for no time makes the close an RST in place of a FIN.
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.abort()
            return
        self._receiver.answered(str(decision.status))
        self._write(decision, keep_alive=keep_alive)
        self._next_request()

    def _write(self, answer: _Answer, *, keep_alive: bool) -> None:
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
        self._receivers: list[_Receiver] = []
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

    async def _open(self, role: _Role, stack: AsyncExitStack) -> None:
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
        receiver = _Receiver(spec, rng, self._clock)
        self._receivers.append(receiver)
        if role.behaviour is Behaviour.DOWN:
            return  # bound and never listening: refused, and the port cannot pass to another program meanwhile
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(receiver, self._open_connections), sock=listener, backlog=512
        )
        stack.callback(server.close)
