"""Rate limits and ramps: what may begin when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.pacing import RAMP_FROM, Limiter, Pace, Speed, speed_of

RATES = st.floats(0.02, 5000)


def even(per_s: float) -> Speed:
    return Speed(per_s=per_s, from_per_s=per_s)


def limiter(speed: Speed, now_s: float = 0.0) -> Limiter:
    return Limiter(speed, since_s=now_s, now_s=now_s)


@given(rate=RATES, waits=st.lists(st.floats(0, 2), min_size=1, max_size=60), wanted=st.integers(1, 600))
def test_never_more_than_count_and_burst_in_any_period(rate: float, waits: list[float], wanted: int) -> None:
    one, now_s = limiter(even(rate), 1000.0), 1000.0
    taken: list[tuple[float, int]] = []
    for wait in waits:
        now_s += wait / rate * 10
        count = min(wanted, one.available(now_s))
        one.take(count, now_s)
        taken.append((now_s, count))
    for i, (since_s, _) in enumerate(taken):
        for j in range(i, len(taken)):
            sent = sum(count for _, count in taken[i : j + 1])
            assert sent <= (taken[j][0] - since_s) * rate + one.burst + 1e-3


@given(rate=RATES, count=st.integers(1, 200))
def test_waiting_for_the_next_keeps_the_rate(rate: float, count: int) -> None:
    one, now_s = limiter(even(rate)), 0.0
    for _ in range(count):
        now_s = max(now_s, one.next_s())
        assert one.available(now_s) >= 1
        one.take(1, now_s)
    assert now_s == pytest.approx(max(0, count - one.burst) / rate, rel=1e-6, abs=1e-6)


def test_a_burst_is_a_tenth_of_a_second() -> None:
    assert limiter(even(50)).available(0) == 5
    assert limiter(even(3)).available(0) == 1
    one = limiter(even(50))
    one.take(5, 0)
    assert one.available(0.019) == 0
    assert one.next_s() == pytest.approx(0.02)
    assert one.available(0.02) == 1
    assert one.available(10) == 5, "what was not used is not saved up"


def test_what_did_not_begin_is_given_back() -> None:
    one = limiter(even(50))
    one.take(5, 0)
    one.give_back(3)
    assert one.available(0) == 3


def test_a_changed_limit_is_no_fresh_start() -> None:
    one = limiter(even(100))
    one.take(10, 5.0)
    other = Limiter(even(50), since_s=5.0, now_s=5.0, owed=one.debt(5.0))
    assert other.available(5.0) == 0


@given(per_s=RATES, limit=st.none() | RATES, ramp_s=st.floats(0, 600), at=st.floats(0, 1))
def test_the_lower_of_the_two_counts_at_each_moment(
    per_s: float, limit: float | None, ramp_s: float, at: float
) -> None:
    speed = speed_of(limit, Pace(per_s=per_s, ramp_s=ramp_s, since_ms=0))
    assert speed is not None
    elapsed_s, width_s = at * ramp_s * 1.2, 1e-3
    rate = (speed.allowance(elapsed_s + width_s) - speed.allowance(elapsed_s)) / width_s
    middle_s = elapsed_s + width_s / 2
    climbed = min(1.0, middle_s / ramp_s) if ramp_s else 1.0
    expected = per_s * (RAMP_FROM + (1 - RAMP_FROM) * climbed)
    if limit is not None:
        expected = min(limit, expected)
    assert rate == pytest.approx(expected, rel=0.01, abs=per_s * width_s / max(ramp_s, width_s) + 1e-2 * per_s)


@given(per_s=RATES, ramp_s=st.floats(0.1, 600), allowance=st.floats(0, 1e6))
def test_when_is_the_inverse_of_how_many(per_s: float, ramp_s: float, allowance: float) -> None:
    speed = speed_of(None, Pace(per_s=per_s, ramp_s=ramp_s, since_ms=0))
    assert speed is not None
    assert speed.allowance(speed.elapsed_s(allowance)) == pytest.approx(allowance, rel=1e-6, abs=1e-6)


def test_without_a_limit_and_a_pace_there_is_no_speed() -> None:
    assert speed_of(None, None) is None
    assert speed_of(20, None) == even(20)
    assert speed_of(20, Pace(per_s=100, ramp_s=0, since_ms=0)) == even(20)
    assert speed_of(20, Pace(per_s=5, ramp_s=0, since_ms=0)) == even(5)
