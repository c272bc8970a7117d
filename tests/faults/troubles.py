"""Troubles that a test causes in a child process while it runs: failing disk, jumping clock; or a mere record.

A file that both have mapped says what the trouble is.
"""

import argparse
import errno
import mmap
import struct
from enum import IntEnum
from pathlib import Path
from random import Random

from console.domain.clock import SystemClock
from console.store.sqlite import checkpointing, engine
from console.store.sqlite.connection import Connection
from tests.faults.interposed import Disk, interpose
from tests.faults.recording import Log, record

CHECKPOINT_PAGES = 40
WAL_KEPT_BYTES = 500_000
"""Instead of thousands, and of many megabytes: a short run must come to checkpoints, and to logs that begin again."""

_STATE = struct.Struct("<qq")


class DiskTrouble(IntEnum):
    NONE = 0
    FULL = 1
    """Writes are cut short, with ENOSPC."""
    WRITE_FAILS = 2
    SYNC_FAILS = 3


class Control:
    """What the trouble is. One process sets it, others look."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_STATE.pack(DiskTrouble.NONE, 0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _STATE.size)

    @property
    def disk(self) -> DiskTrouble:
        return DiskTrouble(_STATE.unpack_from(self._map)[0])

    @disk.setter
    def disk(self, trouble: DiskTrouble) -> None:
        _STATE.pack_into(self._map, 0, trouble, self.shift_ms)

    @property
    def shift_ms(self) -> int:
        """How far off the wall clock is."""
        return int(_STATE.unpack_from(self._map)[1])

    @shift_ms.setter
    def shift_ms(self, shift_ms: int) -> None:
        _STATE.pack_into(self._map, 0, self.disk, shift_ms)


class TroubledClock(SystemClock):
    def __init__(self, control: Control | None) -> None:
        self._control = control

    def now_ms(self) -> int:
        return super().now_ms() + (self._control.shift_ms if self._control else 0)


class _TroubledDisk(Disk):
    def __init__(self, control: Control) -> None:
        self._control, self._random = control, Random(1)

    def write(self, fd: int, data: bytes, offset: int) -> int:
        match self._control.disk:
            case DiskTrouble.FULL:
                written = self._random.randrange(len(data)) // 512 * 512
                if not written or self._random.random() < 0.5:
                    raise OSError(errno.ENOSPC, "no space")
                return super().write(fd, data[:written], offset)
            case DiskTrouble.WRITE_FAILS:
                raise OSError(errno.EIO, "the disk")
            case _:
                return super().write(fd, data, offset)

    def sync(self, fd: int) -> int:
        if self._control.disk is DiskTrouble.SYNC_FAILS:
            raise OSError(errno.EIO, "the disk")
        return super().sync(fd)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a child process that can be troubled takes."""
    parser.add_argument("store", type=Path)
    parser.add_argument("--changes", type=Path, help="where every change of the store's files is recorded")
    parser.add_argument("--control", type=Path, help="where the test says what the trouble is")


def begin(given: argparse.Namespace) -> tuple[TroubledClock, Log | None]:
    """Take the options' word, before the store is opened."""
    setattr(engine, "_CHECKPOINT_PAGES", CHECKPOINT_PAGES)  # noqa: B010 - mypy knows better than to let names be replaced
    with_pragma(f"journal_size_limit={WAL_KEPT_BYTES}")
    control = Control(given.control) if given.control else None
    log = Log(given.changes) if given.changes else None
    if log is not None:
        record(given.store, log)
    elif control is not None:
        interpose(_TroubledDisk(control))
    return TroubledClock(control), log


def trusting() -> None:
    """After a failed checkpoint what SQLite counts as written is taken for written."""

    def nothing(connection: Connection) -> None:
        connection.log_in_doubt = False

    for module in (engine, checkpointing):
        setattr(module, "write_all_again", nothing)  # noqa: B010


def with_pragma(pragma: str) -> None:
    """Every connection of this process has this setting too, after those of the product."""
    prepare = Connection.prepare

    def prepare_otherwise(connection: Connection) -> None:
        prepare(connection)
        connection.run(f"PRAGMA {pragma}")

    setattr(Connection, "prepare", prepare_otherwise)  # noqa: B010
