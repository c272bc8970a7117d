"""Durable events a second through the HTTP API, beside the same framework answering without a store in the same run:
`python -m tests.bench intake_rate`.

Rounds alternate: the bare framework, then `serve --listen` on a store of its own, both over kept connections from a
process of its own. Each event is owed to one endpoint, which is paused, and answered when it is fsynced. Then half that
rate arrives by the clock while the endpoint is active and everything is delivered; and batches of a thousand. Prints
one JSON object.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from console.domain.endpoint import EndpointState
from console.domain.ids import new_endpoint_id
from console.domain.token import ALL_SCOPES
from console.operations.tokens import add_token
from console.store import open_store
from tests.bench.fast_receiver import FastReceiver
from tests.bench.http_load import load, post
from tests.bench.machine import load_1m, machine, median
from tests.bench.plain_api import PlainApi
from tests.engine_process import EngineProcess
from tests.factories import make_spec

BATCH = 1000


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Api:
    """`serve --listen` on a new store, with one endpoint that wants everything."""

    def __init__(self, folder: Path, url: str, *, paused: bool) -> None:
        self._path = folder / "store.db"
        store = open_store(self._path)
        try:
            spec = make_spec(name="receiver", url=url, policy={"max_in_flight": 256})
            endpoint = store.add_endpoint(new_endpoint_id(Random(1)), spec, _now_ms())
            if paused:
                store.set_endpoint_state(endpoint.id, EndpointState.PAUSED, "bench", _now_ms())
            given = {"actor": "bench", "now_ms": _now_ms(), "random": Random(1)}
            self.token = add_token(store, "bench", ALL_SCOPES, **given)[1]  # type: ignore[arg-type] # by name
        finally:
            store.close()
        self._engine = EngineProcess(self._path, log=folder / "log", arguments=("--listen", "127.0.0.1:0"))
        self.port = 0

    def __enter__(self) -> "Api":
        self._engine.__enter__()
        store = open_store(self._path, read_only=True)
        try:
            give_up_s = time.monotonic() + 30
            while not (urls := store.listening()) and time.monotonic() < give_up_s:
                time.sleep(0.02)
            self.port = int(urls[-1].rpartition(":")[2])
        finally:
            store.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.__exit__(None, None, None)

    def request(self, body: bytes) -> bytes:
        return post("/v1/events", body, authorization=f"Bearer {self.token}")

    def counted(self) -> tuple[int, int]:
        """How many deliveries there are, and how many were made."""
        store = open_store(self._path, read_only=True)
        try:
            gauges = list(store.gauges().values())
        finally:
            store.close()
        return sum(g.pending + g.sending + g.delivered for g in gauges), sum(g.delivered for g in gauges)

    def cpu_s(self) -> float:
        return self._engine.cpu_s()


def _event(size: int) -> bytes:
    return json.dumps({"type": "bench.event", "data": {"number": 1, "filler": "x" * size}}).encode()


def _costed(server: Api | PlainApi, port: int, request: bytes, **given: Any) -> dict[str, Any]:
    """A load, and what it cost the server: of that the machine's other work takes nothing away."""
    before_s = server.cpu_s()
    came = load(port, request, **given)
    return {**came, "cpu_us_per_request": round((server.cpu_s() - before_s) / max(1, came["answers"]) * 1e6)}


def _round(url: str, body: bytes, *, connections: int, seconds: float) -> dict[str, Any]:
    with PlainApi() as bare:
        request = post("/v1/events", body, authorization="Bearer whc_aaaaaaaaaaaa_" + "a" * 32)
        plain = _costed(bare, bare.port, request, connections=connections, seconds=seconds)
    with tempfile.TemporaryDirectory() as folder, Api(Path(folder), url, paused=True) as api:
        durable = _costed(api, api.port, api.request(body), connections=connections, seconds=seconds)
        durable["in_the_store"] = api.counted()[0]
    return {"bare": plain, "durable": durable, "ratio": round(durable["per_s"] / plain["per_s"], 3)}


def _delivering(url: str, body: bytes, *, rate: float, connections: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, Api(Path(folder), url, paused=False) as api:
        came = load(api.port, api.request(body), connections=connections, seconds=seconds, rate=rate)
        owed, delivered = api.counted()
    return {"rate_per_s": round(rate), **came, "owed": owed, "delivered_at_the_end": delivered}


def _batches(url: str, body: bytes, *, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, Api(Path(folder), url, paused=True) as api:
        batch = b"[" + b",".join([body] * BATCH) + b"]"
        came = _costed(api, api.port, api.request(batch), connections=2, seconds=seconds)
    return {"events_per_s": came["per_s"] * BATCH, "events_at_once": BATCH, **came}


def main() -> None:
    parser = argparse.ArgumentParser(prog="intake_rate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--body-bytes", type=int, default=256)
    options = parser.parse_args()
    body, load_before = _event(options.body_bytes), load_1m()
    with FastReceiver() as receiver:
        given = {"connections": options.connections, "seconds": options.seconds}
        rounds = [_round(receiver.url, body, **given) for _ in range(options.rounds)]
        durable = median([one["durable"]["per_s"] for one in rounds], 0)
        delivering = _delivering(receiver.url, body, rate=durable / 2, **given)
        batches = _batches(receiver.url, body, seconds=options.seconds)
    report: dict[str, Any] = {
        "machine": machine(Path(tempfile.gettempdir())),
        "load_1m": [load_before, load_1m()],
        "durability": "WAL, synchronous=FULL",
        "connections": options.connections,
        "body_bytes": len(body),
        "bare_per_s": median([one["bare"]["per_s"] for one in rounds], 0),
        "durable_per_s": durable,
        "ratio": median([one["ratio"] for one in rounds], 3),
        "rounds": rounds,
        "delivering_at_half": delivering,
        "batches": batches,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
