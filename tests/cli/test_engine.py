"""`serve`, `status`, `stop`, `endpoints test` and the engine in the background, with a real engine."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from console.cli import background
from console.cli.background import AlreadyRunning, Started, ensure_engine
from console.cli.records import ENGINE_FIELDS
from console.config import EngineSettings
from console.domain.clock import SystemClock
from console.domain.errors import ConsoleError
from console.engine.lock import EngineLock
from console.store import open_store
from tests.cli.support import CommandLine, make_endpoint


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200 if self.path == "/ok" else 500)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(console: CommandLine) -> EngineSettings:
    return EngineSettings(store=console.store_path, allow_addresses=("127.0.0.0/8",), drain_s=2.0)


@pytest.fixture
def engine(console: CommandLine, settings: EngineSettings) -> Iterator[Started]:
    started = ensure_engine(settings)
    assert isinstance(started, Started)
    yield started
    console("stop")
    os.waitpid(started.pid, 0)


def test_status_start_again_and_stop(console: CommandLine, settings: EngineSettings, engine: Started) -> None:
    assert ensure_engine(settings) == AlreadyRunning(pid=engine.pid)
    assert engine.log.stat().st_mode & 0o777 == 0o600
    status = console("status", "--json")
    assert status.code == 0
    assert status.record["alive"] is True
    assert status.record["engine"]["pid"] == engine.pid
    assert set(status.record["engine"]) == set(ENGINE_FIELDS)
    assert status.record["size_bytes"] > 0
    assert f"alive: pid {engine.pid}" in console("status").out
    second = console("serve")
    assert second.code == 1
    assert f"pid {engine.pid}" in second.err
    assert second.err.count("\n") == 1
    assert console("send", "a.b", "--json").record["engine_alive"] is True
    assert console("stop", "--json").record == {"stopped": True, "pid": engine.pid, "was_running": True}
    gone = console("status")
    assert gone.code == 1
    assert "ended in order" in gone.out
    assert console("stop", "--json").record == {"stopped": True, "pid": None, "was_running": False}


def test_an_engine_that_holds_the_store_but_has_not_said_so_is_waited_for(
    console: CommandLine, settings: EngineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(console.store_path)
    other = EngineLock(console.store_path)
    other.acquire()

    def says_so(seconds: float) -> None:
        if "just starting" in Path(f"{console.store_path}.log").read_text():
            store.take_over(pid=4242, host="h", version="0", now_ms=SystemClock().now_ms())

    monkeypatch.setattr(background, "time", SimpleNamespace(sleep=says_so))
    try:
        assert ensure_engine(settings) == AlreadyRunning(pid=4242)
    finally:
        other.release()
        store.close()


def test_an_endpoint_is_tested(console: CommandLine, engine: Started, receiver: str) -> None:
    with_store = open_store(console.store_path)
    make_endpoint(with_store, "good", url=f"{receiver}/ok", types=("none",))
    make_endpoint(with_store, "bad", url=f"{receiver}/bad", policy={"schedule_s": (0.0,)})
    with_store.close()
    good = console("endpoints", "test", "good")
    assert good.code == 0
    assert good.out.startswith("good: delivered: HTTP 200")
    bad = console("endpoints", "test", "bad", "--json")
    assert bad.code == 1
    assert (bad.record["attempt"]["cause"], bad.record["attempt"]["status"]) == ("http_5xx", 500)


def test_an_engine_that_cannot_start_says_why(console: CommandLine) -> None:
    settings = EngineSettings(store=console.store_path, transport="carrier-pigeon")
    with pytest.raises(ConsoleError, match="carrier-pigeon"):
        ensure_engine(settings)
    assert console("status").code == 1


def test_a_log_that_cannot_be_written_is_said(console: CommandLine, settings: EngineSettings) -> None:
    open_store(console.store_path).close()
    Path(f"{console.store_path}.log").mkdir()
    with pytest.raises(ConsoleError, match=r"\.log: Is a directory"):
        ensure_engine(settings)


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--allow-address", "10.0.0.1/8"],
        ["serve", "--transport", "x"],
        ["serve", "--drain", "x"],
        ["serve", "--json"],
        ["demo", "--json"],
        ["demo", "--store", "x"],
        ["demo", "--rate", "0"],
    ],
)
def test_usage(console: CommandLine, arguments: list[str]) -> None:
    refused = console(*arguments)
    assert refused.code == 2
    assert refused.err.count("\n") == 1


def test_status_before_any_engine(console: CommandLine) -> None:
    assert console("status").code == 1
    open_store(console.store_path).close()
    status = console("status", "--json")
    assert (status.code, status.record["alive"], status.record["engine"]) == (1, False, None)
    assert "none has ever run" in console("status").out
