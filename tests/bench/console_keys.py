"""How soon a key is answered, idle and while attempts arrive: `python -m tests.bench console_keys`.

Milliseconds from writing the key to the bytes that made the screen show what it does; the emulator's own work is not in
them. Keys come at random moments, so that they meet the repaints as they fall. Also what the console costs meanwhile:
bytes a second to the terminal (what SSH must carry) and its share of a core. Prints one JSON object.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from console.domain.ids import new_endpoint_id
from console.store import open_store
from tests.bench.machine import environment, load_1m, machine, spread
from tests.factories import make_spec
from tests.terminal import Terminal

NAMES = ("alpha", "bravo", "charlie", "delta", "echo")

SEQUENCE: tuple[tuple[str, str, str], ...] = (
    ("j", "j", "►.bravo"),
    ("j", "j", "►.charlie"),
    ("k", "k", "►.bravo"),
    ("k", "k", "►.alpha"),
    ("/ opens the filter", "/", "words of names"),
    ("a letter filters", "a", "Endpoints[^\n]*/a"),
    ("Esc clears it", "esc", "Endpoints · 5 *\n"),
    ("Tab", "tab", "\n (?!p )[^\n]*F Failures"),
    ("Tab", "tab", "\n p Pause"),
    ("F opens failures", "F", "Home › Failures"),
    ("Esc goes back", "esc", "Attempts · "),
)
"""What is measured, the key, and what the screen shows when it is answered and not before."""


def measure_keys(terminal: Terminal, *, rounds: int, rng: random.Random) -> dict[str, Any]:
    """The latencies of the sequence, over and over, in milliseconds."""
    by_key: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, key, pattern in SEQUENCE:
            time.sleep(rng.uniform(0.05, 0.2))
            terminal.text()  # what has come so far is drawn before the key is pressed
            pressed_s = terminal.press(key)
            answered_s = terminal.wait_for(pattern, timeout_s=10)
            by_key.setdefault(name, []).append((answered_s - pressed_s) * 1000)
    # A lone Esc may be the beginning of another key, so it is waited on: a cost of its own.
    every = [ms for name, values in by_key.items() if not name.startswith("Esc") for ms in values]
    return {
        "presses_but_esc": len(every),
        "ms": spread(every),
        "within_50_ms": round(sum(ms <= 50 for ms in every) / len(every), 3),
        "by_key_ms": {key: spread(values) for key, values in by_key.items()},
    }


def measure_cost(terminal: Terminal, *, seconds: float) -> dict[str, Any]:
    """What the console costs while nobody touches it."""
    cpu_before_s, _ = terminal.usage()
    bytes_before, began_s = len(terminal.raw), time.perf_counter()
    time.sleep(seconds)
    took_s = time.perf_counter() - began_s
    cpu_s, resident_mib = terminal.usage()
    return {
        "bytes_per_s": round((len(terminal.raw) - bytes_before) / took_s),
        "cpu_share": round((cpu_s - cpu_before_s) / took_s, 3),
        "resident_mib": round(resident_mib, 1),
    }


def scene(path: Path, *, rate: float, options: argparse.Namespace) -> dict[str, Any]:
    """The console on a store into which attempts come at a rate."""
    home = path.parent
    writer = [sys.executable, "-m", "tests.bench.attempt_writer", str(path), "--rate", str(rate)]
    columns, rows = map(int, options.size.split("x"))
    program = [str(Path(sys.executable).with_name("webhook-console")), "--no-engine", "--store", str(path)]
    load_before = load_1m()
    began_s = time.monotonic()
    process = subprocess.Popen(writer, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        with Terminal(program, columns=columns, rows=rows, environment=environment(home), folder=home) as terminal:
            terminal.wait_for(r"running · pid.*►.alpha")
            if rate:
                terminal.wait_for(r"delivered +\d.*✓ ")
            time.sleep(2)  # the first toasts and the theme watcher are no part of it
            report = measure_keys(terminal, rounds=options.rounds, rng=random.Random(7))
            report["at_home"] = measure_cost(terminal, seconds=options.seconds)
            terminal.press("tab", "z")
            terminal.wait_for("\n Attempts[^\n]*\n")
            time.sleep(1)
            report["at_the_tail_alone"] = measure_cost(terminal, seconds=options.seconds)
            terminal.press("z")
            terminal.press("F")
            terminal.wait_for("Home › Failures")
            time.sleep(1)
            report["at_failures"] = measure_cost(terminal, seconds=options.seconds)
            terminal.press("esc")
            terminal.wait_for("Attempts · ")
            terminal.press("tab")  # to the endpoints
            terminal.wait_for("\n p Pause")
            terminal.press("p")
            terminal.wait_for("Pause alpha")
            time.sleep(1)
            report["at_a_question"] = measure_cost(terminal, seconds=options.seconds)
    finally:
        answer, _ = process.communicate(timeout=30)
    took_s = time.monotonic() - began_s
    return {**report, "attempts_per_s": round(int(answer or b"0") / took_s), "load_1m": [load_before, load_1m()]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="console_keys", description=__doc__)
    parser.add_argument("--rate", type=float, default=500, help="attempts a second")
    parser.add_argument("--rounds", type=int, default=5, help="of eleven keys")
    parser.add_argument("--seconds", type=float, default=5, help="over which its cost is measured")
    parser.add_argument("--size", default="120x40", help="COLUMNSxROWS")
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # the thread that notes when bytes came must not wait for the emulator
    report: dict[str, Any] = {"machine": machine(), "size": options.size}
    with tempfile.TemporaryDirectory() as folder:
        for name, rate in (("idle", 0.0), ("loaded", options.rate)):
            path = Path(folder) / f"{name}.db"
            store = open_store(path)
            for number, endpoint in enumerate(NAMES):
                spec = make_spec(name=endpoint, types=(f"to.{endpoint}",))
                store.add_endpoint(new_endpoint_id(random.Random(number)), spec, 1_700_000_000_000)
            store.close()
            report[name] = scene(path, rate=rate, options=options)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
