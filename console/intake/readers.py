"""Work on the store beside the loop, in threads that each have a store of their own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from console.store.protocol import Store

T = TypeVar("T")

READERS = 2
"""As many as there are cores on a small machine: more of them only take turns with the interpreter."""


class Readers:
    """Stores in threads, each opened when its thread is first asked."""

    def __init__(self, open_store: Callable[[], Store], *, threads: int = READERS) -> None:
        self._open_store = open_store
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="intake-store")
        self._mine = threading.local()
        self._opened: list[Store] = []

    async def do(self, work: Callable[[Store], T]) -> T:
        """What `work` answers. Raises StoreError when the store cannot be read or written."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, work)

    def close(self) -> None:
        """Wait for what runs, and close the stores."""
        self._threads.shutdown(wait=True)
        for store in self._opened:
            store.close()

    def _do(self, work: Callable[[Store], T]) -> T:
        store: Store | None = getattr(self._mine, "store", None)
        if store is None:
            store = self._mine.store = self._open_store()
            self._opened.append(store)
        return work(store)
