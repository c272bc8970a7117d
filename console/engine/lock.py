"""One engine per store: an exclusive lock that the operating system releases when its holder dies.

The lock is on a file of its own beside the store. Opening and closing the store itself outside SQLite would drop
SQLite's own POSIX locks.
"""

import fcntl
import os
from pathlib import Path

from console.domain.errors import EngineRunningError, StoreError


def lock_path(store: Path) -> Path:
    return store.with_name(store.name + ".lock")


def is_held(store: Path) -> bool:
    """Whether an engine runs on this store, on this machine. Makes no file."""
    try:
        fd = os.open(lock_path(store), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


class EngineLock:
    """Held from `acquire` until `release`, or until the process ends.

    Raises:
        EngineRunningError: another process holds it.
        StoreError: the lock file cannot be made.
    """

    def __init__(self, store: Path) -> None:
        self._path = lock_path(store)
        self._fd: int | None = None

    def acquire(self) -> None:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be made ({error.strerror}): make the folder writable") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise EngineRunningError(f"{self._path}: held by another engine") from None
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
