"""What deliveries notice of retention and of a backup: `python -m tests.bench upkeep`.

A store with a long past, an engine, and events at a fixed rate. Latency is that of `engine_latency` (from acceptance to
the receiver's hands), first with nothing beside the deliveries, then while old ones are deleted, then while the store
is copied, all in one run. Prints one JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from console.domain.ids import new_endpoint_id
from console.domain.retention import Retention
from console.engine.retaining import FIRST_AFTER_S
from console.store import Store, open_store
from console.store.sqlite.connection import Connection
from tests.bench.engine_latency import WARM_UP_S, arrive
from tests.bench.machine import load_1m, machine, spread
from tests.engine_process import EngineProcess
from tests.factories import make_spec

_SETTLE_S = 20.0
DAY_MS = 24 * 3600 * 1000
_EVENTS = "INSERT INTO events (seq, id, type, payload, accepted_at, source) VALUES (?, ?, 'bench.event', ?, ?, 'cli')"
_DELIVERIES = """
INSERT INTO deliveries
  (id, event, endpoint, state, attempts, step, last_status, last_attempt_at, created_at, updated_at)
VALUES (?, ?, 1, 'delivered', 1, 1, 200, ?, ?, ?)
"""
_ATTEMPTS = """
INSERT INTO attempts (id, delivery, endpoint, number, manual, started_at, ended_at, status, total_ms)
VALUES (?, ?, 1, 1, 0, ?, ?, 200, 3.0)
"""
_EXCHANGES = """
INSERT INTO exchanges (attempt, url, request_headers, response_headers, response_body, truncated, remote_address)
VALUES (?, 'http://127.0.0.1/hook', ?, ?, ?, 0, '127.0.0.1')
"""
_HEADERS = json.dumps([["content-type", "application/json"], ["webhook-signature", "v1," + "x" * 44]] * 3)


def fill(path: Path, count: int, body: bytes) -> None:
    """So many deliveries of 40 days ago."""
    at, chunk = time.time_ns() // 1_000_000 - 40 * DAY_MS, 20_000
    with closing(Connection(path, read_only=False)) as connection:
        connection.prepare()
        for start in range(1, count + 1, chunk):
            span = range(start, min(start + chunk, count + 1))
            with connection.transaction():
                connection.run_many(_EVENTS, ((i, f"evt_old{i:010}", body, at + i) for i in span))
                connection.run_many(_DELIVERIES, ((i, i, at + i, at + i, at + i) for i in span))
                connection.run_many(_ATTEMPTS, ((i, i, at + i, at + i + 3) for i in span))
                connection.run_many(_EXCHANGES, ((i, _HEADERS, _HEADERS, b'{"ok":true}') for i in span))
            connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.run("INSERT INTO gauges (endpoint, delivered) VALUES (1, ?)", (count,))


class Receiver:
    """The stamping receiver, in its process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.stamping_receiver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/hook"

    def came_ns(self) -> dict[str, int]:
        """When each event came; ends the receiver."""
        output, _ = self._process.communicate("", timeout=60)
        return {event_id: int(at) for event_id, at in (line.split() for line in output.splitlines())}


Accepted = list[tuple[str, int, int]]


def _spread(accepted: Accepted, came_ns: dict[str, int]) -> dict[str, Any]:
    counted = [a for a in accepted if a[1] >= accepted[0][1] + WARM_UP_S * 1e9]
    arrived = [(came_ns[id_] - done) / 1e6 for id_, _, done in counted if id_ in came_ns]
    return {
        "events": len(counted),
        "missing": len(counted) - len(arrived),
        "from_acceptance_ms": spread(arrived, 2),
        "accept_ms": spread([(done - due) / 1e6 for _, due, done in counted], 2),
    }


def _delivered(store: Store) -> int:
    return sum(gauge.delivered for gauge in store.gauges().values())


def _backups(path: Path, copy: Path, until: threading.Event) -> list[dict[str, Any]]:
    """One after the other, each by the command, until it is time to end."""
    made: list[dict[str, Any]] = []
    while not until.is_set():
        command = [sys.executable, "-m", "console", "backup", str(copy), "--force", "--json", "--store", str(path)]
        record = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        made.append({key: value for key, value in record.items() if key != "path"})
    return made


def _arrivals(store: Store, options: argparse.Namespace, body: bytes) -> Accepted:
    accepted = arrive(store, rate_per_s=options.rate, seconds=options.seconds, body=body)
    give_up_s = time.monotonic() + _SETTLE_S
    while any(gauge.pending or gauge.sending for gauge in store.gauges().values()) and time.monotonic() < give_up_s:
        time.sleep(0.05)
    return accepted


def run(folder: Path, options: argparse.Namespace, body: bytes) -> dict[str, Any]:
    """All phases on one store."""
    receiver, path = Receiver(), folder / "store.db"
    report: dict[str, Any] = {}
    phases: dict[str, Accepted] = {}
    with closing(open_store(path)) as store:
        store.add_endpoint(new_endpoint_id(Random(1)), make_spec(name="receiver", url=receiver.url), 0)
        store.set_retention(Retention(delivered_s=0, failed_s=0, cancelled_s=0), 0)
        fill(path, options.old, body)
        report["store_mib"] = store.space().file_bytes >> 20
        with EngineProcess(path, log=folder / "engine.log"):
            phases["nothing"] = _arrivals(store, options, body)
            until = threading.Event()
            with ThreadPoolExecutor(1) as pool:
                made = pool.submit(_backups, path, folder / "copy.db", until)
                phases["backup"] = _arrivals(store, options, body)
                until.set()
                report["backups"] = made.result()
            phases["nothing again"] = _arrivals(store, options, body)
        store.set_retention(Retention(delivered_s=30 * DAY_MS / 1000), 0)
        with EngineProcess(path, log=folder / "engine.log"):
            before, give_up_s = _delivered(store), time.monotonic() + 3 * FIRST_AFTER_S
            while _delivered(store) == before and time.monotonic() < give_up_s:
                time.sleep(0.05)
            before, began_s = _delivered(store), time.monotonic()
            phases["retention"] = _arrivals(store, options, body)
            gone = before + len(phases["retention"]) - _delivered(store)
            report["deleted_per_s"] = round(gone / (time.monotonic() - began_s))
            time.sleep(2)
    came = receiver.came_ns()
    report["phases"] = {name: _spread(accepted, came) for name, accepted in phases.items()}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(prog="upkeep", description=__doc__)
    parser.add_argument("--old", type=int, default=200_000, help="deliveries of 40 days ago")
    parser.add_argument("--rate", type=float, default=500, help="events a second")
    parser.add_argument("--seconds", type=float, default=10, help="of each phase, after one second of warm-up")
    parser.add_argument("--body-bytes", type=int, default=1024)
    parser.add_argument("--folder", type=Path, help="where the store is made; default: the system's temporary folder")
    options = parser.parse_args()
    body = b'{"x": "' + b"x" * (options.body_bytes - 9) + b'"}'
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        report = run(Path(folder), options, body)
    loads = {"load_1m": load_1m()}
    print(json.dumps({"machine": machine(Path(tempfile.gettempdir())), **loads, **report}, indent=2))


if __name__ == "__main__":
    main()
