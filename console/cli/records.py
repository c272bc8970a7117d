"""The JSON shapes of the command line. Names are the words of the product and stay as they are.

Times are ISO 8601 in UTC with milliseconds. Absent is null, never 0 or "".
"""

import base64
from pathlib import Path
from typing import Any

from console.domain.change import Change
from console.domain.delivery import Attempt, Delivery, Exchange
from console.domain.endpoint import Endpoint
from console.domain.event import Event, EventRow
from console.domain.event_schema import Flaw
from console.domain.ids import format_number
from console.domain.moment import iso_ms
from console.domain.operation import Operation
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy
from console.domain.rates import Bucket
from console.domain.sealing import is_sealed
from console.domain.searching import SearchStatus
from console.domain.signing import Secret, redacted_secret, with_public_key
from console.domain.status import EngineStatus, Gauge
from console.domain.transform import Transform

Record = dict[str, Any]

GAUGE_FIELDS = ("pending", "sending", "delivered", "failed", "cancelled")
ENDPOINT_FIELDS = (
    "id", "name", "url", "types", "state", "state_reason", "state_since", "probe_at", "trips", "pace",
    "resume_at", "resume_pace", "permitted_url", "permitted_per_minute", "filter", "transform", "dry_run",
    "policy", "own", "secrets", "created_at", "version",
)  # fmt: skip
ENDPOINT_ROW_FIELDS = (
    *ENDPOINT_FIELDS, *GAUGE_FIELDS, "oldest_due_at", "last_success_at", "last_failure_at", "last_failure_cause",
    "last_failure_detail",
)  # fmt: skip
EVENT_ROW_FIELDS = ("id", "type", "size_bytes", "accepted_at", "source", "deliveries", "delivered", "failed")
DELIVERY_FIELDS = (
    "id", "event_id", "event_type", "endpoint_id", "endpoint", "state", "held", "blocked", "attempts",
    "schedule_step", "schedule_length", "next_attempt_at", "manual", "last_cause", "last_status", "last_attempt_at",
    "created_at", "updated_at",
)  # fmt: skip
ATTEMPT_FIELDS = (
    "id", "delivery_id", "event_id", "event_type", "endpoint_id", "endpoint", "number", "manual", "started_at",
    "ended_at", "succeeded", "status", "cause", "detail", "total_ms", "first_byte_ms", "due_at", "resolve_ms",
    "connect_ms", "tls_ms",
)  # fmt: skip
EXCHANGE_FIELDS = (
    "url", "request_method", "request_headers", "request_body", "request_body_base64", "response_headers",
    "response_body", "response_body_base64", "response_truncated", "remote_address",
)  # fmt: skip
OPERATION_FIELDS = (
    "id", "kind", "actor", "target", "reason", "started_at", "finished_at", "done", "total", "rate_per_s",
    "cancelled_by", "result", "change",
)  # fmt: skip
ENGINE_FIELDS = (
    "pid", "host", "version", "epoch", "started_at", "heartbeat_at", "stopped_at", "stop_requested", "in_flight"
)  # fmt: skip
RATE_FIELDS = ("attempts", "ok", "errors", "rate_per_s", "success_ratio", "error_ratio", "p50_ms", "p95_ms", "p99_ms")

REDACTED = "[redacted]"

iso = iso_ms


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)


def path_text(path: Path) -> str:
    """A path as valid Unicode, whatever bytes the file system holds."""
    return str(path).encode("utf-8", "replace").decode()


def secret_record(secret: Secret) -> Record:
    return {
        "secret": redacted_secret(secret),
        "sealed": is_sealed(secret.text),
        "until": iso(secret.until_ms),
        "public_key": with_public_key(secret).public_key,
    }


def shown_headers(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Headers with the values of those that hold secrets left out."""
    from console.ui.curl import is_secret_header

    return [(name, REDACTED if is_secret_header(name) else value) for name, value in headers]


def policy_name(field: str) -> str:
    """A part of a policy as records and lists name it."""
    return field.removesuffix("_s")


def policy_record(policy: DeliveryPolicy) -> Record:
    """The parts as text that a command takes, but for secrets, which are redacted."""
    from console.domain.policy_parts import shown_policy

    return {**shown_policy(policy), "headers": [list(field) for field in shown_headers(policy.headers)]}


def pace_record(pace: Pace | None) -> Record | None:
    if pace is None:
        return None
    return {**_pace(pace), "since": iso(pace.since_ms)}


def _pace(pace: Pace) -> Record:
    return {"per_s": pace.per_s, "ramp_s": pace.ramp_s}


def endpoint_record(endpoint: Endpoint) -> Record:
    return {
        "id": endpoint.id,
        "name": endpoint.name,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "state": endpoint.state.value,
        "state_reason": endpoint.state_reason,
        "state_since": iso(endpoint.state_since_ms),
        "probe_at": iso(endpoint.probe_at_ms),
        "trips": endpoint.trips,
        "pace": pace_record(endpoint.pace),
        "resume_at": iso(endpoint.resume_at_ms),
        "resume_pace": None if endpoint.resume_pace is None else _pace(endpoint.resume_pace),
        "permitted_url": endpoint.permitted_url,
        "permitted_per_minute": endpoint.permitted_per_minute,
        "filter": endpoint.filter,
        "transform": transform_record(endpoint.transform),
        "dry_run": endpoint.dry_run,
        "policy": policy_record(endpoint.policy),
        "own": sorted(policy_name(field) for field in endpoint.own),
        "secrets": [secret_record(secret) for secret in endpoint.secrets],
        "created_at": iso(endpoint.created_at_ms),
        "version": endpoint.version,
    }


def transform_record(transform: Transform | None) -> Record | None:
    """As a file of `--transform` has it; headers that may hold secrets are redacted."""
    if transform is None:
        return None
    return {
        "body": transform.body,
        "content_type": transform.content_type,
        "headers": dict(shown_headers(transform.headers)),
        "path": transform.path,
        "method": transform.method,
    }


def gauge_record(gauge: Gauge) -> Record:
    return {name: getattr(gauge, name) for name in GAUGE_FIELDS}


def endpoint_row_record(endpoint: Endpoint, gauge: Gauge, oldest_due_ms: int | None) -> Record:
    return {
        **endpoint_record(endpoint),
        **gauge_record(gauge),
        "oldest_due_at": iso(oldest_due_ms),
        "last_success_at": iso(gauge.last_success_at_ms),
        "last_failure_at": iso(gauge.last_failure_at_ms),
        "last_failure_cause": gauge.last_failure_cause,
        "last_failure_detail": gauge.last_failure_detail,
    }


def event_row_record(row: EventRow) -> Record:
    return {
        "id": row.id,
        "type": row.type,
        "size_bytes": row.size_bytes,
        "accepted_at": iso(row.accepted_at_ms),
        "source": row.source,
        "deliveries": row.deliveries,
        "delivered": row.delivered,
        "failed": row.failed,
    }


def event_record(event: Event) -> Record:
    """The event with its payload as JSON, token for token as it came."""
    import msgspec

    return {
        "id": event.id,
        "type": event.type,
        "size_bytes": len(event.payload),
        "accepted_at": iso(event.accepted_at_ms),
        "source": event.source,
        # Compact: the payload may hold line breaks, and an object is one line.
        "payload": msgspec.Raw(msgspec.json.format(event.payload, indent=-1)),
    }


def flaw_record(flaw: Flaw | None) -> Record | None:
    """Where a payload does not match its schema, and why."""
    if flaw is None:
        return None
    return {"path": flaw.path, "reason": flaw.reason, "pattern": flaw.pattern, "version": flaw.version}


def delivery_record(delivery: Delivery) -> Record:
    return {
        "id": format_number("dlv", delivery.id),
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "endpoint_id": delivery.endpoint_id,
        "endpoint": delivery.endpoint_name,
        "state": delivery.state.value,
        "held": delivery.held,
        "blocked": delivery.blocked,
        "attempts": delivery.attempts,
        "schedule_step": delivery.schedule_step,
        "schedule_length": delivery.schedule_length,
        "next_attempt_at": iso(delivery.next_attempt_at_ms),
        "manual": delivery.manual,
        "last_cause": delivery.last_cause,
        "last_status": delivery.last_status,
        "last_attempt_at": iso(delivery.last_attempt_at_ms),
        "created_at": iso(delivery.created_at_ms),
        "updated_at": iso(delivery.updated_at_ms),
    }


def attempt_record(attempt: Attempt) -> Record:
    return {
        "id": format_number("att", attempt.id),
        "delivery_id": format_number("dlv", attempt.delivery_id),
        "event_id": attempt.event_id,
        "event_type": attempt.event_type,
        "endpoint_id": attempt.endpoint_id,
        "endpoint": attempt.endpoint_name,
        "number": attempt.number,
        "manual": attempt.manual,
        "started_at": iso(attempt.started_at_ms),
        "ended_at": iso(attempt.ended_at_ms),
        "succeeded": None if attempt.ended_at_ms is None else attempt.succeeded,
        "status": attempt.status,
        "cause": attempt.cause,
        "detail": attempt.detail,
        "total_ms": _rounded(attempt.total_ms),
        "first_byte_ms": _rounded(attempt.first_byte_ms),
        "due_at": iso(attempt.due_at_ms),
        "resolve_ms": _rounded(attempt.resolve_ms),
        "connect_ms": _rounded(attempt.connect_ms),
        "tls_ms": _rounded(attempt.tls_ms),
    }


def _body(raw: bytes) -> tuple[str | None, str | None]:
    try:
        return raw.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(raw).decode()


def exchange_record(exchange: Exchange) -> Record:
    """What went over the wire; a body that is not UTF-8 is given in base64 instead. A request body is there when a
    transform has made it."""
    text, encoded = _body(exchange.response_body)
    made, made_encoded = (None, None) if exchange.request_body is None else _body(exchange.request_body)
    return {
        "url": exchange.url,
        "request_method": exchange.request_method,
        "request_headers": [list(field) for field in exchange.request_headers],
        "request_body": made,
        "request_body_base64": made_encoded,
        "response_headers": [list(field) for field in exchange.response_headers],
        "response_body": text,
        "response_body_base64": encoded,
        "response_truncated": exchange.response_truncated,
        "remote_address": exchange.remote_address,
    }


def operation_record(operation: Operation) -> Record:
    return {
        "id": format_number("op", operation.id),
        "kind": operation.kind.value,
        "actor": operation.actor,
        "target": operation.target,
        "reason": operation.reason,
        "started_at": iso(operation.started_at_ms),
        "finished_at": iso(operation.finished_at_ms),
        "done": operation.done,
        "total": operation.total,
        "rate_per_s": operation.rate_per_s,
        "cancelled_by": operation.cancelled_by,
        "result": operation.result,
        "change": change_record(operation.change),
    }


def change_record(change: Change | None) -> Record | None:
    """What was changed; absent parts of an endpoint's policy are null."""
    if change is None:
        return None
    return {
        "subject": change.subject,
        "before": change.before,
        "after": change.after,
        "hidden": list(change.hidden),
        "undoes": None if change.undoes is None else format_number("op", change.undoes),
    }


def engine_record(status: EngineStatus) -> Record:
    return {
        "pid": status.pid,
        "host": status.host,
        "version": status.version,
        "epoch": status.epoch,
        "started_at": iso(status.started_at_ms),
        "heartbeat_at": iso(status.heartbeat_at_ms),
        "stopped_at": iso(status.stopped_at_ms),
        "stop_requested": status.stop_requested,
        "in_flight": status.in_flight,
    }


def search_record(status: SearchStatus) -> Record:
    """How far the words of payloads and answers are indexed."""
    return {
        "indexed_event": status.indexed_event,
        "newest_event": status.newest_event,
        "indexed_attempt": status.indexed_attempt,
        "newest_attempt": status.newest_attempt,
        "lag_s": status.lag_s,
    }


def rates_record(bucket: Bucket, length_s: int) -> Record:
    """Rates over a window. Ratios are of all attempts, null when there were none."""
    ratio = bucket.error_ratio
    return {
        "attempts": bucket.attempts,
        "ok": bucket.ok,
        "errors": bucket.failed,
        "rate_per_s": round(bucket.attempts / length_s, 4),
        "success_ratio": None if ratio is None else bucket.ok / bucket.attempts,
        "error_ratio": ratio,
        "p50_ms": _rounded(bucket.percentile_ms(0.50)),
        "p95_ms": _rounded(bucket.percentile_ms(0.95)),
        "p99_ms": _rounded(bucket.percentile_ms(0.99)),
    }
