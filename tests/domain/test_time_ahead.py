"""Moments to come as people write them."""

import time
from collections.abc import Iterator

import pytest

from console.domain.errors import InvalidInputError
from console.domain.time_ahead import MOST_AHEAD_MS, parse_time_ahead

NOW_MS = 1_700_000_000_000  # 2023-11-14T22:13:20Z


@pytest.fixture(autouse=True)
def _in_paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800),
        (" 2h ", 7200),
        ("90s", 90),
        ("23:14", 40),  # 23:13:20 there now
        ("23:13:21", 1),
        ("23:13", 86_400 - 20),
        ("06:00", 6 * 3600 + 46 * 60 + 40),
        ("2023-11-14T23:30", 1000),
        ("2023-11-14T22:30Z", 1000),
    ],
)
def test_it_is_so_far_ahead(text: str, seconds: int) -> None:
    assert parse_time_ahead(text, NOW_MS) == NOW_MS + seconds * 1000


@pytest.mark.parametrize("text", ["", "soon", "25:00", "0s", "-5m", "2001-01-01T00:00", "31d", "06:00 am"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="time "):
        parse_time_ahead(text, NOW_MS)


def test_the_longest() -> None:
    assert parse_time_ahead("30d", NOW_MS) == NOW_MS + MOST_AHEAD_MS
