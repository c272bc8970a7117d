"""The terminal is always given back: real pseudo-terminals, real signals, also one that nobody reads."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.domain.errors import ConsoleError
from console.store import Store
from console.ui import terminal
from console.ui.slow_link import Link
from console.ui.terminal import prepare_environment, require_terminal, wants_no_colour
from tests.factories import NOW_MS, add_endpoint, attempt_all, failed, make_event, start_engine

PROGRAM = """
import sys
from pathlib import Path
from console.domain.clock import SystemClock
from console.ui.session import Session
from console.ui.app import ConsoleApp, run_console

if sys.argv[2] == "flood":
    def flood(self):
        self.set_interval(0.01, lambda: self._driver.write("x" * 4000))
    ConsoleApp.on_ready = flood

session = Session(Path(sys.argv[1]), read_only=False, clock=SystemClock(), actor="ada@test")
try:
    status = run_console(session, theme=None, notice=None, started_engine=False)
finally:
    session.close()
sys.exit(status)
"""


class Console:
    """A console in a pseudo-terminal of its own."""

    def __init__(self, store_path: Path, mode: str = "plain", **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.slave = slave
        self.modes = termios.tcgetattr(slave)
        self.shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(store_path), mode],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "HOME": str(store_path.parent), **environ},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def read_until(self, text: bytes, timeout_s: float = 30) -> None:
        """Read what the terminal gets until a text is in it."""
        deadline = time.monotonic() + timeout_s
        while text not in self.shown:
            left = deadline - time.monotonic()
            assert left > 0, f"never shown: {text!r} in {self.shown[-2000:]!r}"
            self._read(left)

    def read_rest(self) -> None:
        """Read what is left to read."""
        while self._read(0.3):
            pass

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += data
        return bool(data)

    def ended(self, timeout_s: float = 15) -> int:
        return self.process.wait(timeout_s)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self.slave):
            if descriptor >= 0:
                os.close(descriptor)

    def assert_restored(self) -> None:
        after = self.shown[self.shown.rindex(b"\x1b[?1049h") :]
        assert b"\x1b[?1049l" in after, "the alternate screen was left"
        for mode in (b"1000", b"1003", b"2004", b"1004"):
            assert after.rfind(b"\x1b[?" + mode + b"l") > after.rfind(b"\x1b[?" + mode + b"h"), mode
        assert after.rfind(b"\x1b[?25h") > after.rfind(b"\x1b[?25l")
        assert termios.tcgetattr(self.slave)[3] == self.modes[3], "echo and line mode are back"


@pytest.fixture
def consoles(store: Store) -> Iterator[list[Console]]:
    opened: list[Console] = []
    yield opened
    for console in opened:
        console.close()


def open_console(consoles: list[Console], store: Store, mode: str = "plain", **environ: str) -> Console:
    console = Console(store.path, mode, **environ)
    consoles.append(console)
    return console


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_status_0_and_the_terminal_restored(
    consoles: list[Console], store: Store, number: signal.Signals
) -> None:
    console = open_console(consoles, store)
    console.read_until(b"Home")
    console.process.send_signal(number)
    assert console.ended() == 0
    console.read_rest()
    console.assert_restored()


def test_q_ends_it_with_status_0(consoles: list[Console], store: Store) -> None:
    console = open_console(consoles, store)
    console.read_until(b"Home")
    os.write(console.master, b"q")
    console.read_until(b"\x1b[?1049l")
    assert console.ended() == 0
    console.read_rest()
    console.assert_restored()


def test_a_hang_up_ends_it(consoles: list[Console], store: Store) -> None:
    console = open_console(consoles, store)
    console.read_until(b"Home")
    os.close(console.slave)
    os.close(console.master)
    console.master = console.slave = -1
    assert console.ended() == 0


def test_a_terminal_that_nobody_reads_is_restored_too(consoles: list[Console], store: Store) -> None:
    console = open_console(consoles, store, "flood")
    console.read_until(b"xxxx")
    stalled_since = time.monotonic()
    while time.monotonic() - stalled_since < 20:
        # Nothing is read any more: the writer is stuck once the kernel's buffer is full, and then the loop is.
        state = Path(f"/proc/{console.process.pid}/task").iterdir()
        waits = [(task / "wchan").read_text() for task in state] if sys.platform == "linux" else []
        if any("tty" in wait or "n_tty" in wait or "wait_woken" in wait for wait in waits):
            break
        select.select([], [], [], 0.05)
    select.select([], [], [], 1.5)  # what the writer's queue holds is written too slowly to be seen from here
    console.process.send_signal(signal.SIGTERM)
    assert console.ended() == 0
    console.read_rest()
    console.assert_restored()


def test_a_dumb_terminal_is_refused_before_anything_is_written(consoles: list[Console], store: Store) -> None:
    console = open_console(consoles, store, TERM="dumb")
    console.read_until(b"TERM=dumb cannot show screens")
    assert console.ended() == 1
    assert b"\x1b[?1049h" not in console.shown


def test_no_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as null:
        monkeypatch.setattr(sys, "__stdin__", null)
        with pytest.raises(ConsoleError, match="its input is none"):
            require_terminal({"TERM": "xterm"})


def test_over_ssh_there_are_fewer_frames_and_no_animation() -> None:
    local: dict[str, str] = {}
    prepare_environment(local)
    assert local == {"ESCDELAY": terminal.ESCAPE_DELAY_MS, "TEXTUAL_FPS": terminal.FPS}
    unnamed = {"SSH_CONNECTION": "192.0.2.7 1 192.0.2.8 22"}
    prepare_environment(unnamed)
    assert unnamed["TEXTUAL_FPS"] == terminal.SSH_FPS
    remote = {"SSH_CONNECTION": "192.0.2.7 1 192.0.2.8 22", "TEXTUAL_FPS": "5"}
    prepare_environment(remote)
    assert (remote["TEXTUAL_FPS"], remote["TEXTUAL_ANIMATIONS"]) == ("5", "none")


def test_no_color_counts_with_any_value() -> None:
    assert wants_no_colour({"NO_COLOR": ""})
    assert not wants_no_colour({})


def busy_store(store: Store) -> None:
    """Enough in it that a frame does not fit into what the kernel keeps for a terminal."""
    for number in range(30):
        add_endpoint(store, name=f"endpoint-{number:02}")
    epoch = start_engine(store)
    store.accept([make_event() for _ in range(200)], NOW_MS)
    attempt_all(store, epoch, failed(), now_ms=NOW_MS, limit=200)


def pressed_until_said(console: Console, words: bytes, *, at_once: int, pause_s: float) -> None:
    """Keep the screen changing, read so much at a time, until the words are shown."""
    deadline = time.monotonic() + 60
    while words not in console.shown:
        assert time.monotonic() < deadline, console.shown[-2000:]
        os.write(console.master, b"z")  # paints all of it anew
        if select.select([console.master], [], [], pause_s)[0]:
            console.shown += os.read(console.master, at_once)
        select.select([], [], [], pause_s)


def test_a_terminal_that_takes_2_kb_a_second_is_painted_less_often_and_says_so(
    consoles: list[Console], store: Store
) -> None:
    busy_store(store)
    console = open_console(consoles, store)
    console.read_until(b"endpoint-03")
    pressed_until_said(console, "▼ slow link".encode(), at_once=200, pause_s=0.1)
    console.shown = b""
    console.read_until("● data live".encode())  # read as fast as it comes, it is painted as before
    os.write(console.master, b"\x11")  # ctrl+q: where it is zoomed, q only goes back
    console.read_until(b"\x1b[?1049l")
    assert console.ended() == 0


def test_a_terminal_that_stops_for_a_while_is_painted_when_it_goes_on_and_the_keys_of_meanwhile_count(
    consoles: list[Console], store: Store
) -> None:
    busy_store(store)
    console = open_console(consoles, store)
    console.read_until(b"endpoint-03")
    for _ in range(100):  # each paints all of it anew: far more than the kernel keeps, and than a queue of 30 frames
        os.write(console.master, b"z")
        select.select([], [], [], 0.05)
    select.select([], [], [], 5)
    os.write(console.master, b"?")
    console.read_until(b"Keys")
    os.write(console.master, b"\x1b")
    console.shown = b""
    console.read_until(b"endpoint-03")
    os.write(console.master, b"\x11")  # ctrl+q: where it is zoomed, q only goes back
    console.read_until(b"\x1b[?1049l")
    assert console.ended() == 0


def test_a_link_is_slow_while_its_writes_are_and_not_for_long_after() -> None:
    now = [0.0]
    link = Link(lambda: now[0])
    link.queued()
    now[0] += 0.01
    assert link.written() == pytest.approx(0.01)
    assert (link.words, link.pause_s, link.is_behind) == ("", 0.0, False)
    link.queued()
    link.queued()
    now[0] += 0.25
    assert link.is_behind
    assert link.written() is None
    assert link.written() == pytest.approx(0.25)
    assert link.words == "▼ slow link, 2/s"
    assert link.pause_s == pytest.approx(0.25)
    link.queued()
    now[0] += 8
    assert link.words == "▼ slow link, every 9s", "while it waits"
    link.written()
    link.queued()
    link.written()
    assert link.words
    now[0] += 4
    assert link.words == ""
