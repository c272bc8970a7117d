"""`read`: how everything stands, in whole sentences."""

import time
from collections.abc import Sequence

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, flush, say
from console.domain.clock import Clock
from console.domain.inbound import Fate
from console.domain.narration import Overview, how_it_stands, what_changed
from console.domain.rates import WINDOWS, Window, total_of
from console.store import Store

LOOK_EVERY_S = 1.0
INBOX_MS = 3600 * 1000


@click.command(
    cls=ConsoleCommand,
    short_help="Tell how everything stands, in sentences.",
    examples=("read", "read --follow", "read --window 1h"),
    json_fields=("sentence",),
)
@click.option("--follow", is_flag=True, help="Go on, and say what changes, a sentence a line.")
@click.option(
    "--window",
    "label",
    type=click.Choice([window.label for window in WINDOWS]),
    default="5m",
    show_default=True,
    help="What rates are told of.",
)
@pass_invocation
def read(invocation: Invocation, follow: bool, label: str) -> None:
    """Tell how everything stands, in whole sentences, one a line: for screen readers, braille lines and logs.

    No columns, no drawing, no colours, and the cursor never moves back. Every action of the console is a command:
    its dialogs name them, and so does --help.
    """
    window = next(window for window in WINDOWS if window.label == label)
    with invocation.reading() as store:
        before = read_overview(store, window, invocation.clock)
        _tell(how_it_stands(before), invocation)
        while follow:
            time.sleep(LOOK_EVERY_S)
            now = read_overview(store, window, invocation.clock)
            _tell(what_changed(before, now), invocation)
            before = now


def _tell(sentences: Sequence[str], invocation: Invocation) -> None:
    for sentence in sentences:
        if invocation.json:
            emit({"sentence": sentence})
        else:
            say(clean(sentence))
    flush()


def read_overview(store: Store, window: Window, clock: Clock) -> Overview:
    """How everything stands at this moment."""
    now_ms = clock.now_ms()
    until = (now_ms // 1000 // window.width_s + 1) * window.width_s
    since = until - window.length_s
    return Overview(
        now_ms=now_ms,
        window=window,
        engine=store.engine_status(),
        endpoints=tuple(store.endpoints()),
        gauges=store.gauges(),
        rates=store.totals_by_endpoint(since_s=since, until_s=until, width_s=window.width_s),
        total=total_of(store.buckets(since_s=since, until_s=until, width_s=window.width_s), since),
        causes=store.causes(since_s=since, until_s=until),
        alerts=tuple(store.alerts(now_ms)),
        inbox=_inbox(store, now_ms),
    )


def _inbox(store: Store, now_ms: int) -> dict[str, dict[Fate, int]]:
    counts = store.count_arrivals(since_ms=now_ms - INBOX_MS)
    return {source.name: {Fate(fate): n for fate, n in counts.get(source.id, {}).items()} for source in store.sources()}
