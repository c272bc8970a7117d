"""The rows of the tail: attempts, and counts of what came too fast. Pure: time is a parameter.

The rows are a window over all attempts, oldest first and without a gap: it grows at its end with what is made, and at
either end by pages that are read from the store when somebody goes there. While its end is not the newest attempt it is
detached: what is made is counted, and read when somebody comes down to it.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from console.domain.delivery import Attempt
from console.domain.ids import AttemptId
from console.domain.passing import Passed
from console.ui.widgets.vocabulary import Cell, attempt_mark, with_status

KEPT = 5_000
"""Attempts, and rows, that stay in memory."""

FOLD_ABOVE = 20
"""More attempts than this begun in a second, and successes become a count; failures stay rows."""

OPENED = 1_000
"""Attempts of one fold that are shown when it is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Successes that began in one second, too many to be read one by one; or attempts that were never read at all."""

    number: int
    at_ms: int
    """The beginning of the second; of what was not read, about when."""
    counts: tuple[tuple[str, int], ...] = ()
    """How many for each endpoint, by name; nothing is known of what was not read."""
    count: int
    first_id: AttemptId
    last_id: AttemptId
    """What is counted lies between these, with others."""
    skipped: bool = False
    is_open: bool = False

    @property
    def endpoints(self) -> frozenset[str]:
        """Names of those that they were for."""
        return frozenset(name for name, _ in self.counts)


TailRow = Attempt | Folded


def row_key(row: TailRow) -> Hashable:
    """Stable for the life of a row."""
    return ("fold", row.number) if isinstance(row, Folded) else row.id


def is_failure(row: TailRow) -> bool:
    return isinstance(row, Attempt) and row.cause is not None


def result_cell(attempt: Attempt) -> Cell:
    """`✓ 200`, `✗ 503 http_5xx`, `→ sending`."""
    answer = with_status(attempt.status, attempt.cause)
    return attempt_mark(attempt, ok=answer, failed=answer)


class TailModel:
    """See above. `rows` may be read at any time; it is replaced, or grows at its end."""

    def __init__(self) -> None:
        self.rows: list[TailRow] = []
        self.wanted: Callable[[Attempt], bool] | None = None
        """Which attempts are asked for; None: all."""
        self.folded = 0
        """Successes that are counted in `rows` and have no row of their own."""
        self.at_start = False
        """Nothing is older than the first row."""
        self.detached = False
        """There are newer attempts than the last row."""
        self.oldest_id: AttemptId | None = None
        self.newest_id: AttemptId | None = None
        """What the window spans; None: nothing yet."""
        self._known: dict[AttemptId, Attempt] = {}
        self._at: dict[Hashable, int] = {}
        self._begun_ms: deque[int] = deque()
        self._skips = 0
        self._opened: dict[int, frozenset[AttemptId]] = {}

    def clear(self) -> None:
        """Forget everything but the filter."""
        self._known.clear()
        self._begun_ms.clear()
        self._opened.clear()
        self.at_start = self.detached = False
        self.oldest_id = self.newest_id = None
        self._show(())

    @property
    def known(self) -> Sequence[Attempt]:
        """All attempts in memory, whatever is asked for."""
        return tuple(self._known.values())

    def _wants(self, attempt: Attempt) -> bool:
        return self.wanted is None or self.wanted(attempt)

    def filter(self, wanted: Callable[[Attempt], bool] | None) -> None:
        """Only attempts that are asked for. Nothing is folded among what is already here."""
        self.wanted = wanted
        self._opened.clear()
        self._show([attempt for _, attempt in sorted(self._known.items()) if self._wants(attempt)])

    # What is made

    def take(
        self,
        attempts: Sequence[Attempt],
        *,
        skipped: int = 0,
        passed: Sequence[Passed] = (),
        now_ms: int,
        following: bool = True,
    ) -> int:
        """New attempts, new versions of old ones, and counts. Returns how many rows were added; while detached, how
        many attempts there are more.

        Args:
            following: the end is looked at. Else nothing is taken away above: the window is detached when it is full.
        """
        if self.detached:
            return self._take_detached(attempts, skipped, passed)
        before = len(self.rows)
        new = [attempt.id for attempt in attempts if attempt.id not in self._known]
        if skipped:
            self._fold_skipped(skipped, now_ms, until=min([*new, *(part.first_id for part in passed)], default=None))
        # What was there before this console opened did not come too fast for anybody.
        is_history = not self._known
        for part in passed:
            self._fold(part)
        for attempt in attempts:
            is_new = attempt.id not in self._known
            self._known[attempt.id] = attempt
            fast = is_new and not is_history and self._is_fast(attempt.started_at_ms)
            if self._wants(attempt):
                self._place(attempt, folding=self.wanted is None and (fast or not is_new))
        self._span([attempt.id for attempt in attempts], passed)
        added = len(self.rows) - before
        self._forget(following)
        return added

    def _take_detached(self, attempts: Sequence[Attempt], skipped: int, passed: Sequence[Passed]) -> int:
        new = 0
        for attempt in attempts:
            at = self._at.get(attempt.id)
            if at is None:
                new += 1
            else:
                self.rows[at] = self._known[attempt.id] = attempt
        return new + skipped + sum(part.count for part in passed)

    def _span(self, ids: Sequence[AttemptId], passed: Sequence[Passed]) -> None:
        low = [*ids, *(part.first_id for part in passed)]
        high = [*ids, *(part.last_id for part in passed)]
        if self.newest_id is not None:
            high.append(self.newest_id)
        if low and self.oldest_id is None:
            self.oldest_id = min(low)
        if high:
            self.newest_id = max(high)

    def _is_fast(self, started_at_ms: int) -> bool:
        """Whether more attempts than FOLD_ABOVE began in the second that ends with this one."""
        self._begun_ms.append(started_at_ms)
        while self._begun_ms[0] <= started_at_ms - 1_000:
            self._begun_ms.popleft()
        return len(self._begun_ms) > FOLD_ABOVE

    def _place(self, attempt: Attempt, *, folding: bool) -> None:
        """A row stays one; what has none, because it began when there were too many, becomes one when it fails."""
        at = self._at.get(attempt.id)
        if at is not None:
            self.rows[at] = attempt
        elif not folding or attempt.cause is not None:
            self._append(attempt)
        elif attempt.ended_at_ms is not None:
            self._fold(
                Passed(
                    second=attempt.started_at_ms // 1000,
                    endpoint_name=attempt.endpoint_name,
                    count=1,
                    first_id=attempt.id,
                    last_id=attempt.id,
                )
            )

    def _fold(self, part: Passed) -> None:
        """Into the row of its second; what ends late is counted where it began, if that is still there."""
        if self.wanted is not None:
            return  # counts say nothing of what is asked for; who takes the filter away reads them anew
        self.folded += part.count
        at = self._at.get(("fold", part.second))
        known = self.rows[at] if at is not None else None
        if at is None or not isinstance(known, Folded):
            self._append(
                Folded(
                    number=part.second,
                    at_ms=part.second * 1000,
                    counts=((part.endpoint_name, part.count),),
                    count=part.count,
                    first_id=part.first_id,
                    last_id=part.last_id,
                )
            )
            return
        counts = dict(known.counts)
        counts[part.endpoint_name] = counts.get(part.endpoint_name, 0) + part.count
        self.rows[at] = replace(
            known,
            counts=tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
            count=known.count + part.count,
            first_id=min(known.first_id, part.first_id),
            last_id=max(known.last_id, part.last_id),
        )

    def _fold_skipped(self, count: int, now_ms: int, *, until: AttemptId | None) -> None:
        self._skips += 1
        first = AttemptId(1 + (self.newest_id or 0))
        last = AttemptId(max(first, (until or first + count) - 1))
        self._append(Folded(number=-self._skips, at_ms=now_ms, count=count, first_id=first, last_id=last, skipped=True))

    def _append(self, row: TailRow) -> None:
        self._at[row_key(row)] = len(self.rows)
        self.rows.append(row)

    def _forget(self, following: bool) -> None:
        if len(self.rows) > KEPT:
            if following:
                self._show(self.rows[-KEPT * 4 // 5 :])
                self._begin_with_first_row()
            else:
                self.detached = True
        if not self.detached:
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]

    def _begin_with_first_row(self) -> None:
        self.at_start = False
        first = self.rows[0]
        self.oldest_id = first.first_id if isinstance(first, Folded) else first.id

    # Pages from the store

    def prepend(self, attempts: Sequence[Attempt], *, reached: AttemptId | None, at_start: bool) -> int:
        """What is older, down to `reached`. Returns how many rows were added."""
        rows = self._new_rows(attempts)
        if reached is not None:
            self.oldest_id = reached
        self.at_start = at_start
        kept = [*rows, *self.rows]
        if len(kept) > KEPT:
            del kept[KEPT:]
            self.detached = True
            last = kept[-1]
            self.newest_id = last.last_id if isinstance(last, Folded) else last.id
        self._show(kept)
        return len(rows)

    def append(self, attempts: Sequence[Attempt], *, reached: AttemptId | None, at_end: bool) -> int:
        """What is newer, up to `reached`, while detached. Returns how many rows went away at the beginning."""
        rows = self._new_rows(attempts)
        if reached is not None:
            self.newest_id = max(reached, self.newest_id or reached)
        self.detached = not at_end
        kept = [*self.rows, *rows]
        gone = max(0, len(kept) - KEPT)
        self._show(kept[gone:])
        if gone:
            self._begin_with_first_row()
        return gone

    def show_page(
        self, attempts: Sequence[Attempt], *, reached: AttemptId | None, at_start: bool, at_end: bool
    ) -> None:
        """These and nothing else; more is read from here on."""
        self.clear()
        self._show(self._new_rows(attempts))
        ids = [attempt.id for attempt in attempts] + ([] if reached is None else [reached])
        if ids:
            self.oldest_id, self.newest_id = min(ids), max(ids)
        self.at_start, self.detached = at_start, not at_end

    def _new_rows(self, attempts: Iterable[Attempt]) -> list[TailRow]:
        new = [attempt for attempt in attempts if attempt.id not in self._at]
        self._known |= {attempt.id: attempt for attempt in new}
        return [attempt for attempt in new if self._wants(attempt)]

    # Folds that are opened

    def open_fold(self, number: int, attempts: Sequence[Attempt]) -> bool:
        """Show these below the fold. False: it is gone, or open."""
        at = self._at.get(("fold", number))
        fold = self.rows[at] if at is not None else None
        if at is None or not isinstance(fold, Folded) or fold.is_open:
            return False
        shown = [attempt for attempt in attempts if attempt.id not in self._at]
        self._opened[number] = frozenset(attempt.id for attempt in shown)
        self._show([*self.rows[:at], replace(fold, is_open=True), *shown, *self.rows[at + 1 :]])
        return True

    def close_folds(self) -> bool:
        """Take away what was opened. False: nothing was."""
        if not self._opened:
            return False
        gone = frozenset[AttemptId]().union(*self._opened.values())
        self._opened.clear()
        self._show(
            [
                replace(row, is_open=False) if isinstance(row, Folded) and row.is_open else row
                for row in self.rows
                if isinstance(row, Folded) or row.id not in gone
            ]
        )
        return True

    @property
    def has_open_folds(self) -> bool:
        return bool(self._opened)

    def fold_at(self, index: int) -> Folded | None:
        """The fold that a row is, or is shown below of."""
        while 0 <= index < len(self.rows):
            row = self.rows[index]
            if isinstance(row, Folded):
                return row
            if not any(row.id in ids for ids in self._opened.values()):
                return None
            index -= 1
        return None

    def _show(self, rows: Sequence[TailRow]) -> None:
        self.rows = list(rows)
        self._at = {row_key(row): index for index, row in enumerate(self.rows)}
        self.folded = sum(row.count for row in self.rows if isinstance(row, Folded) and not row.skipped)
