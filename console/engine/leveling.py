"""How endpoints stand is written down beside the deliveries, so that the past can be looked at."""

import asyncio
from functools import partial

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.endpoint import EndpointState
from console.domain.errors import FencedError, StoreError
from console.engine.aside import Aside
from console.engine.writer import Writer
from console.store.protocol import Store

FIRST_AFTER_S = 1.0
EVERY_S = 60.0

AT_ONCE = 500
"""Levels in one transaction: thousands of endpoints may have changed, and deliveries are not to wait for that."""

PARTS = 60
"""Old levels are looked for at so many parts of the endpoints, one each time."""


class LevelKeeper:
    """Looks once a minute at all endpoints, beside the loop and the writer, and writes down those that changed."""

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
        """Look until cancelled. Raises FencedError when a newer engine has taken over."""
        await asyncio.sleep(self._first_after_s)
        part = 0
        while True:
            try:
                await self._once(part)
            except FencedError:
                raise
            except StoreError as error:
                self._log.error("levels cannot be written down", error=str(error))
            part = (part + 1) % PARTS
            await asyncio.sleep(self._every_s)

    async def _once(self, part: int) -> None:
        now_ms = self._clock.now_ms()
        changed = await self._aside.do(lambda store: store.changed_levels())
        for start in range(0, len(changed), AT_ONCE):
            some = changed[start : start + AT_ONCE]
            await self._writer.do(partial(_record, some, now_ms))
        await self._writer.do(lambda store: store.drop_levels(part, PARTS, now_ms))


def _record(levels: list[tuple[int, EndpointState, int, int, int]], now_ms: int, store: Store) -> None:
    store.record_levels(levels, now_ms)
