"""How the engine and each endpoint stand."""

from dataclasses import dataclass

from console.domain.outcome import Cause

HEARTBEAT_S = 1.0
STALE_AFTER_S = 3.0
"""An engine whose heartbeat is older than this is not taken for alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """The last engine that held this store. `epoch` counts engines; a write with an old one is refused."""

    epoch: int
    pid: int
    host: str
    version: str
    started_at_ms: int
    heartbeat_at_ms: int
    stopped_at_ms: int | None
    """When it ended in order; None while it runs, and after a crash."""
    stop_requested: bool
    in_flight: int

    def alive(self, now_ms: int) -> bool:
        return self.stopped_at_ms is None and now_ms - self.heartbeat_at_ms < STALE_AFTER_S * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """Counts of deliveries by state, and the last success and failure, of one endpoint or of all."""

    pending: int = 0
    sending: int = 0
    delivered: int = 0
    failed: int = 0
    cancelled: int = 0
    last_success_at_ms: int | None = None
    last_failure_at_ms: int | None = None
    last_failure_cause: Cause | None = None
    last_failure_detail: str | None = None
    failing_since_ms: int | None = None
    """When the first failure after the last success ended; None: the last attempt succeeded, or there was none."""
