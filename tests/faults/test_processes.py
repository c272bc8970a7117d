"""Other processes on the same store: one that is stopped while it writes, one that reads for long, a second engine."""

import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.domain.errors import StoreBusyError
from console.engine.lock import lock_path
from console.store.sqlite.library import sqlite3
from tests.faults.invariants import count, unknown_outcomes
from tests.faults.troubles import WAL_KEPT_BYTES, Control
from tests.faults.world import HANG_S, World, child, end, first_line, wait_until

READ_S = 2.0
TOLD_WITHIN_S = 15.0
"""5 s are waited for a lock; a program starts within the rest, on a busy machine too."""
HOUR_MS = 3600_000


def test_a_writer_that_is_stopped_is_named_and_costs_nothing(tmp_path: Path) -> None:
    with World(tmp_path, 21) as world:
        with world.troubled_engine() as engine, world.producing():
            wait_until(lambda: world.posts() > 20)
            with stopped_writer(world.path) as writer:
                began_s = world.clock.monotonic_s()
                send = subprocess.run(
                    [sys.executable, "-m", "console", f"--store={world.path}", "send", "invoice.paid"],
                    capture_output=True, text=True, timeout=HANG_S, check=False,
                )  # fmt: skip
                assert send.returncode == 1
                assert send.stdout == ""
                assert "locked by another process" in send.stderr
                assert "fuser" in send.stderr
                assert len(send.stderr.splitlines()) == 1
                assert "locked by another process" in engine.wait_for("store cannot be written")["error"]
                wait_until(lambda: world.refusals)
                assert world.clock.monotonic_s() - began_s < TOLD_WITHIN_S
                assert engine.process.poll() is None
                writer.send_signal(signal.SIGCONT)
            acknowledged = len(world.acknowledged)
            wait_until(lambda: len(world.acknowledged) > acknowledged)
        world.drain()
        world.check_settled()


def test_a_long_reader_stops_nothing_and_the_log_shrinks_after_it(tmp_path: Path) -> None:
    read_for_long(tmp_path, 22, seconds=READ_S)


def read_for_long(folder: Path, seed: int, *, seconds: float) -> dict[str, int]:
    """One that reads an old state for so long, while an engine and a producer work. Returns what was seen."""
    with World(folder, seed) as world:
        wal = world.path.with_name(world.path.name + "-wal")
        with world.troubled_engine(), world.producing():
            wait_until(lambda: world.posts() > 20)
            reader = sqlite3.connect(f"{world.path.as_uri()}?mode=ro", uri=True, isolation_level=None)
            reader.execute("BEGIN")
            (seen,) = reader.execute("SELECT count(*) FROM attempts").fetchone()
            posts, until_s = world.posts(), world.clock.monotonic_s() + seconds
            while world.clock.monotonic_s() < until_s or wal.stat().st_size < 2 * WAL_KEPT_BYTES:
                select.select([], [], [], 0.1)
            largest, sent = wal.stat().st_size, world.posts() - posts
            assert sent > 20 * seconds, "deliveries go on"
            assert reader.execute("SELECT count(*) FROM attempts").fetchone() == (seen,)
            reader.close()
            wait_until(lambda: wal.stat().st_size <= WAL_KEPT_BYTES)
        world.drain()
        world.check_settled()
        return {"wal_bytes": largest, "posts": sent, "acknowledged": len(world.acknowledged)}


def test_an_engine_that_was_stopped_and_replaced_changes_nothing(tmp_path: Path) -> None:
    with World(tmp_path, 23) as world:
        with world.troubled_engine() as old:
            with world.producing():
                wait_until(lambda: world.posts() > 50)
                wait_until(lambda: stopped_in_flight(old.process, world))
            refused = subprocess.run(
                [sys.executable, "-m", "console", f"--store={world.path}", "serve"],
                capture_output=True, text=True, timeout=HANG_S, check=False,
            )  # fmt: skip
            assert refused.returncode == 1
            assert "an engine runs already" in refused.stderr
            lock_path(world.path).unlink()
            with world.troubled_engine() as new:
                assert new.said("started")[0]["recovered"] > 0
                wait_until(lambda: not world.owed())
            version = world.store.data_version()
            old.process.send_signal(signal.SIGCONT)
            assert old.process.wait(HANG_S) == 1
            assert "has taken over from this one" in old.wait_for("ended")["error"]
            assert world.store.data_version() == version, "a stale engine has changed the store"
        assert unknown_outcomes(world.path) > 0
        world.check_settled()


def stopped_in_flight(engine: "subprocess.Popen[str]", world: World) -> bool:
    """Stop it, where it has requests on the wire and not the write lock; else it goes on."""
    engine.send_signal(signal.SIGSTOP)
    in_flight = count(world.path, "SELECT count(*) FROM deliveries WHERE state = 'sending'")
    try:
        with world.store.transaction():
            pass
    except StoreBusyError:
        in_flight = 0
    if not in_flight:
        engine.send_signal(signal.SIGCONT)
    return in_flight > 0


def test_a_clock_that_is_set_by_an_hour(tmp_path: Path) -> None:
    control, options = Control(tmp_path / "control"), ("--control", str(tmp_path / "control"))
    with World(tmp_path, 24) as world:
        with world.troubled_engine(*options) as engine, world.producing(*options):
            for shift_ms in (HOUR_MS, 0, -HOUR_MS, HOUR_MS, 0):
                control.shift_ms = shift_ms
                world.wait_until_busy()
            assert engine.process.poll() is None
        with world.troubled_engine(*options):
            control.shift_ms = 2 * HOUR_MS  # what was to be tried again while the clock was ahead
            wait_until(lambda: not world.owed())
        world.check_settled(rates=False)  # those by the second are from a time that is long over


@contextmanager
def stopped_writer(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that is in the middle of writing and does nothing any more, until SIGCONT."""
    writer = child("tests.faults.writer", str(path))
    try:
        assert first_line(writer) == "writes\n"
        writer.send_signal(signal.SIGSTOP)
        yield writer
    finally:
        writer.send_signal(signal.SIGCONT)
        end(writer)
