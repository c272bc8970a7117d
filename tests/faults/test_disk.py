"""A disk that is full or fails under an engine and a producer at work: both say so, neither lies, both go on after."""

import resource
import select
from pathlib import Path

import pytest

from tests.faults.interposed import unsupported
from tests.faults.troubles import Control, DiskTrouble
from tests.faults.world import LoggedEngine, World, wait_until

TROUBLED_S = 0.5
UNWRITTEN = "store cannot be written"


@pytest.mark.skipif(unsupported() is not None, reason=str(unsupported()))
def test_a_disk_that_fails_for_a_while(tmp_path: Path) -> None:
    control, options = Control(tmp_path / "control"), ("--control", str(tmp_path / "control"))
    troubles = {
        DiskTrouble.FULL: "the disk is full",
        DiskTrouble.WRITE_FAILS: "the disk failed",
        DiskTrouble.SYNC_FAILS: "the disk failed",
    }
    with World(tmp_path, 11) as world:
        with world.troubled_engine(*options) as engine, world.producing(*options):
            for trouble, words in troubles.items():
                world.wait_until_busy()
                said = len(engine.said(UNWRITTEN))
                world.forget_refusals()
                control.disk = trouble
                line = engine.wait_for(UNWRITTEN, said + 1)
                assert words in line["error"], trouble
                wait_until(lambda: world.refusals)
                assert words in world.refusals[-1]
                check_nothing_moves(world, engine)
                control.disk = DiskTrouble.NONE
            world.wait_until_busy()
        world.drain()
        world.check_settled()


def test_a_file_that_the_kernel_lets_grow_no_further(tmp_path: Path) -> None:
    """No call is taken over here: the limit is the system's own."""
    with World(tmp_path, 12) as world:
        with world.troubled_engine() as engine, world.producing() as producer:
            world.wait_until_busy()
            limits = [(pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)) for pid in (engine.process.pid, producer.pid)]
            for pid, (_, hard) in limits:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
            assert str(world.path) in engine.wait_for(UNWRITTEN)["error"]
            wait_until(lambda: world.refusals)
            for pid, limit in limits:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
            world.wait_until_busy()
        world.drain()
        world.check_settled()


def check_nothing_moves(world: World, engine: LoggedEngine) -> None:
    """While nothing can be written nothing is acknowledged, and what is on the wire ends: no more is begun."""
    acknowledged = world.acknowledged
    attempts = world.newest_attempt()
    select.select([], [], [], TROUBLED_S)
    assert world.acknowledged == acknowledged
    assert world.newest_attempt() == attempts
    assert engine.process.poll() is None
    world.check_torn_unlocked()
