from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.event import check_event_type
from console.domain.matching import check_pattern, first_match, pattern_matches

WORDS = st.text("abAB09_-", min_size=1, max_size=3)
TYPES = st.lists(WORDS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.one_of(st.just("*"), TYPES, TYPES.map(lambda t: t + ".*"))


@pytest.mark.parametrize(
    ("pattern", "event_type", "matches"),
    [
        ("*", "invoice.paid", True),
        ("invoice.paid", "invoice.paid", True),
        ("invoice.paid", "invoice.paid.late", False),
        ("invoice.paid", "Invoice.paid", False),
        ("invoice.*", "invoice.paid", True),
        ("invoice.*", "invoice.line.added", True),
        ("invoice.*", "invoice", False),
        ("invoice.*", "invoices.paid", False),
        ("invoice.line.*", "invoice.paid", False),
    ],
)
def test_which_types_a_pattern_wants(pattern: str, event_type: str, matches: bool) -> None:
    assert pattern_matches(pattern, event_type) is matches


@given(PATTERNS, TYPES)
def test_a_pattern_means_what_a_glob_of_the_same_text_means(pattern: str, event_type: str) -> None:
    assert pattern_matches(check_pattern(pattern), check_event_type(event_type)) == fnmatchcase(event_type, pattern)


@given(TYPES)
def test_a_branch_wants_all_below_it_and_not_itself(event_type: str) -> None:
    assert pattern_matches(event_type + ".*", event_type + ".x")
    assert not pattern_matches(event_type + ".*", event_type)


@given(st.lists(PATTERNS, max_size=4), TYPES)
def test_the_first_rule_that_matches_is_named(patterns: list[str], event_type: str) -> None:
    rule = first_match(patterns, event_type)
    wanted = [p for p in patterns if pattern_matches(p, event_type)]
    assert rule == (wanted[0] if wanted else None)


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "**", "a*", "*.a", "a.*.b", "a.**", "a b", "ä", "a\n", "[a]", "a?", "*\n"]
)
def test_other_patterns_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"invoice\.\*"):
        check_pattern(text)


@pytest.mark.parametrize("text", ["", "a.", ".a", "a..b", "*", "a.*", "a b", "ü", "a\n", "a" * 129, "a\x1b"])
def test_other_types_are_refused_in_one_printable_line(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_event_type(text)
    assert str(refused.value).isprintable()


def test_a_type_of_the_greatest_length_is_accepted() -> None:
    assert check_event_type("a" * 128)
