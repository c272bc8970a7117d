"""How the search file is written: beside the store, in pieces of milliseconds, never under the store's write lock."""

import os
import time
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from random import SystemRandom

from console.domain.errors import ReadInterruptedError, StoreBusyError, StoreError
from console.domain.searching import Indexed, SearchStatus
from console.domain.words import terms_in
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Connection
from console.store.sqlite.picking import Picking
from console.store.sqlite.shelves import (
    IDENTITY,
    SHELF,
    SHELF_ROWS,
    VERSION,
    WORD_KEPT,
    Progress,
    path_of,
    progress_of,
)

SHELVES_AT_ONCE = 4
ATTEMPTS_AT_ONCE = 256
"""In one piece: some milliseconds of work."""
STALE_AT_ONCE = 4
_TEXTS_BETWEEN_TURNS = 16
_SHORT = 512
"""Answers of at most so many bytes, which are mostly the same few, are taken apart once."""

_TABLES = (
    "CREATE VIRTUAL TABLE said USING fts5 (shelf, content='', contentless_delete=1, detail=none, tokenize='ascii')",
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab ('said', 'instance')",
    """CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 1), identity INTEGER NOT NULL, unicode TEXT NOT NULL,
      shelves INTEGER NOT NULL, event TEXT, attempts INTEGER NOT NULL, attempt_at INTEGER) STRICT""",
    "CREATE TABLE late (attempt INTEGER PRIMARY KEY) STRICT",
)
_BEGIN = "INSERT INTO progress VALUES (1, ?, ?, 0, NULL, 0, NULL)"
_SHELVES_DONE = "UPDATE progress SET shelves = ?, event = ?"
_ATTEMPTS_DONE = "UPDATE progress SET attempts = ?, attempt_at = ?"
_PUT = "INSERT INTO said (rowid, shelf) VALUES (?, ?)"
_LAST_ROW = "SELECT max(id) FROM said_docsize WHERE id >= ? AND id < ?"
_TAKE = "DELETE FROM said WHERE rowid >= ? AND rowid < ?"
_ADD_LATE = "INSERT OR IGNORE INTO late VALUES (?)"
_DROP_LATE = "DELETE FROM late WHERE attempt = ?"
_LATE = "SELECT attempt FROM late"
_OLDEST_LATE = "SELECT min(attempt) FROM late"

_PAYLOADS = "SELECT seq, id, payload FROM events WHERE seq >= ? AND seq < ? ORDER BY seq"
_ANSWERS = """
SELECT a.id, a.ended_at, a.started_at, d.event, x.response_body FROM attempts a
JOIN deliveries d ON d.id = a.delivery LEFT JOIN exchanges x ON x.attempt = a.id
WHERE {which} ORDER BY a.id LIMIT ?
"""
_ANSWERS_ON = """
SELECT x.response_body FROM deliveries d INDEXED BY deliveries_event JOIN attempts a ON a.delivery = d.id
JOIN exchanges x ON x.attempt = a.id WHERE d.event >= ? AND d.event < ? AND a.id <= ?
"""
_NEWEST = """
SELECT (SELECT coalesce(max(seq), 0) FROM events), (SELECT coalesce(max(id), 0) FROM attempts)
"""
_STALE = "SELECT id, shelf FROM search_stale ORDER BY id LIMIT ?"
_EVENT_AT = "SELECT accepted_at FROM events WHERE seq >= ? ORDER BY seq LIMIT 1"
_ATTEMPT_AT = "SELECT started_at FROM attempts WHERE id >= ? ORDER BY id LIMIT 1"
_KEEP_IDENTITY = "INSERT OR IGNORE INTO meta VALUES ('search', ?)"
_DROP_IDENTITY = "DELETE FROM meta WHERE key = 'search'"
_SETTLE = "DELETE FROM search_stale WHERE id <= ?"


def remove_file(store: Path) -> None:
    """Take the search file away, whatever it is. Raises StoreError when that fails."""
    path = path_of(store)
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        try:
            path.with_name(name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed ({error.strerror}): check the folder") from None


class IndexingQueries(Queries):
    """What an engine's indexer asks; one at a time for each store."""

    _index: Connection | None = None

    def begin_search(self) -> None:
        with self.transaction():
            self._connection.run(_KEEP_IDENTITY, (SystemRandom().getrandbits(62),))

    def end_search(self) -> None:
        remove_file(self.path)
        with self.transaction():
            self._connection.run(_DROP_IDENTITY)
            self._connection.run(_SETTLE, (2**62,))

    def settle_stale(self, up_to: int) -> None:
        with self.transaction():
            self._connection.run(_SETTLE, (up_to,))

    @property
    def search_file(self) -> Path | None:
        path = path_of(self.path)
        return path if path.exists() else None

    def index_words(self) -> Indexed:
        try:
            return self._index_words()
        except (StoreBusyError, ReadInterruptedError):
            raise
        except StoreError:
            # Whatever was wrong with it: the next piece begins a new one.
            if self._index is not None:
                self._index.close()
                self._index = None
            remove_file(self.path)
            raise

    def _index_words(self) -> Indexed:
        if self._connection.value(IDENTITY) is None:
            return Indexed(stale_up_to=None, more=False)  # this store wants no such file
        index, progress = self._open_index()
        with Picking(self._connection).snapshot():
            newest_event, newest_attempt = self._connection.rows(_NEWEST)[0]
            with index.transaction():
                late = [attempt for (attempt,) in index.rows(_LATE)]
                more = self._put_payloads(index, progress, newest_event)
                more = self._put_answers(index, progress, late) or more
                settled = self._put_stale_right(index, self._progress(index))
        left = newest_attempt - self._progress(index).attempts
        return Indexed(stale_up_to=settled, more=more or left >= ATTEMPTS_AT_ONCE or settled is not None)

    def search_status(self, now_ms: int) -> SearchStatus | None:
        path = path_of(self.path)
        if not path.exists():
            return None
        try:
            search = Connection(path, read_only=True)
        except StoreError:
            return None
        try:
            progress = progress_of(search, self._connection)
            late = search.value(_OLDEST_LATE) if progress is not None else None
        except StoreError:
            return None
        finally:
            search.close()
        if progress is None:
            return None
        newest_event, newest_attempt = self._connection.rows(_NEWEST)[0]
        event = min(progress.shelves * SHELF - 1, newest_event)
        # What is on a shelf that is not full yet is compared, and no lag.
        waiting = [] if newest_event // SHELF <= progress.shelves else [self._connection.value(_EVENT_AT, (event + 1,))]
        if newest_attempt > progress.attempts:
            waiting.append(self._connection.value(_ATTEMPT_AT, (progress.attempts + 1,)))
        if late is not None:
            waiting.append(self._connection.value(_ATTEMPT_AT, (late,)))
        oldest_ms = min((at for at in waiting if at is not None), default=now_ms)
        return SearchStatus(
            indexed_event=max(event, 0),
            newest_event=newest_event,
            indexed_attempt=progress.attempts,
            newest_attempt=newest_attempt,
            lag_s=max(0, now_ms - oldest_ms) / 1000,
        )

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
        super().close()

    def _open_index(self) -> tuple[Connection, Progress]:
        """The search file, made anew when it is not there or not of this store as it is."""
        if self._index is not None:
            progress = progress_of(self._index, self._connection) if path_of(self.path).exists() else None
            if progress is not None:
                return self._index, progress
            self._index.close()
            self._index = None
        index = _opened(self.path)
        if index is not None:
            with suppress(StoreError):
                progress = progress_of(index, self._connection)
                if progress is not None:
                    self._index = index
                    return index, progress
            index.close()
        remove_file(self.path)
        self._index = _made(self.path, self._connection.value(IDENTITY))
        return self._index, Progress(shelves=0, attempts=0)

    def _progress(self, index: Connection) -> Progress:
        shelves, attempts = index.rows("SELECT shelves, attempts FROM progress")[0]
        return Progress(shelves=shelves, attempts=attempts)

    def _put_payloads(self, index: Connection, progress: Progress, newest: int) -> bool:
        """Put full shelves in. Returns whether there are more."""
        full = (newest + 1) // SHELF
        end = min(full, progress.shelves + SHELVES_AT_ONCE)
        if end == progress.shelves:
            return False
        rows = self._connection.rows(_PAYLOADS, (progress.shelves * SHELF, end * SHELF))
        words: dict[int, set[str]] = {}
        for i, (seq, _, payload) in enumerate(rows):
            words.setdefault(seq // SHELF, set()).update(terms_in(payload))
            if i % _TEXTS_BETWEEN_TURNS == 0:
                time.sleep(0)  # the interpreter is the deliveries' too
        index.run_many(_PUT, [(shelf * SHELF_ROWS, _text(those)) for shelf, those in words.items()])
        last = rows[-1][1] if rows and rows[-1][0] == end * SHELF - 1 else None
        index.run(_SHELVES_DONE, (end, last))
        return end < full

    def _put_answers(self, index: Connection, progress: Progress, late: list[int]) -> bool:
        """Put in what came back at the next attempts, and at those that were late. Returns whether there are more."""
        rows = self._connection.rows(_ANSWERS.format(which="a.id > ?"), (progress.attempts, ATTEMPTS_AT_ONCE))
        ended_late = [
            row for attempt in late for row in self._connection.rows(_ANSWERS.format(which="a.id = ?"), (attempt, 1))
        ]
        words: dict[int, set[str]] = {}
        for _, ended_at, _, event, body in (*rows, *ended_late):
            if ended_at is not None and body:
                words.setdefault(event // SHELF, set()).update(_words_of(body))
        for shelf, those in words.items():
            self._add(index, shelf, those, progress)
        under_way = {id_ for id_, ended_at, *_ in (*rows, *ended_late) if ended_at is None}
        index.run_many(_ADD_LATE, [(attempt,) for attempt in under_way.difference(late)])
        index.run_many(_DROP_LATE, [(attempt,) for attempt in set(late) - under_way])
        if rows:
            index.run(_ATTEMPTS_DONE, (rows[-1][0], rows[-1][2]))
        return len(rows) == ATTEMPTS_AT_ONCE

    def _add(self, index: Connection, shelf: int, words: set[str], progress: Progress) -> None:
        low, high = shelf * SHELF_ROWS + 1, (shelf + 1) * SHELF_ROWS
        last = index.value(_LAST_ROW, (low, high))
        at = low if last is None else last + 1
        if at == high:
            self._rewrite(index, shelf, progress)
            at = low + 1
        index.run(_PUT, (at, _text(words)))

    def _put_stale_right(self, index: Connection, progress: Progress) -> int | None:
        """Write shelves anew of which something was deleted. Returns up to which note; None: there is none."""
        notes = self._connection.rows(_STALE, (STALE_AT_ONCE,))
        for shelf in {shelf for _, shelf in notes}:
            self._rewrite(index, shelf, progress)
        return notes[-1][0] if notes else None

    def _rewrite(self, index: Connection, shelf: int, progress: Progress) -> None:
        """One row for the payloads of a shelf and one for its answers, of what is in the store now."""
        index.run(_TAKE, (shelf * SHELF_ROWS, (shelf + 1) * SHELF_ROWS))
        bounds = (shelf * SHELF, (shelf + 1) * SHELF)
        payloads = self._connection.rows(_PAYLOADS, bounds) if shelf < progress.shelves else []
        answers = self._connection.rows(_ANSWERS_ON, (*bounds, progress.attempts))
        said = (_all_words(row[2] for row in payloads), _all_words(row[0] for row in answers if row[0]))
        index.run_many(_PUT, [(shelf * SHELF_ROWS + i, _text(words)) for i, words in enumerate(said) if words])


def _opened(store: Path) -> Connection | None:
    path = path_of(store)
    if not path.exists():
        return None
    index = Connection(path, read_only=False, any_thread=True)
    try:
        _prepare(index)
        return index
    except StoreError:
        index.close()
        return None


def _made(store: Path, identity: int | None) -> Connection:
    path = path_of(store)
    try:
        # SQLite gives its side files the mode of this one.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: cannot be made ({error.strerror}): check the folder") from None
    index = Connection(path, read_only=False, any_thread=True)
    try:
        index.run("PRAGMA journal_mode=WAL")
        _prepare(index)
        with index.transaction():
            for table in _TABLES:
                index.run(table)
            index.run(_BEGIN, (identity or 0, unicodedata.unidata_version))
            index.run(f"PRAGMA user_version={VERSION}")
    except BaseException:
        index.close()
        raise
    return index


def _prepare(index: Connection) -> None:
    # NORMAL: the disk is waited for once in some thousand pages, and what a power failure leaves is whole.
    for pragma in ("synchronous=NORMAL", "cache_size=-4096", "journal_size_limit=16777216", "wal_autocheckpoint=1000"):
        index.run(f"PRAGMA {pragma}")


def _text(words: set[str]) -> str:
    return " ".join({word[:WORD_KEPT] for word in words})


def _words_of(body: bytes) -> Iterable[str]:
    return _words_of_short(body) if len(body) <= _SHORT else terms_in(body)


@lru_cache(maxsize=1024)
def _words_of_short(body: bytes) -> frozenset[str]:
    return frozenset(terms_in(body))


def _all_words(texts: Iterable[bytes]) -> set[str]:
    return set().union(*map(terms_in, texts))
