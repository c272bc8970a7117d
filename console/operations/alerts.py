"""Add, edit, remove and mute the rules of alerts; each act is in the audit log."""

from console.domain.alerts import AlertRule, AlertRuleId, AlertSpec
from console.domain.change import Change
from console.domain.operation import OperationKind
from console.operations.changes import alert_values, differing
from console.store.protocol import Store


def add_rule(store: Store, spec: AlertSpec, *, actor: str, now_ms: int) -> AlertRule:
    """Raises InvalidInputError when a part of the spec is wrong, UnknownReferenceError for an endpoint not there."""
    spec.check()
    with store.transaction():
        rule = store.add_alert_rule(spec)
        change = Change(subject=str(rule.id), after=alert_values(rule.spec))
        _record(store, OperationKind.ALERT_ADD, rule, actor, now_ms, rule.spec.words, change)
    return rule


def edit_rule(store: Store, rule_id: AlertRuleId, spec: AlertSpec, *, actor: str, now_ms: int) -> AlertRule:
    """Replace what an operator said of a rule. Raises as `add_rule`."""
    spec.check()
    with store.transaction():
        old = store.alert_rule(rule_id)
        rule = store.edit_alert_rule(rule_id, spec)
        before, after = differing(alert_values(old.spec), alert_values(rule.spec))
        change = Change(subject=str(rule.id), before=before, after=after)
        _record(store, OperationKind.ALERT_EDIT, rule, actor, now_ms, rule.spec.words, change)
    return rule


def remove_rule(store: Store, rule_id: AlertRuleId, *, actor: str, now_ms: int) -> AlertRule:
    """What fires because of it is over, and says so. Raises UnknownReferenceError."""
    with store.transaction():
        rule = store.remove_alert_rule(rule_id, now_ms)
        change = Change(subject=str(rule.id), before=alert_values(rule.spec))
        _record(store, OperationKind.ALERT_REMOVE, rule, actor, now_ms, rule.spec.words, change)
    return rule


def mute_rule(
    store: Store, rule_id: AlertRuleId, *, for_s: float | None, actor: str, reason: str | None, now_ms: int
) -> AlertRule:
    """Let nothing new fire for so long, and show nothing of it; None: from now on again.

    What fires when it is muted goes on, unseen, and says so when it is over.
    """
    until_ms = None if for_s is None else now_ms + round(for_s * 1000)
    with store.transaction():
        before = {"muted_until_ms": store.alert_rule(rule_id).muted_until_ms}
        rule = store.mute_alert_rule(rule_id, until_ms)
        result = "unmuted" if for_s is None else f"muted for {for_s:g} s"
        change = Change(subject=str(rule.id), before=before, after={"muted_until_ms": until_ms})
        _record(store, OperationKind.ALERT_MUTE, rule, actor, now_ms, result, change, reason)
    return rule


def _record(
    store: Store,
    kind: OperationKind,
    rule: AlertRule,
    actor: str,
    now_ms: int,
    result: str,
    change: Change,
    reason: str | None = None,
) -> None:
    operation = store.begin_operation(
        kind, actor=actor, target=rule_name(rule), reason=reason, now_ms=now_ms, change=change
    )
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)


def rule_name(rule: AlertRule) -> str:
    """`alert 4 (billing)`: a rule as the audit log names it."""
    return f"alert {rule.id}" + (f" ({rule.endpoint_name})" if rule.endpoint_name else "")
