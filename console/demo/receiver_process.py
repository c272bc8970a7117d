"""The demo's receivers in a process of their own, so that they share no event loop with the engine or the screen.

The child says its specs as one JSON line, answers each line `counts` with one JSON line, and ends when its stdin
closes. A parent that dies, however it dies, closes it: the child never outlives it.
"""

import argparse
import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from console.demo.behaviours import ReceiverCounts, ReceiverSpec
from console.demo.receivers import DemoReceivers
from console.domain.errors import ConsoleError

_START_TIMEOUT_S = 20.0
_ANSWER_TIMEOUT_S = 5.0
_STOP_TIMEOUT_S = 3.0
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


class ReceiverProcess:
    """A running child with the receivers; stop it, or use it as a context manager. For one thread at a time."""

    def __init__(self, seed: int) -> None:
        """Start the child and wait until it listens, at most 20 s. Raises ConsoleError when it does not."""
        # A file, not a pipe: nobody reads it while the child lives, and it must not land on the console's screen.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._unread = bytearray()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, "--seed", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            # `-m` looks in the current folder first, where somebody may keep a package called `console` of their own.
            cwd=_PACKAGE_PARENT,
            # Away from the terminal's process group: Ctrl+C there is the screen's to handle.
            start_new_session=True,
        )
        try:
            self.specs = msgspec.json.decode(self._read_line(_START_TIMEOUT_S), type=tuple[ReceiverSpec, ...])
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def counts(self) -> dict[str, ReceiverCounts]:
        """What each receiver has seen, by name. Raises ConsoleError when the child has died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"counts\n")
        except (OSError, ValueError):
            raise self._failure("are gone") from None
        return msgspec.json.decode(self._read_line(_ANSWER_TIMEOUT_S), type=dict[str, ReceiverCounts])

    def stop(self) -> None:
        """End the child and wait for its end; harmless when it has ended already."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        for harsher in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(_STOP_TIMEOUT_S)
                break
            except subprocess.TimeoutExpired:
                harsher()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read_line(self, timeout_s: float) -> bytes:
        """The child's next line, waiting at most `timeout_s` for each piece of it."""
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
            if not ready:
                raise self._failure(f"gave no answer in {timeout_s:.0f} s")
            piece = os.read(self._process.stdout.fileno(), 65536)
            if not piece:
                raise self._failure("ended")
            self._unread += piece
        line, _, rest = bytes(self._unread).partition(b"\n")
        self._unread = bytearray(rest)
        return line

    def _failure(self, what: str) -> ConsoleError:
        said = ""
        if not self._errors.closed:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            said = f": {lines[-1]}" if lines else ""
        return ConsoleError(f"the demo's receivers {what}{said}")


def start_receivers(seed: int) -> ReceiverProcess:
    """Start the receivers in a child process and wait until they listen. Raises ConsoleError when they do not."""
    return ReceiverProcess(seed)


async def _serve(seed: int) -> None:
    """Serve until stdin closes or a signal asks to stop."""
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, commands.feed_eof)
    threading.Thread(target=_read_stdin, args=(loop, commands), daemon=True).start()
    try:
        async with DemoReceivers(seed=seed) as receivers:
            _say(receivers.specs)
            async for line in commands:
                if line.strip() == b"counts":
                    _say(receivers.counts())
    except BrokenPipeError:
        pass  # nobody is left to read


def _read_stdin(loop: asyncio.AbstractEventLoop, commands: asyncio.StreamReader) -> None:
    """Pass on what comes on stdin, whatever it is: the loop itself reads pipes, but neither files nor /dev/null."""
    with contextlib.suppress(RuntimeError):  # the loop has ended, and so will this thread
        while piece := os.read(0, 4096):
            loop.call_soon_threadsafe(commands.feed_data, piece)
        loop.call_soon_threadsafe(commands.feed_eof)


def _say(value: object) -> None:
    line = memoryview(msgspec.json.encode(value) + b"\n")
    while line:
        line = line[os.write(sys.stdout.fileno(), line) :]


def main() -> None:
    """Entry point of the child."""
    parser = argparse.ArgumentParser(prog="python -m console.demo.receiver_process", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="same seed, same secrets and habits (default: 1)")
    asyncio.run(_serve(parser.parse_args().seed))


if __name__ == "__main__":
    main()
