"""How endpoints fare: tripped, probed, recovered, disabled, drained at a pace, and permitted by their receivers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from console.domain.breaker import HealthChange, ProbeFailed, ProbeSucceeded, Tripped
from console.domain.delivery import Verdict
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import FencedError
from console.domain.filters import EventFilter
from console.domain.handshake import Permitted, Refused
from console.domain.operation import OperationKind
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    attempt_all,
    delivered,
    failed,
    make_event,
    make_spec,
    retry,
    start_engine,
)
from tests.store.backends import Backend

ACTIVE, PAUSED, TRIPPED, DISABLED = EndpointState
LATER_MS = NOW_MS + 5_000
PROBE_MS = NOW_MS + 30_000
REASON = "20 failures in a row: HTTP 503"
WAITS = "waits for permission: 405 to OPTIONS; asks again at 14:03:10"
REFUSED = Refused(why="405 to OPTIONS", reason=WAITS)
HANDSHAKE = {"handshake": True}
DAY_MS = 24 * 3_600_000


def again(store: Store, endpoint: Endpoint) -> Endpoint:
    """The endpoint as the store has it now."""
    return store.find_endpoint(endpoint.id)


def trip(store: Store, epoch: int, endpoint: Endpoint) -> Endpoint:
    change(store, epoch, Tripped(endpoint_seq=endpoint.seq, reason=REASON, probe_at_ms=PROBE_MS))
    return again(store, endpoint)


def change(store: Store, epoch: int, *changes: HealthChange, now_ms: int = NOW_MS) -> None:
    store.change_health(changes, epoch=epoch, now_ms=now_ms)


def told(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """The operational events, oldest first: type and payload."""
    events = [store.event(row.id) for row in store.events(EventFilter(), limit=100)[::-1]]
    return [(event.type, json.loads(event.payload)) for event in events if event.source == "engine"]


def set_state(store: Store, endpoint: Endpoint, state: EndpointState) -> None:
    store.set_endpoint_state(endpoint.id, state, "an operator says so", NOW_MS)


def fail_one(store: Store, epoch: int, *, now_ms: int = NOW_MS) -> None:
    store.accept([make_event()], now_ms)
    attempt_all(store, epoch, retry(now_ms + 1), now_ms=now_ms)


class HealthConformance:
    def test_one_that_is_tripped_says_why_and_when_it_is_probed(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        since = store.newest_nudge()
        after = trip(store, epoch, endpoint)
        assert (after.state, after.state_reason, after.state_since_ms) == (TRIPPED, REASON, NOW_MS)
        assert (after.probe_at_ms, after.trips, after.version) == (PROBE_MS, 1, endpoint.version + 1)
        assert store.nudged(since).settings == {endpoint.seq}

    def test_a_failed_probe_puts_off_the_next(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        trip(store, epoch, endpoint)
        change(store, epoch, ProbeFailed(endpoint_seq=endpoint.seq, probe_at_ms=PROBE_MS + 1), now_ms=LATER_MS)
        after = again(store, endpoint)
        assert (after.state, after.probe_at_ms, after.trips) == (TRIPPED, PROBE_MS + 1, 2)
        assert (after.state_reason, after.state_since_ms) == (REASON, NOW_MS)

    def test_a_probe_that_succeeds_makes_it_active_again(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        trip(store, epoch, endpoint)
        change(store, epoch, ProbeSucceeded(endpoint_seq=endpoint.seq, reason="HTTP 200"), now_ms=LATER_MS)
        after = again(store, endpoint)
        assert (after.state, after.state_reason, after.state_since_ms) == (ACTIVE, None, LATER_MS)
        assert (after.probe_at_ms, after.trips) == (None, 0)

    def test_what_happened_is_in_the_audit_log_and_told_to_who_wants_to_know(
        self, store: Store, backend: Backend
    ) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, types=("invoice.*",))
        watching = add_endpoint(store, name="watch", types=("webhook.endpoint.*",))
        store.accept([make_event(), make_event()], NOW_MS)
        trip(store, epoch, endpoint)
        change(store, epoch, ProbeFailed(endpoint_seq=endpoint.seq, probe_at_ms=PROBE_MS))
        change(store, epoch, ProbeSucceeded(endpoint_seq=endpoint.seq, reason="HTTP 200"), now_ms=LATER_MS)
        rows = [(o.kind, o.actor, o.target, o.reason, o.is_open) for o in store.operations(limit=10)]
        assert rows == [
            (OperationKind.ENDPOINT_RECOVER, "engine", "crm", "HTTP 200", False),
            (OperationKind.ENDPOINT_TRIP, "engine", "crm", REASON, False),
        ]
        (tripped, first), (recovered, second) = told(store)
        assert (tripped, recovered) == ("webhook.endpoint.tripped", "webhook.endpoint.recovered")
        assert first["timestamp"] == first["data"]["since"] == second["data"]["since"] == "2023-11-14T22:13:20Z"
        assert second["timestamp"] == "2023-11-14T22:13:25Z"
        assert (first["data"]["endpoint"], first["data"]["pending"]) == (endpoint.id, 2)
        assert store.gauges()[watching.id].pending == 2
        backend.assert_counted_right(store)

    @pytest.mark.parametrize("state", [PAUSED, DISABLED])
    def test_what_an_operator_did_before_wins(self, store: Store, state: EndpointState) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        set_state(store, endpoint, state)
        before = again(store, endpoint)
        change(store, epoch, Tripped(endpoint_seq=endpoint.seq, reason=REASON, probe_at_ms=PROBE_MS))
        change(store, epoch, ProbeFailed(endpoint_seq=endpoint.seq, probe_at_ms=PROBE_MS))
        change(store, epoch, ProbeSucceeded(endpoint_seq=endpoint.seq, reason="HTTP 200"))
        assert again(store, endpoint) == before
        assert (told(store), store.operations(limit=1)) == ([], [])

    def test_only_one_that_is_active_is_tripped_and_only_once(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        change(store, epoch, ProbeSucceeded(endpoint_seq=endpoint.seq, reason="HTTP 200"))
        assert again(store, endpoint) == endpoint
        before = trip(store, epoch, endpoint)
        change(store, epoch, Tripped(endpoint_seq=endpoint.seq, reason="again", probe_at_ms=0), now_ms=LATER_MS)
        assert again(store, endpoint) == before
        assert len(told(store)) == 1

    def test_an_endpoint_that_was_removed_is_left_alone(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        store.remove_endpoint(endpoint.id, NOW_MS)
        change(store, epoch, Tripped(endpoint_seq=endpoint.seq, reason=REASON, probe_at_ms=PROBE_MS))
        assert store.removed_endpoint(endpoint.id)[0].state is ACTIVE
        assert told(store) == []

    def test_several_changes_are_made_at_once(self, store: Store) -> None:
        epoch = start_engine(store)
        made = [add_endpoint(store, name=f"e{i}") for i in range(3)]
        change(store, epoch, *(Tripped(endpoint_seq=e.seq, reason=REASON, probe_at_ms=PROBE_MS) for e in made))
        assert {e.state for e in store.endpoints()} == {TRIPPED}


class FailingConformance:
    def test_nothing_but_failure_for_so_long_disables(self, store: Store, backend: Backend) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, types=("invoice.*",))
        fail_one(store, epoch)
        failing_ms = store.gauges()[endpoint.id].failing_since_ms
        assert failing_ms is not None
        wanted = {endpoint.seq: DAY_MS}
        assert store.disable_failing(wanted, epoch=epoch, now_ms=failing_ms + DAY_MS - 1) == []
        assert again(store, endpoint) == endpoint
        since, now_ms = store.newest_nudge(), failing_ms + DAY_MS
        assert store.disable_failing(wanted, epoch=epoch, now_ms=now_ms) == [endpoint.seq]
        after = again(store, endpoint)
        assert (after.state, after.state_reason) == (DISABLED, "nothing but failure for 1d")
        assert after.state_since_ms == now_ms
        assert store.nudged(since).settings == {endpoint.seq}
        (row,) = store.operations(limit=10)
        assert (row.kind, row.actor, row.reason) == (OperationKind.ENDPOINT_DISABLE, "engine", after.state_reason)
        ((type_, said),) = told(store)
        assert (type_, said["data"]["pending"]) == ("webhook.endpoint.disabled", 1)
        assert store.disable_failing(wanted, epoch=epoch, now_ms=now_ms) == []
        backend.assert_counted_right(store)

    def test_what_went_elsewhere_says_nothing_of_the_endpoint(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)

        def send_elsewhere(verdict: Verdict) -> None:
            store.accept_for(make_event(), endpoint.id, NOW_MS, url="https://other.example/in")
            attempt_all(store, epoch, verdict)

        send_elsewhere(failed())
        gauge = store.gauges()[endpoint.id]
        assert (gauge.failing_since_ms, gauge.last_failure_at_ms) == (None, None)
        fail_one(store, epoch)
        failing_ms = store.gauges()[endpoint.id].failing_since_ms
        assert failing_ms is not None
        send_elsewhere(delivered())
        assert store.gauges()[endpoint.id].failing_since_ms == failing_ms

    def test_a_success_ends_it(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        fail_one(store, epoch)
        attempt_all(store, epoch, delivered(), now_ms=LATER_MS)
        assert store.disable_failing({endpoint.seq: DAY_MS}, epoch=epoch, now_ms=NOW_MS + 9 * DAY_MS) == []
        fail_one(store, epoch, now_ms=NOW_MS + 9 * DAY_MS)
        assert store.disable_failing({endpoint.seq: DAY_MS}, epoch=epoch, now_ms=NOW_MS + 9 * DAY_MS + 999) == []

    def test_each_has_its_own_time_and_others_are_not_looked_at(self, store: Store) -> None:
        epoch = start_engine(store)
        soon, late, other = (add_endpoint(store, name=name) for name in ("soon", "late", "other"))
        fail_one(store, epoch)
        wanted = {soon.seq: DAY_MS, late.seq: 3 * DAY_MS}
        assert store.disable_failing(wanted, epoch=epoch, now_ms=NOW_MS + 2 * DAY_MS) == [soon.seq]
        assert {e.name for e in store.endpoints() if e.state is ACTIVE} == {late.name, other.name}

    @pytest.mark.parametrize(("state", "disabled"), [(TRIPPED, True), (PAUSED, False)])
    def test_one_that_is_tripped_is_disabled_and_one_that_is_paused_is_not(
        self, store: Store, state: EndpointState, disabled: bool
    ) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store)
        fail_one(store, epoch)
        trip(store, epoch, endpoint) if state is TRIPPED else set_state(store, endpoint, state)
        found = store.disable_failing({endpoint.seq: DAY_MS}, epoch=epoch, now_ms=NOW_MS + 2 * DAY_MS)
        assert found == ([endpoint.seq] if disabled else [])
        after = again(store, endpoint)
        assert after.state is (DISABLED if disabled else state)
        assert after.probe_at_ms is None


class PaceConformance:
    def test_a_pace_ends_once_and_the_engine_is_told(self, store: Store) -> None:
        epoch = start_engine(store)
        paced, other = add_endpoint(store, name="paced"), add_endpoint(store, name="other")
        pace = Pace(per_s=20.0, ramp_s=60.0, since_ms=NOW_MS)
        before = store.set_pace(paced.id, pace)
        assert before.pace == pace
        since = store.newest_nudge()
        store.end_pace([paced.seq, other.seq], epoch=epoch)
        after = again(store, paced)
        assert (after.pace, after.version) == (None, before.version + 1)
        assert again(store, other) == other
        assert store.nudged(since).settings == {paced.seq}
        store.end_pace([paced.seq], epoch=epoch)
        assert again(store, paced) == after


class PermissionConformance:
    def test_a_permission_is_kept_for_the_url(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        assert (endpoint.permitted_url, endpoint.permitted_per_minute) == (None, None)
        since = store.newest_nudge()
        assert store.set_permission(endpoint.seq, endpoint.version, Permitted(per_minute=120), epoch=epoch)
        after = again(store, endpoint)
        assert (after.permitted_url, after.permitted_per_minute) == (endpoint.url, 120)
        assert (after.state, after.state_reason, after.version) == (ACTIVE, None, endpoint.version + 1)
        assert store.nudged(since).settings == {endpoint.seq}
        assert store.set_permission(endpoint.seq, after.version, Permitted(per_minute=None), epoch=epoch)
        assert again(store, endpoint).permitted_per_minute is None

    def test_one_that_is_refused_says_what_it_waits_for_and_is_no_new_version(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        since = store.newest_nudge()
        assert store.set_permission(endpoint.seq, endpoint.version, REFUSED, epoch=epoch)
        after = again(store, endpoint)
        assert (after.state, after.state_reason, after.version) == (ACTIVE, WAITS, endpoint.version)
        assert (after.permitted_url, after.state_since_ms) == (None, endpoint.state_since_ms)
        assert store.nudged(since).settings == frozenset(), "the engine knows it already"
        assert store.set_permission(endpoint.seq, endpoint.version, Permitted(per_minute=None), epoch=epoch)
        assert again(store, endpoint).state_reason is None

    def test_an_answer_for_another_version_or_a_removed_endpoint_changes_nothing(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        edited = store.edit_endpoint(endpoint.id, make_spec(url="http://127.0.0.1:9/b", policy=HANDSHAKE), NOW_MS)
        for answer in (REFUSED, Permitted(per_minute=None)):
            assert not store.set_permission(endpoint.seq, endpoint.version, answer, epoch=epoch)
        assert again(store, endpoint) == edited
        store.remove_endpoint(endpoint.id, NOW_MS)
        removed, _ = store.removed_endpoint(endpoint.id)
        for answer in (REFUSED, Permitted(per_minute=None)):
            assert not store.set_permission(endpoint.seq, removed.version, answer, epoch=epoch)
        assert store.removed_endpoint(endpoint.id)[0] == removed

    def test_why_one_is_tripped_is_not_lost(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        for answer in (REFUSED, Permitted(per_minute=None)):
            before = trip(store, epoch, endpoint)
            assert store.set_permission(endpoint.seq, before.version, answer, epoch=epoch)
            after = again(store, endpoint)
            assert (after.state, after.state_reason) == (TRIPPED, REASON)

    def test_what_an_operator_said_of_a_resume_outlasts_a_permission(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        resumed = store.set_endpoint_state(endpoint.id, ACTIVE, "their deploy is done", NOW_MS)
        assert store.set_permission(endpoint.seq, resumed.version, Permitted(per_minute=None), epoch=epoch)
        assert again(store, endpoint).state_reason == "their deploy is done"

    def test_an_edit_is_asked_anew_so_it_no_longer_says_what_it_waits_for(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        paused = store.set_endpoint_state(add_endpoint(store, name="paused").id, PAUSED, "their deploy", NOW_MS)
        store.set_permission(endpoint.seq, endpoint.version, REFUSED, epoch=epoch)
        assert store.edit_endpoint(endpoint.id, make_spec(policy=HANDSHAKE), NOW_MS).state_reason is None
        store.set_permission(endpoint.seq, again(store, endpoint).version, REFUSED, epoch=epoch)
        store.set_policy_defaults(DeliveryPolicy(timeout_s=3.0), NOW_MS)
        assert again(store, endpoint).state_reason is None
        assert again(store, paused).state_reason == "their deploy"
        store.edit_endpoint(paused.id, make_spec(name="paused", types=("lead.*",)), NOW_MS)
        assert again(store, paused).state_reason == "their deploy"

    def test_a_permission_is_forgotten_with_the_handshake_and_not_with_the_url(self, store: Store) -> None:
        epoch, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        store.set_permission(endpoint.seq, endpoint.version, Permitted(per_minute=5), epoch=epoch)
        edited = store.edit_endpoint(endpoint.id, make_spec(url="http://127.0.0.1:9/b", policy=HANDSHAKE), NOW_MS)
        assert (edited.permitted_url, edited.permitted_per_minute) == (endpoint.url, 5)
        edited = store.edit_endpoint(endpoint.id, make_spec(), NOW_MS)
        assert (edited.permitted_url, edited.permitted_per_minute) == (None, None)


class HealthFenceConformance:
    @pytest.mark.parametrize(
        "write",
        [
            lambda store, e, epoch: change(store, epoch, Tripped(endpoint_seq=e.seq, reason="", probe_at_ms=0)),
            lambda store, e, epoch: store.disable_failing({e.seq: 1}, epoch=epoch, now_ms=NOW_MS + DAY_MS),
            lambda store, e, epoch: store.end_pace([e.seq], epoch=epoch),
            lambda store, e, epoch: store.set_permission(e.seq, e.version, REFUSED, epoch=epoch),
            lambda store, e, epoch: store.set_permission(e.seq, e.version, Permitted(per_minute=None), epoch=epoch),
        ],
        ids=["trip", "disable", "end pace", "refuse", "permit"],
    )
    def test_a_stale_engine_changes_nothing(
        self, store: Store, backend: Backend, write: Callable[[Store, Endpoint, int], object]
    ) -> None:
        stale, endpoint = start_engine(store), add_endpoint(store, policy=HANDSHAKE)
        fail_one(store, stale)
        endpoint = store.set_pace(endpoint.id, Pace(per_s=1.0, ramp_s=0.0, since_ms=NOW_MS))
        start_engine(backend.open())
        before = backend.contents()
        with pytest.raises(FencedError):
            write(store, endpoint, stale)
        assert backend.contents() == before
