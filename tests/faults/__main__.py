"""More seeds than the tests have time for: `python -m tests.faults --seeds 20`. Prints one JSON object a seed."""

import argparse
import json
import tempfile
import traceback
from pathlib import Path

from tests.faults.world import kill_at_random


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first of them (default: 1)")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="engines killed for each (default: 20)")
    given = parser.parse_args()
    broken = 0
    for seed in range(given.first, given.first + given.seeds):
        with tempfile.TemporaryDirectory(prefix="webhook-console-faults-") as folder:
            try:
                report: dict[str, object] = dict(kill_at_random(Path(folder), seed, kills=given.kills))
            except AssertionError:
                broken += 1
                report = {"seed": seed, "broken": traceback.format_exc()}
        print(json.dumps(report), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
