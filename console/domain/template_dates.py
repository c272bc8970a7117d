"""Dates out of what payloads hold, printed the same on every machine."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, Final

from console.domain.template_values import Fault, Meter, kind_of

_MILLISECONDS_FROM: Final = 100_000_000_000
"""Seconds of the year 5138, milliseconds of 1973: from here on a number is taken for milliseconds."""
_FORMAT_MAX: Final = 100
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SIGN: Final = re.compile(r"%(-?)(.?)", re.DOTALL)


def formatted_date(meter: Meter, value: Any, format: str = "%Y-%m-%d %H:%M", tz: str = "UTC") -> str:
    """Signs as strftime has them, names in English, `-` against a leading zero: `%-d %b %Y`."""
    if not isinstance(format, str) or len(format) > _FORMAT_MAX:
        raise Fault(f"a format of at most {_FORMAT_MAX} characters is needed")
    try:
        at = _moment(value).astimezone(_zone(tz))
    except (OverflowError, ValueError):
        raise Fault("the date is out of range") from None
    return _SIGN.sub(lambda found: _part(at, found[1], found[2]), format)


def iso_date(meter: Meter, value: Any) -> str:
    """In UTC, with milliseconds when it has some."""
    at = _moment(value)
    parts = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at.year:04d}-{at.month:02d}-{at.day:02d}T{at.hour:02d}:{at.minute:02d}:{at.second:02d}{parts}Z"


def _moment(value: Any) -> datetime:
    try:
        if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", value):
            at = datetime.fromisoformat(value[:64])
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Fault(f"a date is needed, not {kind_of(value)}")
        number = float(value)
        return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS_FROM else number, tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise Fault(f"{str(value)[:40]!r} is no date: ISO 8601, Unix seconds or milliseconds") from None


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError, TypeError):
        raise Fault(f"no time zone {str(name)[:40]!r} is known here; write it as Europe/Berlin") from None


_PARTS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "Y": lambda at: f"{at.year:04d}",
    "y": lambda at: f"{at.year % 100:02d}",
    "m": lambda at: f"{at.month:02d}",
    "d": lambda at: f"{at.day:02d}",
    "j": lambda at: f"{at.timetuple().tm_yday:03d}",
    "H": lambda at: f"{at.hour:02d}",
    "I": lambda at: f"{at.hour % 12 or 12:02d}",
    "M": lambda at: f"{at.minute:02d}",
    "S": lambda at: f"{at.second:02d}",
    "f": lambda at: f"{at.microsecond:06d}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "A": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "z": lambda at: at.strftime("%z"),
    "Z": lambda at: at.tzname() or "",
    "F": lambda at: f"{at.year:04d}-{at.month:02d}-{at.day:02d}",
    "T": lambda at: f"{at.hour:02d}:{at.minute:02d}:{at.second:02d}",
    "s": lambda at: str(int(at.timestamp())),
    "%": lambda at: "%",
}


def _part(at: datetime, bare: str, sign: str) -> str:
    part = _PARTS.get(sign)
    if part is None:
        raise Fault(f"%{sign} is not offered in a date; {' '.join('%' + one for one in _PARTS)} are")
    text = part(at)
    return (text.lstrip("0") or "0") if bare else text
