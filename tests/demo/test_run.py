"""`demo --headless` as a process: its report, and that nothing of it is left behind however it ends."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from console.demo.behaviours import CAST, Behaviour
from console.domain.clock import SystemClock
from console.domain.delivery import DeliveryState
from console.domain.errors import StoreError
from console.store import open_store

HANG_S = 60


@pytest.fixture
def seed() -> int:
    """A number by which the receivers' process is known."""
    return 1_000_000_000 + os.getpid()


def command(seed: int, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "console", "demo", "--headless", f"--seed={seed}", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """Temporary stores go to the test's folder, so that its processes are known by it."""
    return {**os.environ, "TMPDIR": str(folder)}


def left_running(folder: Path, seed: int) -> dict[int, str]:
    """Command lines, by PID, of the engine and the receivers of this demo."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                serves = " serve " in line and f"--store={folder}" in line
                if serves or f"receiver_process --seed {seed} " in line:
                    found[int(entry.name)] = line
    return found


def test_the_report_agrees_with_itself_and_every_behaviour_is_seen(tmp_path: Path, seed: int) -> None:
    done = subprocess.run(
        command(seed, "--seconds=4", "--rate=60", "--json"),
        env=environment(tmp_path),
        capture_output=True,
        timeout=HANG_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    assert 4 <= report["seconds"] < 5
    assert 200 <= report["events"] <= 300
    deliveries, endpoints = report["deliveries"], {e["endpoint"]: e for e in report["endpoints"]}
    assert deliveries.keys() == set(DeliveryState)
    assert deliveries["sending"] == 0
    assert {role.name for role in CAST} == endpoints.keys()
    for state in ("delivered", "pending", "failed"):
        assert sum(e[state] for e in endpoints.values()) == deliveries[state]
    assert sum(e["attempts"] for e in endpoints.values()) == report["attempts"]
    failures = sum(report["causes"].values())
    assert report["success_rate"] == pytest.approx((report["attempts"] - failures) / report["attempts"])
    assert report["attempts"] - failures == deliveries["delivered"]
    assert 0 < report["p50_ms"] <= report["p95_ms"] <= report["p99_ms"]
    assert {"http_5xx", "http_4xx", "http_3xx", "gone", "reset", "timeout_read"} <= report["causes"].keys()
    for role in CAST:
        one = endpoints[role.name]
        assert one["attempts"] > 0
        assert (one["state"] == "disabled") == (role.behaviour is Behaviour.GONE)
        if role.behaviour is Behaviour.HEALTHY:
            assert one["success_rate"] == 1.0
        elif role.behaviour in (Behaviour.DOWN, Behaviour.GONE, Behaviour.REDIRECTING):
            assert one["delivered"] == 0
        else:
            assert 0 < one["success_rate"] <= 1
    assert left_running(tmp_path, seed) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_kept_holds_what_the_report_says(tmp_path: Path, seed: int) -> None:
    kept = tmp_path / "kept.db"
    demo = command(seed, "--seconds=0.5", "--json", f"--keep-store={kept}")
    done = subprocess.run(demo, env=environment(tmp_path), capture_output=True, timeout=HANG_S, check=True)
    report = json.loads(done.stdout)
    store = open_store(kept, read_only=True)
    assert sum(g.delivered for g in store.gauges().values()) == report["deliveries"]["delivered"]
    status = store.engine_status()
    assert status is not None
    assert status.stopped_at_ms is not None
    store.close()
    again = subprocess.run(demo, env=environment(tmp_path), capture_output=True, timeout=HANG_S, check=False)
    assert again.returncode == 1
    assert b"exists already" in again.stderr
    assert again.stderr.count(b"\n") == 1
    assert left_running(tmp_path, seed) == {}


def test_an_interrupt_ends_it_with_a_report(tmp_path: Path, seed: int) -> None:
    with subprocess.Popen(
        command(seed, "--seconds=600"), env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        until_running(demo, tmp_path, seed)
        demo.send_signal(signal.SIGINT)
        out, error = demo.communicate(timeout=HANG_S)
    assert (demo.returncode, error) == (0, b"")
    assert b"warehouse" in out
    assert left_running(tmp_path, seed) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_killed_demo_leaves_nothing_running(tmp_path: Path, seed: int) -> None:
    with subprocess.Popen(command(seed, "--seconds=600"), env=environment(tmp_path)) as demo:
        running = until_running(demo, tmp_path, seed)
        assert len(running) == 2
        demo.kill()
        demo.wait(HANG_S)
        clock = SystemClock()
        until_s = clock.monotonic_s() + HANG_S
        while (left := left_running(tmp_path, seed)) and clock.monotonic_s() < until_s:
            select.select([], [], [], 0.05)
    assert left == {}


def until_running(demo: "subprocess.Popen[bytes]", folder: Path, seed: int) -> dict[int, str]:
    """The processes of a demo that delivers."""
    while True:
        assert demo.poll() is None
        stores = list(folder.glob("*/demo.db"))
        with suppress(StoreError):
            if stores and delivers(stores[0]):
                return left_running(folder, seed)
        select.select([], [], [], 0.02)


def delivers(path: Path) -> bool:
    store = open_store(path, read_only=True)
    try:
        return any(g.delivered for g in store.gauges().values())
    finally:
        store.close()
