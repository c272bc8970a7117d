"""A program in a pseudo-terminal, seen as a person at the terminal sees it: a screen, keys, and what it costs.

Linux only (/proc). A thread reads what the program writes and notes when it came; the emulator (pyte) is fed by whoever
waits, so that its slowness is not taken for the program's.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

NAMED_KEYS = {
    "enter": "\r", "tab": "\t", "shift-tab": "\x1b[Z", "esc": "\x1b", "space": " ", "backspace": "\x7f",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
    "home": "\x1b[H", "end": "\x1b[F", "pgup": "\x1b[5~", "pgdn": "\x1b[6~", "f1": "\x1bOP",
}  # fmt: skip

GUARD_S = 30.0
"""How long to wait for what should come at once, on a machine that is busy with other things."""

# What pyte takes for text: CSI with the markers < and =, and strings that are neither OSC nor title.
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<=>][0-9;]*[A-Za-z]|\x1b\[\?[0-9;]*\$p|\x1b[_P^X][^\x1b]*\x1b\\")
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[_P^X\]][^\x07\x1b]*\x1b?)?\Z")
_PRIVATE_MODES = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_KEYBOARD_MODES = re.compile(rb"\x1b\[([<>])[0-9]*u")

# /bin/sh opens the terminal, which makes it the controlling one of the session that it leads, and becomes the program.
_INTO_TERMINAL = 'exec 0<>"$0" 1>&0 2>&0; exec "$@"'


def key_bytes(key: str) -> bytes:
    """What a terminal sends for a key: a name above, `ctrl-X`, or text as it is."""
    if key.startswith("ctrl-") and len(key) == 6:
        return bytes([ord(key[5].upper()) - 64])
    return NAMED_KEYS.get(key, key).encode()


def process_tree(pid: int) -> list[int]:
    """A process and all that descend from it, as far as they have not been orphaned."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(current := waiting.pop())
        waiting += children.get(current, [])
    return found


def processes_with(variable: str, value: str) -> list[int]:
    """Every process whose environment has this variable with this value: a mark that also orphans carry."""
    wanted, found = f"{variable}={value}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # A process that has ended and was not waited for has no environment any more.
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def plain_environment(home: Path, **given: str) -> dict[str, str]:
    """An environment that owes nothing to who runs the tests: a home of its own, UTF-8, true colour."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "USER": "operator",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        **given,
    }


class ScreenTimeoutError(AssertionError):
    """The screen did not come to show what was waited for; the message has what it showed."""


class Terminal:
    """Runs a program in a pseudo-terminal of `columns` × `rows` until the block ends.

    Args:
        environment: the whole of it.
        folder: where the program stands; None: where this process does.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int,
        rows: int,
        environment: Mapping[str, str],
        folder: Path | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._held_back = b""
        self.raw = bytearray()
        """Every byte that the program has written."""
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._came = threading.Condition()
        self._stalled, self._ending, self._drained = threading.Event(), threading.Event(), threading.Event()
        # The test's own hold on the terminal keeps what was written readable after the program has ended.
        self._master, self._slave = os.openpty()
        self.resize(columns, rows)
        self.modes_before = self.modes()
        device = os.ttyname(self._slave)
        self.started_s = time.perf_counter()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", _INTO_TERMINAL, device, *command],
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, name="terminal-reader", daemon=True)
        self._reader.start()

    # Life

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.hang_up()
        os.close(self._slave)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for_end(self, *, timeout_s: float = GUARD_S) -> int:
        """The exit status, once the program has ended and all that it wrote has been read. Negative: a signal's."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ScreenTimeoutError(f"still running after {timeout_s:g} s\n{self.picture()}") from None
        if not self._stalled.is_set():
            self._drained.clear()
            self._drained.wait(5)
            self._feed_all()
        return status

    def signal(self, number: signal.Signals) -> None:
        """To the program alone."""
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """The line drops: what sshd does when its client is gone."""
        if not self._ending.is_set():
            self._ending.set()
            self._stalled.clear()
            self._reader.join(10)
            os.close(self._master)

    def resize(self, columns: int, rows: int) -> None:
        """The window's size, as the terminal reports it."""
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if (self.screen.lines, self.screen.columns) != (rows, columns):
            self.screen.resize(rows, columns)

    # Seeing

    def text(self) -> str:
        """The screen, lines joined by newlines, as of the bytes that have come."""
        self._feed_all()
        return self._text()

    def picture(self) -> str:
        """The screen for a message about a failure."""
        self._feed_all()
        return "\n".join(f"│{line}│" for line in self.screen.display)

    def wait_for(self, pattern: str, *, timeout_s: float = GUARD_S) -> float:
        """When the bytes came that made the screen match, in seconds of time.perf_counter.

        Now, when it matches already. Raises ScreenTimeoutError.
        """
        return self._wait(re.compile(pattern, re.S), present=True, timeout_s=timeout_s)

    def wait_until_gone(self, pattern: str, *, timeout_s: float = GUARD_S) -> float:
        """As `wait_for`, until the screen does not match any more."""
        return self._wait(re.compile(pattern, re.S), present=False, timeout_s=timeout_s)

    def modes(self) -> list[Any]:
        """The terminal's settings (termios)."""
        return termios.tcgetattr(self._slave)

    def modes_left_on(self) -> set[str]:
        """Private modes that the program has switched from what a terminal starts with, and not back."""
        on: set[str] = set()
        for match in _PRIVATE_MODES.finditer(self.raw):
            for mode in match[1].decode().split(";"):
                usually_on = mode in ("7", "25")
                (on.discard if (match[2] == b"h") is usually_on else on.add)(mode)
        pushed = sum(1 if match[1] == b">" else -1 for match in _KEYBOARD_MODES.finditer(self.raw))
        return on | ({"keyboard protocol"} if pushed > 0 else set())

    # Keys

    def press(self, *keys: str) -> float:
        """Send keys. Returns when the last was sent, in seconds of time.perf_counter."""
        sent_s = 0.0
        for key in keys:
            sent_s = time.perf_counter()
            os.write(self._master, key_bytes(key))
        return sent_s

    # A terminal that does not read

    def stall(self) -> None:
        """Read no more, as a client whose network is gone."""
        self._stalled.set()

    def go_on(self) -> None:
        """Read again."""
        self._stalled.clear()

    def unread_bytes(self) -> int:
        """What waits to be read."""
        return int(struct.unpack("i", fcntl.ioctl(self._master, termios.FIONREAD, b"\0" * 4))[0])

    # Cost

    def usage(self) -> tuple[float, float]:
        """Processor seconds so far and resident MiB now, of the program and its descendants."""
        cpu_ticks, pages = 0, 0
        for pid in process_tree(self.pid):
            if fields := _stat(pid):
                cpu_ticks += int(fields[11]) + int(fields[12])
                pages += int(fields[21])
        return cpu_ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    # Inside

    def _read(self) -> None:
        while not self._ending.is_set():
            if self._stalled.is_set():
                self._ending.wait(0.02)
                continue
            if not select.select([self._master], [], [], 0.05)[0]:
                self._drained.set()
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            with self._came:
                self._chunks.append((time.perf_counter(), data))
                self.raw += data
                self._came.notify_all()

    def _wait(self, pattern: "re.Pattern[str]", *, present: bool, timeout_s: float) -> float:
        until_s = time.perf_counter() + timeout_s
        self._feed_all()
        came_s = time.perf_counter()
        while (pattern.search(self._text()) is not None) is not present:
            with self._came:
                left_s = until_s - time.perf_counter()
                ended = self.process.poll() is not None
                if not self._chunks and not self._came.wait(min(max(left_s, 0), 0.1)):
                    if left_s <= 0 or ended:
                        why = f"the program has ended ({self.process.returncode})" if ended else f"{timeout_s:g} s"
                        what = "no" if present else "still"
                        raise ScreenTimeoutError(f"{what} {pattern.pattern!r}: {why}\n{self.picture()}")
                    continue
                came_s, data = self._chunks.popleft()
            self._feed(data)
        return came_s

    def _text(self) -> str:
        return "\n".join(self.screen.display)

    def _feed_all(self) -> None:
        while True:
            with self._came:
                if not self._chunks:
                    return
                _, data = self._chunks.popleft()
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        data = self._held_back + data
        unfinished = _UNFINISHED.search(data)
        self._held_back = data[unfinished.start() :] if unfinished else b""
        data = data[: unfinished.start()] if unfinished else data
        self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", data))


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
