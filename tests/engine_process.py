"""The engine as an operator runs it: `serve` in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from console.domain.clock import SystemClock
from console.store import open_store

START_S = 30.0
STOP_S = 15.0


class EngineProcess:
    """Serves a store while the block runs, and ends with it. It ends with this process too, however that ends.

    Args:
        store: its path; made when it is not there.
        log: where its stderr goes; None: nowhere.
        arguments: more flags of `serve`.
        environment: the whole of it; None: that of this process.
        wait: until it holds the store.
    """

    def __init__(
        self,
        store: Path,
        *,
        log: Path | None = None,
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> None:
        self._store, self._log, self._arguments = store, log, arguments
        self._environment = environment
        self._wait = wait
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        command = [sys.executable, "-P", "-m", "console", "serve", "--store", str(self._store), "--stop-on-eof"]
        command += ["--allow-address", "127.0.0.0/8", "--log-format", "json", *self._arguments]
        with Path(self._log or os.devnull).open("ab") as stderr:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=None if self._environment is None else dict(self._environment),
                start_new_session=True,
            )
        try:
            if self._wait:
                self._wait_until_alive()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_s(self) -> float:
        """Processor seconds it and its children have used, all threads, in steps of a clock tick (mostly 10 ms)."""
        ticks = 0
        for pid in (self.pid, *self.children()):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def children(self) -> list[int]:
        """The processes that it has started and that still run."""
        listed = [path.read_text().split() for path in Path(f"/proc/{self.pid}/task").glob("*/children")]
        return [int(pid) for pids in listed for pid in pids]

    def _wait_until_alive(self) -> None:
        """Until this engine holds the store, not one that held it before."""
        clock, until_s = SystemClock(), time.monotonic() + START_S
        while time.monotonic() < until_s:
            if not self.alive:
                raise AssertionError(f"the engine ended at once: {self._log and self._log.read_text()[-2000:]}")
            if self._store.exists():
                store = open_store(self._store)
                try:
                    status = store.engine_status()
                finally:
                    store.close()
                if status is not None and status.pid == self.pid and status.alive(clock.now_ms()):
                    return
            time.sleep(0.02)
        raise AssertionError(f"no engine after {START_S:g} s")
