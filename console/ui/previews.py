"""What an action would do, in words, before it is agreed to. Pure; the dialog that shows it sanitises."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import Endpoint
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId, format_number
from console.domain.pacing import Pace
from console.domain.query_format import format_query
from console.operations.endpoints import Held, pace_words
from console.ui.format import age, countdown, counted, exact, one_line
from console.ui.widgets.vocabulary import delivery_mark

NAME_WIDTH = 48
"""Cells of a name in a preview, so that what is said of it stands on the same line."""

MOST_NAMED = 20
"""Ids in a command line that is still read."""

SCOPE_WIDTH = 60
"""Cells of a filter in a title."""


def cancel_lines(by_endpoint: Mapping[EndpointId, int], endpoints: Mapping[EndpointId, Endpoint]) -> list[str]:
    """What a cancel does."""
    width = max((len(exact(count)) for count in by_endpoint.values()), default=1)
    lines: list[str] = []
    for endpoint_id, count in sorted(by_endpoint.items(), key=lambda item: -item[1]):
        endpoint = endpoints.get(endpoint_id)
        name = one_line(endpoint.name, NAME_WIDTH) if endpoint else endpoint_id
        lines.append(f"{exact(count):>{width}} → {name}")
    return [*lines, "", "Nothing more is sent of them until somebody retries them."]


def scope_words(where: DeliveryFilter, names: Mapping[EndpointId, str]) -> str:
    """Which they are, for a title: `: those marked`, `: all that match state:failed`; nothing for a single one."""
    if where.ids:
        return "" if len(where.ids) == 1 else ", those marked"
    line = format_query(where, names)
    return f": all that match {one_line(line, SCOPE_WIDTH)}" if line else ": all there are"


def same_command(verb: str, where: DeliveryFilter, endpoints: Mapping[EndpointId, Endpoint], *flags: str) -> list[str]:
    """The command that does the same, as lines of a preview; none when it would take more ids than are read."""
    if where.ids:
        # Ids say all: what else the filter holds only leaves out those that changed meanwhile.
        words = [format_number("dlv", number) for number in where.ids]
        if len(words) > MOST_NAMED:
            return []
    else:
        # Every state must be said: without one a command takes those that failed.
        named = where if where.states or where.troubled else replace(where, states=tuple(DeliveryState))
        words = ["--filter", format_query(named, {e.id: e.name for e in endpoints.values()})]
    return ["", "the same: " + shlex.join(["webhook-console", "deliveries", verb, *words, *flags])]


BEHIND = 101
"""How many that follow a head are looked at; the last only says that there are more."""

_FOLLOWING_SHOWN = 3


def skip_lines(head: Delivery, behind: Sequence[Delivery], now_ms: int) -> list[str]:
    """The head of a line, and what goes on when it is skipped."""
    tried = f", tried {counted(head.attempts, 'time', 'times')}" if head.attempts else ""
    failed = f", {head.last_cause}" if head.last_cause else ""
    more = f"{BEHIND - 1}+" if len(behind) >= BEHIND else str(len(behind))
    return [
        f"{format_number('dlv', head.id)} {head.event_type} {head.event_id}",
        f"{delivery_mark(head)[0]}{tried}{failed}, accepted {age(now_ms, head.created_at_ms)}",
        "",
        f"{more} wait behind it:" if behind else "Nothing waits behind it.",
        *(f"{format_number('dlv', d.id)} {d.event_type} {d.event_id}" for d in behind[:_FOLLOWING_SHOWN]),
        "",
        "It is not sent any more, until somebody retries it; the next of its line goes on.",
        "",
        f"the same: webhook-console deliveries skip {format_number('dlv', head.id)}",
    ]


def pause_lines(endpoints: Sequence[Endpoint], waiting: Mapping[EndpointId, Held]) -> list[str]:
    """What pausing does to these."""
    lines = [f"{endpoint.name} · {exact(waiting[endpoint.id].count)} pending" for endpoint in endpoints]
    they = "them" if len(endpoints) > 1 else "it"
    words = f"Events still fan out to {they} and wait: nothing is dropped. Requests under way finish."
    return [*lines, words]


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
    return [f"What {they} owed is sent again{how}.", *same_line(endpoints, "resume", *flags)]


def same_line(endpoints: Sequence[Endpoint], verb: str, *flags: str) -> list[str]:
    """The command that does the same to a single endpoint, as lines of a preview."""
    if len(endpoints) != 1:
        return []
    return ["", "the same: " + shlex.join(["webhook-console", "endpoints", verb, endpoints[0].name, *flags])]
