"""How fast an endpoint may be called: rate limits, and the ramp after a pause."""

import math
from dataclasses import dataclass

RAMP_FROM = 0.1
"""The part of its rate with which a ramp begins."""

BURST_S = 0.1
"""So much time's worth of requests may come at once, one at least: what a turn of the engine needs to keep the rate."""

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How an operator wants a backlog drained after a pause: at `per_s` requests a second, reached by an even climb
    over `ramp_s` seconds from `since_ms` (epoch ms). It ends when nothing is due any more."""

    per_s: float
    ramp_s: float
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """A rate over time: it climbs evenly from `from_per_s` to `per_s` over `climb_s` seconds, and stays there."""

    per_s: float
    from_per_s: float
    climb_s: float = 0.0

    def allowance(self, elapsed_s: float) -> float:
        """How many requests it allows in this time from its beginning."""
        climbing = min(elapsed_s, self.climb_s)
        slope = (self.per_s - self.from_per_s) / self.climb_s if self.climb_s else 0.0
        return climbing * (self.from_per_s + slope * climbing / 2) + (elapsed_s - climbing) * self.per_s

    def elapsed_s(self, allowance: float) -> float:
        """The inverse of `allowance`."""
        climbed = self.climb_s * (self.from_per_s + self.per_s) / 2
        if allowance >= climbed:
            return self.climb_s + (allowance - climbed) / self.per_s
        slope = (self.per_s - self.from_per_s) / self.climb_s
        if slope == 0:
            return allowance / self.from_per_s
        return (math.sqrt(self.from_per_s**2 + 2 * slope * allowance) - self.from_per_s) / slope


def speed_of(limit_per_s: float | None, pace: Pace | None) -> Speed | None:
    """The lower of a policy's rate and the pace after a pause, at each moment; None without both."""
    if pace is None:
        return None if limit_per_s is None else Speed(per_s=limit_per_s, from_per_s=limit_per_s)
    top = pace.per_s if limit_per_s is None else min(pace.per_s, limit_per_s)
    low = min(pace.per_s * RAMP_FROM, top)
    if pace.ramp_s < 0.001 or low == top:
        return Speed(per_s=top, from_per_s=top)
    climb_s = pace.ramp_s * (top - low) / (pace.per_s * (1 - RAMP_FROM))
    return Speed(per_s=top, from_per_s=low, climb_s=climb_s)


class Limiter:
    """A speed kept by the generic cell rate algorithm: in any period no more requests than the speed allows in it, and
    a burst. It knows one number, what has been taken so far and is not yet covered. Times are monotonic seconds.

    Args:
        since_s: when the speed began; its climb counts from there.
        owed: how far whoever came before was ahead of its speed (`debt`), so that a changed limit is no fresh start.
    """

    def __init__(self, speed: Speed, *, since_s: float, now_s: float, owed: float = 0.0) -> None:
        self.speed, self._since_s = speed, since_s
        self.burst = max(1, int(speed.per_s * BURST_S))
        self._taken = self._covered(now_s) + min(owed, self.burst)

    def available(self, now_s: float) -> int:
        """How many requests may begin now."""
        return max(0, int(self.burst - self.debt(now_s) + _ROUNDING))

    def take(self, count: int, now_s: float) -> None:
        """So many begin; no more than are available."""
        self._taken = max(self._taken, self._covered(now_s)) + count

    def give_back(self, count: int) -> None:
        """So many of those taken last did not begin."""
        self._taken -= count

    def next_s(self, count: int = 1) -> float:
        """When so many more may begin, no more than a burst; in the past when they may now."""
        return self._since_s + self.speed.elapsed_s(max(0.0, self._taken + count - self.burst))

    def debt(self, now_s: float) -> float:
        """How far what was taken is ahead of the speed, in requests."""
        return max(0.0, self._taken - self._covered(now_s))

    def _covered(self, now_s: float) -> float:
        return self.speed.allowance(max(0.0, now_s - self._since_s))
