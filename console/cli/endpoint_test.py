"""`endpoints test`: one test event to one endpoint, and what came of it."""

import time

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, note, say
from console.cli.parameters import DURATION, ENDPOINT, EVENT_TYPE
from console.cli.records import attempt_record
from console.cli.send import read_payload
from console.domain.delivery import Attempt
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import AttemptId, EventId
from console.operations.actor import current_actor
from console.operations.endpoints import TEST_EVENT_TYPE, TEST_PAYLOAD, send_test
from console.store import Store

DEFAULT_WAIT_S = 10.0
_LOOK_S = 0.02


@click.command(
    cls=ConsoleCommand,
    json_fields=("event_id", "endpoint", "attempt"),
    examples=(
        "endpoints test billing",
        "endpoints test billing --wait 30s --json",
        "endpoints test billing --type invoice.paid --data @invoice.json",
    ),
)
@click.argument("ref", type=ENDPOINT)
@click.option("--type", "type_", type=EVENT_TYPE, metavar="TYPE", help=f"Of the event. Default: {TEST_EVENT_TYPE}")
@click.option("--data", metavar="JSON|@FILE|-", help="Its payload. Default: a few words.")
@click.option(
    "--wait",
    "wait_s",
    type=DURATION,
    metavar="10s",
    help="How long to wait for the attempt; 0 does not wait. Default: 10s when an engine is running.",
)
@pass_invocation
def test(invocation: Invocation, ref: str, type_: str | None, data: str | None, wait_s: float | None) -> int:
    """Send a signed test event to one endpoint, whatever it wants, and report its first attempt.

    It goes past the endpoint's types and filter, and through its transform, as 'transform test' shows it beforehand.

    The exit code is 1 when the attempt failed or did not end in time. With --json, attempt is null when none was
    waited for or none ended in time, else an object with the fields of attempts list.
    """
    payload = TEST_PAYLOAD if data is None else read_payload(data)
    with invocation.writing() as store:
        endpoint = store.find_endpoint(ref)
        accepted = send_test(
            store,
            endpoint,
            actor=current_actor(),
            now_ms=invocation.clock.now_ms(),
            type=type_ or TEST_EVENT_TYPE,
            payload=payload,
        )
        obstacle = _obstacle(store, endpoint, invocation.clock.now_ms())
        if wait_s is None:
            wait_s = 0.0 if obstacle else DEFAULT_WAIT_S
        attempt = _wait(store, accepted.id, invocation, wait_s) if wait_s else None
    if invocation.json:
        shown = None if attempt is None else attempt_record(attempt)
        emit({"event_id": accepted.id, "endpoint": endpoint.name, "attempt": shown})
    else:
        _report(endpoint, accepted.id, attempt, obstacle, wait_s)
    return 0 if not wait_s or (attempt is not None and attempt.succeeded) else 1


def _obstacle(store: Store, endpoint: Endpoint, now_ms: int) -> str | None:
    if endpoint.state is not EndpointState.ACTIVE:
        return f"{endpoint.name} is {endpoint.state}, so the event waits until it is resumed"
    status = store.engine_status()
    if status is None or not status.alive(now_ms):
        return "no engine is running, so nothing is sent yet: start one with 'webhook-console serve'"
    return None


def _wait(store: Store, event_id: EventId, invocation: Invocation, wait_s: float) -> Attempt | None:
    """The first attempt for the event once it has ended; None when the time is over."""
    until_s = invocation.clock.monotonic_s() + wait_s
    where, page = AttemptFilter(event_id=event_id, ended_only=True), AttemptPage(limit=1, after=AttemptId(0))
    seen = -1
    while True:
        version = store.data_version()
        if version != seen:
            seen = version
            ended = store.attempts(where, page)
            if ended:
                return ended[0]
        if invocation.clock.monotonic_s() >= until_s:
            return None
        time.sleep(_LOOK_S)


def _report(
    endpoint: Endpoint, event_id: EventId, attempt: Attempt | None, obstacle: str | None, wait_s: float
) -> None:
    from console.cli.attempt_views import attempt_in_words

    if attempt is not None:
        say(f"{clean(endpoint.name)}: {attempt_in_words(attempt)}")
        return
    say(f"{event_id}  accepted for {clean(endpoint.name)}")
    if obstacle:
        note(f"hint: {obstacle}")
    elif wait_s:
        note(f"no attempt ended within {wait_s:g} s: see 'webhook-console events show {event_id}'")
