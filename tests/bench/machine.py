"""What a figure depends on besides the code: printed with each, since only ratios travel between machines."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from console.store.sqlite.library import sqlite3
from tests.terminal import plain_environment


def machine(folder: Path | None = None) -> dict[str, Any]:
    """Cores, load, versions, and the file system that a store in `folder` is on."""
    found: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_1m": load_1m(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    if folder is not None:
        found["file_system"] = _file_system(folder.resolve())
    return found


def environment(home: Path) -> dict[str, str]:
    """Of a program that is measured: plain, and the console is the one that this process has."""
    path = os.environ.get("PYTHONPATH")
    return plain_environment(home, **({"PYTHONPATH": path} if path else {}))


def load_1m() -> float:
    return round(os.getloadavg()[0], 2)


def spread(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """p50, p95, p99 and the largest, by nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return {}
    at = {f"p{n}": ordered[max(0, -(-n * len(ordered) // 100) - 1)] for n in (50, 95, 99)}
    return {name: round(value, digits) for name, value in {**at, "max": ordered[-1]}.items()}


def median(values: Sequence[float], digits: int = 1) -> float:
    return round(statistics.median(values), digits)


def _file_system(folder: Path) -> str:
    """The type of the longest mount point above `folder`."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, at, type_, *_ = line.split()
        if len(at) >= len(best) and folder.is_relative_to(at):
            best, kind = at, type_
    return kind
