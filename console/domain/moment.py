"""A moment of the past, or a range of it, at which the whole screen is looked at; and how people write one.

Pure: the present and the zone are parameters.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from console.domain.errors import InvalidInputError
from console.domain.retry import parse_duration_s

HELP = "14:02, yesterday 14:02, 2h ago, an ISO time, or a range: 14:02..14:20"
"""What a moment may be written as, for prompts and messages."""

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?")
_PART = re.compile(r"\d+(?:\.\d+)?\s*(?:ms|s|min|m|h|d)(?![a-z])")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORTEST_DAY_NAME = 3
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is looked at: everything as it stood at the end of `at_ms`; of a range, since `since_ms`. Epoch ms."""

    at_ms: int
    since_ms: int | None = None
    """Where a range begins; None for a single moment, whose window says how far back its rates go."""

    @property
    def until_ms(self) -> int:
        """The bound of filters, which leave out what begins at it: what happened at `at_ms` has happened."""
        return self.at_ms + 1

    @property
    def length_s(self) -> float | None:
        """Of a range."""
        return None if self.since_ms is None else (self.at_ms - self.since_ms) / 1000

    @property
    def argument(self) -> str:
        """As `--at` takes it, the same on every machine: `2026-11-24T14:02:00Z`, or two of them around `..`."""
        at = iso_utc(self.at_ms)
        return at if self.since_ms is None else f"{iso_utc(self.since_ms)}..{at}"

    def moved(self, by_ms: int, *, newest_ms: int) -> "Moment":
        """The same so much later, and never later than `newest_ms`; a range keeps its length."""
        by_ms = max(-self.at_ms, min(by_ms, newest_ms - self.at_ms))
        since_ms = None if self.since_ms is None else self.since_ms + by_ms
        return Moment(at_ms=self.at_ms + by_ms, since_ms=since_ms)


def iso_ms(epoch_ms: int | None) -> str | None:
    """`2026-01-31T14:02:11.123Z`, as JSON has times; None stays None."""
    if epoch_ms is None:
        return None
    moment = datetime.fromtimestamp(epoch_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"


def iso_utc(epoch_ms: int) -> str:
    """`2026-11-24T14:02:00Z`, with its milliseconds when it has some."""
    moment = datetime.fromtimestamp(epoch_ms // 1000, tz=UTC)
    parts = f".{epoch_ms % 1000:03d}" if epoch_ms % 1000 else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{parts}Z"


def parse_moment(text: str, now_ms: int, zone: tzinfo | None = None) -> Moment:
    """`14:02` (the last time it was), `yesterday 14:02`, `friday 14:02`, `2h ago`, an ISO time, or `14:02..14:20`.

    In a range, a clock time at the end is the first one after the beginning, `+20m` is so long after it, and nothing
    or `now` is now; an end that has not come is now.

    Args:
        now_ms: what `ago` and clock times are relative to; nothing later is a moment of the past.
        zone: of times that name none; None: this machine's.

    Raises:
        InvalidInputError: it cannot be read, or has not come yet.
    """
    words = " ".join(text.split()).lower()
    begin, dots, end = words.partition("..")
    if not dots:
        return Moment(at_ms=_not_later(_point_ms(words, now_ms, zone), now_ms, text))
    since_ms = _not_later(_point_ms(begin.strip(), now_ms, zone), now_ms, text)
    at_ms = min(now_ms, _end_ms(end.strip(), since_ms, now_ms, zone))
    if at_ms <= since_ms:
        raise InvalidInputError(f"{_quoted(text)} ends before it begins: write the earlier time first")
    return Moment(at_ms=at_ms, since_ms=since_ms)


def parse_point(text: str, now_ms: int, zone: tzinfo | None = None) -> int:
    """Epoch ms of a single moment as `parse_moment` reads it; it may be one to come, and `ago` may be left out.

    Raises:
        InvalidInputError: it cannot be read.
    """
    return max(0, _point_ms(" ".join(text.split()).lower(), now_ms, zone))


def _not_later(moment_ms: int, now_ms: int, text: str) -> int:
    if moment_ms > now_ms:
        raise InvalidInputError(f"{_quoted(text)} has not come yet: name a moment of the past")
    if moment_ms < 0:
        raise InvalidInputError(f"{_quoted(text)} is too long ago: name a moment after 1970")
    return moment_ms


def _quoted(text: str) -> str:
    return repr(text[:60])


def _end_ms(words: str, since_ms: int, now_ms: int, zone: tzinfo | None) -> int:
    if words in ("", "now"):
        return now_ms
    if words.startswith("+"):
        return since_ms + _span_ms(words[1:])
    if (clock := _clock(words)) is not None:
        day = _local(since_ms, zone).date()
        return next(at for days in (0, 1, 2) if (at := _epoch_ms(day + days * _ONE_DAY, clock, zone)) >= since_ms)
    return _point_ms(words, now_ms, zone)


def _point_ms(words: str, now_ms: int, zone: tzinfo | None) -> int:
    """One end of a range, or a whole moment."""
    if words == "now":
        return now_ms
    if (clock := _clock(words)) is not None:
        return _last_time(clock, now_ms, zone)
    head, _, rest = words.partition(" ")
    if (day := _day(head, now_ms, zone)) is not None:
        if not rest:
            raise InvalidInputError(f"{_quoted(words)}: of which time? Write {head} 14:02")
        if (clock := _clock(rest)) is not None:
            return _epoch_ms(day, clock, zone)
    try:
        return _iso_ms(words, zone)
    except (ValueError, OverflowError, OSError):
        pass
    ago = words.removesuffix("ago").strip()
    return now_ms - _span_ms(ago or words)


def _clock(words: str) -> time | None:
    found = _CLOCK.fullmatch(words)
    if found is None:
        return None
    hour, minute, second, parts = found.groups()
    try:
        return time(int(hour), int(minute), int(second or 0), int((parts or "0").ljust(3, "0")) * 1000)
    except ValueError:
        raise InvalidInputError(f"{_quoted(words)} is no time of a day: 00:00 to 23:59:59") from None


def _day(word: str, now_ms: int, zone: tzinfo | None) -> date | None:
    """The day that a word names, never one to come."""
    today = _local(now_ms, zone).date()
    if word in ("today", "yesterday"):
        return today - _ONE_DAY * (word == "yesterday")
    if len(word) >= _SHORTEST_DAY_NAME:
        for number, name in enumerate(_DAYS):
            if name.startswith(word):
                return today - _ONE_DAY * ((today.weekday() - number) % 7)
    return None


def _last_time(clock: time, now_ms: int, zone: tzinfo | None) -> int:
    """The last time that it was so late, today or yesterday."""
    today = _local(now_ms, zone).date()
    at_ms = _epoch_ms(today, clock, zone)
    return at_ms if at_ms <= now_ms else _epoch_ms(today - _ONE_DAY, clock, zone)


def _iso_ms(words: str, zone: tzinfo | None) -> int:
    moment = datetime.fromisoformat(words.upper())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone) if zone is not None else moment.astimezone()
    return round(moment.timestamp() * 1000)


def _local(epoch_ms: int, zone: tzinfo | None) -> datetime:
    utc = datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)
    return utc.astimezone(zone)


def _epoch_ms(day: date, clock: time, zone: tzinfo | None) -> int:
    moment = datetime.combine(day, clock)
    moment = moment.replace(tzinfo=zone) if zone is not None else moment.astimezone()
    return round(moment.timestamp() * 1000)


def _span_ms(words: str) -> int:
    """`90m`, `1h30m`, `2 h`. Raises InvalidInputError."""
    parts = _PART.findall(words)
    if not parts or "".join("".join(parts).split()) != "".join(words.split()):
        raise InvalidInputError(f"{_quoted(words)} is no moment: write {HELP}")
    spans = [round(parse_duration_s("".join(part.split()).replace("min", "m")) * 1000) for part in parts]
    return sum(spans)
