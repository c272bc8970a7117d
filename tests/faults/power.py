"""What a disk holds after the power went at some moment of a recording.

What was synced is there. Of what was written since, each sector of 512 bytes is there or is not, each change of size
and each new or removed name too; all of that is drawn by a seed. A write never damages bytes that it did not write,
and a sector is never half written: what SQLite, too, asks of a disk (its `powersafe overwrite`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from tests.faults.recording import FOLDER, Record

SECTOR = 512


@dataclass(slots=True)
class _File:
    durable: bytearray
    pending: list[tuple[int, Record]] = field(default_factory=list)
    """With the place in the log at which each was made."""


@dataclass(slots=True)
class _Name:
    at: int
    name: str
    file: _File | None
    """None: removed."""


@dataclass(slots=True)
class Disk:
    """A disk that follows a recording."""

    _files: dict[int, _File] = field(default_factory=dict)
    _names: dict[str, _File] = field(default_factory=dict)
    """As a running program sees them."""
    _durable_names: dict[str, _File] = field(default_factory=dict)
    _pending_names: list[_Name] = field(default_factory=list)
    _syncs: dict[tuple[str, int], int] = field(default_factory=dict)
    """When each sync that has not ended began."""

    def follow(self, at: int, record: Record) -> None:
        """Take in the record at this place of the log."""
        match record.kind:
            case "file":
                self._appear(at, record)
            case "write" | "truncate":
                self._files[record.inode].pending.append((at, record))
            case "sync":
                self._syncs[record.name, record.at] = at
            case "synced":
                self._synced(record.inode, self._syncs.pop((record.name, record.at)))
            case "failed":
                self._failed(record.inode, self._syncs.pop((record.name, record.at)))
            case "unlink":
                if self._names.pop(record.name, None) is not None:
                    self._pending_names.append(_Name(at, record.name, None))
            case _:
                assert record.kind == "mark"

    def lose_power(self, random: Random) -> dict[str, bytes]:
        """What is left, by file name. Nothing of this disk changes: it may lose power at many moments."""
        names = dict(self._durable_names)
        keep = random.choice((0.0, 0.2, 0.5, 0.8, 1.0))
        for change in self._pending_names:
            if random.random() < keep:
                _rename(names, change)
        keep, torn = random.choice((0.0, 0.1, 0.5, 0.9, 1.0)), random.random() < 0.7
        return {name: _left_of(file, random, keep, torn) for name, file in names.items()}

    def _appear(self, at: int, record: Record) -> None:
        known = self._names.get(record.name)
        if known is not None and self._files.get(record.inode) is known:
            return
        file = self._names[record.name] = self._files[record.inode] = _File(bytearray(record.data))
        self._pending_names.append(_Name(at, record.name, file))

    def _synced(self, inode: int, began: int) -> None:
        if inode == FOLDER:
            for name in [c for c in self._pending_names if c.at < began]:
                _rename(self._durable_names, name)
            self._pending_names = [c for c in self._pending_names if c.at > began]
            return
        file = self._files[inode]
        for at, change in file.pending:
            if at < began:
                _apply(file.durable, change)
        file.pending = [(at, change) for at, change in file.pending if at > began]

    def _failed(self, inode: int, began: int) -> None:
        """What was to be synced is not, and no later sync will do it: the kernel has given it up."""
        if inode != FOLDER:
            file = self._files[inode]
            file.pending = [(at, change) for at, change in file.pending if at > began]


def _rename(names: dict[str, _File], change: _Name) -> None:
    if change.file is None:
        names.pop(change.name, None)
    else:
        names[change.name] = change.file


def _left_of(file: _File, random: Random, keep: float, torn: bool) -> bytes:
    left = bytearray(file.durable)
    for _, change in file.pending:
        for part in _sectors(change) if torn else (change,):
            if random.random() < keep:
                _apply(left, part)
    return bytes(left)


def _sectors(change: Record) -> Iterator[Record]:
    if change.kind == "truncate":
        yield change
        return
    at, data = change.at, change.data
    while data:
        size = SECTOR - at % SECTOR
        yield Record("write", at=at, data=data[:size])
        at, data = at + size, data[size:]


def _apply(content: bytearray, change: Record) -> None:
    if change.kind == "truncate":
        del content[change.at :]
        content.extend(bytes(change.at - len(content)))
        return
    end = change.at + len(change.data)
    content.extend(bytes(max(0, end - len(content))))
    content[change.at : end] = change.data


def losses(
    records: list[Record], moments: Iterable[int], random: Random
) -> Iterator[tuple[int, dict[str, bytes], list[Record]]]:
    """At each of these places of the log: what is left on the disk, and what had been promised by then."""
    disk, promised, done = Disk(), [], 0
    for moment in sorted(moments):
        for at in range(done, moment):
            disk.follow(at, records[at])
            if records[at].kind == "mark":
                promised.append(records[at])
        done = moment
        yield moment, disk.lose_power(random), promised


def draw_moments(records: list[Record], count: int, random: Random) -> list[int]:
    """Where the power goes: half of them anywhere, half right after something was promised, where a lie would show."""
    marks = [at + 1 for at, record in enumerate(records) if record.kind == "mark"]
    anywhere = random.sample(range(1, len(records) + 1), min(len(records), count - count // 2))
    return anywhere + random.sample(marks, min(len(marks), count // 2))
