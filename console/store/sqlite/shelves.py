"""The search file: which words stand where, beside the store and derived from it.

Events are put on shelves of 64 by their numbers. For each shelf the file keeps the words of its events' payloads and of
all that came back for them; so it is small, takes little to write, and says of a text on which shelves it may stand.
What stands there is then read in the store and compared (`console.domain.words`): an answer never rests on the file
alone, and without it everything is compared. It may be deleted at any time.

Words that ids are made of are also kept in pairs, since each of them stands on many shelves.

A shelf has a row of words for its payloads (`SHELF_ROWS` times its number) and further rows for answers as they come.
Attempts are gone through in order; those that are still under way when it is their turn are noted (`late`).
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.domain.errors import ReadInterruptedError, StoreError
from console.domain.words import Phrase
from console.store.sqlite.connection import Connection

SHELF = 64
"""Events on a shelf."""
SHELF_ROWS = 1024
"""Rows of words that one shelf may have, before they are made one."""
WORD_KEPT = 64
"""Characters of a word; what differs only behind them is told apart by comparing."""

VERSION = 2
IDENTITY = "SELECT value FROM meta WHERE key = 'search'"
"""The number that tells whose search file it is; kept in both. None: this store wants none."""

_AT_ONCE = 1000
"""Shelves that are looked up at a time."""
_BEGINNINGS = 5000
"""Places of words that begin alike, beyond which a beginning is not looked up: it says too little."""

_PROGRESS = "SELECT identity, unicode, shelves, event, attempts, attempt_at FROM progress"
_NEWEST = "SELECT (SELECT max(seq) FROM events), (SELECT max(id) FROM attempts)"
_EVENT = "SELECT id FROM events WHERE seq = ?"
_ATTEMPT = "SELECT started_at FROM attempts WHERE id = ?"
_SAYING = f"SELECT rowid / {SHELF_ROWS} FROM said WHERE said MATCH ? AND rowid >= ? AND rowid < ?"
_BEGINNING = f"SELECT DISTINCT doc / {SHELF_ROWS} FROM vocabulary WHERE term >= ? AND term < ? LIMIT ?"
_LATE = "SELECT attempt FROM late"


def path_of(store: Path) -> Path:
    """The search file of a store."""
    return store.with_name(store.name + "-search")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search file has come: every shelf below `shelves`, every attempt up to `attempts` but the late."""

    shelves: int
    attempts: int


def progress_of(search: Connection, store: Connection) -> Progress | None:
    """None: the file is not of this store as it is now, and says nothing. Raises StoreError when it cannot be read."""
    if search.value("PRAGMA user_version") != VERSION:
        return None
    row = search.row(_PROGRESS)
    if row is None:
        return None
    identity, unicode, shelves, event, attempts, attempt_at = row
    newest_event, newest_attempt = store.rows(_NEWEST)[0]
    if identity != store.value(IDENTITY) or unicode != unicodedata.unidata_version:
        return None
    # A store that was put back to an older copy numbers anew.
    if shelves * SHELF - 1 > (newest_event or 0) or attempts > (newest_attempt or 0):
        return None
    if store.value(_EVENT, (shelves * SHELF - 1,)) not in (None, event):
        return None
    if store.value(_ATTEMPT, (attempts,)) not in (None, attempt_at):
        return None
    return Progress(shelves=shelves, attempts=attempts)


def match_of(words: Iterable[str]) -> str:
    """All of these words, as FTS5 asks for them."""
    return " AND ".join(f'"{word[:WORD_KEPT]}"' for word in words)


class Shelves:
    """A search file that is read beside a store's connection."""

    def __init__(self, store: Connection) -> None:
        self._store = store
        self._search: Connection | None = None
        self._file: tuple[int, int] | None = None

    def progress(self) -> Progress | None:
        """None: there is no file that could be used."""
        try:
            if not self._is_open():
                return None
            assert self._search is not None
            return progress_of(self._search, self._store)
        except ReadInterruptedError:
            raise
        except StoreError:
            return None  # whatever is wrong with it: `doctor` says what, and everything is found without it

    def late(self) -> list[int] | None:
        """Attempts that were under way when it was their turn. None: the file cannot be read."""
        assert self._search is not None
        try:
            return [attempt for (attempt,) in self._search.rows(_LATE)]
        except ReadInterruptedError:
            raise
        except StoreError:
            return None

    def saying(self, phrase: Phrase, *, low: int, high: int, down: bool) -> tuple[set[int], int] | None:
        """The shelves in [low, high) where all words of a phrase stand, and how far that holds when there are many:
        from the returned shelf on (down), or up to it, it not included. None: the phrase cannot be looked up."""
        try:
            return self._saying(phrase, low=low, high=high, down=down)
        except ReadInterruptedError:
            raise
        except StoreError:
            return None  # a damaged file must not keep anybody from finding

    def _saying(self, phrase: Phrase, *, low: int, high: int, down: bool) -> tuple[set[int], int] | None:
        assert self._search is not None
        beginning = self._beginning(phrase)
        if not phrase.wholes:
            return None if beginning is None else (beginning, low if down else high)
        sql = f"{_SAYING} ORDER BY rowid {'DESC' if down else 'ASC'} LIMIT ?"
        bounds = (low * SHELF_ROWS, high * SHELF_ROWS, _AT_ONCE)
        shelves = [shelf for (shelf,) in self._search.rows(sql, (match_of(phrase.wholes), *bounds))]
        found = set(shelves) if beginning is None else beginning.intersection(shelves)
        if len(shelves) < _AT_ONCE:
            return found, low if down else high
        # More rows of the last shelf may follow: that makes no difference downwards, nor when it is looked at again.
        return found, shelves[-1] if down else max(shelves[-1], low + 1)

    def _beginning(self, phrase: Phrase) -> set[int] | None:
        if phrase.beginning is None:
            return None
        assert self._search is not None
        begin = phrase.beginning[:WORD_KEPT]
        places = self._search.rows(_BEGINNING, (begin, begin + "\U0010ffff", _BEGINNINGS))
        return None if len(places) == _BEGINNINGS else {shelf for (shelf,) in places}

    def _is_open(self) -> bool:
        path = path_of(self._store.path)
        try:
            at = path.stat()
        except OSError:
            self.close()
            return False
        if self._file != (at.st_dev, at.st_ino):
            # A file that was made anew in place of the one that is open.
            self.close()
            self._search = Connection(path, read_only=True, any_thread=True)
            self._search.run("PRAGMA query_only=ON")
            self._file = (at.st_dev, at.st_ino)
        return True

    def interrupt(self) -> None:
        if self._search is not None:
            self._search.interrupt()

    def go_on(self) -> None:
        if self._search is not None:
            self._search.go_on()

    def close(self) -> None:
        if self._search is not None:
            self._search.close()
        self._search = self._file = None


class Candidates:
    """The shelves where texts may stand, in either direction.

    Args:
        shelves: a file whose progress was read.
        covered: shelves from this one on are not in the file: any of them may be.
        also: shelves of which the file does not know all.
    """

    def __init__(self, shelves: Shelves, phrases: Sequence[Phrase], *, covered: int, also: set[int]) -> None:
        self._shelves, self._phrases, self._covered, self._also = shelves, phrases, covered, also
        self._known: list[int] = []
        self._from = self._to = 0

    def estimate(self, bottom: int, top: int) -> int:
        """About how many there are in [bottom, top), from how close the highest ones lie."""
        covered = min(top, self._covered)
        if covered <= bottom:
            return max(0, top - bottom)
        self._look_up(bottom, covered, down=True)
        density = len(self._known) / max(1, self._to - self._from)
        return max(0, top - max(covered, bottom)) + round(density * (covered - bottom))

    def below(self, top: int, bottom: int, most: int) -> tuple[list[int], int]:
        """At most so many in [bottom, top), the highest first, and the shelf down to which that is all."""
        found: list[int] = []
        at = top
        while at > bottom and len(found) < most:
            if at > self._covered:
                low = max(self._covered, bottom, at - (most - len(found)))
                found += range(at - 1, low - 1, -1)
                at = low
                continue
            if not (self._from < at <= self._to):
                self._look_up(bottom, at, down=True)
            for shelf in reversed(self._known):
                if shelf < at and len(found) < most:
                    found.append(shelf)
                    at = shelf
            if len(found) < most:
                at = self._from
        return found, max(at, bottom)

    def above(self, bottom: int, top: int, most: int) -> tuple[list[int], int]:
        """At most so many in [bottom, top), the lowest first, and the shelf below which that is all."""
        found: list[int] = []
        at = bottom
        while at < top and len(found) < most:
            if at >= self._covered:
                high = min(top, at + most - len(found))
                found += range(at, high)
                at = high
                continue
            if not (self._from <= at < self._to):
                self._look_up(at, min(top, self._covered), down=False)
            for shelf in self._known:
                if shelf >= at and len(found) < most:
                    found.append(shelf)
                    at = shelf + 1
            if len(found) < most:
                at = self._to
        return found, at

    def _look_up(self, low: int, high: int, *, down: bool) -> None:
        """Know all candidates from one end of [low, high) on, as far as it goes."""
        known: set[int] | None = None
        for phrase in self._phrases:
            looked = self._shelves.saying(phrase, low=low, high=high, down=down)
            if looked is None:
                continue
            found, edge = looked
            low, high = (max(low, edge), high) if down else (low, min(high, edge))
            known = found if known is None else known & found
        if known is None:
            # No phrase could be looked up: a stretch of all.
            low, high = (max(low, high - _AT_ONCE), high) if down else (low, min(high, low + _AT_ONCE))
            known = set(range(low, high))
        known |= self._also
        self._known = sorted(shelf for shelf in known if low <= shelf < high)
        self._from, self._to = low, high
