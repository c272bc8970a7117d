"""What templates hold in their hands: handles without attributes or methods, and a measure of what they may use."""

import math
from typing import Any, Final

WORK_MAX = 16 * 1024 * 1024
"""Characters and values that one rendering may read and write in all."""
VALUE_MAX = 2 * 1024 * 1024
"""Characters and values in one thing that a template makes."""
EACH = 16
"""What looking at one value costs, beside a character that costs 1."""
_INTEGER_MAX = 10**40
_SMALL = 1 << 62


class Fault(Exception):
    """What went wrong while a template was rendered, and at which of its characters; -1: at none of them."""

    def __init__(self, words: str, at: int = -1) -> None:
        super().__init__(words)
        self.words, self.at = words, at


class Handle:
    """A list, a mapping, a large number or null, as the template engine sees it: nothing of it can be reached there."""

    __slots__ = ("of",)

    def __init__(self, of: Any) -> None:
        self.of = of

    def __bool__(self) -> bool:
        return bool(self.of)


NULL: Final = Handle(None)
"""JSON's null. The engine's own none is what is missing."""


class Meter:
    """What one rendering has used."""

    __slots__ = ("left", "output_left")

    def __init__(self, output_max: int) -> None:
        self.left, self.output_left = WORK_MAX, output_max

    def work(self, amount: int) -> None:
        """Raises Fault when it was too much."""
        self.left -= amount + 1
        if self.left < 0:
            raise Fault("it does more work than a template may")

    def output(self, amount: int) -> None:
        """Raises Fault when it was too much."""
        self.output_left -= amount
        if self.output_left < 0:
            raise Fault("it makes more than it may")


def wrapped(value: Any) -> Any:
    """A plain value as the engine gets it."""
    kind = type(value)
    if kind is str or kind is bool:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise Fault("the result is no number")
        return value
    if value is None:
        return NULL
    if kind is int:
        if -_SMALL < value < _SMALL:
            return value
        if abs(value) > _INTEGER_MAX:
            raise Fault("the number is too large")
    return Handle(value)


def plain(value: Any) -> Any:
    """What the engine gives back, as a plain value."""
    return value.of if type(value) is Handle else value


def size_of(value: Any, limit: int = VALUE_MAX) -> int:
    """About how many characters a value has as JSON. Raises Fault as soon as there are more than the limit."""
    total, todo = 0, [value]
    while todo:
        one = todo.pop()
        if type(one) is str:
            total += len(one) + 2
        elif type(one) is dict:
            total += 2 + sum(len(key) + 4 for key in one)
            todo.extend(one.values())
        elif isinstance(one, (list, tuple)):
            total += 2 + len(one)
            todo.extend(one)
        else:
            total += 1  # a number has some 20 characters at most, and is not to count for more than it has
        if total > limit:
            raise Fault("the value is too large")
    return total


def text_of(value: Any) -> str:
    """As it is printed: text as it is, all else as JSON has it."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    return json_of(value)


def json_of(value: Any, indent: int = 0) -> str:
    """Compact, and for people with an indent; nothing is escaped that JSON does not want escaped."""
    import msgspec

    try:
        made = msgspec.json.encode(value)
        return (msgspec.json.format(made, indent=indent) if indent else made).decode()
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise Fault(f"cannot be written as JSON: {error}") from None


def kind_of(value: Any) -> str:
    """In words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a mapping"
        case _:
            return "a list"
