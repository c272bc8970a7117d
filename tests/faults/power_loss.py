"""The power goes at random moments of a recorded run, and what is left must hold all that was promised by then."""

import select
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from console.domain.errors import StoreError
from console.store import open_store
from console.store.sqlite.library import sqlite3
from tests.factories import NOW_MS, make_event, start_engine
from tests.faults.invariants import attempts_by_target, check_store
from tests.faults.power import draw_moments, losses
from tests.faults.recording import Record, read_log
from tests.faults.world import World
from tests.store.recount import read

CHILD_S = 120


@dataclass(slots=True)
class Findings:
    """What a run of losses came to."""

    moments: int = 0
    promises: int = 0
    """Looked for, over all moments."""
    lost: list[str] = field(default_factory=list)
    """Promises that were not kept."""
    broken: list[str] = field(default_factory=list)
    """Stores that were not sound, with what was wrong."""


def record_work(folder: Path, seed: int, *options: str, steps: int = 150) -> list[Record]:
    """What a producer, an engine and an operator did to a new store, as the seed says; options: see `recorded_work`."""
    store, log = folder / "recorded" / "store.db", folder / "changes.log"
    store.parent.mkdir()
    command = [sys.executable, "-m", "tests.faults.recorded_work", str(store), str(log), str(seed), str(steps)]
    subprocess.run([*command, *options], check=True, timeout=CHILD_S, stdout=subprocess.DEVNULL)
    return list(read_log(log))


def record_engine(folder: Path, seed: int, *, seconds: float) -> list[Record]:
    """What a real engine and a producer, each a process, did to a store at the same time, until both were killed."""
    log = folder / "changes.log"
    options = ("--changes", str(log))
    with World(folder, seed) as world, world.troubled_engine(*options) as engine, world.producing(*options) as producer:
        select.select([], [], [], seconds)
        engine.process.kill()
        producer.kill()
    return list(read_log(log))


def lose_power(folder: Path, records: list[Record], seed: int, *, moments: int) -> Findings:
    """Let the power go at so many moments of a recording, and look at each store that is left."""
    random, found = Random(seed), Findings()
    left = folder / "left"
    for moment, files, promised in losses(records, draw_moments(records, moments, random), random):
        shutil.rmtree(left, ignore_errors=True)
        left.mkdir()
        for name, content in files.items():
            (left / name).write_bytes(content)
        found.moments += 1
        found.promises += len(promised)
        where = f"seed {seed}, record {moment}"
        try:
            found.lost += [f"{where}: {lost}" for lost in _check(left / "store.db", promised)]
        except (AssertionError, StoreError, sqlite3.Error) as error:
            found.broken.append(f"{where}: {type(error).__name__} {error}")
    return found


def _check(path: Path, promised: list[Record]) -> list[str]:
    """Open it as the next engine does. Returns which promises it does not keep; raises when it is not sound."""
    if not promised:
        if path.exists():  # half made, perhaps: it is made whole
            open_store(path).close()
        return []
    if not path.exists():
        return ["the store"]
    with closing(open_store(path)) as store:
        check_store(path)
        lost = _not_kept(path, promised)
        epoch = start_engine(store, now_ms=NOW_MS)
        store.recover(epoch=epoch, now_ms=NOW_MS)
        store.accept([make_event()], NOW_MS)
        check_store(path)
    return lost


def _not_kept(path: Path, promised: list[Record]) -> list[str]:
    events = {i for (i,) in read(path, "SELECT id FROM events")}
    attempts = dict(read(path, "SELECT id, ended_at IS NOT NULL FROM attempts"))
    states = dict(read(path, "SELECT id, state FROM endpoints"))
    lost: list[str] = []
    last_state: dict[str, str] = {}
    posted: Counter[tuple[str, str]] = Counter()
    for promise in promised:
        of = promise.data.decode().split()
        match promise.name:
            case "endpoints":
                lost += [] if len(states) == promise.at else ["an endpoint"]
            case "accepted":
                lost += [f"event {id_}" for id_ in of if id_ not in events]
            case "posted":
                posted[of[0], of[1]] += 1
            case "sent":
                lost += [f"attempt {id_}, sent" for id_ in of if int(id_) not in attempts]
            case "ended":
                lost += [f"the outcome of attempt {id_}" for id_ in of if not attempts.get(int(id_))]
            case "state soon":  # until it is promised, either may be found
                last_state.pop(of[0], None)
            case "state":
                last_state[of[0]] = of[1]
            case _:
                raise AssertionError(promise.name)
    lost += [f"state {state} of {id_}" for id_, state in last_state.items() if states.get(id_) != state]
    tries = attempts_by_target(path)
    lost += [f"an attempt of {target}, posted" for target, count in posted.items() if tries.get(target, 0) < count]
    return lost
