"""Engines that are killed, beside a receiver and a producer that write everything down."""

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

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


class World:
    """A store with endpoints of each habit, their receiver, and what was acknowledged."""

    def __init__(self, folder: Path, seed: int, *, names: tuple[str, ...] = ("ok", "slow", "flaky", "down")) -> None:
        self.path, self.log, self.acknowledgements = folder / "store.db", folder / "posts.log", folder / "acked.log"
        self.seed, self.random, self.clock = seed, Random(seed), SystemClock()
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

    @contextmanager
    def producing(self) -> Iterator["subprocess.Popen[str]"]:
        oracle = child("tests.faults.oracle", str(self.path), str(self.acknowledgements), str(self.seed))
        try:
            first_line(oracle)
            yield oracle
        finally:
            end(oracle)

    @contextmanager
    def recorded(self, changes: Path) -> Iterator[None]:
        """An engine and a producer that record what they do to the store, killed at the end."""
        producer = ("tests.faults.oracle", str(self.path), str(self.acknowledgements), str(self.seed), str(changes))
        processes = [
            child("tests.faults.recorded_engine", str(self.path), str(changes), quiet=True),
            child(*producer, quiet=True),
        ]
        try:
            yield
            assert all(process.poll() is None for process in processes), "one of them ended by itself"
        finally:
            for process in processes:
                process.kill()
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
            while read(self.path, _DUE)[0][0] or not self._runs(process.pid):
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

    def check_settled(self, *held: str) -> None:
        check_settled(self.path, self.log, self.acknowledged, held=frozenset(held))


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


def child(module: str, *arguments: str, quiet: bool = False) -> "subprocess.Popen[str]":
    out = subprocess.DEVNULL if quiet else subprocess.PIPE
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL if quiet else None, text=True
    )


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
