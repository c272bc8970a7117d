"""Ten thousand endpoints and a million pending: `python -m tests.bench scale`.
The long run: `--endpoints 10000 --pending 1000000 --rounds 3`.

Rounds alternate between few endpoints with little pending and many with much. Measured each time: from the start of the
engine's process to its line 'started' and to the first request at the receiver, the rate of deliveries after that, and
the engine's memory. Everything pending is due. Prints one JSON object.
"""

import argparse
import json
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from console.domain.ids import new_endpoint_id
from console.store import open_store
from console.store.sqlite.connection import Connection
from tests.bench.fast_receiver import FastReceiver
from tests.bench.machine import load_1m, machine, median
from tests.engine_process import EngineProcess
from tests.factories import make_spec

_EVENTS = "INSERT INTO events (seq, id, type, payload, accepted_at, source) VALUES (?, ?, 'bench.event', ?, ?, 'cli')"
_DELIVERIES = """
INSERT INTO deliveries (id, event, endpoint, state, next_attempt_at, created_at, updated_at)
VALUES (?, ?, ?, 'pending', ?, ?, ?)
"""
_GAUGES = "INSERT INTO gauges (endpoint, pending) SELECT endpoint, count(*) FROM deliveries GROUP BY endpoint"
_CHUNK = 50_000
_GIVE_UP_S = 120.0


def fill(path: Path, url: str, *, endpoints: int, pending: int, body: bytes) -> None:
    """Deliveries that are due, of each endpoint in turn."""
    at = time.time_ns() // 1_000_000 - 1000
    with closing(open_store(path)) as store, store.transaction():
        for number in range(endpoints):
            spec = make_spec(name=f"endpoint-{number:05}", url=f"{url}/{number}", types=("bench.event",))
            store.add_endpoint(new_endpoint_id(Random(number)), spec, at)
    with closing(Connection(path, read_only=False)) as connection:
        connection.prepare()
        for start in range(1, pending + 1, _CHUNK):
            span = range(start, min(start + _CHUNK, pending + 1))
            with connection.transaction():
                connection.run_many(_EVENTS, ((i, f"evt_bench{i:010}", body, at) for i in span))
                connection.run_many(_DELIVERIES, ((i, i, 1 + i % endpoints, at, at, at) for i in span))
            connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.run(_GAUGES)


def measure(folder: Path, receiver: FastReceiver, *, endpoints: int, pending: int, events: int) -> dict[str, Any]:
    """One engine on one store."""
    path, log = folder / "store.db", folder / "engine.log"
    fill(path, receiver.url, endpoints=endpoints, pending=pending, body=b'{"x": "' + b"x" * 1000 + b'"}')
    before, began_s = receiver.count(), time.perf_counter()
    started_s = first_s = from_s = 0.0
    first = cpu_from_s = 0.0
    with EngineProcess(path, log=log, wait=False) as engine:
        while True:
            now_s, done = time.perf_counter(), receiver.count() - before
            if not started_s and b'"started"' in log.read_bytes():
                started_s = now_s
            if not first_s and done:
                first_s = now_s
            if not from_s and done >= events * 0.1:
                from_s, first, cpu_from_s = now_s, done, engine.cpu_s()
            if done >= events * 0.9:
                break
            if now_s - began_s > _GIVE_UP_S or not engine.alive:
                raise SystemExit(f"{done} of {events} delivered: {log.read_text()[-2000:]}")
            time.sleep(0.01)
        cpu_s, memory = engine.cpu_s() - cpu_from_s, _memory_mib(engine)
    return {
        "started_s": round(started_s - began_s, 3),
        "first_request_s": round(first_s - began_s, 3),
        "deliveries_per_s": round((done - first) / (now_s - from_s)),
        "cpu_us_per_delivery": round(cpu_s / (done - first) * 1e6),
        **memory,
        "load_1m": load_1m(),
    }


def _memory_mib(engine: EngineProcess) -> dict[str, float]:
    """Of the engine and of the processes that it has started, at the most; what they share is counted twice."""
    found: dict[str, float] = {}
    for name, pids in (("engine_mib", [engine.pid]), ("with_children_mib", [engine.pid, *engine.children()])):
        peaks = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        found[name] = round(sum(int(line.split()[1]) for line in peaks if line.startswith("VmHWM")) / 1024, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument("--pending", type=int, default=100_000)
    parser.add_argument("--few-endpoints", type=int, default=10)
    parser.add_argument("--events", type=int, default=20_000, help="delivered while it is measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the stores are made; default: the system's temporary folder")
    options = parser.parse_args()
    sizes = {
        "few": {"endpoints": options.few_endpoints, "pending": options.events},
        "many": {"endpoints": options.endpoints, "pending": max(options.pending, options.events)},
    }
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in sizes}
    with FastReceiver() as receiver:
        for _ in range(options.rounds):
            for name, size in sizes.items():
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    rounds[name].append(measure(Path(folder), receiver, events=options.events, **size))
    report: dict[str, Any] = {"machine": machine(options.folder or Path(tempfile.gettempdir())), **sizes}
    pairs = zip(rounds["many"], rounds["few"], strict=True)
    report["rate_ratio"] = median([m["deliveries_per_s"] / f["deliveries_per_s"] for m, f in pairs], 3)
    for key in ("started_s", "first_request_s", "engine_mib", "with_children_mib", "cpu_us_per_delivery"):
        report[key] = {name: median([r[key] for r in found], 3) for name, found in rounds.items()}
    print(json.dumps({**report, "rounds": rounds}, indent=2))


if __name__ == "__main__":
    main()
