"""The rules of alerts are looked at beside the deliveries."""

import asyncio
from functools import partial

from structlog.typing import FilteringBoundLogger

from console.domain.alerts import Alert, AlertChange, AlertKind, AlertReading, AlertSpec, Breach, Hysteresis
from console.domain.clock import Clock
from console.domain.errors import FencedError, StoreError
from console.domain.status import EngineStatus
from console.engine.aside import Aside
from console.engine.writer import Writer
from console.store.protocol import Store

EVERY_S = 1.0
REST = 50
"""A look that takes long is followed by a rest of so many times as long: the rules never take more than 2 %."""

LONGEST_REST_S = 60.0
"""A look in which the process stood still took as long as that: what stood still is said soon after, all the same."""

AT_ONCE = 20
"""Changes in one transaction: thousands of endpoints may fail at once, and deliveries are not to wait for that."""

REFRESH_S = 10.0
"""How often the store is told what firing alerts measure now."""


class Alerter:
    """Looks about once a second.

    Args:
        before: the engine that held the store before this one, and perhaps did not end in order.
        every_s, longest_rest_s: from one look to the next, at least and at most.
    """

    def __init__(
        self,
        *,
        aside: Aside,
        writer: Writer,
        clock: Clock,
        log: FilteringBoundLogger,
        before: EngineStatus | None,
        every_s: float = EVERY_S,
        longest_rest_s: float = LONGEST_REST_S,
    ) -> None:
        self._aside, self._writer, self._clock, self._log = aside, writer, clock, log
        self._every_s, self._longest_rest_s = every_s, longest_rest_s
        self._hysteresis = Hysteresis()
        self._died = before if before is not None and before.stopped_at_ms is None else None
        self._looked_s = clock.monotonic_s()
        self._refreshed_s = 0.0

    async def run(self) -> None:
        """Look until cancelled. Raises FencedError when a newer engine has taken over."""
        while True:
            began_s = self._clock.monotonic_s()
            try:
                await self._look()
            except FencedError:
                raise
            except StoreError as error:
                self._log.error("alerts cannot be evaluated", error=str(error))
            took_s = self._clock.monotonic_s() - began_s
            await asyncio.sleep(max(self._every_s, min(REST * took_s, self._longest_rest_s)))

    async def _look(self) -> None:
        now_ms, now_s = self._clock.now_ms(), self._clock.monotonic_s()
        reading = await self._aside.do(lambda store: store.measure_alerts(now_ms))
        gone_ms = self._gone_ms(now_ms, now_s)
        self._died, self._looked_s = None, now_s
        changes = _gone(reading, gone_ms, now_ms) + self._hysteresis.step(reading, now_s=now_s, now_ms=now_ms)
        if changes:
            for start in range(0, len(changes), AT_ONCE):
                await self._record(changes[start : start + AT_ONCE], now_ms)
        elif reading.firing and now_s - self._refreshed_s >= REFRESH_S:
            self._refreshed_s = now_s
            values = {key: reading.breaches[key].value for key in reading.firing if key in reading.breaches}
            await self._writer.do(lambda store: store.refresh_alerts(values))

    async def _record(self, changes: list[AlertChange], now_ms: int) -> None:
        fired, over = await self._writer.do(partial(_record, changes, now_ms))
        for alert in fired:
            self._log.warning("alert fired", rule=alert.rule.id, says=alert.words)
        for alert in over:
            self._log.info("alert resolved", rule=alert.rule.id, says=alert.words)

    def _gone_ms(self, now_ms: int, now_s: float) -> int:
        """For how long nobody lived until now: since the last look, or since the last beat of an engine that died.

        Within one life by the clock that nobody can set.
        """
        return round((now_s - self._looked_s) * 1000) if self._died is None else now_ms - self._died.heartbeat_at_ms


def _gone(reading: AlertReading, gone_ms: int, now_ms: int) -> list[AlertChange]:
    """When that was longer than a rule allows, it fires, and is over at once."""
    changes: list[AlertChange] = []
    for rule in reading.rules.values():
        if _stalled(rule.spec, gone_ms) and not rule.muted(now_ms):
            key, since_ms = (rule.id, 0), now_ms - gone_ms
            breach = Breach(value=gone_ms / 1000, since_ms=since_ms)
            changes.append(AlertChange(key=key, breach=breach, since_ms=since_ms))
            changes.append(AlertChange(key=key, breach=None, since_ms=now_ms))
    return changes


def _record(changes: list[AlertChange], now_ms: int, store: Store) -> tuple[list[Alert], list[Alert]]:
    """What fired, and what is over."""
    fired = store.record_alerts([change for change in changes if change.breach is not None], now_ms)
    return fired, store.record_alerts([change for change in changes if change.breach is None], now_ms)


def _stalled(spec: AlertSpec, gone_ms: int) -> bool:
    return spec.kind is AlertKind.ENGINE_STALLED and gone_ms >= spec.threshold * 1000
