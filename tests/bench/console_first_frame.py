"""How soon the console shows a real endpoint, beside an empty Textual app in the same terminal:
`python -m tests.bench console_first_frame`.

Rounds alternate. Seconds from the start of the process to the bytes that made the screen show it; the emulator's own
work is not in them. Prints one JSON object.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from console.domain.ids import new_endpoint_id
from console.store import open_store
from tests.bench.machine import environment, load_1m, machine, median
from tests.factories import make_spec
from tests.terminal import Terminal

EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("this is the empty app")
Empty().run()
"""


def first_frame(command: Sequence[str], pattern: str, *, home: Path, columns: int, rows: int) -> dict[str, float]:
    """One start of a program, until its screen shows `pattern`; it is ended then."""
    with Terminal(command, columns=columns, rows=rows, environment=environment(home), folder=home) as terminal:
        anything_s = terminal.wait_for(r"\S") - terminal.started_s
        useful_s = terminal.wait_for(pattern) - terminal.started_s
        written, (cpu_s, _) = len(terminal.raw), terminal.usage()
    return {"any_text_s": anything_s, "useful_s": useful_s, "cpu_s": cpu_s, "bytes": written}


def compare(store: Path, pattern: str, *, home: Path, rounds: int, size: str) -> dict[str, Any]:
    """The console on a store, until its screen shows `pattern`, and an empty Textual app, in alternate rounds."""
    columns, rows = map(int, size.split("x"))
    script = str(Path(sys.executable).with_name("webhook-console"))
    programs: dict[str, tuple[Sequence[str], str]] = {
        "empty_app": ([sys.executable, "-c", EMPTY_APP], "this is the empty app"),
        "console": ([script, "--read-only", "--store", str(store)], pattern),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    for round_ in range(rounds + 1):
        for name, (command, wanted) in programs.items():
            found = first_frame(command, wanted, home=home, columns=columns, rows=rows)
            if round_:  # the first only warms the disk's cache
                runs[name].append(found)
    report: dict[str, Any] = {"size": size, "rounds": rounds}
    for name, found_all in runs.items():
        report[name] = {key: median([run[key] for run in found_all], 3) for key in found_all[0]}
    pairs = list(zip(runs["console"], runs["empty_app"], strict=True))
    report["ratio"] = median([console["useful_s"] / empty["useful_s"] for console, empty in pairs], 3)
    # On a machine that does other things too, this is what is left of it.
    report["ratio_of_cpu"] = round(sum(c["cpu_s"] for c, _ in pairs) / sum(e["cpu_s"] for _, e in pairs), 3)
    report["ratio_of_the_quickest"] = round(
        min(c["useful_s"] for c, _ in pairs) / min(e["useful_s"] for _, e in pairs), 3
    )
    return report


def three_endpoints(path: Path) -> None:
    """A store whose last endpoint is `warehouse`."""
    store = open_store(path)
    for name in ("billing", "crm", "warehouse"):
        store.add_endpoint(new_endpoint_id(Random(name)), make_spec(name=name), 1_700_000_000_000)
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="console_first_frame", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", default="120x40", help="COLUMNSxROWS")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # the thread that notes when bytes came must not wait for the emulator
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        three_endpoints(home / "store.db")
        load = load_1m()
        report = compare(home / "store.db", "warehouse", home=home, rounds=options.rounds, size=options.size)
    print(json.dumps({"machine": machine(), "load_1m": [load, load_1m()], **report}, indent=2))


if __name__ == "__main__":
    main()
