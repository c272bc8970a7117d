"""Copied and backed-up stores, opened to be looked at: on any medium, and with nothing written beside them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.copy import Reading, StoreCopy
from console.domain.errors import StoreError
from console.store.sqlite.connection import Connection
from console.store.sqlite.library import sqlite3
from console.store.sqlite.opening import bring_up_to_date, check_application, exists
from console.store.sqlite.schema import VERSION

if TYPE_CHECKING:
    from console.store.sqlite.store import SqliteStore

MIGRATED_MOST_BYTES = 4 * 2**30
"""A store of an older schema that is larger is not copied to be migrated."""

_SPARE_BYTES = 64 * 2**20
_TABLES = ("events", "deliveries", "attempts", "endpoints", "operations", "rates", "gauges", "inbox")
_ENDS = (
    "SELECT * FROM (SELECT * FROM {0} LIMIT 1) UNION ALL SELECT * FROM (SELECT * FROM {0} ORDER BY {1} DESC LIMIT 1)"
)

_OPTIONS = {
    # The file is all there is: no locks, no log, nothing beside it.
    Reading.WHOLE: "immutable=1",
    # With no locks there is no shared memory either, once the connection says that it is the only one: the index of the
    # log is kept in this process's memory. Several such connections read side by side, as nobody writes.
    Reading.WITH_LOG: "vfs=unix-none",
}


@contextmanager
def copy_to_look_at(path: Path) -> Iterator[StoreCopy]:
    """A copy of a store, ready to be read by `open_copied_store` while the block runs.

    Raises:
        StoreError: there is none, or it is torn, or of a schema that cannot be read.
    """
    path = path.absolute()
    if not exists(path):
        raise StoreError(f"{path}: there is no such file: name a copy of a store, or a backup")
    with tempfile.TemporaryDirectory(prefix="webhook-console-", ignore_cleanup_errors=True) as folder:
        opened, notice = path, None
        if _size(path, "-journal"):
            opened, notice = _rolled_back(path, Path(folder))
        version = _schema_of(opened, path)
        if version < VERSION:
            opened, said = _migrated(opened, path, version, Path(folder))
            notice = f"{notice}; {said}" if notice else said
        yield StoreCopy(
            path=path, opened=opened, reading=_reading(opened), as_of_ms=_end_of(opened, path), notice=notice
        )


def open_copied_store(copy: StoreCopy) -> "SqliteStore":
    """The store of a copy, for the calling thread. Raises StoreError."""
    from console.store.sqlite.store import SqliteStore

    connection = _connect(copy.opened)
    connection.prepare()
    return SqliteStore(connection)


def _size(path: Path, suffix: str) -> int:
    with suppress(OSError):
        return path.with_name(path.name + suffix).stat().st_size
    return 0


def _reading(path: Path) -> Reading:
    return Reading.WITH_LOG if _size(path, "-wal") else Reading.WHOLE


def _connect(path: Path) -> Connection:
    reading = _reading(path)
    connection = Connection(path, read_only=True, options=_OPTIONS[reading])
    if reading is Reading.WITH_LOG:
        connection.run("PRAGMA locking_mode=EXCLUSIVE")
    return connection


def _schema_of(opened: Path, path: Path) -> int:
    """Refuses what is no store, or one that cannot be read."""
    with _said_of(path), closing(_connect(opened)) as connection:
        return check_application(connection, path)


def _end_of(opened: Path, path: Path) -> int:
    """When anything last happened in it. Looks at both ends of each table, so that a torn copy is refused."""
    from console.store.sqlite.store import SqliteStore

    with _said_of(path), closing(_connect(opened)) as connection:
        for table in _TABLES:
            connection.rows(_ENDS.format(table, "rowid" if table != "rates" else "width"))
        newest_ms = SqliteStore(connection).newest_ms()
    return round(path.stat().st_mtime * 1000) if newest_ms is None else newest_ms


def _rolled_back(path: Path, folder: Path) -> tuple[Path, str]:
    """A copy of the copy, in which the commit that was cut short is taken back when it is first read."""
    _refuse_too_large(path, path.stat().st_size, folder, "a commit in it was cut short")
    taken = folder / path.name
    with _said_of(path):
        for suffix in ("", "-journal", "-wal"):
            if suffix == "" or _size(path, suffix):
                shutil.copyfile(path.with_name(path.name + suffix), folder / f"{path.name}{suffix}")
        with closing(Connection(taken, read_only=False)) as connection:
            connection.value("SELECT count(*) FROM sqlite_schema")
    return taken, "a commit that was cut short was taken back, in a temporary copy"


def _migrated(opened: Path, path: Path, version: int, folder: Path) -> tuple[Path, str]:
    """A copy of the copy, of the newest schema."""
    size = opened.stat().st_size + _size(opened, "-wal")
    _refuse_too_large(path, size, folder, f"it is of schema {version}, and this program reads {VERSION}")
    new = folder / f"{path.name}.migrated"
    new.touch(mode=0o600)
    with _said_of(path):
        with closing(_connect(opened)) as source, closing(sqlite3.connect(new, isolation_level=None)) as target:
            source.raw.backup(target)
        with closing(Connection(new, read_only=False)) as connection:
            bring_up_to_date(connection)
            connection.run("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.run("PRAGMA journal_mode=DELETE")
    return (
        new,
        f"of an older schema ({version}): a temporary copy of it was migrated to {VERSION}, and is what is shown",
    )


def _refuse_too_large(path: Path, size: int, folder: Path, why: str) -> None:
    free, wanted = shutil.disk_usage(folder).free, 2 * size + _SPARE_BYTES
    if size > MIGRATED_MOST_BYTES:
        raise StoreError(
            f"{path}: {why}; at {size // 2**20:,} MiB it is too large to be changed in a temporary copy: "
            f"copy it yourself, and open it once with webhook-console serve --store COPY"
        )
    if free < wanted:
        raise StoreError(
            f"{path}: {why}; a temporary copy needs {wanted // 2**20:,} MiB, and {folder.parent} has "
            f"{free // 2**20:,} free: set TMPDIR to a larger disk"
        )


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """What goes wrong is said of the file that was named."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}): check its owner and mode") from None
    except sqlite3.DatabaseError as error:
        raise _torn(path, str(error)) from None
    except StoreError as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.DatabaseError) and "malformed" in str(cause):
            raise _torn(path, str(cause)) from None
        raise


def _torn(path: Path, said: str) -> StoreError:
    return StoreError(
        f"{path}: the copy is torn ({said}): make another with webhook-console backup, or recover what is in it: "
        f"sqlite3 {path} .recover | sqlite3 new.db"
    )
