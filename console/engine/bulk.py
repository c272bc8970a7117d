"""Bulk operations are carried on beside the deliveries, in pieces that new events do not notice."""

import asyncio
from functools import partial

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.errors import FencedError, StoreError
from console.domain.ids import OperationId, format_number
from console.domain.operation import Operation
from console.engine.writer import Writer
from console.store.protocol import Store

LOOK_S = 0.05
"""How often operations are looked for, and one with a rate is carried on."""

PIECE_S = 0.008
PIECE_BUSY_S = 0.003
"""How long one piece may hold the store; the lower while requests are on the wire."""

REST_S = 0.005
"""The shortest pause between two pieces."""

RESTS, RESTS_BUSY = 1, 4
"""The pause after a piece, in times of what it took."""

LEAST, MOST = 20, 1000
"""Deliveries in one piece."""

TROUBLE_WAIT_S = 1.0


class BulkOperations:
    """Carries open operations on until cancelled: one piece of each in turn.

    Args:
        reader: a read-only store of the loop's own thread.
    """

    def __init__(self, *, reader: Store, writer: Writer, clock: Clock, log: FilteringBoundLogger) -> None:
        self._reader, self._writer, self._clock, self._log = reader, writer, clock, log
        self._limit = LEAST * 5

    async def run(self) -> None:
        """Raises FencedError when the writer finds that a newer engine has taken over."""
        while True:
            pause_s = LOOK_S
            try:
                for operation in self._reader.open_operations():
                    took_s = await self._advance(operation)
                    if operation.rate_per_s is None:
                        pause_s = min(pause_s, max(REST_S, took_s * (RESTS_BUSY if self._busy() else RESTS)))
            except FencedError:
                raise
            except StoreError as error:
                self._log.error("operations cannot be carried on", error=str(error))
                pause_s = TROUBLE_WAIT_S
            await asyncio.sleep(pause_s)

    async def _advance(self, operation: Operation) -> float:
        """Carry one operation on by a piece. Returns how long that held the store, in seconds."""
        after, took_s = await self._writer.do(partial(_advance, operation.id, self._limit, self._clock))
        if operation.rate_per_s is None:
            self._fit(took_s)
        if not after.is_open:
            self._log.info("operation ended", id=format_number("op", after.id), kind=after.kind, result=after.result)
        return took_s

    def _fit(self, took_s: float) -> None:
        """Choose the size of the next piece by the time that this one took, at most half or twice as many."""
        wanted = self._limit * (PIECE_BUSY_S if self._busy() else PIECE_S) / max(took_s, 1e-6)
        self._limit = round(min(max(wanted, self._limit / 2, LEAST), self._limit * 2, MOST))

    def _busy(self) -> bool:
        """Whether requests were on the wire at the last heartbeat."""
        status = self._reader.engine_status()
        return status is not None and status.in_flight > 0


def _advance(operation_id: OperationId, limit: int, clock: Clock, store: Store) -> tuple[Operation, float]:
    began_s = clock.monotonic_s()
    after = store.advance_operation(operation_id, limit=limit, now_ms=clock.now_ms())
    return after, clock.monotonic_s() - began_s
