"""The template engine as it is used here: what its templates call, and what each call may cost.

A template sees handles, text, numbers and truth values. It has no filter, test, method, loader or global of the
engine's own: `console.domain.template_parse` writes none of them.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from console.domain.template_compile import Source
from console.domain.template_helpers import FILTERS, FUNCTIONS, TESTS, Helper, compared, number, same
from console.domain.template_values import (
    EACH,
    NULL,
    VALUE_MAX,
    Fault,
    Handle,
    Meter,
    kind_of,
    plain,
    size_of,
    text_of,
    wrapped,
)

FUEL: Final = 500_000
"""Instructions of one rendering: a loop over a thousand things with twenty values each needs some 200,000."""
_EXPONENT_MAX: Final = 64
_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow,
}  # fmt: skip


class Machine:
    """One compiled template, for one thread at a time."""

    def __init__(self, source: Source, *, strict: bool) -> None:
        """Raises Fault when the engine refuses it."""
        import minijinja

        self._strict, self._labels = strict, source.labels
        self._meter = Meter(0)
        self._engine = minijinja.Environment(
            debug=False, fuel=FUEL, undefined_behavior="chainable", keep_trailing_newline=True, pycompat=False
        )
        self._error = minijinja.TemplateError
        for name in list(self._engine.globals):
            self._engine.remove_global(name)
        for name, function in self._functions().items():
            self._engine.add_global(name, self._guarded(function))
        self._engine.add_global("_null", NULL)
        try:
            self._engine.add_template("it", source.text)
        except minijinja.TemplateError as error:
            raise Fault(_words_of(error)) from None

    def render(self, known: Mapping[str, Any], *, output_max: int) -> str:
        """What it makes of the plain values that it knows. Raises Fault."""
        self._meter = Meter(output_max)
        try:
            made = self._engine.render_template("it", **{name: wrapped(value) for name, value in known.items()})
        except self._error as error:
            raise Fault(_words_of(error)) from None
        if len(made) > 2 * output_max:
            raise Fault("it makes more than it may")
        return made

    def _functions(self) -> dict[str, Callable[..., Any]]:
        return {
            "_o": self._output, "_p": self._path, "_i": self._subscript, "_s": self._slice, "_v": self._value,
            "_l": self._list, "_d": self._mapping, "_x": self._operator, "_c": self._joined, "_n": self._negative,
            "_e": self._each, "_f": self._filter, "_t": self._test, "_g": self._function,
        }  # fmt: skip

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Each call says where it stands, and fails with a place."""

        def call(at: int, *args: Any, **named: Any) -> Any:
            try:
                return function(at, *args, **named)
            except Fault as fault:
                raise fault if fault.at >= 0 else Fault(fault.words, at) from None
            except (ArithmeticError, ValueError, TypeError, LookupError, RecursionError, MemoryError) as error:
                raise Fault(f"{type(error).__name__}: {str(error)[:100]}", at) from None

        return call

    def _missing(self, at: int, index: int) -> NoReturn:
        """Says which of the arguments of a call is not there."""
        nodes = self._labels.get(at, ())
        if index < len(nodes):
            raise Fault(f"{nodes[index].label[:80] or 'a value'} is missing", nodes[index].at)
        raise Fault("a value is missing", at)

    def _made(self, value: Any) -> Any:
        """The result of a call, weighed."""
        if type(value) is str:
            if len(value) > VALUE_MAX:
                raise Fault("the value is too large")
            self._meter.work(len(value))
        return wrapped(value)

    def _weighed(self, value: Any) -> Any:
        """A list or mapping that a call has made."""
        if isinstance(value, list | dict | tuple):
            self._meter.work(size_of(value))
        return self._made(value)

    def _output(self, at: int, value: Any) -> str:
        if value is None:
            self._missing(at, 0)
        value = plain(value)
        if isinstance(value, list | dict | tuple):
            size_of(value)
        text = text_of(value)
        self._meter.output(len(text))
        self._meter.work(len(text))
        return text

    def _path(self, at: int, value: Any, *keys: str) -> Any:
        value = plain(value)
        for key in keys:
            if type(value) is dict:
                if key not in value:
                    return None
                value = value[key]
            elif isinstance(value, list | tuple) and key.isascii() and key.isdigit() and len(key) < 8:
                if int(key) >= len(value):
                    return None
                value = value[int(key)]
            else:
                return None
        return wrapped(value)

    def _subscript(self, at: int, value: Any, key: Any) -> Any:
        value, key = plain(value), plain(key)
        try:
            if type(value) is dict and type(key) is str:
                return wrapped(value[key])
            if isinstance(value, list | tuple | str) and type(key) is int:
                return wrapped(value[key])
        except LookupError:
            pass
        return None

    def _slice(self, at: int, value: Any, first: Any, last: Any) -> Any:
        if value is None and self._strict:
            self._missing(at, 0)
        value, first, last = plain(value), plain(first), plain(last)
        if not isinstance(value, list | tuple | str):
            raise Fault(f"{kind_of(value)} has no parts")
        self._meter.work(len(value))
        return wrapped(value[first:last])

    def _value(self, at: int, value: Any) -> Any:
        if value is None:
            self._missing(at, 0)
        return value

    def _list(self, at: int, *values: Any) -> Any:
        self._all_there(at, values)
        return self._weighed([plain(value) for value in values])

    def _mapping(self, at: int, *values: Any) -> Any:
        self._all_there(at, values)
        items = [plain(value) for value in values]
        if not all(isinstance(key, str) for key in items[::2]):
            raise Fault("the keys of a mapping are text")
        return self._weighed(dict(zip(items[::2], items[1::2], strict=True)))

    def _all_there(self, at: int, values: tuple[Any, ...]) -> None:
        if self._strict and None in values:
            self._missing(at, values.index(None))

    def _joined(self, at: int, *values: Any) -> Any:
        self._all_there(at, values)
        parts = [text_of(plain(value)) for value in values if value is not None]
        if sum(map(len, parts)) > VALUE_MAX:
            raise Fault("the value is too large")
        return self._made("".join(parts))

    def _negative(self, at: int, value: Any) -> Any:
        if value is None:
            return self._missing(at, 0) if self._strict else None
        return wrapped(-number(plain(value)))

    def _operator(self, at: int, sign: str, left: Any, right: Any) -> Any:
        if sign in ("==", "!="):
            equal = left is right if left is None or right is None else self._same(plain(left), plain(right))
            return equal == (sign == "==")
        if sign in ("in", "not in"):
            return self._within(left, right) == (sign == "in")
        if left is None or right is None:
            if self._strict:
                self._missing(at, 0 if left is None else 1)
            return False if sign in ("<", "<=", ">", ">=") else None
        left, right = plain(left), plain(right)
        if sign in ("<", "<=", ">", ">="):
            return self._compared(sign, left, right)
        return self._arithmetic(sign, left, right)

    def _same(self, left: Any, right: Any) -> bool:
        if isinstance(left, list | dict) and isinstance(right, list | dict):
            self._meter.work(EACH + 2 * size_of(left))
        return same(left, right)

    def _within(self, value: Any, container: Any) -> bool:
        value, container = plain(value), plain(container)
        if isinstance(container, str):
            self._meter.work(len(container))
            return isinstance(value, str) and value in container
        if isinstance(container, list | tuple | dict):
            self._meter.work(EACH * len(container))
            return any(self._same(value, one) for one in container)
        return False

    def _compared(self, sign: str, left: Any, right: Any) -> bool:
        try:
            return compared(sign, left, right)
        except Fault:
            if self._strict:
                raise
            return False

    def _arithmetic(self, sign: str, left: Any, right: Any) -> Any:
        if sign == "+" and isinstance(left, str) and isinstance(right, str):
            return self._made(left + right)
        if sign == "+" and isinstance(left, list | tuple) and isinstance(right, list | tuple):
            return self._weighed([*left, *right])
        left, right = number(left), number(right)
        if sign == "**" and not -_EXPONENT_MAX <= right <= _EXPONENT_MAX:
            raise Fault(f"an exponent beyond {_EXPONENT_MAX}")
        try:
            made = _ARITHMETIC[sign](left, right)
        except ZeroDivisionError:
            raise Fault("division by zero") from None
        if isinstance(made, complex):
            raise Fault("the result is no number")
        return wrapped(made)

    def _each(self, at: int, copied: int, names: int, value: Any) -> Any:
        if value is None:
            self._missing(at, 0)
        value = plain(value)
        if not isinstance(value, list | tuple | dict):
            raise Fault(f"a list is needed, not {kind_of(value)}")
        items = tuple(value)
        self._meter.work(len(items) * (copied + EACH))
        if names == 1:
            return tuple(wrapped(item) for item in items)
        if not all(isinstance(item, list | tuple) and len(item) == names for item in items):
            raise Fault(f"not each of them has {names} parts; of a mapping, go through its `| items`")
        return tuple(tuple(wrapped(part) for part in item) for item in items)

    def _filter(self, at: int, name: str, *args: Any, **named: Any) -> Any:
        return self._helped(FILTERS[name], at, args, named)

    def _function(self, at: int, name: str, *args: Any, **named: Any) -> Any:
        return self._helped(FUNCTIONS[name], at, args, named)

    def _test(self, at: int, name: str, value: Any, *args: Any) -> Any:
        if name in ("defined", "undefined"):
            return (value is not None) == (name == "defined")
        if value is None and not self._strict:
            return False
        return bool(self._helped(TESTS[name], at, (value, *args), {}))

    def _helped(self, helper: Helper, at: int, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        values, amount = [], 1
        for index, value in enumerate(args):
            kind = type(value)
            if kind is str:
                amount += len(value)
            elif kind is Handle:
                value = value.of
                amount += _length(value)
            elif value is None and not (helper.missing and index == 0):
                return self._missing(at, index) if self._strict else None
            values.append(value)
        self._meter.work(amount)
        try:
            if named:
                made = helper.call(self._meter, *values, **{name: plain(value) for name, value in named.items()})
            else:
                made = helper.call(self._meter, *values)
        except Fault as fault:
            raise Fault(f"{helper.name}: {fault.words}", fault.at if fault.at >= 0 else at) from None
        if isinstance(made, list | dict):
            self._meter.work(EACH * len(made))
        return self._made(made)


def _length(value: Any) -> int:
    """What looking at a list or a mapping costs."""
    return EACH * len(value) if isinstance(value, list | dict | tuple) else 1


def _words_of(error: Any) -> str:
    match error.kind:
        case "OutOfFuel":
            return "it does more work than a template may"
        case _:
            return str(error.detail or error.message)[:200].replace("\n", " ")
