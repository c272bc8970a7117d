"""Everything that is tried, by name; each a function of a new folder and a seed."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults import test_disk, test_processes
from tests.faults.dying_engine import POINTS
from tests.faults.power_loss import lose_power, record_engine, record_work
from tests.faults.recording import Record
from tests.faults.simulation import simulate
from tests.faults.test_kill import test_engines_killed_at_every_point_lose_nothing as kill_at_every_point
from tests.faults.world import kill_at_random

Seen = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much of each."""

    kills: int
    steps: int
    moments: int
    acts: int
    read_s: float
    tell: Callable[[str], None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    title: str
    """What befalls whom, for the report."""
    run: Callable[[Path, int, Options], Seen]
    in_a_round: int
    """How many seeds, when everything is tried in turn."""


def _kill(folder: Path, seed: int, options: Options) -> Seen:
    return {**kill_at_random(folder, seed, kills=options.kills)}


def _points(folder: Path, seed: int, options: Options) -> Seen:
    kill_at_every_point(folder)
    return {"kills": len(POINTS)}


def _power(folder: Path, seed: int, options: Options) -> Seen:
    return _lose_power(folder, record_work(folder, seed, steps=options.steps), seed, options)


def _failing(folder: Path, seed: int, options: Options) -> Seen:
    # With odd seeds the store's own syncs fail too; with even ones only the log's, which each promise stands on.
    where = ("--everywhere",) if seed % 2 else ()
    records = record_work(folder, seed, "--failures=0.01", *where, steps=options.steps)
    failures = sum(record.kind == "failed" for record in records)
    return {"failed_syncs": failures, **_lose_power(folder, records, seed, options)}


def _engine(folder: Path, seed: int, options: Options) -> Seen:
    return _lose_power(folder, record_engine(folder, seed, seconds=3), seed, options)


def _lose_power(folder: Path, records: list[Record], seed: int, options: Options) -> Seen:
    found = lose_power(folder, records, seed, moments=options.moments)
    assert not found.lost, found.lost[:20]
    assert not found.broken, found.broken[:20]
    return {"changes": len(records), "losses_of_power": found.moments, "promises_checked": found.promises}


def _simulate(folder: Path, seed: int, options: Options) -> Seen:
    lived = asdict(simulate(folder, seed, acts=options.acts, tell=options.tell))
    del lived["seed"]
    return lived


def _reader(folder: Path, seed: int, options: Options) -> Seen:
    return {"seconds": options.read_s, **test_processes.read_for_long(folder, seed, seconds=options.read_s)}


def _as_tested(test: Callable[[Path], None]) -> Callable[[Path, int, Options], Seen]:
    def run(folder: Path, seed: int, options: Options) -> Seen:
        test(folder)
        return {}

    return run


TRIALS: Mapping[str, Trial] = {
    "power": Trial(title="power loss while a producer, an engine and an operator take turns", run=_power, in_a_round=5),
    "power-disk": Trial(title="the same, on a disk that fails now and then", run=_failing, in_a_round=5),
    "power-engine": Trial(title="power loss under a real engine beside a producer", run=_engine, in_a_round=1),
    "simulate": Trial(title="days of trouble for the real engine in simulated time", run=_simulate, in_a_round=4),
    "kill": Trial(title="SIGKILL to engines at random moments, while events come in", run=_kill, in_a_round=1),
    "points": Trial(title="SIGKILL at each named point of an engine", run=_points, in_a_round=1),
    "disk": Trial(
        title="a full disk, failing writes and failing syncs under an engine and a producer at work",
        run=_as_tested(test_disk.test_a_disk_that_fails_for_a_while),
        in_a_round=1,
    ),
    "limit": Trial(
        title="files that the kernel lets grow no further",
        run=_as_tested(test_disk.test_a_file_that_the_kernel_lets_grow_no_further),
        in_a_round=1,
    ),
    "stopped": Trial(
        title="SIGSTOP to a writer that holds the lock",
        run=_as_tested(test_processes.test_a_writer_that_is_stopped_is_named_and_costs_nothing),
        in_a_round=1,
    ),
    "stale": Trial(
        title="SIGSTOP to an engine, another one takes over, SIGCONT",
        run=_as_tested(test_processes.test_an_engine_that_was_stopped_and_replaced_changes_nothing),
        in_a_round=1,
    ),
    "clock": Trial(
        title="the wall clock set by an hour, forth and back",
        run=_as_tested(test_processes.test_a_clock_that_is_set_by_an_hour),
        in_a_round=1,
    ),
    "reader": Trial(title="a reader that holds an old state", run=_reader, in_a_round=1),
}
