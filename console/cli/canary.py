"""`deliveries retry --canary`: one goes first, and the others only when it was taken."""

import time

import click

from console.cli.invocation import Invocation
from console.cli.output import clean, say
from console.domain.errors import ConsoleError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, format_number
from console.operations.actor import current_actor
from console.operations.deliveries import retry
from console.store import Store

WAIT_S = 60.0
_LOOK_S = 0.05


class CanaryError(ConsoleError):
    """The one that went first was not taken, or did not come back in time."""


def send_first(invocation: Invocation, store: Store, where: DeliveryFilter) -> DeliveryId:
    """Retry the oldest that matches, and return it when it was delivered.

    Raises:
        click.UsageError: no engine is running, so that nothing would come of it.
        CanaryError: it failed again, or had no try within WAIT_S; nothing else was retried.
    """
    from console.ui.retrying import canary_lines, find_canary, read_canary

    status = store.engine_status()
    if status is None or not status.alive(invocation.clock.now_ms()):
        raise click.UsageError("--canary waits for what comes of one: start an engine first ('webhook-console serve')")
    number = find_canary(store, where, None)
    if number is None:
        raise CanaryError("nothing is left to be retried")
    name, before = format_number("dlv", number), store.delivery(number).attempts
    if not retry(store, DeliveryFilter(ids=(number,)), actor=current_actor(), clock=invocation.clock):
        raise CanaryError(f"{name}: is being sent, or another was quicker; nothing else was retried")
    until_s = invocation.clock.monotonic_s() + WAIT_S
    while (canary := read_canary(store, number, before)).attempt is None:
        if invocation.clock.monotonic_s() >= until_s:
            raise CanaryError(
                f"{name}: had no try within {WAIT_S:g} s; nothing else was retried (see 'deliveries show {name}')"
            )
        time.sleep(_LOOK_S)
    if not invocation.json:
        for line in canary_lines(canary):
            say(clean(line))
    if not canary.delivered:
        raise CanaryError(f"{name}: failed again; nothing else was retried")
    return number
