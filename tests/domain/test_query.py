"""The filter language: what it means, what it refuses and where, and that it is written as it is read."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.delivery import DeliveryState
from console.domain.filters import AttemptFilter, DeliveryFilter, EventFilter, StatusRange
from console.domain.ids import DeliveryId, EndpointId, FailureGroupId
from console.domain.outcome import Cause
from console.domain.query import QueryError, format_query, parse_query, rewritten

NOW_MS = 1_700_000_000_000
CRM, CRM_EU, BILLING = EndpointId("ep_1"), EndpointId("ep_2"), EndpointId("ep_3")
NAMES = {CRM: "crm", CRM_EU: "crm-eu", BILLING: "billing"}
ALL = DeliveryFilter()
FAILED, PENDING, SENDING = DeliveryState.FAILED, DeliveryState.PENDING, DeliveryState.SENDING


def deliveries(text: str, base: DeliveryFilter = ALL, **saved: Any) -> DeliveryFilter:
    return parse_query(text, now_ms=NOW_MS, saved=saved).deliveries(NAMES, base)


def attempts(text: str, base: AttemptFilter | None = None) -> AttemptFilter:
    return parse_query(text, now_ms=NOW_MS).attempts(NAMES, base)


def refused(text: str, **saved: Any) -> QueryError:
    with pytest.raises(QueryError) as raised:
        deliveries(text, **saved)
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", {}),
        ("endpoint:crm", {"endpoints": (CRM,)}),
        ("endpoint:CR", {"endpoints": (CRM, CRM_EU)}),
        ("endpoint:ep_3,eu", {"endpoints": (BILLING, CRM_EU)}),
        ("endpoint:ep_0123456789ab", {"endpoints": ("ep_0123456789ab",)}),
        ("-endpoint:crm", {"endpoints": (CRM_EU, BILLING)}),
        ("cause:dns,Refused", {"causes": (Cause.DNS, Cause.REFUSED)}),
        ("cause:dns,tls cause:tls,reset", {"causes": (Cause.TLS,)}),
        ("-cause:dns", {"causes": tuple(cause for cause in Cause if cause is not Cause.DNS)}),
        ("state:failed", {"states": (FAILED,)}),
        ("state:retrying", {"states": (PENDING, SENDING), "troubled": True}),
        ("state:troubled", {"troubled": True}),
        ("state:failed,retrying", {"troubled": True}),
        ("-state:failed,delivered", {"states": (PENDING, SENDING, DeliveryState.CANCELLED)}),
        ("status:5xx", {"statuses": (StatusRange(500, 599),)}),
        ("status:404,500..503", {"statuses": (StatusRange(404, 404), StatusRange(500, 503))}),
        ("status:>=500", {"statuses": (StatusRange(500, 999),)}),
        ("status:<400", {"statuses": (StatusRange(100, 399),)}),
        ("status:4xx status:<=404", {"statuses": (StatusRange(400, 404),)}),
        ("-status:4xx", {"statuses": (StatusRange(100, 399), StatusRange(500, 999))}),
        ("type:invoice.*", {"type_pattern": "invoice.*"}),
        ("type:invoice", {"type_pattern": "invoice"}),
        ("type:invoice.* type:invoice.paid", {"type_pattern": "invoice.paid"}),
        ("since:2h until:30m", {"since_ms": NOW_MS - 7_200_000, "until_ms": NOW_MS - 1_800_000}),
        ("since:2h since:1h", {"since_ms": NOW_MS - 3_600_000}),
        ("since:2023-11-14T00:00Z", {"since_ms": 1_699_920_000_000}),
        ("attempts:>3", {"attempts_least": 4}),
        ("attempts:<=5 attempts:2..9", {"attempts_least": 2, "attempts_most": 5}),
        ("attempts:0", {"attempts_most": 0}),
        ("event:evt_x", {"event_id": "evt_x"}),
        ("delivery:dlv_00001k,dlv_00001m", {"ids": (51, 52)}),
        ("group:12", {"groups": (12,)}),
        ('text:"card declined"', {"texts": ("card declined",)}),
        ('text:a text:"b, \\"c\\" \\u00e9"', {"texts": ("a", 'b, "c" é')}),
        # Words without a key are guessed.
        ("eu dns", {"endpoints": (CRM_EU,), "causes": (Cause.DNS,)}),
        ("invoice", {"type_pattern": "invoice.*"}),
        ("invoice.paid", {"type_pattern": "invoice.paid"}),
        ("CR", {"endpoints": (CRM, CRM_EU)}),
        ("crm,billing", {"endpoints": (CRM, BILLING)}),
        ("failed", {"states": (FAILED,)}),
        ("retrying 503", {"states": (PENDING, SENDING), "troubled": True, "statuses": (StatusRange(503, 503),)}),
        ("-crm", {"endpoints": (CRM_EU, BILLING)}),
        ("dlv_00001k", {"ids": (51,)}),
        ("evt_x", {"event_id": "evt_x"}),
        ('"card declined"', {"texts": ("card declined",)}),
    ],
)
def test_what_a_filter_means(text: str, parts: dict[str, Any]) -> None:
    assert deliveries(text) == DeliveryFilter(**parts)


def test_a_filter_narrows_what_it_is_given() -> None:
    base = DeliveryFilter(troubled=True, endpoints=(CRM, BILLING), since_ms=NOW_MS - 60_000, texts=("a",))
    narrowed = deliveries("state:failed billing since:1h text:b", base)
    assert narrowed == DeliveryFilter(
        states=(FAILED,), endpoints=(BILLING,), since_ms=NOW_MS - 60_000, texts=("a", "b")
    ), "what failed is troubled: that is not said twice"


def test_attempts_and_events_have_fewer_parts() -> None:
    wanted = attempts("state:failed dns attempts:>2 delivery:dlv_00001k -status:404")
    assert wanted == AttemptFilter(
        failed_only=True,
        causes=(Cause.DNS,),
        attempts_least=3,
        delivery_id=DeliveryId(51),
        statuses=(StatusRange(100, 403), StatusRange(405, 999)),
    )
    assert attempts("-state:failed").delivered_only
    assert attempts("state:failed,delivered").ended_only
    assert attempts("state:failed", AttemptFilter(ended_only=True)) == AttemptFilter(failed_only=True)
    asked = parse_query('invoice since:1h text:"x y"', now_ms=NOW_MS).events()
    assert asked == EventFilter(type_pattern="invoice.*", since_ms=NOW_MS - 3_600_000, texts=("x y",))
    for text, place in (("crm group:1", (4, 11)), ("state:failed,pending", (13, 20)), ("delivery:1,2", (11, 12))):
        with pytest.raises(QueryError) as raised:
            attempts(text)
        assert (raised.value.start, raised.value.end) == place, text
    with pytest.raises(QueryError, match="events have no cause"):
        parse_query("dns", now_ms=NOW_MS).events()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("crm cuase:dns", "cuase:", "did you mean cause:"),
        ("colour:red", "colour:", "there are endpoint:"),
        ("cause:dns,refusde", "refusde", "did you mean refused"),
        ("endpoint:bilings", "bilings", "did you mean billing"),
        ("endpoint:zzz", "zzz", "there are crm, crm-eu, billing"),
        ("state:blue", "blue", "there are pending"),
        ("state:paused", "paused", "never paused"),
        ("-state:retrying", "retrying", "cannot be answered"),
        ("state:retrying,delivered", "retrying", "no other state than failed"),
        ("status:6000", "6000", "500..503"),
        ("status:503..500", "503..500", "500..503"),
        ("attempts:many", "many", ">3"),
        ("attempts:1,2", "2", "one value"),
        ("since:tomorrow", "tomorrow", "2h"),
        ("type:a,b", "b", "one value"),
        ("type:a.*.b", "a.*.b", "invoice.*"),
        ("-type:a", "-type:a", "cannot be answered"),
        ("-invoice", "-invoice", "cannot be answered"),
        ("event:a event:b", "event:b", "nothing matches"),
        ("crm endpoint:billing", "endpoint:billing", "nothing matches"),
        ("attempts:>5 attempts:<3", "attempts:<3", "nothing matches"),
        ("status:4xx status:5xx", "status:5xx", "nothing matches"),
        ("-endpoint:c,b", "-endpoint:c,b", "nothing matches"),
        ("crm,dns", "dns", "write them apart"),
        ("cause:", "cause:", "timeout_read"),
        ("cause:dns,", ",", "behind the comma"),
        ("crm -", "-", "a word belongs here"),
        ('text:"card decl', '"card decl', "not closed"),
        ('text:"a"b', "b", "behind the quote"),
        ('text:a"b', 'a"b', "within a word"),
        ('x "\\ud800"', '"\\ud800"', "no text"),
        ("group:x", "x", "no group"),
        ('text:"!!"', '"!!"', "no word"),
        ("dlv_!", "dlv_!", "dlv_"),
        ("!", "!", "nothing matches"),
        ("@gone", "@gone", "did you mean gone2"),
        ("-@gone2", "-@gone2", "cannot be negated"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, place: str, words: str) -> None:
    error = refused(text, gone2="crm")
    assert (error.text, text[error.start : error.end]) == (text, place)
    assert words in str(error)


def test_a_saved_filter_stands_for_what_it_says() -> None:
    saved: dict[str, Any] = {
        "ours": "endpoint:crm @slow",
        "slow": "cause:timeout_read",
        "a": "x @b",
        "b": "@a",
        "bad": "cause:x",
    }
    assert deliveries("@ours 503", **saved) == deliveries("endpoint:crm cause:timeout_read 503")
    circle = refused("crm @a", **saved)
    assert "@a contains itself: a → b → a" in str(circle)
    assert circle.text[circle.start : circle.end] == "@a"
    wrong = refused("crm @bad", **saved)
    assert str(wrong).startswith("in @bad: 'x' is no cause")
    assert wrong.text[wrong.start : wrong.end] == "@bad"


def test_a_filter_that_explodes_is_refused() -> None:
    saved = {f"f{n}": " ".join([f"@f{n + 1}"] * 50) for n in range(8)} | {"f8": "text:x"}
    assert "at most 200 parts" in str(refused("@f0", **saved))


def test_what_a_line_said_of_a_key_is_replaced() -> None:
    assert rewritten("failed crm  state:pending", "state", "retrying") == "crm state:retrying"
    assert rewritten("crm state:failed", "state", "") == "crm"
    assert rewritten('dns "dns" -cause:tls', "cause", "reset") == '"dns" cause:reset'


# Written as it is read


def some(choices: Any, most: int = 4) -> Any:
    return st.lists(st.sampled_from(list(choices)), max_size=most, unique=True).map(tuple)


PRINTABLE = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
NAME_TABLES = st.lists(PRINTABLE.filter(lambda name: not name.startswith("ep_")), max_size=5, unique=True).map(
    lambda names: {EndpointId(f"ep_{index:012}"): name for index, name in enumerate(names)}
)
TYPES = st.from_regex(r"\A(\*|[a-z]{1,5}(\.[a-z]{1,5}){0,2}(\.\*)?)\Z")
EVENT_IDS = st.text(string.ascii_letters + string.digits + string.punctuation.replace(".", ""), min_size=1, max_size=20)
TIMES = st.none() | st.integers(0, 253_402_300_799_999)
RANGES = st.tuples(st.integers(100, 999), st.integers(100, 999)).map(lambda pair: StatusRange(min(pair), max(pair)))
WITH_A_WORD = st.tuples(st.text(max_size=8), st.sampled_from("a9é語"), st.text(max_size=8)).map("".join)
TEXTS = st.lists(WITH_A_WORD, max_size=3, unique=True).map(tuple)
STATES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    some(DeliveryState, 5).map(lambda states: {"states": states, "troubled": False}),
    some({*DeliveryState} - {FAILED}).map(lambda states: {"states": states, "troubled": True}),
)
ENDED: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"failed_only": True}, {"delivered_only": True}, {"ended_only": True}]
)


@st.composite
def counts(draw: st.DrawFn) -> dict[str, Any]:
    low, high = draw(st.none() | st.integers(1, 10**8)), draw(st.none() | st.integers(0, 10**8))
    if low is not None and high is not None and high < low:
        low, high = high or None, low
    return {"attempts_least": low, "attempts_most": high}


@st.composite
def filters(draw: st.DrawFn) -> tuple[Any, dict[EndpointId, str]]:
    names = draw(NAME_TABLES)
    common: dict[str, Any] = {
        "event_id": draw(st.none() | EVENT_IDS),
        "type_pattern": draw(st.none() | TYPES),
        "since_ms": draw(TIMES),
        "until_ms": draw(TIMES),
        "texts": draw(TEXTS),
    }
    kind = draw(st.sampled_from([DeliveryFilter, AttemptFilter, EventFilter]))
    if kind is EventFilter:
        return EventFilter(**common), names
    known = [*names, EndpointId("ep_zzzzzzzzzzzz")]
    more: dict[str, Any] = {
        "endpoints": draw(some(known, 6)),
        "causes": draw(some(Cause, len(Cause))),
        "statuses": draw(st.lists(RANGES, max_size=3, unique=True).map(tuple)),
        **draw(counts()),
    }
    if kind is AttemptFilter:
        delivery = draw(st.none() | st.integers(1, 2**62).map(DeliveryId))
        return AttemptFilter(**common, **more, **draw(ENDED), delivery_id=delivery), names
    ids = st.lists(st.integers(0, 2**62).map(DeliveryId), max_size=3, unique=True).map(tuple)
    groups = st.lists(st.integers(1, 10**17).map(FailureGroupId), max_size=3, unique=True).map(tuple)
    return DeliveryFilter(**common, **more, **draw(STATES), ids=draw(ids), groups=draw(groups)), names


def read(text: str, kind: type[Any], names: dict[EndpointId, str], **saved: str) -> Any:
    query = parse_query(text, now_ms=NOW_MS, saved=saved)
    if kind is EventFilter:
        return query.events()
    return query.deliveries(names) if kind is DeliveryFilter else query.attempts(names)


@given(filters())
def test_every_filter_is_written_as_it_is_read(drawn: tuple[Any, dict[EndpointId, str]]) -> None:
    where, names = drawn
    text = format_query(where, names)
    assert read(text, type(where), names) == where, text
    assert text.isprintable()
    assert bool(text) != (where == type(where)())


WORDS = st.sampled_from(
    ["crm", "cause:", "dns", "status:5xx", ",", " ", '"', "\\", "-", "@", "@a", "state:retrying", "since:2h", "..", ":"]
)


@given(st.one_of(st.text(), st.lists(WORDS | st.text(max_size=3), max_size=12).map("".join)), st.text(max_size=20))
def test_any_text_is_a_filter_or_refused_with_its_place(text: str, saved: str) -> None:
    for kind in (DeliveryFilter, AttemptFilter, EventFilter):
        try:
            where = read(text, kind, NAMES, a=saved)
        except QueryError as error:
            found = error
        else:
            assert read(format_query(where, NAMES), kind, NAMES) == where
            continue
        assert found.text == text
        assert 0 <= found.start < found.end <= len(text) + 1


def test_a_name_that_would_be_read_as_another_is_written_as_its_id() -> None:
    one, two = EndpointId("ep_000000000001"), EndpointId("ep_000000000002")
    where = DeliveryFilter(endpoints=(one,))
    assert format_query(where, {one: "same", two: "same"}) == "endpoint:ep_000000000001"
