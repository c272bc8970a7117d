"""One connection: pragmas, transactions, waiting for locks, and errors in words."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from console.domain.clock import SystemClock
from console.domain.errors import InvalidInputError, ReadInterruptedError, StoreBusyError, StoreError
from console.store.sqlite.library import sqlite3

T = TypeVar("T")
Row = tuple[Any, ...]

LOCK_WAIT_S = 5.0
"""How long a statement waits for another process's lock before it is an error."""

ROWS_AT_ONCE = 64
"""Rows in one statement of `run_rows`; what is left over goes in halves, so that few statements are ever prepared."""

_BUSY, _LOCKED, _NOMEM, _READONLY, _INTERRUPT = 5, 6, 7, 8, 9
_IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 10, 11, 13, 14, 26

_OPCODES_BETWEEN_LOOKS = 1000
"""At the clock, when there is a time to end at: less than a tenth of a millisecond."""


class TimeUpError(StoreError):
    """A statement was still at work when its time was up."""


class Connection:
    """A connection of one thread; with `any_thread`, of several that take turns, which the owner must see to.

    `lock_wait_s` is a parameter so that a test need not wait. `options` are more of SQLite's URI.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool,
        any_thread: bool = False,
        lock_wait_s: float = LOCK_WAIT_S,
        options: str = "",
    ) -> None:
        self.path, self.read_only = path, read_only
        self._lock_wait_s = lock_wait_s
        self._clock, self._random = SystemClock(), Random()
        self._depth = 0
        self._interrupted = False
        self.log_in_doubt = False
        """A checkpoint has failed: see `checkpointing`."""
        self.at_begin: Callable[[], None] | None = None
        """Called at the beginning of each transaction; what it raises ends it."""
        uri = f"{path.as_uri()}?mode={'ro' if read_only else 'rw'}&{options}".removesuffix("&")
        # isolation_level None: transactions are ours. timeout 0: waiting is ours too, as SQLite's own handler
        # backs off to 100 ms and starves whoever came late.
        self._raw = self._translated(
            lambda: sqlite3.connect(
                uri, uri=True, isolation_level=None, timeout=0, cached_statements=256, check_same_thread=not any_thread
            )
        )

    @property
    def raw(self) -> "sqlite3.Connection":
        """For sqlite-utils, and for schema work."""
        return self._raw

    def prepare(self) -> None:
        """The settings every connection to a store has."""
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=OFF",
            "journal_size_limit=67108864",
            "mmap_size=0",
            "wal_autocheckpoint=0",
            "cache_size=-16384",
            "temp_store=MEMORY",
        ):
            self.run(f"PRAGMA {pragma}")
        if self.read_only:
            self.run("PRAGMA query_only=ON")
        self._raw.create_function("says", 2, _says, deterministic=True)

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Execute one statement. Returns how many rows it changed."""
        return self._translated(lambda: self._raw.execute(sql, parameters)).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Execute one statement for each row, inside a transaction. Returns how many rows it changed."""
        assert self._depth, "many statements want one transaction"
        return self._translated(lambda: self._raw.executemany(sql, rows)).rowcount

    def run_rows(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Execute one statement over many rows, inside a transaction. Returns how many rows it changed.

        `{rows}` in the statement becomes `(?, …), (?, …)`. Against `run_many` the interpreter's lock changes hands once
        for 64 rows, not for each: with a busy event loop beside this thread that halves the time a batch takes.
        """
        assert self._depth, "many statements want one transaction"
        changed, start, size = 0, 0, ROWS_AT_ONCE
        while start < len(rows):
            while size > len(rows) - start:
                size //= 2
            chunk = rows[start : start + size]
            changed += self.run(_with_rows(sql, size, len(chunk[0])), [value for row in chunk for value in row])
            start += size
        return changed

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows: an open cursor would pin the write-ahead log."""
        return self._translated(lambda: self._raw.execute(sql, parameters).fetchall())

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row, and no open cursor behind it."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row; None without rows."""
        found = self.row(sql, parameters)
        return found[0] if found else None

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[None]:
        """BEGIN IMMEDIATE … COMMIT; inside another one, nothing of its own.

        Raises StoreBusyError when another process goes on writing; without `wait` at once.
        """
        if self._depth:
            yield
            return
        if self.read_only:
            raise StoreError(f"{self.path}: opened read-only: nothing can be changed")
        self._translated(lambda: self._raw.execute("BEGIN IMMEDIATE"), self._lock_wait_s if wait else 0.0)
        self._depth = 1
        try:
            if self.at_begin is not None:
                self.at_begin()
            yield
            self.run("COMMIT")
        except BaseException:
            # An error such as SQLITE_FULL may have rolled back already.
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0

    @contextmanager
    def until(self, at_s: float) -> Iterator[None]:
        """A statement that is at work past this time (monotonic) ends with TimeUpError."""
        monotonic_s = self._clock.monotonic_s
        self._raw.set_progress_handler(lambda: monotonic_s() >= at_s, _OPCODES_BETWEEN_LOOKS)
        try:
            yield
        finally:
            self._raw.set_progress_handler(None, 0)

    def interrupt(self) -> None:
        """From any thread: every statement from now on raises ReadInterruptedError, the one that runs too."""
        self._interrupted = True
        self._raw.interrupt()

    def go_on(self) -> None:
        """Run statements again after `interrupt`."""
        self._interrupted = False

    def close(self) -> None:
        self._raw.close()

    def _translated(self, call: Callable[[], T], lock_wait_s: float | None = None) -> T:
        """Make a call, waiting while another process holds a lock, and turn SQLite's errors into ours."""
        deadline: float | None = None
        while True:
            if self._interrupted:
                raise ReadInterruptedError(f"{self.path}: the read was interrupted")
            try:
                return call()
            except UnicodeEncodeError:
                # Half of a surrogate pair: bytes of a command line or a file name that were no UTF-8.
                raise InvalidInputError("text that is not Unicode (bytes that are no UTF-8) cannot be kept") from None
            except sqlite3.Error as error:
                code = getattr(error, "sqlite_errorcode", None)
                if self._interrupted:
                    raise ReadInterruptedError(f"{self.path}: the read was interrupted") from None
                if code == _INTERRUPT or str(error) == "interrupted":
                    raise TimeUpError(f"{self.path}: the read took longer than it may") from None
                if not _is_busy(error, code):
                    raise StoreError(describe_error(self.path, error)) from error
                now = self._clock.monotonic_s()
                if deadline is None:
                    deadline = now + (self._lock_wait_s if lock_wait_s is None else lock_wait_s)
                if now >= deadline:
                    raise StoreBusyError(describe_error(self.path, error)) from error
                time.sleep(self._random.uniform(0.001, 0.003))


def _says(data: bytes | None, text: str) -> bool:
    """The SQL function: see `console.domain.words`, which is loaded when somebody looks for a text."""
    from console.domain.words import phrase_of

    return data is not None and phrase_of(text).is_in(data)


@lru_cache(maxsize=256)
def _with_rows(sql: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.replace("{rows}", ", ".join([row] * rows))


def _is_busy(error: Exception, code: int | None) -> bool:
    if code is not None:
        return code & 0xFF in (_BUSY, _LOCKED)
    return "locked" in str(error)


def describe_error(path: Path, error: Exception) -> str:
    """What SQLite said, in one line with the file and the way out."""
    said = str(error)
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else _guess(said)
    match primary:
        case 5 | 6:
            return (
                f"{path}: locked by another process for {LOCK_WAIT_S:g} s: "
                f"look for a stopped or stuck one (fuser {path}), then try again"
            )
        case 26:
            return f"{path}: is no store ({said}): choose another file with --store"
        case 11:
            return (
                f"{path}: damaged ({said}): nothing was changed; stop the engine, copy the file, "
                f"and recover with: sqlite3 {path} .recover | sqlite3 new.db"
            )
        case 13:
            return f"{path}: the disk is full: nothing was accepted or recorded; free space and try again"
        case 8:
            return f"{path}: cannot be written ({said}): check its owner and mode"
        case 10:
            return f"{path}: the disk failed ({said}): check the kernel log before trusting this file again"
        case 14:
            return f"{path}: cannot be opened ({said}): check that the folder exists and may be written"
        case _:
            return f"{path}: {said}"


def _guess(said: str) -> int | None:
    """The primary code, for bindings that do not tell it."""
    for needle, code in (
        ("locked", _BUSY),
        ("not a database", _NOTADB),
        ("malformed", _CORRUPT),
        ("full", _FULL),
        ("readonly", _READONLY),
        ("disk I/O", _IOERR),
        ("unable to open", _CANTOPEN),
    ):
        if needle in said:
            return code
    return None
