"""Reads that take milliseconds, made beside the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from console.store.protocol import Store

T = TypeVar("T")


class Aside:
    """A read-only store in a thread of its own, opened when it is first asked."""

    def __init__(self, open_reader: Callable[[], Store]) -> None:
        self._open_reader = open_reader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-aside")
        self._store: Store | None = None

    async def do(self, work: Callable[[Store], T]) -> T:
        """What `work` answers. Raises StoreError when the store cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def close(self) -> None:
        """Wait for the read that runs, and close the store."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=True)

    def _do(self, work: Callable[[Store], T]) -> T:
        if self._store is None:
            self._store = self._open_reader()
        return work(self._store)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
