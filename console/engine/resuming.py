"""Paused endpoints are resumed when the time comes that was said for it, also after the engine was down."""

import asyncio
from functools import partial

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.errors import FencedError, StoreError
from console.domain.ids import EndpointId
from console.engine.writer import Writer
from console.operations.endpoints import resume_by_itself
from console.store.protocol import Store

LOOK_S = 0.5
"""How often it is looked whether a time has come; a look costs some µs."""

TROUBLE_WAIT_S = 5.0


class Resumer:
    """Resumes endpoints at their time until cancelled; each is an operation of the engine in the audit log.

    Args:
        reader: a read-only store of the loop's own thread.
    """

    def __init__(self, *, reader: Store, writer: Writer, clock: Clock, log: FilteringBoundLogger) -> None:
        self._reader, self._writer, self._clock, self._log = reader, writer, clock, log

    async def run(self) -> None:
        """Raises FencedError when the writer finds that a newer engine has taken over."""
        while True:
            pause_s = LOOK_S
            try:
                for endpoint in self._reader.resuming(self._clock.now_ms()):
                    await self._writer.do(partial(_resume, endpoint.id, self._clock.now_ms()))
                    self._log.info("endpoint resumed at its time", endpoint=endpoint.name)
            except FencedError:
                raise
            except StoreError as error:
                self._log.error("endpoints cannot be resumed", error=str(error))
                pause_s = TROUBLE_WAIT_S
            await asyncio.sleep(pause_s)


def _resume(endpoint_id: EndpointId, now_ms: int, store: Store) -> None:
    resume_by_itself(store, endpoint_id, now_ms=now_ms)
