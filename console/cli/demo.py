"""`demo`: everything at once, on a store of its own."""

from pathlib import Path

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.parameters import DURATION
from console.demo.options import DemoOptions


@click.command(
    cls=ConsoleCommand,
    short_help="Try it: misbehaving receivers, events and an engine.",
    examples=("demo", "demo --rate 200 --seed 7", "demo --headless --seconds 30 --json"),
)
@click.option("--headless", is_flag=True, help="No screen: run for --seconds and print a report.")
@click.option("--seconds", type=DURATION, metavar="N", help="End after so long. Default: 20 when headless, else never.")
@click.option(
    "--rate",
    "rate_per_s",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=5.0,
    show_default=True,
    metavar="N",
    help="Events each second.",
)
@click.option("--seed", type=int, default=1, show_default=True, metavar="N", help="The same seed, the same events.")
@click.option("--theme", metavar="NAME", help="The console's theme.")
@click.option(
    "--keep-store", type=click.Path(path_type=Path), metavar="PATH", help="Make the store there and keep it afterwards."
)
@pass_invocation
def demo(
    invocation: Invocation,
    headless: bool,
    seconds: float | None,
    rate_per_s: float,
    seed: int,
    theme: str | None,
    keep_store: Path | None,
) -> int:
    """Try it: receivers that behave as the world does, believable events, an engine, and the console on all of it.

    The store is a temporary one and nothing leaves this machine. With --headless a report is printed instead: events,
    deliveries by state, attempts by cause, success rate and latencies.
    """
    if invocation.store_flag is not None:
        raise click.UsageError("demo makes a store of its own: --keep-store PATH says where, and keeps it")
    if invocation.json and not headless:
        raise click.UsageError("--json needs --headless")
    from console.cli.opening import show_console
    from console.ui.terminal import require_terminal

    if not headless:
        require_terminal(invocation.environ)
    from console.demo.run import run_demo

    return run_demo(
        DemoOptions(
            headless=headless,
            seconds=20.0 if headless and seconds is None else seconds,
            json=invocation.json,
            rate_per_s=rate_per_s,
            seed=seed,
            theme=theme,
            keep_store=None if keep_store is None else keep_store.absolute(),
        ),
        open_console=lambda path: show_console(
            invocation,
            path,
            theme=theme,
            read_only=False,
            notice="receivers, events and an engine are running: try F, p, r",
        ),
    )
