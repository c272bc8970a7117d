"""JSON that means one thing to everybody: what decoders read differently is refused, with its place.

A key that comes twice is read by one receiver as its first value and by another as its last: whoever checks the one
and acts on the other is deceived. The same goes for numbers that some read as infinity, and for nesting that some
cannot follow. Lists may be as long as a payload may be large.
"""

import json
import re
from typing import Any

import msgspec

from console.domain.errors import InvalidInputError, one_line

DEPTH_MOST = 128
"""Lists and objects in one another."""

_VALUE = msgspec.json.Decoder()
_RAW = msgspec.json.Decoder(msgspec.Raw)
_ENCODE = msgspec.json.Encoder().encode
_PLACE = re.compile(r" - at `\$(.*)`$")
_NESTS = frozenset({dict, list})
_NAME_CAP = 40
_PLAIN_NAME = re.compile(r"[$A-Za-z_][A-Za-z0-9_-]*")


class _Pairs(list[tuple[str, Any]]):
    """An object with all its keys."""


class _NumberError(InvalidInputError):
    """A number fits no double, or has too many digits."""


def check_strict(data: bytes, *, around: int = 0) -> None:
    """As `strict_value`, but numbers may be of any size, on purpose: payloads are delivered byte for byte, and a number
    that is beyond a double costs no event.

    Raises:
        InvalidInputError
    """
    try:
        strict_value(data, around=around)
    except _NumberError:
        _check_exactly(data, DEPTH_MOST + around)


def strict_value(data: bytes, *, around: int = 0) -> Any:
    """The value that JSON is, when every decoder reads the same.

    No key comes twice in an object, nothing is nested deeper than 128 levels, and every number fits a double or is a
    whole one of at most 4,300 digits. UTF-8 and surrogates are checked too.

    Args:
        around: so many levels around a payload do not count.

    Raises:
        InvalidInputError: says what it is, such as `not JSON: …` or `ambiguous: key a.b comes twice`.
    """
    deepest = DEPTH_MOST + around
    try:
        value = _VALUE.decode(data)
    except msgspec.ValidationError as problem:
        raise _NumberError(f"beyond what decoders read: {_number_reason(problem)}") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"not JSON: {_utf8_reason(data)}") from None
    except RecursionError:
        raise InvalidInputError(_too_deep()) from None
    except msgspec.DecodeError as problem:
        raise InvalidInputError(f"not JSON: {reason_of(problem)}") from None
    colons = data.count(b":")
    # An object that holds something has a colon, and the innermost may hold nothing.
    if colons + data.count(b"[") >= deepest and depth_of(value) > deepest:
        raise InvalidInputError(_too_deep())
    if colons > 1 and _keys_lost(data, colons, value) and (place := _twice(data)) is not None:
        raise InvalidInputError(f"ambiguous: key {place} comes twice")
    return value


def _check_exactly(data: bytes, deepest: int) -> None:
    """The same, slowly, with numbers as texts."""
    try:
        data.decode()
        _RAW.decode(data)  # the syntax of all of it: json.loads alone is not strict
        found = json.loads(data, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    except RecursionError:
        raise InvalidInputError(_too_deep()) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise InvalidInputError(f"not JSON: {reason_of(problem)}") from None
    if _depth_of_pairs(found) > deepest:
        raise InvalidInputError(_too_deep())
    if (path := _find_twice(found)) is not None:
        raise InvalidInputError(f"ambiguous: key {place_name(path)} comes twice")


def _depth_of_pairs(value: Any) -> int:
    depth, level = 0, [value]
    while level := [below for below in level if isinstance(below, list)]:
        depth += 1
        level = [
            inner for below in level for inner in ([pair[1] for pair in below] if type(below) is _Pairs else below)
        ]
    return depth


def _too_deep() -> str:
    return f"nested deeper than {DEPTH_MOST} levels"


def depth_of(value: Any) -> int:
    """How deep lists and objects are in one another: 0 for a text or a number."""
    depth, level = 0, [value]
    while level := [below for below in level if type(below) in _NESTS]:
        depth += 1
        level = [inner for below in level for inner in (below.values() if type(below) is dict else below)]
    return depth


def reason_of(problem: Exception) -> str:
    """What a decoder disliked, in its own words made short."""
    match problem:
        case UnicodeDecodeError():
            return f"not UTF-8 at byte {problem.start}"
        case RecursionError():
            return "nested too deeply"
        case _:
            return one_line(str(problem).removeprefix("JSON is malformed: "))


def place_name(path: tuple[str | int, ...] | list[str | int]) -> str:
    """`data.amount`, `lines[3].sku`, `data["a key"]`: of one line, and not longer than a line either."""
    name = ""
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
        elif _PLAIN_NAME.fullmatch(part) and len(part) <= _NAME_CAP:
            name += f".{part}" if name else part
        else:
            short = part if len(part) <= _NAME_CAP else part[:_NAME_CAP] + "…"
            name += f"[{json.dumps(short)}]"
    return name if len(name) <= _NAME_CAP * 4 else name[: _NAME_CAP * 2] + "…" + name[-_NAME_CAP * 2 :]


def _keys_lost(data: bytes, colons: int, value: Any) -> bool:
    """Whether keys may have come twice: every key and its colon are in the text, and some are gone from the value.

    Decoding and encoding again in C costs half of looking at every object in Python. An escaped colon would be one more
    in what is written, and could make up for a key that is lost.
    """
    if colons != _ENCODE(value).count(b":"):
        return True
    return b"\\" in data and (b"\\u003a" in data or b"\\u003A" in data)


def _twice(data: bytes) -> str | None:
    """The place of the first key that comes twice. Exact, and slow."""
    found = json.loads(data, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    path = _find_twice(found)
    return None if path is None else place_name(path)


def _find_twice(value: Any) -> tuple[str | int, ...] | None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, _ in value:
            if key in seen:
                return (key,)
            seen.add(key)
        inner: list[tuple[str | int, Any]] = list(value)
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return None
    for step, below in inner:
        if (path := _find_twice(below)) is not None:
            return (step, *path)
    return None


def _utf8_reason(data: bytes) -> str:
    """The decoder counts from the beginning of the text that it is in."""
    try:
        data.decode()
    except UnicodeDecodeError as problem:
        return reason_of(problem)
    return "not UTF-8"


def _number_reason(problem: msgspec.ValidationError) -> str:
    """The decoder says where: `$[...][0]`, with the keys of objects left out."""
    text = str(problem)
    place = _PLACE.search(text)
    return text if place is None or not place.group(1) else f"{_PLACE.sub('', text)} at ${place.group(1)}"
