"""How endpoints stood: what is written down, and what is read of it for any moment."""

from console.domain.delivery import DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.level import LEVELS_KEPT_S, Level
from console.domain.outcome import Cause
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    retry,
    retry_matching,
    start_engine,
)

MINUTE_MS = 60_000
ACTIVE, PAUSED = EndpointState.ACTIVE, EndpointState.PAUSED


def write_down(store: Store, now_ms: int) -> int:
    """What the engine's chore does. Returns how many endpoints had changed."""
    changed = store.changed_levels()
    store.record_levels(changed, now_ms)
    return len(changed)


def pause(store: Store, endpoint: Endpoint, now_ms: int) -> None:
    store.set_endpoint_state(endpoint.id, PAUSED, "an operator says so", now_ms)


def levels(store: Store, at_ms: int) -> dict[EndpointId, tuple[EndpointState | None, int | None, int | None]]:
    return {id_: (level.state, level.pending, level.failed) for id_, level in store.levels_at(at_ms).items()}


class LevelsConformance:
    def test_what_changed_is_written_down_once(self, store: Store) -> None:
        crm, erp = add_endpoint(store), add_endpoint(store, name="erp")
        assert write_down(store, NOW_MS) == 2
        assert write_down(store, NOW_MS + MINUTE_MS) == 0
        store.accept_for(make_event(), erp.id, NOW_MS)
        assert [seq for seq, *_ in store.changed_levels()] == [erp.seq]
        pause(store, crm, NOW_MS)
        assert write_down(store, NOW_MS + 2 * MINUTE_MS) == 2

    def test_counts_are_the_last_written_down_before(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        for minute, events in enumerate((3, 0, 4)):
            store.accept([make_event() for _ in range(events)], NOW_MS)
            write_down(store, NOW_MS + minute * MINUTE_MS)
        at = {minute: levels(store, NOW_MS + minute * MINUTE_MS)[endpoint.id] for minute in range(4)}
        assert at == {0: (ACTIVE, 3, 0), 1: (ACTIVE, 3, 0), 2: (ACTIVE, 7, 0), 3: (ACTIVE, 7, 0)}

    def test_failed_ones_are_counted(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        store.accept([make_event(), make_event()], NOW_MS)
        attempt_all(store, epoch, failed())
        write_down(store, NOW_MS + MINUTE_MS)
        assert levels(store, NOW_MS + MINUTE_MS)[endpoint.id] == (ACTIVE, 0, 2)

    def test_before_anything_was_written_down_counts_are_unknown_and_never_those_of_today(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS + MINUTE_MS)
        assert levels(store, NOW_MS) == {endpoint.id: (ACTIVE, None, None)}
        pause(store, endpoint, NOW_MS + MINUTE_MS)
        assert levels(store, NOW_MS) == {}, "nobody knows what it was before"
        assert levels(store, NOW_MS + MINUTE_MS) == {endpoint.id: (PAUSED, None, None)}

    def test_a_state_is_true_from_when_it_began_not_from_when_it_was_seen(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        write_down(store, NOW_MS)
        pause(store, endpoint, NOW_MS + 20_000)
        write_down(store, NOW_MS + MINUTE_MS)
        states = [levels(store, NOW_MS + at)[endpoint.id][0] for at in (0, 19_999, 20_000, MINUTE_MS, 90_000)]
        assert states == [ACTIVE, ACTIVE, PAUSED, PAUSED, PAUSED]

    def test_a_state_that_no_engine_saw_is_known_too(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        write_down(store, NOW_MS)
        pause(store, endpoint, NOW_MS + 20_000)
        assert [levels(store, NOW_MS + at)[endpoint.id][0] for at in (19_999, 20_000)] == [ACTIVE, PAUSED]

    def test_endpoints_are_those_that_were_there(self, store: Store) -> None:
        old = add_endpoint(store)
        new = add_endpoint(store, name="new", now_ms=NOW_MS + MINUTE_MS)
        store.remove_endpoint(old.id, NOW_MS + 2 * MINUTE_MS)
        there = [[e.id for e in store.endpoints_at(NOW_MS + at * MINUTE_MS)] for at in (-1, 0, 1, 2)]
        assert there == [[], [old.id], [old.id, new.id], [new.id]]

    def test_old_ones_go_but_for_the_last(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        for day in range(4):
            store.accept([make_event()], NOW_MS)
            write_down(store, NOW_MS + day * MINUTE_MS)
        for part in range(60):
            store.drop_levels(part, 60, NOW_MS + 2 * MINUTE_MS + LEVELS_KEPT_S * 1000)
        kept = store.level_series(endpoint.id, since_ms=0, until_ms=NOW_MS + 10 * MINUTE_MS)
        assert [level.pending for level in kept] == [3, 4]

    def test_a_series_begins_with_what_was_true_at_its_beginning(self, store: Store) -> None:
        endpoint = add_endpoint(store)
        for minute in range(4):
            store.accept([make_event()], NOW_MS)
            write_down(store, NOW_MS + minute * MINUTE_MS)
        series = store.level_series(endpoint.id, since_ms=NOW_MS + 90_000, until_ms=NOW_MS + 3 * MINUTE_MS)
        assert [(level.at_ms, level.pending) for level in series] == [
            (NOW_MS + MINUTE_MS, 2),
            (NOW_MS + 2 * MINUTE_MS, 3),
        ]
        assert isinstance(series[0], Level)

    def test_requests_under_way_at_a_moment(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        store.accept([make_event(), make_event()], NOW_MS)
        first, second = claim_all(store, epoch, endpoint)
        store.complete([make_completed(first, delivered(), ended_at_ms=NOW_MS + 5_000)], epoch=epoch)
        counts = [store.sending_at(NOW_MS + at).get(endpoint.id, 0) for at in (-1, 0, 4_999, 5_000)]
        assert counts == [0, 2, 2, 1]
        store.complete([make_completed(second, delivered(), ended_at_ms=NOW_MS + 9_000)], epoch=epoch)
        assert store.sending_at(NOW_MS + 9_000) == {}

    def test_the_last_failure_before_a_moment(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        causes = (Cause.HTTP_5XX, Cause.DNS, Cause.HTTP_5XX)
        for n, cause in enumerate(causes):
            store.accept([make_event()], NOW_MS)
            at_ms = NOW_MS + n * MINUTE_MS
            attempt_all(store, epoch, retry(at_ms + 100 * MINUTE_MS, cause), now_ms=at_ms)
        found = [
            last.cause if (last := store.last_failures_at(NOW_MS + at, limit=10).get(endpoint.id)) else None
            for at in (0, 12, MINUTE_MS + 12, 2 * MINUTE_MS + 12)
        ]
        assert found == [None, *causes]
        assert store.last_failures_at(NOW_MS + 12, limit=0) == {}


class DueWithinConformance:
    def test_counts_what_falls_due_held_ones_too(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        store.accept([make_event() for _ in range(5)], NOW_MS)
        for n, claimed in enumerate(claim_all(store, epoch, endpoint)):
            store.complete([make_completed(claimed, retry(NOW_MS + n * MINUTE_MS))], epoch=epoch)
        pause(store, endpoint, NOW_MS)
        counts = [store.due_within(endpoint.id, NOW_MS + at * MINUTE_MS, 4) for at in (-1, 0, 2, 9)]
        assert counts == [0, 1, 3, 4]

    def test_the_newest_moment_is_when_anything_last_happened(self, store: Store) -> None:
        assert store.newest_ms() is None
        add_endpoint(store, now_ms=NOW_MS)
        assert store.newest_ms() == NOW_MS
        store.accept([make_event()], NOW_MS + 1)
        epoch = start_engine(store, now_ms=NOW_MS + 2)
        assert store.newest_ms() == NOW_MS + 2
        attempt_all(store, epoch, delivered(), now_ms=NOW_MS + 100)
        assert store.newest_ms() == NOW_MS + 112


class DeliveriesAtConformance:
    def test_a_delivery_is_as_its_last_try_by_then_left_it(self, store: Store) -> None:
        epoch = start_engine(store)
        endpoint = add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        (first,) = claim_all(store, epoch, endpoint, now_ms=NOW_MS)
        verdict = retry(NOW_MS + MINUTE_MS)
        store.complete([make_completed(first, verdict, ended_at_ms=NOW_MS + 1_000)], epoch=epoch)
        (second,) = claim_all(store, epoch, endpoint, now_ms=NOW_MS + MINUTE_MS)
        ended = NOW_MS + MINUTE_MS + 2_000
        store.complete(
            [make_completed(second, delivered(), started_at_ms=NOW_MS + MINUTE_MS, ended_at_ms=ended)], epoch=epoch
        )
        delivery = first.delivery_id

        def then(at_ms: int) -> tuple[object, ...] | None:
            found = store.deliveries_at([delivery], at_ms).get(delivery)
            return None if found is None else (found[0], found[1].state, found[1].attempts, found[1].last_status)

        assert then(NOW_MS + 999) is None, "nothing had ended"
        assert then(NOW_MS + 1_000) == (first.attempt_id, DeliveryState.PENDING, 1, 503)
        assert then(NOW_MS + MINUTE_MS) == (first.attempt_id, DeliveryState.SENDING, 1, 503)
        assert then(ended) == (second.attempt_id, DeliveryState.DELIVERED, 2, 200)

    def test_what_an_operator_asked_for_later_had_failed_for_good(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        (claimed,) = attempt_all(store, epoch, failed())
        retry_matching(store, now_ms=NOW_MS + MINUTE_MS)
        ((_, asked_for),) = store.deliveries_at([claimed.delivery_id], NOW_MS + MINUTE_MS - 1).values()
        assert (asked_for.state, asked_for.next_attempt_at_ms) == (DeliveryState.FAILED, None)
        attempt_all(store, epoch, delivered(), now_ms=NOW_MS + 2 * MINUTE_MS)
        ((_, before),) = store.deliveries_at([claimed.delivery_id], NOW_MS + MINUTE_MS).values()
        assert before.state is DeliveryState.FAILED
