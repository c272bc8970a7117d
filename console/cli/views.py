"""Lists and single things as people read them."""

from collections.abc import Mapping, Sequence

from console.cli.attempt_views import print_attempts
from console.cli.output import say
from console.cli.records import shown_headers
from console.cli.table import Cell, Column, print_facts, print_table
from console.domain.delivery import Attempt, Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.event import EventRow
from console.domain.handshake import wants_permission
from console.domain.ids import DeliveryId, EndpointId, format_number
from console.domain.outcome import PLAIN_WORDS
from console.domain.policy import BUILT_IN, POLICY_FIELDS, DeliveryPolicy
from console.domain.policy_parts import PARTS
from console.domain.signing import Secret, redacted_secret, with_public_key
from console.domain.status import Gauge
from console.operations.endpoints import pace_words
from console.ui.format import (
    ABSENT,
    age,
    countdown,
    date_time,
    exact,
    size,
)

_ENDPOINT_STYLES = {
    EndpointState.ACTIVE: "ok",
    EndpointState.PAUSED: "warning",
    EndpointState.TRIPPED: "error",
    EndpointState.DISABLED: "error",
}
_DELIVERY_STYLES = {
    DeliveryState.PENDING: "warning",
    DeliveryState.SENDING: "accent",
    DeliveryState.DELIVERED: "ok",
    DeliveryState.FAILED: "error",
    DeliveryState.CANCELLED: "muted",
}


def _seconds(epoch_ms: int) -> str:
    """Local date and time as lists show it: the zone is that of the reader."""
    return date_time(epoch_ms)[:19]


def print_endpoints(
    endpoints: Sequence[Endpoint], gauges: Mapping[EndpointId, Gauge], due: Mapping[EndpointId, int], now_ms: int
) -> None:
    """`due`: when the oldest pending delivery of each is or was due, epoch ms."""
    columns = (
        Column(title="NAME", flexible=True),
        Column(title="STATE"),
        Column(title="PENDING", right=True),
        Column(title="OLDEST DUE", right=True, optional=True),
        Column(title="FAILED", right=True),
        Column(title="LAST SUCCESS", right=True, optional=True),
        Column(title="LAST FAILURE", flexible=True, optional=True),
        Column(title="TYPES", flexible=True, optional=True),
        Column(title="URL", flexible=True),
        Column(title="ID", optional=True),
    )
    rows: list[list[Cell]] = []
    for endpoint in endpoints:
        gauge = gauges.get(endpoint.id, Gauge())
        rows.append(
            [
                endpoint.name,
                (state_words(endpoint, now_ms), _ENDPOINT_STYLES[endpoint.state]),
                exact(gauge.pending),
                due_in_words(due.get(endpoint.id), now_ms),
                (exact(gauge.failed), "error" if gauge.failed else None),
                age(now_ms, gauge.last_success_at_ms),
                _last_failure(gauge, now_ms),
                ",".join(endpoint.types),
                endpoint.url,
                endpoint.id,
            ]
        )
    print_table(columns, rows)


def state_words(endpoint: Endpoint, now_ms: int) -> str:
    """`active`, `paused, resumes in 12m`."""
    if endpoint.state is not EndpointState.PAUSED or endpoint.resume_at_ms is None:
        return endpoint.state.value
    return f"{endpoint.state}, resumes {countdown(now_ms, endpoint.resume_at_ms)}"


def _last_failure(gauge: Gauge, now_ms: int) -> str:
    if gauge.last_failure_at_ms is None:
        return ABSENT
    return f"{gauge.last_failure_cause or ''} {age(now_ms, gauge.last_failure_at_ms)}".strip()


def due_in_words(due_ms: int | None, now_ms: int) -> str:
    """How long ago something was due, or in how long it is."""
    if due_ms is None:
        return ABSENT
    return age(now_ms, due_ms) if due_ms <= now_ms else countdown(now_ms, due_ms)


def secret_in_words(secret: Secret, now_ms: int) -> str:
    """One signing secret, redacted: when it ends, and the key that receivers verify with when it is asymmetric."""
    words = [redacted_secret(secret)]
    if secret.until_ms is not None:
        ended = "ended" if not secret.active(now_ms) else "signs until"
        words.append(f"{ended} {date_time(secret.until_ms)}")
    if (public_key := with_public_key(secret).public_key) is not None:
        words.append(f"public key {public_key}")
    return ", ".join(words)


def print_endpoint(endpoint: Endpoint, gauge: Gauge, due_ms: int | None, now_ms: int) -> None:
    policy = endpoint.policy
    reason = f" ({endpoint.state_reason})" if endpoint.state_reason else ""
    facts: list[tuple[str, Cell]] = [
        ("name", (endpoint.name, "strong")),
        ("id", endpoint.id),
        ("URL", endpoint.url),
        (
            "state",
            (f"{endpoint.state}, {age(now_ms, endpoint.state_since_ms)}{reason}", _ENDPOINT_STYLES[endpoint.state]),
        ),
        *_resuming_fact(endpoint, now_ms),
        ("types", ", ".join(endpoint.types)),
        *_reshaping_facts(endpoint),
        *_policy_facts(policy, endpoint.own),
        *_permission_fact(endpoint),
        *(("secret", secret_in_words(secret, now_ms)) for secret in endpoint.secrets),
        *(("header", f"{name}: {value}") for name, value in shown_headers(policy.headers)),
        ("pending", exact(gauge.pending) + (f", the oldest due {due_in_words(due_ms, now_ms)}" if due_ms else "")),
        ("sending", exact(gauge.sending)),
        ("delivered", exact(gauge.delivered)),
        ("failed", exact(gauge.failed)),
        ("last success", age(now_ms, gauge.last_success_at_ms)),
        ("last failure", _last_failure(gauge, now_ms)),
        ("added", date_time(endpoint.created_at_ms)),
    ]
    if gauge.last_failure_detail:
        facts.insert(-1, ("", gauge.last_failure_detail))
    print_facts(facts)


def _reshaping_facts(endpoint: Endpoint) -> list[tuple[str, Cell]]:
    """Which of its events it wants, and what is made of them."""
    facts: list[tuple[str, Cell]] = []
    if endpoint.dry_run:
        facts.append(("dry run", ("nothing is sent: what would be is in its attempts", "accent")))
    if endpoint.filter is not None:
        facts.append(("when", endpoint.filter))
    transform = endpoint.transform
    if transform is None:
        return facts
    parts = {"method": transform.method, "path": transform.path}
    facts += [(f"{name} template", text) for name, text in parts.items() if text is not None]
    facts += [("header template", f"{name}: {text}") for name, text in shown_headers(transform.headers)]
    if transform.body is not None:
        facts.append(("content type", transform.content_type))
        lines = transform.body.splitlines() or [""]
        facts += [("" if n else "body template", line) for n, line in enumerate(lines)]
    return facts


def _resuming_fact(endpoint: Endpoint, now_ms: int) -> list[tuple[str, Cell]]:
    """When a paused endpoint is resumed by itself, and how."""
    at_ms = endpoint.resume_at_ms
    if endpoint.state is not EndpointState.PAUSED or at_ms is None:
        return []
    return [("resumes", f"{countdown(now_ms, at_ms)}, {date_time(at_ms)}{pace_words(endpoint.resume_pace)}")]


def _permission_fact(endpoint: Endpoint) -> list[tuple[str, Cell]]:
    """Whether the receiver of an endpoint with a handshake permits to be sent to, and how much."""
    if not endpoint.policy.handshake:
        return []
    if wants_permission(endpoint):
        return [("permission", "not given for this URL")]
    most = endpoint.permitted_per_minute
    limit = "" if most is None else f", at most {exact(most)} {'request' if most == 1 else 'requests'} a minute"
    return [("permission", f"given for this URL{limit}")]


def _policy_facts(policy: DeliveryPolicy, own: frozenset[str]) -> list[tuple[str, Cell]]:
    """What the endpoint says itself stands out; what follows the default of all does not."""
    return [
        (part.flag, (part.show(getattr(policy, part.field)), None if part.field in own else "muted")) for part in PARTS
    ]


def print_policy(policy: DeliveryPolicy) -> None:
    """The default policy; what is as built in does not stand out."""
    own = frozenset(field for field in POLICY_FIELDS if getattr(policy, field) != getattr(BUILT_IN, field))
    headers: list[tuple[str, Cell]] = [("header", f"{name}: {value}") for name, value in shown_headers(policy.headers)]
    print_facts([*_policy_facts(policy, own), *headers])


def print_events(rows: Sequence[EventRow]) -> None:
    columns = (
        Column(title="ACCEPTED"),
        Column(title="ID"),
        Column(title="TYPE", flexible=True),
        Column(title="SIZE", right=True, optional=True),
        Column(title="DELIVERED", right=True),
        Column(title="FAILED", right=True),
        Column(title="SOURCE", optional=True),
    )
    print_table(
        columns,
        (
            [
                _seconds(row.accepted_at_ms),
                row.id,
                row.type,
                size(row.size_bytes),
                f"{exact(row.delivered)} of {exact(row.deliveries)}",
                (exact(row.failed), "error" if row.failed else None),
                row.source,
            ]
            for row in rows
        ),
    )


def state_in_words(delivery: Delivery) -> tuple[str, str | None]:
    """`failed`, `pending (held)` when the endpoint is not active, `pending (in line)` when another is to go before."""
    more = " (held)" if delivery.held else " (in line)" if delivery.blocked else ""
    return f"{delivery.state}{more}", _DELIVERY_STYLES[delivery.state]


def last_result(delivery: Delivery) -> str:
    """`http_5xx 503`, `200`, or – when nothing was tried."""
    parts = [delivery.last_cause or "", "" if delivery.last_status is None else str(delivery.last_status)]
    return " ".join(part for part in parts if part) or ABSENT


def next_try(delivery: Delivery, now_ms: int) -> str:
    if delivery.held:
        return "when the endpoint is resumed"
    if delivery.blocked:
        return "when it is first in order"
    return countdown(now_ms, delivery.next_attempt_at_ms)


def print_deliveries(rows: Sequence[Delivery], now_ms: int, *, indent: str = "") -> None:
    columns = (
        Column(title="ID"),
        Column(title="STATE"),
        Column(title="ENDPOINT", flexible=True),
        Column(title="TYPE", flexible=True),
        Column(title="TRIES", right=True),
        Column(title="LAST", flexible=True),
        Column(title="NEXT", flexible=True),
        Column(title="CREATED", optional=True),
        Column(title="EVENT", optional=True),
    )
    print_table(
        columns,
        (
            [
                format_number("dlv", row.id),
                state_in_words(row),
                row.endpoint_name,
                row.event_type,
                exact(row.attempts),
                last_result(row),
                next_try(row, now_ms),
                _seconds(row.created_at_ms),
                row.event_id,
            ]
            for row in rows
        ),
        indent=indent,
    )


def print_delivery(
    delivery: Delivery, attempts: Sequence[Attempt], now_ms: int, *, blocked_by: DeliveryId | None = None
) -> None:
    facts: list[tuple[str, Cell]] = [
        ("delivery", (format_number("dlv", delivery.id), "strong")),
        ("state", state_in_words(delivery)),
        ("event", f"{delivery.event_id}  {delivery.event_type}"),
        ("endpoint", f"{delivery.endpoint_name}  {delivery.endpoint_id}"),
        ("created", date_time(delivery.created_at_ms)),
        ("tries", f"{delivery.attempts} ({delivery.schedule_step} of {delivery.schedule_length} of the schedule)"),
        ("last result", last_result(delivery)),
    ]
    if delivery.last_cause is not None:
        facts.append(("", PLAIN_WORDS[delivery.last_cause]))
    if delivery.state is DeliveryState.PENDING:
        asked = ", asked for by an operator" if delivery.manual else ""
        when = "" if delivery.next_attempt_at_ms is None else f" ({date_time(delivery.next_attempt_at_ms)})"
        facts.append(("next try", f"{next_try(delivery, now_ms)}{when}{asked}"))
        if blocked_by is not None:
            facts.append(("", f"waits for {format_number('dlv', blocked_by)} (first in order)"))
    print_facts(facts)
    if attempts:
        say()
        print_attempts(attempts)
