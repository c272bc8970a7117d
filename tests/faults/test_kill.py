"""SIGKILL at random moments and at named points; see the package for what must be true afterwards."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from console.store import open_store
from tests.factories import add_endpoint
from tests.faults.dying_engine import POINTS
from tests.faults.invariants import unknown_outcomes
from tests.faults.world import HANG_S, World, kill_at_random
from tests.store.recount import assert_gauges_agree, read


@pytest.mark.parametrize("seed", [1, 2])
def test_engines_killed_at_random_lose_nothing(tmp_path: Path, seed: int) -> None:
    seen = kill_at_random(tmp_path, seed, kills=5)
    assert seen["acknowledged"] > 0
    assert seen["posts"] > seen["acknowledged"]


def test_engines_killed_at_every_point_lose_nothing(tmp_path: Path) -> None:
    random = Random(5)
    with World(tmp_path, 5) as world:
        for point in POINTS:
            world.send(40)
            once = point in ("after take_over", "after recover", "after heartbeat")
            world.die_at(point, 1 if once else random.randint(1, 4))
            world.check_torn()
        assert unknown_outcomes(world.path) > 0
        world.drain()
        world.check_settled()


@pytest.mark.parametrize("kill_after_lines", [0, 1500, 4200])
def test_a_killed_sender_leaves_whole_batches_and_may_be_repeated(tmp_path: Path, kill_after_lines: int) -> None:
    path, lines = tmp_path / "store.db", [f'{{"type":"a.b","id":"evt_{i:05}","data":{i}}}\n' for i in range(5000)]
    store = open_store(path)
    add_endpoint(store)
    send = [sys.executable, "-m", "console", f"--store={path}", "send", "--ndjson", "-", "--json"]
    with subprocess.Popen(send, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdin is not None
        sender.stdin.writelines(lines[:kill_after_lines])
        sender.stdin.flush()
        while count_events(path) < kill_after_lines // 1000 * 1000:
            assert sender.poll() is None
        sender.kill()
        sender.wait(HANG_S)
    stored = [id_ for (id_,) in read(path, "SELECT id FROM events ORDER BY seq")]
    assert stored == [f"evt_{i:05}" for i in range(len(stored))]
    again = subprocess.run(send, input="".join(lines), capture_output=True, text=True, timeout=HANG_S, check=True)
    said = json.loads(again.stdout)
    assert (said["accepted"], said["duplicates"]) == (5000 - len(stored), len(stored))
    assert count_events(path) == 5000
    assert_gauges_agree(store)
    store.close()


def count_events(path: Path) -> int:
    return int(read(path, "SELECT count(*) FROM events")[0][0])


def test_what_a_sender_printed_is_stored_although_it_is_killed(tmp_path: Path) -> None:
    path, random = tmp_path / "store.db", Random(3)
    open_store(path).close()
    printed: list[str] = []
    for _ in range(8):
        command = [sys.executable, "-m", "console", f"--store={path}", "send", "a.b", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as sender:
            try:
                sender.wait(random.uniform(0.1, 0.5))
            except subprocess.TimeoutExpired:
                sender.kill()
            assert sender.stdout is not None
            said = sender.stdout.read()
            printed += [json.loads(said)["id"]] if said else []
    stored = {id_ for (id_,) in read(path, "SELECT id FROM events")}
    assert set(printed) <= stored
    assert len(stored) <= 8
