"""The list of failures while it is looked for: rows as they are found, and how far back everything was looked at. Pure
but for the reads, which run on a reading thread."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from console.domain.delivery import Delivery
from console.domain.errors import UnknownReferenceError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId
from console.domain.searching import SearchStatus
from console.store import Store
from console.ui.format import duration

BUDGET_MS = 80.0
"""Of one read: how long a newer question, or the newest rows, may have to wait for it."""

RECHECKED = 500
"""Rows below what one read reached that are looked at once more for whether they still match."""


LAGS_S = 10.0
"""The index of words is always some seconds behind; only more is said."""


def index_words(status: SearchStatus | None) -> str:
    """How far the index of words is behind, in words; nothing where it keeps up."""
    if status is None:
        return "no index of words: every payload is read"
    if status.lag_s < LAGS_S:
        return ""
    return f"words are indexed up to {duration(status.lag_s * 1000)} ago; what is newer is read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one read brought."""

    rows: tuple[Delivery, ...]
    reached: int
    done: bool
    at_ms: int | None
    """When the delivery that was reached was accepted; None: it is not known."""
    newest: DeliveryId | None = None
    """The newest that matches, when rows were read from further down."""
    still: tuple[Delivery, ...] = ()
    """Of the rows that were to be looked at once more, those that still match, as they are now."""


@dataclass(slots=True)
class FailureSearch:
    """One filter's list. `rows` are the newest first, without a gap down to `reached`."""

    where: DeliveryFilter
    rows: list[Delivery] = field(default_factory=list)
    reached: int | None = None
    done: bool = False
    at_ms: int | None = None

    def goes_on(self, wanted: int) -> bool:
        """There may be more below what was reached, and fewer are here than are wanted."""
        return self.reached is not None and not self.done and len(self.rows) < wanted

    def moved_on(self, where: DeliveryFilter) -> bool:
        """Whether this is the same question some time later, as `since:2h` is; then it is answered from here on, by
        the rows that still match."""
        before = self.where
        if replace(before, since_ms=None, until_ms=None) != replace(where, since_ms=None, until_ms=None):
            return False
        if not (_is_later(before.since_ms, where.since_ms) and _is_later(before.until_ms, where.until_ms)):
            return False
        since_ms = where.since_ms or 0
        self.where, self.rows = where, [row for row in self.rows if row.created_at_ms >= since_ms]
        return True

    def begin(self, limit: int, *, from_top: bool) -> Callable[[Store], Piece]:
        """Read the newest rows again; not `from_top`: those from the first that is shown on."""
        where, held = self.where, self.rows[0].id if self.rows and not from_top else None
        below = tuple(row.id for row in self.rows[:RECHECKED] if not where.ids or row.id in where.ids)

        def read(store: Store) -> Piece:
            before = None if held is None else DeliveryId(held + 1)
            piece = _piece(store, where, limit=limit, before=before)
            newest = store.find_deliveries(where, limit=1, budget_ms=BUDGET_MS).rows if held is not None else ()
            left = tuple(number for number in below if number < piece.reached)
            still = store.deliveries(replace(where, ids=left), limit=len(left)) if left and not piece.done else []
            return replace(piece, still=tuple(still), newest=newest[0].id if newest else None)

        return read

    def go_on(self, limit: int) -> Callable[[Store], Piece]:
        """Read on below what was reached."""
        where, before = self.where, DeliveryId(self.reached) if self.reached is not None else None
        return lambda store: _piece(store, where, limit=limit, before=before)

    def take_top(self, piece: Piece) -> None:
        """What `begin` brought takes the place of all that it looked at."""
        if self.reached is None or piece.done or piece.reached <= self.reached:
            self.rows, self.reached = list(piece.rows), piece.reached
            self.done, self.at_ms = piece.done, piece.at_ms
            return
        again = {row.id: row for row in piece.still}
        looked_at = {row.id for row in self.rows[:RECHECKED]}
        below = [again.get(row.id, row) for row in self.rows if row.id < piece.reached]
        self.rows = [*piece.rows, *(row for row in below if row.id in again or row.id not in looked_at)]

    def take_more(self, piece: Piece) -> None:
        """What `go_on` brought follows."""
        self.rows += piece.rows
        self.reached, self.done, self.at_ms = piece.reached, piece.done, piece.at_ms


def _is_later(before_ms: int | None, now_ms: int | None) -> bool:
    return before_ms == now_ms or (before_ms is not None and now_ms is not None and before_ms <= now_ms)


def _piece(store: Store, where: DeliveryFilter, *, limit: int, before: DeliveryId | None) -> Piece:
    found = store.find_deliveries(where, limit=limit, before=before, budget_ms=BUDGET_MS)
    at_ms = found.rows[-1].created_at_ms if found.rows and found.rows[-1].id == found.reached else None
    if at_ms is None and not found.done:
        try:
            at_ms = store.delivery(DeliveryId(found.reached)).created_at_ms
        except UnknownReferenceError:
            at_ms = None
    return Piece(rows=found.rows, reached=found.reached, done=found.done, at_ms=at_ms)
