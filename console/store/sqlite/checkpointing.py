"""Putting the write-ahead log back into the store, so that a sync that failed is never taken for one that worked.

SQLite counts a checkpoint that a reader or a writer cut short as done before it has synced it: the sync at the end of a
later one is for both. When that one fails, the kernel has forgotten the pages of both, but the count of what need not
be written again stays. A later sync would work, the log would begin again, and the pages were on no disk. So after any
checkpoint that failed the count is set back: all that the log holds is written once more before the log may begin
again. What SQLite does without being asked (`wal_autocheckpoint`) tells nobody that it failed, and is off everywhere.

Where the count stands and which lock guards it: https://www.sqlite.org/walformat.html#the_wal_index_file_format
"""

import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Literal

from console.domain.clock import SystemClock
from console.domain.errors import StoreBusyError, StoreError
from console.store.sqlite.connection import LOCK_WAIT_S, Connection

Mode = Literal["PASSIVE", "TRUNCATE"]

_VERSION = struct.pack("=I", 3007000)
_BACKFILLED_AT, _BACKFILLED_SIZE = 96, 4
_CHECKPOINT_LOCK_AT = 121
_RETRY_S = 0.002

_indexes: dict[Path, int] = {}
"""Descriptors of log indexes, by path. Closing one would drop every lock that SQLite has on it in this process."""


def checkpoint(connection: Connection, mode: Mode) -> tuple[bool, int, int]:
    """Put the log back into the store, outside of transactions.

    Returns whether another process was in the way of the whole of it, how many pages the log holds, and how many of
    them are in the store.

    Raises:
        StoreError: the disk failed or is full. All that the log holds will be written again by the next checkpoint.
    """
    if connection.log_in_doubt:
        write_all_again(connection)
    try:
        row = connection.row(f"PRAGMA wal_checkpoint({mode})")
    except StoreBusyError:
        raise
    except StoreError:
        connection.log_in_doubt = True
        write_all_again(connection)
        raise
    assert row is not None
    return bool(row[0]), row[1], row[2]


def write_all_again(connection: Connection) -> None:
    """Let the next checkpoint, whoever makes it, write all that the log holds. Cheap; changes no content.

    It is what SQLite does itself when it reads a log that a dead process has left.

    Raises:
        StoreError: it cannot be seen to; no checkpoint may be made over this connection until it has been.
    """
    connection.log_in_doubt = True
    connection.row("SELECT 1 FROM sqlite_schema LIMIT 1")  # maps the index, when nobody had it
    try:
        index = _index_of(connection)
        if os.pread(index, len(_VERSION), 0) not in (_VERSION, b""):
            raise OSError(0, "unknown format of the log's index")
        _lock(index)
        try:
            # Beside a checkpoint of another process this would be overwritten when that ends: hence the lock. Readers
            # take more from the log than they need to; writers do not begin it again.
            if os.fstat(index).st_size:
                os.pwrite(index, bytes(_BACKFILLED_SIZE), _BACKFILLED_AT)
        finally:
            fcntl.lockf(index, fcntl.LOCK_UN, 1, _CHECKPOINT_LOCK_AT)
    except OSError as error:
        raise StoreError(
            f"{connection.path}: the log cannot be put back into the store ({error.strerror}): "
            "stop everything that has the store open, copy it with its -wal, and look at it: webhook-console doctor"
        ) from error
    connection.log_in_doubt = False


def _index_of(connection: Connection) -> int:
    path = Path(os.path.realpath(connection.path) + "-shm")  # SQLite, too, follows a link first
    there = path.stat()
    known = _indexes.get(path)
    if known is not None and os.path.samestat(os.fstat(known), there):
        return known
    _indexes[path] = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    return _indexes[path]


def _lock(index: int) -> None:
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + LOCK_WAIT_S
    while True:
        try:
            fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _CHECKPOINT_LOCK_AT)
            return
        except (BlockingIOError, PermissionError):  # systems differ
            if clock.monotonic_s() >= deadline_s:
                raise
            time.sleep(_RETRY_S)
