"""SQLite's calls to the operating system, taken over inside this process, without a compiler and without privileges.

The dynamic linker has written the addresses of `pwrite64`, `fsync` and the others into the library that holds SQLite.
Here they are written over with callbacks, so that a child process of a test can log each call, or answer it with an
error. It lasts until the process ends: use it in a process of its own.
"""

import ctypes
import os
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from console.store.sqlite.library import sqlite3

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_PLTRELSZ, _DT_STRTAB, _DT_SYMTAB, _DT_RELA, _DT_RELASZ, _DT_JMPREL = 2, 5, 6, 7, 8, 23
_RELA_SIZE, _SYMBOL_SIZE = 24, 24
_PROT_READ, _PROT_WRITE = 1, 2


class Disk:
    """What SQLite asks of the operating system, with the real answers. Raise OSError to make a call fail."""

    def open(self, path: bytes, flags: int, mode: int) -> int:
        return os.open(path, flags, mode)

    def close(self, fd: int) -> int:
        os.close(fd)
        return 0

    def write(self, fd: int, data: bytes, offset: int) -> int:
        return os.pwrite(fd, data, offset)

    def truncate(self, fd: int, size: int) -> int:
        os.ftruncate(fd, size)
        return 0

    def sync(self, fd: int) -> int:
        os.fsync(fd)
        return 0

    def unlink(self, path: bytes) -> int:
        os.unlink(path)  # noqa: PTH108 - what was called is what is done
        return 0


def unsupported() -> str | None:
    """Why it cannot be done here; None: it can."""
    if sys.platform != "linux" or struct.calcsize("P") != 8 or sys.byteorder != "little":
        return "SQLite's system calls can be taken over on 64-bit Linux only"
    return None if _slots(_library(), {b"fsync", b"fdatasync"}) else "SQLite's library calls no fsync by name"


_kept: list[object] = []
"""The callbacks: they must live as long as SQLite may call them."""


def interpose(disk: Disk) -> None:
    """From now on each call of SQLite in this process goes through `disk`."""

    def pwrite(fd: int, data: int, size: int, offset: int) -> int:
        return disk.write(fd, ctypes.string_at(data, size), offset)

    def write(fd: int, data: int, size: int) -> int:
        return disk.write(fd, ctypes.string_at(data, size), os.lseek(fd, 0, os.SEEK_CUR))

    size, signed, number, pointer = ctypes.c_size_t, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p
    _replace(
        {
            (b"open", b"open64"): (disk.open, number, (ctypes.c_char_p, number, number)),
            (b"close",): (disk.close, number, (number,)),
            (b"pwrite", b"pwrite64"): (pwrite, signed, (number, pointer, size, ctypes.c_int64)),
            (b"write",): (write, signed, (number, pointer, size)),
            (b"ftruncate", b"ftruncate64"): (disk.truncate, number, (number, ctypes.c_int64)),
            (b"fsync", b"fdatasync"): (disk.sync, number, (number,)),
            (b"unlink",): (disk.unlink, number, (ctypes.c_char_p,)),
        }
    )


def _replace(calls: dict[tuple[bytes, ...], tuple[Callable[..., int], Any, tuple[Any, ...]]]) -> None:
    library = _library()
    for names, (method, result, arguments) in calls.items():
        callback = ctypes.CFUNCTYPE(result, *arguments, use_errno=True)(_answering(method))
        _kept.append(callback)
        address = ctypes.cast(callback, ctypes.c_void_p).value
        assert address is not None
        for slot in _slots(library, set(names)):
            _store(slot, address)


def _answering(method: Callable[..., int]) -> Callable[..., int]:
    def call(*arguments: object) -> int:
        try:
            return method(*arguments)
        except OSError as error:
            ctypes.set_errno(error.errno or 5)
            return -1
        except BaseException:
            traceback.print_exc()
            os._exit(70)  # a fault of the test's own: an answer to SQLite could only hide it

    return call


def _library() -> tuple[Path, int]:
    """The mapped file that holds SQLite, and where it begins in memory."""
    found: dict[str, int] = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[2] == "00000000":
            found.setdefault(parts[5], int(parts[0].split("-")[0], 16))
    module = sys.modules[sqlite3.Connection.__module__.split(".")[0]]
    ours = [path for path in found if "libsqlite3" in path] if module.__name__ == "sqlite3" else []
    ours += [path for path in found if "_sqlite3" in path and module.__name__ in path]
    ours += [path for path in found if "_sqlite3" in path]
    return (Path(ours[0]), found[ours[0]]) if ours else (Path("/nowhere"), 0)


def _slots(library: tuple[Path, int], names: set[bytes]) -> list[int]:
    """Where in memory the library keeps the addresses of these functions."""
    path, base = library
    if not path.exists():
        return []
    image = path.read_bytes()
    (program,), (size, count) = struct.unpack_from("<Q", image, 32), struct.unpack_from("<HH", image, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", image, program + i * size) for i in range(count)]
    base -= min(h[3] for h in headers if h[0] == _PT_LOAD) & ~0xFFF
    offset, length = next((h[2], h[5]) for h in headers if h[0] == _PT_DYNAMIC)
    tags = dict(struct.unpack_from("<QQ", image, offset + i) for i in range(0, length, 16))
    slots = []
    for table, bytes_long in ((_DT_RELA, _DT_RELASZ), (_DT_JMPREL, _DT_PLTRELSZ)):
        entries = ctypes.string_at(base + tags.get(table, 0), tags.get(bytes_long, 0))
        for i in range(0, len(entries), _RELA_SIZE):
            where, info, _ = struct.unpack_from("<QQq", entries, i)
            if symbol := info >> 32:
                (name,) = struct.unpack("<I", ctypes.string_at(base + tags[_DT_SYMTAB] + symbol * _SYMBOL_SIZE, 4))
                if ctypes.string_at(base + tags[_DT_STRTAB] + name) in names:
                    slots.append(base + where)
    return slots


def _store(slot: int, address: int) -> None:
    page = os.sysconf("SC_PAGESIZE")
    libc = ctypes.CDLL(None, use_errno=True)
    start = ctypes.c_void_p(slot & ~(page - 1))
    # Made read-only by the linker once it was done.
    if libc.mprotect(start, ctypes.c_size_t(page), _PROT_READ | _PROT_WRITE):
        raise OSError(ctypes.get_errno(), "mprotect")
    ctypes.c_void_p.from_address(slot).value = address
