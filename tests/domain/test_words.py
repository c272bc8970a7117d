"""What texts say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.errors import InvalidInputError
from console.domain.words import phrase_of, terms_in


@pytest.mark.parametrize(
    ("text", "data", "says"),
    [
        ("card declined", b'{"error":"Card_declined"}', True),
        ("card declined", b'{"error":"card was declined"}', False),
        ("clined", b"declined", False),
        ("decl*", b"declined", True),
        ("card decl*", b"Card declined", True),
        ("cus_42", b'"cus_421"', False),
        ("M\u00dcLLER", b'{"name": "m\\u00fcller"}', True),
        ("m\u00fcller", "mu\u0308ller".encode(), True),
        ("\u4eac", "\u6771\u4eactower".encode(), True),
        ("C:\\new", b"C:\\new", True),
        ("declined", b"\0declined", False),
    ],
)
def test_what_a_text_says(text: str, data: bytes, says: bool) -> None:
    assert phrase_of(text).is_in(data) is says


@pytest.mark.parametrize("text", ["", "*", "!? --", " _ "])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        phrase_of(text)


IDS = st.lists(st.sampled_from(["cus", "_", " ", "77", "7a", "Inv", "-", "\u4eac", "\u00b2"]), max_size=9).map("".join)


@given(st.one_of(st.binary(), st.text().map(str.encode), IDS.map(str.encode)), st.one_of(st.text(min_size=1), IDS))
def test_whatever_says_a_phrase_has_its_words(data: bytes, text: str) -> None:
    """Else the file of words would hide what is there."""
    for wanted in (text, data.decode(errors="replace")[:20], data.decode(errors="replace")[:5] + "*"):
        try:
            phrase = phrase_of(wanted)
        except InvalidInputError:
            continue
        if phrase.is_in(data):
            terms = terms_in(data)
            assert terms.issuperset(phrase.wholes)
            assert phrase.beginning is None or any(term.startswith(phrase.beginning) for term in terms)


def test_what_ids_are_made_of_is_looked_for_as_a_pair() -> None:
    data = b"cus_778 and ord_777 " + b"x" * 70_000 + b" inv 42"
    assert terms_in(data) > {"cus", "778", "cus\u00b7778", "ord\u00b7777", "inv\u00b742"}
    assert not terms_in(data).issuperset(phrase_of("cus_777").wholes), "though both of its words are there"
    assert phrase_of("new cus_777").wholes == ("new", "cus\u00b7777")
    assert phrase_of("cus_77*").beginning == "cus\u00b777"
