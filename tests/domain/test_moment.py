"""Moments as people write them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.moment import Moment, iso_utc, parse_moment

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


NOW_MS = ms("2026-11-24T16:02:30+00:00")
"""A Tuesday."""

POINTS = {
    "14:02": "2026-11-24T14:02:00Z",
    "14:02:11": "2026-11-24T14:02:11Z",
    "14:02:11.5": "2026-11-24T14:02:11.500Z",
    "16:02": "2026-11-24T16:02:00Z",
    "16:03": "2026-11-23T16:03:00Z",
    "yesterday 14:02": "2026-11-23T14:02:00Z",
    " Yesterday  14:02 ": "2026-11-23T14:02:00Z",
    "today 00:00": "2026-11-24T00:00:00Z",
    "mon 9:30": "2026-11-23T09:30:00Z",
    "friday 14:02": "2026-11-20T14:02:00Z",
    "tue 14:02": "2026-11-24T14:02:00Z",
    "2h ago": "2026-11-24T14:02:30Z",
    "2h": "2026-11-24T14:02:30Z",
    "1h30m ago": "2026-11-24T14:32:30Z",
    "90 min ago": "2026-11-24T14:32:30Z",
    "2026-11-24T14:02:00Z": "2026-11-24T14:02:00Z",
    "2026-11-24 14:02": "2026-11-24T14:02:00Z",
    "2026-11-24T15:02+01:00": "2026-11-24T14:02:00Z",
    "2026-11-23": "2026-11-23T00:00:00Z",
    "now": "2026-11-24T16:02:30Z",
}

RANGES = {
    "14:02..14:20": "2026-11-24T14:02:00Z..2026-11-24T14:20:00Z",
    "23:50..00:10": "2026-11-23T23:50:00Z..2026-11-24T00:10:00Z",
    "15:50..16:30": "2026-11-24T15:50:00Z..2026-11-24T16:02:30Z",
    "14:02..": "2026-11-24T14:02:00Z..2026-11-24T16:02:30Z",
    "14:02 .. now": "2026-11-24T14:02:00Z..2026-11-24T16:02:30Z",
    "14:02..+20m": "2026-11-24T14:02:00Z..2026-11-24T14:22:00Z",
    "yesterday 14:02..14:20": "2026-11-23T14:02:00Z..2026-11-23T14:20:00Z",
    "2h ago..1h ago": "2026-11-24T14:02:30Z..2026-11-24T15:02:30Z",
    "2026-11-01T10:00Z..2026-11-01T10:30Z": "2026-11-01T10:00:00Z..2026-11-01T10:30:00Z",
}


@pytest.mark.parametrize("text", [*POINTS, *RANGES])
def test_each_form_means_what_people_mean(text: str) -> None:
    assert parse_moment(text, NOW_MS, UTC).argument == (POINTS | RANGES)[text]


def test_a_clock_is_of_the_zone_that_one_is_in() -> None:
    assert parse_moment("14:02", NOW_MS, BERLIN).argument == "2026-11-24T13:02:00Z"
    assert parse_moment("17:03", NOW_MS, BERLIN).argument == "2026-11-23T16:03:00Z", "it is 17:02:30 there"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no moment"),
        ("tomorrow", "is no moment"),
        ("25:00", "no time of a day"),
        ("yesterday", "of which time"),
        ("2026-11-25", "has not come yet"),
        ("14:20..14:20", "ends before it begins"),
        ("1h ago..2h ago", "ends before it begins"),
        ("1e9999h", "is no moment"),
        ("99999999999h", "too long ago"),
        ("14:02..x", "is no moment"),
    ],
)
def test_what_is_no_moment_of_the_past_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        parse_moment(text, NOW_MS, UTC)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_of_the_past_or_refused(text: str) -> None:
    try:
        moment = parse_moment(text, NOW_MS, UTC)
    except InvalidInputError:
        return
    assert 0 <= moment.at_ms <= NOW_MS
    assert moment.since_ms is None or moment.since_ms < moment.at_ms


TIMES = st.integers(0, NOW_MS)
ZONES = st.sampled_from([UTC, BERLIN, timezone(timedelta(hours=-9, minutes=-30))])


@given(TIMES, TIMES, ZONES)
def test_an_argument_is_read_back_exactly_and_anywhere(one: int, other: int, zone: timezone) -> None:
    since_ms, at_ms = sorted((one, other))
    moment = Moment(at_ms=at_ms) if since_ms == at_ms else Moment(at_ms=at_ms, since_ms=since_ms)
    assert parse_moment(moment.argument, NOW_MS, zone) == moment


@given(st.integers(0, 23), st.integers(0, 59), ZONES)
def test_a_clock_time_is_the_last_time_it_was(hour: int, minute: int, zone: timezone) -> None:
    at_ms = parse_moment(f"{hour}:{minute:02d}", NOW_MS, zone).at_ms
    assert NOW_MS - 86_400_000 < at_ms <= NOW_MS
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    assert (local.hour, local.minute, local.second) == (hour, minute, 0)


@given(TIMES, st.integers(-(10**13), 10**13))
def test_a_move_never_goes_beyond_what_there_is(at_ms: int, by_ms: int) -> None:
    moved = Moment(at_ms=at_ms, since_ms=max(0, at_ms - 60_000)).moved(by_ms, newest_ms=NOW_MS)
    assert 0 <= moved.at_ms <= NOW_MS
    assert moved.since_ms is not None
    assert moved.at_ms - moved.since_ms == at_ms - max(0, at_ms - 60_000), "a range keeps its length"


def test_the_text_has_milliseconds_only_where_there_are_some() -> None:
    assert (iso_utc(0), iso_utc(1_001)) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01.001Z")
