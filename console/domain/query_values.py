"""What the values of a filter's terms may be. Every function raises QueryError at the value that is wrong."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import InvalidInputError
from console.domain.filters import StatusRange
from console.domain.ids import EndpointId, FailureGroupId
from console.domain.matching import check_pattern
from console.domain.outcome import Cause
from console.domain.query_text import Term, Value, near

T = TypeVar("T")

RETRYING, TROUBLED = "retrying", "troubled"
SPECIAL_STATES: Mapping[str, str] = {
    RETRYING: "pending or sending, and the last try failed",
    TROUBLED: "failed or retrying",
}
"""States in words that are no state of the store, and what they are."""

LEAST_STATUS, MOST_STATUS = 100, 999
MOST_ATTEMPTS = 10**9 - 1

_ENDPOINT_ID = re.compile(r"ep_[0-9a-z]{12}")
_NUMBERS = re.compile(r"(?P<sign>>=|<=|>|<|=)?(?P<one>\d{1,9})|(?P<low>\d{1,9})\.\.(?P<high>\d{1,9})", re.ASCII)
_STATUS_CLASS = re.compile(r"([1-9])xx", re.IGNORECASE)
STATUS_SHAPE = re.compile(r"[1-5](xx|\d\d)", re.IGNORECASE | re.ASCII)
"""A bare word that is taken for a status."""


def of_domain(value: Value, parse: Callable[[str], T]) -> T:
    """What a function of the domain makes of a value; what it refuses is refused at the value's place."""
    try:
        return parse(value.text)
    except InvalidInputError as error:
        raise value.wrong(str(error)) from None


def only(term: Term, instead: str) -> Value:
    """The value of a term that takes one."""
    if len(term.values) > 1:
        raise term.values[1].wrong(f"{term.key}: takes one value: {instead}")
    return term.values[0]


def cause(value: Value) -> Cause:
    folded = value.text.lower()
    if folded in Cause._value2member_map_:
        return Cause(folded)
    guess = near(folded, Cause) or f": there are {', '.join(Cause)}"
    raise value.wrong(f"{value.text[:60]!r} is no cause{guess}")


def state(value: Value) -> DeliveryState | str:
    """A state of deliveries, one of SPECIAL_STATES, or a state of endpoints."""
    folded = value.text.lower()
    if folded in DeliveryState._value2member_map_:
        return DeliveryState(folded)
    if folded in SPECIAL_STATES or folded in EndpointState._value2member_map_:
        return folded
    words = [*DeliveryState, *SPECIAL_STATES]
    guess = near(folded, (*words, *EndpointState)) or f": there are {', '.join(words)}"
    raise value.wrong(f"{value.text[:60]!r} is no state{guess}")


def statuses(term: Term) -> tuple[StatusRange, ...]:
    return tuple(dict.fromkeys(_status(value) for value in term.values))


def _status(value: Value) -> StatusRange:
    if match := _STATUS_CLASS.fullmatch(value.text):
        low = int(match[1]) * 100
        return StatusRange(low, low + 99)
    bounds = _bounds(value, LEAST_STATUS, MOST_STATUS)
    if bounds is None:
        allowed = f"5xx, 404, 500..503 or >=500, from {LEAST_STATUS} to {MOST_STATUS}"
        raise value.wrong(f"{value.text[:60]!r} is no status: write {allowed}")
    return StatusRange(*bounds)


def numbers(value: Value) -> tuple[int | None, int | None]:
    """The least and the most number that is meant, both included; None: no bound."""
    bounds = _bounds(value, 0, MOST_ATTEMPTS)
    if bounds is None:
        raise value.wrong(f"{value.text[:60]!r} is no number: write 3, >3, <=5 or 2..5")
    low, high = bounds
    return (low or None, None if high == MOST_ATTEMPTS else high)


def _bounds(value: Value, least: int, most: int) -> tuple[int, int] | None:
    match = _NUMBERS.fullmatch(value.text)
    if match is None:
        return None
    if match["one"] is None:
        low, high = int(match["low"]), int(match["high"])
    else:
        one = int(match["one"])
        low, high = {
            ">": (one + 1, most),
            ">=": (one, most),
            "<": (least, one - 1),
            "<=": (least, one),
        }.get(match["sign"] or "=", (one, one))
    return (low, high) if least <= low <= high <= most else None


def group(value: Value) -> FailureGroupId:
    if not re.fullmatch(r"[1-9]\d{0,17}", value.text, re.ASCII):
        raise value.wrong(f"{value.text[:60]!r} is no group of failures: its number is shown beside it")
    return FailureGroupId(int(value.text))


def pattern(value: Value) -> str:
    return of_domain(value, check_pattern)


def endpoints_called(value: Value, names: Mapping[EndpointId, str]) -> tuple[EndpointId, ...]:
    """Those with this id or name; else, of a word without quotes, those with it in their names."""
    text = value.text
    if exact := tuple(number for number, name in names.items() if text in (name, number)):
        return exact
    if _ENDPOINT_ID.fullmatch(text):
        return (EndpointId(text),)  # of one that was removed: its history stays
    if value.quoted:
        return ()
    return tuple(number for number, name in names.items() if text.casefold() in name.casefold())


def endpoints(value: Value, names: Mapping[EndpointId, str]) -> tuple[EndpointId, ...]:
    if found := endpoints_called(value, names):
        return found
    guess = near(value.text, names.values()) or (f": there are {_some(list(names.values()))}" if names else "")
    raise value.wrong(f"no endpoint has {value.text[:60]!r} in its name{guess}")


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")


def narrower(one: str, other: str) -> str | None:
    """The pattern that matches what both match; None when no type does."""
    if _covers(one, other):
        return other
    return one if _covers(other, one) else None


def _covers(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    if wide == "*":
        return True  # in lists it means every type
    return wide.endswith(".*") and narrow.startswith(wide[:-1])


def both(one: Sequence[StatusRange], other: Sequence[StatusRange]) -> tuple[StatusRange, ...]:
    """The statuses that are in ranges of each."""
    met = [
        StatusRange(max(a.low, b.low), min(a.high, b.high))
        for a in one
        for b in other
        if max(a.low, b.low) <= min(a.high, b.high)
    ]
    return tuple(dict.fromkeys(met))


def all_but(ranges: Sequence[StatusRange]) -> tuple[StatusRange, ...]:
    """The statuses that are in none of them."""
    left, low = [], LEAST_STATUS
    for taken in sorted(ranges, key=lambda one: one.low):
        if taken.low > low:
            left.append(StatusRange(low, taken.low - 1))
        low = max(low, taken.high + 1)
    return (*left, StatusRange(low, MOST_STATUS)) if low <= MOST_STATUS else tuple(left)
