"""The filter language of the inbox."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.errors import QueryError
from console.domain.ids import EventId
from console.domain.inbound import Fate, InboxFilter
from console.domain.inbox_query import complete_inbox, format_inbox, parse_inbox, rewritten_inbox
from console.domain.source import SourceId

NOW_MS = 1_700_000_000_000
STRIPE, GITHUB, LIVE = SourceId("src_a"), SourceId("src_b"), SourceId("src_c")
NAMES = {STRIPE: "stripe", GITHUB: "github", LIVE: "stripe-live"}


def parsed(text: str) -> InboxFilter:
    return parse_inbox(text, NAMES, NOW_MS)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", InboxFilter()),
        ("source:stripe", InboxFilter(source=STRIPE)),
        ("source:git", InboxFilter(source=GITHUB)),
        ("source:src_gone", InboxFilter(source=SourceId("src_gone"))),
        ("FATE:Rejected", InboxFilter(fate=Fate.REJECTED)),
        ("rejected live", InboxFilter(source=LIVE, fate=Fate.REJECTED)),
        ("since:1h until:15m", InboxFilter(since_ms=NOW_MS - 3_600_000, until_ms=NOW_MS - 900_000)),
        ("evt_1", InboxFilter(event_id=EventId("evt_1"))),
        ("event:in_1", InboxFilter(event_id=EventId("in_1"))),
    ],
)
def test_what_a_line_means(text: str, where: InboxFilter) -> None:
    assert parsed(text) == where


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("fate:lost", "is no fate", "fate:lost"),
        ("fate:acepted", "did you mean accepted", "fate:acepted"),
        ("git state:failed", "is no filter of the inbox", "state:failed"),
        ("fate:", "needs a value", "fate:"),
        ("fate:rejected answered", "fate: is there twice", "answered"),
        ("source:strip", "in the names of several: stripe, stripe-live", "source:strip"),
        ("gihub", "did you mean github", "gihub"),
        ("since:soon", "soon", "since:soon"),
        ("event:a.b", "a.b", "event:a.b"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, words: str, place: str) -> None:
    with pytest.raises(QueryError, match=words) as refused:
        parsed(text)
    assert text[refused.value.start : refused.value.end] == place


def test_base_is_narrowed_and_never_widened() -> None:
    base = InboxFilter(since_ms=NOW_MS - 60_000, until_ms=NOW_MS)
    where = parse_inbox("since:1h until:30s", NAMES, NOW_MS, base)
    assert where == InboxFilter(since_ms=NOW_MS - 60_000, until_ms=NOW_MS - 30_000)


filters = st.builds(
    InboxFilter,
    source=st.none() | st.sampled_from(list(NAMES)),
    fate=st.none() | st.sampled_from(Fate),
    event_id=st.none() | st.just(EventId("evt_01")),
    since_ms=st.none() | st.integers(0, NOW_MS),
    until_ms=st.none() | st.integers(0, NOW_MS),
)


@given(filters)
@settings(max_examples=60)
def test_a_filter_as_a_line_is_read_back(where: InboxFilter) -> None:
    assert parsed(format_inbox(where, NAMES)) == where


@given(st.text(max_size=40))
@settings(max_examples=100)
def test_any_line_is_read_or_refused_and_completed_around_the_cursor(text: str) -> None:
    with suppress(QueryError):
        parsed(text)
    for at in range(len(text) + 1):
        for offered in complete_inbox(text, at, NAMES):
            assert offered.start <= at <= offered.end <= len(text)


def test_a_term_is_put_in_the_place_of_the_one_before() -> None:
    assert rewritten_inbox("rejected since:1h", "fate", "flagged") == "fate:flagged since:1h"
    assert rewritten_inbox("rejected since:1h", "fate", "") == "since:1h"
    assert rewritten_inbox("since:1h", "source", "stripe") == "since:1h source:stripe"


def test_completion_offers_keys_then_their_values() -> None:
    def offered(text: str) -> list[str]:
        return [one.applied(text) for one in complete_inbox(text, len(text), NAMES)]

    assert offered("")[:2] == ["source:", "fate:"]
    assert offered("fate:rej") == ["fate:rejected"]
    assert offered("rejected str") == ["rejected source:stripe", "rejected source:stripe-live"]
    assert offered("since:") == ["since:15m", "since:1h", "since:6h", "since:1d", "since:7d"]
