"""Taking an operation back, for as long as what it changed is still as it left it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.domain.alerts import AlertRuleId
from console.domain.change import Change, Values
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.ids import EndpointId, OperationId, format_number
from console.domain.operation import Operation, OperationKind
from console.domain.pacing import Pace
from console.domain.sealing import DEFAULTS
from console.operations import deliveries
from console.operations.changes import (
    alert_spec,
    alert_values,
    endpoint_spec_with,
    endpoint_values,
    policy_values,
    policy_with,
)
from console.store.protocol import Store

SEARCHED = 200
"""Operations that are looked through for somebody's last one that can be taken back."""

ENGINE = "engine"

_NEVER: Mapping[OperationKind, str] = {
    OperationKind.ENDPOINT_REMOVE: "its secrets are gone: add it anew",
    OperationKind.ENDPOINT_TEST: "what was sent cannot be called back",
    OperationKind.EVENT_RESEND: "what was accepted stays: cancel its delivery while it waits",
    OperationKind.SECRET_ROTATE: "the secret of before is not kept longer than its overlap: rotate once more",
    OperationKind.SECRET_REVEAL: "what was seen was seen: rotate the secret",
    OperationKind.CONFIG_APPLY: "take back what it changed one by one, or apply the file of before",
    OperationKind.RETENTION_RUN: "what was deleted is gone",
    OperationKind.TOKEN_ADD: "revoke the token instead",
    OperationKind.TOKEN_REVOKE: "only its digest was kept: add another",
    OperationKind.SCHEMA_ADD: "add the version of before once more, or retire it",
    OperationKind.SCHEMA_RETIRE: "add the schema once more",
    OperationKind.SOURCE_ADD: "remove the source instead",
    OperationKind.SOURCE_EDIT: "edit the source once more",
    OperationKind.SOURCE_ENABLE: "disable the source instead",
    OperationKind.SOURCE_DISABLE: "enable the source instead",
    OperationKind.SOURCE_REMOVE: "its secrets are gone: add it anew",
    OperationKind.UNDO: "do it again instead",
    OperationKind.DELIVERY_UNDO: "retry, cancel or skip them again instead",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What taking an operation back would do."""

    operation: Operation
    lines: tuple[str, ...]
    """In words, for who is asked."""
    deliveries: int | None = None
    """How many it moves; None: it is no bulk operation, and `undo` does all of it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastUndo:
    """Somebody's last operation that can be taken back. None: there is none."""

    undo: Undo | None
    newer: tuple[str, ...] = ()
    """Later ones of theirs, and why they cannot be."""


_Act = Callable[[Store, int], Values]
"""Does it, at a time (epoch ms). Returns what is there afterwards."""


@dataclass(frozen=True, slots=True)
class _Plan:
    lines: tuple[str, ...]
    act: _Act


def plan_undo(store: Store, operation_id: OperationId) -> Undo:
    """What taking an operation back would do now. Reads only.

    Raises:
        UnknownReferenceError: no such operation.
        InvalidInputError: it cannot be taken back, or not any more; says why.
    """
    operation = store.operation(operation_id)
    if operation.is_bulk:
        deliveries.check_undoable(store, operation)
        count = store.count_undoable(operation_id)
        still = f"{count:,} of {operation.done:,} {'delivery is' if operation.done == 1 else 'deliveries are'}"
        lines = (f"{still} still as it left {'it' if operation.done == 1 else 'them'}, and become what they were.",)
        return Undo(operation=operation, lines=lines, deliveries=count)
    return Undo(operation=operation, lines=_plan(store, operation).lines)


def undo(
    store: Store,
    operation_id: OperationId,
    *,
    actor: str,
    now_ms: int,
    reason: str | None = None,
    rate_per_s: float | None = None,
) -> Operation:
    """Take an operation back. Of deliveries: begins to, and `deliveries.carry_out` carries it on.

    Raises: as `plan_undo`; then nothing was changed.
    """
    undone = store.operation(operation_id)
    if undone.is_bulk:
        return deliveries.begin_undo(
            store, operation_id, actor=actor, now_ms=now_ms, reason=reason, rate_per_s=rate_per_s
        )
    with store.transaction():
        plan = _plan(store, undone)
        assert undone.change is not None
        after = plan.act(store, now_ms)
        taken_back = store.begin_operation(
            OperationKind.UNDO,
            actor=actor,
            target=f"{format_number('op', operation_id)} {undone.kind} {undone.target}",
            reason=reason,
            now_ms=now_ms,
            change=Change(
                subject=undone.change.subject, before=undone.change.after, after=after or None, undoes=operation_id
            ),
        )
        store.progress_operation(taken_back, done=1, result=" ".join(plan.lines), finished_at_ms=now_ms)
        return store.operation(taken_back)


def last_undoable(store: Store, actor: str) -> LastUndo:
    """What somebody would take back who takes back their last operation that can be."""
    newer: list[str] = []
    for operation in store.operations(limit=SEARCHED):
        if operation.actor != actor or _is_no_act(operation):
            continue
        try:
            return LastUndo(undo=plan_undo(store, operation.id), newer=tuple(newer))
        except (InvalidInputError, UnknownReferenceError) as error:
            newer.append(str(error))
    return LastUndo(undo=None, newer=tuple(newer))


def _is_no_act(operation: Operation) -> bool:
    """Taking back is not taken back by the same key, which would go to and fro."""
    return operation.kind in (OperationKind.UNDO, OperationKind.DELIVERY_UNDO, OperationKind.ENGINE_STOP)


def _plan(store: Store, operation: Operation) -> _Plan:
    match operation.kind:
        case OperationKind.ENDPOINT_PAUSE | OperationKind.ENDPOINT_RESUME:
            return _undo_state(store, operation)
        case OperationKind.ENDPOINT_EDIT:
            return _undo_edit(store, operation)
        case OperationKind.ENDPOINT_ADD:
            return _undo_add(store, operation)
        case OperationKind.DEFAULTS_EDIT:
            return _undo_defaults(store, operation)
        case OperationKind.ALERT_ADD | OperationKind.ALERT_EDIT | OperationKind.ALERT_MUTE | OperationKind.ALERT_REMOVE:
            return _undo_alert(store, operation)
        case _:
            raise _cannot(operation, _NEVER.get(operation.kind, "nothing of it can be"))


def _cannot(operation: Operation, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{format_number('op', operation.id)} ({operation.kind} {operation.target}) cannot be taken back: {why}"
    )


def _changed(operation: Operation) -> Change:
    if operation.change is None:
        raise _cannot(operation, "it was done before what it changed was kept")
    return operation.change


# Endpoints


def _endpoint(store: Store, operation: Operation) -> Endpoint:
    try:
        return store.find_endpoint(_changed(operation).subject)
    except UnknownReferenceError:
        raise _cannot(operation, "the endpoint was removed since") from None


def _undo_state(store: Store, operation: Operation) -> _Plan:
    change, endpoint = _changed(operation), _endpoint(store, operation)
    before, after = change.before or {}, change.after or {}
    if endpoint.state.value != after.get("state") or endpoint.state_since_ms > operation.started_at_ms:
        raise _cannot(operation, f"{endpoint.name} was changed since, and is {endpoint.state} now")
    was = EndpointState(before.get("state", EndpointState.ACTIVE))
    pace = _pace_of(before.get("pace"))
    if was is EndpointState.PAUSED:
        return _pause_again(endpoint, before)
    if endpoint.state is EndpointState.ACTIVE and was is not EndpointState.ACTIVE:
        raise _cannot(operation, f"it was {was} by the engine: pause it instead")
    if endpoint.state is EndpointState.ACTIVE:
        words = f"{endpoint.name} is drained as before: {'at its pace' if pace else 'as fast as its policy lets'}."
        return _Plan((words,), lambda s, now_ms: _stored_pace(s, endpoint.id, pace))
    words = f"{endpoint.name} is active again, and what it is owed is sent."
    if was is not EndpointState.ACTIVE:
        words += f" It was {was}: whether it still is shows with what is sent."

    def resume(s: Store, now_ms: int) -> Values:
        s.set_pace(endpoint.id, pace)
        s.set_endpoint_state(endpoint.id, EndpointState.ACTIVE, None, now_ms)
        return {"state": EndpointState.ACTIVE.value}

    return _Plan((words,), resume)


def _pause_again(endpoint: Endpoint, before: Values) -> _Plan:
    until, reason = before.get("resume_at_ms"), before.get("reason")
    words = [f"{endpoint.name} is paused again, as before" + (f": {reason}." if reason else ".")]
    if until is not None:
        words.append(f"It is resumed by itself at {_moment(until)}, when that is still to come.")
    if endpoint.state is EndpointState.ACTIVE:
        words.append("What was sent meanwhile stays sent.")

    def pause(s: Store, now_ms: int) -> Values:
        if endpoint.pace is not None:
            s.set_pace(endpoint.id, None)
        at_ms = until if until is not None and until > now_ms else None
        later = _pace_of(before.get("resume_pace")) if at_ms else None
        state = EndpointState.PAUSED
        s.set_endpoint_state(endpoint.id, state, reason, now_ms, resume_at_ms=at_ms, resume_pace=later)
        return {"state": state.value, "resume_at_ms": at_ms}

    return _Plan(tuple(words), pause)


def _stored_pace(store: Store, endpoint_id: EndpointId, pace: Pace | None) -> Values:
    store.set_pace(endpoint_id, pace)
    return {"state": EndpointState.ACTIVE.value}


def _pace_of(values: Mapping[str, Any] | None) -> Pace | None:
    return None if values is None else msgspec.convert(values, Pace)


def _undo_edit(store: Store, operation: Operation) -> _Plan:
    change, endpoint = _changed(operation), _endpoint(store, operation)
    before, after = change.before or {}, change.after or {}
    _refuse_other(operation, endpoint_values(endpoint), after, change.hidden, endpoint.name)
    lines = (*_back_lines(before, after), *_hidden_lines(change.hidden))

    def edit(s: Store, now_ms: int) -> Values:
        s.edit_endpoint(endpoint.id, endpoint_spec_with(endpoint.spec, before).check(), now_ms)
        return before

    return _Plan(lines, edit)


def _undo_add(store: Store, operation: Operation) -> _Plan:
    endpoint = _endpoint(store, operation)
    gauge = store.gauges().get(endpoint.id)
    if gauge is not None and (gauge.delivered or gauge.failed or gauge.sending or gauge.last_failure_at_ms):
        raise _cannot(operation, "it has been sent to: 'endpoints remove' takes it away")
    owed = gauge.pending if gauge else 0
    words = f"{endpoint.name} is removed" + (f", and {owed:,} pending for it cancelled." if owed else ".")

    def remove(s: Store, now_ms: int) -> Values:
        s.remove_endpoint(endpoint.id, now_ms)
        return {}

    return _Plan((words,), remove)


def _undo_defaults(store: Store, operation: Operation) -> _Plan:
    change = _changed(operation)
    before, after = change.before or {}, change.after or {}
    policy = store.policy_defaults()
    _refuse_other(operation, policy_values(policy), after, change.hidden, DEFAULTS)

    def edit(s: Store, now_ms: int) -> Values:
        s.set_policy_defaults(policy_with(policy, before), now_ms)
        return before

    return _Plan((*_back_lines(before, after), *_hidden_lines(change.hidden)), edit)


def _refuse_other(operation: Operation, now: Values, after: Values, hidden: tuple[str, ...], name: str) -> None:
    """What was changed must be as the operation left it."""
    if not after:
        why = f"{', '.join(hidden)}: what may hold a secret is not kept" if hidden else "it changed nothing"
        raise _cannot(operation, why)
    others = [part for part, value in after.items() if now.get(part) != value]
    if others:
        raise _cannot(operation, f"{', '.join(others)} of {name} was changed since")


def _back_lines(before: Values, after: Values) -> list[str]:
    return [
        f"{name}: {value_words(after.get(name), name)} → {value_words(value, name)}" for name, value in before.items()
    ]


def _hidden_lines(hidden: tuple[str, ...]) -> list[str]:
    return [f"{', '.join(hidden)}: stays as it is now, since what may hold a secret is not kept."] if hidden else []


def value_words(value: object, name: str = "") -> str:
    """A value of a change, short; `name`: of the part, which says what is a time."""
    if value is None:
        return "none"
    if isinstance(value, int) and name.endswith("_ms"):
        return _moment(value)
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value) or "none"
    if isinstance(value, dict):
        return " ".join(f"{part}={value_words(item, part)}" for part, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


# Alerts


def _undo_alert(store: Store, operation: Operation) -> _Plan:
    change = _changed(operation)
    if operation.kind is OperationKind.ALERT_REMOVE:
        return _add_again(store, operation, change.before or {})
    rule_id = AlertRuleId(int(change.subject))
    try:
        rule = store.alert_rule(rule_id)
    except UnknownReferenceError:
        raise _cannot(operation, "the rule was removed since") from None
    before, after = change.before or {}, change.after or {}
    muted = operation.kind is OperationKind.ALERT_MUTE
    now = {"muted_until_ms": rule.muted_until_ms} if muted else alert_values(rule.spec)
    _refuse_other(operation, now, after, (), f"alert {rule_id}")
    if operation.kind is OperationKind.ALERT_ADD:
        return _Plan((f"alert {rule_id} is removed: {rule.spec.words}.",), lambda s, at: _removed(s, rule_id, at))
    if muted:
        until = before.get("muted_until_ms")
        words = f"alert {rule_id} is muted until {_moment(until)}." if until else f"alert {rule_id} fires again."
        return _Plan((words,), lambda s, at: _muted(s, rule_id, until))

    def edit(s: Store, now_ms: int) -> Values:
        s.edit_alert_rule(rule_id, alert_spec({**alert_values(rule.spec), **before}))
        return before

    return _Plan(tuple(_back_lines(before, after)), edit)


def _removed(store: Store, rule_id: AlertRuleId, now_ms: int) -> Values:
    store.remove_alert_rule(rule_id, now_ms)
    return {}


def _muted(store: Store, rule_id: AlertRuleId, until_ms: int | None) -> Values:
    store.mute_alert_rule(rule_id, until_ms)
    return {"muted_until_ms": until_ms}


def _add_again(store: Store, operation: Operation, values: Values) -> _Plan:
    """A rule that was removed comes back under a new number, once."""
    for later in store.operations(limit=SEARCHED):
        if later.id <= operation.id:
            break
        if later.change is not None and later.change.undoes == operation.id:
            raise _cannot(operation, f"{format_number('op', later.id)} did already")
    spec = alert_spec(values)

    def add(s: Store, now_ms: int) -> Values:
        return {"id": s.add_alert_rule(spec).id, **values}

    return _Plan((f"{operation.target} is added again, under a new number: {spec.words}.",), add)


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
