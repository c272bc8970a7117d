"""Add, edit, pause, resume, remove and test endpoints."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from random import Random

from console.domain.change import Change, Values
from console.domain.endpoint import Endpoint, EndpointSpec, EndpointState
from console.domain.errors import InvalidInputError
from console.domain.event import Accepted, NewEvent
from console.domain.handshake import wants_permission
from console.domain.ids import EndpointId, OperationId, new_endpoint_id
from console.domain.loops import points_at_us
from console.domain.operation import OperationKind
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy
from console.domain.redaction import redact_url
from console.domain.sealing import DEFAULTS, NO_KEYS, Keyring
from console.domain.secret_parts import sealed_defaults, sealed_spec
from console.operations.changes import (
    differing,
    endpoint_values,
    hidden_of_endpoints,
    hidden_of_policies,
    policy_values,
)
from console.store.protocol import Store

TEST_EVENT_TYPE = "webhook.test"
TEST_PAYLOAD = b'{"type":"webhook.test","data":{"message":"A test event from webhook-console."}}'


def _record(
    store: Store,
    kind: OperationKind,
    *,
    actor: str,
    target: str,
    reason: str | None,
    result: str | None,
    now_ms: int,
    change: Change | None = None,
) -> OperationId:
    operation = store.begin_operation(kind, actor=actor, target=target, reason=reason, now_ms=now_ms, change=change)
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)
    return operation


def add_endpoint(
    store: Store, spec: EndpointSpec, *, actor: str, now_ms: int, random: Random, keys: Keyring = NO_KEYS
) -> Endpoint:
    """Raises InvalidInputError when a part of the spec is wrong, the name is taken or the URL is our own intake.

    Args:
        keys: seal the secrets that are kept; without a key they are kept as they are.
    """
    spec.check()
    refuse_own_intake(store, spec.url)
    endpoint_id = new_endpoint_id(random)
    with store.transaction():
        endpoint = store.add_endpoint(endpoint_id, sealed_spec(spec, endpoint_id, keys), now_ms)
        _record(
            store,
            OperationKind.ENDPOINT_ADD,
            actor=actor,
            target=endpoint.name,
            reason=None,
            result=redact_url(endpoint.url),
            now_ms=now_ms,
            change=Change(subject=endpoint.id, after=endpoint_values(endpoint)),
        )
    return endpoint


def edit_endpoint(
    store: Store,
    endpoint_id: EndpointId,
    spec: EndpointSpec,
    *,
    actor: str,
    now_ms: int,
    changed: str,
    keys: Keyring = NO_KEYS,
) -> Endpoint:
    """Replace what an operator said of an endpoint; `changed` names the parts for the audit log, never secrets."""
    spec.check()
    with store.transaction():
        old = store.find_endpoint(endpoint_id)
        if spec.url != old.url:
            refuse_own_intake(store, spec.url)
        endpoint = store.edit_endpoint(endpoint_id, sealed_spec(spec, endpoint_id, keys), now_ms)
        before, after = differing(endpoint_values(old), endpoint_values(endpoint))
        hidden = hidden_of_endpoints(old, endpoint)
        _record(
            store,
            OperationKind.ENDPOINT_EDIT,
            actor=actor,
            target=endpoint.name,
            reason=None,
            result=changed,
            now_ms=now_ms,
            change=Change(subject=endpoint.id, before=before, after=after, hidden=hidden),
        )
    return endpoint


def refuse_own_intake(store: Store, url: str) -> None:
    """Raises InvalidInputError when what is sent there would come back to the engine of this store."""
    reason = points_at_us(url, store.listening())
    if reason is not None:
        raise InvalidInputError(reason)


def edit_defaults(
    store: Store, policy: DeliveryPolicy, *, actor: str, now_ms: int, changed: str, keys: Keyring = NO_KEYS
) -> None:
    """Replace the policy of endpoints that say nothing themselves; `changed` names the parts for the audit log."""
    with store.transaction():
        old = store.policy_defaults()
        store.set_policy_defaults(sealed_defaults(policy, keys), now_ms)
        new = store.policy_defaults()
        before, after = differing(policy_values(old), policy_values(new))
        hidden = hidden_of_policies(old, new)
        _record(
            store,
            OperationKind.DEFAULTS_EDIT,
            actor=actor,
            target="all endpoints",
            reason=None,
            result=changed,
            now_ms=now_ms,
            change=Change(subject=DEFAULTS, before=before, after=after, hidden=hidden),
        )


def pause_endpoint(
    store: Store,
    endpoint_id: EndpointId,
    *,
    actor: str,
    reason: str | None,
    now_ms: int,
    resume_at_ms: int | None = None,
    resume_pace: Pace | None = None,
) -> tuple[Endpoint, bool]:
    """Hold what the endpoint is owed. Returns it, and whether that changed anything.

    Args:
        resume_at_ms: when the engine is to resume it by itself; None: an operator has to. One that is paused already
            gets the new time.
        resume_pace: how what waits is drained then.

    Raises:
        InvalidInputError: that time is over.
    """
    if resume_at_ms is not None and resume_at_ms <= now_ms:
        raise InvalidInputError("resume: that time is over already; give one that is to come")
    with store.transaction():
        before = store.find_endpoint(endpoint_id)
        again = before.state is EndpointState.PAUSED
        if again and (before.resume_at_ms, before.resume_pace) == (resume_at_ms, resume_pace):
            return before, False
        endpoint = before if before.pace is None else store.set_pace(endpoint_id, None)
        endpoint = store.set_endpoint_state(
            endpoint_id,
            EndpointState.PAUSED,
            before.state_reason if again and reason is None else reason,
            now_ms,
            resume_at_ms=resume_at_ms,
            resume_pace=resume_pace,
        )
        until = "" if resume_at_ms is None else f", until {_moment(resume_at_ms)}{pace_words(resume_pace)}"
        _record_state(store, before, endpoint, until, actor=actor, reason=reason, now_ms=now_ms)
    return endpoint, True


def resume_endpoint(
    store: Store, endpoint_id: EndpointId, *, actor: str, reason: str | None, now_ms: int, pace: Pace | None = None
) -> tuple[Endpoint, bool]:
    """Send again, be it paused, tripped or disabled. Returns the endpoint, and whether that changed anything.

    Args:
        pace: how what waits is drained; None: as fast as the policy lets. One that is active gets a new pace.
    """
    state = EndpointState.ACTIVE
    with store.transaction():
        before = endpoint = store.find_endpoint(endpoint_id)
        # Who resumes one that waits for its receiver's permission wants it asked now.
        asks = before.state is state and wants_permission(before)
        if before.state is state and before.pace == pace and not asks:
            return before, False
        if before.pace != pace:
            endpoint = store.set_pace(endpoint_id, pace)
        if before.state is not state or asks:
            endpoint = store.set_endpoint_state(endpoint_id, state, reason, now_ms)
        more = f"{pace_words(pace)}{', permission asked for' if asks else ''}"
        _record_state(store, before, endpoint, more, actor=actor, reason=reason, now_ms=now_ms)
    return endpoint, True


def resume_by_itself(store: Store, endpoint_id: EndpointId, *, now_ms: int) -> bool:
    """Resume a paused endpoint whose time has come, as the engine's own operation. Returns whether it was.

    An operator who resumed it, or gave it another time, was quicker.
    """
    with store.transaction():
        due = next((endpoint for endpoint in store.resuming(now_ms) if endpoint.id == endpoint_id), None)
        if due is None:
            return False
        pace = None if due.resume_pace is None else replace(due.resume_pace, since_ms=now_ms)
        reason = f"its time has come ({due.state_reason})" if due.state_reason else "its time has come"
        return resume_endpoint(store, endpoint_id, actor="engine", reason=reason, now_ms=now_ms, pace=pace)[1]


def state_values(endpoint: Endpoint) -> Values:
    """How an endpoint stands, as a change keeps it."""
    pace, later = endpoint.pace, endpoint.resume_pace
    return {
        "state": endpoint.state.value,
        "reason": endpoint.state_reason,
        "pace": None if pace is None else asdict(pace),
        "resume_at_ms": endpoint.resume_at_ms,
        "resume_pace": None if later is None else asdict(later),
    }


def _record_state(
    store: Store, before: Endpoint, after: Endpoint, more: str, *, actor: str, reason: str | None, now_ms: int
) -> None:
    active = after.state is EndpointState.ACTIVE
    _record(
        store,
        OperationKind.ENDPOINT_RESUME if active else OperationKind.ENDPOINT_PAUSE,
        actor=actor,
        target=after.name,
        reason=reason,
        result=f"{before.state} → {after.state}{more}",
        now_ms=now_ms,
        change=Change(subject=after.id, before=state_values(before), after=state_values(after)),
    )


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def pace_words(pace: Pace | None) -> str:
    """`, at 20/s` or `, up to 20/s within 300 s`; nothing without a pace."""
    if pace is None:
        return ""
    return f", up to {pace.per_s:g}/s within {pace.ramp_s:g} s" if pace.ramp_s else f", at {pace.per_s:g}/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an endpoint is owed, and when the oldest of it is or was due, epoch ms; None: it is owed nothing."""

    count: int
    oldest_due_ms: int | None


def held(store: Store, endpoint: Endpoint) -> Held:
    """What waits for one endpoint; milliseconds, however much it is."""
    gauge = store.gauges().get(endpoint.id)
    return Held(count=gauge.pending if gauge else 0, oldest_due_ms=store.next_due([endpoint.seq]).get(endpoint.seq))


def oldest_due(store: Store, endpoints: Sequence[Endpoint]) -> dict[EndpointId, int]:
    """When the oldest pending delivery of each is or was due, epoch ms; those that are owed nothing are absent."""
    by_seq = store.next_due([endpoint.seq for endpoint in endpoints])
    return {endpoint.id: by_seq[endpoint.seq] for endpoint in endpoints if endpoint.seq in by_seq}


def remove_endpoint(store: Store, endpoint_id: EndpointId, *, actor: str, now_ms: int) -> int:
    """Take an endpoint away. What it is still owed is cancelled; returns how many deliveries that were."""
    with store.transaction():
        name = store.find_endpoint(endpoint_id).name
        cancelled = store.remove_endpoint(endpoint_id, now_ms)
        _record(
            store,
            OperationKind.ENDPOINT_REMOVE,
            actor=actor,
            target=name,
            reason=None,
            result=f"{cancelled} {'delivery' if cancelled == 1 else 'deliveries'} cancelled",
            now_ms=now_ms,
        )
    return cancelled


def send_test(
    store: Store,
    endpoint: Endpoint,
    *,
    actor: str,
    now_ms: int,
    type: str = TEST_EVENT_TYPE,
    payload: bytes = TEST_PAYLOAD,
) -> Accepted:
    """Owe one test event to this endpoint alone, whatever types and whatever payloads it wants."""
    event = NewEvent(type=type, payload=payload, source="test")
    with store.transaction():
        accepted = store.accept_for(event, endpoint.id, now_ms)
        _record(
            store,
            OperationKind.ENDPOINT_TEST,
            actor=actor,
            target=endpoint.name,
            reason=None,
            result=accepted.id,
            now_ms=now_ms,
        )
    return accepted
