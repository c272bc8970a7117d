"""What is typed of a filter and a transform, and what it makes of an event."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.event import Event
from console.domain.ids import EventId
from console.domain.transform import CONTENT_TYPE, Transform
from console.ui.transforming import (
    PARTS,
    Result,
    Shape,
    changes,
    result_lines,
    shape_typed,
    texts_of,
    trouble_lines,
    try_out,
)
from console.ui.widgets.reading_view import Line

EVENT = Event(
    seq=1,
    id=EventId("evt_1"),
    type="invoice.paid",
    payload=b'{"amount": 42, "id": "in_7"}',
    accepted_at_ms=1_700_000_000_000,
    source="api",
)
EMPTY = {part.key: "" for part in PARTS}
URL = "https://crm.example/hooks"


def tried(**texts: str) -> tuple[dict[str, str], Result]:
    typed = {**EMPTY, **texts}
    return typed, try_out(typed, EVENT, name="crm", url=URL)


def text_of(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line.spans) for line in lines)


def test_nothing_typed_is_no_transform_and_sends_the_payload() -> None:
    typed, result = tried()
    assert shape_typed(typed) == Shape(filter=None, transform=None)
    shown = text_of(result_lines(result, typed, masked=False))
    assert "POST https://crm.example/hooks" in shown
    assert '"amount": 42' in shown


def test_what_would_be_sent_is_shown_and_secrets_are_not() -> None:
    typed, result = tried(
        filter="payload.amount > 10",
        body='{"text": {{ payload.amount | tojson }}}',
        headers="X-Ref: {{ payload.id }}\nAuthorization: Bearer hunter{{ payload.amount }}",
        path="/contacts/{{ payload.id }}",
        method="PUT",
    )
    shown = text_of(result_lines(result, typed, masked=False))
    assert "PUT https://crm.example/contacts/in_7" in shown
    assert "X-Ref: in_7" in shown
    assert '"text": 42' in shown
    assert "hunter42" not in shown
    assert "not owed" not in shown


def test_a_filter_that_is_false_says_so_and_still_shows_the_rest() -> None:
    typed, result = tried(filter="payload.amount > 100")
    shown = text_of(result_lines(result, typed, masked=False))
    assert "· not owed" in shown
    assert '"amount": 42' in shown


@pytest.mark.parametrize(
    ("texts", "part", "caret_under"),
    [
        ({"body": '{\n  "a": {{ payload.amount | mony }}\n}'}, "body", "mony"),
        ({"filter": "\n  payload.amount >"}, "filter", ""),
        ({"headers": "X-A: 1\nX-B: {{ payload.id | nope }}"}, "headers", "nope"),
        ({"path": "/{{ payload.nothing.at.all }}"}, "path", ""),
    ],
)
def test_what_is_wrong_is_at_its_place_with_a_caret_under_it(
    texts: dict[str, str], part: str, caret_under: str
) -> None:
    typed, result = tried(**texts)
    trouble = result.trouble
    assert trouble is not None
    assert trouble.part == part
    if caret_under:
        *_, line, caret = text_of(trouble_lines(trouble, typed)).split("\n")
        assert line[caret.index("^") :].startswith(caret_under)


@pytest.mark.parametrize("headers", ["no colon", ": value", "X-A: 1\nnothing here"])
def test_a_header_without_a_name_is_refused_in_its_line(headers: str) -> None:
    _, result = tried(headers=headers)
    trouble = result.trouble
    assert trouble is not None
    assert trouble.part == "headers"
    assert trouble.line == headers.count("\n") + 1


words = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n", exclude_categories=("Cc", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=12,
)


@given(
    st.builds(
        Transform,
        body=st.none() | words,
        content_type=st.sampled_from((CONTENT_TYPE, "text/plain")),
        headers=st.lists(st.tuples(st.sampled_from(("X-A", "X-B")), words), max_size=2).map(tuple),
        path=st.none() | words,
        method=st.none() | st.sampled_from(("PUT", "PATCH")),
    )
)
@settings(max_examples=50)
def test_what_is_kept_is_read_back_from_the_fields(transform: Transform) -> None:
    shape = Shape(filter="a > 1", transform=None if transform == Transform() else transform)
    assert shape_typed(texts_of(shape)) == shape
    assert changes(shape, shape) == ()
