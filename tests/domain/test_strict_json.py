"""Strict JSON: what decoders would read differently is refused with its place, and nothing else is."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.strict_json import DEPTH_MOST, check_strict, depth_of, place_name, strict_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from([":", '":', '\\"', "[{", "a"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=12,
)


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidInputError) as refused:
        strict_value(data)
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a":1,"a":2}', "ambiguous: key a comes twice"),
        (b'{"a":1,"\\u0061":2}', "ambiguous: key a comes twice"),
        (b'{"lines":[{},{"x y":1,"x y":{}}]}', 'key lines[1]["x y"] comes twice'),
        (b'{"x":{"b":"\\u003a","a":1,"a":2}}', "key x.a comes twice"),
        (b'{"x":{"b":"\\u003A","a":1,"a":2}}', "key x.a comes twice"),
        (b'{"":1,"":2}', 'key [""] comes twice'),
        (b"[" * 129 + b"]" * 129, "nested deeper than 128 levels"),
        (b'{"a":' * 129 + b"1" + b"}" * 129, "nested deeper than 128 levels"),
        (b'{"a":' * 128 + b"{}" + b"}" * 128, "nested deeper than 128 levels"),
        (b"[" * 100_000, "nested deeper than 128 levels"),
        (b"NaN", "not JSON: invalid character (byte 0)"),
        (b'{"a":Infinity}', "invalid character (byte 5)"),
        (b"-Infinity", "invalid character (byte 1)"),
        (b"1e999", "Number out of range"),
        (b'{"a":[-1e999]}', "Number out of range at $[...][0]"),
        (b"1" * 5000, "Integer value out of range"),
        (b'"\xff"', "not JSON: not UTF-8 at byte 1"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\\ud800"', "truncated"),
        (b'"\\udc00x"', "surrogate"),
        (b"\xef\xbb\xbf{}", "invalid character (byte 0)"),
        (b'{"a":1}{"a":2}', "trailing characters (byte 8)"),
        (b"[1,]", "trailing comma"),
        (b'"a\nb"', "invalid character"),
        (b"01", "invalid number"),
        (b"'a'", "invalid character"),
        (b"", "truncated"),
    ],
)
def test_what_decoders_read_differently_is_refused_with_its_place(data: bytes, says: str) -> None:
    assert says in refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 128 + b"]" * 128,
        b'{"a":' * 128 + b"1" + b"}" * 128,
        b'["' + b"[" * 500 + b'"]',
        b'[{"a":1},{"a":1}]',
        b'{"a":"::\\u003a","b":"\\u003a:"}',
        b'{"a":1,"A":2}',
        b"1" * 400,
        b"1e-999",
        b"[" + b"0," * 500_000 + b"0]",
    ],
)
def test_what_everybody_reads_the_same_is_good(data: bytes) -> None:
    assert strict_value(data) == json.loads(data)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" * 5000, b"0." + b"1" * 5000])
def test_numbers_of_any_size_are_let_in_and_hide_nothing(number: bytes) -> None:
    check_strict(number)
    check_strict(b'{"a":[%b],"b":{"a":1}}' % number)
    for bad, says in (
        (b'{"a":%b,"b":1,"b":2}', "ambiguous: key b comes twice"),
        (b'[%b,"\xff"]', "not JSON: not UTF-8"),
        (b'[%b,"\\ud800"]', "not JSON: "),
        (b"[%b,NaN]", "not JSON: invalid character"),
        (b"[%b,]", "not JSON: "),
        (b"[" * 128 + b"%b" + b",[]" + b"]" * 128, "nested deeper than 128 levels"),
        (b"[%b," + b"[" * 5000, "nested deeper than 128 levels"),
    ):
        with pytest.raises(InvalidInputError, match=says):
            check_strict(bad % number)


def test_levels_around_a_payload_do_not_count() -> None:
    data = b"[" * 129 + b"]" * 129
    assert depth_of(strict_value(data, around=1)) == 129
    with pytest.raises(InvalidInputError):
        strict_value(b"[%b]" % data, around=1)


@given(VALUES)
def test_any_value_is_read_as_it_was_written(value: Any) -> None:
    assert strict_value(msgspec.json.encode(value)) == value
    assert strict_value(json.dumps(value).encode()) == value


@settings(max_examples=40)
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3), VALUES, st.data())
def test_a_key_that_comes_twice_is_found(fields: dict[str, Any], other: Any, data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(sorted(fields)))
    pairs = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in [*fields.items(), (again, other)]]
    inner = "{" + ",".join(data.draw(st.permutations(pairs))) + "}"
    assert "comes twice" in refusal(f'{{"x":[1,{inner}]}}'.encode())


@given(VALUES)
def test_depth_is_that_of_brackets_outside_of_texts(value: Any) -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    assert depth_of(value) == depth(value) <= DEPTH_MOST


def test_places_are_one_line_and_not_long() -> None:
    assert place_name(("data", "amount")) == "data.amount"
    assert place_name(("lines", 3, "sku")) == "lines[3].sku"
    assert place_name((0, "a b")) == '[0]["a b"]'
    hostile = place_name(("\x1b]52;c;\n" * 100,) * 100)
    assert hostile.isprintable()
    assert len(hostile) < 200
