"""The receivers in their own process: they start, answer, and leave nothing behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from console.demo.behaviours import Behaviour
from console.demo.receiver_process import start_receivers
from console.domain.errors import ConsoleError
from tests.demo.test_receivers import ask_once, signed


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_specs_and_counts_come_across() -> None:
    with start_receivers(5) as process:
        assert {spec.behaviour for spec in process.specs} == set(Behaviour)
        crm = process.specs[0]
        reply = asyncio.run(ask_once(crm, signed(crm, "evt_1", now_ms=time.time_ns() // 1_000_000)))
        assert reply.status == 200
        counts = process.counts()["crm"]
        assert (counts.requests, counts.answers, counts.events) == (1, {"200": 1}, 1)


def test_stop_leaves_no_child_and_may_be_repeated() -> None:
    process = start_receivers(5)
    assert is_alive(process.pid)
    process.stop()
    process.stop()
    assert not is_alive(process.pid)
    with pytest.raises(ConsoleError):
        process.counts()


def test_a_child_that_died_is_said_in_one_line() -> None:
    with start_receivers(5) as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ConsoleError, match=r"^the demo's receivers (ended|are gone)"):
            process.counts()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: int) -> None:
    command = [sys.executable, "-m", "console.demo.receiver_process"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline().startswith(b"[{")
        child.send_signal(number)
        assert child.wait(10) == 0
        assert child.stderr.read() == b""


def test_it_ends_when_stdin_is_at_its_end_whatever_stdin_is() -> None:
    command = [sys.executable, "-m", "console.demo.receiver_process"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=True)
    assert ended.stdout.count(b"\n") == 1
    assert ended.stderr == b""


def test_it_dies_with_a_parent_that_was_killed() -> None:
    script = (
        "import signal\n"
        "from console.demo.receiver_process import start_receivers\n"
        "process = start_receivers(5)\n"
        "print(process.specs[0].url, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        url = urlsplit(parent.stdout.readline().decode().strip())
        assert url.hostname is not None
        assert url.port is not None
        with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
            parent.kill()
            assert connection.recv(1) == b""  # the receiver's end is gone
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((url.hostname, url.port), timeout=20)
