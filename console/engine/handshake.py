"""Endpoints that may be sent to only once their receivers permit it. They are asked beside the deliveries."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import heappop, heappush

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import FencedError, StoreError
from console.domain.handshake import (
    Permission,
    Permitted,
    Refused,
    ask_wait_s,
    waiting_reason,
    wants_permission,
    within_permission,
)
from console.engine.dispatcher import Dispatcher
from console.engine.writer import Writer

ASKED_AT_ONCE = 64
"""Requests for permission on the wire, at most."""

_SENT_TO = (EndpointState.ACTIVE, EndpointState.TRIPPED)


@dataclass(slots=True, eq=False)
class _Wait:
    """An endpoint without permission, as it was when the wait for it began."""

    endpoint: Endpoint
    asks_at_s: float | None
    """Monotonic; None: it is being asked, or was and has answered."""
    refusals: int = 0


class Handshakes:
    """Who may be sent to, and asking those who have not said so. An endpoint that changes, whoever changes it, is asked
    at once; so is each when an engine starts."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        writer: Writer,
        clock: Clock,
        epoch: int,
        log: FilteringBoundLogger,
    ) -> None:
        self._dispatcher, self._writer, self._clock, self._log = dispatcher, writer, clock, log
        self._epoch = epoch
        self._waits: dict[int, _Wait] = {}
        self._due: list[tuple[float, int]] = []
        """(monotonic seconds, endpoint); one counts only while it agrees with the wait."""
        self._asking = 0
        self._changed = asyncio.Event()

    def look(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint as this engine must take it: paused while it has no permission, and with no higher rate than it
        was permitted."""
        if not endpoint.policy.handshake:
            if self._waits:
                self._waits.pop(endpoint.seq, None)
            return endpoint
        if not wants_permission(endpoint):
            self._waits.pop(endpoint.seq, None)
            return within_permission(endpoint)
        if endpoint.state not in _SENT_TO:
            self._waits.pop(endpoint.seq, None)
            return endpoint
        before = self._waits.get(endpoint.seq)
        if before is None or before.endpoint.version != endpoint.version:
            self._waits[endpoint.seq] = wait = _Wait(endpoint, None)
            self._ask_at(wait, self._clock.monotonic_s())
        return replace(endpoint, state=EndpointState.PAUSED)

    def forget(self, seq: int) -> None:
        """An endpoint was removed."""
        self._waits.pop(seq, None)

    async def run(self) -> None:
        """Ask until cancelled. Raises FencedError when a newer engine has taken over."""
        fenced: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._changed.clear()
                    for wait in self._take_due():
                        group.create_task(self._ask(wait))
                    await self._sleep()
        except* FencedError as errors:
            fenced = errors.exceptions[0]
        # Not inside `except*`: what is raised there comes out as a group in some versions of Python 3.11.
        if fenced is not None:
            raise fenced

    def _ask_at(self, wait: _Wait, at_s: float) -> None:
        wait.asks_at_s = at_s
        heappush(self._due, (at_s, wait.endpoint.seq))
        self._changed.set()

    def _take_due(self) -> list[_Wait]:
        """Those to be asked now, as many as there is room for."""
        taken: list[_Wait] = []
        now_s = self._clock.monotonic_s()
        while self._due and self._due[0][0] <= now_s and self._asking < ASKED_AT_ONCE:
            at_s, seq = heappop(self._due)
            wait = self._waits.get(seq)
            if wait is not None and wait.asks_at_s == at_s:
                wait.asks_at_s = None
                self._asking += 1
                taken.append(wait)
        return taken

    async def _sleep(self) -> None:
        """Until somebody is to be asked, or something changes."""
        wait_s = None
        if self._due and self._asking < ASKED_AT_ONCE:
            wait_s = max(0.0, self._due[0][0] - self._clock.monotonic_s())
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _ask(self, wait: _Wait) -> None:
        try:
            await self._answered(wait, await self._dispatcher.ask(wait.endpoint))
        finally:
            self._asking -= 1
            self._changed.set()

    async def _answered(self, wait: _Wait, permission: Permission) -> None:
        wait_s = 0.0
        if isinstance(permission, Refused):
            wait.refusals += 1
            wait_s = ask_wait_s(wait.refusals)
            permission = replace(permission, reason=waiting_reason(permission.why, self._time_in(wait_s)))
        if not await self._store(wait.endpoint, permission):
            # The store cannot be written, or the endpoint has changed: then a new wait for it began or is about to.
            wait_s = ask_wait_s(1)
        elif isinstance(permission, Permitted):
            return  # the nudge of that tells this engine too
        if self._waits.get(wait.endpoint.seq) is wait:
            self._ask_at(wait, self._clock.monotonic_s() + wait_s)

    async def _store(self, endpoint: Endpoint, permission: Permission) -> bool:
        """Whether it is in the store."""
        try:
            stored = await self._writer.do(
                lambda store: store.set_permission(endpoint.seq, endpoint.version, permission, epoch=self._epoch)
            )
        except FencedError:
            raise
        except StoreError as error:
            self._log.error("store cannot be written", error=str(error))
            return False
        if not stored:
            return False
        if isinstance(permission, Permitted):
            self._log.info("permission given", endpoint=endpoint.name, per_minute=permission.per_minute)
        else:
            self._log.warning("no permission", endpoint=endpoint.name, why=permission.reason)
        return True

    def _time_in(self, wait_s: float) -> str:
        """On this machine's clock, as everything that an operator reads."""
        moment = datetime.fromtimestamp(self._clock.now_ms() / 1000 + wait_s, UTC)
        return f"{moment.astimezone():%H:%M:%S}"
