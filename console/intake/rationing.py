"""How much is kept of what is refused: a flood of it must not fill the disk."""

from console.domain.pacing import Limiter, speed_of
from console.domain.source import SourceId

KEPT_A_MINUTE = 60
"""Rejected requests of one source; those above are counted alone."""


class Ration:
    """Which rejected requests are kept."""

    def __init__(self, most_a_minute: int = KEPT_A_MINUTE) -> None:
        self._most = most_a_minute
        self._limiters: dict[SourceId, Limiter] = {}
        self._uncounted: dict[SourceId, int] = {}

    def admit(self, source: SourceId, now_s: float) -> int | None:
        """How many before this one were not kept; None: neither is this one."""
        limiter = self._limiters.get(source)
        if limiter is None:
            limiter = self._limiters[source] = limiter_of(self._most / 60, burst=self._most, now_s=now_s)
        if not limiter.available(now_s):
            self._uncounted[source] = self._uncounted.get(source, 0) + 1
            return None
        limiter.take(1, now_s)
        return self._uncounted.pop(source, 0)


def limiter_of(per_s: float, *, burst: int, now_s: float) -> Limiter:
    """One with a burst of its own: webhooks come in heaps."""
    speed = speed_of(per_s, None)
    assert speed is not None
    limiter = Limiter(speed, since_s=now_s, now_s=now_s)
    limiter.burst = burst
    return limiter
