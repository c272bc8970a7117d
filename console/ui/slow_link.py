"""A terminal that takes less than is painted: its writes are measured, and painting waits for them.

Textual hands each frame to a thread through a queue of 30; a full queue blocks the loop, and with it every key. Here no
frame is made while an earlier one is still on its way: what changes meanwhile is painted once, as it is by then. So a
line of 2 KB/s shows what is, not what was, and one that stops for a while is painted when it goes on.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, TextIO

from console.ui.keyboard import PromptDriver

if TYPE_CHECKING:
    from textual.app import App

BEHIND_S = 0.05
"""A frame that takes longer than this to be written is waited for."""

SLOW_S = 0.15
"""A line on which a frame takes longer than this is said to be slow."""

LONGEST_PAUSE_S = 1.0
"""Between two frames the line is left free for as long as the last one took, at most this long: keys are to be
answered between."""

SAID_FOR_S = 3.0
"""How long after the last slow frame it is still said."""


class Link:
    """What the writes of one terminal say of it. Methods may be called from any thread."""

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._now_s = now_s
        self._lock = Lock()
        self._pending = 0
        self._since_s = 0.0
        self._took_s = 0.0
        self._slow_at_s = float("-inf")

    def queued(self) -> None:
        """Something is to be written."""
        with self._lock:
            if not self._pending:
                self._since_s = self._now_s()
            self._pending += 1

    def written(self) -> float | None:
        """Something was. Returns how long all that was queued took, when nothing is left of it."""
        with self._lock:
            self._pending = max(0, self._pending - 1)
            if self._pending:
                return None
            now_s = self._now_s()
            self._took_s = now_s - self._since_s
            if self._took_s >= SLOW_S:
                self._slow_at_s = now_s
            return self._took_s

    @property
    def is_behind(self) -> bool:
        """Whether something has been waiting to be written for too long."""
        with self._lock:
            return self._pending > 0 and self._now_s() - self._since_s > BEHIND_S

    @property
    def is_free(self) -> bool:
        """Whether nothing waits to be written."""
        with self._lock:
            return not self._pending

    @property
    def pause_s(self) -> float:
        """How long to leave the line free after what was last written."""
        with self._lock:
            return min(self._took_s, LONGEST_PAUSE_S) if self._took_s > BEHIND_S else 0.0

    @property
    def words(self) -> str:
        """`▼ slow link, 2/s` while it is; else empty."""
        with self._lock:
            now_s = self._now_s()
            waited_s = now_s - self._since_s if self._pending else 0.0
            if waited_s < SLOW_S and now_s - self._slow_at_s > SAID_FOR_S:
                return ""
            took_s = max(self._took_s, waited_s)
        each_s = max(took_s, SLOW_S) + min(took_s, LONGEST_PAUSE_S)
        return f"▼ slow link, {1 / each_s:.0f}/s" if each_s < 1 else f"▼ slow link, every {each_s:.0f}s"


class _Metered:
    """A stream whose writes are told to a link."""

    def __init__(self, stream: TextIO, link: Link, drained: Callable[[], object]) -> None:
        self._stream, self._link, self._drained = stream, link, drained

    def write(self, text: str) -> int:
        count = self._stream.write(text)
        self._stream.flush()
        if self._link.written() is not None:
            self._drained()
        return count

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()


class PacedDriver(PromptDriver):
    """A driver that has the app paint no more than the terminal takes."""

    def __init__(self, app: "App[Any]", **given: Any) -> None:
        super().__init__(app, **given)
        self.link = Link()
        self._held = False
        assert self._file is not None
        self._file = _Metered(self._file, self.link, self._drained)  # type: ignore[assignment]  # all that is used of it

    def write(self, data: str) -> None:
        self.link.queued()
        super().write(data)
        if self.link.is_behind and not self._held:
            self._held = True
            self._app._begin_batch()
            if self.link.is_free:
                self._go_on_soon()  # it was written just before it was held for

    def _drained(self) -> None:
        """On the writing thread: all that was painted is out."""
        if self._held and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._go_on_soon)

    def _go_on_soon(self) -> None:
        if self._held:
            self._loop.call_later(self.link.pause_s, self._go_on)

    def _go_on(self) -> None:
        if self._held and not self.link.is_behind:
            self._held = False
            self._app._end_batch()
            self._app.screen.check_idle()  # has it look for what is to be painted
