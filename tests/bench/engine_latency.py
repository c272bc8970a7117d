"""From acceptance to the receiver's hands, at fixed rates of arrival: `python -m tests.bench engine_latency`.

An open model: events are due by the clock whether or not the ones before were delivered, and are accepted one by one
through the store, each fsynced. Measured from the return of `accept` (also from the moment the event was due, which
has the wait for the fsync in it) to the first byte of the request at the receiver, on one machine and one clock.
Prints one JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from console.domain.event import NewEvent
from console.domain.ids import new_endpoint_id
from console.store import Store, open_store
from tests.bench.machine import load_1m, machine, spread
from tests.engine_process import EngineProcess
from tests.factories import make_spec

WARM_UP_S = 1.0
_SETTLE_S = 20.0


def arrive(store: Store, *, rate_per_s: float, seconds: float, body: bytes) -> list[tuple[str, int, int]]:
    """Accept events at a rate. For each: id, when it was due and when it was accepted, epoch ns."""
    accepted: list[tuple[str, int, int]] = []
    began_ns = time.time_ns()
    for number in range(round((seconds + WARM_UP_S) * rate_per_s)):
        due_ns = began_ns + round(number / rate_per_s * 1e9)
        if (wait_ns := due_ns - time.time_ns()) > 0:
            time.sleep(wait_ns / 1e9)
        (answer,) = store.accept([NewEvent(type="bench.event", payload=body)], due_ns // 1_000_000)
        accepted.append((answer.id, due_ns, time.time_ns()))
    return accepted


def measure(folder: Path, *, rate_per_s: float, seconds: float, body: bytes) -> dict[str, Any]:
    """One rate, on a store, an engine and a receiver of its own."""
    receiver = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stamping_receiver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert receiver.stdout is not None
    url = f"http://127.0.0.1:{int(receiver.stdout.readline())}/hook"
    path, load_before = folder / "store.db", load_1m()
    store = open_store(path)
    try:
        spec = make_spec(name="receiver", url=url)
        endpoint = store.add_endpoint(new_endpoint_id(Random(1)), spec, time.time_ns() // 1_000_000)
        with EngineProcess(path, log=folder / "engine.log") as engine:
            cpu_before_s = engine.cpu_s()
            accepted = arrive(store, rate_per_s=rate_per_s, seconds=seconds, body=body)
            give_up_s = time.monotonic() + _SETTLE_S
            while store.gauges()[endpoint.id].delivered < len(accepted) and time.monotonic() < give_up_s:
                time.sleep(0.05)
            cpu_s = engine.cpu_s() - cpu_before_s
    finally:
        store.close()
        output, _ = receiver.communicate("", timeout=30)
    came_ns = {event_id: int(at) for event_id, at in (line.split() for line in output.splitlines())}
    counted = [a for a in accepted if a[1] >= accepted[0][1] + WARM_UP_S * 1e9]
    arrived = [(came_ns[id_], due, done) for id_, due, done in counted if id_ in came_ns]
    return {
        "events": len(counted),
        "missing": len(counted) - len(arrived),
        "from_acceptance_ms": spread([(came - done) / 1e6 for came, _, done in arrived], 2),
        "from_due_ms": spread([(came - due) / 1e6 for came, due, _ in arrived], 2),
        "accept_ms": spread([(done - due) / 1e6 for _, due, done in arrived], 2),
        "engine_cpu_us_per_event": round(cpu_s / len(accepted) * 1e6),
        "load_1m": [load_before, load_1m()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="engine_latency", description=__doc__)
    parser.add_argument("--rate", type=float, action="append", help="events a second; repeatable. Default: 50 200 500")
    parser.add_argument("--seconds", type=float, default=10, help="at each rate, after one second of warm-up")
    parser.add_argument("--body-bytes", type=int, default=1024)
    options = parser.parse_args()
    body = b'{"x": "' + b"x" * (options.body_bytes - 9) + b'"}'
    report: dict[str, Any] = {
        "machine": machine(Path(tempfile.gettempdir())),
        "seconds": options.seconds,
        "body_bytes": len(body),
        "durability": "WAL, synchronous=FULL",
        "by_rate": {},
    }
    for rate in options.rate or (50.0, 200.0, 500.0):
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(Path(folder), rate_per_s=rate, seconds=options.seconds, body=body)
        report["by_rate"][f"{rate:g}/s"] = measured
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
