"""What new events notice of a bulk retry: `python -m tests.bench bulk_retry`.
The long run: `--failed 100000 --rounds 3`.

One engine and two endpoints: one is owed new events at a fixed rate, the other one has failed deliveries by the
thousand, and is well again. Latency of the new ones is measured first with nothing beside them, then while the failed
ones are retried all at once, then at a rate. Prints one JSON object.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId
from console.operations.deliveries import begin_retry
from console.store import Store, open_store
from console.store.sqlite.connection import Connection
from tests.bench.engine_latency import WARM_UP_S, arrive
from tests.bench.fast_receiver import FastReceiver
from tests.bench.isolation import BODY, add, pile_up
from tests.bench.machine import load_1m, machine, median, spread
from tests.bench.upkeep import Receiver
from tests.engine_process import EngineProcess

_GIVE_UP_S = 300.0
_FAIL = """
UPDATE deliveries SET state = 'failed', next_attempt_at = NULL, attempts = 1, step = 10, last_cause = 'http_5xx'
WHERE endpoint = ? AND state = 'pending'
"""
_FAIL_GAUGE = "UPDATE gauges SET failed = failed + pending, pending = 0 WHERE endpoint = ?"


def make_failed(path: Path, store: Store, endpoint: EndpointId, count: int) -> None:
    """So many failed deliveries of an endpoint. No engine runs."""
    pile_up(store, "for.failing", count)
    connection = Connection(path, read_only=False)
    connection.prepare()
    with connection.transaction():
        seq = store.find_endpoint(endpoint).seq
        connection.run(_FAIL, (seq,))
        connection.run(_FAIL_GAUGE, (seq,))
    connection.close()


def measure(folder: Path, url: str, rate_per_s: float | None, options: argparse.Namespace) -> dict[str, Any]:
    """The latency of new events without a retry and with one, on one store."""
    path, receiver = folder / "store.db", Receiver()
    store = open_store(path)
    try:
        fresh = add(store, "fresh", receiver.url, "bench.event")
        failing = add(store, "failing", url, "for.failing")
        make_failed(path, store, failing, options.failed)
        with EngineProcess(path, log=folder / "engine.log") as engine:
            without = arrive(store, rate_per_s=options.rate, seconds=options.seconds, body=BODY)
            where = DeliveryFilter(endpoints=(failing,), states=(DeliveryState.FAILED,))
            began_s, now_ms = time.perf_counter(), time.time_ns() // 1_000_000
            operation = begin_retry(store, where, actor="bench", now_ms=now_ms, rate_per_s=rate_per_s)
            begun_s = time.perf_counter() - began_s
            beside = arrive(store, rate_per_s=options.rate, seconds=options.seconds, body=BODY)
            done_meanwhile = store.operation(operation.id).done
            _until_delivered(store, fresh, len(without) + len(beside), began_s)
            drained_s = None if rate_per_s else _until_delivered(store, failing, options.failed, began_s)
            cpu_s = engine.cpu_s()
    finally:
        store.close()
        came_ns = receiver.came_ns()
    return {
        "without_ms": _latency(without, came_ns),
        "beside_ms": _latency(beside, came_ns),
        "accept_without_ms": spread([(done - due) / 1e6 for _, due, done in without], 2),
        "accept_beside_ms": spread([(done - due) / 1e6 for _, due, done in beside], 2),
        "begun_s": round(begun_s, 3),
        "moved_while_measured": done_meanwhile,
        "all_delivered_s": drained_s,
        "engine_cpu_s": round(cpu_s, 2),
        "load_1m": load_1m(),
    }


def _until_delivered(store: Store, endpoint: EndpointId, count: int, began_s: float) -> float:
    while store.gauges()[endpoint].delivered < count:
        if time.perf_counter() - began_s > _GIVE_UP_S:
            raise SystemExit(f"{store.gauges()[endpoint]} after {_GIVE_UP_S:g} s")
        time.sleep(0.1)
    return round(time.perf_counter() - began_s, 2)


def _latency(accepted: list[tuple[str, int, int]], came_ns: dict[str, int]) -> dict[str, float]:
    """From acceptance to the receiver's hands; what never came counts as 60 s."""
    counted = [a for a in accepted if a[1] >= accepted[0][1] + WARM_UP_S * 1e9]
    return spread([(came_ns.get(id_, done + 60 * 10**9) - done) / 1e6 for id_, _, done in counted], 2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bulk_retry", description=__doc__)
    parser.add_argument("--failed", type=int, default=20_000)
    parser.add_argument("--retry-rate", type=float, default=500, help="deliveries a second, of the retry at a rate")
    parser.add_argument("--rate", type=float, default=200, help="new events a second")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(Path(tempfile.gettempdir()))} | vars(options)
    rounds: dict[str, list[dict[str, Any]]] = {"at_once": [], "at_a_rate": []}
    with FastReceiver() as well_again:
        for _ in range(options.rounds):
            for name, found in rounds.items():
                rate_per_s = options.retry_rate if name == "at_a_rate" else None
                with tempfile.TemporaryDirectory() as folder:
                    found.append(measure(Path(folder), well_again.url, rate_per_s, options))
    for name, found in rounds.items():
        report[name] = {
            f"{q}_ms": [median([r[which][q] for r in found], 2) for which in ("without_ms", "beside_ms")]
            for q in ("p50", "p99")
        }
    print(json.dumps({**report, "rounds": rounds}, indent=2))


if __name__ == "__main__":
    main()
