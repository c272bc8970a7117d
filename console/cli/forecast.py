"""`forecast`: when backlogs are drained, and what falls due when an endpoint recovers."""

from dataclasses import asdict

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, paint, say
from console.cli.parameters import ENDPOINT
from console.cli.records import Record
from console.domain.forecast import Forecast
from console.operations.forecast import read_forecast
from console.ui.forecasting import drained_words, due_words, rate_words

FIELDS = (
    "endpoint_id", "endpoint", "state", "pending", "arrivals_per_s", "delivered_per_s", "drained_s", "never",
    "resumed_s", "why", "due_soon", "due_is_more", "allowed_soon",
)  # fmt: skip


@click.command(
    cls=ConsoleCommand,
    short_help="Show when backlogs are drained.",
    json_fields=FIELDS,
    examples=("forecast", "forecast billing", "forecast billing --json"),
)
@click.argument("reference", metavar="[ENDPOINT]", type=ENDPOINT, required=False)
@pass_invocation
def forecast(invocation: Invocation, reference: str | None) -> int:
    """Show when an endpoint's backlog is drained at the present rate, and how many retries fall due in the next ten
    minutes if it recovers now; without ENDPOINT of each that has something pending.
    """
    now_ms = invocation.clock.now_ms()
    with invocation.reading() as store:
        gauges = store.gauges()
        if reference is not None:
            chosen = [store.find_endpoint(reference)]
        else:
            chosen = [e for e in store.endpoints() if (gauge := gauges.get(e.id)) is not None and gauge.pending]
        seen = [read_forecast(store, endpoint, now_ms, gauge=gauges.get(endpoint.id)) for endpoint in chosen]
    if invocation.json:
        for each in seen:
            emit(forecast_record(each))
    elif not seen:
        say("nothing is pending at any endpoint")
    else:
        for each in seen:
            print_forecast(each)
    return 0


def forecast_record(seen: Forecast) -> Record:
    """The forecast as JSON has it."""
    return {**asdict(seen), "due_is_more": seen.due_is_more}


def print_forecast(seen: Forecast) -> None:
    """Three lines: the backlog, its rates, and what falls due."""
    say(f"{paint(clean(seen.endpoint), 'strong')}  {seen.state}, {seen.pending:,} pending: {drained_words(seen)}")
    if seen.pending:
        say(f"  {rate_words(seen)}")
        say(f"  {due_words(seen)}")
