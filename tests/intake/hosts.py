"""What an engine lends to a service, without the engine."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from console.domain.clock import Clock, SystemClock
from console.store import Store, open_store

T = TypeVar("T")
HANG_S = 20.0


class DirectWriter:
    """Writes at once, on the loop's own thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def do(self, work: Callable[[Store], T]) -> T:
        with self._store.transaction():
            return work(self._store)

    do_here = do


class LentHost:
    """A host over one store; what is logged is in `logged`."""

    def __init__(self, store: Store, *, clock: Clock | None = None) -> None:
        self.writer = DirectWriter(store)
        self.clock: Clock = clock or SystemClock()
        self.stopping = asyncio.Event()
        self.open_reader = lambda: open_store(store.path, read_only=True, any_thread=True)
        self.open_operator = lambda: open_store(store.path, any_thread=True)
        self._entries: list[dict[str, Any]] = []
        self._came = asyncio.Event()
        self.log: FilteringBoundLogger = structlog.wrap_logger(
            None,
            processors=[structlog.processors.add_log_level, self._note],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
        )

    @property
    def logged(self) -> list[dict[str, Any]]:
        """With `event` and `level`."""
        return list(self._entries)

    async def says(self, event: str) -> dict[str, Any]:
        """The first entry of that name, once it is there."""
        async with asyncio.timeout(HANG_S):
            while True:
                self._came.clear()
                found = next((entry for entry in self._entries if entry["event"] == event), None)
                if found is not None:
                    return found
                await self._came.wait()

    def _note(self, _log: object, _method: str, entry: EventDict) -> EventDict:
        self._entries.append(dict(entry))
        self._came.set()
        raise structlog.DropEvent
