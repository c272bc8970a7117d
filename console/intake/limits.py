"""The HTTP protocol of the server, with limits on what a client may send and on how long that may take."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from console.intake.problems import Problem
from console.intake.settings import IntakeSettings

URL_MOST_BYTES = 8 * 1024


class _RefusedError(Exception):
    """A request's head is not taken."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `Server` looks now and then for those that take too long.

    The parser calls `on_…` as parts of a request arrive; what is raised there ends in `send_400_response`.
    """

    settings: IntakeSettings
    """Given by a subclass that is made for one server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._since_s: float | None = self.loop.time()
        """When the request that is read or answered began; the connection itself, before its first."""
        self._whole = False
        """It was received whole."""
        self._in_head = True
        self._read_bytes = self._head_bytes = self._count = 0
        self._told = False
        """What was read ended a head, was part of a body, or ended one."""
        self._problem: Problem | None = None

    def connection_made(self, transport: Any) -> None:  # asyncio's own type is narrower than uvicorn's
        super().connection_made(transport)
        if len(self.connections) > self.settings.max_connections:
            self._problem = Problem(503, "too many connections: come back later", retry_after_s=1)
            self.send_400_response("")

    def data_received(self, data: bytes) -> None:
        if self._since_s is None:
            self._since_s = self.loop.time()
        self._told = False
        super().data_received(data)
        if not self._told and not self.transport.is_closing():
            # Fields are counted when they are whole, which one that never ends is not, before a body or behind it.
            self._read_bytes += len(data)
            if self._read_bytes > self.settings.max_head_bytes:
                self._problem = Problem(431, self._head_words())
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._whole = True, False
        self._read_bytes = self._head_bytes = self._count = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_MOST_BYTES:
            self._problem = Problem(414, f"a URL of more than {URL_MOST_BYTES:,} bytes")
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind a body is dropped: it would be taken for what a proxy has put before it.
        if self._in_head:
            super().on_header(name, value)
        self._count += 1
        self._head_bytes += len(name) + len(value)
        if self._count > self.settings.max_headers or self._head_bytes > self.settings.max_head_bytes:
            self._problem = Problem(431, self._head_words())
            raise _RefusedError

    def on_headers_complete(self) -> None:
        self._in_head, self._told = False, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._told, self._read_bytes = True, 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._whole = self._told = True
        if self.cycle is None or self.cycle.response_complete:
            self._since_s = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._whole:
            self._since_s = None

    def send_400_response(self, msg: str) -> None:
        problem = self._problem or Problem(400, msg or "this is not HTTP")
        head = [*self.server_state.default_headers, *problem.headers, (b"content-length", b"%d" % len(problem.body))]
        fields = b"".join(name + b": " + value + b"\r\n" for name, value in head)
        self.transport.write(STATUS_LINE[problem.status] + fields + b"connection: close\r\n\r\n" + problem.body)
        self.transport.close()

    def end_if_late(self, now_s: float) -> None:
        """Cut the connection when its request takes too long."""
        if self._since_s is None:
            return
        most_s = self.settings.answer_s if self._whole else self.settings.request_s
        if now_s - self._since_s > most_s:
            self.transport.abort()

    def _head_words(self) -> str:
        most = self.settings
        return f"more than {most.max_headers} header fields, or {most.max_head_bytes:,} bytes of them"
