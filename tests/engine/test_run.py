"""`serve` as an operator runs it: a process, its log, its signals, and the lock."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.domain.clock import SystemClock
from console.engine.lock import lock_path
from console.store import Store
from tests.bench.fast_receiver import FastReceiver
from tests.factories import add_endpoint, make_event
from tests.served import HANG_S, command, serving


def run(path: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command(path, *arguments), capture_output=True, timeout=HANG_S, check=False)


def assert_one_line(error: bytes) -> str:
    assert error.count(b"\n") == 1, error
    assert error.startswith(b"webhook-console: ")
    return error.decode()


def now_ms() -> int:
    return SystemClock().now_ms()


def until_delivered(store: Store, count: int) -> None:
    """Returns when so many are delivered; the test's time limit ends it otherwise."""
    while sum(g.delivered for g in store.gauges().values()) < count:
        select.select([], [], [], 0.005)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_with_0(store: Store, number: int) -> None:
    with FastReceiver(delay_ms=1000) as receiver:
        add_endpoint(store, url=receiver.url, now_ms=now_ms())
        store.accept([make_event() for _ in range(5)], now_ms())
        with serving(store.path, "--drain=20s") as served:
            while receiver.count() < 5:
                select.select([], [], [], 0.005)
            served.process.send_signal(number)
            assert served.end() == 0
    assert sum(g.delivered for g in store.gauges().values()) == 5
    assert [e["event"] for e in served.entries] == ["started", "stopping", "stopped"]
    started, stopping, _ = served.entries
    assert (started["pid"], started["store"], started["recovered"]) == (served.process.pid, str(store.path), 0)
    assert (stopping["why"], stopping["in_flight"]) == (signal.Signals(number).name, 5)
    assert all(datetime.fromisoformat(e["timestamp"]) and e["level"] for e in served.entries)
    status = store.engine_status()
    assert status is not None
    assert status.stopped_at_ms is not None


SIGNALLED = """
import atexit, os, pathlib, signal, sys
from console.config import EngineSettings
from console.engine import run

def signal_me():
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))

def signalled_before(holder, name):
    work = getattr(holder, name)
    setattr(holder, name, lambda *given, **named: (signal_me(), work(*given, **named))[1])

signalled_before(run, sys.argv[3])  # while it starts
signalled_before(run.EngineLock, "release")  # its loop has ended
atexit.register(signal_me)
raise SystemExit(run.run_engine(EngineSettings(store=pathlib.Path(sys.argv[1])), log_format="json"))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("while_starting", ["prepare", "Supervisor"])
def test_a_signal_at_any_moment_ends_in_order(store: Store, number: signal.Signals, while_starting: str) -> None:
    arguments = [str(store.path), number.name, while_starting]
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED, *arguments], capture_output=True, timeout=HANG_S, check=False
    )
    assert ended.returncode == 0, ended.stderr
    entries = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [e["event"] for e in entries] == ["stopping", "started", "stopped"]
    assert entries[0]["why"] == number.name
    status = store.engine_status()
    assert status is not None
    assert status.stopped_at_ms is not None


def test_a_second_engine_is_refused(store: Store) -> None:
    with serving(store.path) as served:
        before = store.engine_status()
        second = run(store.path)
        assert second.returncode == 1
        said = assert_one_line(second.stderr)
        assert before is not None
        since = datetime.fromtimestamp(before.started_at_ms / 1000, UTC).isoformat(timespec="seconds")
        assert f"pid {served.process.pid} since {since}" in said
        after = store.engine_status()
        assert after is not None
        assert (after.epoch, after.pid) == (before.epoch, before.pid)


def test_the_lock_file_of_a_dead_engine_is_no_obstacle(store: Store) -> None:
    with serving(store.path) as first:
        first.process.kill()
        assert first.end() == -signal.SIGKILL
    assert lock_path(store.path).exists()
    with serving(store.path) as second:
        assert second.named("started")[0]["epoch"] == 2
        second.process.terminate()
        assert second.end() == 0


def test_it_ends_when_its_standard_input_does(store: Store) -> None:
    with serving(store.path, "--stop-on-eof", stdin=subprocess.PIPE) as served:
        assert served.process.stdin is not None
        served.process.stdin.write(b"what comes is not read for anything\n")
        served.process.stdin.close()
        assert served.end() == 0
    assert served.named("stopping")[0]["why"] == "standard input closed"


def test_a_fenced_engine_ends_with_one_line(store: Store) -> None:
    with FastReceiver(delay_ms=60_000) as receiver:
        add_endpoint(store, url=receiver.url, now_ms=now_ms(), policy={"timeout_s": 100})
        store.accept([make_event() for _ in range(3)], now_ms())
        with serving(store.path) as served:
            while sum(g.sending for g in store.gauges().values()) < 3:
                select.select([], [], [], 0.005)
            epoch = store.take_over(pid=os.getpid(), host="elsewhere", version="0", now_ms=now_ms())
            assert served.end() == 1
    assert [json.loads(line)["event"] for line in served.lines[:-1]] == ["started"]
    assert f"engine {epoch} has taken over" in assert_one_line(served.lines[-1])


@pytest.mark.parametrize("network", ["10.0.0.1/8", "nowhere", "300.0.0.0/8"])
def test_a_network_that_is_none_is_refused(store_path: Path, network: str) -> None:
    refused = run(store_path, f"--allow-address={network}")
    assert refused.returncode == 2
    assert network in assert_one_line(refused.stderr)
    by_environment = subprocess.run(
        command(store_path),
        env={**os.environ, "WEBHOOK_CONSOLE_ALLOW_ADDRESSES": network},
        capture_output=True,
        timeout=HANG_S,
        check=False,
    )
    assert by_environment.returncode in (1, 2)
    assert network in assert_one_line(by_environment.stderr)


def test_a_ca_file_that_holds_none_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing here")
    for name in ("ca.pem", "missing.pem"):
        refused = run(store.path, f"--ca-file={tmp_path / name}")
        assert refused.returncode == 1
        assert name in assert_one_line(refused.stderr)


def test_a_failure_is_a_line_of_json_that_says_why(store: Store) -> None:
    add_endpoint(store, url="http://127.0.0.1:9/", now_ms=now_ms(), policy={"schedule_s": (0.0,)})
    (accepted,) = store.accept([make_event()], now_ms())
    with serving(store.path) as served:
        line = served.wait_for_log("delivery failed")
        assert line["event_id"] == accepted.id
        assert re.match(r"refused: .*127\.0\.0\.1:9.*; schedule exhausted after 1 try", line["why"])


def test_what_a_killed_engine_left_is_said_at_the_next_start(store: Store) -> None:
    with FastReceiver(delay_ms=60_000) as receiver:
        add_endpoint(store, url=receiver.url, now_ms=now_ms(), policy={"timeout_s": 100})
        store.accept([make_event() for _ in range(4)], now_ms())
        with serving(store.path) as served:
            while sum(g.sending for g in store.gauges().values()) < 4:
                select.select([], [], [], 0.005)
            served.process.kill()
            served.end()
        with serving(store.path) as served:
            assert served.named("started")[0]["recovered"] == 4
