"""Add, edit, remove and mute the rules of alerts; each act is in the audit log."""

from console.domain.alerts import AlertRule, AlertRuleId, AlertSpec
from console.domain.operation import OperationKind
from console.store.protocol import Store


def add_rule(store: Store, spec: AlertSpec, *, actor: str, now_ms: int) -> AlertRule:
    """Raises InvalidInputError when a part of the spec is wrong, UnknownReferenceError for an endpoint not there."""
    spec.check()
    with store.transaction():
        rule = store.add_alert_rule(spec)
        _record(store, OperationKind.ALERT_ADD, rule, actor, now_ms, rule.spec.words)
    return rule


def edit_rule(store: Store, rule_id: AlertRuleId, spec: AlertSpec, *, actor: str, now_ms: int) -> AlertRule:
    """Replace what an operator said of a rule. Raises as `add_rule`."""
    spec.check()
    with store.transaction():
        store.alert_rule(rule_id)
        rule = store.edit_alert_rule(rule_id, spec)
        _record(store, OperationKind.ALERT_EDIT, rule, actor, now_ms, rule.spec.words)
    return rule


def remove_rule(store: Store, rule_id: AlertRuleId, *, actor: str, now_ms: int) -> AlertRule:
    """What fires because of it is over, and says so. Raises UnknownReferenceError."""
    with store.transaction():
        rule = store.remove_alert_rule(rule_id, now_ms)
        _record(store, OperationKind.ALERT_REMOVE, rule, actor, now_ms, rule.spec.words)
    return rule


def mute_rule(
    store: Store, rule_id: AlertRuleId, *, for_s: float | None, actor: str, reason: str | None, now_ms: int
) -> AlertRule:
    """Let nothing new fire for so long, and show nothing of it; None: from now on again.

    What fires when it is muted goes on, unseen, and says so when it is over.
    """
    until_ms = None if for_s is None else now_ms + round(for_s * 1000)
    with store.transaction():
        store.alert_rule(rule_id)
        rule = store.mute_alert_rule(rule_id, until_ms)
        result = "unmuted" if for_s is None else f"muted for {for_s:g} s"
        _record(store, OperationKind.ALERT_MUTE, rule, actor, now_ms, result, reason)
    return rule


def _record(
    store: Store, kind: OperationKind, rule: AlertRule, actor: str, now_ms: int, result: str, reason: str | None = None
) -> None:
    target = f"alert {rule.id}" + (f" ({rule.endpoint_name})" if rule.endpoint_name else "")
    operation = store.begin_operation(kind, actor=actor, target=target, reason=reason, now_ms=now_ms)
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)
