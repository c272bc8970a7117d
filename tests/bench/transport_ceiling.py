"""Requests a second of the bare transports, as the ceiling of the engine: `python -m tests.bench.transport_ceiling`.

Prints one JSON object. The receiver is another process on the same machine, so on two cores it costs about half.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from typing import Any, get_args

import uvloop

from console.domain.addresses import AddressPolicy
from console.domain.clock import SystemClock
from console.domain.outcome import Request, Response
from console.engine.transport import TransportKind, make_transport
from console.engine.transport.guard import AddressGuard
from tests.bench.fast_receiver import FastReceiver

_HEADERS = (
    ("content-type", "application/json"),
    ("user-agent", "webhook-console/bench"),
    ("webhook-id", "evt_01JD0000000000000000000000"),
    ("webhook-timestamp", "1614265330"),
    ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
)


async def measure(kind: TransportKind, url: str, *, in_flight: int, seconds: float, body: bytes) -> dict[str, Any]:
    """Keeps `in_flight` requests going for `seconds`, after a warm-up of half a second."""
    clock = SystemClock()
    transport = make_transport(kind, AddressGuard(AddressPolicy.parse(["127.0.0.0/8"]), clock=clock), clock=clock)
    request = Request(url=url, headers=_HEADERS, body=body, connect_timeout_s=5, total_timeout_s=15)
    from_s = time.perf_counter() + 0.5
    until_s = from_s + seconds
    latencies_ms: list[float] = []
    failures = 0

    async def sends() -> None:
        nonlocal failures
        while (now_s := time.perf_counter()) < until_s:
            outcome = await transport.send(request)
            if not isinstance(outcome, Response):
                failures += 1
            elif now_s >= from_s:
                latencies_ms.append(outcome.total_ms)

    await asyncio.gather(*(sends() for _ in range(in_flight)))
    await transport.aclose()
    if len(latencies_ms) < 2:
        raise SystemExit(f"{kind}: {failures} failures and no answers to measure")
    cuts = statistics.quantiles(latencies_ms, n=100)
    return {
        "requests_per_s": round(len(latencies_ms) / seconds),
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "failures": failures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=get_args(TransportKind), action="append")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--body-bytes", type=int, default=1024)
    parser.add_argument("--delay-ms", type=float, default=0)
    options = parser.parse_args()
    report: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
        "in_flight": options.in_flight,
        "seconds": options.seconds,
        "body_bytes": options.body_bytes,
        "receiver_delay_ms": options.delay_ms,
    }
    body = b"x" * options.body_bytes
    for kind in options.kind or get_args(TransportKind):
        with FastReceiver(delay_ms=options.delay_ms) as receiver:
            measured = measure(kind, receiver.url, in_flight=options.in_flight, seconds=options.seconds, body=body)
            report[kind] = {**uvloop.run(measured), "received": receiver.count()}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
