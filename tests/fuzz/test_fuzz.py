"""Every parser at the door meets every input that is known to break parsers, and some that nobody has thought of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import ALL, JSON, LINES, REQUESTS, TEXTS
from tests.fuzz.targets import TARGETS

_TOKENS = sorted(
    {*b'{}[]":,\\\n'.decode(), "\\u", "e9", "-", "\ud800", "type", "data", "id", "{{", "}}", "{%", "|", " "}
)
_PIECES = st.sampled_from(sorted({*JSON.values(), *LINES.values(), *TEXTS.values(), *REQUESTS.values()}))
_SPLICED = st.builds(
    lambda one, other, at, upto: one[: at % (len(one) + 1)] + other[upto % (len(other) + 1) :],
    _PIECES, _PIECES, st.integers(0, 10_000), st.integers(0, 10_000),
)  # fmt: skip
_TOKEN_SOUP = st.lists(st.sampled_from(_TOKENS), max_size=30).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
)
HOSTILE = st.one_of(_SPLICED, _TOKEN_SOUP, st.binary(max_size=200))


@pytest.mark.parametrize("name", TARGETS)
def test_known_inputs_break_nothing(name: str) -> None:
    for data in ALL.values():
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_others_break_nothing(name: str) -> None:
    @settings(max_examples=60)
    @given(HOSTILE)
    def throw(data: bytes) -> None:
        TARGETS[name](data)

    throw()
