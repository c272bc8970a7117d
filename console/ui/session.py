"""A console's way to the store: one thread that reads, one that writes, neither ever on Textual's loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from console.domain.clock import Clock
from console.domain.errors import ConsoleError
from console.store import Store, open_store

T = TypeVar("T")


class ReadOnlyError(ConsoleError):
    """This console was opened with --read-only."""


class _StoreThread:
    """One thread and the store it opened, when first asked."""

    def __init__(self, path: Path, *, read_only: bool, name: str) -> None:
        self._path, self._read_only = path, read_only
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._store: Store | None = None

    def _call(self, work: Callable[[Store], T]) -> T:
        if self._store is None:
            self._store = open_store(self._path, read_only=self._read_only, create=False)
        return work(self._store)

    async def run(self, work: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._call, work)

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
    """

    def __init__(self, path: Path, *, read_only: bool, clock: Clock, actor: str) -> None:
        self.path, self.read_only, self.clock, self.actor = path, read_only, clock, actor
        self._reader = _StoreThread(path, read_only=True, name="store-reader")
        self._writer = None if read_only else _StoreThread(path, read_only=False, name="store-writer")

    async def read(self, query: Callable[[Store], T]) -> T:
        """Run a query on the reading thread. Raises StoreError, UnknownReferenceError."""
        return await self._reader.run(query)

    async def write(self, act: Callable[[Store], T]) -> T:
        """Run an operation on the writing thread. Raises ReadOnlyError, StoreError and what the operation raises."""
        if self._writer is None:
            raise ReadOnlyError("this console is read-only: open it without --read-only to change anything")
        return await self._writer.run(act)

    def close(self) -> None:
        """Let both threads finish what they are doing, and close their stores."""
        self._reader.close()
        if self._writer is not None:
            self._writer.close()
