"""What a terminal needs before, while and after a Textual app has it. Imports no Textual: that reads its environment
when it is imported, so this comes first.

A terminal that stops reading blocks Textual's loop within a second (its writer queue is bounded), so nothing that ends
the program may depend on the loop, nor on the descriptor that the blocked write holds.
"""

import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from console.domain.errors import ConsoleError

FPS, SSH_FPS = "120", "10"
"""How often the screen is painted while it changes, which is also how long a key's answer waits for the next time."""

ESCAPE_DELAY_MS = "25"
"""How long a lone Esc waits to be the beginning of a key's sequence."""

GRACE_S = 1.5
"""How long an app may take to end by itself after a signal, before it is ended."""

ENDING_SIGNALS = (signal.SIGHUP, signal.SIGTERM)

RESTORE = (
    b"\x1b\\"  # ends a string or sequence that was cut off
    b"\x1b[?2026l"  # synchronised output
    b"\x1b[?2004l\x1b[?7h\x1b[?2048l"  # bracketed paste, line wrap, in-band resize
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # mouse
    b"\x1b[<u\x1b[?1004l"  # keyboard protocol, focus reports
    b"\x1b[0m\x1b[?1049l\x1b[?25h"  # colours, alternate screen, cursor
)
"""Undoes every mode that Textual's driver sets."""


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Set what Textual reads when it is imported. What the user has set stays."""
    environ.setdefault("ESCDELAY", ESCAPE_DELAY_MS)
    if environ.get("SSH_CONNECTION"):
        environ.setdefault("TEXTUAL_FPS", SSH_FPS)
        environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    environ.setdefault("TEXTUAL_FPS", FPS)


def wants_no_colour(environ: Mapping[str, str]) -> bool:
    """Whether colours are turned off, by any value of NO_COLOR (https://no-color.org)."""
    return "NO_COLOR" in environ


def require_terminal(environ: Mapping[str, str]) -> None:
    """Raises ConsoleError when this is no terminal that can show screens, nor a browser (see `console.ui.web`)."""
    if environ.get("TEXTUAL_DRIVER"):
        return
    for stream, name in ((sys.__stdin__, "input"), (sys.__stdout__, "output"), (sys.__stderr__, "error output")):
        if stream is None or stream.closed or not stream.isatty():
            raise ConsoleError(
                f"the console needs a terminal, and its {name} is none: over SSH use ssh -t, else try status"
            )
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        raise ConsoleError(
            f"TERM={term or '(not set)'} cannot show screens: set TERM to what your terminal is, or use status"
        )


class TerminalGuard:
    """While entered, SIGHUP and SIGTERM end the program with status 0 and the terminal as it was.

    The app is asked first. When it has not ended after the grace (its loop may be blocked by a terminal that does not
    read), a thread restores the terminal through a descriptor of its own and ends the process. Enter it on the main
    thread.
    """

    def __init__(self, end: Callable[[], object], *, grace_s: float = GRACE_S) -> None:
        """`end` asks the app to end; it is called on a thread of the guard."""
        self._end, self._grace_s = end, grace_s
        self._received = False
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._taken_over = False
        self._before: dict[signal.Signals, Any] = {}
        self._modes: list[Any] | None = None
        self._device = "/dev/tty"

    @property
    def received(self) -> bool:
        """Whether a signal asked for the end."""
        return self._received

    def __enter__(self) -> Self:
        self._remember_terminal()
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        self._thread = threading.Thread(target=self._watch, name="terminal-guard", daemon=True)
        self._thread.start()
        for number in ENDING_SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        # Only there to interrupt a write that a stalled terminal holds: a signal without a handler would not.
        self._before[signal.SIGURG] = signal.signal(signal.SIGURG, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._left.set()
        if self._taken_over:
            # Freed by the thread, and too late: were the interpreter to end now, so would the thread in mid-restoring.
            self._thread.join(self._grace_s)
        if self._received:
            _forget_dead_terminal()
            return  # the process is ending: a second signal must not kill it on its way
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._pipe[1])

    def _remember_terminal(self) -> None:
        with suppress(termios.error, OSError):  # no terminal, or one without a name here, as in a container
            self._modes = termios.tcgetattr(0)
            self._device = os.ttyname(0)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Runs between two instructions of the main thread, which may hold any lock: nothing but a write is safe.
        self._received = True
        with suppress(OSError):  # told before, or left already
            os.write(self._pipe[1], b"!")

    def _watch(self) -> None:
        told = os.read(self._pipe[0], 1)
        os.close(self._pipe[0])
        if not told:
            return
        with suppress(Exception):  # the app may be at any stage of starting or ending; the grace settles it
            self._end()
        self._left.wait(self._grace_s)
        with self._lock:
            self._taken_over = not self._left.is_set()
        if self._taken_over:
            restore_terminal(self._device, self._modes)
        else:
            # The screen is gone already; what is left are threads that finish a write.
            threading.Event().wait(self._grace_s)
        os._exit(0)


def restore_terminal(device: str, modes: list[Any] | None) -> None:
    """Undo what a full-screen program did to the terminal `device`, even while a write to it is stuck. Never blocks."""
    _let_go_of_stuck_writes()
    # From a background group, setting the modes would stop this process.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        terminal = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:  # hung up: nothing is left to restore
        return
    # What it has not read by now would only come before the reset, and may fill the whole buffer.
    pause, left = threading.Event(), RESTORE
    for _ in range(20):
        try:
            if modes is not None:
                termios.tcsetattr(terminal, termios.TCSANOW, modes)
            left = left[os.write(terminal, left) :]
        except BlockingIOError:
            termios.tcflush(terminal, termios.TCOFLUSH)
        except (OSError, termios.error):
            return
        if not left:
            return
        pause.wait(0.02)


def _forget_dead_terminal() -> None:
    """After a hang-up every write fails, and Python makes an exit status of its own of the last one."""
    try:
        termios.tcgetattr(1)
    except termios.error:
        _write_nowhere()


def _write_nowhere() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)


def _let_go_of_stuck_writes() -> None:
    """Point the standard streams at nothing and wake the threads that write to them, which frees the terminal."""
    _write_nowhere()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.ident is not None:
            with suppress(ProcessLookupError):
                signal.pthread_kill(thread.ident, signal.SIGURG)
