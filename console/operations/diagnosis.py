"""Look at a store, its engine and the machine below them."""

import os
import platform
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from console import __version__
from console.domain import diagnosis
from console.domain.diagnosis import Finding, Level
from console.domain.errors import StoreError
from console.operations.secrets import plain_secrets
from console.store.protocol import Store

_PACKAGES = ("pyreqwest", "httpx", "textual")


def examine(store: Store, *, full: bool, key: bool, now_ms: int) -> Iterator[Finding]:
    """All findings, one after the other as they are made. Nothing is changed.

    Args:
        full: look at all of the file and count everything again.
        key: a key that seals secrets is configured.
    """
    try:
        facts = store.facts(now_ms)
        status = store.engine_status()
    except StoreError as error:
        yield _unreadable("store", error)
    else:
        yield diagnosis.engine(status, version=__version__, pending=facts.pending, now_ms=now_ms)
        # Before the long read below, which pins the log itself.
        yield _safely("log", lambda: diagnosis.log_size(facts.space, store.log_pins()))
        yield diagnosis.backlog(facts.overdue, now_ms)
        yield diagnosis.stuck(facts, alive=status is not None and status.alive(now_ms), now_ms=now_ms)
        yield diagnosis.endpoints(facts.stopped)
        yield _safely("alerts", lambda: diagnosis.alerts([alert.words for alert in store.alerts(now_ms)]))
        yield _safely("retention", lambda: diagnosis.retention(store.retention(), facts))
        yield _safely("secrets", lambda: diagnosis.secrets(plain_secrets(store), key=key))
        yield _safely(
            "search", lambda: diagnosis.search(store.search_status(now_ms), there=store.search_file is not None)
        )
        yield diagnosis.disk(shutil.disk_usage(store.path.parent).free, facts)
        yield diagnosis.clock(facts.newest_ms, now_ms)
    yield diagnosis.modes(open_to_others(store.path))
    yield diagnosis.library(*store.library)
    yield _versions()
    began_s = time.perf_counter()
    lines = store.damage(full=full)
    yield diagnosis.damage(lines, full=full, took_s=time.perf_counter() - began_s)


def open_to_others(store: Path) -> list[str]:
    """The store's files that others than their owner can read or write; a key or a secret may be in each."""
    found = []
    for path in (
        store,
        *(
            store.with_name(store.name + suffix)
            for suffix in ("-wal", "-shm", ".lock", "-search", "-search-wal", "-search-shm")
        ),
    ):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            found.append(str(path))
    return found


def _safely(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except StoreError as error:
        return _unreadable(check, error)


def _unreadable(check: str, error: StoreError) -> Finding:
    return Finding(
        check=check, level=Level.PROBLEM, says=str(error), way_out="webhook-console doctor --full, then a backup"
    )


def _versions() -> Finding:
    """For a report of a fault; nothing in it is right or wrong."""
    parts = [f"webhook-console {__version__}", f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"no {package}")
    return Finding(check="versions", level=Level.OK, says=f"{', '.join(parts)}, {os.uname().sysname}")
