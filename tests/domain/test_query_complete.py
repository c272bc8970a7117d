"""Completion in a filter: what is offered where, and what it replaces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.query_complete import Vocabulary, complete, while_typed

WORDS = Vocabulary(
    endpoints=("crm", "crm-eu", 'odd",name'),
    types=("invoice.paid", "invoice.line.added", "ping"),
    saved={"slow": "cause:timeout_read", "ours": "crm"},
)


def offered(text: str, vocabulary: Vocabulary = WORDS) -> list[str]:
    """The line after each completion; `|` is the cursor."""
    cursor = text.index("|")
    text = text.replace("|", "", 1)
    return [one.applied(text) for one in complete(text, cursor, vocabulary)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("|", ["endpoint:", "state:", "cause:"]),
        ("crm |", ["crm endpoint:", "crm state:"]),
        ("en|", ["endpoint:"]),
        ("-s|", ["-state:", "-status:"]),
        ("endpoint:|", ["endpoint:crm", "endpoint:crm-eu", 'endpoint:"odd\\",name"']),
        ("endpoint:eu|", ["endpoint:crm-eu"]),
        ("endpoint:crm,o| cause:dns", ['endpoint:crm,"odd\\",name" cause:dns']),
        ("-cause:time|xx x", ["-cause:timeout_connect x", "-cause:timeout_read x"]),
        ("state:ret|", ["state:retrying"]),
        ("type:inv|", ["type:invoice.*", "type:invoice.line.*", "type:invoice.line.added", "type:invoice.paid"]),
        ('type:"inv|oice" x', ["type:invoice.* x"]),
        ("status:5|", ["status:5xx", "status:500"]),
        ("cr|", ["endpoint:crm", "endpoint:crm-eu"]),
        ("dns|", ["cause:dns"]),
        ("@|", ["@slow", "@ours"]),
        ("crm @s|", ["crm @slow"]),
    ],
)
def test_what_is_offered(text: str, first: list[str]) -> None:
    assert offered(text)[: len(first)] == first


@pytest.mark.parametrize("text", ["cause:dns|", 'text:"card d|', "event:evt|", '"cr|', "zzz|", "crm,|", "-@s|", "a:b|"])
def test_where_nothing_can_be_said(text: str) -> None:
    assert offered(text) == []


def test_a_list_that_has_no_such_key_is_not_offered_it() -> None:
    assert offered("c|", Vocabulary(keys=("type", "since"))) == []
    assert offered("|", Vocabulary(keys=("type", "since"))) == ["type:", "since:"]
    assert offered("cause:d|", Vocabulary(keys=("type", "since"))) == []


PIECES = st.sampled_from(["crm", "cause:", "d", ",", " ", '"', "\\", "-", "@", "type:inv", ":", "o"])


@given(st.lists(PIECES | st.text(max_size=2), max_size=8).map("".join), st.integers(-2, 30))
def test_every_completion_keeps_what_is_around_it(text: str, cursor: int) -> None:
    for one in complete(text, cursor, WORDS):
        at = max(0, min(cursor, len(text)))
        assert 0 <= one.start <= at <= one.end <= len(text)
        assert one.applied(text) != text or one.end > at


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("text:decl", "text:decl*"),
        ("crm text:d", "crm text:d*"),
        ('text:"card decl', 'text:"card decl*"'),
        ("text:", "text:"),
        ('text:"', 'text:"'),
        ("text:decl*", "text:decl*"),
        ('text:"card declined"', 'text:"card declined"'),
        ("text:decl crm", "text:decl crm"),
        ("type:inv", "type:inv"),
        ("decl", "decl"),
    ],
)
def test_the_last_word_of_a_text_is_a_beginning_while_it_is_typed(text: str, asked: str) -> None:
    assert while_typed(text, len(text)) == asked
    assert while_typed(text, 0) == text
