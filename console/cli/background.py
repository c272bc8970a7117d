"""An engine in the background: a process of its own, which outlives the console that started it."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from console.config import EngineSettings
from console.domain.clock import Clock, SystemClock
from console.domain.errors import ConsoleError, EngineRunningError
from console.engine.lock import EngineLock
from console.store import Store, open_store

START_WAIT_S = 5.0
_LOOK_S = 0.02
_LAST_BYTES = 4096

_children: list["subprocess.Popen[bytes]"] = []
"""Kept, since a process object that is collected while its process runs warns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A new engine holds the store. `log` is where its stderr goes."""

    pid: int
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyRunning:
    """An engine held the store before."""

    pid: int


def ensure_engine(settings: EngineSettings, *, clock: Clock | None = None) -> Started | AlreadyRunning:
    """Start an engine for the store when none is alive, and wait until it is.

    The process is detached: closing the terminal does not end it. Its output is appended to `<store>.log` (0600).

    Raises:
        ConsoleError: it ended at once, or did not come up within 5 s; says why and names the log.
    """
    clock = clock or SystemClock()
    store = open_store(settings.store)
    try:
        running = _alive_pid(store, clock)
        if running is not None:
            return AlreadyRunning(pid=running)
        log = settings.store.with_name(settings.store.name + ".log")
        process = _spawn(settings, log)
        _children.append(process)
        return _wait(store, process, log, clock)
    finally:
        store.close()


def _alive_pid(store: Store, clock: Clock) -> int | None:
    status = store.engine_status()
    return status.pid if status is not None and status.alive(clock.now_ms()) else None


def command_of(settings: EngineSettings) -> list[str]:
    """The command line that serves with these settings."""
    # -P: a folder named console where the operator stands must not be taken for this package.
    command = [sys.executable, "-P", "-m", "console", "serve", f"--store={settings.store}"]
    command += [f"--drain={settings.drain_s}s", f"--max-in-flight={settings.max_in_flight}"]
    command += [f"--transport={settings.transport}"]
    command += [f"--allow-address={network}" for network in settings.allow_addresses]
    return command


def _spawn(settings: EngineSettings, log: Path) -> "subprocess.Popen[bytes]":
    try:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise ConsoleError(f"{log}: {problem.strerror}, so no engine was started") from None
    try:
        return subprocess.Popen(
            command_of(settings), stdin=subprocess.DEVNULL, stdout=fd, stderr=fd, start_new_session=True
        )
    finally:
        os.close(fd)


def _wait(store: Store, process: "subprocess.Popen[bytes]", log: Path, clock: Clock) -> Started | AlreadyRunning:
    until_s = clock.monotonic_s() + START_WAIT_S
    while True:
        ended = process.poll() is not None
        pid = _alive_pid(store, clock)
        if pid is not None:
            # Another one may have come first; ours then ends by itself.
            return Started(pid=pid, log=log) if pid == process.pid else AlreadyRunning(pid=pid)
        # One that was refused because another is just starting: that one is waited for.
        if ended and not _is_locked(store):
            raise ConsoleError(f"the engine ended at once: {_last_line(log)} ({log})")
        if clock.monotonic_s() >= until_s:
            process.terminate()
            raise ConsoleError(f"the engine did not come up within {START_WAIT_S:g} s and was ended: see {log}")
        time.sleep(_LOOK_S)


def _is_locked(store: Store) -> bool:
    """Whether an engine holds the store, be it that it has not said so yet."""
    lock = EngineLock(store.path)
    try:
        lock.acquire()
    except EngineRunningError:
        return True
    lock.release()
    return False


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
