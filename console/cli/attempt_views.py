"""Attempts, what went over the wire for them, and payloads, as people read them."""

from collections.abc import Sequence

from console.cli.output import clean, paint, say
from console.cli.table import Cell, Column, print_facts, print_table
from console.domain.delivery import DRY_RUN_WORDS, REQUEST_BODY_CAP_BYTES, Attempt, Exchange
from console.domain.ids import format_number
from console.domain.outcome import PLAIN_WORDS, Headers
from console.domain.redaction import redact_url
from console.ui.attempt_parts import parts_of, queue_ms
from console.ui.body_text import readable_body
from console.ui.format import (
    ABSENT,
    clock_time,
    date_time,
    duration,
    sanitise_bytes,
    text_lines,
)


def _milliseconds(epoch_ms: int) -> str:
    return date_time(epoch_ms)[:23]


def attempt_in_words(attempt: Attempt) -> str:
    """`delivered: 200 in 12ms`, or `failed: http_5xx 503 in 12ms: what the receiver said`."""
    took = duration(attempt.total_ms)
    if attempt.ended_at_ms is None:
        return "under way"
    if attempt.succeeded:
        if attempt.dry_run:
            return f"{paint(DRY_RUN_WORDS, 'accent')}"
        return f"{paint('delivered', 'ok')}: HTTP {attempt.status} in {took}"
    status = "" if attempt.status is None else f" {attempt.status}"
    detail = f": {clean(attempt.detail)}" if attempt.detail else ""
    return f"{paint('failed', 'error')}: {attempt.cause}{status} in {took}{detail}"


def attempt_result(attempt: Attempt) -> tuple[str, str | None]:
    if attempt.ended_at_ms is None:
        return "sending", "accent"
    if attempt.dry_run:
        return "dry run", "accent"
    if attempt.succeeded:
        return f"ok {attempt.status}", "ok"
    return " ".join(str(p) for p in ("FAILED", attempt.cause, attempt.status) if p is not None), "error"


def print_attempts(rows: Sequence[Attempt]) -> None:
    columns = (
        Column(title="STARTED"),
        Column(title="RESULT"),
        Column(title="TOOK", right=True),
        Column(title="ENDPOINT", flexible=True),
        Column(title="TYPE", flexible=True),
        Column(title="TRY", right=True, optional=True),
        Column(title="ID"),
        Column(title="DELIVERY", optional=True),
        Column(title="DETAIL", flexible=True, optional=True),
    )
    print_table(
        columns,
        (
            [
                _milliseconds(row.started_at_ms),
                attempt_result(row),
                duration(row.total_ms),
                row.endpoint_name,
                row.event_type,
                f"{row.number}{' manual' if row.manual else ''}",
                format_number("att", row.id),
                format_number("dlv", row.delivery_id),
                row.detail or "",
            ]
            for row in rows
        ),
    )


def tail_line(attempt: Attempt) -> str:
    """One ended attempt on one line; the columns keep their places from line to line."""
    from console.ui.format import fit

    text, style = attempt_result(attempt)
    parts = [
        paint(clock_time(attempt.ended_at_ms), "muted"),
        paint(fit(text, 20), style),
        fit(duration(attempt.total_ms), 6, right=True),
        fit(attempt.endpoint_name, 16),
        fit(attempt.event_type, 20),
        format_number("dlv", attempt.delivery_id),
        clean(attempt.detail) if attempt.detail and not attempt.succeeded else "",
    ]
    return "  ".join(parts).rstrip()


def print_attempt(attempt: Attempt, exchange: Exchange | None) -> None:
    facts: list[tuple[str, Cell]] = [
        ("attempt", (format_number("att", attempt.id), "strong")),
        (
            "delivery",
            f"{format_number('dlv', attempt.delivery_id)}, try {attempt.number}{' (manual)' if attempt.manual else ''}",
        ),
        ("event", f"{attempt.event_id}  {attempt.event_type}"),
        ("endpoint", f"{attempt.endpoint_name}  {attempt.endpoint_id}"),
        ("started", date_time(attempt.started_at_ms)),
        ("result", attempt_result(attempt)),
        ("took", _took(attempt)),
    ]
    if attempt.cause is not None:
        facts += [("", PLAIN_WORDS[attempt.cause]), ("detail", attempt.detail or ABSENT)]
    if exchange is not None and exchange.remote_address:
        facts.append(("address", exchange.remote_address))
    print_facts(facts)
    if exchange is None:
        say("\nWhat went over the wire is not known.")
        return
    if attempt.dry_run:
        say(f"\n{DRY_RUN_WORDS}; this would have been:")
    _print_headers(f"{exchange.request_method} {clean(redact_url(exchange.url))}", exchange.request_headers)
    if exchange.request_body is not None:
        say()
        print_text(sanitise_bytes(exchange.request_body, len(exchange.request_body)))
        if len(exchange.request_body) >= REQUEST_BODY_CAP_BYTES:
            say(paint("(more of the body followed, which was not kept)", "muted"))
    if attempt.status is not None:
        _print_headers(f"HTTP {attempt.status}", exchange.response_headers)
        if exchange.response_body:
            body = readable_body(exchange.response_headers, exchange.response_body)
            say(f"\n{paint(f'({body.note})', 'muted')}" if body.note else "")
            print_text(sanitise_bytes(body.data, len(body.data)))
        if exchange.response_truncated:
            say(paint("(more of the answer followed, which was not read)", "muted"))


def _took(attempt: Attempt) -> str:
    """`850ms: connect 3ms, waiting 840ms, body 7ms; 12ms in the queue`: as much of it as is known."""
    parts = ", ".join(f"{part.name} {duration(part.ms)}" for part in parts_of(attempt))
    waited_ms = queue_ms(attempt)
    queue = "" if waited_ms is None else f"; {duration(waited_ms)} in the queue"
    return f"{duration(attempt.total_ms)}{': ' if parts else ''}{parts}{queue}"


def _print_headers(first: str, headers: Headers) -> None:
    say(f"\n{paint(first, 'strong')}")
    for name, value in headers:
        say(f"{paint(clean(name) + ':', 'muted')} {clean(value)}")


def print_text(text: str) -> None:
    """Lines that have been cleaned."""
    for line in text_lines(text):
        say(line)


def print_payload(payload: bytes) -> None:
    """The payload indented, or as it stands when that cannot be done."""
    import msgspec

    try:
        pretty = msgspec.json.format(payload, indent=2)
    except (msgspec.DecodeError, RecursionError):
        pretty = payload
    print_text(sanitise_bytes(pretty, len(pretty)))
