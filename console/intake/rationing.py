"""How much is kept of what is refused: a flood of it must not fill the disk."""

from console.domain.pacing import Limiter, speed_of
from console.domain.source import SourceId

KEPT_A_MINUTE = 60
"""Rejected requests of one source; those above are counted alone."""

KEPT_BYTES, KEPT_BYTES_AT_ONCE = 128 * 1024, 8 * 1024 * 1024
"""Of their headers and bodies: so much a minute, and so much at once. Strangers fill less than 200 MB a day."""


class Ration:
    """Which rejected requests are kept."""

    def __init__(self, most_a_minute: int = KEPT_A_MINUTE) -> None:
        self._most = most_a_minute
        self._limiters: dict[SourceId, tuple[Limiter, Limiter]] = {}
        self._uncounted: dict[SourceId, int] = {}

    def admit(self, source: SourceId, size_bytes: int, now_s: float) -> int | None:
        """How many before this one were not kept; None: neither is this one."""
        both = self._limiters.get(source)
        if both is None:
            both = self._limiters[source] = (
                limiter_of(self._most / 60, burst=self._most, now_s=now_s),
                limiter_of(KEPT_BYTES / 60, burst=KEPT_BYTES_AT_ONCE, now_s=now_s),
            )
        requests, size = both
        if not requests.available(now_s) or not size.available(now_s):
            self._uncounted[source] = self._uncounted.get(source, 0) + 1
            return None
        requests.take(1, now_s)
        size.take(size_bytes, now_s)
        return self._uncounted.pop(source, 0)


def limiter_of(per_s: float, *, burst: int, now_s: float) -> Limiter:
    """One with a burst of its own: webhooks come in heaps."""
    speed = speed_of(per_s, None)
    assert speed is not None
    limiter = Limiter(speed, since_s=now_s, now_s=now_s)
    limiter.burst = burst
    return limiter
