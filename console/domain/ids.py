"""Identifiers. Events and endpoints carry global random ids; deliveries and attempts are numbers of one store.

A number is shown with its prefix in Crockford's base 32 (`dlv_00001k`), so that it is short to read aloud and sorts by
age; https://www.crockford.com/base32.html.
"""

from random import Random
from typing import Literal, NewType

from console.domain.errors import InvalidInputError

EventId = NewType("EventId", str)
EndpointId = NewType("EndpointId", str)
DeliveryId = NewType("DeliveryId", int)
AttemptId = NewType("AttemptId", int)
OperationId = NewType("OperationId", int)
FailureGroupId = NewType("FailureGroupId", int)

NumberPrefix = Literal["dlv", "att", "op", "req"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
"""Two characters at once: each event that is accepted gets an id of 26."""
_VALUES = {c: i for i, c in enumerate(_ALPHABET)} | {"i": 1, "l": 1, "o": 0}
_NUMBER_WIDTH = 6
_EVENT_ID_MAX = 128


def _base32(number: int, width: int) -> str:
    pairs: list[str] = []
    while number or 2 * len(pairs) < width:
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    text = "".join(reversed(pairs))
    return text[1:] if len(text) > width and text[0] == "0" else text


def random_text(random: Random, letters: int) -> str:
    """So many random characters of the alphabet, 5 bits each."""
    return _base32(random.getrandbits(5 * letters), letters)


def new_event_id(now_ms: int, random: Random) -> EventId:
    """`evt_` and 26 characters: 48 bits of time and 80 random bits, as ULID has it, so that ids sort by age."""
    return EventId("evt_" + _base32((now_ms << 80) | random.getrandbits(80), 26))


def new_endpoint_id(random: Random) -> EndpointId:
    """`ep_` and 12 random characters (60 bits)."""
    return EndpointId("ep_" + random_text(random, 12))


def format_number(prefix: NumberPrefix, number: int) -> str:
    """`dlv_00001k` for delivery 51."""
    return f"{prefix}_{_base32(number, _NUMBER_WIDTH)}"


def parse_number(prefix: NumberPrefix, text: str) -> int:
    """The number behind a shown id, or behind plain digits-and-letters without the prefix.

    Raises:
        InvalidInputError: not an id of that kind.
    """
    body = text.strip().lower().removeprefix(prefix + "_")
    number = 0
    for c in body:
        value = _VALUES.get(c)
        if value is None or len(body) > 13:
            break
        number = number * 32 + value
    else:
        if body and number < 2**63:
            return number
    raise InvalidInputError(f"{text[:60]!r} is no id of the form {prefix}_…: copy one from a list")


def check_event_id(text: str) -> EventId:
    """An id from outside: 1–128 visible ASCII characters without `.`, since the signature is over `id.timestamp.body`.

    Raises:
        InvalidInputError
    """
    if not 0 < len(text) <= _EVENT_ID_MAX:
        raise InvalidInputError(f"event id of {len(text)} characters: 1 to {_EVENT_ID_MAX} are allowed")
    if not text.isascii() or not text.isprintable() or " " in text or "." in text:
        raise InvalidInputError(f"event id {text[:60]!r}: only visible ASCII characters without '.' are allowed")
    return EventId(text)
