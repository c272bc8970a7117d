"""Deliveries a second of the engine, beside its bare transport in the same run: `python -m tests.bench engine_rate`.

Rounds alternate: the transport alone, then a fresh engine that drains events accepted before it was started. The engine
is measured by what its store has recorded, between a tenth and nine tenths of the drain: neither the start of the
process nor the tail counts. Every attempt is fsynced. Prints one JSON object.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import uvloop

from console.domain.event import NewEvent
from console.domain.ids import new_endpoint_id
from console.store import open_store
from tests.bench.fast_receiver import FastReceiver
from tests.bench.machine import load_1m, machine, median
from tests.bench.transport_ceiling import measure
from tests.engine_process import EngineProcess
from tests.factories import make_spec

STEADY = (0.1, 0.9)
_LOOK_S = 0.02
_GIVE_UP_S = 300.0


def accept_events(path: Path, url: str, *, events: int, body: bytes, max_in_flight: int) -> None:
    """A store in which one endpoint is owed `events` events."""
    store = open_store(path)
    try:
        now_ms = time.time_ns() // 1_000_000
        policy = {"max_in_flight": max_in_flight}
        spec = make_spec(name="receiver", url=url, policy=policy).check()
        store.add_endpoint(new_endpoint_id(Random(1)), spec, now_ms)
        for start in range(0, events, 1000):
            batch = [NewEvent(type="bench.event", payload=body) for _ in range(min(1000, events - start))]
            store.accept(batch, now_ms)
    finally:
        store.close()


def drain(folder: Path, url: str, *, events: int, body: bytes, max_in_flight: int, transport: str) -> dict[str, Any]:
    """Start an engine on a store full of events and watch what it records."""
    path = folder / "store.db"
    accept_events(path, url, events=events, body=body, max_in_flight=max_in_flight)
    store = open_store(path, read_only=True)
    arguments = ("--max-in-flight", str(max_in_flight), "--transport", transport)
    marks: list[tuple[float, int, float]] = []
    try:
        with EngineProcess(path, log=folder / "engine.log", arguments=arguments) as engine:
            give_up_s = time.perf_counter() + _GIVE_UP_S
            while len(marks) < len(STEADY):
                done = sum(gauge.delivered for gauge in store.gauges().values())
                if done >= STEADY[len(marks)] * events:
                    marks.append((time.perf_counter(), done, engine.cpu_s()))
                elif time.perf_counter() > give_up_s or not engine.alive:
                    raise SystemExit(f"{done} of {events} delivered: {(folder / 'engine.log').read_text()[-2000:]}")
                else:
                    time.sleep(_LOOK_S)
    finally:
        store.close()
    (from_s, first, cpu_from_s), (until_s, last, cpu_until_s) = marks
    return {
        "deliveries_per_s": round((last - first) / (until_s - from_s)),
        "cpu_us_per_delivery": round((cpu_until_s - cpu_from_s) / (last - first) * 1e6, 1),
        "measured": last - first,
        "seconds": round(until_s - from_s, 2),
        "load_1m": load_1m(),
    }


def ceiling(receiver: FastReceiver, *, seconds: float, body: bytes, in_flight: int, transport: str) -> dict[str, Any]:
    """The transport alone, in this process."""
    before, cpu_before_s = receiver.count(), _own_cpu_s()
    kind: Any = transport
    measured = uvloop.run(measure(kind, receiver.url, in_flight=in_flight, seconds=seconds, body=body))
    used_s, sent = _own_cpu_s() - cpu_before_s, receiver.count() - before
    return {**measured, "cpu_us_per_request": round(used_s / sent * 1e6, 1), "load_1m": load_1m()}


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="engine_rate", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of the bare transport in each round")
    parser.add_argument("--body-bytes", type=int, default=1024)
    parser.add_argument("--max-in-flight", type=int, default=512)
    parser.add_argument("--transport", default="pyreqwest")
    parser.add_argument("--delay-ms", type=float, default=0, help="of the receiver")
    parser.add_argument("--folder", type=Path, help="where the stores are made; default: the system's temporary folder")
    options = parser.parse_args()
    body = os.urandom(options.body_bytes // 2).hex().encode()
    report: dict[str, Any] = {
        "machine": machine(options.folder or Path(tempfile.gettempdir())),
        "events": options.events,
        "body_bytes": len(body),
        "durability": "WAL, synchronous=FULL",
        "transport": {"kind": options.transport, "in_flight": 64, "rounds": []},
        "engine": {"max_in_flight": options.max_in_flight, "rounds": []},
    }
    with FastReceiver(delay_ms=options.delay_ms) as receiver:
        for _ in range(options.rounds):
            report["transport"]["rounds"].append(
                ceiling(receiver, seconds=options.seconds, body=body, in_flight=64, transport=options.transport)
            )
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                report["engine"]["rounds"].append(
                    drain(
                        Path(folder),
                        receiver.url,
                        events=options.events,
                        body=body,
                        max_in_flight=options.max_in_flight,
                        transport=options.transport,
                    )
                )
    bare, engine = report["transport"], report["engine"]
    bare["requests_per_s"] = median([r["requests_per_s"] for r in bare["rounds"]])
    bare["cpu_us_per_request"] = median([r["cpu_us_per_request"] for r in bare["rounds"]])
    engine["deliveries_per_s"] = median([r["deliveries_per_s"] for r in engine["rounds"]])
    engine["cpu_us_per_delivery"] = median([r["cpu_us_per_delivery"] for r in engine["rounds"]])
    # Of neighbours in time: the machine may be busier in one round than in another.
    pairs = zip(engine["rounds"], bare["rounds"], strict=True)
    report["ratios"] = [round(e["deliveries_per_s"] / b["requests_per_s"], 3) for e, b in pairs]
    report["ratio"] = median(report["ratios"], 3)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
