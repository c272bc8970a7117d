"""What an action would do, in words, before it is agreed to. Pure; the dialog that shows it sanitises."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId, format_number
from console.domain.pacing import Pace
from console.operations.deliveries import Preview
from console.operations.endpoints import Held, pace_words
from console.ui.format import age, countdown, counted, exact, one_line
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


def pause_lines(endpoints: Sequence[Endpoint], waiting: Mapping[EndpointId, Held]) -> list[str]:
    """What pausing does to these."""
    lines = [f"{endpoint.name} · {exact(waiting[endpoint.id].count)} pending" for endpoint in endpoints]
    they = "them" if len(endpoints) > 1 else "it"
    words = f"Events still fan out to {they} and wait: nothing is dropped. Requests under way finish."
    return [*lines, "", words, *_same(endpoints, "pause")]


def resume_lines(endpoints: Sequence[Endpoint], waiting: Mapping[EndpointId, Held], now_ms: int) -> list[str]:
    """What waits for these, since when, and why they stand still."""
    lines = []
    for endpoint in endpoints:
        because = f", because: {endpoint.state_reason}" if endpoint.state_reason else ""
        lines.append(f"{endpoint.name} · {_held_words(waiting[endpoint.id], now_ms)} · {endpoint.state}{because}")
    return lines


def _held_words(held: Held, now_ms: int) -> str:
    if not held.count:
        return "nothing waits"
    due_ms = held.oldest_due_ms
    since = "" if due_ms is None else f", the oldest due {(age if due_ms <= now_ms else countdown)(now_ms, due_ms)}"
    return f"{counted(held.count, 'waits', 'wait')}{since}"


def pace_lines(endpoints: Sequence[Endpoint]) -> list[str]:
    """What may be answered when it is asked how fast they are resumed."""
    its, each = ("their policies let", " each") if len(endpoints) > 1 else ("its policy lets", "")
    return [
        "",
        f"20/s          at this rate{each} until nothing is due",
        "20/s over 5m  climbing to it in that time",
        f"empty         as fast as {its}",
    ]


def resumed_lines(endpoints: Sequence[Endpoint], pace: Pace | None, flags: Sequence[str]) -> list[str]:
    """What resuming does to these; `flags`: the pace, as the command takes it."""
    they, each = ("they are", "each one's") if len(endpoints) > 1 else ("it is", "its")
    how = pace_words(pace) or f", at most {each} max-in-flight at once"
    return [f"What {they} owed is sent again{how}.", *_same(endpoints, "resume", *flags)]


def _same(endpoints: Sequence[Endpoint], verb: str, *flags: str) -> list[str]:
    if len(endpoints) != 1:
        return []
    return ["", "the same: " + shlex.join(["webhook-console", "endpoints", verb, endpoints[0].name, *flags])]
