"""When to try again. Pure: the clock's reading and the random number are parameters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from console.domain.errors import InvalidInputError

MINUTE, HOUR = 60.0, 3600.0
STANDARD_SCHEDULE_S: tuple[float, ...] = (
    0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
"""The waits that Standard Webhooks advises (specification, 'Deliverability and reliability')."""

JITTER = 0.2
"""Each wait is spread over ±20 %, so that the retries of one outage do not all come back in the same second."""

RETRY_AFTER_CAP_S = 24 * HOUR
RETRY_AFTER_STATUSES = frozenset({429, 502, 503, 504})
_UNITS = {"s": 1.0, "m": MINUTE, "h": HOUR, "d": 24 * HOUR}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    """Try again at this time (epoch ms); `why` is the arithmetic in words."""

    at_ms: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """No further try is owed."""

    why: str


def check_schedule(schedule_s: tuple[float, ...]) -> tuple[float, ...]:
    """1 to 50 waits, each from 0 to 30 days.

    Raises:
        InvalidInputError
    """
    if not 1 <= len(schedule_s) <= 50:
        raise InvalidInputError(f"schedule of {len(schedule_s)} waits: 1 to 50 are allowed")
    for wait in schedule_s:
        if not (math.isfinite(wait) and 0 <= wait <= 30 * 24 * HOUR):
            raise InvalidInputError(f"schedule: a wait of {wait:g} s is outside 0 to 30 days")
    return schedule_s


def parse_duration_s(text: str) -> float:
    """`250ms`, `5s`, `5m`, `2h`, `1d`, or bare seconds.

    Raises:
        InvalidInputError
    """
    body = text.strip().lower()
    for unit in ("ms", "s", "m", "h", "d", ""):
        if body.endswith(unit):
            try:
                value = float(body.removesuffix(unit) if unit else body)
            except ValueError:
                continue
            seconds = value / 1000 if unit == "ms" else value * _UNITS.get(unit, 1.0)
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
    raise InvalidInputError(f"duration {text[:60]!r}: write it as 250ms, 5s, 5m, 2h or 1d")


def parse_schedule_s(text: str) -> tuple[float, ...]:
    """`0,5s,5m,30m`: durations separated by commas; or `exponential:first=5s,factor=2,cap=2h,tries=10`.

    Raises:
        InvalidInputError
    """
    kind, colon, rest = text.strip().partition(":")
    if colon and kind.strip().lower() == "exponential":
        return check_schedule(_exponential(rest))
    return check_schedule(tuple(parse_duration_s(part) for part in text.split(",")))


def _exponential(text: str) -> tuple[float, ...]:
    """At once, then waits that grow by `factor` from `first` up to `cap`, `tries` tries in all."""
    given = {"first": "5s", "factor": "2", "cap": "24h", "tries": "10"}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = item.partition("=")
        if name not in given or not equals:
            raise InvalidInputError(f"schedule {item[:40]!r}: write exponential:first=5s,factor=2,cap=2h,tries=10")
        given[name] = value
    first_s, cap_s = parse_duration_s(given["first"]), parse_duration_s(given["cap"])
    try:
        factor, tries = float(given["factor"]), int(given["tries"])
    except ValueError:
        raise InvalidInputError(f"schedule {text[:60]!r}: factor and tries are numbers") from None
    if not 1 <= factor <= 10 or not 1 <= tries <= 50:
        raise InvalidInputError(f"schedule {text[:60]!r}: a factor of 1 to 10 and 1 to 50 tries are allowed")
    return (0.0, *(min(first_s * factor**i, cap_s) for i in range(tries - 1)))


def first_attempt_at_ms(schedule_s: tuple[float, ...], accepted_at_ms: int) -> int:
    """When a delivery accepted now is due for the first time: the schedule's first wait, without jitter."""
    return accepted_at_ms + round(schedule_s[0] * 1000)


def next_try(
    *,
    schedule_s: tuple[float, ...],
    step: int,
    ended_at_ms: int,
    retry_after_s: float | None,
    jitter_unit: float,
    jitter: float = JITTER,
    retry_after_cap_s: float = RETRY_AFTER_CAP_S,
) -> RetryAt | GiveUp:
    """What follows a failed try.

    Args:
        schedule_s: the endpoint's waits.
        step: how many tries the schedule has been charged with, this one included (1 after the first).
        ended_at_ms: when the failed try ended, epoch ms.
        retry_after_s: what the receiver asked for, if it may ask; it lengthens a wait and never shortens one.
        jitter_unit: a random number in [0, 1).
        jitter: over how much of a wait, up and down, it is spread.
        retry_after_cap_s: the longest wait that a receiver may ask for.
    """
    if step >= len(schedule_s):
        return GiveUp(why=f"schedule exhausted after {step} {'try' if step == 1 else 'tries'}")
    base = schedule_s[step]
    wait = base * (1 + jitter * (2 * jitter_unit - 1))
    why = f"wait {step + 1} of the schedule, {base:g} s ±{jitter:.0%}"
    if retry_after_s is not None and min(retry_after_s, retry_after_cap_s) > wait:
        wait = min(retry_after_s, retry_after_cap_s)
        # Asked for to the second: spread upwards only, and by no more than the schedule would.
        wait += min(wait * jitter, 10.0) * jitter_unit
        why = f"the receiver asked for {retry_after_s:g} s (Retry-After)"
    return RetryAt(at_ms=ended_at_ms + round(wait * 1000), why=why)


def retry_after_s(status: int, headers: Mapping[str, str], now_ms: int) -> float | None:
    """What `Retry-After` asks for, in seconds from now; None when absent, unreadable, or not honoured for this status.

    Both forms of RFC 9110 §10.2.3 are read: delay seconds and HTTP date. `headers` has lower-case names.
    """
    value = headers.get("retry-after") if status in RETRY_AFTER_STATUSES else None
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) < 12 else RETRY_AFTER_CAP_S
    from email.utils import parsedate_to_datetime  # costs a command's start, and few receivers send a date

    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds())
