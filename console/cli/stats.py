"""`stats`: rates, latencies and what is owed, over a window."""

from collections.abc import Iterable, Mapping

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, paint, say
from console.cli.parameters import DURATION
from console.cli.records import GAUGE_FIELDS, RATE_FIELDS, Record, gauge_record, iso, rates_record
from console.domain.endpoint import Endpoint
from console.domain.outcome import Cause
from console.domain.rates import SLOTS, Bucket, Window, total_of, window_of
from console.domain.status import Gauge
from console.store import Store

_EMPTY = (0,) * SLOTS


@click.command(
    cls=ConsoleCommand,
    short_help="Show rates, errors and latencies.",
    json_fields=("window_s", "since", "until", "overall", "endpoints"),
    examples=("stats", "stats --window 1h", "stats --window 24h --json"),
)
@click.option("--window", "window_s", type=DURATION, default="5m", show_default=True, metavar="5m")
@pass_invocation
def stats(invocation: Invocation, window_s: float) -> int:
    """Show rates, errors and latencies of the last minutes or hours, overall and per endpoint.

    With --json, overall and each of endpoints hold {rates}, {gauges} (now) and causes (attempts by cause);
    overall also accepted, an endpoint also endpoint_id, endpoint and state.
    """
    window = window_of(window_s)
    with invocation.reading() as store:
        report = _report(store, window, invocation.clock.now_ms())
    if invocation.json:
        emit(report)
    else:
        _print(report, window)
    return 0


assert stats.help is not None
stats.help = stats.help.format(rates=", ".join(RATE_FIELDS), gauges=", ".join(GAUGE_FIELDS))


def _report(store: Store, window: Window, now_ms: int) -> Record:
    until_s = now_ms // 1000 + 1
    # Whole buckets only: a minute that began before the window counts as in it.
    since_s = (until_s - window.length_s) // window.width_s * window.width_s
    total = total_of(store.buckets(since_s=since_s, until_s=until_s, width_s=window.width_s), since_s)
    by_endpoint = store.totals_by_endpoint(since_s=since_s, until_s=until_s, width_s=window.width_s)
    causes, gauges = store.causes(since_s=since_s, until_s=until_s), store.gauges()
    nothing = Bucket(start_s=since_s, accepted=0, ok=0, failed=0, histogram=_EMPTY)
    length_s = until_s - since_s
    rows = [
        {
            **_names(endpoint),
            **rates_record(by_endpoint.get(endpoint.id, nothing), length_s),
            **gauge_record(gauges.get(endpoint.id, Gauge())),
            "causes": _sorted(causes.get(endpoint.id, {})),
        }
        for endpoint in store.endpoints()
    ]
    overall = {
        "accepted": total.accepted,
        **rates_record(total, length_s),
        **{name: sum(getattr(gauge, name) for gauge in gauges.values()) for name in GAUGE_FIELDS},
        "causes": _sorted(_summed(causes.values())),
    }
    return {
        "window_s": length_s,
        "since": iso(since_s * 1000),
        "until": iso(until_s * 1000),
        "overall": overall,
        "endpoints": rows,
    }


def _names(endpoint: Endpoint) -> Record:
    return {"endpoint_id": endpoint.id, "endpoint": endpoint.name, "state": endpoint.state.value}


def _summed(parts: Iterable[Mapping[Cause, int]]) -> dict[Cause, int]:
    total: dict[Cause, int] = {}
    for part in parts:
        for cause, n in part.items():
            total[cause] = total.get(cause, 0) + n
    return total


def _sorted(causes: Mapping[Cause, int]) -> dict[str, int]:
    return {cause.value: n for cause, n in sorted(causes.items(), key=lambda item: (-item[1], item[0]))}


def _print(report: Record, window: Window) -> None:
    from console.cli.table import Cell, Column, print_table
    from console.ui.format import duration, exact, percent, rate

    overall = report["overall"]
    events = "event" if overall["accepted"] == 1 else "events"
    say(f"{paint('last ' + window.label, 'strong')}, {exact(overall['accepted'])} {events} accepted")
    columns = (
        Column(title="ENDPOINT", flexible=True),
        Column(title="STATE"),
        Column(title="ATTEMPTS", right=True),
        Column(title="RATE", right=True, optional=True),
        Column(title="SUCCESS", right=True),
        Column(title="ERROR", right=True),
        Column(title="P50", right=True, optional=True),
        Column(title="P95", right=True),
        Column(title="P99", right=True, optional=True),
        Column(title="PENDING", right=True),
        Column(title="SENDING", right=True, optional=True),
        Column(title="FAILED", right=True),
        Column(title="CAUSES", flexible=True, optional=True),
    )
    rows: list[list[Cell]] = [
        [
            row["endpoint"],
            row["state"],
            exact(row["attempts"]),
            rate(row["rate_per_s"]),
            percent(row["ok"], row["attempts"]),
            (percent(row["errors"], row["attempts"]), "error" if row["errors"] else None),
            *(duration(row[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
            exact(row["pending"]),
            exact(row["sending"]),
            (exact(row["failed"]), "error" if row["failed"] else None),
            " ".join(f"{cause}:{n}" for cause, n in row["causes"].items()),
        ]
        for row in [{"endpoint": "all", "state": "", **overall}, *report["endpoints"]]
    ]
    print_table(columns, rows)
