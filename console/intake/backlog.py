"""How much is pending, and whether that is too much to accept more."""

import asyncio

from structlog.typing import FilteringBoundLogger

from console.domain.errors import StoreError
from console.intake.readers import Readers
from console.store.protocol import Store

LOOK_S = 1.0
"""How often it is counted; between two looks what was accepted is added."""


class Backlog:
    """Compares what is pending with a limit.

    Args:
        most: None: there is no limit, and nothing is counted.
    """

    def __init__(self, most: int | None, readers: Readers, log: FilteringBoundLogger) -> None:
        self._most, self._readers, self._log = most, readers, log
        self._pending = self._since = 0

    @property
    def full(self) -> bool:
        """Nothing more is to be accepted."""
        return self._most is not None and self._pending + self._since > self._most

    def add(self, deliveries: int) -> None:
        """So many are owed now that were not."""
        self._since += deliveries

    async def run(self) -> None:
        """Count now and then, until cancelled."""
        while self._most is not None:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Count once."""
        before = self._since
        try:
            self._pending = await self._readers.do(_pending)
        except StoreError as error:
            self._log.warning("what is pending cannot be counted", error=str(error))
        else:
            self._since -= before


def _pending(store: Store) -> int:
    return sum(gauge.pending for gauge in store.gauges().values())
