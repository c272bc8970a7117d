"""Every change that SQLite makes to the files of a store, written down in order, with what was promised in between.

Several processes may write one log. A record is appended after its call has returned, but a sync has a record before it
too: what it made durable is what was written down before it began.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.faults.interposed import Disk, interpose


class Record(msgspec.Struct, array_like=True, omit_defaults=True):
    """One of these, by `kind`:

    `file` (name, inode, data): seen for the first time, with what was in it; `write` (inode, at, data); `truncate`
    (inode, at: the size); `sync` and `synced` (inode, at: the number of this sync, name: the process), where inode 0 is
    the folder; `unlink` (name); `mark` (name: what was promised, at: a number, data: of what).
    """

    kind: str
    inode: int = 0
    at: int = 0
    name: str = ""
    data: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
FOLDER = 0


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


def record(store: Path, log: Log) -> None:
    """From now on every change that this process makes to the store's files is in the log."""
    interpose(_Recorder(store, log))


class _Recorder(Disk):
    def __init__(self, store: Path, log: Log) -> None:
        self._store, self._log = store, log
        self._inodes: dict[int, int] = {}
        """Of what is open and ours, by descriptor."""
        self._seen: set[int] = set()
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
        if inode not in self._seen:
            self._seen.add(inode)
            self._log.add(Record("file", inode, name=name, data=os.pread(fd, os.fstat(fd).st_size, 0)))

    def close(self, fd: int) -> int:
        self._inodes.pop(fd, None)
        return super().close(fd)

    def write(self, fd: int, data: bytes, offset: int) -> int:
        written = super().write(fd, data, offset)
        if fd in self._inodes:
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
