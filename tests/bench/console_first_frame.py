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
from tests.bench.machine import load_1m, machine, median
from tests.factories import make_spec
from tests.terminal import Terminal, plain_environment

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
    environment = plain_environment(home)
    with Terminal(command, columns=columns, rows=rows, environment=environment, folder=home) as terminal:
        anything_s = terminal.wait_for(r"\S") - terminal.started_s
        useful_s = terminal.wait_for(pattern) - terminal.started_s
        written = len(terminal.raw)
    return {"any_text_s": anything_s, "useful_s": useful_s, "bytes": written}


def main() -> None:
    parser = argparse.ArgumentParser(prog="console_first_frame", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", default="120x40", help="COLUMNSxROWS")
    options = parser.parse_args()
    columns, rows = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store = open_store(home / "store.db")
        for name in ("billing", "crm", "warehouse"):
            store.add_endpoint(new_endpoint_id(Random(name)), make_spec(name=name), 1_700_000_000_000)
        store.close()
        script = str(Path(sys.executable).with_name("webhook-console"))
        programs: dict[str, tuple[Sequence[str], str]] = {
            "empty_app": ([sys.executable, "-c", EMPTY_APP], "this is the empty app"),
            "console": ([script, "--read-only", "--store", str(home / "store.db")], "warehouse"),
        }
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
        load = [load_1m()]
        for round_ in range(options.rounds + 1):
            for name, (command, pattern) in programs.items():
                found = first_frame(command, pattern, home=home, columns=columns, rows=rows)
                if round_:  # the first only warms the disk's cache
                    runs[name].append(found)
        load.append(load_1m())
    report: dict[str, Any] = {"machine": machine(), "load_1m": load, "size": options.size, "rounds": options.rounds}
    for name, found_all in runs.items():
        report[name] = {key: median([run[key] for run in found_all], 3) for key in found_all[0]}
    pairs = zip(runs["console"], runs["empty_app"], strict=True)
    report["ratio"] = median([console["useful_s"] / empty["useful_s"] for console, empty in pairs], 3)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
