"""Attempts as they are made, newest at the end, at a pace that a person can read."""

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from console.domain.delivery import Attempt
from console.domain.ids import AttemptId
from console.ui import format as fmt
from console.ui.filter_words import holds
from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.vocabulary import Cell, attempt_mark, with_status

KEPT = 5_000
"""Attempts, and rows, that stay in memory."""

FOLD_ABOVE = 20
"""More attempts than this begun in a second, and successes become a count; failures stay rows."""

EMPTY = "No attempt yet. Send an event:\n\nwebhook-console send invoice.paid --data '{\"amount\": 12}'"
EMPTY_HERE = "No attempt here yet."

COLUMNS = (
    Column(key="time", title="TIME", width=12),
    Column(key="endpoint", title="ENDPOINT", width=14, flex=2),
    Column(key="type", title="EVENT TYPE", width=17, flex=3),
    Column(key="result", title="RESULT", width=17),
    Column(key="took", title="TOOK", width=6, align="right"),
    Column(key="try", title="TRY", width=3, align="right"),
    Column(key="detail", title="DETAIL", width=20, flex=4, priority=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Successes that came too fast to be read one by one, or attempts that were never read at all."""

    number: int
    at_ms: int
    """The end of the first of them."""
    count: int
    endpoints: frozenset[str] = frozenset()
    """Names of those that they were for."""
    skipped: bool = False


TailRow = Attempt | Folded


def row_key(row: TailRow) -> Hashable:
    """Stable for the life of a row."""
    return ("fold", row.number) if isinstance(row, Folded) else row.id


def is_failure(row: TailRow) -> bool:
    return isinstance(row, Attempt) and row.cause is not None


def matches(attempt: Attempt, words: Sequence[str]) -> bool:
    """Whether every word (lower case) is somewhere in what the row says."""
    result, _ = result_cell(attempt)
    return not words or holds(
        words, attempt.endpoint_name, attempt.event_type, attempt.event_id, result, attempt.detail
    )


class TailModel:
    """The rows of a tail. Pure: time is a parameter."""

    def __init__(self) -> None:
        self.rows: list[TailRow] = []
        self.words: tuple[str, ...] = ()
        self._known: dict[AttemptId, Attempt] = {}
        self._at: dict[Hashable, int] = {}
        self.folded = 0
        """Successes that are counted in `rows` and have no row of their own."""
        self._begun_ms: deque[int] = deque()
        self._folds = 0

    def clear(self) -> None:
        """Forget everything but the filter."""
        self._known.clear()
        self._begun_ms.clear()
        self._show(())

    def filter(self, words: Sequence[str]) -> None:
        """Only attempts in which every word is found. Nothing is folded among what is already here."""
        self.words = tuple(words)
        self._show([attempt for attempt in self._known.values() if matches(attempt, self.words)])

    def take(self, attempts: Sequence[Attempt], *, skipped: int, now_ms: int) -> int:
        """New attempts and new versions of old ones. Returns how many rows were added."""
        before = len(self.rows)
        if skipped:
            self._fold(skipped, now_ms, skipped=True)
        # What was there before this console opened did not come too fast for anybody.
        is_history = not self._known
        for attempt in attempts:
            is_new = attempt.id not in self._known
            self._known[attempt.id] = attempt
            fast = is_new and not is_history and self._is_fast(attempt.started_at_ms)
            if matches(attempt, self.words):
                self._place(attempt, folding=not self.words and (fast or not is_new))
        added = len(self.rows) - before
        self._forget()
        return added

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
            self._fold(1, attempt.ended_at_ms, endpoint=attempt.endpoint_name)

    def _fold(self, count: int, at_ms: int, *, endpoint: str | None = None, skipped: bool = False) -> None:
        self.folded += 0 if skipped else count
        names = frozenset(() if endpoint is None else (endpoint,))
        at = self._at.get(("fold", self._folds), -1)
        last = self.rows[at] if at >= 0 else None
        # Failures that came in between stay where they are: one count a second is enough.
        if isinstance(last, Folded) and last.skipped == skipped and at_ms < last.at_ms + 1_000:
            self.rows[at] = replace(last, count=last.count + count, endpoints=last.endpoints | names)
            return
        self._folds += 1
        self._append(Folded(number=self._folds, at_ms=at_ms, count=count, endpoints=names, skipped=skipped))

    def _append(self, row: TailRow) -> None:
        self._at[row_key(row)] = len(self.rows)
        self.rows.append(row)

    def _forget(self) -> None:
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        if len(self.rows) > KEPT:
            self._show(self.rows[-KEPT * 4 // 5 :])

    def _show(self, rows: Sequence[TailRow]) -> None:
        self.rows = list(rows)
        self._at = {row_key(row): index for index, row in enumerate(self.rows)}
        self.folded = sum(row.count for row in self.rows if isinstance(row, Folded) and not row.skipped)


def result_cell(attempt: Attempt) -> Cell:
    """`✓ 200`, `✗ 503 http_5xx`, `→ sending`."""
    answer = with_status(attempt.status, attempt.cause)
    return attempt_mark(attempt, ok=answer, failed=answer)


def render_attempt(row: TailRow, key: str) -> Cell:
    """The text of one cell, and what it means."""
    if isinstance(row, Folded):
        return _render_folded(row, key)
    match key:
        case "time":
            return fmt.clock_time(row.started_at_ms), "muted"
        case "endpoint":
            return row.endpoint_name, "normal"
        case "type":
            return row.event_type, "normal"
        case "result":
            return result_cell(row)
        case "took":
            return fmt.duration(row.total_ms), "normal" if row.total_ms is not None else "muted"
        case "try":
            return f"{row.number}m" if row.manual else str(row.number), "muted" if row.number == 1 else "warning"
        case _:
            return row.detail or "", "muted"


def _render_folded(row: Folded, key: str) -> Cell:
    match key:
        case "time":
            return fmt.clock_time(row.at_ms), "muted"
        case "endpoint":
            names = row.endpoints
            return (next(iter(names)) if len(names) == 1 else f"{len(names)} endpoints" if names else ""), "muted"
        case "result" if row.skipped:
            return f"… {fmt.count(row.count)} not read", "warning"
        case "result":
            return f"✓ {fmt.exact(row.count)} delivered", "ok"
        case _:
            return "", "muted"


class AttemptTail(LineTable[TailRow]):
    """The tail. Its owner fills `model` and calls `model_changed`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "error(1)", "Next error", show=False, id="tail.next-error"),
        Binding("E", "error(-1)", "Previous error", show=False, id="tail.previous-error"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        self.model = TailModel()
        self._list: ListSource[TailRow] = ListSource(self.model.rows, row_key)
        super().__init__(
            COLUMNS, source=self._list, row_key=row_key, render_cell=render_attempt, tail=True, empty="", id=id
        )

    def model_changed(self, *, added: int = 0) -> None:
        """The model has other rows."""
        self._list.replace(self.model.rows)
        self.rows_changed(added=added)

    def action_error(self, step: int) -> None:
        """To the next failure below the cursor, or above it."""
        rows = self.model.rows
        index = self.cursor + step
        while 0 <= index < len(rows) and not is_failure(rows[index]):
            index += step
        if 0 <= index < len(rows):
            self.follow = False
            self.move_cursor(index)
        else:
            self.app.bell()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Nothing acts on marked attempts, and their order is time.
        if action in ("mark", "mark_range", "clear_marks"):
            return False
        return super().check_action(action, parameters)
