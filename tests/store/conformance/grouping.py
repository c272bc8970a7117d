"""Failures by endpoint, cause, status and error; and what charts show."""

from dataclasses import replace

import pytest

from console.domain.delivery import DeliveryState, Verdict
from console.domain.endpoint import Endpoint
from console.domain.failure_group import GROUPS_OF_A_KIND, FailureGroup, Share
from console.domain.filters import DeliveryFilter, StatusRange
from console.domain.fingerprint import NO_TEXT, OTHERS_WORDS
from console.domain.ids import EventId
from console.domain.outcome import Cause
from console.domain.rates import MINUTE, SECOND
from console.domain.work import Claimed
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    cancel_matching,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    make_exchange,
    retry,
    retry_matching,
    start_engine,
)
from tests.store.backends import Backend
from tests.store.worlds import make_world, rolled_back

ALL = DeliveryFilter()
MINUTE_S = NOW_MS // 60_000 * 60


def fail(
    store: Store, epoch: int, *bodies: bytes, verdict: Verdict | None = None, now_ms: int = NOW_MS, **event: str
) -> list[Claimed]:
    """One event for each answer; every endpoint gives it."""
    store.accept([make_event(**event) for _ in bodies], now_ms)
    claimed = claim_all(store, epoch, now_ms=now_ms)
    given = [
        make_completed(c, verdict or failed(), now_ms=now_ms, exchange=make_exchange(response_body=body))
        for c, body in zip(claimed, bodies * (len(claimed) // len(bodies)), strict=True)
    ]
    assert store.complete(given, epoch=epoch) == len(claimed)
    return claimed


def shown(groups: list[FailureGroup]) -> list[tuple[str, Cause, int | None, str, int]]:
    return [(g.endpoint_name, g.cause, g.status, g.words, g.deliveries) for g in groups]


class GroupingConformance:
    def test_the_same_error_is_one_group_and_others_are_others(self, store: Store) -> None:
        epoch = start_engine(store)
        crm = add_endpoint(store)
        first, *_, last = fail(store, epoch, b"no customer 7", b"no customer 8", b"locked", b"no customer 9")
        attempt_all(store, epoch, failed(Cause.DNS, None))
        groups = store.failure_groups(ALL)
        assert shown(groups) == [
            ("crm", Cause.HTTP_4XX, 422, "no customer …", 3),
            ("crm", Cause.HTTP_4XX, 422, "locked", 1),
        ]
        group = groups[0]
        assert (group.endpoint_id, group.newest, group.example) == (crm.id, last.delivery_id, last.attempt_id)
        assert store.delivery(first.delivery_id).failure_group == group.id
        assert {d.id for d in store.deliveries(DeliveryFilter(groups=(group.id,)), limit=9)} == {
            first.delivery_id, first.delivery_id + 1, last.delivery_id,
        }  # fmt: skip

    def test_how_many_have_failed_for_good_is_told(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        fail(store, epoch, b"locked", b"locked")
        fail(store, epoch, *[b"locked"] * 3, verdict=retry(NOW_MS + 5_000, Cause.HTTP_4XX, 422))
        (group,) = store.failure_groups(ALL)
        assert (group.deliveries, group.failed, group.retried) == (5, 2, 3)
        (group,) = store.failure_groups(DeliveryFilter(states=(DeliveryState.FAILED,)))
        assert (group.deliveries, group.failed, group.retried) == (2, 2, 0)
        (group,) = store.failure_groups_between(ALL, since_s=MINUTE_S, until_s=MINUTE_S + MINUTE)
        assert (group.deliveries, group.failed, group.retried) == (5, None, None)

    def test_endpoint_cause_and_status_tell_groups_apart(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        for name in ("crm", "erp"):
            add_endpoint(store, name=name)
        fail(store, epoch, b"no")
        fail(store, epoch, b"no", verdict=failed(Cause.HTTP_4XX, 404))
        fail(store, epoch, b"no", verdict=failed(Cause.DNS, None))
        assert len(store.failure_groups(ALL)) == 6
        crm = next(e.id for e in store.endpoints() if e.name == "crm")
        assert shown(store.failure_groups(DeliveryFilter(endpoints=(crm,), causes=(Cause.DNS,)))) == [
            ("crm", Cause.DNS, None, "no", 1)
        ]
        assert len(store.failure_groups(DeliveryFilter(statuses=(StatusRange(400, 404),)))) == 2
        backend.assert_counted_right(store)

    def test_first_and_last_seen_and_the_minutes_between(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        for after_s in (0, 0, 60, 240):
            fail(store, epoch, b"no", now_ms=NOW_MS + after_s * 1000)
        (group,) = store.failure_groups(ALL)
        assert (group.first_at_ms, group.last_at_ms) == (NOW_MS + 12, NOW_MS + 240_012)
        series = store.group_series([group.id], since_s=MINUTE_S, until_s=MINUTE_S + 600)
        assert series == {group.id: {MINUTE_S: 2, MINUTE_S + 60: 1, MINUTE_S + 240: 1}}
        assert store.group_series([], since_s=0, until_s=2**40) == {}
        assert store.group_series([group.id], since_s=MINUTE_S + 61, until_s=MINUTE_S + 240) == {
            group.id: {MINUTE_S + 60: 1}
        }
        (then,) = store.failure_groups_between(ALL, since_s=MINUTE_S, until_s=MINUTE_S + 120)
        assert then == replace(group, deliveries=3, failed=None, last_at_ms=(MINUTE_S + 120) * 1000)
        assert store.failure_groups_between(ALL, since_s=MINUTE_S - 600, until_s=MINUTE_S) == []
        backend.assert_counted_right(store)

    def test_who_is_no_longer_in_trouble_is_not_counted(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        claimed = fail(store, epoch, b"no", b"no", b"no", verdict=retry(NOW_MS + 5000))
        assert shown(store.failure_groups(ALL)) == [("crm", Cause.HTTP_5XX, 503, "no", 3)]
        one, two, three = (c.delivery_id for c in claimed)
        cancel_matching(store, DeliveryFilter(ids=(one,)))
        retry_matching(store, DeliveryFilter(ids=(two,)))
        attempt_all(store, epoch, delivered())
        assert store.delivery(two).failure_group is None
        assert [g.newest for g in store.failure_groups(ALL)] == [three]
        attempt_all(store, epoch, failed(Cause.TIMEOUT_READ, None), now_ms=NOW_MS + 9000)
        assert [(g.cause, g.deliveries) for g in store.failure_groups(ALL)] == [(Cause.TIMEOUT_READ, 1)]
        backend.assert_counted_right(store)

    def test_any_part_of_the_filter_counts(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        fail(store, epoch, b"no", b"no", type="lead.created")
        fail(store, epoch, b"no", type="invoice.paid", now_ms=NOW_MS + 60_000)
        fail(store, epoch, b"no", verdict=retry(NOW_MS + 99_000, Cause.HTTP_4XX, 422), now_ms=NOW_MS + 90_000)

        def counted(**where: object) -> list[int]:
            return [g.deliveries for g in store.failure_groups(DeliveryFilter(**where))]  # type: ignore[arg-type]  # any part

        (group,) = store.failure_groups(ALL)
        assert counted() == counted(groups=(group.id,)) == counted(troubled=True) == [4]
        assert counted(type_pattern="lead.*") == [2]
        assert counted(since_ms=NOW_MS + 60_000) == [2]
        assert counted(until_ms=NOW_MS + 60_000) == [2]
        assert counted(states=(DeliveryState.PENDING,)) == [1]
        assert counted(event_id=EventId("evt_none")) == []
        assert store.failure_groups(DeliveryFilter(type_pattern="lead.*"))[0].newest == 2

    def test_too_many_kinds_of_errors_are_one_group_together(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        letters = "abcdefghijklmnopqrstuvwxyz"
        bodies = [f"error {a}{b}{c}".encode() for a in letters for b in letters for c in "xyz"]
        fail(store, epoch, *bodies[: GROUPS_OF_A_KIND + 5])
        groups = store.failure_groups(ALL)
        assert len(groups) == GROUPS_OF_A_KIND + 1
        assert (groups[0].words, groups[0].deliveries) == (OTHERS_WORDS, 5)
        fail(store, epoch, bodies[0], bodies[-1])
        assert [g.deliveries for g in store.failure_groups(ALL)][:2] == [6, 2]
        backend.assert_counted_right(store)

    def test_what_did_not_come_to_be_is_forgotten(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        with rolled_back(store):
            fail(store, epoch, b"no")
        fail(store, epoch, b"other")
        fail(store, epoch, b"no")
        assert [g.words for g in store.failure_groups(ALL)] == ["other", "no"]
        backend.assert_counted_right(store)

    def test_another_engine_goes_on_with_the_same_groups(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        fail(store, epoch, b"no 1")
        other = backend.open()
        fail(other, start_engine(other), b"no 2")
        assert [g.deliveries for g in store.failure_groups(ALL)] == [2]

    def test_what_a_dead_engine_left_is_a_group(self, store: Store, backend: Backend) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        store.accept([make_event(), make_event()], NOW_MS)
        (_, last) = claim_all(store, epoch)
        store.recover(epoch=start_engine(store), now_ms=NOW_MS + 7)
        (group,) = store.failure_groups(ALL)
        assert (group.cause, group.status, group.deliveries) == (Cause.UNKNOWN_OUTCOME, None, 2)
        assert (group.example, group.last_at_ms) == (last.attempt_id, NOW_MS + 7)
        backend.assert_counted_right(store)

    def test_no_answer_is_told_by_what_failed(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        store.accept([make_event()], NOW_MS)
        (claimed,) = claim_all(store, epoch)
        store.complete([make_completed(claimed, failed(), exchange=None)], epoch=epoch)
        assert store.failure_groups(ALL)[0].words == NO_TEXT

    def test_a_group_is_dropped_when_it_is_old_and_nobody_is_in_it(self, store: Store) -> None:
        epoch = start_engine(store)
        add_endpoint(store)
        fail(store, epoch, b"stays")
        gone = fail(store, epoch, b"goes")
        lost = store.delivery(gone[0].delivery_id).failure_group
        assert lost is not None
        cancel_matching(store, DeliveryFilter(ids=(gone[0].delivery_id,)))
        later_ms = NOW_MS + 41 * 24 * 3600 * 1000
        assert not store.drop_counts(later_ms)
        assert [g.words for g in store.failure_groups(ALL)] == ["stays"]
        assert store.group_series([g.id for g in store.failure_groups(ALL)], since_s=0, until_s=2**40) == {}
        old = store.failure_groups(ALL)[0].id
        fail(store, epoch, b"goes", b"stays", now_ms=later_ms)
        groups = store.failure_groups(ALL)
        assert [(g.words, g.deliveries) for g in groups] == [("stays", 2), ("goes", 1)]
        assert (groups[0].id, groups[1].id > lost) == (old, True), "a number is given once"


class ChartsConformance:
    @pytest.fixture
    def endpoint(self, store: Store) -> Endpoint:
        """One that took two events and failed of one in its first second, and failed of another 30 s later."""
        epoch = start_engine(store)
        endpoint = add_endpoint(store)
        store.accept([make_event() for _ in range(3)], NOW_MS)
        verdicts: tuple[Verdict, ...] = (delivered(), delivered(), failed())
        claimed = claim_all(store, epoch)
        store.complete([make_completed(c, v) for c, v in zip(claimed, verdicts, strict=True)], epoch=epoch)
        store.accept([make_event()], NOW_MS)
        attempt_all(store, epoch, failed(Cause.DNS, None), now_ms=NOW_MS + 30_000)
        return endpoint

    def test_how_attempts_ended_by_parts_of_a_window(self, store: Store, endpoint: Endpoint) -> None:
        second = NOW_MS // 1000
        shares = store.heat(since_s=second - 10, until_s=second + 60, width_s=SECOND, part_s=10)
        start = second - second % 10
        assert shares == {
            endpoint.id: (Share(start_s=start, ok=2, failed=1), Share(start_s=start + 30, ok=0, failed=1))
        }
        whole = store.heat(since_s=MINUTE_S, until_s=MINUTE_S + 120, width_s=MINUTE, part_s=120)
        assert sum(share.failed for share in whole[endpoint.id]) == 2
        assert store.heat(since_s=0, until_s=second, width_s=SECOND, part_s=1) == {}

    def test_causes_by_minute(self, store: Store, endpoint: Endpoint) -> None:
        add_endpoint(store, name="idle")
        idle = next(e.id for e in store.endpoints() if e.name == "idle")
        expected = {MINUTE_S: {Cause.HTTP_4XX: 1, Cause.DNS: 1}}
        assert store.cause_series(since_s=MINUTE_S + 5, until_s=MINUTE_S + 60) == expected
        assert store.cause_series(since_s=0, until_s=2**40, endpoint=endpoint.id) == expected
        assert store.cause_series(since_s=0, until_s=2**40, endpoint=idle) == {}

    def test_a_world_counts_the_same_both_ways(self, store: Store) -> None:
        world = make_world(store)
        for endpoint in world.endpoints:
            buckets = store.buckets(since_s=0, until_s=2**40, width_s=SECOND, endpoint=endpoint.id)
            shares = store.heat(since_s=0, until_s=2**40, width_s=SECOND, part_s=SECOND)[endpoint.id]
            assert [(s.start_s, s.ok, s.failed) for s in shares] == [
                (b.start_s, b.ok, b.failed) for b in buckets if b.attempts
            ]
