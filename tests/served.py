"""`serve` in a process of its own, and its log as it comes."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HANG_S = 20.0


def command(path: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "console", f"--store={path}", "serve", "--allow-address=127.0.0.0/8", *arguments]


class Served:
    """An engine in a process of its own; its log is read as it comes."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.lines: list[bytes] = []
        self._came = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._came:
                self.lines.append(line)
                self._came.notify_all()
        with self._came:
            self._came.notify_all()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Every line of the log, as the JSON that it must be."""
        return [json.loads(line) for line in self.lines]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries if entry["event"] == event]

    def wait_for_log(self, event: str) -> dict[str, Any]:
        with self._came:
            assert self._came.wait_for(lambda: self.named(event) or not self._thread.is_alive(), HANG_S)
        assert self.named(event), self.lines
        return self.named(event)[0]

    def end(self) -> int:
        """The exit code, once all that it logged is read."""
        code = self.process.wait(HANG_S)
        self._thread.join(HANG_S)
        return code


@contextmanager
def serving(path: Path, *arguments: str, **given: Any) -> Iterator[Served]:
    """An engine that runs until the block ends, at the latest."""
    with subprocess.Popen(command(path, *arguments), stderr=subprocess.PIPE, **given) as process:
        served = Served(process)
        try:
            served.wait_for_log("started")
            yield served
        finally:
            if process.poll() is None:
                process.kill()
            served.end()
