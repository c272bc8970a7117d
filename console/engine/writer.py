"""The one connection that writes: work that arrives while it commits is committed together."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from console.domain.errors import StoreBusyError, StoreError
from console.store.protocol import Store

T = TypeVar("T")
Work = Callable[[Store], Any]
_Item = tuple[Work, asyncio.Future[Any]]

BATCH = 64
"""Pieces of work in one transaction, at most."""

LOOK_S = 0.1
"""How often, at most, the length of the store's log is looked at; a look costs some µs."""

TROUBLE_S = 5.0
"""The same after it could not be shortened: each try writes all of it."""


class Writer:
    """Runs work on a store, in a thread of its own with many pieces to one transaction, or on the loop's.

    Both answer after the commit: what they say is on disk. A piece that fails takes no other down: the batch is rolled
    back and each piece runs again alone. Between transactions the store's log is kept short.

    Args:
        on_trouble: told, on the loop, each time that the log could not be shortened. No commit is lost by that.
    """

    def __init__(
        self, open_store: Callable[[], Store], *, on_trouble: Callable[[StoreError], None] = lambda error: None
    ) -> None:
        self._open_store, self._on_trouble = open_store, on_trouble
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._store: Store
        self._free = threading.Lock()
        """Held by whoever uses the store."""
        self._look_at_s = 0.0
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-commit")

    async def start(self) -> None:
        """Open the store in the thread. Raises what opening raises."""
        self._thread.start()
        await self._opened

    async def do(self, work: Callable[[Store], T]) -> T:
        """Run `work` inside a transaction. Once handed over it runs, whether or not the caller is cancelled."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, future))
        return await asyncio.shield(future)

    async def do_here(self, work: Callable[[Store], T]) -> T:
        """As `do`, for work of a few milliseconds: its statements run on the loop's own thread, its commit does not.

        Two threads that both run Python spend a quarter of the processor on handing the interpreter to each other, at
        every step of every statement. The commit is what takes long, and takes no interpreter. When the store is in
        use, by the thread or by another process, this is `do`: the loop never waits for a lock.
        """
        if not self._free.acquire(blocking=False):
            return await self.do(work)
        transaction = self._store.transaction(wait=False)
        try:
            transaction.__enter__()
        except BaseException as error:
            self._free.release()
            if isinstance(error, StoreBusyError):
                return await self.do(work)
            raise
        try:
            result = work(self._store)
        except BaseException as error:
            try:
                transaction.__exit__(type(error), error, error.__traceback__)
            finally:
                self._free.release()
            raise
        ended = self._loop.run_in_executor(self._committer, self._end, transaction)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            ended.add_done_callback(_seen)
            raise
        return result

    def _end(self, transaction: AbstractContextManager[None]) -> None:
        try:
            transaction.__exit__(None, None, None)
            self._keep_log_short(self._store)
        finally:
            self._free.release()

    def _keep_log_short(self, store: Store) -> None:
        """By whoever has the store in use."""
        now_s = self._loop.time()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_S
        try:
            store.keep_log_short()
        except StoreError as error:
            self._look_at_s = now_s + TROUBLE_S
            self._loop.call_soon_threadsafe(self._on_trouble, error)

    async def close(self) -> None:
        """Finish what was handed over, and close the store."""
        if self._thread.is_alive():
            await self._loop.run_in_executor(None, self._committer.shutdown)
            self._queue.put(None)
            await self._loop.run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        try:
            store = self._store = self._open_store()
        except BaseException as error:  # the root of this thread: the caller is told
            self._loop.call_soon_threadsafe(self._opened.set_exception, error)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, None)
        try:
            while (batch := self._next_batch()) is not None:
                with self._free:
                    answers = _commit(store, batch)
                    self._loop.call_soon_threadsafe(_answer, answers)
                    self._keep_log_short(store)
        finally:
            store.close()

    def _next_batch(self) -> list[_Item] | None:
        """What waits, at least one piece; None when it is time to end."""
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._queue.put(None)  # after this batch
                break
            batch.append(item)
        return batch


_Answer = tuple[asyncio.Future[Any], Any, BaseException | None]


def _commit(store: Store, batch: list[_Item]) -> list[_Answer]:
    begun = False
    try:
        with store.transaction():
            begun = True
            results = [work(store) for work, _ in batch]
    except BaseException as error:
        # What cannot even begin (a locked store) would make each piece wait as long again.
        if len(batch) == 1 or not begun:
            return [(future, None, error) for _, future in batch]
        return [answer for item in batch for answer in _commit(store, [item])]
    return [(future, result, None) for (_, future), result in zip(batch, results, strict=True)]


def _answer(answers: list[_Answer]) -> None:
    for future, result, error in answers:
        if future.cancelled():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
            _seen(future)


def _seen(future: "asyncio.Future[Any]") -> None:
    """Whoever asked may be gone; asyncio would write a traceback into the log for an error that nobody looked at."""
    if not future.cancelled():
        future.exception()
