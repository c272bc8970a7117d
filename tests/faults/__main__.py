"""What may befall a store and an engine, seed after seed: more than the tests have time for.

    python -m tests.faults kill --seeds 20                                   engines killed at random
    python -m tests.faults power --seeds 100                                 the power goes
    python -m tests.faults simulate --seeds 200                              days of trouble in simulated time
    python -m tests.faults all --minutes 60 --report tests/faults/README.md  everything in turn, and what came of it

Prints one JSON object a seed; what is found broken is in it, and makes the exit code 1. A seed is tried again by
`--first SEED --seeds 1`; for a simulation `--trace` prints all that happened.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from itertools import count
from pathlib import Path

from tests.faults.report import Result, write_report
from tests.faults.trials import TRIALS, Options


def main() -> int:
    given = _parse()
    if given.what == "all":
        results = everything(given)
    else:
        results = [attempt(given.what, seed, given) for seed in range(given.first, given.first + given.seeds)]
    if given.report is not None:
        write_report(given.report, results)
    return 1 if any(result.broken for result in results) else 0


def everything(given: argparse.Namespace) -> list[Result]:
    """Round after round of all trials, until the time is over."""
    results: list[Result] = []
    until_s = time.monotonic() + given.minutes * 60
    for seed in count(given.first):
        for name, trial in TRIALS.items():
            for number in range(trial.in_a_round):
                if time.monotonic() > until_s:
                    return results
                results += [attempt(name, seed * 100 + number, given)]
    raise AssertionError("seeds never end")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=[*TRIALS, "all"], default="kill")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (default: 1)")
    parser.add_argument("--minutes", type=float, default=60, metavar="N", help="all: for how long (default: 60)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="what was tried, how often, and what was lost")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="kill: engines for each (default: 20)")
    parser.add_argument("--steps", type=int, default=150, metavar="N", help="power: acts recorded (default: 150)")
    parser.add_argument("--moments", type=int, default=100, metavar="N", help="power: losses for each (default: 100)")
    parser.add_argument("--acts", type=int, default=150, metavar="N", help="simulate: acts for each (default: 150)")
    parser.add_argument("--read", type=float, default=60, metavar="S", help="reader: for how long (default: 60)")
    parser.add_argument("--trace", action="store_true", help="simulate: print all that happens")
    return parser.parse_args()


def attempt(name: str, seed: int, given: argparse.Namespace) -> Result:
    """Try one seed and print what came of it."""
    options = Options(
        kills=given.kills,
        steps=given.steps,
        moments=given.moments,
        acts=given.acts,
        read_s=given.read,
        tell=print if given.trace else None,
    )
    seen, broken = {}, None
    with tempfile.TemporaryDirectory(prefix="webhook-console-faults-") as folder:
        try:
            seen = TRIALS[name].run(Path(folder), seed, options)
        except (AssertionError, BaseExceptionGroup):
            broken = traceback.format_exc()
    print(json.dumps({"trial": name, "seed": seed, **seen, **({"broken": broken} if broken else {})}), flush=True)
    return Result(trial=name, seed=seed, seen=seen, broken=broken)


if __name__ == "__main__":
    sys.exit(main())
