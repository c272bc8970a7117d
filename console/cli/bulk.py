"""`send --ndjson`: thousands of events a second, and a slow producer is never held back."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from console.cli.invocation import Invocation
from console.cli.output import emit, error, note, say
from console.domain.errors import ConsoleError, StoreError
from console.operations.accepting import Refusal, SchemaBook, accept
from console.operations.ndjson import BadLine, GoodLine, LineReader
from console.store import Store

BATCH = 1000
"""Events in one transaction: one fsync for all of them."""

PAUSE_S = 0.05
"""A pipe that is silent for so long gets its partial batch written."""

_LOOK_S = 0.25
_CHUNK_BYTES = 1 << 18
_PROGRESS_S = 0.2


class _Interrupt:
    """Remembers SIGINT or SIGTERM, so that what was read is written before the end; the next one ends at once."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@contextmanager
def _interruptible() -> Iterator[_Interrupt]:
    interrupt = _Interrupt()
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Sender:
    """Collects events into batches, and counts what came of them."""

    def __init__(self, invocation: Invocation, store: Store) -> None:
        self._invocation, self._store = invocation, store
        self._batch: list[GoodLine] = []
        self._book = SchemaBook()
        self._started_s = invocation.clock.monotonic_s()
        self._shown_s = self._started_s
        self._progress = sys.stderr.isatty() and not invocation.json
        self.accepted = self.duplicates = self.deliveries = self.bad = self.last_line = 0

    @property
    def waiting(self) -> bool:
        return bool(self._batch)

    def take(self, lines: list[GoodLine | BadLine]) -> None:
        for line in lines:
            match line:
                case GoodLine():
                    self._batch.append(line)
                    if len(self._batch) >= BATCH:
                        self.flush()
                case BadLine():
                    self._complain(line)

    def flush(self) -> None:
        """Raises StoreError that says which line was the last one kept."""
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        try:
            now_ms = self._invocation.clock.now_ms()
            answers = accept(self._store, [line.event for line in batch], now_ms, self._book)
        except StoreError as problem:
            kept = f"nothing after line {self.last_line} was kept" if self.last_line else "nothing was kept"
            raise StoreError(f"{problem} ({kept})") from problem
        self.last_line = batch[-1].number
        for line, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Refusal):
                self._complain(BadLine(number=line.number, reason=str(answer)))
                continue
            self.duplicates += answer.duplicate
            self.accepted += not answer.duplicate
            self.deliveries += 0 if answer.duplicate else answer.deliveries
        self._show_progress()

    def seconds(self) -> float:
        return self._invocation.clock.monotonic_s() - self._started_s

    def _complain(self, line: BadLine) -> None:
        self.bad += 1
        if self._invocation.json:
            emit({"line": line.number, "error": line.reason})
        else:
            error(f"line {line.number}: {line.reason}")

    def _show_progress(self) -> None:
        now_s = self._invocation.clock.monotonic_s()
        if self._progress and now_s - self._shown_s >= _PROGRESS_S:
            self._shown_s = now_s
            sys.stderr.write(f"\r{self.accepted:,} accepted\x1b[K")
            sys.stderr.flush()

    def end_progress(self) -> None:
        if self._progress and self._shown_s != self._started_s:
            sys.stderr.write("\r\x1b[K")


def send_lines(invocation: Invocation, source: str) -> int:
    """Accept every good line of a file, or of stdin for `-`. Returns the exit code."""
    fd = 0 if source == "-" else os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with invocation.writing(create=True) as store, _interruptible() as interrupt:
            sender, reader = _Sender(invocation, store), LineReader()
            failure: ConsoleError | None = None
            try:
                _pump(fd, reader, sender, interrupt)
            except ConsoleError as problem:
                failure = problem
            sender.end_progress()
            alive = _engine_alive(store, invocation) if failure is None else True
    finally:
        if fd:
            os.close(fd)
    _report(invocation, sender, reader.lines, alive)
    if failure is not None:
        raise failure
    if interrupt.number is not None:
        return 128 + interrupt.number
    return 1 if sender.bad else 0


def _pump(fd: int, reader: LineReader, sender: _Sender, interrupt: _Interrupt) -> None:
    """Read until the end or an interrupt; in both cases all whole lines read are accepted."""
    while interrupt.number is None:
        # A signal does not end select (PEP 475), so it looks up now and then.
        ready, _, _ = select.select([fd], [], [], PAUSE_S if sender.waiting else _LOOK_S)
        if not ready:
            sender.flush()
            continue
        chunk = os.read(fd, _CHUNK_BYTES)
        if not chunk:
            sender.take(reader.finish())
            break
        sender.take(reader.feed(chunk))
    sender.flush()


def _engine_alive(store: Store, invocation: Invocation) -> bool:
    status = store.engine_status()
    return status is not None and status.alive(invocation.clock.now_ms())


def _report(invocation: Invocation, sender: _Sender, lines: int, alive: bool) -> None:
    if invocation.json:
        emit(
            {
                "accepted": sender.accepted,
                "duplicates": sender.duplicates,
                "deliveries": sender.deliveries,
                "bad": sender.bad,
                "lines": lines,
                "seconds": round(sender.seconds(), 3),
                "engine_alive": alive,
            }
        )
        return
    parts = [f"{sender.accepted:,} accepted", f"owed as {sender.deliveries:,} deliveries"]
    if sender.duplicates:
        parts.append(f"{sender.duplicates:,} duplicates (accepted before, nothing changed)")
    if sender.bad:
        parts.append(f"{sender.bad:,} bad lines")
    say(", ".join(parts))
    if sender.accepted and not sender.deliveries:
        note("hint: no endpoint wants these types: see 'endpoints list'")
    elif sender.accepted and not alive:
        note("hint: no engine is running, so nothing is sent yet: start one with 'webhook-console serve'")
