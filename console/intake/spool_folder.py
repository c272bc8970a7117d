"""A folder in which files are dropped: which of them are whole, and their way from there to `done` or `rejected`.

A file is taken by a rename to a name that no other file ever has. The ids of its events are made of that name, so that
whoever dies on the way and begins again accepts the same events, and the same file dropped twice is two files.
"""

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from console.domain.clock import Clock
from console.domain.errors import ConfigError, InvalidInputError
from console.domain.ids import random_text

TAKEN, DONE, REJECTED, LOCK = "taken", "done", "rejected", ".lock"
SUFFIXES = (".json", ".ndjson")
STILL_S = 0.5
"""A file that has not changed for so long is whole, as far as can be told from outside."""

_NAME_KEPT_BYTES = 180
_WHY_KEPT_BYTES = 100_000
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})


class Disk:
    """What is done to files; a test breaks it in between."""

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def write(self, path: Path, text: str) -> None:
        with open(path, "w", encoding="utf-8", errors="backslashreplace", opener=no_link) as file:
            file.write(text)

    def sync(self, path: Path) -> None:
        """A file or a folder, on disk."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """By which it is seen that a file has changed."""

    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        return cls(inode=found.st_ino, size_bytes=found.st_size, modified_ns=found.st_mtime_ns,
                   changed_ns=found.st_ctime_ns)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Seen:
    stamp: Stamp
    since_s: float
    reported: bool = False


class SpoolFolder:
    """One folder. Not for several threads at once.

    Args:
        complain: told once of each file that cannot be taken, and why.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        random: Random,
        complain: Callable[[str, str], None] = lambda name, why: None,
        disk: Disk | None = None,
    ) -> None:
        self.path = path
        self._clock, self._random, self._complain, self._disk = clock, random, complain, disk or Disk()
        self._seen: dict[str, _Seen] = {}
        self._lock: int | None = None
        self._count = 0
        self._leases = False

    def open(self) -> None:
        """Make what is needed, and keep others out.

        Raises:
            ConfigError: the folder cannot be used, or another process takes files from it.
        """
        lock = self.path / LOCK
        try:
            for folder in (self.path, *(self.path / name for name in (TAKEN, DONE, REJECTED))):
                folder.mkdir(parents=True, exist_ok=True)
                if folder != self.path and folder.is_symlink():
                    raise ConfigError(f"--spool {self.path}: {folder.name} is a symbolic link, and must be a folder")
            os.close(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            free = nobody_writes(lock)
            self._lock = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            # Both must be seen: there are file systems on which every file seems to be written.
            self._leases = free is True and nobody_writes(lock) is False
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise ConfigError(f"--spool {self.path}: another engine takes files from this folder") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:  # then the rename still gives each file to one of two
                self.close()
                raise ConfigError(f"--spool {self.path}: {error.strerror}") from None

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def take(self) -> float | None:
        """Take all files that are whole. Returns in how many seconds another may be; None: none is there."""
        found, names = self._files()
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        waits = []
        count = self._count
        for name, stamp in sorted(found.items(), key=lambda item: (item[1].modified_ns, item[0])):
            wait_s = self._wait_s(name, stamp)
            if wait_s is not None and wait_s <= 0:
                wait_s = self._take(name)
            if wait_s is not None:
                waits.append(wait_s)
        if self._count != count:
            # Before anything of them is accepted: one that came back under its old name would be another file.
            self._disk.sync(self.path / TAKEN)
            self._disk.sync(self.path)
        return min(waits, default=None)

    def taken(self) -> list[Path]:
        """Files that were taken and are at no end yet, in order. One that was opened before it was taken and is still
        written waits."""
        found = sorted(entry for entry in (self.path / TAKEN).iterdir() if entry.suffix.lower() in SUFFIXES)
        return [file for file in found if not self._is_written(file)]

    def unfinished(self) -> bool:
        """Whether any that was taken is at no end yet: it may still be written."""
        return any(entry.suffix.lower() in SUFFIXES for entry in (self.path / TAKEN).iterdir())

    def settle(self, file: Path) -> Stamp:
        """Let what is read of a taken file be what will be read of it again. Returns how it is now.

        Raises:
            InvalidInputError: something else was put in its place just before it was taken.
        """
        if not stat.S_ISREG(file.lstat().st_mode):
            raise InvalidInputError("is no file that could be read, but a link, a pipe or a folder")
        self._disk.sync(file)
        return Stamp.of(file.stat())

    def changed(self, file: Path, before: Stamp) -> bool:
        """Whether it is not as it was."""
        return Stamp.of(file.stat()) != before

    def accepted(self, file: Path) -> None:
        """It is done. Should the disk forget the rename, its events are known when they come again."""
        self._disk.rename(file, self.path / DONE / file.name)

    def rejected(self, file: Path, why: str) -> None:
        """It is not to be accepted; `why` stands beside it."""
        self._disk.write(self.path / REJECTED / f"{file.name}.reason.txt", why[:_WHY_KEPT_BYTES])
        self._disk.rename(file, self.path / REJECTED / file.name)

    def _files(self) -> tuple[dict[str, Stamp], set[str]]:
        """Those that may be taken, and the names of all that is there."""
        found: dict[str, Stamp] = {}
        names: set[str] = set()
        with os.scandir(self.path) as entries:
            for entry in entries:
                names.add(entry.name)
                if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode) and status.st_size:  # what is empty is yet to be written
                    found[entry.name] = Stamp.of(status)
                elif stat.S_ISLNK(status.st_mode):
                    self._report(entry.name, Stamp.of(status), "is a symbolic link: move or copy the file itself")
        return found, names

    def _wait_s(self, name: str, stamp: Stamp) -> float | None:
        """Until it may be whole; 0: it is; None: nothing can be said until it changes."""
        now_s = self._clock.monotonic_s()
        seen = self._seen.get(name)
        if seen is None or seen.stamp != stamp:
            seen = self._seen[name] = _Seen(stamp=stamp, since_s=now_s)
        if seen.reported:
            return None
        try:
            free = self._nobody_writes(self.path / name)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(name, stamp, f"cannot be read: {error.strerror}")
            return None
        if free is False:
            return STILL_S
        still_s = now_s - seen.since_s
        if free:
            # Its times were set by this machine's clock: what was before it was first seen counts too.
            changed_ms = max(stamp.modified_ns, stamp.changed_ns) // 1_000_000
            still_s = max(still_s, (self._clock.now_ms() - changed_ms) / 1000)
        return max(0.0, STILL_S - still_s)

    def _is_written(self, file: Path) -> bool:
        try:
            return self._nobody_writes(file) is False
        except OSError:
            return False  # who reads it will say so

    def _nobody_writes(self, file: Path) -> bool | None:
        free = nobody_writes(file)
        return free if self._leases else None

    def _take(self, name: str) -> float | None:
        kept = os.fsdecode(os.fsencode(name)[-_NAME_KEPT_BYTES:])
        self._count += 1  # in one millisecond, too, the order stays
        unique = f"{self._clock.now_ms():013d}-{self._count:06d}{random_text(self._random, 16)}-{kept}"
        try:
            self._disk.rename(self.path / name, self.path / TAKEN / unique)
        except FileNotFoundError:
            pass  # somebody took it back
        except OSError as error:
            self._report(name, self._seen[name].stamp, f"cannot be taken: {error.strerror}")
        return None

    def _report(self, name: str, stamp: Stamp, why: str) -> None:
        """Once, until it changes."""
        seen = self._seen.get(name)
        if seen is None or seen.stamp != stamp or not seen.reported:
            self._seen[name] = _Seen(stamp=stamp, since_s=self._clock.monotonic_s(), reported=True)
            self._complain(name, why)


def no_link(path: str, flags: int) -> int:
    """For `open`: the file of this name itself, and not another that it names; a pipe is not waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)


def nobody_writes(path: Path) -> bool | None:
    """Whether no process has a file open for writing; None where that cannot be told.

    Linux grants a read lease only then. The lease is given back at once; should somebody open the file in between, its
    holder gets a signal, which is made one that is ignored.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except AttributeError:
        return None
    except OSError as error:
        return False if isinstance(error, BlockingIOError) else None
    finally:
        os.close(fd)
    return True
