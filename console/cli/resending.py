"""`events resend`: an event once more, as a new one that is linked to it."""

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, note, paint, say
from console.cli.parameters import ENDPOINT, EVENT_ID, TEXT, URL
from console.cli.send import read_payload
from console.domain.endpoint import EndpointState
from console.domain.ids import EventId, format_number
from console.operations.actor import current_actor
from console.operations.resending import resend as resend_event


@click.command(
    cls=ConsoleCommand,
    json_fields=("id", "copy_of", "delivery_id", "endpoint", "url", "edited"),
    examples=(
        "events resend evt_01k0000000000000000000000 --endpoint billing",
        "events resend evt_01k0000000000000000000000 --endpoint billing --url https://example.com/v2/hooks",
        "events resend evt_01k0000000000000000000000 --endpoint billing --data @mended.json",
    ),
)
@click.argument("event_id", metavar="ID", type=EVENT_ID)
@click.option("--endpoint", "ref", type=ENDPOINT, required=True, metavar="REF", help="Who gets it, whatever its types.")
@click.option("--url", type=URL, metavar="URL", help="Where it goes instead, with the endpoint's secrets and policy.")
@click.option("--data", metavar="JSON|@FILE|-", help="An edited payload. Default: what the event carries, to the byte.")
@click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log and for your colleagues.")
@pass_invocation
def resend(
    invocation: Invocation, event_id: EventId, ref: str, url: str | None, data: str | None, reason: str | None
) -> int:
    """Send a copy of an event as a new one, with a webhook-id of its own, to one endpoint.

    The copy and the event it is a copy of name each other in 'events show'. 'deliveries retry' sends the same event
    again instead, with the same webhook-id.
    """
    payload = None if data is None else read_payload(data)
    with invocation.writing() as store:
        endpoint = store.find_endpoint(ref)
        now_ms = invocation.clock.now_ms()
        resent = resend_event(
            store,
            event_id,
            endpoint.id,
            actor=current_actor(),
            now_ms=now_ms,
            url=url,
            payload=payload,
            reason=reason,
        )
        status = store.engine_status()
        alive = status is not None and status.alive(now_ms)
    number = format_number("dlv", resent.delivery_id)
    if invocation.json:
        emit(
            {
                "id": resent.event_id,
                "copy_of": event_id,
                "delivery_id": number,
                "endpoint": endpoint.name,
                "url": url,
                "edited": resent.edited,
            }
        )
        return 0
    edited = ", edited," if resent.edited else ""
    where = f" at {url}" if url else ""
    say(f"{resent.event_id}  {paint('accepted', 'ok')}: a copy of {event_id}{edited} for {clean(endpoint.name)}{where}")
    say(f"see 'deliveries show {number}'")
    if endpoint.state is not EndpointState.ACTIVE:
        note(f"hint: {clean(endpoint.name)} is {endpoint.state}, so the copy waits until it is resumed")
    elif not alive:
        note("hint: no engine is running, so nothing is sent yet: start one with 'webhook-console serve'")
    return 0
