"""Engines that are killed, beside a receiver and a producer that write everything down."""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import IO, Any

from console.domain.clock import SystemClock
from console.domain.endpoint import Endpoint
from console.store import Store, open_store
from tests.factories import add_endpoint, make_event
from tests.faults.invariants import check_settled, check_torn, unknown_outcomes
from tests.faults.policies import SCHEDULE_S, policy_fields
from tests.store.recount import read

HANG_S = 60
_DUE = """
SELECT count(*) FROM deliveries d JOIN endpoints p ON p.seq = d.endpoint
WHERE p.state = 'active' AND d.state IN ('pending', 'sending')
"""


class LoggedEngine:
    """An engine process whose log can be read while it runs."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process, self._log = process, log

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of this kind so far, oldest first."""
        whole = [line for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        assert all(line.startswith("{") for line in whole), "".join(whole)
        return [entry for entry in map(json.loads, whole) if entry["event"] == event]

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """The newest line of this kind, when there are so many."""
        wait_until(lambda: len(self.said(event)) >= count or self.process.poll() is not None)
        assert len(self.said(event)) >= count, self._log.read_text()
        return self.said(event)[-1]


class World:
    """A store with endpoints of each habit, their receiver, and what was acknowledged."""

    def __init__(self, folder: Path, seed: int, *, names: tuple[str, ...] = ("ok", "slow", "flaky", "down")) -> None:
        self.path, self.log, self.acknowledgements = folder / "store.db", folder / "posts.log", folder / "acked.log"
        self.seed, self.random, self.clock = seed, Random(seed), SystemClock()
        self._refused = folder / "acked.log.refused"
        self._numbers = count(1)
        self.store: Store = open_store(self.path)
        self._receiver = child("tests.faults.receiver", str(self.log), str(seed))
        port = int(first_line(self._receiver))
        self.endpoints: dict[str, Endpoint] = {
            name: add_endpoint(
                self.store,
                name=name,
                url=f"http://127.0.0.1:{port}/{name}",
                now_ms=self.clock.now_ms(),
                # What is never up fails soon: half of the log would be its.
                policy=policy_fields(schedule_s=SCHEDULE_S[:2]) if name == "down" else policy_fields(),
            )
            for name in names
        }

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
        end(self._receiver)

    def send(self, events: int) -> None:
        """Accept here and now, and remember that it was acknowledged."""
        answers = self.store.accept([make_event() for _ in range(events)], self.clock.now_ms())
        with self.acknowledgements.open("a") as file:
            file.writelines(f"{answer.id}\n" for answer in answers)

    @property
    def acknowledged(self) -> list[str]:
        return self.acknowledgements.read_text().split() if self.acknowledgements.exists() else []

    @property
    def refusals(self) -> list[str]:
        """What the producer was told when its events were not accepted."""
        return self._refused.read_text().splitlines() if self._refused.exists() else []

    def forget_refusals(self) -> None:
        self._refused.unlink(missing_ok=True)

    @contextmanager
    def producing(self, *options: str) -> Iterator["subprocess.Popen[str]"]:
        """Options: see `troubles`."""
        oracle = child("tests.faults.oracle", str(self.path), str(self.acknowledgements), str(self.seed), *options)
        try:
            first_line(oracle)
            yield oracle
        finally:
            end(oracle)

    @contextmanager
    def troubled_engine(self, *options: str) -> Iterator["LoggedEngine"]:
        """An engine in trouble, or recorded; options: see `troubles`."""
        log = self.path.with_name(f"engine-{next(self._numbers)}.log")
        with log.open("w") as file:
            process = child("tests.faults.troubled_engine", str(self.path), *options, errors=file)
        engine = LoggedEngine(process, log)
        try:
            engine.wait_for("started")
            yield engine
        finally:
            end(process)

    def kill_engine_after(self, seconds: float) -> None:
        """Start an engine and kill it so much later, whatever it is doing."""
        with self.engine() as engine:
            try:
                engine.wait(seconds)
                raise AssertionError(f"the engine ended by itself with {engine.returncode}")
            except subprocess.TimeoutExpired:
                engine.kill()

    def die_at(self, point: str, nth: int) -> None:
        """Run an engine that kills itself at a point. Raises when it never came there."""
        dying = child("tests.faults.dying_engine", str(self.path), point, str(nth), quiet=True)
        try:
            code = dying.wait(HANG_S)
        finally:
            end(dying)
        assert code == -9, f"the engine ended with {code}, not at {point!r} ({nth})"

    @contextmanager
    def engine(self) -> Iterator["subprocess.Popen[str]"]:
        arguments = [f"--store={self.path}", "serve", "--allow-address=127.0.0.0/8", "--stop-on-eof"]
        process = child("console", *arguments, quiet=True)
        try:
            yield process
        finally:
            end(process)

    def drain(self) -> None:
        """Run an engine until nothing is owed to an active endpoint, and end it in order."""
        until_s = self.clock.monotonic_s() + HANG_S
        with self.engine() as process:
            while self.owed() or not self._runs(process.pid):
                assert process.poll() is None, "the last engine died"
                assert self.clock.monotonic_s() < until_s, "deliveries are left that nobody sends"
                select.select([], [], [], 0.02)
            process.terminate()
            assert process.wait(HANG_S) == 0

    def _runs(self, pid: int) -> bool:
        status = self.store.engine_status()
        return status is not None and status.pid == pid

    def check_torn(self) -> None:
        with self.store.transaction():  # the producer waits: a count and its recount must see the same store
            check_torn(self.path, self.log)

    def check_torn_unlocked(self) -> None:
        """When the store cannot be written: whoever changes it must be known not to."""
        check_torn(self.path, self.log)

    def wait_until_busy(self) -> None:
        """Until more is acknowledged and delivered than is now."""
        acknowledged, posts = len(self.acknowledged), self.posts()
        wait_until(lambda: len(self.acknowledged) > acknowledged + 5 and self.posts() > posts + 20)

    def posts(self) -> int:
        """How many were received so far."""
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0

    def newest_attempt(self) -> int:
        return int(read(self.path, "SELECT coalesce(max(id), 0) FROM attempts")[0][0])

    def owed(self) -> int:
        """How many deliveries an engine has still to do."""
        return int(read(self.path, _DUE)[0][0])

    def check_settled(self, *held: str, rates: bool = True) -> None:
        check_settled(self.path, self.log, self.acknowledged, held=frozenset(held), rates=rates)


def kill_at_random(folder: Path, seed: int, *, kills: int) -> dict[str, int]:
    """Kill engines at random moments while events come in, one endpoint paused half-way. Returns what was seen.

    Raises AssertionError when anything that must hold does not.
    """
    with World(folder, seed, names=("ok", "slow", "flaky", "down", "paused")) as world:
        paused_at = 0
        with world.producing() as oracle:
            for i in range(kills):
                if i == kills // 2:
                    paused_at = pause(world)
                # Half of them while the engine starts and recovers.
                world.kill_engine_after(world.random.uniform(0.25, 0.6 if i % 2 else 1.0))
                world.check_torn()
                assert newest_attempt(world, "paused") <= paused_at or not paused_at
            if seed % 2:
                oracle.kill()
        world.drain()
        world.check_settled("paused")
        assert newest_attempt(world, "paused") == paused_at
        resume(world)
        world.drain()
        world.check_settled()
        seen = len(world.acknowledged), unknown_outcomes(world.path), len(world.log.read_text().splitlines())
        return {"seed": seed, "kills": kills, "acknowledged": seen[0], "unknown_outcomes": seen[1], "posts": seen[2]}


def pause(world: World) -> int:
    """Store a pause; returns the newest attempt of that endpoint when it was stored."""
    from console.operations.endpoints import pause_endpoint

    with world.store.transaction():
        pause_endpoint(
            world.store, world.endpoints["paused"].id, actor="test", reason=None, now_ms=world.clock.now_ms()
        )
        return newest_attempt(world, "paused")


def resume(world: World) -> None:
    from console.operations.endpoints import resume_endpoint

    resume_endpoint(world.store, world.endpoints["paused"].id, actor="test", reason=None, now_ms=world.clock.now_ms())


def newest_attempt(world: World, endpoint: str) -> int:
    seq = world.endpoints[endpoint].seq
    return int(read(world.path, f"SELECT coalesce(max(id), 0) FROM attempts WHERE endpoint = {seq}")[0][0])


def child(module: str, *arguments: str, quiet: bool = False, errors: IO[str] | None = None) -> "subprocess.Popen[str]":
    """`python -m MODULE …`, which ends when its input closes."""
    out = subprocess.DEVNULL if quiet or errors else subprocess.PIPE
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL if quiet else errors, text=True
    )


def wait_until(look: Callable[[], object], within_s: float = HANG_S) -> None:
    """Raises AssertionError when it takes too long."""
    clock = SystemClock()
    until_s = clock.monotonic_s() + within_s
    while not look():
        assert clock.monotonic_s() < until_s, "waited in vain"
        select.select([], [], [], 0.02)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args!r} did not start"
    return line


def end(process: "subprocess.Popen[str]") -> None:
    """Close its input, which ends it; kill it when it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
