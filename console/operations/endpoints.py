"""Add, edit, pause, resume, remove and test endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from console.domain.endpoint import Endpoint, EndpointSpec, EndpointState
from console.domain.event import Accepted, NewEvent
from console.domain.handshake import wants_permission
from console.domain.ids import EndpointId, new_endpoint_id
from console.domain.operation import OperationKind
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy
from console.domain.sealing import NO_KEYS, Keyring
from console.domain.secret_parts import sealed_defaults, sealed_spec
from console.store.protocol import Store

TEST_EVENT_TYPE = "webhook.test"
TEST_PAYLOAD = b'{"type":"webhook.test","data":{"message":"A test event from webhook-console."}}'


def _record(
    store: Store, kind: OperationKind, *, actor: str, target: str, reason: str | None, result: str | None, now_ms: int
) -> None:
    operation = store.begin_operation(kind, actor=actor, target=target, reason=reason, now_ms=now_ms)
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)


def add_endpoint(
    store: Store, spec: EndpointSpec, *, actor: str, now_ms: int, random: Random, keys: Keyring = NO_KEYS
) -> Endpoint:
    """Raises InvalidInputError when a part of the spec is wrong or the name is taken.

    Args:
        keys: seal the secrets that are kept; without a key they are kept as they are.
    """
    spec.check()
    endpoint_id = new_endpoint_id(random)
    with store.transaction():
        endpoint = store.add_endpoint(endpoint_id, sealed_spec(spec, endpoint_id, keys), now_ms)
        _record(
            store,
            OperationKind.ENDPOINT_ADD,
            actor=actor,
            target=endpoint.name,
            reason=None,
            result=endpoint.url,
            now_ms=now_ms,
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
        endpoint = store.edit_endpoint(endpoint_id, sealed_spec(spec, endpoint_id, keys), now_ms)
        _record(
            store,
            OperationKind.ENDPOINT_EDIT,
            actor=actor,
            target=endpoint.name,
            reason=None,
            result=changed,
            now_ms=now_ms,
        )
    return endpoint


def edit_defaults(
    store: Store, policy: DeliveryPolicy, *, actor: str, now_ms: int, changed: str, keys: Keyring = NO_KEYS
) -> None:
    """Replace the policy of endpoints that say nothing themselves; `changed` names the parts for the audit log."""
    with store.transaction():
        store.set_policy_defaults(sealed_defaults(policy, keys), now_ms)
        _record(
            store,
            OperationKind.DEFAULTS_EDIT,
            actor=actor,
            target="all endpoints",
            reason=None,
            result=changed,
            now_ms=now_ms,
        )


def pause_endpoint(
    store: Store, endpoint_id: EndpointId, *, actor: str, reason: str | None, now_ms: int
) -> tuple[Endpoint, bool]:
    """Hold what the endpoint is owed. Returns it, and whether that changed anything."""
    return _set_state(store, endpoint_id, EndpointState.PAUSED, actor=actor, reason=reason, now_ms=now_ms)


def resume_endpoint(
    store: Store, endpoint_id: EndpointId, *, actor: str, reason: str | None, now_ms: int, pace: Pace | None = None
) -> tuple[Endpoint, bool]:
    """Send again, be it paused, tripped or disabled. Returns the endpoint, and whether that changed anything.

    Args:
        pace: how what waits is drained; None: as fast as the policy lets. One that is active gets a new pace.
    """
    return _set_state(store, endpoint_id, EndpointState.ACTIVE, pace, actor=actor, reason=reason, now_ms=now_ms)


def _set_state(
    store: Store,
    endpoint_id: EndpointId,
    state: EndpointState,
    pace: Pace | None = None,
    *,
    actor: str,
    reason: str | None,
    now_ms: int,
) -> tuple[Endpoint, bool]:
    kind = OperationKind.ENDPOINT_RESUME if state is EndpointState.ACTIVE else OperationKind.ENDPOINT_PAUSE
    with store.transaction():
        before = endpoint = store.find_endpoint(endpoint_id)
        # Who resumes one that waits for its receiver's permission wants it asked now.
        asks = state is EndpointState.ACTIVE and before.state is state and wants_permission(before)
        if before.state is state and before.pace == pace and not asks:
            return before, False
        if before.pace != pace:
            endpoint = store.set_pace(endpoint_id, pace)
        if before.state is not state or asks:
            endpoint = store.set_endpoint_state(endpoint_id, state, reason, now_ms)
        _record(
            store,
            kind,
            actor=actor,
            target=endpoint.name,
            reason=reason,
            result=f"{before.state} → {state}{pace_words(pace)}{', permission asked for' if asks else ''}",
            now_ms=now_ms,
        )
    return endpoint, True


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


def send_test(store: Store, endpoint: Endpoint, *, actor: str, now_ms: int) -> Accepted:
    """Owe one `webhook.test` event to this endpoint alone, whatever types it wants."""
    event = NewEvent(type=TEST_EVENT_TYPE, payload=TEST_PAYLOAD, source="test")
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
