"""The attempts of one delivery, oldest first, following the newest."""

from collections.abc import Sequence
from typing import Any

from console.domain.delivery import Attempt
from console.domain.ids import AttemptId
from console.ui.attempt_parts import bar, longest_ms
from console.ui.explain import outcome_words
from console.ui.format import ABSENT, clock_time, duration
from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.vocabulary import Cell, attempt_mark

_COLUMNS = (
    Column(key="number", title="#", width=3, align="right"),
    Column(key="time", title="TIME", width=12),
    Column(key="outcome", title="OUTCOME", width=9),
    Column(key="cause", title="ANSWER", width=8, flex=1),
    Column(key="took", title="TOOK", width=6, align="right"),
    Column(key="bar", title="TIME SPENT", width=8, flex=2, priority=1),
    Column(key="by", title="BY", width=8, priority=2),
)


class AttemptList(LineTable[Attempt]):
    """Attempts of one delivery."""

    def __init__(self, **kw: Any) -> None:
        self.longest_ms = 1.0
        """To which the bars are drawn."""
        self._attempts: ListSource[Attempt] = ListSource((), lambda attempt: attempt.id)
        super().__init__(
            _COLUMNS,
            source=self._attempts,
            row_key=lambda attempt: attempt.id,
            render_cell=self._cell,
            tail=True,
            empty="No attempt was made yet.",
            **kw,
        )

    def show(self, attempts: Sequence[Attempt]) -> None:
        """Other attempts, oldest first."""
        self._attempts.replace(attempts)
        if (longest := longest_ms(attempts)) != self.longest_ms:
            self.longest_ms = longest
            self.invalidate()
        self.rows_changed()

    @property
    def marked(self) -> list[Attempt]:
        """The attempts that are marked, oldest first."""
        return [
            a for n in range(self._attempts.count) if (a := self._attempts.row(n)) is not None and a.id in self.marks
        ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Two are marked one by one; `v` is the screen's.
        return False if action == "mark_range" else super().check_action(action, parameters)

    def _cell(self, attempt: Attempt, key: str) -> Cell:
        if key != "bar":
            return attempt_cell(attempt, key)
        width = next((placed.width for placed in self._places() if placed.column.key == "bar"), 0)
        return bar(attempt, self.longest_ms, width)

    def choose(self, attempt_id: AttemptId) -> bool:
        """Put the cursor on an attempt and stay there; False when it is not shown."""
        self.follow = False
        return self.move_to(attempt_id)


def attempt_cell(attempt: Attempt, key: str) -> Cell:
    """What a cell says."""
    match key:
        case "number":
            return str(attempt.number), "strong"
        case "time":
            return clock_time(attempt.started_at_ms), "normal"
        case "outcome":
            return attempt_mark(attempt)
        case "cause":
            return outcome_words(attempt) or ABSENT, "normal"
        case "took":
            return duration(attempt.total_ms), "normal"
        case _:
            return ("operator", "accent") if attempt.manual else ("schedule", "muted")
