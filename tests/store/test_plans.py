"""Which indexes the queries use, and that what a screen or a claim costs does not grow with the history.

Work is measured in instructions of SQLite's virtual machine: the same on every machine.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from console.domain.delivery import DeliveryState
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter, StatusRange
from console.domain.ids import AttemptId, DeliveryId, EventId, FailureGroupId
from console.domain.operation import OperationKind
from console.domain.outcome import Cause
from console.domain.work import ClaimOrder
from console.store import open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.store import SqliteStore
from tests.factories import NOW_MS, add_endpoint, begin_bulk, delivered, make_completed, make_event, start_engine

ROWS = 200_000
EVERY_MS = 20
"""Between two events."""

FEW = 50_000
"""Instructions. A page of 50 rows takes some 10,000; looking at each of 200,000 rows at least 600,000."""

_EVENTS = "INSERT INTO events (seq, id, type, payload, accepted_at, source) VALUES (?, ?, ?, x'7b7d', ?, 'cli')"
_DELIVERIES = """
INSERT INTO deliveries (id, event, endpoint, state, attempts, step, next_attempt_at, last_cause, created_at, updated_at)
VALUES (?, ?, ?, ?, 1, 1, ?, ?, ?, ?)
"""
_ATTEMPTS = """
INSERT INTO attempts (id, delivery, endpoint, number, manual, started_at, ended_at, cause)
VALUES (?, ?, ?, 1, 0, ?, ?, ?)
"""


RARE = ROWS // 3
"""The one event of its type, the one delivery of the third endpoint and, three after it, the one that is cancelled."""


def _endpoint(i: int) -> int:
    return 3 if i == RARE else 1 + i % 2


def _type(i: int) -> str:
    return "account.closed" if i == RARE else ("invoice.paid", "lead.created")[i // 2 % 2]


def _delivery(i: int) -> tuple[object, ...]:
    """All delivered, but for the oldest hundred of each endpoint, which failed, and the next, which wait."""
    at = NOW_MS + i * EVERY_MS
    if i <= 200:
        return i, i, _endpoint(i), "failed", None, "dns", at, at
    if i <= 20_000:
        return i, i, _endpoint(i), "pending", at, None, at, at
    return i, i, _endpoint(i), "cancelled" if i == RARE + 3 else "delivered", None, None, at, at


_GAUGES = """
INSERT INTO gauges (endpoint, pending, delivered, failed, cancelled)
SELECT endpoint, sum(state = 'pending'), sum(state = 'delivered'), sum(state = 'failed'), sum(state = 'cancelled')
FROM deliveries GROUP BY endpoint
"""


def _fill(connection: Connection) -> None:
    span = range(1, ROWS + 1)
    with connection.transaction():
        connection.run_many(_EVENTS, ((i, f"evt_{i}", _type(i), NOW_MS + i * EVERY_MS) for i in span))
        connection.run_many(_DELIVERIES, (_delivery(i) for i in span))
        causes = dict.fromkeys(range(200), "dns")
        connection.run_many(
            _ATTEMPTS,
            ((i, i, _endpoint(i), NOW_MS + i * EVERY_MS, NOW_MS + i * EVERY_MS + 5, causes.get(i)) for i in span),
        )
        connection.run(_GAUGES)


class Probe:
    """A store with a long history, its statements and their work observed."""

    def __init__(self, path: Path) -> None:
        open_store(path).close()
        self.connection = Connection(path, read_only=False)
        self.connection.prepare()
        self.store = SqliteStore(self.connection)
        self.endpoints = [add_endpoint(self.store, name=name) for name in ("a", "b", "c")]
        assert [e.seq for e in self.endpoints] == [1, 2, 3]
        self.epoch = start_engine(self.store)
        _fill(self.connection)

    def work_of(self, call: Callable[[], object]) -> int:
        """Instructions that a call takes, to the nearest 100."""
        count = 0

        def step() -> int:
            nonlocal count
            count += 100
            return 0

        self.connection.raw.set_progress_handler(step, 100)
        call()
        self.connection.raw.set_progress_handler(None, 0)
        return count

    def plan_of(self, call: Callable[[], object]) -> str:
        """How SQLite runs the statements of a call."""
        statements: list[str] = []
        self.connection.raw.set_trace_callback(statements.append)
        call()
        self.connection.raw.set_trace_callback(None)
        lines: list[str] = []
        for sql in statements:
            if sql.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                lines += [row[3] for row in self.connection.rows(f"EXPLAIN QUERY PLAN {sql}")]
        return "\n".join(lines)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    probe = Probe(tmp_path_factory.mktemp("history") / "store.db")
    with closing(probe.connection):
        yield probe


def deliveries(where: DeliveryFilter, before: int | None = None) -> Callable[[Probe], object]:
    return lambda p: p.store.deliveries(where, limit=50, before=None if before is None else DeliveryId(before))


def attempts(where: AttemptFilter, **page: AttemptId) -> Callable[[Probe], object]:
    return lambda p: p.store.attempts(where, AttemptPage(limit=50, **page))


def of_endpoint(p: Probe) -> AttemptFilter:
    return AttemptFilter(endpoints=(p.endpoints[0].id,))


MIDDLE = AttemptId(ROWS // 2)
READS: dict[str, tuple[Callable[[Probe], object], str]] = {
    "troubled deliveries": (deliveries(DeliveryFilter(troubled=True)), "INDEX deliveries_troubled"),
    "troubled deliveries, next page": (deliveries(DeliveryFilter(troubled=True), 150), "INDEX deliveries_troubled"),
    "troubled deliveries, counted": (
        lambda p: p.store.count_deliveries(DeliveryFilter(troubled=True)),
        "INDEX deliveries_troubled",
    ),
    "failed deliveries": (
        deliveries(DeliveryFilter(states=(DeliveryState.FAILED,))),
        "INDEX deliveries_troubled",
    ),
    "deliveries being sent": (
        deliveries(DeliveryFilter(states=(DeliveryState.SENDING,))),
        "SCAN gauges",  # which say that there are none
    ),
    "deliveries of an event": (
        deliveries(DeliveryFilter(event_id=EventId("evt_77"))),
        "INDEX deliveries_event (event=?)",
    ),
    "deliveries by id": (
        deliveries(DeliveryFilter(ids=(DeliveryId(5), DeliveryId(7)))),
        "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
    ),
    "deliveries, a page": (
        deliveries(DeliveryFilter(), ROWS // 2),
        "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid<?)",
    ),
    "failed attempts": (attempts(AttemptFilter(failed_only=True)), "INDEX attempts_failed"),
    "failed attempts, the tail": (
        attempts(AttemptFilter(failed_only=True), after=MIDDLE),
        "INDEX attempts_failed (id>?)",
    ),
    "deliveries by status": (
        deliveries(DeliveryFilter(statuses=(StatusRange(500, 599),))),
        "INDEX deliveries_status",
    ),
    "deliveries of a group": (
        deliveries(DeliveryFilter(groups=(FailureGroupId(3),))),
        "INDEX deliveries_group",
    ),
    "attempts by status": (
        attempts(AttemptFilter(statuses=(StatusRange(500, 599), StatusRange(404, 404)))),
        "INDEX attempts_status",
    ),
    "attempts by cause": (attempts(AttemptFilter(causes=(Cause.DNS,))), "INDEX attempts_cause (cause=?"),
    "attempts, a page": (
        attempts(AttemptFilter(), before=MIDDLE),
        "SEARCH attempts USING INTEGER PRIMARY KEY (rowid<?)",
    ),
    "attempts, the tail": (
        attempts(AttemptFilter(), after=MIDDLE),
        "SEARCH attempts USING INTEGER PRIMARY KEY (rowid>?)",
    ),
    "an endpoint's attempts": (
        lambda p: p.store.attempts(of_endpoint(p), AttemptPage(limit=50)),
        "INDEX attempts_endpoint (endpoint=?)",
    ),
    "an endpoint's attempts, a page": (
        lambda p: p.store.attempts(of_endpoint(p), AttemptPage(limit=50, before=MIDDLE)),
        "INDEX attempts_endpoint (endpoint=? AND id<?)",
    ),
    "attempts of several endpoints": (
        lambda p: p.store.attempts(AttemptFilter(endpoints=tuple(e.id for e in p.endpoints)), AttemptPage(limit=50)),
        "INDEX attempts_endpoint (endpoint=?)",
    ),
    "a delivery's attempts": (
        attempts(AttemptFilter(delivery_id=DeliveryId(9))),
        "INDEX attempts_delivery (delivery=?)",
    ),
    "an event's attempts": (
        attempts(AttemptFilter(event_id=EventId("evt_9"))),
        "INDEX attempts_delivery (delivery=?)",
    ),
    "events, a page": (
        lambda p: p.store.events(EventFilter(), limit=50, before_seq=ROWS // 2),
        "INDEX deliveries_event (event=?)",
    ),
    "groups of failures": (
        lambda p: p.store.failure_groups(DeliveryFilter()),
        "INDEX deliveries_group (failure_group>?",
    ),
    "next due": (lambda p: p.store.next_due([1, 2]), "COVERING INDEX deliveries_due (endpoint=?"),
    "gauges": (lambda p: p.store.gauges(), "SEARCH g USING INTEGER PRIMARY KEY"),
}


STATES = ((), *((state,) for state in DeliveryState), (DeliveryState.PENDING, DeliveryState.FAILED))
ENDPOINTS = ((), (0,), (2,), (0, 1))
TYPES = (None, "invoice.*", "account.closed", "none.such")
CAUSES = ((), (Cause.DNS,), (Cause.TLS, Cause.REFUSED))
TIMES = ((None, None), (NOW_MS + 2_000_000, NOW_MS + 2_000_800), (NOW_MS + 10**9, None), (None, NOW_MS))


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("causes", CAUSES)
@pytest.mark.parametrize("endpoints", ENDPOINTS)
def test_no_filter_of_deliveries_walks_the_history(
    probe: Probe, endpoints: tuple[int, ...], causes: tuple[Cause, ...], times: tuple[int | None, int | None]
) -> None:
    """Also the ones that match nothing. One row in three thousand is a match, or none is."""
    ids = tuple(probe.endpoints[i].id for i in endpoints)
    for states, type_pattern, troubled in product(STATES, TYPES, (False, True)):
        where = DeliveryFilter(
            endpoints=ids,
            states=states,
            causes=causes,
            type_pattern=type_pattern,
            troubled=troubled,
            since_ms=times[0],
            until_ms=times[1],
        )
        work = probe.work_of(lambda where=where: probe.store.deliveries(where, limit=50))  # type: ignore[misc]  # bound now
        assert work < FEW, where


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("causes", CAUSES)
@pytest.mark.parametrize("endpoints", ENDPOINTS)
def test_no_filter_of_attempts_walks_the_history(
    probe: Probe, endpoints: tuple[int, ...], causes: tuple[Cause, ...], times: tuple[int | None, int | None]
) -> None:
    ids = tuple(probe.endpoints[i].id for i in endpoints)
    for failed_only, type_pattern, after in product((False, True), TYPES, (None, MIDDLE)):
        where = AttemptFilter(
            endpoints=ids,
            causes=causes,
            type_pattern=type_pattern,
            failed_only=failed_only,
            since_ms=times[0],
            until_ms=times[1],
        )
        page = AttemptPage(limit=50, after=after)
        work = probe.work_of(lambda where=where, page=page: probe.store.attempts(where, page))  # type: ignore[misc]  # bound now
        assert work < FEW, (where, page)


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("type_pattern", TYPES)
def test_no_filter_of_events_walks_the_history(
    probe: Probe, type_pattern: str | None, times: tuple[int | None, int | None]
) -> None:
    where = EventFilter(type_pattern=type_pattern, since_ms=times[0], until_ms=times[1])
    assert probe.work_of(lambda: probe.store.events(where, limit=50)) < FEW


@pytest.mark.parametrize("name", READS)
def test_a_read_uses_its_index_and_does_little_work(probe: Probe, name: str) -> None:
    read, index = READS[name]
    plan = probe.plan_of(lambda: read(probe))
    assert index in plan
    assert probe.work_of(lambda: read(probe)) < FEW


def test_the_measure_of_work_sees_a_scan(probe: Probe) -> None:
    assert probe.work_of(lambda: probe.connection.rows("SELECT count(*) FROM attempts WHERE detail = 'x'")) > 10 * FEW


def test_a_claim_and_its_completion_do_little_work_however_much_waits(probe: Probe) -> None:
    def claim_and_complete() -> None:
        orders = [ClaimOrder(endpoint_seq=seq, limit=16) for seq in (1, 2)]
        claimed = probe.store.claim(orders, epoch=probe.epoch, now_ms=NOW_MS + 10**9)
        assert len(claimed) == 32
        probe.store.complete([make_completed(c, delivered()) for c in claimed], epoch=probe.epoch)

    plan = probe.plan_of(claim_and_complete)
    assert "INDEX deliveries_due (endpoint=? AND next_attempt_at<?)" in plan
    assert "SCAN deliveries" not in plan
    assert "SCAN attempts" not in plan
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan, "all that is due would be sorted for a few"
    assert probe.work_of(claim_and_complete) < FEW


def test_accepting_does_little_work(probe: Probe) -> None:
    events = [make_event(id=EventId(f"new-{i}")) for i in range(50)]
    assert probe.work_of(lambda: probe.store.accept(events, NOW_MS)) < FEW
    assert probe.work_of(lambda: probe.store.accept(events, NOW_MS)) < FEW, "duplicates"


def test_recovering_nothing_does_little_work(probe: Probe) -> None:
    plan = probe.plan_of(lambda: probe.store.recover(epoch=probe.epoch, now_ms=NOW_MS))
    assert "INDEX deliveries_sending" in plan
    assert probe.work_of(lambda: probe.store.recover(epoch=probe.epoch, now_ms=NOW_MS)) < FEW


def test_tidying_does_little_work(probe: Probe) -> None:
    assert probe.work_of(lambda: probe.store.tidy(epoch=probe.epoch, now_ms=NOW_MS)) < FEW


BULK = {
    "retry of failed": (OperationKind.DELIVERY_RETRY, DeliveryFilter(states=(DeliveryState.FAILED,)), "_troubled"),
    "cancel of failed": (OperationKind.DELIVERY_CANCEL, DeliveryFilter(states=(DeliveryState.FAILED,)), "_troubled"),
    "retry of an event": (OperationKind.DELIVERY_RETRY, DeliveryFilter(event_id=EventId("evt_9")), "_event"),
    "cancel of a type": (OperationKind.DELIVERY_CANCEL, DeliveryFilter(type_pattern="lead.*"), ""),
    "cancel by many ids": (
        OperationKind.DELIVERY_CANCEL,
        DeliveryFilter(ids=tuple(DeliveryId(i) for i in range(1, ROWS, 5))),
        "",
    ),
}


@pytest.mark.parametrize("name", BULK)
def test_a_piece_of_a_bulk_operation_does_a_piece_of_the_work(probe: Probe, name: str) -> None:
    kind, where, index = BULK[name]
    operation = begin_bulk(probe.store, kind, where)

    def advance() -> None:
        probe.store.advance_operation(operation.id, limit=10, now_ms=NOW_MS)

    plan = probe.plan_of(advance)
    if index:
        assert f"INDEX deliveries{index}" in plan
    assert "SCAN deliveries\n" not in plan + "\n"
    assert probe.work_of(advance) < FEW


def test_a_piece_of_an_undo_does_a_piece_of_the_work(probe: Probe) -> None:
    where = DeliveryFilter(states=(DeliveryState.PENDING,))
    undone = begin_bulk(probe.store, OperationKind.DELIVERY_CANCEL, where)
    for _ in range(20):
        probe.store.advance_operation(undone.id, limit=500, now_ms=NOW_MS)
    undo = begin_bulk(probe.store, OperationKind.DELIVERY_UNDO, undoes=undone.id)

    def advance() -> None:
        probe.store.advance_operation(undo.id, limit=10, now_ms=NOW_MS)

    assert "INDEX deliveries_operation (operation=? AND id>?" in probe.plan_of(advance)
    assert probe.work_of(advance) < FEW


@pytest.mark.parametrize("kind", [OperationKind.DELIVERY_SKIP, OperationKind.DELIVERY_RETRY])
def test_a_piece_of_a_bulk_operation_on_an_endpoint_looks_at_no_other(probe: Probe, kind: OperationKind) -> None:
    where = DeliveryFilter(endpoints=(probe.endpoints[1].id,), states=(DeliveryState.PENDING,), since_ms=NOW_MS + 300)
    operation = begin_bulk(probe.store, kind, where)
    assert operation.is_open

    def advance() -> None:
        probe.store.advance_operation(operation.id, limit=10, now_ms=NOW_MS)

    assert "INDEX deliveries_endpoint_state (endpoint=? AND state=? AND id>?" in probe.plan_of(advance)
    assert probe.work_of(advance) < FEW
