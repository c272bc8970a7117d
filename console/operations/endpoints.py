"""Add, edit, pause, resume, remove and test endpoints."""

from random import Random

from console.domain.endpoint import Endpoint, EndpointSpec, EndpointState
from console.domain.event import Accepted, NewEvent
from console.domain.ids import EndpointId, new_endpoint_id
from console.domain.operation import OperationKind
from console.domain.policy import DeliveryPolicy
from console.store.protocol import Store

TEST_EVENT_TYPE = "webhook.test"
TEST_PAYLOAD = b'{"type":"webhook.test","data":{"message":"A test event from webhook-console."}}'


def _record(
    store: Store, kind: OperationKind, *, actor: str, target: str, reason: str | None, result: str | None, now_ms: int
) -> None:
    operation = store.begin_operation(kind, actor=actor, target=target, reason=reason, now_ms=now_ms)
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)


def add_endpoint(store: Store, spec: EndpointSpec, *, actor: str, now_ms: int, random: Random) -> Endpoint:
    """Raises InvalidInputError when a part of the spec is wrong or the name is taken."""
    spec.check()
    with store.transaction():
        endpoint = store.add_endpoint(new_endpoint_id(random), spec, now_ms)
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
    store: Store, endpoint_id: EndpointId, spec: EndpointSpec, *, actor: str, now_ms: int, changed: str
) -> Endpoint:
    """Replace what an operator said of an endpoint; `changed` names the parts for the audit log, never secrets."""
    spec.check()
    with store.transaction():
        endpoint = store.edit_endpoint(endpoint_id, spec, now_ms)
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


def edit_defaults(store: Store, policy: DeliveryPolicy, *, actor: str, now_ms: int, changed: str) -> None:
    """Replace the policy of endpoints that say nothing themselves; `changed` names the parts for the audit log."""
    with store.transaction():
        store.set_policy_defaults(policy, now_ms)
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
    store: Store, endpoint_id: EndpointId, *, actor: str, reason: str | None, now_ms: int
) -> tuple[Endpoint, bool]:
    """Send again, be it paused, tripped or disabled. Returns the endpoint, and whether that changed anything."""
    return _set_state(store, endpoint_id, EndpointState.ACTIVE, actor=actor, reason=reason, now_ms=now_ms)


def _set_state(
    store: Store, endpoint_id: EndpointId, state: EndpointState, *, actor: str, reason: str | None, now_ms: int
) -> tuple[Endpoint, bool]:
    kind = OperationKind.ENDPOINT_RESUME if state is EndpointState.ACTIVE else OperationKind.ENDPOINT_PAUSE
    with store.transaction():
        before = store.find_endpoint(endpoint_id)
        if before.state is state:
            return before, False
        endpoint = store.set_endpoint_state(endpoint_id, state, reason, now_ms)
        _record(
            store,
            kind,
            actor=actor,
            target=endpoint.name,
            reason=reason,
            result=f"{before.state} → {state}",
            now_ms=now_ms,
        )
    return endpoint, True


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
