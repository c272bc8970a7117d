"""`webhook-console demo`, with and without a screen."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from console.demo.options import DemoOptions
from console.demo.report import DemoReport, read_report
from console.demo.world import DemoWorld
from console.domain.clock import SystemClock
from console.store import open_store


def run_demo(options: DemoOptions, *, open_console: Callable[[Path], int]) -> int:
    """Run the demo. Returns the exit code.

    Args:
        open_console: shows the console on a store until the user closes it; returns its exit code.

    Raises:
        ConsoleError: a part did not start.
    """
    with DemoWorld(rate_per_s=options.rate_per_s, seed=options.seed, keep_store=options.keep_store) as world:
        if not options.headless:
            return open_console(world.store_path)
        return _run_headless(world, options)


def _run_headless(world: DemoWorld, options: DemoOptions) -> int:
    clock = SystemClock()
    started_s = clock.monotonic_s()
    with suppress(KeyboardInterrupt):  # as if the time were over: the report is what was asked for
        time.sleep(options.seconds or 0)
    seconds = clock.monotonic_s() - started_s
    world.stop_generating()
    if world.generator_error is not None:
        raise world.generator_error
    # Tries under way finish first, and nothing changes while the report is read.
    world.stop_engine()
    store = open_store(world.store_path, read_only=True)
    try:
        report = read_report(store, seconds)
    finally:
        store.close()
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n" if options.json else describe(report))
    return 0


def describe(report: DemoReport) -> str:
    """The report for people."""
    lines = [
        f"{report.events:,} events in {report.seconds:.1f} s",
        "deliveries  " + "   ".join(f"{count:,} {state}" for state, count in report.deliveries.items()),
        f"attempts    {report.attempts:,}, {_share(report.success_rate)} succeeded",
        f"latency     p50 {_ms(report.p50_ms)}   p95 {_ms(report.p95_ms)}   p99 {_ms(report.p99_ms)}",
        "causes      " + ("   ".join(f"{count:,} {cause}" for cause, count in report.causes.items()) or "none"),
        "",
        f"{'endpoint':<16}{'state':<10}{'delivered':>10}{'pending':>9}{'failed':>8}{'attempts':>10}{'success':>9}",
    ]
    lines += [
        f"{e.endpoint:<16}{e.state:<10}{e.delivered:>10,}{e.pending:>9,}{e.failed:>8,}{e.attempts:>10,}"
        f"{_share(e.success_rate):>9}"
        for e in report.endpoints
    ]
    return "\n".join(lines) + "\n"


def _share(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.1%}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
