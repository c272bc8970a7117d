from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.event import NewEvent
from console.domain.ids import (
    NumberPrefix,
    check_event_id,
    format_number,
    new_endpoint_id,
    new_event_id,
    parse_number,
)

PREFIXES: tuple[NumberPrefix, ...] = get_args(NumberPrefix)
ROWIDS = st.integers(0, 2**63 - 1)


def test_a_shown_number_is_short_and_readable() -> None:
    assert format_number("dlv", 51) == "dlv_00001k"
    assert format_number("att", 0) == "att_000000"
    assert format_number("op", 32**6) == "op_1000000"


@given(st.sampled_from(PREFIXES), ROWIDS)
def test_a_shown_number_reads_back_with_and_without_its_prefix(prefix: NumberPrefix, number: int) -> None:
    shown = format_number(prefix, number)
    assert parse_number(prefix, shown) == number
    assert parse_number(prefix, f"  {shown.upper()}\n") == number
    assert parse_number(prefix, shown.removeprefix(prefix + "_")) == number


@given(st.integers(0, 32**6 - 1), st.integers(0, 32**6 - 1))
def test_shown_numbers_of_one_width_sort_as_numbers(a: int, b: int) -> None:
    assert (format_number("dlv", a) < format_number("dlv", b)) == (a < b)


def test_letters_that_are_taken_for_digits_are_read_as_such() -> None:
    assert parse_number("dlv", "dlv_0000iL") == 33
    assert parse_number("dlv", "dlv_00000O") == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "dlv_",
        "att_00001k",
        "dlv_u",
        "dlv-1",
        "dlv_00001k.",
        "-1",
        "dlv_" + "z" * 13,
        "dlv_" + "1" * 14,
        "١",
        "dlv_ı",
        "dlv_\x00",
    ],
)
def test_what_is_no_number_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_number("dlv", text)
    assert "dlv_" in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.text())
def test_parsing_answers_or_refuses_whatever_it_is_given(text: str) -> None:
    try:
        number = parse_number("dlv", text)
    except InvalidInputError:
        return
    assert 0 <= number < 2**63


@given(st.integers(0, 2**47), st.integers(1, 10**6), st.integers(), st.integers())
def test_event_ids_sort_by_age(now_ms: int, later_ms: int, seed: int, other: int) -> None:
    assert new_event_id(now_ms, Random(seed)) < new_event_id(now_ms + later_ms, Random(other))


@given(st.integers(0, 2**48 - 1), st.integers())
def test_made_ids_pass_the_check_for_ids_from_outside(now_ms: int, seed: int) -> None:
    made = new_event_id(now_ms, Random(seed))
    assert check_event_id(made) == made
    assert len(made) == 30
    assert NewEvent(type="a", payload=b"", id=made).id == made


def test_made_ids_differ() -> None:
    random = Random(1)
    assert len({new_event_id(1, random) for _ in range(1000)}) == 1000
    assert len({new_endpoint_id(random) for _ in range(1000)}) == 1000
    assert all(len(new_endpoint_id(random)) == 15 for _ in range(100))


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=128))
def test_visible_ascii_without_a_dot_is_an_event_id(text: str) -> None:
    assert check_event_id(text) == text


@pytest.mark.parametrize("text", ["", "a" * 129, "a.b", "a b", "ä", "a\n", "a\x00", "\x1b[2J", "\udcff", "a\x7f"])
def test_other_event_ids_are_refused_in_one_printable_line(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_event_id(text)
    assert str(refused.value).isprintable()
