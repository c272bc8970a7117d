"""Rates and latencies over a window, from buckets with a histogram: what a screen costs does not grow with history."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LATENCY_BOUNDS_MS: tuple[int, ...] = (
    1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700,
    1000, 1500, 2000, 3000, 5000, 7000, 10000, 15000,
)  # fmt: skip
"""Upper bounds of the histogram's slots; one more slot takes what is longer."""

SLOTS = len(LATENCY_BOUNDS_MS) + 1
SECOND, MINUTE = 1, 60
"""Bucket widths, in seconds."""

SECONDS_KEPT_S = 2 * 3600
"""How long buckets of one second are kept; windows beyond a quarter of an hour read minutes."""


def slot_of(total_ms: float) -> int:
    """The histogram slot of a duration."""
    return bisect_left(LATENCY_BOUNDS_MS, total_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What happened in one stretch of time. `histogram` counts ended attempts by duration."""

    start_s: int
    accepted: int
    """Events accepted; only counted for all endpoints together."""
    ok: int
    failed: int
    histogram: tuple[int, ...]

    @property
    def attempts(self) -> int:
        return self.ok + self.failed

    @property
    def error_ratio(self) -> float | None:
        """Failed of all attempts; None when there were none."""
        return self.failed / self.attempts if self.attempts else None

    def percentile_ms(self, q: float) -> float | None:
        """See `percentile_ms`."""
        return percentile_ms(self.histogram, q)


def percentile_ms(histogram: Sequence[int], q: float) -> float | None:
    """The duration below which a share `q` of the attempts ended, by linear interpolation inside the slot.

    None when the histogram is empty. In the last, open slot the answer is its lower bound.
    """
    total = sum(histogram)
    if not total:
        return None
    rank, seen = q * total, 0
    for slot, count in enumerate(histogram):
        if count and seen + count >= rank:
            low = LATENCY_BOUNDS_MS[slot - 1] if slot else 0
            if slot >= len(LATENCY_BOUNDS_MS):
                return float(low)
            return low + (LATENCY_BOUNDS_MS[slot] - low) * max(0.0, rank - seen) / count
        seen += count
    return float(LATENCY_BOUNDS_MS[-1])


def total_of(buckets: Iterable[Bucket], start_s: int) -> Bucket:
    """The sum of buckets, as one that starts at `start_s`."""
    accepted = ok = failed = 0
    histogram = [0] * SLOTS
    for bucket in buckets:
        accepted += bucket.accepted
        ok += bucket.ok
        failed += bucket.failed
        for i, n in enumerate(bucket.histogram):
            histogram[i] += n
    return Bucket(start_s=start_s, accepted=accepted, ok=ok, failed=failed, histogram=tuple(histogram))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time that ends now, and the width of the buckets it is read in."""

    label: str
    length_s: int
    width_s: int


WINDOWS: tuple[Window, ...] = (
    Window(label="1m", length_s=60, width_s=SECOND),
    Window(label="5m", length_s=300, width_s=SECOND),
    Window(label="15m", length_s=900, width_s=SECOND),
    Window(label="1h", length_s=3600, width_s=MINUTE),
    Window(label="6h", length_s=6 * 3600, width_s=MINUTE),
    Window(label="24h", length_s=24 * 3600, width_s=MINUTE),
)


def window_of(length_s: float) -> Window:
    """A window of any length: seconds up to 15 minutes, minutes above."""
    seconds = max(1, round(length_s))
    known = next((w for w in WINDOWS if w.length_s == seconds), None)
    width = SECOND if seconds <= 900 else MINUTE
    return known or Window(label=f"{seconds}s", length_s=seconds, width_s=width)
