"""What others' APIs are, as far as a recipe knows: they take requests, and answer as they do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_S = 30.0
_ANSWERS = {"/discord": 204, "/teams": 202}
"""Others answer 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    """By name, in lower case."""
    body: bytes


class Receiver:
    """Keeps what comes, by path."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self._received: list[Received] = []
        self._came = threading.Condition()

    def keep(self, one: Received) -> None:
        with self._came:
            self._received.append(one)
            self._came.notify_all()

    def take(self, count: int) -> list[Received]:
        """So many requests, once they are there, sorted by path; and no more than these."""
        with self._came:
            assert self._came.wait_for(lambda: len(self._received) >= count, HANG_S), self._received
            taken, self._received = self._received, []
        assert len(taken) == count, taken
        return sorted(taken, key=lambda one: one.path)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.keep(Received(method=self.command, path=self.path, headers=headers, body=body))
            self.send_response(_ANSWERS.get(self.path, 200))
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_PUT = do_PATCH = _take

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver = Receiver(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
