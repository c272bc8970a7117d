"""Endpoints that do not take what they are owed: where nobody listens, and where nobody answers."""

import socket
from types import TracebackType
from typing import Self


class Unheard:
    """An address that refuses connections, and one that takes them and never answers, while the block runs."""

    def __enter__(self) -> Self:
        self._bound, self._listening = socket.socket(), socket.socket()
        self._bound.bind(("127.0.0.1", 0))  # and no listen: refused, and nobody else can take it
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(4096)  # the kernel accepts for us
        self.refusing = f"http://127.0.0.1:{self._bound.getsockname()[1]}/hook"
        self.hanging = f"http://127.0.0.1:{self._listening.getsockname()[1]}/hook"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bound.close()
        self._listening.close()
