"""Failures by what they have in common, one group a row: how many, of whom, why, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from console.domain.failure_group import FailureGroup
from console.domain.ids import FailureGroupId
from console.domain.rates import MINUTE
from console.ui import format as fmt
from console.ui.widgets.ages import brief_age
from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.spark import chart_line, levels, resample
from console.ui.widgets.vocabulary import Cell, with_status

TREND_CELLS = 8
WIDE = 110
WIDE_TREND_CELLS = 24


def columns_at(width: int) -> tuple[Column, ...]:
    """What fits a width: the wider, the longer the trends."""
    trend = TREND_CELLS if width < WIDE else WIDE_TREND_CELLS
    return (
        Column(key="count", title="COUNT", width=6, align="right", sortable=True, descending_first=True),
        Column(key="failed", title="FAILED", width=6, align="right", priority=3),
        Column(key="endpoint", title="ENDPOINT", width=11, flex=2, sortable=True, sort_letter="N"),
        Column(key="cause", title="CAUSE", width=15, flex=1, sortable=True),
        Column(key="words", title="ERROR", width=20, flex=7),
        Column(key="trend", title="TREND", width=trend, chart=True, priority=1),
        Column(key="first", title="FIRST", width=5, align="right", sortable=True),
        Column(key="last", title="LAST", width=4, align="right", sortable=True),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """What one row shows. Rows that are equal look alike."""

    group: FailureGroup
    trend: tuple[float, ...]
    """Attempts that failed of it, minute by minute."""
    first: str
    last: str


def make_row(group: FailureGroup, minutes: Mapping[int, int], *, since_s: int, until_s: int, now_ms: int) -> GroupRow:
    """A group as its row shows it at a moment; `minutes` counts attempts that failed of it, in [since, until)."""
    first = since_s - since_s % MINUTE
    return GroupRow(
        group=group,
        trend=tuple(float(minutes.get(second, 0)) for second in range(first, until_s, MINUTE)),
        first=brief_age(now_ms, group.first_at_ms),
        last=brief_age(now_ms, group.last_at_ms),
    )


def render_group(row: GroupRow, key: str, trend_cells: int = TREND_CELLS) -> Cell:
    """The text of one cell, and what it means."""
    group = row.group
    match key:
        case "count":
            return fmt.count(group.deliveries), "error"
        case "failed":
            return (fmt.ABSENT if group.failed is None else fmt.count(group.failed)), "normal"
        case "endpoint":
            return group.endpoint_name, "strong"
        case "cause":
            return with_status(group.status, group.cause), "normal"
        case "words":
            return group.words, "normal"
        case "trend":
            return chart_line(levels(resample(row.trend, trend_cells), 1), 0, 1), "accent"
        case _:
            return (row.first if key == "first" else row.last), "muted"


def sorted_rows(rows: Sequence[GroupRow], sort: tuple[str, bool] | None) -> list[GroupRow]:
    """Rows in the order that was asked for; the largest group first when none was."""
    if sort is None:
        return list(rows)
    column, descending = sort
    return sorted(rows, key=lambda row: _sort_value(row.group, column), reverse=descending)


def _sort_value(group: FailureGroup, column: str) -> Any:
    match column:
        case "count":
            return group.deliveries
        case "endpoint":
            return group.endpoint_name.casefold()
        case "cause":
            return group.cause, group.status or 0
        case "first":
            return -group.first_at_ms
        case _:
            return -group.last_at_ms


class GroupTable(LineTable[GroupRow]):
    """Groups of failures. `r` asks for the marked ones, or the one under the cursor, to be retried."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r,R", "retry", "Retry the group", id="groups.retry"),
        Binding("p", "pause", "Pause/resume endpoint", id="groups.pause"),
    ]

    class RetryRequested(Message):
        """Retry all that is in these groups."""

        def __init__(self, groups: tuple[FailureGroupId, ...]) -> None:
            super().__init__()
            self.groups = groups

    class PauseRequested(Message):
        """Pause the endpoints of these groups, or resume them."""

        def __init__(self, groups: tuple[FailureGroup, ...]) -> None:
            super().__init__()
            self.groups = groups

    def __init__(self, *, id: str | None = None) -> None:
        self._list: ListSource[GroupRow] = ListSource([], lambda row: row.group.id)
        self.rows: list[GroupRow] = []
        self._trend_cells = TREND_CELLS
        super().__init__(
            columns_at(0),
            source=self._list,
            row_key=lambda row: row.group.id,
            render_cell=lambda row, key: render_group(row, key, self._trend_cells),
            empty="reading the store …",
            id=id,
        )

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        columns = columns_at(event.size.width)
        if columns != self.columns:
            self._trend_cells = next(column.width for column in columns if column.key == "trend")
            self.show_columns(columns)

    def show(self, rows: list[GroupRow]) -> None:
        """Show these rows; only the lines that differ are painted again."""
        old, self.rows = self.rows, rows
        self._list.replace(rows)
        if [row.group.id for row in old] != [row.group.id for row in rows]:
            self.rows_changed()
            return
        for index, (before, after) in enumerate(zip(old, rows, strict=True)):
            if before != after:
                self.refresh_index(index)

    @property
    def chosen(self) -> tuple[FailureGroup, ...]:
        """The marked groups that are still there, else the one under the cursor."""
        marked = set(self.marks)
        if groups := tuple(row.group for row in self.rows if row.group.id in marked):
            return groups
        return (self.current.group,) if self.current else ()

    def action_retry(self) -> None:
        if self.chosen:
            self.post_message(self.RetryRequested(tuple(group.id for group in self.chosen)))

    def action_pause(self) -> None:
        if self.chosen:
            self.post_message(self.PauseRequested(self.chosen))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("retry", "pause") and getattr(self.app, "read_only", False):
            return False
        return super().check_action(action, parameters)
