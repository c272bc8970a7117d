"""Rows of the store to values of the domain, and back."""

import json

import msgspec

from console.domain.change import Change
from console.domain.delivery import Attempt, Delivery, DeliveryState, Exchange
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.event import Event, EventRow
from console.domain.event_schema import Flaw
from console.domain.ids import AttemptId, DeliveryId, EndpointId, EventId, FailureGroupId, OperationId
from console.domain.operation import Operation, OperationKind
from console.domain.ordering import BLOCKED_AT_MS
from console.domain.outcome import Cause, Headers
from console.domain.pacing import Pace
from console.domain.rates import Bucket
from console.domain.signing import Secret
from console.domain.status import EngineStatus, Gauge
from console.domain.transform import Transform
from console.store.sqlite.connection import Row
from console.store.sqlite.policies import policy_of, read_parts, read_policy

_encode = msgspec.json.Encoder().encode
_decode_pace = msgspec.json.Decoder(Pace).decode
_decode_transform = msgspec.json.Decoder(Transform).decode
_decode_flaw = msgspec.json.Decoder(Flaw).decode
_decode_change = msgspec.json.Decoder(Change).decode
_decode_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_secrets = msgspec.json.Decoder(tuple[str | Secret, ...]).decode

ENDPOINT_COLUMNS = (
    f"seq, id, name, url, types, secrets, policy, {policy_of('endpoints')}, state, state_reason, "
    "state_since, probe_at, trips, pace, resume_at, resume_pace, permitted_url, permitted_per_minute, filter, "
    "transform, dry_run, created_at, version"
)
DELIVERY_COLUMNS = (
    f"d.id, e.id, e.type, p.id, p.name, d.state, p.state, d.attempts, d.step, {policy_of('p')}, "
    "d.next_attempt_at, d.manual, "
    "d.last_cause, d.last_status, d.last_attempt_at, d.created_at, d.updated_at, d.failure_group, d.url"
)
ATTEMPT_COLUMNS = (
    "a.id, a.delivery, e.id, e.type, p.id, p.name, a.number, a.manual, a.started_at, a.ended_at, a.status, a.cause, "
    "a.detail, a.total_ms, a.first_byte_ms, a.due_at, a.resolve_ms, a.connect_ms, a.tls_ms"
)
EXCHANGE_COLUMNS = (
    "url, request_headers, response_headers, response_body, truncated, remote_address, request_method, request_body"
)
ENGINE_COLUMNS = "epoch, pid, host, version, started_at, heartbeat_at, stopped_at, stop_requested, in_flight"
OPERATION_COLUMNS = (
    "id, kind, actor, target, reason, started_at, finished_at, done, result, total, rate, cancelled_by, before"
)
GAUGE_COLUMNS = (
    "pending, sending, delivered, failed, cancelled, last_success_at, last_failure_at, last_failure_cause, "
    "last_failure_detail, failing_since"
)


def texts_text(texts: tuple[str, ...]) -> str:
    return json.dumps(texts)


def secrets_text(secrets: tuple[Secret, ...]) -> str:
    """Signing secrets as JSON: a text alone, or an object where there is more to say."""
    return _encode([_kept_secret(secret) for secret in secrets]).decode()


def _kept_secret(secret: Secret) -> str | dict[str, str | int]:
    more = {"until_ms": secret.until_ms, "public_key": secret.public_key}
    kept = {name: value for name, value in more.items() if value is not None}
    return {"text": secret.text, **kept} if kept else secret.text


def secrets_of(text: str) -> tuple[Secret, ...]:
    return tuple(Secret(text=item) if isinstance(item, str) else item for item in _decode_secrets(text))


def headers_text(headers: Headers) -> str:
    """Header fields as JSON. Names and values are Latin-1 text at most, so nothing is lost."""
    return _encode(headers).decode()


def headers_of(text: str) -> Headers:
    return _decode_headers(text)


def pace_text(pace: Pace | None) -> str | None:
    return None if pace is None else _encode(pace).decode()


def transform_text(transform: Transform | None) -> str | None:
    return None if transform is None else _encode(transform).decode()


def flaw_text(flaw: Flaw | None) -> str | None:
    return None if flaw is None else _encode(flaw).decode()


def change_text(change: Change | None) -> str | None:
    return None if change is None else _encode(change).decode()


def endpoint_of(row: Row) -> Endpoint:
    (seq, id_, name, url, types, secrets, own, policy, state, reason, since, probe_at, trips, pace, resume_at,
     resume_pace, permitted_url, permitted_per_minute, filter_, transform, dry_run, created, version) = row  # fmt: skip
    return Endpoint(
        seq=seq,
        id=EndpointId(id_),
        name=name,
        url=url,
        types=_decode_texts(types),
        secrets=secrets_of(secrets),
        policy=read_policy(policy),
        own=frozenset(read_parts(own)),
        state=EndpointState(state),
        state_reason=reason,
        state_since_ms=since,
        probe_at_ms=probe_at,
        trips=trips,
        pace=None if pace is None else _decode_pace(pace),
        resume_at_ms=resume_at,
        resume_pace=None if resume_pace is None else _decode_pace(resume_pace),
        permitted_url=permitted_url,
        permitted_per_minute=permitted_per_minute,
        filter=filter_,
        transform=None if transform is None else _decode_transform(transform),
        dry_run=bool(dry_run),
        created_at_ms=created,
        version=version,
    )


def delivery_of(row: Row) -> Delivery:
    (id_, event_id, event_type, endpoint_id, endpoint_name, state, endpoint_state, attempts, step, policy, next_at,
     manual, cause, status, last_at, created, updated, group, url) = row  # fmt: skip
    return Delivery(
        id=DeliveryId(id_),
        event_id=EventId(event_id),
        event_type=event_type,
        endpoint_id=EndpointId(endpoint_id),
        endpoint_name=endpoint_name,
        state=DeliveryState(state),
        held=state == "pending" and endpoint_state != "active",
        blocked=next_at == BLOCKED_AT_MS,
        attempts=attempts,
        schedule_step=step,
        schedule_length=len(read_policy(policy).schedule_s),
        next_attempt_at_ms=None if next_at == BLOCKED_AT_MS else next_at,
        manual=bool(manual),
        last_cause=Cause(cause) if cause else None,
        last_status=status,
        last_attempt_at_ms=last_at,
        created_at_ms=created,
        updated_at_ms=updated,
        failure_group=None if group is None else FailureGroupId(group),
        url=url,
    )


def attempt_of(row: Row) -> Attempt:
    (id_, delivery, event_id, event_type, endpoint_id, endpoint_name, number, manual, started, ended, status, cause,
     detail, total, first_byte, due, resolve, connect, tls) = row  # fmt: skip
    return Attempt(
        id=AttemptId(id_),
        delivery_id=DeliveryId(delivery),
        event_id=EventId(event_id),
        event_type=event_type,
        endpoint_id=EndpointId(endpoint_id),
        endpoint_name=endpoint_name,
        number=number,
        manual=bool(manual),
        started_at_ms=started,
        ended_at_ms=ended,
        status=status,
        cause=Cause(cause) if cause else None,
        detail=detail,
        total_ms=total,
        first_byte_ms=first_byte,
        due_at_ms=due,
        resolve_ms=resolve,
        connect_ms=connect,
        tls_ms=tls,
    )


def exchange_of(row: Row) -> Exchange:
    url, request_headers, response_headers, body, truncated, address, method, request_body = row
    return Exchange(
        url=url,
        request_headers=_decode_headers(request_headers),
        response_headers=_decode_headers(response_headers) if response_headers else (),
        response_body=body or b"",
        response_truncated=bool(truncated),
        remote_address=address,
        request_method=method or "POST",
        request_body=request_body,
    )


def event_of(row: Row) -> Event:
    seq, id_, type_, payload, accepted, source, copy_of, hops, via, flaw = row
    return Event(
        seq=seq,
        id=EventId(id_),
        type=type_,
        payload=payload,
        accepted_at_ms=accepted,
        source=source,
        copy_of=None if copy_of is None else EventId(copy_of),
        hops=hops,
        via=via,
        flaw=None if flaw is None else _decode_flaw(flaw),
    )


def event_row_of(row: Row) -> EventRow:
    seq, id_, type_, size, accepted, source, deliveries, delivered, failed = row
    return EventRow(
        seq=seq,
        id=EventId(id_),
        type=type_,
        size_bytes=size,
        accepted_at_ms=accepted,
        source=source,
        deliveries=deliveries,
        delivered=delivered or 0,
        failed=failed or 0,
    )


def bucket_of(row: Row) -> Bucket:
    start, accepted, ok, failed, *histogram = row
    return Bucket(start_s=start, accepted=accepted, ok=ok, failed=failed, histogram=tuple(histogram))


def gauge_of(row: Row) -> Gauge:
    pending, sending, delivered, failed, cancelled, success_at, failure_at, cause, detail, since = row
    return Gauge(
        pending=pending,
        sending=sending,
        delivered=delivered,
        failed=failed,
        cancelled=cancelled,
        last_success_at_ms=success_at,
        last_failure_at_ms=failure_at,
        last_failure_cause=Cause(cause) if cause else None,
        last_failure_detail=detail,
        failing_since_ms=since,
    )


def operation_of(row: Row) -> Operation:
    id_, kind, actor, target, reason, started, finished, done, result, total, rate, cancelled_by, change = row
    return Operation(
        id=OperationId(id_),
        kind=OperationKind(kind),
        actor=actor,
        target=target,
        reason=reason,
        started_at_ms=started,
        finished_at_ms=finished,
        done=done,
        result=result,
        total=total,
        rate_per_s=rate,
        cancelled_by=cancelled_by,
        change=None if change is None else _decode_change(change),
    )


def engine_of(row: Row) -> EngineStatus:
    epoch, pid, host, version, started, heartbeat, stopped, stop_requested, in_flight = row
    return EngineStatus(
        epoch=epoch,
        pid=pid,
        host=host,
        version=version,
        started_at_ms=started,
        heartbeat_at_ms=heartbeat,
        stopped_at_ms=stopped,
        stop_requested=bool(stop_requested),
        in_flight=in_flight,
    )
