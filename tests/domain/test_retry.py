import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.retry import (
    JITTER,
    RETRY_AFTER_CAP_S,
    RETRY_AFTER_STATUSES,
    STANDARD_SCHEDULE_S,
    GiveUp,
    RetryAt,
    check_schedule,
    first_attempt_at_ms,
    next_try,
    parse_duration_s,
    parse_schedule_s,
    retry_after_s,
)
from tests.factories import NOW_MS

DAY_S = 24 * 3600.0
SCHEDULES = st.lists(st.floats(0, 30 * DAY_S), min_size=1, max_size=12).map(tuple)
UNITS = st.floats(0, 1, exclude_max=True)
ASKED = st.none() | st.floats(0, 10 * DAY_S)


def wait_s(schedule: tuple[float, ...], step: int, *, asked: float | None = None, unit: float = 0.5) -> float:
    following = next_try(schedule_s=schedule, step=step, ended_at_ms=0, retry_after_s=asked, jitter_unit=unit)
    assert isinstance(following, RetryAt)
    return following.at_ms / 1000


def test_the_standard_schedule_is_the_one_that_standard_webhooks_advises() -> None:
    minutes, hours = 60, 3600
    assert list(STANDARD_SCHEDULE_S) == [
        0, 5, 5 * minutes, 30 * minutes, 2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours,
    ]  # fmt: skip
    assert [wait_s(STANDARD_SCHEDULE_S, step) for step in range(1, 10)] == list(STANDARD_SCHEDULE_S[1:])


@given(SCHEDULES)
def test_a_delivery_gets_as_many_tries_as_its_schedule_has_waits(schedule: tuple[float, ...]) -> None:
    tries = 1
    while isinstance(
        following := next_try(schedule_s=schedule, step=tries, ended_at_ms=NOW_MS, retry_after_s=None, jitter_unit=0.5),
        RetryAt,
    ):
        tries += 1
    assert tries == len(schedule)
    assert following == GiveUp(why=f"schedule exhausted after {tries} {'try' if tries == 1 else 'tries'}")


@given(SCHEDULES, st.integers(1, 12), ASKED)
def test_nothing_a_receiver_asks_for_prolongs_an_exhausted_schedule(
    schedule: tuple[float, ...], over: int, asked: float | None
) -> None:
    following = next_try(
        schedule_s=schedule, step=len(schedule) - 1 + over, ended_at_ms=0, retry_after_s=asked, jitter_unit=0
    )
    assert isinstance(following, GiveUp)


@given(st.floats(0, 30 * DAY_S), UNITS)
def test_a_wait_is_spread_over_a_fifth_either_way(base: float, unit: float) -> None:
    wait = wait_s((0, base), 1, unit=unit)
    assert base * (1 - JITTER) - 0.001 <= wait <= base * (1 + JITTER) + 0.001


@given(st.floats(1, 30 * DAY_S), UNITS, UNITS)
def test_the_spread_follows_the_random_number(base: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert wait_s((0, base), 1, unit=low) <= wait_s((0, base), 1, unit=high)
    assert wait_s((0, base), 1, unit=0.0) < wait_s((0, base), 1, unit=0.999)


@given(st.floats(0, 30 * DAY_S), ASKED, UNITS)
def test_retry_after_never_shortens_a_wait(base: float, asked: float | None, unit: float) -> None:
    assert wait_s((0, base), 1, asked=asked, unit=unit) >= wait_s((0, base), 1, unit=unit)


@given(st.floats(0, 30 * DAY_S), st.floats(0, 2 * DAY_S), st.floats(0, 2 * DAY_S), UNITS)
def test_who_asks_for_longer_never_waits_shorter(base: float, a: float, b: float, unit: float) -> None:
    low, high = sorted((a, b))
    assert wait_s((0, base), 1, asked=low, unit=unit) <= wait_s((0, base), 1, asked=high, unit=unit)


@given(st.floats(0, 100 * DAY_S), UNITS)
def test_what_is_asked_for_is_waited_for_up_to_the_cap(asked: float, unit: float) -> None:
    wait = wait_s((0, 0), 1, asked=asked, unit=unit)
    capped = min(asked, RETRY_AFTER_CAP_S)
    assert capped - 0.001 <= wait <= capped + 10.001


def test_the_reason_names_who_decided() -> None:
    def why(asked: float | None) -> str:
        following = next_try(schedule_s=(0, 5), step=1, ended_at_ms=0, retry_after_s=asked, jitter_unit=0.5)
        return following.why

    assert why(None) == "wait 2 of the schedule, 5 s ±20%"
    assert why(3) == why(None)
    assert why(120) == "the receiver asked for 120 s (Retry-After)"


@given(SCHEDULES, st.integers(0, 2**45))
def test_the_first_try_is_due_after_the_first_wait_exactly(schedule: tuple[float, ...], now_ms: int) -> None:
    assert first_attempt_at_ms(schedule, now_ms) == now_ms + round(schedule[0] * 1000)


# --- Retry-After


def asked_s(value: str, status: int = 503, now_ms: int = NOW_MS) -> float | None:
    return retry_after_s(status, {"retry-after": value}, now_ms)


@pytest.mark.parametrize("status", range(200, 600))
def test_retry_after_is_honoured_for_four_statuses(status: int) -> None:
    assert (asked_s("7", status) == 7) == (status in {429, 502, 503, 504})
    assert {429, 502, 503, 504} == RETRY_AFTER_STATUSES


def test_absent_is_none() -> None:
    assert retry_after_s(503, {}, NOW_MS) is None


@given(st.integers(0, 10**11 - 1))
def test_delay_seconds(seconds: int) -> None:
    assert asked_s(f" {seconds}\t") == seconds


def test_an_endless_number_is_the_cap_and_not_an_endless_computation() -> None:
    assert asked_s("9" * 100_000) == RETRY_AFTER_CAP_S


@given(st.integers(-(10**8), 10**8))
def test_an_http_date_is_counted_from_now_and_the_past_is_now(seconds: int) -> None:
    now_ms = NOW_MS - NOW_MS % 1000
    date = format_datetime(datetime.fromtimestamp(now_ms / 1000 + seconds, UTC), usegmt=True)
    assert asked_s(date, now_ms=now_ms) == max(0, seconds)


@pytest.mark.parametrize(
    "value",
    [
        "Tue, 14 Nov 2023 22:14:20 GMT",
        "Tuesday, 14-Nov-23 22:14:20 GMT",
        "Tue Nov 14 22:14:20 2023",
        "Tue, 14 Nov 2023 23:14:20 +0100",
        "14 Nov 2023 22:14:20 -0000",
    ],
)
def test_each_form_of_date(value: str) -> None:
    assert asked_s(value) == 60


@pytest.mark.parametrize(
    "value", ["", " ", "soon", "-5", "+5", "1.5", "1e3", "٣", "5 s", "Tue, 32 Nov 2023 22:14:20 GMT"]
)
def test_nonsense_asks_for_nothing(value: str) -> None:
    assert asked_s(value) is None


@given(
    st.text(max_size=40)
    | st.text("0123456789:,+- GMTueNov", max_size=40)
    | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,5} \d\d?:\d\d?:\d\d? [+-]?\w{0,5}")
)
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("Tue, 14 Nov 2023 22:14:20 +99999999999")
@example("(")
def test_whatever_a_receiver_sends_is_read_or_ignored(value: str) -> None:
    asked = asked_s(value)
    assert asked is None or (math.isfinite(asked) and asked >= 0)


# --- what an operator writes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("5s", 5), ("5m", 300), ("2h", 7200), ("1d", 86400), ("7", 7), ("0", 0), (" 1.5M ", 90)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "nan", "inf", "infs", "5w", "five", "1e400", "1e308d", "5\x1b"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_duration_s(text)
    assert str(refused.value).isprintable()


@given(st.text("0123456789.ehmsdinfa+-_ ", max_size=12))
def test_a_duration_is_a_finite_number_or_refused(text: str) -> None:
    try:
        seconds = parse_duration_s(text)
    except InvalidInputError:
        return
    assert math.isfinite(seconds)
    assert seconds >= 0


def test_a_schedule_is_durations_separated_by_commas() -> None:
    assert parse_schedule_s("0, 5s,5m ,30m") == (0, 5, 300, 1800)


@pytest.mark.parametrize("text", ["", ",", "5s,", "5s,x", "31d", ",".join(["1"] * 51)])
def test_other_schedules_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_schedule_s(text)


@pytest.mark.parametrize("schedule", [(), (-1.0,), (math.nan,), (math.inf,), (30 * DAY_S + 1,), (0.0,) * 51])
def test_a_schedule_out_of_bounds_is_refused(schedule: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInputError, match="schedule"):
        check_schedule(schedule)


def test_a_schedule_at_its_bounds_is_accepted() -> None:
    assert check_schedule((0.0,) * 49 + (30 * DAY_S,))
