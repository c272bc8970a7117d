"""`python -m tests.fuzz NAME|all --seconds N`: look for inputs that break a parser, guided by what each one reaches.

A process of its own runs each target under atheris (libFuzzer), beginning with the corpus; an input that raises, or
takes ten seconds, or two gigabytes, ends it and is told in base64. Prints one JSON object for each target. The exit
code is 1 when any broke.
"""

import argparse
import importlib
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

_MOST_BYTES = 8192
_INPUT_TIMEOUT_S = 10
_MEMORY_MB = 2048
_STATS = {"runs": "number_of_executed_units", "slowest_s": "slowest_unit_time_sec", "memory_mb": "peak_rss_mb"}
_COVERED = re.compile(r"cov: (\d+)")


def main() -> int:
    if platform.system() != "Linux" or platform.machine() != "x86_64" or sys.version_info >= (3, 12):
        print("fuzzing needs atheris, which there is for Linux on x86_64 and Python before 3.12 only", file=sys.stderr)
        return 2
    if "--inside" in sys.argv:
        _fuzz(sys.argv[1], sys.argv[3:])
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", choices=(*TARGETS, "all"))
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    found = False
    for name in TARGETS if given.name == "all" else [given.name]:
        told = _run(name, given.seconds)
        found |= bool(told["crashes"])
        print(json.dumps(told), flush=True)
    return int(found)


def _run(name: str, seconds: int) -> dict[str, Any]:
    from tests.fuzz.corpus import ALL

    with tempfile.TemporaryDirectory() as folder:
        seeds, crashes = Path(folder, "seeds"), Path(folder, "crashes")
        seeds.mkdir()
        crashes.mkdir()
        for number, data in enumerate(ALL.values()):
            (seeds / str(number)).write_bytes(data[:_MOST_BYTES])
        options = {
            "max_total_time": seconds,
            "max_len": _MOST_BYTES,
            "timeout": _INPUT_TIMEOUT_S,
            "rss_limit_mb": _MEMORY_MB,
            "print_final_stats": 1,
            "artifact_prefix": f"{crashes}/",
        }
        flags = [f"-{option}={value}" for option, value in options.items()]
        started_s = time.perf_counter()
        ran = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", name, "--inside", *flags, str(seeds)],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        took_s = time.perf_counter() - started_s
        broken = [b64encode(crash.read_bytes()).decode() for crash in crashes.iterdir()]
    return _told(name, took_s, ran, broken)


def _told(name: str, took_s: float, ran: "subprocess.CompletedProcess[str]", broken: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"target": name, "seconds": round(took_s, 1)}
    for key, stat in _STATS.items():
        value = re.search(rf"stat::{stat}:\s*(\d+)", ran.stderr)
        told[key] = None if value is None else int(value[1])
    told["runs_per_s"] = round((told["runs"] or 0) / took_s)
    covered = _COVERED.findall(ran.stderr)
    told["covered"] = int(covered[-1]) if covered else None
    told["crashes"] = broken
    if broken or ran.returncode:
        said = ran.stdout + ran.stderr
        told["said"] = said[max(said.find("Uncaught Python exception"), 0) :][:2000].splitlines()
        told["crashes"] = broken or [f"exit code {ran.returncode}"]
    return told


def _fuzz(name: str, flags: list[str]) -> None:
    """Does not return."""
    atheris: Any = importlib.import_module("atheris")  # not there on every machine on which types are checked
    with atheris.instrument_imports(include=["console"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *flags], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
