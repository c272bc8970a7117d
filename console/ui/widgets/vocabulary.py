"""What rows, trees and charts speak in: the closed set of styles, to which themes give their colours, and the marks of
states, each a glyph and a word."""

from collections.abc import Mapping
from typing import Literal, get_args

from console.domain.delivery import Attempt, Delivery, DeliveryState
from console.domain.endpoint import EndpointState

StyleName = Literal["normal", "strong", "muted", "accent", "ok", "warning", "error"]
"""What a text means, not how it looks. A state never speaks through its style alone: the text says it too."""

STYLE_NAMES: tuple[StyleName, ...] = get_args(StyleName)

Cell = tuple[str, StyleName]
"""Text as it came, and what it means."""

DELIVERY_MARKS: Mapping[DeliveryState, Cell] = {
    DeliveryState.PENDING: ("◷ pending", "warning"),
    DeliveryState.SENDING: ("→ sending", "accent"),
    DeliveryState.DELIVERED: ("✓ delivered", "ok"),
    DeliveryState.FAILED: ("✗ failed", "error"),
    DeliveryState.CANCELLED: ("⊘ cancelled", "muted"),
}
RETRYING: Cell = ("↻ retrying", "warning")
"""Pending, after a try that failed."""
HELD: Cell = ("‖ held", "warning")
"""Pending, at an endpoint that is not active."""
IN_LINE: Cell = ("≡ in line", "warning")
"""Pending, and another is first in order."""
DRY_RUN: Cell = ("◌ dry run", "accent")
"""Delivered in that nothing was to be sent."""
NOT_OWED: Cell = ("· not owed", "muted")

ENDPOINT_MARKS: Mapping[EndpointState, Cell] = {
    EndpointState.ACTIVE: ("● active", "ok"),
    EndpointState.PAUSED: ("‖ paused", "warning"),
    EndpointState.TRIPPED: ("▲ tripped", "error"),
    EndpointState.DISABLED: ("■ disabled", "error"),
}


def pace_mark(per_s: float) -> Cell:
    """An active endpoint that is drained at a rate after a pause: `● 20/s`."""
    text = f"{per_s:.0f}/s" if per_s >= 10 or per_s == round(per_s) else f"{per_s:.2g}/s"
    return f"{ENDPOINT_MARKS[EndpointState.ACTIVE][0][0]} {text}", "accent"


SIGNS: tuple[tuple[Cell, str], ...] = (
    (ENDPOINT_MARKS[EndpointState.ACTIVE], "the endpoint is sent what it is owed"),
    (pace_mark(20), "the same, at this rate at most until what waited is sent"),
    (ENDPOINT_MARKS[EndpointState.PAUSED], "an operator stopped it; what it is owed waits"),
    (ENDPOINT_MARKS[EndpointState.TRIPPED], "the circuit breaker stopped it"),
    (ENDPOINT_MARKS[EndpointState.DISABLED], "it said 410 Gone, or failed for days"),
    (DELIVERY_MARKS[DeliveryState.PENDING], "waits for its first try"),
    (HELD, "waits for its endpoint to be resumed"),
    (IN_LINE, "waits for the one that is first in order"),
    (DELIVERY_MARKS[DeliveryState.SENDING], "the request is under way"),
    (RETRYING, "failed, and is tried again by itself"),
    (DELIVERY_MARKS[DeliveryState.DELIVERED], "the receiver took it"),
    (DELIVERY_MARKS[DeliveryState.FAILED], "nothing more is sent until somebody retries it"),
    (DELIVERY_MARKS[DeliveryState.CANCELLED], "an operator gave it up"),
    (NOT_OWED, "the endpoint did not want this event"),
)
"""Every mark of a state, and what it means."""


def delivery_mark(delivery: Delivery) -> Cell:
    """A delivery's state as glyph and word."""
    if delivery.state is not DeliveryState.PENDING:
        return DELIVERY_MARKS[delivery.state]
    if delivery.held:
        return HELD
    if delivery.blocked:
        return IN_LINE
    return RETRYING if delivery.attempts else DELIVERY_MARKS[delivery.state]


def attempt_mark(attempt: Attempt, ok: str = "ok", failed: str = "failed") -> Cell:
    """An attempt's outcome as glyph and word; a place that has room says more than `ok` and `failed`."""
    if attempt.ended_at_ms is None:
        return DELIVERY_MARKS[DeliveryState.SENDING]
    if attempt.dry_run:
        return DRY_RUN
    success, failure = DELIVERY_MARKS[DeliveryState.DELIVERED], DELIVERY_MARKS[DeliveryState.FAILED]
    (mark, meaning), word = (success, ok) if attempt.succeeded else (failure, failed)
    return f"{mark[0]} {word}", meaning


def with_status(status: int | None, cause: str | None) -> str:
    """`503 http_5xx`, `dns`, `200`; empty when nothing came."""
    return " ".join(str(part) for part in (status, cause) if part is not None)
