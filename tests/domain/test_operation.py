"""How fast an operation with a rate may go, and what is said of it at the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.operation import BURST_MS, allowance, result_words

NOW_MS = 1_700_000_000_000
RATES = st.floats(1 / 3600, 10_000)


def moved(rate_per_s: float, paced_until_ms: float, ticks_ms: list[int]) -> list[int]:
    """How many are moved at each time by one who takes all that is allowed."""
    counts = []
    for now_ms in ticks_ms:
        count, since_ms = allowance(rate_per_s, paced_until_ms, now_ms)
        paced_until_ms = since_ms + count * 1000 / rate_per_s if count else paced_until_ms
        counts.append(count)
    return counts


@given(rate=RATES, waits=st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_never_more_than_the_rate_and_one_burst(rate: float, waits: list[int]) -> None:
    ticks = [NOW_MS + sum(waits[: i + 1]) for i in range(len(waits))]
    counts = moved(rate, NOW_MS - 1000 / rate, ticks)
    for first in range(len(ticks)):
        for last in range(first, len(ticks)):
            span_ms = ticks[last] - ticks[first] + 1000 / rate + BURST_MS
            assert sum(counts[first : last + 1]) <= span_ms * rate / 1000 + 0.5


@given(rate=st.floats(0.1, 10_000), every_ms=st.integers(1, 200))
def test_who_comes_often_enough_gets_the_whole_rate(rate: float, every_ms: int) -> None:
    ticks = [NOW_MS + i * every_ms for i in range(400)]
    total = sum(moved(rate, NOW_MS - 1000 / rate, ticks))
    assert total == pytest.approx(1 + (ticks[-1] - NOW_MS) * rate / 1000, abs=2)


@given(rate=RATES, away_ms=st.integers(-(10**9), 10**9))
def test_a_stop_or_a_clock_that_was_set_releases_one_burst(rate: float, away_ms: int) -> None:
    count, since_ms = allowance(rate, NOW_MS, NOW_MS + away_ms)
    assert 0 <= count <= 1 + BURST_MS * rate / 1000 + 0.5
    assert since_ms <= NOW_MS + away_ms + 1
    if abs(away_ms) > 1000 / rate + BURST_MS:
        assert count >= 1


@pytest.mark.parametrize(
    ("done", "total", "stopped", "words"),
    [
        (0, 0, False, "0 deliveries"),
        (1, 1, False, "1 delivery"),
        (25, 25, False, "25 deliveries"),
        (30, 25, False, "30 deliveries"),
        (24, 25, False, "24 deliveries; 1 had changed meanwhile"),
        (12, 25, True, "stopped after 12 of 25 deliveries"),
        (0, 1, True, "stopped after 0 of 1 delivery"),
    ],
)
def test_what_came_of_it(done: int, total: int, stopped: bool, words: str) -> None:
    assert result_words(done, total, stopped=stopped) == words
