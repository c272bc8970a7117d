"""What the inbox has read: sources with their counts, and requests, newest first, page by page."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from console.domain.inbound import ArrivalRow, InboxFilter, RequestId
from console.domain.source import Source, SourceId
from console.store import Store
from console.ui.format import date_time
from console.ui.inbox_rows import InboxRow
from console.ui.widgets.rows import RowSource

PAGE = 200
"""Requests read at once."""

MOST_KEPT = 5_000
"""Requests that stay in memory while nobody scrolls; older ones are read again when they are scrolled to."""

MOST_SOURCES = 200
"""Sources whose last request is looked up."""

AHEAD = 50
"""The next page is asked for when so few rows are left below the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The sources, and what is known of each."""

    sources: tuple[Source, ...] = ()
    urls: tuple[str, ...] = ()
    """Under which the engine takes requests in, or last did."""
    counts: dict[SourceId, dict[str, int]] = field(default_factory=dict)
    """By fate, over the window."""
    last_ms: dict[SourceId, int] = field(default_factory=dict)
    """When each last had a request."""

    @property
    def names(self) -> dict[SourceId, str]:
        return {source.id: source.name for source in self.sources}

    def url_of(self, name: str) -> str:
        """The whole URL of a source, under the first of those the engine listens on."""
        return f"{self.urls[0].rstrip('/') if self.urls else ''}/in/{name}"


def read_doors(store: Store, *, since_ms: int, until_ms: int | None) -> Doors:
    """The sources as they are, and what came in since then; `until_ms`: the end of a moment of the past, of which
    nothing is counted."""
    sources = tuple(store.sources())
    last_ms = {}
    for source in sources[:MOST_SOURCES]:
        if newest := store.arrivals(InboxFilter(source=source.id, until_ms=until_ms), limit=1):
            last_ms[source.id] = newest[0].received_at_ms
    counts = store.count_arrivals(since_ms=since_ms) if until_ms is None else {}
    return Doors(sources=sources, urls=tuple(store.listening()), counts=counts, last_ms=last_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerArrivals:
    """What came since; `gap`: so much that it does not join what was loaded, which is let go of."""

    rows: tuple[ArrivalRow, ...]
    """Newest first."""
    gap: bool


def read_newer(store: Store, where: InboxFilter, newest: RequestId | None) -> NewerArrivals:
    """The newest requests above `newest`, a page at most."""
    if newest is not None:
        fresh = store.arrivals_after(newest, where, limit=PAGE)
        if len(fresh) < PAGE:
            return NewerArrivals(rows=tuple(reversed(fresh)), gap=False)
    return NewerArrivals(rows=tuple(store.arrivals(where, limit=PAGE)), gap=True)


class LoadedArrivals(RowSource[InboxRow]):
    """The pages that are loaded, newest first. `more` is called when the next one is wanted, once until it came."""

    def __init__(self, more: Callable[[], object]) -> None:
        self.rows: list[ArrivalRow] = []
        self.complete = False
        """The oldest is loaded."""
        self.today = ""
        """The day that needs no date: `2026-11-28`."""
        self._more = more
        self._asked = False
        self._index: dict[Hashable, int] | None = None

    def clear(self) -> None:
        """Nothing is loaded yet."""
        self.rows, self.complete, self._asked, self._index = [], False, False, None

    def take_newer(self, found: NewerArrivals, *, trim: bool) -> int:
        """Put newer ones on top. Returns how many there are; `trim`: the old ones of very many may go."""
        if found.gap:
            known = {row.id for row in self.rows}
            added = sum(row.id not in known for row in found.rows)
            joined = bool(self.rows) and added < len(found.rows)
            older = [row for row in self.rows if row.id < found.rows[-1].id] if joined and found.rows else []
            self.complete = self.complete if joined else len(found.rows) < PAGE
            self.rows = [*found.rows, *older]
        else:
            added = len(found.rows)
            self.rows = [*found.rows, *self.rows]
        if trim and len(self.rows) > MOST_KEPT:
            self.rows, self.complete = self.rows[: MOST_KEPT // 2], False
        self._index = None
        return added

    def take_older(self, rows: Sequence[ArrivalRow]) -> None:
        """Put the next page below."""
        self.rows = [*self.rows, *rows]
        self.complete, self._asked, self._index = len(rows) < PAGE, False, None

    def give_up(self) -> None:
        """The next page could not be read: it may be asked for again."""
        self._asked = False

    @property
    def newest(self) -> RequestId | None:
        return self.rows[0].id if self.rows else None

    @property
    def oldest(self) -> RequestId | None:
        return self.rows[-1].id if self.rows else None

    @property
    def count(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> InboxRow | None:
        arrival = self.rows[index]
        return InboxRow(arrival=arrival, today=date_time(arrival.received_at_ms)[:10] == self.today)

    def want(self, first: int, last: int) -> None:
        if not self.complete and not self._asked and last >= self.count - AHEAD:
            self._asked = True
            self._more()

    def index_of(self, key: Hashable) -> int | None:
        if self._index is None:
            self._index = {row.id: index for index, row in enumerate(self.rows)}
        return self._index.get(key)


def ended_by(where: InboxFilter, until_ms: int | None) -> InboxFilter:
    """The same, of a moment of the past."""
    if until_ms is None:
        return where
    return replace(where, until_ms=until_ms if where.until_ms is None else min(until_ms, where.until_ms))


def fates_of(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Counts of all sources together."""
    total: dict[str, int] = {}
    for one in counts:
        for fate, number in one.items():
            total[fate] = total.get(fate, 0) + number
    return total
