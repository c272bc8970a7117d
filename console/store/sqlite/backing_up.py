"""A copy of the store while others write it.

Pages are copied in one read transaction: without one, the backup interface begins again whenever another connection has
written, and never ends beside a busy engine. While it is open the write-ahead log can only grow, so the copy is made as
fast as the disk takes it, and checked after the transaction has ended.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from console.domain.backup import Backup
from console.domain.clock import SystemClock
from console.domain.errors import InvalidInputError, StoreError
from console.store.sqlite.base import Queries
from console.store.sqlite.library import sqlite3

STEP_PAGES = 2048
_SPARE_BYTES = 16 * 1024 * 1024


class BackingUpQueries(Queries):
    def back_up(self, target: Path, *, replace: bool, progress: Callable[[int, int], None]) -> Backup:
        target = target.absolute()
        self._refuse_target(target, replace=replace)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        clock, wal_before = SystemClock(), self._wal_bytes()
        with _made_or_gone(partial):
            began_s = clock.monotonic_s()
            self._copy(partial, progress)
            copied_s, wal_after = clock.monotonic_s(), self._wal_bytes()
            _check(partial)
            _to_disk(partial)
            os.replace(partial, target)  # noqa: PTH105 - atomic on every system
            _to_disk(target.parent)
            return Backup(
                path=target,
                size_bytes=target.stat().st_size,
                copied_ms=round((copied_s - began_s) * 1000),
                checked_ms=round((clock.monotonic_s() - copied_s) * 1000),
                wal_bytes=wal_after,
                wal_grew_bytes=max(0, wal_after - wal_before),
            )

    def _refuse_target(self, target: Path, *, replace: bool) -> None:
        if target.is_dir():
            raise InvalidInputError(f"{target}: is a folder: name a file in it")
        if not target.parent.is_dir():
            raise InvalidInputError(f"{target.parent}: is no folder: make it first, or name another file")
        if target.exists():
            side_files = {self.path, *(self.path.with_name(self.path.name + s) for s in ("-wal", "-shm", "-journal"))}
            if any(file.exists() and file.samefile(target) for file in side_files):
                raise InvalidInputError(f"{target}: is the store itself: name another file")
            if not replace:
                raise InvalidInputError(f"{target}: is there already: name another file, or give --force")
            if not stat.S_ISREG(target.stat().st_mode):
                raise InvalidInputError(f"{target}: is no plain file: name another one")
        volume = os.statvfs(target.parent)
        wanted = self.path.stat().st_size + _SPARE_BYTES
        if volume.f_bavail * volume.f_frsize < wanted:
            raise StoreError(
                f"{target.parent}: the copy needs {wanted // 2**20:,} MiB and there are "
                f"{volume.f_bavail * volume.f_frsize // 2**20:,} free: free space, or name a file on another disk"
            )

    def _copy(self, partial: Path, progress: Callable[[int, int], None]) -> None:
        def step(_status: int, remaining: int, total: int) -> None:
            # Little by little: a large file that goes to the disk at once holds up the commits of the engine.
            os.fdatasync(file.fileno())
            progress(total - remaining, total)

        # Closed last: closing a file drops SQLite's locks on it.
        with (
            partial.open("rb") as file,
            _said_of(partial),
            closing(sqlite3.connect(partial, isolation_level=None)) as copy,
        ):
            # A copy that is cut short is thrown away, so nothing in it needs to be safe before its end.
            copy.execute("PRAGMA journal_mode=OFF")
            copy.execute("PRAGMA synchronous=OFF")
            with self._snapshot():
                self._connection.raw.backup(copy, pages=STEP_PAGES, progress=step)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """One state of the store, whatever others write."""
        self._connection.run("BEGIN")
        try:
            self._connection.value("SELECT count(*) FROM sqlite_schema")
            yield
        finally:
            self._connection.run("ROLLBACK")

    def _wal_bytes(self) -> int:
        with suppress(FileNotFoundError):
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        return 0


@contextmanager
def _made_or_gone(partial: Path) -> Iterator[None]:
    """An empty file of its owner alone, that is gone when the block fails."""
    with suppress(FileNotFoundError):
        partial.unlink()  # of a process that had this number and died
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError(f"{partial.parent}: cannot be written ({error.strerror}): name another file") from None
    try:
        yield
    except OSError as error:
        raise StoreError(f"{partial.parent}: the copy could not be kept ({error.strerror}); nothing is left") from None
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                partial.with_name(partial.name + suffix).unlink()


@contextmanager
def _said_of(partial: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{partial.parent}: the copy failed ({error}); nothing is left of it") from error


def _check(partial: Path) -> None:
    """Make it one file that needs no other beside it, and see that it is whole."""
    with _said_of(partial), closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()
        said = [" ".join(row[0].split()) for row in copy.execute("PRAGMA integrity_check(1)").fetchall()]
    if said != ["ok"]:
        raise StoreError(
            f"{partial.parent}: the copy is damaged ({said[0]}), so the store may be too: "
            "see `webhook-console doctor --full`"
        )


def _to_disk(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
