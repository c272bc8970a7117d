"""The circuit breaker: what counts, when it opens, and how long it waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.breaker import BUCKETS, Breaker, Sign, probe_wait_s, sign_of
from console.domain.outcome import Cause
from console.domain.policy import BreakerPolicy


@pytest.mark.parametrize("cause", list(Cause))
def test_what_every_cause_says(cause: Cause) -> None:
    nothing = {Cause.UNKNOWN_OUTCOME, Cause.TRANSFORM_ERROR, Cause.BLOCKED_ADDRESS, Cause.GONE}
    assert sign_of(cause, None) is (Sign.NOTHING if cause in nothing else Sign.ILL)


@pytest.mark.parametrize(
    ("status", "sign"),
    [(s, Sign.WELL) for s in (400, 409, 413, 415, 422)] + [(s, Sign.ILL) for s in (401, 403, 404, 405, 408, 429)],
)
def test_what_one_payload_can_cause_does_not_count(status: int, sign: Sign) -> None:
    assert sign_of(Cause.HTTP_4XX, status) is sign


def test_a_success_is_a_sign_of_health() -> None:
    assert sign_of(None, 200) is Sign.WELL


def test_failures_in_a_row_open_it_and_one_success_between_does_not() -> None:
    breaker = Breaker(BreakerPolicy(consecutive=3))
    assert [breaker.failed(0, "HTTP 503") for _ in range(2)] == [None, None]
    breaker.succeeded(0)
    said = [breaker.failed(0, "HTTP 503") for _ in range(3)]
    assert said == [None, None, "3 failures in a row: HTTP 503"]


def test_too_many_failures_in_a_while_open_it() -> None:
    breaker = Breaker(BreakerPolicy(consecutive=100, ratio=0.5, least=10, window_s=60))
    for i in range(4):
        breaker.succeeded(i)
        assert breaker.failed(i, "refused") is None
    breaker.succeeded(5)
    assert breaker.failed(5, "refused") == "5 of 10 attempts failed within 60 s: refused"


def test_what_left_the_window_counts_no_more() -> None:
    breaker = Breaker(BreakerPolicy(consecutive=100, ratio=0.5, least=10, window_s=60))
    for _ in range(9):
        breaker.failed(0, "refused")
    assert breaker.failed(61, "refused") is None


@given(
    steps=st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=150),
    consecutive=st.integers(1, 30),
    ratio=st.sampled_from([0.05, 0.3, 0.5, 0.7, 1.0]),
    least=st.integers(1, 40),
)
def test_it_opens_when_a_recount_says_so(
    steps: list[tuple[float, bool]], consecutive: int, ratio: float, least: int
) -> None:
    policy = BreakerPolicy(consecutive=consecutive, ratio=ratio, least=least, window_s=60)
    breaker, now_s = Breaker(policy), 1000.0
    history: list[tuple[int, bool]] = []
    for wait_s, good in steps:
        now_s += wait_s
        part = int(now_s / (60 / BUCKETS))
        history.append((part, good))
        if good:
            breaker.succeeded(now_s)
            continue
        recent = [g for p, g in history if p > part - BUCKETS]
        row = next((i for i, (_, g) in enumerate(reversed(history)) if g), len(history))
        expected = row >= consecutive or (len(recent) >= least and recent.count(False) >= ratio * len(recent))
        assert (breaker.failed(now_s, "x") is not None) == expected
        assert len(breaker._parts) <= BUCKETS


@given(trips=st.integers(1, 10_000), probe_s=st.floats(0.1, 3600), more=st.floats(0, 1e5))
def test_waits_double_up_to_the_cap(trips: int, probe_s: float, more: float) -> None:
    policy = BreakerPolicy(probe_s=probe_s, probe_cap_s=probe_s + more)
    wait_s = probe_wait_s(policy, trips)
    assert wait_s <= policy.probe_cap_s
    assert wait_s == policy.probe_cap_s or wait_s == probe_s * 2 ** (trips - 1)
    assert probe_wait_s(policy, trips + 1) >= wait_s
