from collections.abc import Callable

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import FencedError
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.outcome import PLAIN_WORDS, Cause
from console.domain.rates import MINUTE, SECOND, SECONDS_KEPT_S
from console.domain.work import Claimed, ClaimOrder, Recovered
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    cancel_matching,
    claim_all,
    claim_one,
    delivered,
    failed,
    make_completed,
    make_event,
    make_spec,
    retry,
    retry_matching,
    start_engine,
)
from tests.store.backends import Backend

ALL = DeliveryFilter()
PAGE = AttemptPage(limit=1000)


class LeaseConformance:
    def test_no_engine_has_run_on_a_new_store(self, store: Store) -> None:
        assert store.engine_status() is None

    def test_each_engine_is_a_new_epoch(self, store: Store) -> None:
        epochs = [start_engine(store, now_ms=NOW_MS + i) for i in range(3)]
        assert epochs == sorted(set(epochs))
        status = store.engine_status()
        assert status is not None
        assert (status.epoch, status.pid, status.host, status.version) == (epochs[-1], 4242, "testhost", "0")
        assert (status.started_at_ms, status.heartbeat_at_ms) == (NOW_MS + 2, NOW_MS + 2)
        assert (status.stopped_at_ms, status.stop_requested, status.in_flight) == (None, False, 0)

    def test_a_heartbeat_tells_that_it_is_alive_and_busy(self, store: Store) -> None:
        epoch = start_engine(store)
        store.heartbeat(epoch=epoch, in_flight=7, now_ms=NOW_MS + 1000)
        status = store.engine_status()
        assert status is not None
        assert (status.in_flight, status.heartbeat_at_ms) == (7, NOW_MS + 1000)
        assert status.alive(NOW_MS + 1500)

    def test_an_engine_that_ended_in_order_says_so(self, store: Store) -> None:
        epoch = start_engine(store)
        store.release(epoch=epoch, now_ms=NOW_MS + 5)
        status = store.engine_status()
        assert status is not None
        assert status.stopped_at_ms == NOW_MS + 5
        assert not status.alive(NOW_MS + 5)

    def test_a_request_to_stop_is_for_the_engine_that_runs(self, store: Store) -> None:
        start_engine(store)
        since = store.newest_nudge()
        store.request_stop()
        status = store.engine_status()
        assert status is not None
        assert status.stop_requested
        assert store.nudged(since).stop
        start_engine(store)
        status = store.engine_status()
        assert status is not None
        assert not status.stop_requested

    @pytest.mark.parametrize(
        "write",
        [
            lambda store, epoch, claimed: store.recover(epoch=epoch, now_ms=NOW_MS),
            lambda store, epoch, claimed: store.heartbeat(epoch=epoch, in_flight=1, now_ms=NOW_MS),
            lambda store, epoch, claimed: store.release(epoch=epoch, now_ms=NOW_MS),
            lambda store, epoch, claimed: claim_all(store, epoch),
            lambda store, epoch, claimed: store.claim([], epoch=epoch, now_ms=NOW_MS),
            lambda store, epoch, claimed: store.complete([make_completed(claimed, delivered())], epoch=epoch),
            lambda store, epoch, claimed: store.tidy(epoch=epoch, now_ms=NOW_MS + 10**9),
        ],
        ids=["recover", "heartbeat", "release", "claim", "claim nothing", "complete", "tidy"],
    )
    def test_a_stale_engine_changes_nothing(
        self, store: Store, backend: Backend, write: Callable[[Store, int, Claimed], object]
    ) -> None:
        stale = start_engine(store)
        claimed = claim_one(store, stale)
        store.accept([make_event()], NOW_MS)
        start_engine(backend.open())
        before = backend.contents()
        with pytest.raises(FencedError):
            write(store, stale, claimed)
        assert backend.contents() == before

    def test_before_any_engine_has_taken_over_none_may_write(self, store: Store) -> None:
        with pytest.raises(FencedError):
            store.heartbeat(epoch=1, in_flight=0, now_ms=NOW_MS)


class ClaimConformance:
    def test_a_claim_carries_what_is_sent(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        (accepted,) = store.accept([make_event(payload=b"\x00\xff")], NOW_MS)
        (claimed,) = claim_all(store, start_engine(store))
        assert (claimed.event_id, claimed.event_type, claimed.payload) == (accepted.id, "invoice.paid", b"\x00\xff")
        assert (claimed.endpoint_seq, claimed.number, claimed.step, claimed.manual) == (endpoint.seq, 1, 1, False)

    def test_a_claim_tells_when_its_event_came_and_which_way(self, store: Store) -> None:
        add_endpoint(store)
        epoch = start_engine(store)
        store.accept([make_event(), make_event(hops=2, via="a1b2,☃")], NOW_MS - 5)
        store.accept([make_event(hops=1)], NOW_MS)
        claimed = claim_all(store, epoch)
        assert [(c.accepted_at_ms, c.hops, c.via) for c in claimed] == [
            (NOW_MS - 5, 0, None), (NOW_MS - 5, 2, "a1b2,☃"), (NOW_MS, 1, None),
        ]  # fmt: skip

    def test_the_attempt_is_in_the_store_before_the_request_is_made(self, store: Store, backend: Backend) -> None:
        claimed = claim_one(store, start_engine(store))
        attempt = backend.open(read_only=True).attempt(claimed.attempt_id)
        assert (attempt.delivery_id, attempt.number, attempt.started_at_ms) == (claimed.delivery_id, 1, NOW_MS)
        assert (attempt.ended_at_ms, attempt.status, attempt.cause, attempt.total_ms) == (None, None, None, None)
        assert store.exchange(claimed.attempt_id) is None
        delivery = store.delivery(claimed.delivery_id)
        assert (delivery.state, delivery.attempts, delivery.next_attempt_at_ms) == (DeliveryState.SENDING, 1, None)
        backend.assert_counted_right(store)

    def test_only_what_is_due_is_claimed_and_only_once(self, store: Store) -> None:
        add_endpoint(store, policy={"schedule_s": (1.0,)})
        store.accept([make_event()], NOW_MS)
        store.accept([make_event()], NOW_MS + 1)
        epoch = start_engine(store)
        assert claim_all(store, epoch, now_ms=NOW_MS + 999) == []
        assert len(claim_all(store, epoch, now_ms=NOW_MS + 1000)) == 1
        assert len(claim_all(store, epoch, now_ms=NOW_MS + 10_000)) == 1
        assert claim_all(store, epoch, now_ms=NOW_MS + 10_000) == []

    def test_each_endpoint_gets_its_limit_the_longest_due_first(self, store: Store, backend: Backend) -> None:
        a = add_endpoint(store, name="a", types=("a",), policy={"schedule_s": (5.0, 5.0)})
        b = add_endpoint(store, name="b", types=("b",))
        for at in (3, 1, 2, 5, 4):
            store.accept([make_event(type="a"), make_event(type="b")], NOW_MS + at)
        epoch = start_engine(store)
        orders = [ClaimOrder(endpoint_seq=a.seq, limit=3), ClaimOrder(endpoint_seq=b.seq, limit=1)]
        claimed = store.claim(orders, epoch=epoch, now_ms=NOW_MS + 60_000)
        created = {e.seq: sorted(store.delivery(c.delivery_id).created_at_ms - NOW_MS for c in claimed
                                 if c.endpoint_seq == e.seq) for e in (a, b)}  # fmt: skip
        assert created == {a.seq: [1, 2, 3], b.seq: [1]}
        assert len({c.attempt_id for c in claimed}) == 4
        assert len({c.delivery_id for c in claimed}) == 4
        backend.assert_counted_right(store)

    def test_only_endpoints_in_the_order_are_claimed_for(self, store: Store) -> None:
        a, _ = add_endpoint(store, name="a"), add_endpoint(store, name="b")
        store.accept([make_event()], NOW_MS)
        assert [c.endpoint_seq for c in claim_all(store, start_engine(store), a)] == [a.seq]

    @pytest.mark.parametrize("state", [s for s in EndpointState if s is not EndpointState.ACTIVE])
    def test_nothing_is_claimed_for_an_endpoint_that_is_not_active(
        self, store: Store, backend: Backend, state: EndpointState
    ) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        backend.open().set_endpoint_state(endpoint.id, state, None, NOW_MS)
        assert claim_all(store, epoch, endpoint) == []
        backend.open().set_endpoint_state(endpoint.id, EndpointState.ACTIVE, None, NOW_MS)
        assert len(claim_all(store, epoch, endpoint)) == 1

    def test_numbers_go_on_and_the_schedule_is_charged(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        for number in (1, 2, 3):
            (claimed,) = attempt_all(store, epoch, retry(NOW_MS))
            assert (claimed.number, claimed.step) == (number, number)

    def test_a_manual_try_is_not_charged(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        attempt_all(store, epoch, failed())
        retry_matching(store)
        (claimed,) = attempt_all(store, epoch, retry(NOW_MS))
        assert (claimed.number, claimed.step, claimed.manual) == (2, 1, True)
        assert [a.manual for a in store.attempts(AttemptFilter(), PAGE)] == [False, True]
        (claimed,) = claim_all(store, epoch)
        assert (claimed.number, claimed.step, claimed.manual) == (3, 2, False)


class RecoverConformance:
    def test_nothing_was_in_flight(self, store: Store, backend: Backend) -> None:
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        assert store.recover(epoch=epoch, now_ms=NOW_MS) == Recovered(pending=0, failed=0)
        backend.assert_counted_right(store)

    def test_what_was_in_flight_is_unknown_and_due_at_once(self, store: Store, backend: Backend) -> None:
        claimed = claim_one(store, start_engine(store))
        epoch = start_engine(store)
        later = NOW_MS + 60_000
        assert store.recover(epoch=epoch, now_ms=later) == Recovered(pending=1, failed=0)
        delivery, attempt = store.delivery(claimed.delivery_id), store.attempt(claimed.attempt_id)
        assert (delivery.state, delivery.next_attempt_at_ms) == (DeliveryState.PENDING, later)
        assert (delivery.last_cause, delivery.last_status) == (Cause.UNKNOWN_OUTCOME, None)
        assert (delivery.attempts, delivery.schedule_step, delivery.manual) == (1, 1, False)
        assert (attempt.cause, attempt.ended_at_ms) == (Cause.UNKNOWN_OUTCOME, later)
        assert (attempt.status, attempt.total_ms, attempt.succeeded) == (None, None, False)
        assert attempt.detail == PLAIN_WORDS[Cause.UNKNOWN_OUTCOME]
        assert store.exchange(claimed.attempt_id) is None
        assert store.recover(epoch=epoch, now_ms=later) == Recovered(pending=0, failed=0)
        backend.assert_counted_right(store)
        (again,) = claim_all(store, epoch, now_ms=later)
        assert (again.number, again.step) == (2, 2)

    def test_the_last_try_of_a_schedule_failed(self, store: Store, backend: Backend) -> None:
        claimed = claim_one(store, start_engine(store), policy={"schedule_s": (0.0,)})
        epoch = start_engine(store)
        assert store.recover(epoch=epoch, now_ms=NOW_MS) == Recovered(pending=0, failed=1)
        delivery = store.delivery(claimed.delivery_id)
        assert (delivery.state, delivery.next_attempt_at_ms) == (DeliveryState.FAILED, None)
        backend.assert_counted_right(store)

    def test_a_manual_try_in_flight_leaves_the_schedule_as_it_was(self, store: Store) -> None:
        add_endpoint(store, policy={"schedule_s": (0.0, 5.0)})
        store.accept([make_event()], NOW_MS)
        retry_matching(store)
        (claimed,) = claim_all(store, start_engine(store))
        assert (claimed.manual, claimed.step) == (True, 0)
        epoch = start_engine(store)
        assert store.recover(epoch=epoch, now_ms=NOW_MS) == Recovered(pending=1, failed=0)
        (again,) = claim_all(store, epoch)
        assert (again.manual, again.step) == (False, 1)

    def test_many_of_many_endpoints(self, store: Store, backend: Backend) -> None:
        add_endpoint(store, name="a")
        paused = add_endpoint(store, name="b", policy={"schedule_s": (0.0,)})
        store.accept([make_event() for _ in range(20)], NOW_MS)
        claim_all(store, start_engine(store), limit=15)
        store.set_endpoint_state(paused.id, EndpointState.PAUSED, None, NOW_MS)
        epoch = start_engine(store)
        assert store.recover(epoch=epoch, now_ms=NOW_MS + 1) == Recovered(pending=15, failed=15)
        backend.assert_counted_right(store)


class DueAndNudgesConformance:
    def test_when_each_endpoint_is_next_due(self, store: Store) -> None:
        soon = add_endpoint(store, name="soon", types=("a",), policy={"schedule_s": (1.0,)})
        late = add_endpoint(store, name="late", types=("a",), policy={"schedule_s": (9.0,)})
        idle = add_endpoint(store, name="idle", types=("b",))
        store.accept([make_event(type="a")], NOW_MS)
        store.accept([make_event(type="a")], NOW_MS - 500)
        seqs = [soon.seq, late.seq, idle.seq, 999]
        assert store.next_due(seqs) == {soon.seq: NOW_MS + 500, late.seq: NOW_MS + 8500}
        assert store.next_due([]) == {}
        assert store.next_due([idle.seq]) == {}
        epoch = start_engine(store)
        attempt_all(store, epoch, delivered(), now_ms=NOW_MS + 60_000)
        assert store.next_due(seqs) == {}

    def test_what_is_being_sent_is_not_due(self, store: Store) -> None:
        claimed = claim_one(store, start_engine(store))
        assert store.next_due([claimed.endpoint_seq]) == {}

    def test_nudges_tell_what_others_changed(self, store: Store) -> None:
        def nudges_of(act: Callable[[], object]) -> tuple[set[int], set[int], bool]:
            since = store.newest_nudge()
            act()
            nudges = store.nudged(since)
            assert nudges.newest == store.newest_nudge()
            assert store.nudged(nudges.newest).newest == nudges.newest
            return set(nudges.owed), set(nudges.settings), nudges.stop

        since = store.newest_nudge()
        a = add_endpoint(store, name="a", types=("a",))
        assert store.nudged(since).settings == {a.seq}
        b = add_endpoint(store, name="b", types=("a", "b"))
        assert nudges_of(lambda: None) == (set(), set(), False)
        assert nudges_of(lambda: store.accept([make_event(type="a"), make_event(type="a")], NOW_MS)) == (
            {a.seq, b.seq}, set(), False,
        )  # fmt: skip
        assert nudges_of(lambda: store.accept([make_event(type="c")], NOW_MS)) == (set(), set(), False)
        assert nudges_of(lambda: store.accept_for(make_event(), a.id, NOW_MS)) == ({a.seq}, set(), False)
        only_b = DeliveryFilter(endpoints=(b.id,))
        assert nudges_of(lambda: retry_matching(store, only_b)) == ({b.seq}, set(), False)
        assert nudges_of(lambda: cancel_matching(store, only_b)) == ({b.seq}, set(), False)
        edit = make_spec(name="a", types=("a",))
        assert nudges_of(lambda: store.edit_endpoint(a.id, edit, NOW_MS)) == (set(), {a.seq}, False)
        pause = EndpointState.PAUSED
        assert nudges_of(lambda: store.set_endpoint_state(a.id, pause, None, NOW_MS)) == (set(), {a.seq}, False)
        assert nudges_of(lambda: store.remove_endpoint(a.id, NOW_MS)) == (set(), {a.seq}, False)
        assert nudges_of(store.request_stop) == (set(), set(), True)

    def test_the_engines_own_claims_and_completions_nudge_nobody(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch, since = start_engine(store), store.newest_nudge()
        attempt_all(store, epoch, retry(NOW_MS + 5))
        assert store.newest_nudge() == since

    def test_nudges_that_were_tidied_away_unread_are_not_lost(self, store: Store) -> None:
        quiet, busy = add_endpoint(store, name="quiet"), add_endpoint(store, name="busy", types=("busy",))
        epoch, since = start_engine(store), store.newest_nudge()
        store.accept([make_event(type="quiet")], NOW_MS)
        store.request_stop()
        with store.transaction():
            for _ in range(2500):
                store.accept([make_event(type="busy")], NOW_MS)
        store.tidy(epoch=epoch, now_ms=NOW_MS)
        nudges = store.nudged(since)
        assert nudges.owed >= {quiet.seq, busy.seq}
        assert nudges.stop
        assert nudges.newest == store.newest_nudge()

    def test_tidying_drops_old_seconds_and_keeps_minutes(self, store: Store) -> None:
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        epoch = start_engine(store)
        attempt_all(store, epoch, delivered())
        since, until = NOW_MS // 1000 - 60, NOW_MS // 1000 + 60
        store.tidy(epoch=epoch, now_ms=NOW_MS + SECONDS_KEPT_S * 1000)
        assert store.buckets(since_s=since, until_s=until, width_s=SECOND)
        store.tidy(epoch=epoch, now_ms=NOW_MS + SECONDS_KEPT_S * 1000 + 2000)
        assert store.buckets(since_s=since, until_s=until, width_s=SECOND) == []
        (minute,) = store.buckets(since_s=since, until_s=until, width_s=MINUTE)
        assert (minute.accepted, minute.ok) == (1, 1)
