"""What was done is taken back for as long as nobody else changed it; and why not, when it cannot be."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from console.domain.alerts import AlertKind, AlertSpec
from console.domain.clock import ManualClock
from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.errors import InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import OperationId
from console.domain.operation import OperationKind
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy
from console.domain.sealing import NO_KEYS
from console.domain.signing import Secret, make_secret
from console.domain.transform import Transform
from console.operations import deliveries, endpoints
from console.operations.alerts import add_rule, edit_rule, mute_rule, remove_rule
from console.operations.secrets import rotate_secret
from console.operations.undoing import last_undoable, plan_undo, undo
from console.store import Store
from tests.factories import NOW_MS, attempt_all, delivered, failed, make_event, make_spec, start_engine

WHO = "ada@box"
LATER_MS = NOW_MS + 60_000


def newest(store: Store) -> OperationId:
    return store.operations(limit=1)[0].id


def take_back(store: Store, number: OperationId | None = None) -> Any:
    return undo(store, newest(store) if number is None else number, actor=WHO, now_ms=LATER_MS)


def add(store: Store, **given: Any) -> Any:
    return endpoints.add_endpoint(store, make_spec(**given), actor=WHO, now_ms=NOW_MS, random=Random(1))


def pause(store: Store, now_ms: int = NOW_MS, **given: Any) -> Any:
    (endpoint,) = store.endpoints()
    return endpoints.pause_endpoint(store, endpoint.id, actor=WHO, reason="deploy", now_ms=now_ms, **given)


def test_a_pause_is_taken_back_to_the_pace_of_before(store: Store) -> None:
    endpoint = add(store)
    pace = Pace(per_s=5.0, ramp_s=0.0, since_ms=NOW_MS)
    endpoints.resume_endpoint(store, endpoint.id, actor=WHO, reason=None, now_ms=NOW_MS, pace=pace)
    pause(store)
    row = take_back(store)
    (after,) = store.endpoints()
    assert (after.state, after.pace) == (EndpointState.ACTIVE, pace)
    assert (row.kind, row.target) == (OperationKind.UNDO, f"op_{newest(store) - 1:06d} endpoint_pause crm")


def test_a_resume_is_taken_back_with_reason_and_time(store: Store) -> None:
    endpoint = add(store)
    pause(store, resume_at_ms=LATER_MS + 1000)
    endpoints.resume_endpoint(store, endpoint.id, actor=WHO, reason=None, now_ms=NOW_MS + 1)
    take_back(store)
    (after,) = store.endpoints()
    assert (after.state, after.state_reason, after.resume_at_ms) == ("paused", "deploy", LATER_MS + 1000)


def test_an_edit_is_taken_back_but_for_secrets(store: Store) -> None:
    endpoint = add(store, policy={"timeout_s": 5.0})
    policy = DeliveryPolicy(timeout_s=9.0, authorization="Bearer not-for-the-log")
    spec = make_spec(name="erp", types=("a.*",), policy={})
    spec = type(spec)(name=spec.name, url=spec.url, types=spec.types, secrets=spec.secrets, policy=policy)
    endpoints.edit_endpoint(store, endpoint.id, spec, actor=WHO, now_ms=NOW_MS, changed="much")
    number = newest(store)
    assert "not-for-the-log" not in str(store.operation(number).change)
    assert plan_undo(store, number).lines == (
        "name: erp → crm",
        "types: a.* → *",
        "timeout_s: 9 → 5",
        "authorization: stays as it is now, since what may hold a secret is not kept.",
    )
    take_back(store, number)
    (after,) = store.endpoints()
    assert (after.name, after.types, after.policy.timeout_s) == ("crm", ("*",), 5.0)
    assert after.policy.authorization == "Bearer not-for-the-log"


def test_filter_transform_and_dry_run_are_taken_back(store: Store) -> None:
    transform = Transform(body="{{ payload.a }}", headers=(("X-A", "1"), ("X-B", "2")), path="/x")
    first = add(store, filter="payload.a > 1", transform=transform, dry_run=True)
    bare = replace(first.spec, filter=None, transform=None, dry_run=False)
    endpoints.edit_endpoint(store, first.id, bare, actor=WHO, now_ms=NOW_MS, changed="filter, transform, dry-run")
    emptied = newest(store)
    change = store.operation(emptied).change
    assert change is not None
    assert set(change.before or {}) == {"filter", "transform", "dry_run"}
    take_back(store)
    assert store.endpoints()[0].spec == first.spec
    others = replace(transform, headers=(("X-A", "1"),))
    endpoints.edit_endpoint(
        store, first.id, replace(first.spec, transform=others), actor=WHO, now_ms=NOW_MS, changed="transform"
    )
    take_back(store)
    assert store.endpoints()[0].spec == first.spec, "one transform for another"
    with pytest.raises(InvalidInputError, match="filter, transform, dry_run of crm was changed since"):
        take_back(store, emptied)


def test_rotating_a_secret_leaves_how_events_are_reshaped(store: Store) -> None:
    first = add(store, filter="payload.a > 1", transform=Transform(body="{{ payload.a }}"), dry_run=True)
    rotated = rotate_secret(
        store, first.id, Secret(text=make_secret(bytes(32))), overlap_ms=0, actor=WHO, now_ms=NOW_MS, keys=NO_KEYS
    )
    assert replace(rotated.spec, secrets=first.secrets) == first.spec


def test_lists_of_a_policy_are_taken_back(store: Store) -> None:
    first = add(store)
    spec = make_spec(policy={"schedule_s": (0.0, 5.5), "permanent_statuses": (400, 404)})
    endpoints.edit_endpoint(store, first.id, spec, actor=WHO, now_ms=NOW_MS, changed="schedule, permanent-statuses")
    take_back(store)
    assert store.endpoints()[0].policy == first.policy
    policy = DeliveryPolicy(schedule_s=(0.0, 7.0))
    endpoints.edit_defaults(store, policy, actor=WHO, now_ms=NOW_MS, changed="schedule")
    take_back(store)
    assert store.policy_defaults() == DeliveryPolicy()


def test_an_added_endpoint_goes_while_nothing_was_sent_to_it(store: Store) -> None:
    epoch = start_engine(store)
    add(store)
    number = newest(store)
    store.accept([make_event()], NOW_MS)
    assert plan_undo(store, number).lines == ("crm is removed, and 1 pending for it cancelled.",)
    attempt_all(store, epoch, delivered())
    with pytest.raises(InvalidInputError, match="it has been sent to"):
        take_back(store, number)


def test_the_defaults_are_taken_back(store: Store) -> None:
    policy = DeliveryPolicy(timeout_s=3.0)
    endpoints.edit_defaults(store, policy, actor=WHO, now_ms=NOW_MS, changed="timeout")
    take_back(store)
    assert store.policy_defaults() == DeliveryPolicy()


def test_rules_of_alerts_are_taken_back(store: Store) -> None:
    spec = AlertSpec(kind=AlertKind.BACKLOG_AGE, threshold=60.0)
    rule = add_rule(store, spec, actor=WHO, now_ms=NOW_MS)
    added = newest(store)
    mute_rule(store, rule.id, for_s=600, actor=WHO, reason="known", now_ms=NOW_MS)
    take_back(store)
    assert store.alert_rule(rule.id).muted_until_ms is None
    edit_rule(store, rule.id, AlertSpec(kind=AlertKind.BACKLOG_AGE, threshold=90.0), actor=WHO, now_ms=NOW_MS)
    take_back(store)
    assert store.alert_rule(rule.id).spec == spec
    remove_rule(store, rule.id, actor=WHO, now_ms=NOW_MS)
    removed = newest(store)
    take_back(store, removed)
    assert spec in [one.spec for one in store.alert_rules()]
    with pytest.raises(InvalidInputError, match="did already"):
        take_back(store, removed)
    with pytest.raises(InvalidInputError, match="was removed since"):
        take_back(store, added)


CHANGED_SINCE: list[Callable[[Store], object]] = [
    lambda store: endpoints.resume_endpoint(
        store, store.endpoints()[0].id, actor="bob", reason=None, now_ms=NOW_MS + 1
    ),
    lambda store: pause(store, NOW_MS + 1, resume_at_ms=LATER_MS),
    lambda store: endpoints.remove_endpoint(store, store.endpoints()[0].id, actor="bob", now_ms=NOW_MS + 1),
]


@pytest.mark.parametrize("change", CHANGED_SINCE)
def test_what_was_changed_since_is_not_taken_back(store: Store, change: Callable[[Store], object]) -> None:
    add(store)
    pause(store)
    number = newest(store)
    change(store)
    before = store.endpoints()
    with pytest.raises(InvalidInputError, match="since"):
        take_back(store, number)
    assert store.endpoints() == before


def test_the_last_of_mine_that_can_be(store: Store) -> None:
    epoch = start_engine(store)
    clock = ManualClock()
    endpoint = add(store)
    store.accept([make_event()], NOW_MS)
    attempt_all(store, epoch, failed())
    pause(store)
    paused = newest(store)
    deliveries.cancel(store, DeliveryFilter(states=(DeliveryState.FAILED,)), actor="bob", clock=clock)
    endpoints.send_test(store, endpoint, actor=WHO, now_ms=NOW_MS)
    found = last_undoable(store, WHO)
    assert found.undo is not None
    assert found.undo.operation.id == paused
    assert len(found.newer) == 1
    assert "what was sent cannot be called back" in found.newer[0]
    bobs = last_undoable(store, "bob").undo
    assert bobs is not None
    assert (bobs.operation.kind, bobs.deliveries) == (OperationKind.DELIVERY_CANCEL, 1)
    take_back(store, paused)
    again = last_undoable(store, WHO).undo
    assert again is None, "what was taken back is not offered again, and an endpoint that was sent to stays"
