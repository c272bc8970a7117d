"""What may befall a store and an engine, seed after seed: more than the tests have time for.

    python -m tests.faults kill --seeds 20          engines killed at random
    python -m tests.faults power --seeds 100        the power goes
    python -m tests.faults simulate --seeds 200     days of trouble in simulated time

Prints one JSON object a seed; what is found broken is in it, and makes the exit code 1. A seed is tried again by
`--first SEED --seeds 1`; for a simulation `--trace` prints all that happened.
"""

import argparse
import json
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.power_loss import lose_power, record_engine, record_work
from tests.faults.simulation import simulate
from tests.faults.world import kill_at_random

Trial = Callable[[Path, int, argparse.Namespace], dict[str, Any]]


def try_kill(folder: Path, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    return dict(kill_at_random(folder, seed, kills=given.kills))


def try_power(folder: Path, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Every fifth seed a real engine beside a producer, else work that the seed repeats."""
    real = seed % 5 == 0
    records = record_engine(folder, seed, seconds=3) if real else record_work(folder, seed, steps=given.steps)
    found = lose_power(folder, records, seed, moments=given.moments)
    assert not found.lost, found.lost[:20]
    assert not found.broken, found.broken[:20]
    return {"seed": seed, "real": real, "records": len(records), "moments": found.moments, "promises": found.promises}


def try_simulation(folder: Path, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    return asdict(simulate(folder, seed, acts=given.acts, tell=print if given.trace else None))


TRIALS: dict[str, Trial] = {"kill": try_kill, "power": try_power, "simulate": try_simulation}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=TRIALS, default="kill")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (default: 1)")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="kill: engines for each (default: 20)")
    parser.add_argument("--steps", type=int, default=150, metavar="N", help="power: acts recorded (default: 150)")
    parser.add_argument("--moments", type=int, default=100, metavar="N", help="power: losses for each (default: 100)")
    parser.add_argument("--acts", type=int, default=150, metavar="N", help="simulate: acts for each (default: 150)")
    parser.add_argument("--trace", action="store_true", help="simulate: print all that happens")
    given = parser.parse_args()
    reports = [attempt(given.what, seed, given) for seed in range(given.first, given.first + given.seeds)]
    return 1 if any("broken" in report for report in reports) else 0


def attempt(what: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """Try one seed and print what came of it."""
    with tempfile.TemporaryDirectory(prefix="webhook-console-faults-") as folder:
        try:
            report = TRIALS[what](Path(folder), seed, given)
        except (AssertionError, BaseExceptionGroup):
            report = {"seed": seed, "broken": traceback.format_exc()}
    print(json.dumps(report), flush=True)
    return report


if __name__ == "__main__":
    raise SystemExit(main())
