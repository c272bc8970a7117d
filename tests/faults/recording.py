"""Every change that SQLite makes to the files of a store, written down in order, with what was promised in between.

Several processes may write one log. A record is appended after its call has returned, but a sync has a record before it
too: what it made durable is what was written down before it began.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from tests.faults.interposed import Disk, interpose


class Record(msgspec.Struct, array_like=True, omit_defaults=True):
    """One of these, by `kind`.

    `file` (name, inode, data): seen for the first time, with what was in it; `write` (inode, at, data); `truncate`
    (inode, at: the size); `sync` and `synced` (inode, at: the number of this sync, name: the process), where inode 0 is
    the folder; `failed` instead of `synced`: what was written before is not on the disk and will not be; `unlink`
    (name); `mark` (name: what was promised, at: a number, data: of what).
    """

    kind: str
    inode: int = 0
    at: int = 0
    name: str = ""
    data: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
FOLDER = 0
WRITES_FOR_A_SYNC = 10
"""A sync fails as often as one of the writes before it."""


class Log:
    """Appended to in one call each, so that the records of several processes stand one after another."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, record: Record) -> None:
        data = _encode(record)
        os.write(self._fd, len(data).to_bytes(4, "little") + data)

    def mark(self, promise: str, *of: str, number: int = 0) -> None:
        """Something was promised: it must be found in the store after any loss of power from now on."""
        self.add(Record("mark", name=promise, at=number, data=" ".join(of).encode()))


def read_log(path: Path) -> Iterator[Record]:
    data, at = memoryview(path.read_bytes()), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        yield _decode(data[at + 4 : at + 4 + size])
        at += 4 + size


@dataclass(slots=True)
class Failures:
    """Which writes and syncs fail, as a seed says. After a failed sync the kernel forgets: the next one works, and what
    was to be synced is gone."""

    random: Random
    rate: float = 0.0
    unheeded: bool = False
    """SQLite is told that the sync has worked."""
    everywhere: bool = False
    """Not only the write-ahead log's syncs fail: those of the store's own file do, too."""
    store_once: bool = False
    """The next sync of the store's own file fails, whatever is drawn."""

    def comes(self, weight: int = 1) -> bool:
        return self.random.random() < self.rate * weight


def record(store: Path, log: Log, failures: Failures | None = None) -> None:
    """From now on every change that this process makes to the store's files is in the log."""
    interpose(_Recorder(store, log, failures or Failures(Random(0))))


class _Recorder(Disk):
    def __init__(self, store: Path, log: Log, failures: Failures) -> None:
        self._store, self._log, self._failures = store, log, failures
        self._inodes: dict[int, int] = {}
        """Of what is open and ours, by descriptor."""
        self._seen: set[int] = set()
        self._wals: set[int] = set()
        self._syncs = 0

    def open(self, path: bytes, flags: int, mode: int) -> int:
        fd = super().open(path, flags, mode)
        name = Path(os.fsdecode(path))
        if name == self._store.parent:
            self._inodes[fd] = FOLDER
        elif name.parent == self._store.parent and not name.name.endswith("-shm"):
            self._meet(fd, name.name)
        return fd

    def _meet(self, fd: int, name: str) -> None:
        inode = self._inodes[fd] = os.fstat(fd).st_ino
        if name.endswith("-wal"):
            self._wals.add(inode)
        else:
            self._wals.discard(inode)
        if inode not in self._seen:
            self._seen.add(inode)
            self._log.add(Record("file", inode, name=name, data=os.pread(fd, os.fstat(fd).st_size, 0)))

    def close(self, fd: int) -> int:
        self._inodes.pop(fd, None)
        return super().close(fd)

    def write(self, fd: int, data: bytes, offset: int) -> int:
        ours = fd in self._inodes
        fails = ours and self._failures.comes()
        if fails and self._failures.random.random() < 0.5:
            raise OSError(errno.ENOSPC, "no space")
        written = super().write(fd, data[: len(data) // 2] if fails else data, offset)
        if ours:
            self._log.add(Record("write", self._inodes[fd], offset, data=data[:written]))
        return written

    def truncate(self, fd: int, size: int) -> int:
        super().truncate(fd, size)
        if fd in self._inodes:
            self._log.add(Record("truncate", self._inodes[fd], size))
        return 0

    def sync(self, fd: int) -> int:
        inode = self._inodes.get(fd)
        if inode is None:
            return super().sync(fd)
        self._syncs += 1
        number, process = self._syncs, str(os.getpid())
        self._log.add(Record("sync", inode, number, process))
        # SQLite heeds no failed sync of a folder: the file systems it is made for write a name with its file.
        of_store = inode != FOLDER and inode not in self._wals
        may_fail = inode in self._wals or (of_store and self._failures.everywhere)
        told_to = of_store and self._failures.store_once
        if told_to:
            self._failures.store_once = False
        if told_to or (may_fail and self._failures.comes(WRITES_FOR_A_SYNC)):
            self._log.add(Record("failed", inode, number, process))
            if not self._failures.unheeded:
                raise OSError(errno.EIO, "the disk")
            return 0
        super().sync(fd)
        self._log.add(Record("synced", inode, number, process))
        return 0

    def unlink(self, path: bytes) -> int:
        super().unlink(path)
        name = Path(os.fsdecode(path))
        if name.parent == self._store.parent and not name.name.endswith("-shm"):
            # Its number may be given to the next file.
            self._seen.clear()
            self._log.add(Record("unlink", name=name.name))
        return 0
