"""A long history beside an empty one: `python -m tests.bench history`.
The long run: `--attempts 10000000 --store FILE`.

Two stores with the same endpoints, one empty and one with a history; rounds alternate between them. Measured: the rate
of deliveries, `stats`, lists of deliveries, attempts and events with filters of every kind as the store answers them
(milliseconds) and as commands (ratios of whole processes), and the console's first frame. `--store` names a file that
is made when it is not there, and used again; what the bench itself delivers stays in it. Prints one JSON object.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointSpec
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter, EventFilter
from console.domain.ids import DeliveryId, EventId, new_endpoint_id
from console.domain.outcome import Cause
from console.store import Store, open_store
from tests.bench.accept_rate import seconds_of
from tests.bench.console_first_frame import first_frame
from tests.bench.fast_receiver import FastReceiver
from tests.bench.isolation import rate_of
from tests.bench.machine import load_1m, machine, median
from tests.bench.past import DAYS, RARE_ENDPOINT, RARE_TYPE, make_past
from tests.engine_process import EngineProcess
from tests.factories import make_spec

BYTES_EACH = 800
"""Of one attempt with its delivery and event, about."""

DAY_MS = 24 * 3600_000
Read = Callable[[Store], object]


def reads(store: Store) -> dict[str, Read]:
    """Every kind of filter, alone and together, some of which match nothing."""
    now = time.time_ns() // 1_000_000
    billing, rare = store.find_endpoint("billing").id, store.find_endpoint(RARE_ENDPOINT).id
    middle, an_hour = now - DAYS * DAY_MS // 2, 3600_000
    filters: dict[str, DeliveryFilter] = {
        "all": DeliveryFilter(),
        **{f"state {state}": DeliveryFilter(states=(state,)) for state in DeliveryState},
        "endpoint": DeliveryFilter(endpoints=(billing,)),
        "endpoint of three": DeliveryFilter(endpoints=(rare,)),
        **{f"endpoint and {s}": DeliveryFilter(endpoints=(billing,), states=(s,)) for s in DeliveryState},
        "endpoint of three and failed": DeliveryFilter(endpoints=(rare,), states=(DeliveryState.FAILED,)),
        "event": DeliveryFilter(event_id=EventId(f"evt_past{4711:012}")),
        "cause": DeliveryFilter(causes=(Cause.HTTP_5XX,)),
        "cause that never was": DeliveryFilter(causes=(Cause.TLS,)),
        "endpoint and cause": DeliveryFilter(endpoints=(billing,), causes=(Cause.TIMEOUT_READ,)),
        "type": DeliveryFilter(type_pattern="invoice.paid"),
        "branch of types": DeliveryFilter(type_pattern="invoice.*"),
        "type of three": DeliveryFilter(type_pattern=RARE_TYPE),
        "type that never was": DeliveryFilter(type_pattern="none.such"),
        "type and failed": DeliveryFilter(type_pattern="lead.*", states=(DeliveryState.FAILED,)),
        "type and endpoint": DeliveryFilter(type_pattern="user.updated", endpoints=(billing,)),
        "since": DeliveryFilter(since_ms=now - DAY_MS),
        "an hour long ago": DeliveryFilter(since_ms=middle, until_ms=middle + an_hour),
        "before everything": DeliveryFilter(until_ms=now - 2 * DAYS * DAY_MS),
        "an hour long ago, failed, endpoint, type": DeliveryFilter(
            since_ms=middle,
            until_ms=middle + an_hour,
            states=(DeliveryState.FAILED,),
            endpoints=(billing,),
            type_pattern="invoice.*",
        ),
        "troubled": DeliveryFilter(troubled=True),
        "troubled of an endpoint": DeliveryFilter(troubled=True, endpoints=(billing,)),
    }
    found: dict[str, Read] = {f"deliveries, {name}": _deliveries(where) for name, where in filters.items()}
    found["deliveries, deep page"] = lambda s: s.deliveries(DeliveryFilter(), limit=50, before=DeliveryId(5000))
    attempts: dict[str, AttemptFilter] = {
        "all": AttemptFilter(),
        "failed": AttemptFilter(failed_only=True),
        "endpoint": AttemptFilter(endpoints=(billing,)),
        "endpoint, failed": AttemptFilter(endpoints=(rare,), failed_only=True),
        "cause": AttemptFilter(causes=(Cause.HTTP_4XX,)),
        "type": AttemptFilter(type_pattern="invoice.*"),
        "type of three": AttemptFilter(type_pattern=RARE_TYPE),
        "an hour long ago": AttemptFilter(since_ms=middle, until_ms=middle + an_hour),
    }
    found |= {f"attempts, {name}": _attempts(where) for name, where in attempts.items()}
    events: dict[str, EventFilter] = {
        "type of three": EventFilter(type_pattern=RARE_TYPE),
        "an hour long ago": EventFilter(since_ms=middle, until_ms=middle + an_hour),
    }
    found |= {f"events, {name}": _events(where) for name, where in events.items()}
    counts = {
        "failed": DeliveryFilter(states=(DeliveryState.FAILED,)),
        "endpoint": DeliveryFilter(endpoints=(billing,)),
    }
    return found | {f"count, {name}": _count(where) for name, where in counts.items()}


def _deliveries(where: DeliveryFilter) -> Read:
    return lambda store: store.deliveries(where, limit=50)


def _attempts(where: AttemptFilter) -> Read:
    return lambda store: store.attempts(where, AttemptPage(limit=50))


def _events(where: EventFilter) -> Read:
    return lambda store: store.events(where, limit=50)


def _count(where: DeliveryFilter) -> Read:
    return lambda store: store.count_deliveries(where)


COMMANDS = {
    "stats": ("stats", "--window", "24h", "--json"),
    "deliveries list": ("deliveries", "list", "--json"),
    "deliveries list, nothing": ("deliveries", "list", "--type", "none.such", "--endpoint", "billing"),
    "deliveries list, an endpoint's failed": ("deliveries", "list", "--endpoint", "rare", "--state", "failed"),
    "attempts list": ("attempts", "list", "--failed", "--json"),
}


def milliseconds_of(path: Path, *, times: int) -> dict[str, float]:
    """The median of each read; the first of each, which warms the cache, left out."""
    with closing(open_store(path, read_only=True)) as store:
        found: dict[str, float] = {}
        for name, read in reads(store).items():
            took: list[float] = []
            for _ in range(times + 1):
                began_s = time.perf_counter()
                read(store)
                took.append((time.perf_counter() - began_s) * 1000)
            found[name] = median(took[1:], 2)
        return found


def rate(path: Path, url: str, events: int, log: Path) -> float:
    """Deliveries a second of an engine on this store."""
    with closing(open_store(path)) as store:
        spec = make_spec(name="receiver", url=url, types=("bench.event",))
        endpoint = _put(store, spec)
        with EngineProcess(path, log=log):
            return rate_of(store, endpoint, events)


def _put(store: Store, spec: EndpointSpec) -> Any:
    now_ms = time.time_ns() // 1_000_000
    known = [endpoint.id for endpoint in store.endpoints() if endpoint.name == spec.name]
    if known:
        return store.edit_endpoint(known[0], spec, now_ms).id
    return store.add_endpoint(new_endpoint_id(Random(spec.name)), spec, now_ms).id


def main() -> None:
    parser = argparse.ArgumentParser(prog="history", description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="the store with the history; made when it is not there")
    parser.add_argument("--events", type=int, default=10_000, help="delivered in each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    script = str(Path(sys.executable).with_name("webhook-console"))
    with tempfile.TemporaryDirectory() as name, FastReceiver() as receiver:
        folder = Path(name)
        long = options.store or folder / "long.db"
        if not long.exists():
            _make(long, options.attempts)
        stores = {"empty": folder / "empty.db", "long": long.resolve()}
        make_past(stores["empty"], 0)
        report: dict[str, Any] = {"machine": machine(long.parent), "attempts": options.attempts}
        report |= {"bytes": long.stat().st_size, "load_1m": load_1m()}
        found: dict[str, dict[str, list[float]]] = {which: {} for which in stores}
        for _ in range(options.rounds):
            for which, path in stores.items():
                rounds = found[which]
                rounds.setdefault("rate", []).append(rate(path, receiver.url, options.events, folder / "engine.log"))
                for what, command in COMMANDS.items():
                    took_s = seconds_of([script, "--store", str(path), *command])
                    rounds.setdefault(what, []).append(took_s)
                console = [script, "--read-only", "--store", str(path)]
                frame = first_frame(console, "warehouse", home=folder, columns=120, rows=40)
                rounds.setdefault("first frame", []).append(frame["useful_s"])
        report["deliveries_per_s"] = {which: median(rounds["rate"], 0) for which, rounds in found.items()}
        report["ratio_of_rate"] = _ratio(found, "rate")
        report["ratios_of_seconds"] = {what: _ratio(found, what) for what in (*COMMANDS, "first frame")}
        report["seconds"] = {
            which: {what: median(took, 3) for what, took in rounds.items() if what != "rate"}
            for which, rounds in found.items()
        }
        report["ms"] = milliseconds_of(stores["long"], times=5)
        report["slowest_ms"] = dict(sorted(report["ms"].items(), key=lambda read: -read[1])[:5])
    print(json.dumps(report, indent=2))


def _make(path: Path, attempts: int) -> None:
    if shutil.disk_usage(path.parent).free < attempts * BYTES_EACH * 2:
        raise SystemExit(f"{path.parent}: {attempts * BYTES_EACH * 2:,} bytes are wanted for {attempts:,} attempts")
    unfinished = path.with_name(path.name + ".making")
    unfinished.unlink(missing_ok=True)
    make_past(unfinished, attempts)
    unfinished.rename(path)


def _ratio(found: dict[str, dict[str, list[float]]], what: str) -> float:
    """Of the long to the empty, the median over rounds."""
    return median([a / b for a, b in zip(found["long"][what], found["empty"][what], strict=True)], 3)


if __name__ == "__main__":
    main()
