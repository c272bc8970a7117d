"""What an action would do, in words, before it is agreed to. Pure; the dialog that shows it sanitises."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId, format_number
from console.operations.deliveries import Preview
from console.ui.format import exact, one_line
from console.ui.widgets.vocabulary import delivery_mark

NAME_WIDTH = 48
"""Cells of a name in a preview, so that what is said of it stands on the same line."""

MOST_NAMED = 3
"""Ids in a command line that is still read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPreview:
    """What a retry or cancel would change, read in one go. `only` is the delivery when it is a single one."""

    counts: Preview
    endpoints: Mapping[EndpointId, Endpoint]
    engine_alive: bool
    only: Delivery | None

    @property
    def total(self) -> int:
        return self.counts.total


def narrowed(where: DeliveryFilter, possible: Sequence[DeliveryState]) -> DeliveryFilter | None:
    """Those that the action can change, so that a preview counts no others; None when there can be none."""
    states = tuple(state for state in where.states or possible if state in possible)
    return replace(where, states=states) if states else None


def retry_lines(seen: BulkPreview) -> list[str]:
    """What a retry does."""
    lines = [*_where_they_go(seen, waits=True), ""]
    if seen.only is not None and seen.only.state is DeliveryState.DELIVERED:
        lines.append("It was delivered before: the receiver gets the same event, with the same id, once more.")
    if not seen.engine_alive:
        lines.append("No engine is running: nothing is sent until one starts.")
    return [*lines, "A try asked for by hand does not consume the schedule."]


def cancel_lines(seen: BulkPreview) -> list[str]:
    """What a cancel does."""
    return [*_where_they_go(seen, waits=False), "", "Nothing more is sent of them until somebody retries them."]


def _where_they_go(seen: BulkPreview, *, waits: bool) -> list[str]:
    """How many go where, the most first, and which of them will wait."""
    by_endpoint = seen.counts.by_endpoint
    width = max((len(exact(count)) for count in by_endpoint.values()), default=1)
    lines: list[str] = []
    for endpoint_id, count in sorted(by_endpoint.items(), key=lambda item: -item[1]):
        endpoint = seen.endpoints.get(endpoint_id)
        line = f"{exact(count):>{width}} → {one_line(endpoint.name, NAME_WIDTH) if endpoint else endpoint_id}"
        if waits and (endpoint is None or endpoint.state is not EndpointState.ACTIVE):
            they = "it waits" if count == 1 else "they wait"
            line += f" · {endpoint.state if endpoint else 'removed'}: {they} until it is resumed"
        lines.append(line)
    if seen.only is not None:
        lines.append(f"    {seen.only.event_type} · {seen.only.event_id} · {delivery_mark(seen.only)[0]}")
    return lines


def same_command(verb: str, where: DeliveryFilter, endpoints: Mapping[EndpointId, Endpoint]) -> list[str]:
    """The command that does the same, as lines of a preview; none when no short one does."""
    if where.ids:
        # Ids say all: what else the filter holds only leaves out those that changed meanwhile.
        words = [format_number("dlv", number) for number in where.ids] if len(where.ids) <= MOST_NAMED else []
    elif set(where.states) == {DeliveryState.FAILED}:
        words = _options(where, endpoints)
    else:
        words = []
    return ["", "the same: " + shlex.join(["webhook-console", "deliveries", verb, *words])] if words else []


def _options(where: DeliveryFilter, endpoints: Mapping[EndpointId, Endpoint]) -> list[str]:
    words = ["--state", "failed"]
    for endpoint_id in where.endpoints:
        words += ["--endpoint", endpoints[endpoint_id].name if endpoint_id in endpoints else endpoint_id]
    if where.event_id is not None:
        words += ["--event", where.event_id]
    if where.type_pattern is not None:
        words += ["--type", where.type_pattern]
    for cause in where.causes:
        words += ["--cause", cause]
    return words


def pause_lines(endpoints: Sequence[Endpoint], pending: Mapping[EndpointId, int]) -> list[str]:
    """What pausing does to these."""
    lines = [f"{endpoint.name} · {_waiting(endpoint, pending)}" for endpoint in endpoints]
    they = "them" if len(endpoints) > 1 else "it"
    words = f"Events still fan out to {they} and wait: nothing is dropped. Requests under way finish."
    return [*lines, "", words, *_same(endpoints, "pause")]


def resume_lines(endpoints: Sequence[Endpoint], pending: Mapping[EndpointId, int]) -> list[str]:
    """What resuming does to these, and why they stand still."""
    lines = []
    for endpoint in endpoints:
        because = f", because: {endpoint.state_reason}" if endpoint.state_reason else ""
        lines.append(f"{endpoint.name} · {_waiting(endpoint, pending)} · {endpoint.state}{because}")
    they, each = ("they are", "each one's") if len(endpoints) > 1 else ("it is", "its")
    words = f"What {they} owed is sent again, at most {each} max-in-flight at once."
    return [*lines, "", words, *_same(endpoints, "resume")]


def _waiting(endpoint: Endpoint, pending: Mapping[EndpointId, int]) -> str:
    return f"{exact(pending.get(endpoint.id, 0))} pending"


def _same(endpoints: Sequence[Endpoint], verb: str) -> list[str]:
    if len(endpoints) != 1:
        return []
    return ["", "the same: " + shlex.join(["webhook-console", "endpoints", verb, endpoints[0].name])]
