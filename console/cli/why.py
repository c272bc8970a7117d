"""`deliveries why`: what became of an event at an endpoint, and why."""

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, paint, say
from console.cli.parameters import ENDPOINT, EVENT_ID
from console.domain.ids import EventId
from console.domain.why import Outcome

_STYLES = {
    Outcome.DELIVERED: "ok",
    Outcome.SENDING: "accent",
    Outcome.PENDING: "warning",
    Outcome.HELD: "warning",
    Outcome.BLOCKED: "warning",
    Outcome.FAILED: "error",
    Outcome.CANCELLED: "muted",
    Outcome.NOT_OWED: "muted",
    Outcome.UNKNOWN: "error",
}
_FIELDS = ("event_id", "endpoint_id", "endpoint", "outcome", "what", "sums", "why", "before", "next")


@click.command(
    cls=ConsoleCommand, json_fields=_FIELDS, examples=("deliveries why evt_01k0000000000000000000000 billing",)
)
@click.argument("event_id", metavar="EVENT", type=EVENT_ID)
@click.argument("endpoint", metavar="ENDPOINT", type=ENDPOINT)
@pass_invocation
def why(invocation: Invocation, event_id: EventId, endpoint: str) -> int:
    """Say what became of an event at an endpoint, and why: delivered, pending and until when, held and by whom, failed
    and what to do, cancelled and by whom, or not owed and by which rule.

    An endpoint that was removed is found by its whole id or name. The exit code is 1 when the event is not known.
    """
    from console.operations.why import find_endpoint_ever
    from console.operations.why import why as look_up
    from console.ui.time_words import TimeWords

    with invocation.reading() as store:
        found, removed_at_ms = find_endpoint_ever(store, endpoint)
        answer = look_up(store, event_id, found, removed_at_ms, TimeWords(invocation.clock.now_ms()))
    code = 1 if answer.outcome is Outcome.UNKNOWN else 0
    if invocation.json:
        emit(
            {
                "event_id": event_id,
                "endpoint_id": found.id,
                "endpoint": found.name,
                "outcome": answer.outcome.value,
                "what": answer.what,
                "sums": answer.sums,
                "why": answer.why,
                "before": list(answer.before),
                "next": answer.next,
            }
        )
        return code
    first, *rest = answer.sentences
    say(paint(clean(first), _STYLES[answer.outcome]))
    for sentence in rest:
        say(clean(sentence))
    if removed_at_ms is not None:
        say(f"The endpoint was removed {TimeWords(invocation.clock.now_ms()).ago(removed_at_ms)}.")
    return code
