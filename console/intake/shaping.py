"""Values of the domain as answers show them."""

import base64
from typing import Any

import msgspec

from console.domain.change import Values
from console.domain.delivery import Attempt, Delivery, Exchange
from console.domain.endpoint import Endpoint
from console.domain.event import Event, EventRow
from console.domain.ids import format_number
from console.domain.moment import iso_ms
from console.domain.operation import Operation
from console.domain.pacing import Pace
from console.domain.policy_parts import shown_policy
from console.domain.redaction import redact, redact_url
from console.domain.sealing import is_sealed
from console.domain.signing import Secret, redacted_secret, with_public_key
from console.domain.status import Gauge
from console.domain.transform import Transform
from console.intake import shapes


def event_row(row: EventRow) -> shapes.EventRowShape:
    return shapes.EventRowShape(
        id=row.id,
        type=row.type,
        size_bytes=row.size_bytes,
        accepted_at=iso_ms(row.accepted_at_ms),
        source=row.source,
        deliveries=row.deliveries,
        delivered=row.delivered,
        failed=row.failed,
    )


def event(of: Event) -> shapes.EventShape:
    return shapes.EventShape(
        id=of.id,
        type=of.type,
        size_bytes=len(of.payload),
        accepted_at=iso_ms(of.accepted_at_ms),
        source=of.source,
        hops=of.hops,
        flaw=None if of.flaw is None else str(of.flaw),
        copy_of=of.copy_of,
        payload=msgspec.Raw(of.payload),
    )


def delivery(of: Delivery) -> shapes.DeliveryShape:
    return shapes.DeliveryShape(**_delivery(of))


def delivery_with_attempts(of: Delivery, made: list[Attempt]) -> shapes.DeliveryWithAttempts:
    return shapes.DeliveryWithAttempts(**_delivery(of), made=[attempt(one) for one in made])


def _delivery(of: Delivery) -> dict[str, Any]:
    return {
        "id": format_number("dlv", of.id),
        "event_id": of.event_id,
        "event_type": of.event_type,
        "endpoint_id": of.endpoint_id,
        "endpoint": of.endpoint_name,
        "state": of.state.value,
        "held": of.held,
        "blocked": of.blocked,
        "attempts": of.attempts,
        "schedule_step": of.schedule_step,
        "schedule_length": of.schedule_length,
        "next_attempt_at": iso_ms(of.next_attempt_at_ms),
        "manual": of.manual,
        "last_cause": of.last_cause,
        "last_status": of.last_status,
        "last_attempt_at": iso_ms(of.last_attempt_at_ms),
        "created_at": iso_ms(of.created_at_ms),
        "updated_at": iso_ms(of.updated_at_ms),
    }


def attempt(of: Attempt) -> shapes.AttemptShape:
    return shapes.AttemptShape(**_attempt(of))


def attempt_with_exchange(of: Attempt, came: Exchange | None) -> shapes.AttemptWithExchange:
    return shapes.AttemptWithExchange(**_attempt(of), exchange=None if came is None else exchange(came))


def _attempt(of: Attempt) -> dict[str, Any]:
    return {
        "id": format_number("att", of.id),
        "delivery_id": format_number("dlv", of.delivery_id),
        "event_id": of.event_id,
        "event_type": of.event_type,
        "endpoint_id": of.endpoint_id,
        "endpoint": of.endpoint_name,
        "number": of.number,
        "manual": of.manual,
        "started_at": iso_ms(of.started_at_ms),
        "ended_at": iso_ms(of.ended_at_ms),
        "succeeded": None if of.ended_at_ms is None else of.succeeded,
        "status": of.status,
        "cause": of.cause,
        "detail": of.detail,
        "total_ms": _rounded(of.total_ms),
        "first_byte_ms": _rounded(of.first_byte_ms),
        "due_at": iso_ms(of.due_at_ms),
        "resolve_ms": _rounded(of.resolve_ms),
        "connect_ms": _rounded(of.connect_ms),
        "tls_ms": _rounded(of.tls_ms),
    }


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)


def exchange(of: Exchange) -> shapes.ExchangeShape:
    try:
        text, encoded = of.response_body.decode(), None
    except UnicodeDecodeError:
        text, encoded = None, base64.b64encode(of.response_body).decode()
    return shapes.ExchangeShape(
        url=redact_url(of.url),
        request_method=of.request_method,
        request_body=None if of.request_body is None else of.request_body.decode("utf-8", "replace"),
        request_headers=list(of.request_headers),
        response_headers=list(of.response_headers),
        response_body=text,
        response_body_base64=encoded,
        response_truncated=of.response_truncated,
        remote_address=of.remote_address,
    )


def endpoint(of: Endpoint, gauge: Gauge) -> shapes.EndpointShape:
    return shapes.EndpointShape(**_endpoint(of, gauge))


def endpoint_added(of: Endpoint, new_secret: str | None) -> shapes.EndpointAdded:
    return shapes.EndpointAdded(**_endpoint(of, Gauge()), new_secret=new_secret)


def _endpoint(of: Endpoint, gauge: Gauge) -> dict[str, Any]:
    return {
        "id": of.id,
        "name": of.name,
        "url": of.url,
        "types": list(of.types),
        "state": of.state.value,
        "state_reason": of.state_reason,
        "state_since": iso_ms(of.state_since_ms),
        "probe_at": iso_ms(of.probe_at_ms),
        "trips": of.trips,
        "pace": _pace(of.pace),
        "resume_at": iso_ms(of.resume_at_ms),
        "resume_pace": _pace(of.resume_pace),
        "permitted_url": of.permitted_url,
        "permitted_per_minute": of.permitted_per_minute,
        "policy": shown_policy(of.policy),
        "own": sorted(field.removesuffix("_s") for field in of.own),
        "secrets": [_secret(secret) for secret in of.secrets],
        "filter": of.filter,
        "transform": None if of.transform is None else _transform(of.transform),
        "dry_run": of.dry_run,
        "created_at": iso_ms(of.created_at_ms),
        "version": of.version,
        "pending": gauge.pending,
        "sending": gauge.sending,
        "delivered": gauge.delivered,
        "failed": gauge.failed,
        "cancelled": gauge.cancelled,
        "last_success_at": iso_ms(gauge.last_success_at_ms),
        "last_failure_at": iso_ms(gauge.last_failure_at_ms),
        "last_failure_cause": gauge.last_failure_cause,
        "last_failure_detail": gauge.last_failure_detail,
    }


def _pace(pace: Pace | None) -> shapes.PaceShape | None:
    return None if pace is None else shapes.PaceShape(per_s=pace.per_s, ramp_s=pace.ramp_s)


def _secret(secret: Secret) -> shapes.SecretShape:
    return shapes.SecretShape(
        secret=redacted_secret(secret),
        sealed=is_sealed(secret.text),
        until=iso_ms(secret.until_ms),
        public_key=with_public_key(secret).public_key,
    )


def _transform(of: Transform) -> shapes.TransformShape:
    return shapes.TransformShape(
        body=of.body, content_type=of.content_type, headers=list(redact(of.headers)), path=of.path, method=of.method
    )


def _told(values: Values | None) -> Values | None:
    """Whoever reads what was done is not told what a URL opens."""
    url = (values or {}).get("url")
    return {**(values or {}), "url": redact_url(url)} if isinstance(url, str) else values


def operation(of: Operation) -> shapes.OperationShape:
    change = of.change
    return shapes.OperationShape(
        id=format_number("op", of.id),
        kind=of.kind.value,
        actor=of.actor,
        target=of.target,
        reason=of.reason,
        started_at=iso_ms(of.started_at_ms),
        finished_at=iso_ms(of.finished_at_ms),
        done=of.done,
        total=of.total,
        rate_per_s=of.rate_per_s,
        cancelled_by=of.cancelled_by,
        result=of.result,
        change=None
        if change is None
        else {
            "subject": change.subject,
            "before": _told(change.before),
            "after": _told(change.after),
            "hidden": list(change.hidden),
            "undoes": None if change.undoes is None else format_number("op", change.undoes),
        },
    )
