"""The engine beside BullMQ on Redis, doing the same signed POSTs: `python -m tests.bench bullmq_rate`.

Rounds alternate: the bare transport, the engine, BullMQ; one receiver, one payload, as many in flight. The engine has
fsynced every attempt; Redis fsyncs its log once a second (`appendfsync everysec`), so a power cut costs it a second's
worth of jobs. Needs redis-server, node and npm; the node packages go into a temporary folder. Prints one JSON object.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.bench.engine_rate import ceiling, drain
from tests.bench.fast_receiver import FastReceiver
from tests.bench.machine import load_1m, machine, median

PROGRAM = Path(__file__).with_name("bullmq")
_START_S = 10.0


def install(folder: Path) -> dict[str, str]:
    """The worker and its packages in `folder`. Returns their versions. Ends the program when something is missing."""
    missing = [name for name in ("redis-server", "node", "npm") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"{', '.join(missing)}: not found: install them (apt-get install redis-server nodejs npm)")
    for name in ("package.json", "worker.mjs"):
        shutil.copy(PROGRAM / name, folder)
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    if subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL).returncode:
        raise SystemExit("npm install failed: the packages of tests/bench/bullmq/package.json are needed")
    packages: dict[str, str] = json.loads((folder / "package.json").read_text())["dependencies"]
    for name, argument in (("redis-server", "--version"), ("node", "--version")):
        packages[name] = subprocess.run([name, argument], capture_output=True, text=True, check=True).stdout.strip()
    return packages


@contextmanager
def redis(folder: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """A Redis of its own on a free port, that fsyncs its log once a second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + _START_S
        while time.monotonic() < until_s:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        yield port, process
    finally:
        process.terminate()
        process.wait(timeout=30)


def drain_bullmq(folder: Path, url: str, *, events: int, body: bytes, in_flight: int, program: Path) -> dict[str, Any]:
    """One worker drains a queue that was filled before it began."""
    with redis(folder) as (port, server):
        given = {"redis": port, "url": url, "jobs": events, "inFlight": in_flight, "body": body.decode()}
        command = ["node", "worker.mjs", json.dumps(given)]
        done = subprocess.run(command, cwd=program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=900)
        if done.returncode:
            raise SystemExit(f"the worker ended with {done.returncode}: {done.stdout.decode()[-2000:]}")
        fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        redis_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    found: dict[str, Any] = {k: round(v, 1) for k, v in json.loads(done.stdout.splitlines()[-1]).items()}
    return {**found, "redis_cpu_us_per_job_with_filling": round(redis_s / events * 1e6, 1), "load_1m": load_1m()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bullmq_rate", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of the bare transport in each round")
    parser.add_argument("--body-bytes", type=int, default=1024)
    parser.add_argument("--in-flight", type=int, action="append", help="repeatable. Default: 64 256")
    options = parser.parse_args()
    body = os.urandom(options.body_bytes // 2).hex().encode()
    report: dict[str, Any] = {"machine": machine(Path(tempfile.gettempdir())), "body_bytes": len(body)}
    report |= {"events": options.events, "durability": {"engine": "fsync of each attempt", "bullmq": "everysec"}}
    with tempfile.TemporaryDirectory() as place, FastReceiver() as receiver:
        program = Path(place)
        report["versions"] = install(program)
        for in_flight in options.in_flight or (64, 256):
            rounds = [_round(receiver, program, options, body, in_flight) for _ in range(options.rounds)]
            report[f"in_flight_{in_flight}"] = {
                "engine/bare": _ratio(rounds, "engine", "bare"),
                "bullmq/bare": _ratio(rounds, "bullmq", "bare"),
                "engine/bullmq": _ratio(rounds, "engine", "bullmq"),
                "rounds": rounds,
            }
    print(json.dumps(report, indent=2))


def _round(
    receiver: FastReceiver, program: Path, options: argparse.Namespace, body: bytes, in_flight: int
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "bare": ceiling(receiver, seconds=options.seconds, body=body, in_flight=in_flight, transport="pyreqwest")
    }
    amount: dict[str, Any] = {"events": options.events, "body": body}
    with tempfile.TemporaryDirectory() as folder:
        found["engine"] = drain(Path(folder), receiver.url, max_in_flight=in_flight, transport="pyreqwest", **amount)
    with tempfile.TemporaryDirectory() as folder:
        found["bullmq"] = drain_bullmq(Path(folder), receiver.url, in_flight=in_flight, program=program, **amount)
    return found


def _ratio(rounds: list[dict[str, Any]], one: str, other: str) -> float:
    """The median over rounds, of neighbours in time."""
    rate = {"bare": "requests_per_s", "engine": "deliveries_per_s", "bullmq": "jobs_per_s"}
    return median([r[one][rate[one]] / r[other][rate[other]] for r in rounds], 3)


if __name__ == "__main__":
    main()
