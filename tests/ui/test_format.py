"""Numbers as people read them, and a sanitiser that lets nothing through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.ui import format as fmt

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
"""Surrogates and unassigned characters included."""

DANGEROUS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

HOSTILE = "\x00\x1b\x07\x0b\r\x7f\x85\x90\x9b\x9c\u061c\u200b\u200e\u200f\u2028\u202e\u2066\ufeff\ud800\U000e0041"


@given(ANY_TEXT)
def test_sanitised_text_holds_nothing_a_terminal_obeys(text: str) -> None:
    clean = fmt.sanitise(text)
    assert not DANGEROUS.search(clean)
    clean.encode("utf-8")


@given(ANY_TEXT)
def test_sanitising_keeps_the_length_and_is_idempotent(text: str) -> None:
    clean = fmt.sanitise(text)
    assert len(clean) == len(text)
    assert fmt.sanitise(clean) is clean
    assert fmt.inline(fmt.inline(text)) == fmt.inline(text)


def test_every_character_is_found_by_the_fast_path_exactly_when_it_has_a_symbol() -> None:
    changed = {code for code in range(0x110000) if fmt.sanitise(chr(code)) != chr(code)}
    assert changed == set(fmt._SYMBOLS)


@pytest.mark.parametrize("char", list(HOSTILE))
def test_each_hostile_character_becomes_a_visible_symbol(char: str) -> None:
    clean = fmt.sanitise(f"a{char}b")
    assert clean[0] == "a"
    assert clean[2] == "b"
    assert clean[1] != char
    assert cell_len(clean[1]) == 1


def test_ordinary_text_is_returned_as_it_is() -> None:
    for text in ("plain", "zażółć 世界 👍🏽 e\u0301", "two\n\tlines", "👩\u200d👩\u200d👧"):
        assert fmt.sanitise(text) is text


@given(ANY_TEXT, st.integers(-1, 40))
def test_one_line_fits_and_is_clean(text: str, width: int) -> None:
    line = fmt.one_line(text, width)
    assert cell_len(line) <= max(0, width)
    assert not re.search("[\n\t]", line)
    assert not DANGEROUS.search(line)


@given(ANY_TEXT, st.integers(1, 40), st.booleans())
def test_fit_is_exactly_as_wide_as_asked(text: str, width: int, right: bool) -> None:
    assert cell_len(fmt.fit(text, width, right=right)) == width


def test_one_line_marks_what_it_cut() -> None:
    assert fmt.one_line("abcdef", 6) == "abcdef"
    assert fmt.one_line("abcdefg", 6) == "abcde…"
    assert fmt.one_line("世界世界", 6) == "世界…"
    assert fmt.one_line("a\nb\tc", 9) == "a␤b c"
    assert fmt.one_line("x" * 90_000, 10) == "x" * 9 + "…"
    assert fmt.one_line("e" + "\u0301" * 5_000, 10).endswith("…")


def test_bytes_are_decoded_and_cut_between_characters() -> None:
    assert fmt.sanitise_bytes("zażółć".encode(), 100) == "zażółć"
    assert fmt.sanitise_bytes(b"\xff\xfe\x1b[31m", 100) == "��␛[31m"
    assert fmt.sanitise_bytes("ab€cd".encode(), 3) == "ab… (+4 B)"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_bytes_never_come_out_raw(data: bytes, limit: int) -> None:
    assert not DANGEROUS.search(fmt.sanitise_bytes(data, limit))


@given(ANY_TEXT, st.integers(2, 30))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = fmt.wrapped(text, width, 1_000)
    assert all(cell_len(line) <= width for line in lines)
    assert not any(DANGEROUS.search(line) for line in lines)
    assert "".join(lines) == "".join(fmt.text_lines(text))


def test_wrapping_says_how_much_it_left_out() -> None:
    assert fmt.wrapped("abcdefgh", 3, 5) == ["abc", "de", "… (+3 characters)"]
    assert fmt.wrapped("a\r\n\r\nb", 9, 99) == ["a", "", "b"]


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0, "0ms"),
        (0.4, "<1ms"),
        (850, "850ms"),
        (999.9, "999ms"),
        (1_234, "1.2s"),
        (9_999, "9.9s"),
        (59_999, "59s"),
        (60_000, "1m"),
        (185_000, "3m05s"),
        (7_200_000, "2h"),
        (7_620_000, "2h07m"),
        (86_400_000 * 3 + 3_600_000 * 4, "3d04h"),
        (-1_500, "-1.5s"),
    ],
)
def test_durations(ms: float | None, text: str) -> None:
    assert fmt.duration(ms) == text


@pytest.mark.parametrize(
    ("elapsed_ms", "text"),
    [(-5_000, "just now"), (999, "just now"), (1_500, "1s ago"), (272_000, "4m32s ago"), (7_200_000, "2h ago")],
)
def test_ages(elapsed_ms: int, text: str) -> None:
    assert fmt.age(1_700_000_000_000, 1_700_000_000_000 - elapsed_ms) == text


@pytest.mark.parametrize(
    ("left_ms", "text"),
    [(-1, "due now"), (0, "due now"), (1, "in 1s"), (1_001, "in 2s"), (272_000, "in 4m32s"), (59_001, "in 1m")],
)
def test_countdowns(left_ms: int, text: str) -> None:
    assert fmt.countdown(1_700_000_000_000, 1_700_000_000_000 + left_ms) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(None, "–"), (0, "0"), (999, "999"), (12_345, "12.3k"), (999_999, "999k"), (4_000_000, "4.0M"), (-1_500, "-1.5k")],
)
def test_counts(n: int | None, text: str) -> None:
    assert fmt.count(n) == text


def test_exact_counts() -> None:
    assert fmt.exact(1_234_567) == "1,234,567"
    assert fmt.exact(None) == "–"


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (None, "–"),
        (0.0, "0/s"),
        (0.001, "<0.01/s"),
        (0.034, "0.03/s"),
        (3.44, "3.4/s"),
        (99.96, "100/s"),
        (1_234.0, "1.2k/s"),
    ],
)
def test_rates(per_second: float | None, text: str) -> None:
    assert fmt.rate(per_second) == text


@given(st.integers(1, 10**9), st.data())
def test_a_percentage_is_whole_only_when_it_is_all_or_none(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    text = fmt.percent(part, whole)
    assert (text == "100%") == (part == whole)
    assert (text == "0%") == (part == 0)
    assert abs(float(text.rstrip("%")) - 100 * part / whole) <= 0.1001


def test_percentages() -> None:
    assert fmt.percent(9_996, 10_000) == "99.9%"
    assert fmt.percent(1, 1_000_000) == "0.1%"
    assert fmt.percent(0, 0) == "–"
    assert fmt.percent(None, 5) == "–"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(None, "–"), (0, "0 B"), (1_023, "1023 B"), (16_384, "16.0 KiB"), (1_048_575, "1.0 MiB"), (3_355_443, "3.2 MiB")],
)
def test_sizes(n_bytes: int | None, text: str) -> None:
    assert fmt.size(n_bytes) == text


def test_times() -> None:
    assert fmt.clock_time(1_700_000_000_123, utc=True) == "22:13:20.123"
    assert fmt.date_time(1_700_000_000_123, utc=True) == "2023-11-14 22:13:20.123Z"
    assert fmt.clock_time(None) == "–"
    assert fmt.date_time(10**18) == "–"
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.007", fmt.clock_time(7))
    assert re.fullmatch(r"2023-11-1\d \d\d:\d\d:\d\d\.123 [+-]\d\d:\d\d", fmt.date_time(1_700_000_000_123))
