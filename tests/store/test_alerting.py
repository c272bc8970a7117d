"""What the rules measure, and what happens when one fires."""

import json

import pytest

from console.domain.alerts import AlertChange, AlertKind, AlertRuleId, AlertSpec, Breach
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.filters import EventFilter
from console.domain.ids import EndpointId
from console.domain.operation import OperationKind
from console.store import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    start_engine,
)
from tests.store import recount

RATE = AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=300, least=10)
BACKLOG = AlertSpec(kind=AlertKind.BACKLOG_AGE, threshold=600)
TRIPPED = AlertSpec(kind=AlertKind.TRIPPED)


@pytest.fixture
def bare(store: Store) -> Store:
    """A store without the rules it has from the start."""
    for rule in store.alert_rules():
        store.remove_alert_rule(rule.id, NOW_MS)
    return store


def attempts(store: Store, epoch: int, endpoint: Endpoint, *, good: int, bad: int, now_ms: int = NOW_MS) -> None:
    """So many attempts of one endpoint with these outcomes."""
    for _ in range(good + bad):
        store.accept_for(make_event(), endpoint.id, now_ms)
    claimed = claim_all(store, epoch, endpoint, now_ms=now_ms)
    verdicts = [delivered()] * good + [failed()] * bad
    pairs = zip(claimed, verdicts, strict=True)
    store.complete([make_completed(c, v, now_ms=now_ms) for c, v in pairs], epoch=epoch)


def breaching(store: Store, now_ms: int) -> dict[tuple[int, int], float]:
    return {key: breach.value for key, breach in store.measure_alerts(now_ms).breaches.items()}


def test_a_new_store_has_three_rules(store: Store) -> None:
    assert [rule.spec.kind for rule in store.alert_rules()] == [
        AlertKind.TRIPPED,
        AlertKind.BACKLOG_AGE,
        AlertKind.ENGINE_STALLED,
    ]
    for rule in store.alert_rules():
        rule.spec.check()
    assert store.alerts() == []


@pytest.mark.parametrize("window_s", [60, 300])
def test_error_rate_is_of_each_endpoint_within_the_window(bare: Store, window_s: float) -> None:
    epoch = start_engine(bare)
    bad, few, good = (add_endpoint(bare, name=name) for name in ("bad", "few", "good"))
    attempts(bare, epoch, bad, good=15, bad=5)
    attempts(bare, epoch, few, good=0, bad=9)
    attempts(bare, epoch, good, good=90, bad=10)
    rule = bare.add_alert_rule(AlertSpec(kind=AlertKind.ERROR_RATE, threshold=0.2, window_s=window_s, least=10))
    assert breaching(bare, NOW_MS + 1000) == {(rule.id, bad.seq): 0.25}
    assert breaching(bare, NOW_MS + round(window_s * 1000) + 61_000) == {}
    attempts(bare, epoch, bad, good=10, bad=0, now_ms=NOW_MS + 2000)
    assert breaching(bare, NOW_MS + 3000) == {}


def test_backlog_age_is_that_of_the_oldest_due_where_it_may_be_sent(bare: Store) -> None:
    crm, paused = add_endpoint(bare, name="crm"), add_endpoint(bare, name="paused")
    bare.accept([make_event()], NOW_MS)
    bare.set_endpoint_state(paused.id, EndpointState.PAUSED, None, NOW_MS)
    rule = bare.add_alert_rule(BACKLOG)
    assert breaching(bare, NOW_MS + 599_000) == {}
    assert breaching(bare, NOW_MS + 601_000) == {(rule.id, crm.seq): 601.0}
    reading = bare.measure_alerts(NOW_MS + 601_000)
    assert reading.breaches[rule.id, crm.seq].since_ms == NOW_MS


def test_tripped_and_disabled_ones(bare: Store) -> None:
    rule = bare.add_alert_rule(TRIPPED)
    states = (EndpointState.TRIPPED, EndpointState.DISABLED, EndpointState.PAUSED, EndpointState.ACTIVE)
    made = [add_endpoint(bare, name=state) for state in states]
    for endpoint, state in zip(made, states, strict=True):
        bare.set_endpoint_state(endpoint.id, state, "why", NOW_MS)
    assert set(breaching(bare, NOW_MS)) == {(rule.id, made[0].seq), (rule.id, made[1].seq)}
    bare.remove_endpoint(made[0].id, NOW_MS)
    assert set(breaching(bare, NOW_MS)) == {(rule.id, made[1].seq)}


@pytest.mark.parametrize("spec", [RATE, BACKLOG, TRIPPED], ids=lambda spec: spec.kind)
def test_a_rule_of_one_endpoint_looks_at_no_other(bare: Store, spec: AlertSpec) -> None:
    from dataclasses import replace

    epoch = start_engine(bare)
    one, other = add_endpoint(bare, name="one"), add_endpoint(bare, name="other")
    for endpoint in (one, other):
        attempts(bare, epoch, endpoint, good=0, bad=20)
        bare.accept_for(make_event(), endpoint.id, NOW_MS)
        if spec is TRIPPED:
            bare.set_endpoint_state(endpoint.id, EndpointState.TRIPPED, None, NOW_MS)
    rule = bare.add_alert_rule(replace(spec, endpoint=one.id))
    now_ms = NOW_MS + (601_000 if spec is BACKLOG else 1000)
    assert set(breaching(bare, now_ms)) == {(rule.id, one.seq)}
    assert rule.endpoint_name == "one"


def fire(store: Store, rule: AlertRuleId, endpoint: Endpoint, now_ms: int = NOW_MS) -> None:
    change = AlertChange(key=(rule, endpoint.seq), breach=Breach(value=0.25, since_ms=None), since_ms=now_ms - 30_000)
    store.record_alerts([change], now_ms)


def test_firing_is_a_state_an_event_and_an_audit_row(bare: Store) -> None:
    listener = add_endpoint(bare, name="pager", types=("webhook.alert.*",))
    crm, rule = add_endpoint(bare, name="crm"), bare.add_alert_rule(RATE)
    fire(bare, rule.id, crm)
    (alert,) = bare.alerts()
    assert alert.words == "crm: 25% of attempts failed in 5m"
    assert (alert.endpoint_id, alert.since_ms, alert.fired_at_ms) == (crm.id, NOW_MS - 30_000, NOW_MS)
    (row,) = bare.events(EventFilter(), limit=9)
    assert (row.type, row.deliveries) == ("webhook.alert.fired", 1), "the pager's, and not of those that want *"
    payload = json.loads(bare.event(row.id).payload)
    assert payload["type"] == "webhook.alert.fired"
    assert payload["data"] == {
        "rule": rule.id,
        "kind": "error_rate",
        "endpoint": crm.id,
        "endpoint_name": "crm",
        "value": 0.25,
        "threshold": 0.2,
        "since": "2023-11-14T22:12:50Z",
        "message": alert.words,
    }
    (operation,) = [o for o in bare.operations(limit=9) if o.kind is OperationKind.ALERT_FIRED]
    assert (operation.actor, operation.target, operation.result) == ("engine", "crm", alert.words)
    assert bare.measure_alerts(NOW_MS).firing == {(rule.id, crm.seq)}
    fire(bare, rule.id, crm)
    assert len(bare.events(EventFilter(), limit=9)) == 1, "once"
    assert listener.name == "pager"
    recount.assert_gauges_agree(bare)


def test_it_is_over_once(bare: Store) -> None:
    crm, rule = add_endpoint(bare), bare.add_alert_rule(RATE)
    fire(bare, rule.id, crm)
    over = AlertChange(key=(rule.id, crm.seq), breach=None, since_ms=NOW_MS)
    assert len(bare.record_alerts([over], NOW_MS + 60_000)) == 1
    assert bare.record_alerts([over], NOW_MS + 61_000) == []
    assert bare.alerts() == []
    newest = bare.events(EventFilter(), limit=9)[0]
    assert newest.type == "webhook.alert.resolved"
    assert json.loads(bare.event(newest.id).payload)["timestamp"] == "2023-11-14T22:14:20Z"


def test_removing_a_rule_ends_what_it_fired(bare: Store) -> None:
    crm, rule = add_endpoint(bare), bare.add_alert_rule(TRIPPED)
    fire(bare, rule.id, crm)
    bare.remove_alert_rule(rule.id, NOW_MS)
    assert bare.alerts() == []
    assert bare.events(EventFilter(), limit=1)[0].type == "webhook.alert.resolved"
    fire(bare, rule.id, crm)
    assert bare.alerts() == [], "a rule that is not there fires no more"
    with pytest.raises(UnknownReferenceError, match="alerts list"):
        bare.remove_alert_rule(rule.id, NOW_MS)
    assert bare.add_alert_rule(TRIPPED).id > rule.id, "no number is given twice"


def test_muted_ones_are_not_shown(bare: Store) -> None:
    crm, rule = add_endpoint(bare), bare.add_alert_rule(TRIPPED)
    fire(bare, rule.id, crm)
    bare.mute_alert_rule(rule.id, NOW_MS + 1000)
    assert bare.alerts(NOW_MS) == []
    assert len(bare.alerts()) == len(bare.alerts(NOW_MS + 1000)) == 1
    bare.mute_alert_rule(rule.id, None)
    assert len(bare.alerts(NOW_MS)) == 1


def test_values_follow(bare: Store) -> None:
    crm, rule = add_endpoint(bare), bare.add_alert_rule(RATE)
    fire(bare, rule.id, crm)
    bare.refresh_alerts({(rule.id, crm.seq): 0.5})
    assert bare.alerts()[0].words == "crm: 50% of attempts failed in 5m"
    assert len(bare.events(EventFilter(), limit=9)) == 1


def test_what_is_wrong_is_refused(bare: Store) -> None:
    with pytest.raises(UnknownReferenceError, match="ep_none"):
        bare.add_alert_rule(AlertSpec(kind=AlertKind.TRIPPED, endpoint=EndpointId("ep_none")))
    with pytest.raises(InvalidInputError):
        bare.add_alert_rule(AlertSpec(kind=AlertKind.BACKLOG_AGE, threshold=1))
    with pytest.raises(UnknownReferenceError):
        bare.edit_alert_rule(AlertRuleId(99), TRIPPED)
    for _ in range(100):
        bare.add_alert_rule(TRIPPED)
    with pytest.raises(InvalidInputError, match="100"):
        bare.add_alert_rule(TRIPPED)
