"""A console's way to the store: threads that read, one that writes, none ever on Textual's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from console.domain.clock import Clock
from console.domain.errors import ConsoleError, ReadInterruptedError
from console.store import open_copied_store, open_store

if TYPE_CHECKING:
    from console.domain.copy import StoreCopy
    from console.domain.inbound import Arrival
    from console.domain.watcher import Watcher
    from console.store import Store

__all__ = ["ReadInterruptedError", "ReadOnlyError", "Session"]

T = TypeVar("T")
_TELL_AGAIN_S = 0.01


class ReadOnlyError(ConsoleError):
    """This console was opened with --read-only."""


class Answered(Protocol):
    """What came back of a request that was sent on; `problem`: nothing did, and why."""

    @property
    def status(self) -> int | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def took_ms(self) -> float: ...
    @property
    def problem(self) -> str | None: ...


class _Job(Generic[T]):
    """One piece of work, which may come to be unwanted while it waits or runs."""

    def __init__(self, work: Callable[[Store], T]) -> None:
        self.work = work
        self.unwanted = False


class _StoreThread:
    """One thread and the store it opened, when first asked."""

    def __init__(self, path: Path, *, read_only: bool, name: str, copy: StoreCopy | None = None) -> None:
        self._path, self._read_only, self._copy = path, read_only, copy
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._store: Store | None = None
        self._lock = Lock()
        self._running: _Job[object] | None = None

    async def run(self, job: _Job[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._call, job)

    def drop(self, job: _Job[T]) -> None:
        """What is no longer wanted ends soon with ReadInterruptedError, or never begins. From any thread."""
        with self._lock:
            job.unwanted = True
            if self._running is job and self._store is not None:
                self._store.interrupt()
                # A statement that was just about to begin has not noticed: told again until it has.
                again = Timer(_TELL_AGAIN_S, self.drop, (job,))
                again.daemon = True
                again.start()

    def _call(self, job: _Job[T]) -> T:
        if self._store is None:
            self._store = self._open()
        with self._lock:
            if job.unwanted:
                raise ReadInterruptedError(f"{self._path}: the read was interrupted")
            self._running = job  # type: ignore[assignment]  # only ever compared
        try:
            return job.work(self._store)
        finally:
            with self._lock:
                self._running = None
                self._store.go_on()

    def _open(self) -> Store:
        if self._copy is not None:
            return open_copied_store(self._copy)
        return open_store(self._path, read_only=self._read_only, create=False)

    def close(self) -> None:
        def close_store() -> None:
            if self._store is not None:
                self._store.close()

        self._executor.submit(close_store)
        self._executor.shutdown(wait=True, cancel_futures=False)


class Session:
    """What screens may ask for. Widgets know nothing of it.

    Args:
        path: the store; it exists and is migrated.
        read_only: `write` is refused, and the store is only ever opened for reading.
        clock: the time of what is written, and of ages on screen.
        actor: who acts, for the audit log.
        copy: the store is a copy of one, with no engine, and ends where it was made.
        send_on: sends a request that came in to a URL, and waits for what comes back: for a thread. The console itself
            speaks no HTTP. None: it is not offered.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool,
        clock: Clock,
        actor: str,
        copy: StoreCopy | None = None,
        send_on: Callable[[Arrival, str], Answered] | None = None,
    ) -> None:
        self.path, self.read_only, self.clock, self.actor, self.copy = path, read_only, clock, actor, copy
        self.send_on = send_on
        self.replayed_to = ("", "")
        """The endpoint and the URL that were last asked for."""
        self.masked = False
        """Values of payloads, headers and bodies are hidden, for a screen that is shared; as long as this console."""
        self._reader = _StoreThread(path, read_only=True, name="store-reader", copy=copy)
        self._searcher = _StoreThread(path, read_only=True, name="store-searcher", copy=copy)
        self._writer = None if read_only else _StoreThread(path, read_only=False, name="store-writer")
        self._newest: dict[str, _Job[object]] = {}
        self.others: tuple[Watcher, ...] = ()
        """Who else has a console open on this store, as it was last read."""

    async def read(self, query: Callable[[Store], T], *, group: str | None = None) -> T:
        """Run a query on a reading thread.

        Args:
            group: it may take long, and is on a thread where no quick read waits for it. A later read of the same
                group interrupts it, and so does the end of the task that waits for it.

        Raises:
            ReadInterruptedError: a later read of its group has taken its place: nothing is to be done.
            StoreError, UnknownReferenceError
        """
        job = _Job(query)
        if group is None:
            return await self._reader.run(job)
        older = self._newest.get(group)
        if older is not None:
            self._searcher.drop(older)
        self._newest[group] = job  # type: ignore[assignment]  # only ever compared
        try:
            return await self._searcher.run(job)
        except asyncio.CancelledError:
            self._searcher.drop(job)
            raise
        finally:
            if self._newest.get(group) is job:
                del self._newest[group]

    async def write(self, act: Callable[[Store], T]) -> T:
        """Run an operation on the writing thread. Raises ReadOnlyError, StoreError and what the operation raises."""
        if self._writer is None:
            raise ReadOnlyError("this console is read-only: open it without --read-only to change anything")
        return await self._writer.run(_Job(act))

    def close(self) -> None:
        """End searches, let the other threads finish what they are doing, and close their stores."""
        for job in list(self._newest.values()):
            self._searcher.drop(job)
        self._searcher.close()
        self._reader.close()
        if self._writer is not None:
            self._writer.close()
