"""Words of payloads and answers are written into the search file beside the deliveries, which do not wait for it."""

import asyncio
from collections.abc import Awaitable
from functools import partial

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.errors import FencedError, StoreError
from console.domain.searching import Indexed
from console.engine.aside import Aside
from console.engine.writer import Writer
from console.store.protocol import Store

EVERY_S = 2.0
"""Between looks when there was little to do: so old is at most what is found by comparing."""

RESTS, RESTS_BUSY = 1, 9
"""The pause after a piece, in times of what it took; the longer while requests are on the wire."""

TROUBLE_WAIT_S = 30.0


class Indexer:
    """Writes pieces until cancelled.

    Args:
        aside: of its own: a thread that nobody else waits for.
        wanted: else the file is removed, and nothing more is done.
    """

    def __init__(
        self,
        *,
        aside: Aside,
        writer: Writer,
        clock: Clock,
        log: FilteringBoundLogger,
        wanted: bool = True,
        every_s: float = EVERY_S,
    ) -> None:
        self._aside, self._writer, self._clock, self._log = aside, writer, clock, log
        self._wanted, self._every_s = wanted, every_s
        self._begun = self._in_trouble = False

    async def run(self) -> None:
        """Raises FencedError when a newer engine has taken over."""
        if not self._wanted:
            await self._attempt(self._remove())
            return
        while True:
            fine = await self._attempt(self._until_done())
            await asyncio.sleep(self._every_s if fine else TROUBLE_WAIT_S)

    async def _remove(self) -> None:
        await self._writer.do(lambda store: store.end_search())

    async def _until_done(self) -> None:
        if not self._begun:
            await self._writer.do(lambda store: store.begin_search())
            self._begun = True
        more = True
        while more:
            piece, took_s, busy = await self._aside.do(partial(_write_piece, self._clock))
            if piece.stale_up_to is not None:
                await self._writer.do(partial(_settle, piece.stale_up_to))
            more = piece.more
            if more:
                await asyncio.sleep(took_s * (RESTS_BUSY if busy else RESTS))

    async def _attempt(self, work: Awaitable[None]) -> bool:
        """Whether it went well; what went wrong is said once."""
        try:
            await work
        except FencedError:
            raise
        except StoreError as error:
            if not self._in_trouble:
                self._log.error("words cannot be indexed: texts are found more slowly", error=str(error))
            self._in_trouble = True
            return False
        self._in_trouble = False
        return True


def _write_piece(clock: Clock, store: Store) -> tuple[Indexed, float, bool]:
    """The piece, how long it took, and whether requests were on the wire at the last heartbeat."""
    status = store.engine_status()
    began_s = clock.monotonic_s()
    piece = store.index_words()
    return piece, clock.monotonic_s() - began_s, status is not None and status.in_flight > 0


def _settle(up_to: int, store: Store) -> None:
    store.settle_stale(up_to)
