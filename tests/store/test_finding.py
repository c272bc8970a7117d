"""Every part of every filter against a model, with no search file, a partial one and a whole one: the same answers."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.domain.delivery import Attempt, Delivery, DeliveryState, Exchange
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter, StatusRange
from console.domain.ids import AttemptId, DeliveryId, EventId, FailureGroupId
from console.domain.matching import pattern_matches
from console.domain.outcome import Cause
from console.store import Store, open_store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    cancel_matching,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    make_exchange,
    retry,
    start_engine,
)

TYPES = ("invoice.paid", "invoice.voided", "lead.created")
WORDS = ("card", "declined", "Order", "42", "Müller", "東京", "rare")
VERDICTS = (
    delivered(),
    delivered(204),
    retry(NOW_MS, Cause.HTTP_5XX, 503),
    failed(Cause.HTTP_5XX, 500),
    failed(Cause.HTTP_4XX, 404),
    retry(NOW_MS, Cause.DNS, None),
    failed(Cause.HTTP_3XX, 301),
)
EVENTS = 330
"""Five shelves and some."""


def sentence(random: Random) -> bytes:
    """Words of few, so that phrases are found by chance; some as JSON escapes them, some with case and signs."""
    words = [random.choice(WORDS[:-1]) for _ in range(3)]
    if random.random() < 0.01:
        words.append("rare")
    text = random.choice((" ", "_", "-", ": ")).join(words)
    text = random.choice((text, text.upper(), text.lower()))
    if random.random() < 0.3:
        text = text.encode("unicode_escape").decode().replace("\\x", "\\u00")
    return f'{{"says": "{text}"}}'.encode()


@dataclass(frozen=True, slots=True)
class Past:
    """A store, and what is in it, read without any filter."""

    store: Store
    deliveries: list[Delivery]
    attempts: list[Attempt]
    payloads: dict[str, bytes]
    answers: dict[int, bytes]
    """By attempt."""
    answers_of: dict[DeliveryId, list[bytes]]


def make_past(path: Path, *, index: Callable[[Store], None]) -> Store:
    """Half of the attempts are made before `index` is called, half after; some are under way then."""
    random, store = Random(7), open_store(path)
    for name in ("a", "b", "c"):
        add_endpoint(store, name=name, types=("*",) if name == "a" else ("invoice.*",))
    epoch = start_engine(store)
    store.begin_search()
    for i in range(EVENTS):
        event = make_event(id=EventId(f"evt_{i}"), type=random.choice(TYPES), payload=sentence(random))
        store.accept([event], NOW_MS + i * 20_000)
    for round_ in range(6):
        now_ms = NOW_MS + (EVENTS + round_) * 20_000
        claimed = claim_all(store, epoch, now_ms=now_ms, limit=120)
        if round_ == 3:
            index(store)  # while all of these are under way
        done = []
        for one in claimed if round_ < 5 else claimed[::2]:
            verdict = random.choice(VERDICTS)
            body = random.choice((b"", b"\0binary card declined", sentence(random)))
            done.append(make_completed(one, verdict, now_ms=now_ms, exchange=make_exchange(response_body=body)))
        store.complete(done, epoch=epoch)
    cancel_matching(store, DeliveryFilter(states=(DeliveryState.PENDING,), type_pattern="lead.*"), now_ms=now_ms)
    return store


def indexed(store: Store) -> None:
    while store.index_words().more:
        pass


def nothing(store: Store) -> None:
    pass


@pytest.fixture(scope="module", params=["no index", "an index in half", "an index of all"])
def past(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    path = tmp_path_factory.mktemp("past") / "store.db"
    with closing(make_past(path, index=nothing if request.param == "no index" else indexed)) as store:
        if request.param == "an index of all":
            indexed(store)
        status = store.search_status(NOW_MS)
        assert (status is None) == (request.param == "no index")
        attempts = store.attempts(AttemptFilter(), AttemptPage(limit=100_000))
        exchanges = {a.id: store.exchange(a.id) for a in attempts}
        yield Past(
            store,
            store.deliveries(DeliveryFilter(), limit=100_000),
            attempts,
            {f"evt_{i}": store.event(EventId(f"evt_{i}")).payload for i in range(EVENTS)},
            {a.id: body_of(exchanges[a.id]) for a in attempts},
            {id_: [body_of(exchanges[a.id]) for a in those] for id_, those in by_delivery(attempts)},
        )


def body_of(exchange: Exchange | None) -> bytes:
    return (exchange.response_body or b"") if exchange is not None else b""


def by_delivery(attempts: list[Attempt]) -> Iterator[tuple[DeliveryId, list[Attempt]]]:
    for id_, those in groupby(sorted(attempts, key=lambda a: a.delivery_id), lambda a: a.delivery_id):
        yield id_, list(those)


@cache
def says(data: bytes, text: str) -> bool:
    """A second way to tell, over what the sentences above can be."""
    if b"\0" in data:
        return False
    plain = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), data.decode()).casefold()
    spaced = re.sub(r"([東京])", r" \1 ", re.sub(r"[\W_]+", " ", plain))
    wanted = " ".join(re.sub(r"([東京])", r" \1 ", re.sub(r"[\W_]+", " ", text.casefold())).split())
    found = " " + " ".join(spaced.split()) + " "
    return f" {wanted}" in found if text.endswith("*") else f" {wanted} " in found


def within(value: int | None, ranges: tuple[StatusRange, ...]) -> bool:
    return not ranges or (value is not None and any(r.low <= value <= r.high for r in ranges))


def delivery_matches(past: Past, where: DeliveryFilter, d: Delivery) -> bool:
    answers = past.answers_of.get(d.id, [])
    owed = d.state in ("pending", "sending", "failed") and d.last_cause is not None
    return (
        (not where.states or d.state in where.states)
        and (not where.endpoints or d.endpoint_id in where.endpoints)
        and where.event_id in (None, d.event_id)
        and (where.type_pattern is None or pattern_matches(where.type_pattern, d.event_type))
        and (not where.causes or d.last_cause in where.causes)
        and (where.since_ms is None or d.created_at_ms >= where.since_ms)
        and (where.until_ms is None or d.created_at_ms < where.until_ms)
        and within(d.last_status, where.statuses)
        and (where.attempts_least is None or d.attempts >= where.attempts_least)
        and (where.attempts_most is None or d.attempts <= where.attempts_most)
        and (not where.groups or (owed and d.failure_group in where.groups))
        and all(any(says(data, text) for data in (past.payloads[d.event_id], *answers)) for text in where.texts)
        and (not where.troubled or owed)
    )


def attempt_matches(past: Past, where: AttemptFilter, a: Attempt) -> bool:
    said = (past.payloads[a.event_id], past.answers.get(a.id, b""))
    return (
        (not where.endpoints or a.endpoint_id in where.endpoints)
        and where.event_id in (None, a.event_id)
        and (where.type_pattern is None or pattern_matches(where.type_pattern, a.event_type))
        and (not where.causes or a.cause in where.causes)
        and within(a.status, where.statuses)
        and (where.attempts_least is None or a.number >= where.attempts_least)
        and (where.attempts_most is None or a.number <= where.attempts_most)
        and all(any(says(data, text) for data in said) for text in where.texts)
        and (not where.failed_only or a.cause is not None)
        and (not where.delivered_only or (a.cause is None and a.ended_at_ms is not None))
        and (not where.ended_only or a.ended_at_ms is not None)
        and (where.since_ms is None or a.started_at_ms >= where.since_ms)
        and (where.until_ms is None or a.started_at_ms < where.until_ms)
    )


STATUSES = st.lists(
    st.sampled_from([StatusRange(500, 599), StatusRange(404, 404), StatusRange(200, 200), StatusRange(300, 499)]),
    max_size=2,
    unique=True,
).map(tuple)
PHRASES = st.one_of(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(" ".join),
    st.sampled_from(["decl*", "card_decl*", "müll*", "京", "rar*", "no such", "rare card", "4*"]),
)
TEXTS = st.one_of(st.just(()), st.lists(PHRASES, max_size=2).map(tuple))
SOME_TIMES = st.sampled_from([None, None, NOW_MS + 1_000_000, NOW_MS + 3_000_000, NOW_MS + EVENTS * 20_000])
COUNTS = st.sampled_from([None, None, 0, 1, 2, 3])
SHARED = {
    "type_pattern": st.sampled_from([None, None, "invoice.*", "lead.created", "none"]),
    "causes": st.lists(st.sampled_from([Cause.HTTP_5XX, Cause.DNS, Cause.TLS]), max_size=2, unique=True).map(tuple),
    "event_id": st.sampled_from([None] * 6 + ["evt_3", "evt_100", "none"]),
    "statuses": STATUSES,
    "attempts_least": COUNTS,
    "attempts_most": COUNTS,
    "texts": TEXTS,
    "since_ms": SOME_TIMES,
    "until_ms": SOME_TIMES,
}
DELIVERY_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        **SHARED,
        "states": st.lists(st.sampled_from(list(DeliveryState)), max_size=2, unique=True).map(tuple),
        "groups": st.lists(st.integers(1, 30).map(FailureGroupId), max_size=8).map(tuple),
        "troubled": st.booleans(),
    },
)
ATTEMPT_FILTERS = st.fixed_dictionaries(
    {}, optional={**SHARED, "failed_only": st.booleans(), "delivered_only": st.booleans(), "ended_only": st.booleans()}
)
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The past is of the module, and only read."""
ENDPOINTS = st.lists(st.integers(0, 2), max_size=2, unique=True)


def ids_of(past: Past, chosen: list[int]) -> tuple[object, ...]:
    endpoints = past.store.endpoints()
    return tuple(endpoints[i].id for i in chosen)


@MANY
@given(
    parts=DELIVERY_FILTERS, endpoints=ENDPOINTS, budget_ms=st.sampled_from([0.0, math.inf]), limit=st.integers(1, 40)
)
def test_deliveries(past: Past, parts: dict[str, object], endpoints: list[int], budget_ms: float, limit: int) -> None:
    where = DeliveryFilter(**parts, endpoints=ids_of(past, endpoints))  # type: ignore[arg-type]  # as they were drawn
    expected = [d for d in past.deliveries if delivery_matches(past, where, d)]
    assert past.store.deliveries(where, limit=limit) == expected[:limit]
    found: list[Delivery] = []
    before: DeliveryId | None = None
    done = False
    while not done:
        part = past.store.find_deliveries(where, limit=limit, before=before, budget_ms=budget_ms)
        assert len(part.rows) <= limit
        assert part.done or before is None or part.reached < before, "or nobody would ever come to the end"
        found += part.rows
        assert found == [d for d in expected if d.id >= part.reached] or part.done
        before, done = DeliveryId(part.reached), part.done
    assert found == expected
    counted = past.store.count_found(where, budget_ms=math.inf)
    assert counted.complete
    assert counted.by_endpoint == Counter(d.endpoint_id for d in expected) == past.store.count_deliveries(where)
    partly = past.store.count_found(where, budget_ms=0)
    assert partly.total <= len(expected)
    assert partly.total == len(expected) or not partly.complete


@MANY
@given(parts=ATTEMPT_FILTERS, endpoints=ENDPOINTS, budget_ms=st.sampled_from([0.0, math.inf]), ascending=st.booleans())
def test_attempts(
    past: Past, parts: dict[str, object], endpoints: list[int], budget_ms: float, ascending: bool
) -> None:
    where = AttemptFilter(**parts, endpoints=ids_of(past, endpoints))  # type: ignore[arg-type]  # as they were drawn
    expected = [a for a in past.attempts if attempt_matches(past, where, a)]
    assert past.store.attempts(where, AttemptPage(limit=10)) == expected[-10:]
    found: list[Attempt] = []
    page = AttemptPage(limit=25, after=AttemptId(0)) if ascending else AttemptPage(limit=25)
    done = False
    while not done:
        part = past.store.find_attempts(where, page, budget_ms=budget_ms)
        found = [*found, *part.rows] if ascending else [*part.rows, *found]
        reached, done = AttemptId(part.reached), part.done
        page = AttemptPage(limit=25, after=reached) if ascending else AttemptPage(limit=25, before=reached)
    assert found == expected


@MANY
@given(
    texts=TEXTS, type_pattern=SHARED["type_pattern"], event_id=SHARED["event_id"], since=SOME_TIMES, until=SOME_TIMES
)
def test_events(
    past: Past,
    texts: tuple[str, ...],
    type_pattern: str | None,
    event_id: EventId | None,
    since: int | None,
    until: int | None,
) -> None:
    where = EventFilter(texts=texts, type_pattern=type_pattern, event_id=event_id, since_ms=since, until_ms=until)
    rows = past.store.events(EventFilter(), limit=1000)
    expected = [
        e
        for e in rows
        if all(says(past.payloads[e.id], text) for text in texts)
        and (type_pattern is None or pattern_matches(type_pattern, e.type))
        and event_id in (None, e.id)
        and (since is None or e.accepted_at_ms >= since)
        and (until is None or e.accepted_at_ms < until)
    ]
    assert past.store.events(where, limit=7) == expected[:7]
    assert list(past.store.find_events(where, limit=1000, budget_ms=math.inf).rows) == expected
