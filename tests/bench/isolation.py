"""A healthy endpoint beside sick ones: `python -m tests.bench isolation`. The long run: `--pending 100000 --rounds 5`.

Rounds alternate: the healthy endpoint alone, then beside one that refuses connections, one that never answers and one
that is paused, each with as many deliveries pending. Measured each time: the latency of events that arrive at a fixed
rate, and then the rate at which a pile of events is delivered. Prints one JSON object.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from console.domain.endpoint import EndpointState
from console.domain.event import NewEvent
from console.domain.ids import EndpointId, new_endpoint_id
from console.store import Store, open_store
from tests.bench.engine_latency import WARM_UP_S, arrive
from tests.bench.machine import load_1m, machine, median, spread
from tests.bench.sickness import Unheard
from tests.bench.upkeep import Receiver
from tests.engine_process import EngineProcess
from tests.factories import make_spec

BODY = b'{"x": "' + b"x" * 1000 + b'"}'
_GIVE_UP_S = 120.0


def add(store: Store, name: str, url: str, type_: str) -> EndpointId:
    """An endpoint that wants one type."""
    spec = make_spec(name=name, url=url, types=(type_,))
    return store.add_endpoint(new_endpoint_id(Random(name)), spec, time.time_ns() // 1_000_000).id


def pile_up(store: Store, type_: str, count: int, body: bytes = BODY) -> None:
    """So many events at once."""
    for start in range(0, count, 1000):
        events = [NewEvent(type=type_, payload=body) for _ in range(min(1000, count - start))]
        store.accept(events, time.time_ns() // 1_000_000)


def rate_of(store: Store, endpoint: EndpointId, count: int) -> float:
    """Accept a pile for an endpoint; deliveries a second between a tenth and nine tenths of it."""
    before, marks = store.gauges()[endpoint].delivered, list[tuple[float, int]]()
    pile_up(store, "bench.event", count)
    give_up_s = time.monotonic() + _GIVE_UP_S
    while len(marks) < 2:
        done = store.gauges()[endpoint].delivered - before
        if done >= count * (0.9 if marks else 0.1):
            marks.append((time.perf_counter(), done))
        elif time.monotonic() > give_up_s:
            raise SystemExit(f"{done} of {count} delivered after {_GIVE_UP_S:g} s")
        else:
            time.sleep(0.02)
    (from_s, first), (until_s, last) = marks
    return (last - first) / (until_s - from_s)


def measure(folder: Path, unheard: Unheard, *, sick: bool, options: argparse.Namespace) -> dict[str, Any]:
    """One engine on one store."""
    path, receiver = folder / "store.db", Receiver()
    store = open_store(path)
    try:
        healthy = add(store, "healthy", receiver.url, "bench.event")
        if sick:
            for name, url in (("dead", unheard.refusing), ("hanging", unheard.hanging), ("paused", receiver.url)):
                endpoint = add(store, name, url, f"for.{name}")
                if name == "paused":
                    store.set_endpoint_state(endpoint, EndpointState.PAUSED, "bench", time.time_ns() // 1_000_000)
                pile_up(store, f"for.{name}", options.pending, BODY[:100])
        with EngineProcess(path, log=folder / "engine.log") as engine:
            time.sleep(options.settle)
            accepted = arrive(store, rate_per_s=options.rate, seconds=options.seconds, body=BODY)
            rates = [rate_of(store, healthy, options.events)]
            cpu_s = engine.cpu_s()
        pending = {e.name: store.gauges()[e.id].pending for e in store.endpoints()}
        states = {e.name: e.state.value for e in store.endpoints()}
    finally:
        store.close()
        came_ns = receiver.came_ns()
    counted = [a for a in accepted if a[1] >= accepted[0][1] + WARM_UP_S * 1e9]
    found = {
        "latency_ms": spread([(came_ns[id_] - done) / 1e6 for id_, _, done in counted if id_ in came_ns], 2),
        "missing": sum(id_ not in came_ns for id_, _, _ in counted),
        "deliveries_per_s": round(rates[0]),
        "engine_cpu_s": round(cpu_s, 2),
        "load_1m": load_1m(),
    }
    return {**found, "pending_at_the_end": pending, "states": states} if sick else found


def main() -> None:
    parser = argparse.ArgumentParser(prog="isolation", description=__doc__)
    parser.add_argument("--pending", type=int, default=10_000, help="of each sick endpoint")
    parser.add_argument("--events", type=int, default=10_000, help="of the healthy one's pile")
    parser.add_argument("--rate", type=float, default=200, help="events a second that arrive")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--settle", type=float, default=3, help="seconds after the engine's start")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(Path(tempfile.gettempdir()))} | vars(options)
    rounds: dict[str, list[dict[str, Any]]] = {"alone": [], "beside": []}
    with Unheard() as unheard:
        for _ in range(options.rounds):
            for name, found in rounds.items():
                with tempfile.TemporaryDirectory() as folder:
                    found.append(measure(Path(folder), unheard, sick=name == "beside", options=options))
    pairs = list(zip(rounds["beside"], rounds["alone"], strict=True))
    report["rate_ratio"] = median([b["deliveries_per_s"] / a["deliveries_per_s"] for b, a in pairs], 3)
    for q in ("p50", "p99"):
        report[f"{q}_ms"] = {name: median([r["latency_ms"][q] for r in found], 2) for name, found in rounds.items()}
        report[f"{q}_ratio"] = median([b["latency_ms"][q] / a["latency_ms"][q] for b, a in pairs], 3)
    print(json.dumps({**report, "rounds": rounds}, indent=2))


if __name__ == "__main__":
    main()
