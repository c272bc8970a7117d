"""How the console feels, all of it, from outside: `python -m tests.bench console_feel --store STORE`.

The first useful frame beside an empty Textual app; keys, bytes, CPU with nothing arriving and with attempts arriving;
jumps and filters in a long past (STORE: `--make N` makes one of N attempts there); memory after minutes; and a terminal
that stops reading. Prints one JSON object.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from console.domain.ids import new_endpoint_id
from console.store import open_store
from tests.bench import console_keys
from tests.bench.console_first_frame import compare, three_endpoints
from tests.bench.machine import environment, load_1m, machine, spread
from tests.bench.past import make_past
from tests.factories import make_spec
from tests.terminal import Terminal

JUMPS: tuple[tuple[str, str, str], ...] = (
    ("g: to the first of all", "g", r"Attempts · released[^\n]*\n[^\n]*\n►"),
    ("j after it", "j", r"Attempts · released[^\n]*\n[^\n]*\n [^►\n]*\n►"),
    ("G: to the newest", "G", r"Attempts · following"),
    ("PgUp into the past", "pgup", r"Attempts · released"),
    ("PgUp again", "pgup", r"."),
    ("G: back", "G", r"Attempts · following"),
)
"""At the tail, over a long past."""

FILTERS = (
    ("endpoint:rare", r"\d rare "),
    ("cause:dns", r"✗ [^\n]*dns"),
    ("type:account.closed", r"account\.closed +[✓✗]"),
    ("status:503 endpoint:crm", r"\d crm [^\n]*✗ 503"),
    ("state:failed type:lead.*", r"lead\.created +✗"),
)
"""What is typed, and what is only shown when it was found."""


def console_on(path: Path, home: Path, size: str, *more: str) -> Terminal:
    columns, rows = map(int, size.split("x"))
    program = [str(Path(sys.executable).with_name("webhook-console")), "--no-engine", "--store", str(path), *more]
    return Terminal(program, columns=columns, rows=rows, environment=environment(home), folder=home)


def jumps(path: Path, home: Path, *, size: str, rounds: int) -> dict[str, Any]:
    """Milliseconds to either end of the tail, page by page, and to what filters find."""
    found: dict[str, list[float]] = {}
    with console_on(path, home, size, "--read-only") as terminal:
        terminal.wait_for(r"Attempts · following")
        terminal.press("tab")
        time.sleep(1)
        for _ in range(rounds):
            for name, key, pattern in JUMPS:
                time.sleep(0.2)
                terminal.text()
                pressed_s = terminal.press(key)
                found.setdefault(name, []).append((terminal.wait_for(pattern, timeout_s=20) - pressed_s) * 1000)
            for words, row in FILTERS:
                terminal.press("/")
                terminal.wait_for(r"\n[^\n]*/")
                time.sleep(0.2)
                terminal.press(*words[:-1])
                time.sleep(0.4)
                terminal.text()
                pressed_s = terminal.press(words[-1])
                shown = terminal.wait_for(rf"/{re.escape(words)}[^\n]*\n.*{row}", timeout_s=20)
                found.setdefault(f"last letter of {words}", []).append((shown - pressed_s) * 1000)
                terminal.press("esc")
                time.sleep(0.3)
                terminal.press("esc")
                time.sleep(0.5)
    return {name: spread(values) for name, values in found.items()}


def stalled(path: Path, home: Path, *, size: str, seconds: float, rate: float) -> dict[str, Any]:
    """The terminal reads nothing for a while, and attempts go on arriving."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.attempt_writer", str(path), "--rate", str(rate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    began_s = time.monotonic()
    try:
        with console_on(path, home, size) as terminal:
            terminal.wait_for(r"running · pid.*✓ ")
            time.sleep(2)
            terminal.stall()
            for _ in range(round(seconds * 10)):
                terminal.press("z")
                time.sleep(0.1)
            went_on_s = time.perf_counter()
            terminal.go_on()
            said_s = terminal.wait_for("slow link") - went_on_s
            terminal.press("?")
            key_s = terminal.wait_for("Keys ·") - went_on_s
            terminal.press("esc")
            gone_s = terminal.wait_until_gone("slow link") - went_on_s
    finally:
        answer, _ = writer.communicate(timeout=30)
    return {
        "stalled_s": seconds,
        "said_after_s": round(said_s, 2),
        "a_key_after_s": round(key_s, 2),
        "as_before_after_s": round(gone_s, 2),
        "attempts_per_s_meanwhile": round(int(answer or b"0") / (time.monotonic() - began_s)),
    }


def fresh(path: Path) -> Path:
    """A store with five endpoints and no past."""
    store = open_store(path)
    for number, endpoint in enumerate(console_keys.NAMES):
        spec = make_spec(name=endpoint, types=(f"to.{endpoint}",))
        store.add_endpoint(new_endpoint_id(random.Random(number)), spec, 1_700_000_000_000)
    store.close()
    return path


def memory(path: Path, home: Path, *, size: str, minutes: float, rate: float) -> dict[str, Any]:
    """What it takes after so long."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.attempt_writer", str(path), "--rate", str(rate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        with console_on(path, home, size) as terminal:
            terminal.wait_for(r"running · pid.*✓ ")
            cost = console_keys.measure_cost(terminal, seconds=minutes * 60)
    finally:
        writer.communicate(timeout=30)
    return {"minutes": minutes, **cost}


def main() -> None:
    parser = argparse.ArgumentParser(prog="console_feel", description=__doc__)
    parser.add_argument("--store", type=Path, help="a store with a long past")
    parser.add_argument("--make", type=int, metavar="N", help="make STORE first, with N attempts")
    parser.add_argument("--rate", type=float, default=1000, help="attempts a second")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="over which costs are measured")
    parser.add_argument("--minutes", type=float, default=1, help="after which memory is measured")
    parser.add_argument("--size", default="120x40", help="COLUMNSxROWS")
    parser.add_argument(
        "--part", action="append", choices=["first_frame", "keys", "jumps", "memory", "stalled"], help="only this one"
    )
    options = parser.parse_args()
    parts = options.part or ["first_frame", "keys", "jumps", "memory", "stalled"]
    sys.setswitchinterval(0.0005)  # the thread that notes when bytes came must not wait for the emulator
    report: dict[str, Any] = {"machine": machine(), "load_1m": load_1m()}
    if options.make:
        make_past(options.store, options.make)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if "first_frame" in parts:
            three_endpoints(home / "three.db")
            rounds = options.rounds + 4
            report["first_frame"] = compare(home / "three.db", "warehouse", home=home, rounds=rounds, size=options.size)
            if options.store:
                report["first_frame_over_a_long_past"] = compare(
                    options.store, "warehouse", home=home, rounds=rounds, size=options.size
                )
        if "keys" in parts:
            for name, rate in (("idle", 0.0), ("arriving", options.rate)):
                report[name] = console_keys.scene(fresh(home / f"{name}.db"), rate=rate, options=options)
        if "jumps" in parts and options.store:
            report["jumps"] = jumps(options.store, home, size=options.size, rounds=options.rounds)
        if "memory" in parts:
            path = fresh(home / "memory.db")
            report["memory"] = memory(path, home, size=options.size, minutes=options.minutes, rate=options.rate)
        if "stalled" in parts:
            path = fresh(home / "stalled.db")
            report["stalled"] = stalled(path, home, size=options.size, seconds=10, rate=options.rate)
    print(json.dumps({**report, "load_1m_after": load_1m()}, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
