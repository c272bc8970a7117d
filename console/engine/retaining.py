"""What is old is deleted beside the deliveries, in pieces that they do not notice."""

import asyncio
from functools import partial

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.errors import FencedError, StoreError
from console.domain.retention import BEHIND_AFTER_S, Dropped, Retention, pause_s
from console.engine.aside import Aside
from console.engine.writer import Writer
from console.operations.retention import (
    NO_LIMIT,
    PAGES_AT_ONCE,
    Sweep,
    end_captures,
    mean_bytes,
    pages_to_give_back,
    too_many,
)
from console.store.protocol import Store

FIRST_AFTER_S = 10.0
EVERY_S = 60.0
_READ_REST_S = 0.02
"""Between reads that found nothing."""


class Retainer:
    """Sweeps once in a while.

    Args:
        aside: where the walk reads, so that neither the loop nor the writer waits for it.
    """

    def __init__(
        self,
        *,
        aside: Aside,
        writer: Writer,
        clock: Clock,
        log: FilteringBoundLogger,
        first_after_s: float = FIRST_AFTER_S,
        every_s: float = EVERY_S,
    ) -> None:
        self._aside, self._writer, self._clock, self._log = aside, writer, clock, log
        self._first_after_s, self._every_s = first_after_s, every_s

    async def run(self) -> None:
        """Sweep until cancelled. Raises FencedError when a newer engine has taken over."""
        await asyncio.sleep(self._first_after_s)
        while True:
            try:
                await self._once()
            except FencedError:
                raise
            except StoreError as error:
                self._log.error("old deliveries cannot be deleted", error=str(error))
            await asyncio.sleep(self._every_s)

    async def _once(self) -> None:
        retention = await self._aside.do(lambda store: store.retention())
        await self._drop_counts()
        await self._writer.do(lambda store: end_captures(store, self._clock.now_ms()))
        if retention.deletes_nothing:
            return
        dropped = await self._sweep(retention, by_size=False)
        if retention.max_size_bytes:
            dropped += await self._sweep(retention, by_size=True)
        await self._give_back(retention)
        if dropped:
            self._log.info(
                "old deliveries deleted",
                deliveries=dropped.deliveries,
                attempts=dropped.attempts,
                events=dropped.events,
                bodies=dropped.bodies,
                requests=dropped.requests,
            )

    async def _drop_counts(self) -> None:
        more = True
        while more:
            began_s = self._clock.monotonic_s()
            more = await self._writer.do(lambda store: store.drop_counts(self._clock.now_ms()))
            await asyncio.sleep(pause_s(self._clock.monotonic_s() - began_s, behind=False))

    async def _sweep(self, retention: Retention, *, by_size: bool) -> Dropped:
        sweep = Sweep(retention, self._clock.now_ms(), too_large=by_size)
        began_s, total = self._clock.monotonic_s(), Dropped()
        each = await self._aside.do(mean_bytes)
        most = await self._most(retention, each, by_size)
        while most and (found := await self._aside.do(sweep.find)) is not None:
            left = found.ids
            while left and most:
                ids, left = sweep.next_ids(left, most)
                piece_s = self._clock.monotonic_s()
                total += await self._writer.do(partial(sweep.drop, found.phase, ids, self._clock))
                now_s = self._clock.monotonic_s()
                behind = by_size or now_s - began_s > BEHIND_AFTER_S
                await asyncio.sleep(pause_s(now_s - piece_s, behind=behind))
                most = await self._most(retention, each, by_size)
            if not found.ids:
                await asyncio.sleep(_READ_REST_S)
        return total

    async def _most(self, retention: Retention, each_bytes: int, by_size: bool) -> int:
        if not by_size:
            return NO_LIMIT
        return await self._aside.do(lambda store: too_many(store, retention, each_bytes))

    async def _give_back(self, retention: Retention) -> None:
        """Return what is free beyond a reserve to the file system."""
        while wanted := await self._aside.do(lambda store: pages_to_give_back(store, retention)):
            pages = min(wanted, PAGES_AT_ONCE)
            began_s = self._clock.monotonic_s()
            if not await self._writer.do(partial(_give_back, pages)):
                return
            await asyncio.sleep(pause_s(self._clock.monotonic_s() - began_s, behind=False))


def _give_back(pages: int, store: Store) -> int:
    return store.give_back(pages)
