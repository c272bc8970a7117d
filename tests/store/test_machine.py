"""The store against a small model, with crashes: hypothesis looks for an order of calls that tells them apart."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from console.domain.delivery import DeliveryState, Verdict
from console.domain.endpoint import EndpointState
from console.domain.errors import FencedError
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import EventId
from console.domain.operation import OperationKind
from console.domain.outcome import Cause
from console.domain.work import Claimed, ClaimOrder
from console.store import Store, open_store
from console.store.sqlite.store import SqliteStore
from tests.factories import (
    NOW_MS,
    add_endpoint,
    begin_bulk,
    delivered,
    failed,
    gone,
    make_completed,
    make_event,
    retry,
    retry_matching,
    start_engine,
)
from tests.store import recount
from tests.store.model import Model, ModelDelivery, ModelEndpoint

ALL = DeliveryFilter()
TYPES = ("invoice.paid", "invoice.line.added", "lead.created")
PATTERNS = (("*",), ("invoice.*",), ("lead.created", "invoice.paid"))
SCHEDULES = ((0.0,), (0.0, 5.0, 60.0), (2.0, 0.0))
PICK = st.integers(0, 1000)
STATES = st.sets(st.sampled_from(DeliveryState), min_size=1, max_size=3)


class _Killed(BaseException):
    """The process is no more."""


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "store.db"
        self.model = Model()
        self.now_ms = NOW_MS
        self.events = self.deaths = 0
        self.in_flight: list[Claimed] = []
        self.stale: list[tuple[Store, int, list[Claimed]]] = []
        """Engines that were taken over, and what they still had in flight."""

    @initialize()
    def start(self) -> None:
        self.store = open_store(self.path)
        self.epoch = start_engine(self.store, now_ms=self.now_ms)
        self.add(0, 1)

    def teardown(self) -> None:
        for store, _, _ in self.stale:
            store.close()
        self.store.close()
        assert recount.read(self.path, "PRAGMA integrity_check") == [("ok",)]
        assert recount.read(self.path, "PRAGMA foreign_key_check") == []
        self.folder.cleanup()

    # --- operators and producers

    @precondition(lambda self: len(self.model.present()) < 4)
    @rule(types=st.integers(0, 2), schedule=st.integers(0, 2))
    def add(self, types: int, schedule: int) -> None:
        number = len(self.model.endpoints)
        endpoint = add_endpoint(
            self.store, name=f"endpoint-{number}", types=PATTERNS[types], policy={"schedule_s": SCHEDULES[schedule]}
        )
        assert endpoint.seq not in self.model.endpoints
        self.model.endpoints[endpoint.seq] = ModelEndpoint(
            seq=endpoint.seq, id=endpoint.id, types=PATTERNS[types], schedule_s=SCHEDULES[schedule]
        )

    @precondition(lambda self: self.model.present())
    @rule(pick=PICK, state=st.sampled_from([EndpointState.PAUSED, EndpointState.TRIPPED, EndpointState.ACTIVE]))
    def pause_or_resume(self, pick: int, state: EndpointState) -> None:
        endpoint = self.any_endpoint(pick)
        self.store.set_endpoint_state(endpoint.id, state, "why", self.now_ms)
        endpoint.state = state

    @precondition(lambda self: len(self.model.present()) > 1)
    @rule(pick=PICK)
    def remove(self, pick: int) -> None:
        endpoint = self.any_endpoint(pick)
        expected = self.model.cancel(lambda d: d.endpoint is endpoint and d.state == "pending")
        assert self.store.remove_endpoint(endpoint.id, self.now_ms) == expected
        endpoint.removed = True

    @rule(types=st.lists(st.sampled_from(TYPES), min_size=1, max_size=4), again=st.booleans())
    def accept(self, types: list[str], again: bool) -> None:
        ids = [EventId(f"evt_{self.events + i}") for i in range(len(types))]
        new = [make_event(id=i, type=t) for i, t in zip(ids, types, strict=True)]
        answers = self.store.accept([*new, *new[:again]], self.now_ms)
        assert [a.duplicate for a in answers] == [False] * len(new) + [True] * again
        self.events += len(new)
        for event_id, event_type in zip(ids, types, strict=True):
            owed = {d.endpoint_id: d.id for d in self.store.deliveries(DeliveryFilter(event_id=event_id), limit=100)}
            wanting = self.model.wanting(event_type)
            assert set(owed) == {e.id for e in wanting}
            for endpoint in wanting:
                due_ms = self.now_ms + round(endpoint.schedule_s[0] * 1000)
                self.model.deliveries[owed[endpoint.id]] = ModelDelivery(endpoint=endpoint, due_ms=due_ms)

    @rule(states=STATES, pick=PICK, only_one_endpoint=st.booleans())
    def retry_deliveries(self, states: set[DeliveryState], pick: int, only_one_endpoint: bool) -> None:
        endpoint = self.any_endpoint(pick) if only_one_endpoint else None
        expected = self.model.retry(
            lambda d: d.state in states and (endpoint is None or d.endpoint is endpoint), self.now_ms
        )
        where = DeliveryFilter(states=tuple(states), endpoints=(endpoint.id,) if endpoint else ())
        assert retry_matching(self.store, where, now_ms=self.now_ms) == expected

    @rule(states=STATES, limit=st.integers(1, 5))
    def cancel_deliveries(self, states: set[DeliveryState], limit: int) -> None:
        where = DeliveryFilter(states=tuple(states))
        operation = begin_bulk(self.store, OperationKind.DELIVERY_CANCEL, where, now_ms=self.now_ms)
        while operation.is_open:
            operation = self.store.advance_operation(operation.id, limit=limit, now_ms=self.now_ms)
        assert operation.done == self.model.cancel(lambda d: d.state in states)

    @rule(seconds=st.sampled_from([0.001, 1.0, 5.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)

    # --- the engine

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        everyone = list(self.model.endpoints.values())
        orders = [ClaimOrder(endpoint_seq=e.seq, limit=limit) for e in everyone]
        claimed = self.store.claim(orders, epoch=self.epoch, now_ms=self.now_ms)
        for endpoint in everyone:
            ids = {c.delivery_id for c in claimed if c.endpoint_seq == endpoint.seq}
            expected = self.model.due_of(endpoint, self.now_ms)[:limit]
            assert ids == set(expected)
            self.model.claim(expected)
        for c in claimed:
            d = self.model.deliveries[c.delivery_id]
            assert (c.number, c.step, c.manual) == (d.attempts, d.step, d.manual)
        self.in_flight += claimed

    @precondition(lambda self: self.in_flight)
    @rule(picks=st.lists(PICK, min_size=1, max_size=4), kind=st.integers(0, 9), took_ms=st.integers(0, 20_000))
    def complete(self, picks: list[int], kind: int, took_ms: int) -> None:
        done = []
        for pick in picks[: len(self.in_flight)]:
            claimed = self.in_flight.pop(pick % len(self.in_flight))
            verdict = self.verdict_of(kind + pick)
            done.append(
                make_completed(claimed, verdict, ended_at_ms=self.now_ms + took_ms, total_ms=float(took_ms + pick))
            )
            self.model.complete(claimed, verdict)
        assert self.store.complete(done, epoch=self.epoch) == len(done)
        assert self.store.complete(done, epoch=self.epoch) == 0

    def verdict_of(self, kind: int) -> Verdict:
        verdicts: list[Verdict] = [
            delivered(),
            delivered(204),
            retry(self.now_ms + 5000),
            retry(self.now_ms, Cause.DNS, None),
            failed(),
            failed(Cause.RESET, None),
        ]
        return gone() if kind % 10 == 9 else verdicts[kind % 6]

    @rule()
    def tidy(self) -> None:
        self.store.tidy(epoch=self.epoch, now_ms=NOW_MS)
        self.model.tidy()

    @rule()
    def crash_and_start_again(self) -> None:
        """The old engine is not closed: it may still believe that it runs."""
        self.stale.append((self.store, self.epoch, self.in_flight))
        self.store = open_store(self.path)
        self.take_over()

    def take_over(self) -> None:
        self.epoch = start_engine(self.store, now_ms=self.now_ms)
        recovered = self.store.recover(epoch=self.epoch, now_ms=self.now_ms)
        assert (recovered.pending, recovered.failed) == self.model.recover(self.now_ms)
        self.in_flight = []

    @rule(acts=st.lists(st.sampled_from(["accept", "claim", "complete", "pause"]), max_size=4))
    def die_in_the_middle_of_a_transaction(self, acts: list[str]) -> None:
        """What a process that is killed leaves: the files as they are at this moment, half of a transaction in them."""
        assert isinstance(self.store, SqliteStore)
        self.store._connection.run("PRAGMA cache_size=4")  # pages that do not fit go to the file before the commit
        self.deaths += 1
        left = Path(self.folder.name) / f"left-{self.deaths}" / "store.db"
        left.parent.mkdir()
        with suppress(_Killed), self.store.transaction():
            for act in acts:
                self.do_what_never_was(act)
            for name in (self.path, self.path.with_name("store.db-wal")):
                if name.exists():
                    shutil.copy(name, left.with_name(name.name))
            raise _Killed
        for store in (self.store, *(store for store, _, _ in self.stale)):
            store.close()
        self.stale.clear()
        self.path, self.store = left, open_store(left)
        self.take_over()

    def do_what_never_was(self, act: str) -> None:
        match act:
            case "accept":
                self.store.accept([make_event(payload=bytes(20_000)) for _ in range(3)], self.now_ms)
            case "claim":
                orders = [ClaimOrder(endpoint_seq=seq, limit=9) for seq in self.model.endpoints]
                self.store.claim(orders, epoch=self.epoch, now_ms=self.now_ms)
            case "complete":
                self.store.complete([make_completed(c, delivered()) for c in self.in_flight], epoch=self.epoch)
            case _:
                for endpoint in self.store.endpoints():
                    self.store.set_endpoint_state(endpoint.id, EndpointState.PAUSED, "never", self.now_ms)

    @precondition(lambda self: self.stale)
    @rule(pick=PICK)
    def a_stale_engine_reports(self, pick: int) -> None:
        store, epoch, in_flight = self.stale[pick % len(self.stale)]
        late = [make_completed(c, delivered()) for c in in_flight]
        with pytest.raises(FencedError):
            store.complete(late, epoch=epoch)
        with pytest.raises(FencedError):
            store.claim([ClaimOrder(endpoint_seq=s, limit=9) for s in self.model.endpoints], epoch=epoch, now_ms=2**50)
        assert self.store.complete(late, epoch=self.epoch) == 0

    # --- what always holds

    @invariant()
    def deliveries_are_as_the_model_says(self) -> None:
        shown = {
            d.id: (d.endpoint_id, d.state, d.next_attempt_at_ms, d.attempts, d.schedule_step, d.manual, d.held)
            for d in self.store.deliveries(ALL, limit=10_000)
        }
        expected = {
            i: (d.endpoint.id, d.state, d.due_ms, d.attempts, d.step, d.manual, d.held)
            for i, d in self.model.deliveries.items()
        }
        assert shown == expected

    @invariant()
    def endpoints_are_as_the_model_says(self) -> None:
        assert {e.id: e.state for e in self.store.endpoints()} == {e.id: e.state for e in self.model.present()}

    @invariant()
    def next_due_is_as_the_model_says(self) -> None:
        assert self.store.next_due(list(self.model.endpoints)) == self.model.next_due()

    @invariant()
    def counters_equal_a_recount(self) -> None:
        recount.assert_gauges_agree(self.store)
        recount.assert_rates_agree(self.store)
        recount.assert_groups_agree(self.store)

    @invariant()
    def every_try_is_in_the_log(self) -> None:
        attempts = self.store.attempts(AttemptFilter(), AttemptPage(limit=10_000))
        assert len(attempts) == sum(d.attempts for d in self.model.deliveries.values())
        assert {a.id for a in attempts if a.ended_at_ms is None} == {c.attempt_id for c in self.in_flight}

    def any_endpoint(self, pick: int) -> ModelEndpoint:
        present = self.model.present()
        return present[pick % len(present)]


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=settings().max_examples // 4)
