"""SIGTERM and SIGINT from the moment that others can know of an engine to the end of its process."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

_ASKING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """While the block runs a signal asks the engine to end; one that comes before it can be told is kept for it.

    Once the block has ended in order they are ignored: nothing is left to end, and the exit code stays 0. In the main
    thread only.
    """

    def __init__(self) -> None:
        self._asked: str | None = None
        self._tell: Callable[[str], object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self.come) for number in _ASKING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_IGN if kind is None else before)

    @contextmanager
    def telling(self, stop: Callable[[str], None]) -> Iterator[None]:
        """`stop` is called in the running loop with the name of each signal that comes, or has come already."""
        loop = asyncio.get_running_loop()
        self._tell = lambda name: loop.call_soon_threadsafe(stop, name)
        try:
            if self._asked is not None:
                stop(self._asked)
            yield
        finally:
            self._tell = None

    def come(self, number: int, frame: FrameType | None = None) -> None:
        """A signal is there: the handler of each."""
        self._asked = signal.Signals(number).name
        if self._tell is not None:
            self._tell(self._asked)
