"""The helpers of templates and filters: `{{ payload.total | money("EUR") }}`. None knows the time or chance.

Each gets the meter of the rendering and plain values, and gives a plain value back. What they make is weighed by
who calls them; what they read, they weigh themselves where it can be much.
"""

import inspect
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from hashlib import md5, sha256
from typing import Any, Final
from urllib.parse import quote

from console.domain.template_dates import formatted_date, iso_date
from console.domain.template_money import money
from console.domain.template_values import EACH, VALUE_MAX, Fault, Meter, json_of, kind_of, size_of, text_of

RANGE_MAX: Final = 10_000
_INDENT_MAX: Final = 8
_ROUND_MAX: Final = 12
_DIGITS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Helper:
    """A helper, how it is written and what it is for."""

    name: str
    call: Callable[..., Any]
    form: str
    help: str
    missing: bool = False
    """It is also given what is missing, as None."""

    def takes(self, count: int, names: Sequence[str]) -> bool:
        """Whether it can be called with so many arguments, the value among them, and those with a name."""
        try:
            inspect.signature(self.call).bind(None, *[None] * count, **dict.fromkeys(names))
        except TypeError:
            return False
        return True


def _text(value: Any) -> str:
    if isinstance(value, dict | list | tuple) or value is None:
        raise Fault(f"text is needed, not {kind_of(value)}")
    return text_of(value)


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise Fault(f"a list is needed, not {kind_of(value)}")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Fault(f"a mapping is needed, not {kind_of(value)}")
    return value


def number(value: Any) -> int | float:
    """Raises Fault when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Fault(f"a number is needed, not {kind_of(value)}")
    return value


def _whole(value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Fault(f"a whole number from {low} to {high} is needed")
    return value


def compared(sign: str, left: Any, right: Any) -> bool:
    """Raises Fault when one is not comparable with the other."""
    both_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
    if not both_numbers and not (isinstance(left, str) and isinstance(right, str)):
        raise Fault(f"{kind_of(left)} cannot be compared with {kind_of(right)}")
    match sign:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)


def _to_json(meter: Meter, value: Any, indent: int = 0) -> str:
    meter.work(size_of(value))
    return json_of(value, _whole(indent, 0, _INDENT_MAX))


def _from_json(meter: Meter, value: Any) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(_text(value))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Fault(f"not JSON: {error}") from None


def _url(meter: Meter, value: Any) -> str:
    if not isinstance(value, dict):
        return quote(_text(value), safe="")
    return "&".join(f"{quote(key, safe='')}={quote(_text(one), safe='')}" for key, one in value.items())


def _slack(meter: Meter, value: Any) -> str:
    return _text(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _html(meter: Meter, value: Any) -> str:
    return _slack(meter, value).replace('"', "&quot;").replace("'", "&#39;")


def _truncate(meter: Meter, value: Any, length: int = 255, end: str = "…") -> str:
    text = _text(value)
    size = _whole(length, 0, VALUE_MAX)
    return text if len(text) <= size else text[: max(size - len(_text(end)), 0)] + _text(end)[:size]


def _replace(meter: Meter, value: Any, old: str, new: str) -> str:
    text, old, new = _text(value), _text(old), _text(new)
    if not old:
        raise Fault("what is to be replaced is empty")
    if len(text) + text.count(old) * max(len(new) - len(old), 0) > VALUE_MAX:
        raise Fault("the value is too large")
    return text.replace(old, new)


def _split(meter: Meter, value: Any, separator: str | None = None) -> list[str]:
    if separator == "":
        raise Fault("the separator is empty")
    return _text(value).split(None if separator is None else _text(separator))


def _join(meter: Meter, value: Any, separator: str = "") -> str:
    parts = [text_of(one) for one in _list(value)]
    if sum(map(len, parts)) + len(parts) * len(_text(separator)) > VALUE_MAX:
        raise Fault("the value is too large")
    return _text(separator).join(parts)


def _default(meter: Meter, value: Any, instead: Any = "") -> Any:
    return instead if value is None else value


def _length(meter: Meter, value: Any) -> int:
    if isinstance(value, str | list | tuple | dict):
        return len(value)
    raise Fault(f"{kind_of(value)} has no length")


def _first(meter: Meter, value: Any) -> Any:
    return next(iter(value if isinstance(value, str) else _list(value)), None)


def _last(meter: Meter, value: Any) -> Any:
    return next(reversed(value if isinstance(value, str) else _list(value)), None)


def _items(meter: Meter, value: Any) -> list[list[Any]]:
    return [[key, one] for key, one in _mapping(value).items()]


def _at(value: Any, path: str | None) -> Any:
    for key in [] if path is None else _text(path).split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _each(meter: Meter, value: Any, attribute: str) -> list[Any]:
    return [_at(one, attribute) for one in _list(value)]


def _where(meter: Meter, value: Any, attribute: str, equal: Any = True) -> list[Any]:
    meter.work((size_of(equal) + EACH) * len(_list(value)))
    return [one for one in _list(value) if same(_at(one, attribute), equal)]


def same(left: Any, right: Any) -> bool:
    """As JSON has it: true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _sort(meter: Meter, value: Any, attribute: str | None = None, reverse: bool = False) -> list[Any]:
    def order(one: Any, other: Any) -> int:
        left, right = _at(one, attribute), _at(other, attribute)
        meter.work(EACH + (min(len(left), len(right)) if isinstance(left, str) and isinstance(right, str) else 0))
        return -1 if compared("<", left, right) else int(compared(">", left, right))

    return sorted(_list(value), key=cmp_to_key(order), reverse=bool(reverse))


def _unique(meter: Meter, value: Any) -> list[Any]:
    seen: dict[str, Any] = {}
    for one in _list(value):
        text = json_of(one)
        meter.work(len(text) + EACH)
        seen.setdefault(text, one)
    return list(seen.values())


def _reverse(meter: Meter, value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else list(reversed(_list(value)))


def _sum(meter: Meter, value: Any, attribute: str | None = None) -> int | float:
    return sum((number(_at(one, attribute)) for one in _list(value)), 0)


def _round(meter: Meter, value: Any, digits: int = 0) -> int | float:
    if isinstance(value, int):
        return number(value)
    made = round(number(value), _whole(digits, 0, _ROUND_MAX))
    return made if digits else int(made)


def _int(meter: Meter, value: Any, instead: Any = None) -> Any:
    return _converted(int, value, instead, "a whole number")


def _float(meter: Meter, value: Any, instead: Any = None) -> Any:
    return _converted(float, value, instead, "a number")


def _converted(kind: type[int] | type[float], value: Any, instead: Any, words: str) -> Any:
    try:
        if isinstance(value, str):
            return kind(value.strip() if len(value) <= _DIGITS_MAX and "_" not in value else "?")
        return kind(number(value))
    except (ValueError, OverflowError):
        if instead is None:
            raise Fault(f"{str(value)[:40]!r} is not {words}") from None
        return instead


def _range(meter: Meter, first: int, last: int | None = None) -> list[int]:
    limit = 1 << 40
    low, high = (0, first) if last is None else (first, last)
    low, high = _whole(low, -limit, limit), _whole(high, -limit, limit)
    if high - low > RANGE_MAX:
        raise Fault(f"a range of more than {RANGE_MAX}")
    return list(range(low, high))


def _hashed(digest: Callable[[bytes], Any]) -> Callable[[Meter, Any], str]:
    return lambda meter, value: str(digest(_text(value).encode()).hexdigest())


def _texts(change: Callable[[str], str]) -> Callable[[Meter, Any], str]:
    return lambda meter, value: change(_text(value))


def _table(*helpers: Helper) -> dict[str, Helper]:
    return {helper.name: helper for helper in helpers}


FILTERS: Final = _table(
    Helper("tojson", _to_json, "value | tojson", "As JSON, quotes and all; tojson(2) indents it."),
    Helper("fromjson", _from_json, "text | fromjson", "What a text holds that is itself JSON."),
    Helper("urlencode", _url, "value | urlencode", "For a path or a query; a mapping becomes a=1&b=2."),
    Helper("slack", _slack, "text | slack", "Escapes & < > as Slack wants it."),
    Helper("html", _html, "text | html", "Escapes & < > and quotes, for e-mail."),
    Helper("date", formatted_date, 'when | date("%Y-%m-%d %H:%M", "Europe/Berlin")',
           "A date out of ISO 8601, Unix seconds or milliseconds; UTC unless it says where."),
    Helper("iso", iso_date, "when | iso", "The same as 2026-11-24T14:02:00Z."),
    Helper("money", money, 'minor | money("EUR")',
           "4200 becomes 42.00 EUR, and 4200 JPY: decimals as each currency has them."),
    Helper("default", _default, 'value | default("none")', "Stands in for what is missing or null.", missing=True),
    Helper("truncate", _truncate, "text | truncate(100)", "Cut off, with … as its last character."),
    Helper("lower", _texts(str.lower), "text | lower", "In lower case."),
    Helper("upper", _texts(str.upper), "text | upper", "In upper case."),
    Helper("title", _texts(str.title), "text | title", "Each word with a capital."),
    Helper("capitalize", _texts(str.capitalize), "text | capitalize", "The first letter a capital, the others not."),
    Helper("trim", _texts(str.strip), "text | trim", "Without blanks around it."),
    Helper("replace", _replace, 'text | replace("-", " ")', "Each occurrence of the first by the second."),
    Helper("split", _split, 'text | split(",")', "A list; without a separator, of its words."),
    Helper("join", _join, 'list | join(", ")', "One text."),
    Helper("length", _length, "value | length", "Of a text, a list or a mapping."),
    Helper("first", _first, "list | first", "Null when there is none."),
    Helper("last", _last, "list | last", "Null when there is none."),
    Helper("items", _items, "mapping | items", "for key, value in payload.fields | items"),
    Helper("keys", lambda meter, value: list(_mapping(value)), "mapping | keys", "A list."),
    Helper("values", lambda meter, value: list(_mapping(value).values()), "mapping | values", "A list."),
    Helper("map", _each, 'list | map("email")', "What each has there; a.b goes deeper."),
    Helper("where", _where, 'list | where("state", "paid")', "Those that have that value there."),
    Helper("sort", _sort, 'list | sort("amount", reverse=true)', "By themselves, or by what they have there."),
    Helper("unique", _unique, "list | unique", "Each once."),
    Helper("reverse", _reverse, "list | reverse", "The last first."),
    Helper("sum", _sum, 'list | sum("amount")', "Of numbers, or of what each has there."),
    Helper("round", _round, "number | round(2)", "A whole number unless it says how many decimals."),
    Helper("int", _int, "value | int", "A whole number; int(0) when it is none."),
    Helper("float", _float, "value | float", "A number; float(0) when it is none."),
    Helper("string", lambda meter, value: text_of(value), "value | string", "As it is printed."),
    Helper("abs", lambda meter, value: abs(number(value)), "number | abs", "Without its sign."),
    Helper("b64encode", lambda meter, value: b64encode(_text(value).encode()).decode(), "text | b64encode", "Base64."),
    Helper("sha256", _hashed(sha256), "text | sha256", "In hex, as CRMs and ad networks want e-mail addresses."),
    Helper("md5", _hashed(lambda raw: md5(raw, usedforsecurity=False)), "text | md5",
           "In hex: Mailchimp and Gravatar name people so."),
)  # fmt: skip

FUNCTIONS: Final = _table(Helper("range", _range, "range(5)", f"0 to 4; range(1, 5): 1 to 4. At most {RANGE_MAX}."))

TESTS: Final = _table(
    Helper("defined", lambda meter, value: value is not None, "value is defined", "It is there.", missing=True),
    Helper("undefined", lambda meter, value: value is None, "value is undefined", "It is missing.", missing=True),
    Helper("none", lambda meter, value: value is None, "value is none", "It is null."),
    Helper("string", lambda meter, value: isinstance(value, str), "value is string", "It is text."),
    Helper("number", lambda meter, value: kind_of(value) == "a number", "value is number", "It is a number."),
    Helper("boolean", lambda meter, value: isinstance(value, bool), "value is boolean", "It is true or false."),
    Helper("sequence", lambda meter, value: isinstance(value, list | tuple), "value is sequence", "It is a list."),
    Helper("mapping", lambda meter, value: isinstance(value, dict), "value is mapping", "It is a mapping."),
    Helper("odd", lambda meter, value: number(value) % 2 == 1, "number is odd", "An odd number."),
    Helper("even", lambda meter, value: number(value) % 2 == 0, "number is even", "An even number."),
    Helper("startingwith", lambda meter, value, what: _text(value).startswith(_text(what)),
           'text is startingwith "sub_"', "It begins so."),
    Helper("endingwith", lambda meter, value, what: _text(value).endswith(_text(what)),
           'text is endingwith "@example.com"', "It ends so."),
)  # fmt: skip
