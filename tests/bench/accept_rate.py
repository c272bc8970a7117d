"""Events a second through `send --ndjson` and through the library, and how fast `send` starts:
`python -m tests.bench accept_rate`.

The whole command is measured, from the start of its process to its end. The library call is `Store.accept` of a
thousand events at once, and of one; each is answered when it is fsynced. Starts alternate with those of an empty
Python. Prints one JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from console.domain.event import NewEvent
from console.domain.ids import new_endpoint_id
from console.store import open_store
from tests.bench.machine import load_1m, machine, median
from tests.factories import make_spec


def seconds_of(command: Sequence[str]) -> float:
    """How long a command takes. Raises CalledProcessError when it fails."""
    began_s = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.perf_counter() - began_s


def rate_of_calls(path: Path, *, events: int, at_once: int, filler: str) -> float:
    """Events a second that `Store.accept` takes, so many in one call."""
    _make_store(path)
    payload = json.dumps({"number": 1, "filler": filler}).encode()
    store = open_store(path)
    try:
        began_s = time.perf_counter()
        for start in range(0, events, at_once):
            batch = [NewEvent(type="bench.event", payload=payload) for _ in range(min(at_once, events - start))]
            store.accept(batch, time.time_ns() // 1_000_000)
        return events / (time.perf_counter() - began_s)
    finally:
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="accept_rate", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=10)
    options = parser.parse_args()
    script = str(Path(sys.executable).with_name("webhook-console"))
    load, rates = [load_1m()], list[float]()
    calls: dict[int, list[float]] = {1000: [], 1: []}
    starts: dict[str, list[float]] = {"python": [], "send": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = folder / "events.ndjson"
        filler = "x" * 900
        with lines.open("w") as file:
            for number in range(options.events):
                event = {"type": "bench.event", "data": {"number": number, "filler": filler}}
                file.write(json.dumps(event) + "\n")
        for round_ in range(options.rounds):
            path = folder / f"{round_}.db"
            _make_store(path)
            rates.append(options.events / seconds_of([script, "--store", str(path), "send", "--ndjson", str(lines)]))
            for at_once, found in calls.items():
                path = folder / f"{round_}-{at_once}.db"
                events = options.events if at_once > 1 else options.events // 20
                found.append(rate_of_calls(path, events=events, at_once=at_once, filler=filler))
        path = folder / "starts.db"
        _make_store(path)
        for _ in range(options.starts):
            starts["python"].append(seconds_of([sys.executable, "-c", "pass"]))
            starts["send"].append(seconds_of([script, "--store", str(path), "send", "bench.event", "--data", "{}"]))
    load.append(load_1m())
    report: dict[str, Any] = {
        "machine": machine(Path(tempfile.gettempdir())),
        "load_1m": load,
        "durability": "WAL, synchronous=FULL",
        "events": options.events,
        "line_bytes": len(filler),
        "events_per_s": median(rates, 0),
        "rounds": [round(rate) for rate in rates],
        "library_events_per_s": {f"{at_once} at once": median(found, 0) for at_once, found in calls.items()},
        "start_s": {name: median(seconds, 3) for name, seconds in starts.items()},
    }
    print(json.dumps(report, indent=2))


def _make_store(path: Path) -> None:
    """With one endpoint, to which each event is owed."""
    store = open_store(path)
    store.add_endpoint(new_endpoint_id(Random(1)), make_spec(), time.time_ns() // 1_000_000)
    store.close()


if __name__ == "__main__":
    main()
