from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.rates import LATENCY_BOUNDS_MS, SLOTS, WINDOWS, Bucket, percentile_ms, slot_of, total_of, window_of

DURATIONS = st.floats(0, 30_000)


def histogram_of(durations: list[float]) -> tuple[int, ...]:
    counts = [0] * SLOTS
    for duration in durations:
        counts[slot_of(duration)] += 1
    return tuple(counts)


def bounds_of(slot: int) -> tuple[float, float]:
    low = LATENCY_BOUNDS_MS[slot - 1] if slot else 0
    return low, LATENCY_BOUNDS_MS[slot] if slot < len(LATENCY_BOUNDS_MS) else float("inf")


def make_bucket(start_s: int, accepted: int, durations: list[float], failed: int) -> Bucket:
    failed = min(failed, len(durations))
    return Bucket(
        start_s=start_s,
        accepted=accepted,
        ok=len(durations) - failed,
        failed=failed,
        histogram=histogram_of(durations),
    )


BUCKETS = st.lists(
    st.builds(
        make_bucket,
        st.integers(0, 1000),
        st.integers(0, 9),
        st.lists(DURATIONS, max_size=6),
        st.integers(0, 6),
    ),
    max_size=6,
)


def test_bounds_grow() -> None:
    assert all(a < b for a, b in pairwise(LATENCY_BOUNDS_MS))


@given(DURATIONS)
def test_a_duration_is_within_its_slot(duration: float) -> None:
    low, high = bounds_of(slot_of(duration))
    assert low < duration <= high or (duration == 0 and low == 0)


@given(st.lists(DURATIONS, min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_lies_in_the_slot_of_the_exact_one(durations: list[float], q: float) -> None:
    histogram = histogram_of(durations)
    answer = percentile_ms(histogram, q)
    assert answer is not None
    # The nearest-rank percentile: the smallest sample that at least a share q of all does not exceed.
    rank = next(i for i in range(1, len(durations) + 1) if i >= q * len(durations))
    low, high = bounds_of(slot_of(sorted(durations)[rank - 1]))
    assert low <= answer <= high


@given(st.lists(DURATIONS, min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_percentiles_grow_with_the_share(durations: list[float], a: float, b: float) -> None:
    low, high = sorted((a, b))
    at_low, at_high = percentile_ms(histogram_of(durations), low), percentile_ms(histogram_of(durations), high)
    assert at_low is not None
    assert at_high is not None
    assert at_low <= at_high


def test_interpolation_inside_a_slot() -> None:
    histogram = histogram_of([25.0] * 10)
    assert percentile_ms(histogram, 0.5) == pytest.approx(25.0)
    assert percentile_ms(histogram, 1.0) == 30.0


def test_the_open_slot_answers_its_lower_bound() -> None:
    assert percentile_ms(histogram_of([60_000.0]), 0.99) == LATENCY_BOUNDS_MS[-1]


def test_nothing_has_no_percentile_and_no_error_rate() -> None:
    empty = total_of([], 7)
    assert empty == Bucket(start_s=7, accepted=0, ok=0, failed=0, histogram=(0,) * SLOTS)
    assert empty.percentile_ms(0.5) is None
    assert empty.error_ratio is None


@given(BUCKETS)
def test_a_total_is_the_sum_of_every_part(buckets: list[Bucket]) -> None:
    total = total_of(buckets, 42)
    assert total.start_s == 42
    assert total.accepted == sum(b.accepted for b in buckets)
    assert (total.ok, total.failed) == (sum(b.ok for b in buckets), sum(b.failed for b in buckets))
    assert total.attempts == sum(b.attempts for b in buckets)
    assert sum(total.histogram) == sum(sum(b.histogram) for b in buckets)
    assert all(total.histogram[i] == sum(b.histogram[i] for b in buckets) for i in range(SLOTS))
    assert total.error_ratio is None or 0 <= total.error_ratio <= 1


@given(BUCKETS, BUCKETS)
def test_totals_of_parts_add_up(a: list[Bucket], b: list[Bucket]) -> None:
    assert total_of([total_of(a, 0), total_of(b, 0)], 0) == total_of(a + b, 0)


def test_windows_are_known_by_their_length() -> None:
    assert [window_of(w.length_s) for w in WINDOWS] == list(WINDOWS)
    assert [w.label for w in WINDOWS] == ["1m", "5m", "15m", "1h", "6h", "24h"]
    assert all(w.length_s % w.width_s == 0 for w in WINDOWS)


@given(st.floats(0, 10**6))
def test_a_window_of_any_length(length_s: float) -> None:
    window = window_of(length_s)
    assert window.length_s == max(1, round(length_s))
    assert window.width_s == (1 if window.length_s <= 900 else 60)
