"""What every request meets first: limits on its body, the fast path, errors in one form, and counting.

Events are posted here and not through the framework, whose routing and injection cost more than keeping the event does;
the route that it documents for them does the same, and is what this stands in for.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any

from console.domain.loops import HOPS_HEADER, VIA_HEADER
from console.domain.outcome import Headers
from console.domain.token import Scope, Token
from console.intake.desk import Desk
from console.intake.inbound_http import INBOUND_MOST_BYTES, take_inbound
from console.intake.posting import post_events
from console.intake.problems import Header, Problem, problem_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

_WAY = frozenset({HOPS_HEADER.encode(), VIA_HEADER.encode()})

EVENTS_PATH, INBOUND_PATH = "/v1/events", "/in/"


class Front:
    """The ASGI application of the server."""

    def __init__(self, desk: Desk, inner: Application) -> None:
        self._desk, self._inner = desk, inner

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        head = Head(scope["headers"])
        started = False

        async def counted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._desk.answered[message["status"]] += 1
            await send(message)

        try:
            if scope["path"] == EVENTS_PATH and scope["method"] == "POST":
                await self._post(head, receive, counted)
            elif scope["path"].startswith(INBOUND_PATH):
                read = partial(self._body, head, receive, most=INBOUND_MOST_BYTES)
                await take_inbound(self._desk.inbound, self._desk.clock, scope, read, counted)
            else:
                head.check_length(self._desk.settings.max_body_bytes)
                await self._inner(scope, self._limited(receive), counted)
        except ClientGoneError:
            return
        except Exception as error:  # the root of a request: a client never sees a traceback
            if not started:
                await self._answer_problem(self.problem(error), counted)

    async def _post(self, head: "Head", receive: Receive, send: Send) -> None:
        token = self.enter(head, Scope.EVENTS_WRITE)
        body = await self._body(head, receive)
        if head.encoding not in (b"", b"identity"):
            raise Problem(415, "content encoding: the body is taken as it is, and not compressed")
        key = None if head.key is None else head.key.decode("latin-1")
        answer, fields = await post_events(
            self._desk, token, body=body, content_type=head.content_type.decode("latin-1"), key=key, way=head.way
        )
        await respond(send, 202, fields, answer)

    def enter(self, head: "Head", scope: Scope | None) -> Token:
        """Raises Problem without a token that is good for this."""
        given = head.authorization
        return self._desk.gate.enter(None if given is None else given.decode("latin-1"), scope)

    def problem(self, error: Exception) -> Problem:
        """What the caller is told of an error; what is none of ours is logged."""
        known = problem_of(error)
        if known is None:
            self._desk.log.error("request failed", error=f"{type(error).__name__}: {error}")
            return Problem(500, "an internal error: the log of the engine has more")
        if known.status == 503 and known is not error:
            self._desk.log.warning("request refused", error=str(error))
        return known

    async def _answer_problem(self, problem: Problem, send: Send) -> None:
        await respond(send, problem.status, problem.headers, problem.body)

    async def _body(self, head: "Head", receive: Receive, *, most: int | None = None) -> bytes:
        """The body, as far as it may go. Raises Problem, ClientGoneError."""
        most = min(most or self._desk.settings.max_body_bytes, self._desk.settings.max_body_bytes)
        head.check_length(most)
        message = await receive()
        if not message.get("more_body") and message["type"] == "http.request":
            body: bytes = message.get("body", b"")
            if len(body) > most:
                raise too_large(most)
            return body
        parts, size = [], 0
        while True:
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            part = message.get("body", b"")
            size += len(part)
            if size > most:
                raise too_large(most)
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)
            message = await receive()

    def _limited(self, receive: Receive) -> Receive:
        """For the framework, which reads bodies by itself."""
        most, size = self._desk.settings.max_body_bytes, 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise too_large(most)
            return message

        return limited


class ClientGoneError(Exception):
    """Whoever asked has closed the connection."""


class Head:
    """The header fields that matter here; names are in lower case, the first of several counts."""

    __slots__ = ("authorization", "content_type", "encoding", "key", "length", "way")

    def __init__(self, headers: Iterable[Header]) -> None:
        self.authorization: bytes | None = None
        self.key: bytes | None = None
        self.content_type, self.encoding, self.length = b"", b"", b""
        self.way: Headers = ()
        """Which way what is posted has come; most of the time it comes from where it happened."""
        for name, value in headers:
            if name == b"authorization":
                self.authorization = self.authorization or value
            elif name == b"content-type":
                self.content_type = self.content_type or value
            elif name == b"content-length":
                self.length = value
            elif name == b"idempotency-key":
                self.key = value if self.key is None else self.key
            elif name == b"content-encoding":
                self.encoding = value.strip().lower()
            elif name in _WAY:
                self.way += ((name.decode("latin-1"), value.decode("latin-1")),)

    def check_length(self, most_bytes: int) -> None:
        """Raises Problem when the request says itself that it is too large."""
        if self.length.isdigit() and int(self.length) > most_bytes:
            raise too_large(most_bytes)


def too_large(most_bytes: int) -> Problem:
    """Above --max-body."""
    return Problem(413, f"a body of more than {most_bytes:,} bytes is not taken")


async def respond(send: Send, status: int, fields: list[Header], body: bytes) -> None:
    """Answer whole."""
    head = [*fields, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
