"""Bulk operations across deaths of processes: what one had not committed the next one does, and nothing twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.domain.clock import SystemClock
from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.ids import format_number
from console.operations.deliveries import begin_retry
from console.store import Store, open_store
from tests.engine_process import EngineProcess
from tests.factories import add_endpoint, attempt_all, failed, make_event, start_engine
from tests.store.recount import assert_gauges_agree

TOTAL = 1500
PER_S = 1000
HANG_S = 60.0
FAILED = DeliveryFilter(states=(DeliveryState.FAILED,))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Failed deliveries of a paused endpoint: what is made due waits to be counted."""
    with closing(open_store(tmp_path / "store.db")) as store:
        now_ms = SystemClock().now_ms()
        endpoint = add_endpoint(store, name="billing", now_ms=now_ms)
        store.accept([make_event() for _ in range(TOTAL)], now_ms)
        with closing(open_store(store.path)) as gone:
            epoch = start_engine(gone, now_ms=now_ms)
            attempt_all(gone, epoch, failed(), now_ms=now_ms, limit=TOTAL)
            gone.release(epoch=epoch, now_ms=now_ms)
        store.set_endpoint_state(endpoint.id, EndpointState.PAUSED, None, now_ms)
        yield store


def until(look: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + HANG_S
    while not look():
        assert time.monotonic() < deadline_s, "it hangs"
        time.sleep(0.01)


def command(store: Store, *arguments: str) -> "subprocess.Popen[str]":
    line = [sys.executable, "-P", "-m", "console", f"--store={store.path}", *arguments]
    return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def assert_all_moved_once(store: Store) -> None:
    (operation,) = store.operations(limit=1)
    assert (operation.done, operation.total, operation.is_open) == (TOTAL, TOTAL, False)
    assert store.count_undoable(operation.id) == TOTAL
    assert [gauge.pending for gauge in store.gauges().values()] == [TOTAL]
    assert_gauges_agree(store)


def test_engines_that_are_killed_in_its_midst(store: Store) -> None:
    operation = begin_retry(store, FAILED, actor="ada", now_ms=SystemClock().now_ms(), rate_per_s=PER_S)
    for reached in (1, 400, 900):
        with EngineProcess(store.path) as engine:
            until(lambda reached=reached: store.operation(operation.id).done >= reached)  # type: ignore[misc]  # reached is bound in the loop
            os.kill(engine.pid, signal.SIGKILL)
        assert store.operation(operation.id).is_open
    with EngineProcess(store.path):
        until(lambda: not store.operation(operation.id).is_open)
    assert_all_moved_once(store)


def test_a_command_that_is_killed_and_the_engine_that_comes_later(store: Store) -> None:
    with command(store, "deliveries", "retry", "--endpoint", "billing", f"--rate={PER_S}/s", "--yes") as begun:
        until(lambda: any(operation.done for operation in store.open_operations()))
        begun.kill()
    (operation,) = store.open_operations()
    with EngineProcess(store.path):
        until(lambda: not store.operation(operation.id).is_open)
    assert_all_moved_once(store)


def test_ctrl_c_leaves_it_and_another_command_goes_on(store: Store) -> None:
    with command(store, "deliveries", "retry", "--endpoint", "billing", f"--rate={PER_S}/s", "--yes") as begun:
        until(lambda: any(operation.done for operation in store.open_operations()))
        begun.send_signal(signal.SIGINT)
        _, said = begun.communicate(timeout=HANG_S)
    (operation,) = store.open_operations()
    name = format_number("op", operation.id)
    assert begun.returncode == 130
    assert f"no engine is running: the next one goes on with {name}" in said
    with command(store, "operations", "watch", name) as watching:
        out, _ = watching.communicate(timeout=HANG_S)
    assert (watching.returncode, out) == (0, f"{name}: {TOTAL} deliveries\n")
    assert_all_moved_once(store)


def test_ctrl_c_beside_an_engine_detaches(store: Store) -> None:
    with EngineProcess(store.path):
        with command(store, "deliveries", "retry", "--endpoint", "billing", f"--rate={PER_S}/s", "--yes") as begun:
            until(lambda: any(operation.done for operation in store.open_operations()))
            begun.send_signal(signal.SIGINT)
            _, said = begun.communicate(timeout=HANG_S)
        assert begun.returncode == 130
        (operation,) = store.operations(limit=1)
        assert f"the engine goes on with {format_number('op', operation.id)}" in said
        until(lambda: not store.operation(operation.id).is_open)
    assert_all_moved_once(store)
