"""A small world to try the product on: a store, receivers that misbehave, an engine, and a generator of events."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import IO, Self

from console.demo.behaviours import ReceiverSpec
from console.demo.events import DemoEvents
from console.demo.receiver_process import ReceiverProcess, start_receivers
from console.domain.clock import Clock, SystemClock
from console.domain.endpoint import EndpointSpec
from console.domain.errors import ConsoleError
from console.domain.event import NewEvent
from console.domain.policy import DeliveryPolicy
from console.domain.signing import Secret
from console.operations.actor import current_actor
from console.operations.endpoints import add_endpoint
from console.store import Store, open_store

SCHEDULE_S = (0.0, 2.0, 4.0, 8.0, 15.0)
"""Shorter than in life, so that somebody who looks for a minute sees retries succeed and deliveries fail for good."""

TIMEOUT_S = 2.0
_ENGINE_START_S = 15.0
_ENGINE_STOP_S = 8.0
_TICK_S = 0.05


class DemoWorld:
    """Everything running, until the block ends. Nothing of it outlives this process, however it ends: the engine and
    the receivers stop when their standard input closes.

    Args:
        rate_per_s: events made each second.
        keep_store: where the store is made; None: in a temporary folder that is removed at the end.

    Raises:
        ConsoleError: a part did not start.
    """

    def __init__(self, *, rate_per_s: float, seed: int, keep_store: Path | None, clock: Clock | None = None) -> None:
        self._rate_per_s, self._seed, self._keep_store = rate_per_s, seed, keep_store
        self._clock = clock or SystemClock()
        self._stack = ExitStack()
        self._stopped = threading.Event()
        self.generator_error: ConsoleError | None = None
        self.store_path = Path()
        self.receivers: ReceiverProcess
        self._engine: subprocess.Popen[bytes]
        self._generator: threading.Thread

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        self.store_path = self._choose_path()
        self.receivers = start_receivers(self._seed)
        self._stack.callback(self.receivers.stop)
        store = open_store(self.store_path)
        try:
            self._register(store)
            self._start_engine(store)
        finally:
            store.close()
        self._generator = threading.Thread(target=self._generate, name="demo-events", daemon=True)
        self._generator.start()
        self._stack.callback(self.stop_generating)

    def stop_generating(self) -> None:
        """No more events, from when this returns; what was accepted is still delivered."""
        self._stopped.set()
        self._generator.join()

    def stop_engine(self) -> None:
        """End the engine in order, and wait for that: what is in flight finishes. Harmless when it has ended."""
        _stop_engine(self._engine)

    def _choose_path(self) -> Path:
        if self._keep_store is None:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="webhook-console-demo-"))
            return Path(folder) / "demo.db"
        if self._keep_store.exists():
            raise ConsoleError(f"{self._keep_store}: exists already: the demo wants a new store")
        return self._keep_store

    def _register(self, store: Store) -> None:
        random = Random(self._seed)
        for spec in self.receivers.specs:
            add_endpoint(store, _endpoint_spec(spec), actor=current_actor(), now_ms=self._clock.now_ms(), random=random)

    def _start_engine(self, store: Store) -> None:
        log = self._stack.enter_context(
            self.store_path.with_name(self.store_path.name + ".log").open("ab", buffering=0)
        )
        process = _spawn_engine(self.store_path, log)
        self._engine = process
        self._stack.callback(self.stop_engine)
        give_up_s = self._clock.monotonic_s() + _ENGINE_START_S
        while (status := store.engine_status()) is None or not status.alive(self._clock.now_ms()):
            if process.poll() is not None or self._clock.monotonic_s() > give_up_s:
                said = Path(log.name).read_text(errors="replace").strip().splitlines()
                raise ConsoleError(f"the demo's engine did not start: {said[-1] if said else 'it said nothing'}")
            time.sleep(_TICK_S)

    def _generate(self) -> None:
        """Accept events at the rate, in a thread with a store of its own."""
        events = DemoEvents(self._seed, self._clock)
        started_s, made = self._clock.monotonic_s(), 0
        try:
            store = open_store(self.store_path)
            try:
                while not self._stopped.wait(_TICK_S):
                    owed = int((self._clock.monotonic_s() - started_s) * self._rate_per_s) - made
                    if owed > 0:
                        store.accept([_new_event(*next(events)) for _ in range(owed)], self._clock.now_ms())
                        made += owed
            finally:
                store.close()
        except ConsoleError as error:
            self.generator_error = error


def _endpoint_spec(spec: ReceiverSpec) -> EndpointSpec:
    policy = DeliveryPolicy(schedule_s=SCHEDULE_S, timeout_s=TIMEOUT_S)
    secrets = (Secret(text=spec.secret),)
    return EndpointSpec(name=spec.name, url=spec.url, types=spec.types, secrets=secrets, policy=policy)


def _new_event(event_type: str, payload: dict[str, object]) -> NewEvent:
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return NewEvent(type=event_type, payload=body, source="demo")


def _spawn_engine(store: Path, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    # -P: a folder named console where the user stands must not be taken for this package.
    command = [sys.executable, "-P", "-m", "console", "serve", f"--store={store}"]
    command += ["--allow-address=127.0.0.0/8", "--drain=3s", "--log-format=json", "--stop-on-eof"]
    # A session of its own: Ctrl+C in the terminal is the screen's to handle.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)


def _stop_engine(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    for harsher in (process.terminate, process.kill):
        try:
            process.wait(_ENGINE_STOP_S)
            break
        except subprocess.TimeoutExpired:
            harsher()
    process.wait()
