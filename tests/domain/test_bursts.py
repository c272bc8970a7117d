"""Where an incident begins and ends, in counts by the minute."""

from hypothesis import given
from hypothesis import strategies as st

from console.domain.bursts import LONGEST, bursts
from console.domain.rates import MINUTE, SLOTS, Bucket

START_S = 1_700_000_040


def minutes(*failed: int) -> list[Bucket]:
    """Minutes one after the other; those without failures are absent."""
    none = (0,) * SLOTS
    return [
        Bucket(start_s=START_S + n * MINUTE, accepted=0, ok=5, failed=count, histogram=none)
        for n, count in enumerate(failed)
        if count
    ]


def found(*failed: int) -> list[tuple[int, int, int]]:
    """The first minute of each burst, its length in minutes, and its failures."""
    end_s = START_S + len(failed) * MINUTE
    return [
        ((burst.start_s - START_S) // MINUTE, (burst.end_s - burst.start_s) // MINUTE, burst.failed)
        for burst in bursts(minutes(*failed), since_s=START_S, until_s=end_s)
    ]


def test_a_lone_failure_is_none() -> None:
    assert found(*[0] * 30, 1, 0, 2, 0) == []


def test_an_incident_is_one_burst_with_its_end() -> None:
    assert found(*[0] * 30, 9, 12, 7, *[0] * 5, 20) == [(30, 3, 28), (38, 1, 20)]


def test_what_always_fails_is_usual_and_more_of_it_is_a_burst() -> None:
    assert found(*[10] * 90, *[60] * 3, *[10] * 5)[-1] == (90, 3, 180)
    assert [burst[0] for burst in found(*[10] * 200)] == [0], "it only begins once"


def test_a_burst_ends_when_it_has_become_usual() -> None:
    ((first, length, _),) = found(*[0] * 30, *[50] * 300)
    assert (first, length) == (30, LONGEST)


def test_only_those_that_begin_in_the_stretch_are_given() -> None:
    seen = bursts(minutes(*[0] * 5, 9, 9, 0, 9), since_s=START_S + 6 * MINUTE, until_s=START_S + 9 * MINUTE)
    assert [(burst.start_s - START_S) // MINUTE for burst in seen] == [8]


@given(st.lists(st.integers(0, 200), max_size=120))
def test_bursts_follow_each_other_and_hold_what_failed(failed: list[int]) -> None:
    end = 0
    for first, length, count in found(*failed):
        assert first >= end
        end = first + length
        assert count == sum(failed[first:end]) > 2
