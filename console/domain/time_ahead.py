"""A moment to come, as people write it."""

from datetime import datetime, timedelta

from console.domain.errors import InvalidInputError
from console.domain.retry import parse_duration_s

MOST_AHEAD_MS = 30 * 24 * 3600 * 1000


def parse_time_ahead(text: str, now_ms: int) -> int:
    """Epoch ms of `30m` or `2h` from now, of the next `06:00` or `06:00:30`, or of `2026-01-31T14:02`, which is local
    time unless it names a zone.

    Raises:
        InvalidInputError: it is none of these, over already, or more than 30 days ahead.
    """
    shown, at_ms = text.strip()[:40], _parse(text.strip(), now_ms)
    if at_ms is None:
        raise InvalidInputError(f"time {shown!r}: write it as 30m, 2h, 06:00 or 2026-01-31T14:02")
    if at_ms <= now_ms:
        raise InvalidInputError(f"time {shown!r}: is over already")
    if at_ms - now_ms > MOST_AHEAD_MS:
        raise InvalidInputError(f"time {shown!r}: 30 days ahead at most")
    return at_ms


def _parse(text: str, now_ms: int) -> int | None:
    try:
        return now_ms + round(parse_duration_s(text) * 1000)
    except InvalidInputError:
        pass
    now = datetime.fromtimestamp(now_ms / 1000).astimezone()
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            clock = datetime.strptime(text, form)  # noqa: DTZ007 - a time of day, put into today's zone below
        except ValueError:
            continue
        at = now.replace(tzinfo=None, hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
        if at <= now.replace(tzinfo=None):
            at += timedelta(days=1)
        return round(at.astimezone().timestamp() * 1000)
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None
