"""Attempts as they are made, newest at the end, at a pace that a person can read; and back to the first of them."""

from collections.abc import Sequence
from typing import ClassVar, Literal, assert_never

from textual.binding import Binding, BindingType
from textual.message import Message

from console.domain.delivery import Attempt
from console.domain.ids import AttemptId
from console.ui import format as fmt
from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.tail_model import (
    FOLD_ABOVE,
    KEPT,
    Folded,
    TailModel,
    TailRow,
    is_failure,
    result_cell,
    row_key,
)
from console.ui.widgets.vocabulary import Cell

__all__ = ["FOLD_ABOVE", "KEPT", "AttemptTail", "Folded", "PageKind", "TailModel", "TailRow"]

PageKind = Literal["older", "newer", "first", "newest"]

EMPTY = "No attempt yet. Send an event:\n\nwebhook-console send invoice.paid --data '{\"amount\": 12}'"
EMPTY_HERE = "No attempt here yet."
LOOKING = "Looking through all attempts …"

COLUMNS = (
    Column(key="time", title="TIME", width=12),
    Column(key="endpoint", title="ENDPOINT", width=14, flex=2),
    Column(key="type", title="EVENT TYPE", width=17, flex=3),
    Column(key="result", title="RESULT", width=17),
    Column(key="took", title="TOOK", width=6, align="right"),
    Column(key="try", title="TRY", width=3, align="right"),
    Column(key="detail", title="DETAIL", width=20, flex=4, priority=1),
)


def render_attempt(row: TailRow, key: str) -> Cell:
    """The text of one cell, and what it means."""
    if isinstance(row, Folded):
        return (fmt.clock_time(row.at_ms)[: None if row.skipped else 8] if key == "time" else ""), "muted"
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
            return fmt.duration(row.total_ms), "muted"
        case "try":
            return f"{row.number}m" if row.manual else str(row.number), "muted" if row.number == 1 else "warning"
        case _:
            return row.detail or "", "muted"


def fold_words(fold: Folded) -> Cell:
    """`✓ 214 delivered · crm 120 · slack 94`, and how it is opened or closed."""
    if fold.skipped:
        words, meaning = f"… {fmt.exact(fold.count)} not read", "warning"
    else:
        names = "".join(f" · {name} {fmt.exact(count)}" for name, count in fold.counts)
        words, meaning = f"✓ {fmt.exact(fold.count)} delivered{names}", "ok"
    return (f"▾ {words}" if fold.is_open else words), "ok" if meaning == "ok" else "warning"


class AttemptTail(LineTable[TailRow]):
    """The tail. Its owner fills `model` and calls `model_changed`, reads the pages it asks for, and opens folds."""

    DEFAULT_CSS = """
    AttemptTail { scrollbar-size-vertical: 0; scrollbar-gutter: auto; }
    """
    HAS_TICKS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "error(1)", "Next error", show=False, id="tail.next-error"),
        Binding("E", "error(-1)", "Previous error", show=False, id="tail.previous-error"),
        Binding("escape", "close_folds", "Close what was opened", show=False, id="tail.close-folds"),
    ]

    class PageWanted(Message):
        """Somebody goes where nothing is loaded. One is under way at a time: answer with `page_came`."""

        def __init__(self, tail: "AttemptTail", kind: PageKind) -> None:
            super().__init__()
            self.tail, self.kind = tail, kind

    class FoldOpened(Message):
        """The attempts of a fold are wanted: answer with `open_fold`."""

        def __init__(self, tail: "AttemptTail", fold: Folded) -> None:
            super().__init__()
            self.tail, self.fold = tail, fold

    def __init__(self, *, id: str | None = None) -> None:
        self.model = TailModel()
        self._list: ListSource[TailRow] = ListSource(self.model.rows, row_key)
        self._asked: PageKind | None = None
        self._empty_said = ""
        super().__init__(
            COLUMNS, source=self._list, row_key=row_key, render_cell=render_attempt, tail=True, empty="", id=id
        )

    def model_changed(self, *, added: int = 0) -> None:
        """The model has other rows."""
        self._list.replace(self.model.rows)
        self.rows_changed(added=added)

    # Pages

    def ask(self, kind: PageKind) -> None:
        """Have a page read. Going to either end takes the place of what was asked for before."""
        if self._asked is None or kind in ("first", "newest"):
            if self._asked is None and kind == "newest":
                self._empty_said, self.empty = self.empty, LOOKING
            self._asked = kind
            self.post_message(self.PageWanted(self, kind))

    def page_came(self, kind: PageKind, attempts: Sequence[Attempt], *, reached: AttemptId | None, done: bool) -> None:
        """What was read. `done`: nothing lies beyond."""
        if kind != self._asked:
            return
        self._end_asking()
        match kind:
            case "older":
                self._keep_place(self.model.prepend(attempts, reached=reached, at_start=done))
            case "newer":
                self._keep_place(-self.model.append(attempts, reached=reached, at_end=done))
            case "first":
                self.model.show_page(attempts, reached=reached, at_start=True, at_end=done)
                self.model_changed()
                self.follow = False
                self.move_cursor(0)
            case "newest":
                self.model.show_page(attempts, reached=reached, at_start=done, at_end=True)
                self.model_changed()
                self.follow = True
            case _:
                assert_never(kind)

    def page_failed(self, kind: PageKind) -> None:
        """It could not be read; it may be asked for again."""
        if kind == self._asked:
            self._end_asking()

    def _end_asking(self) -> None:
        self._asked = None
        if self.empty == LOOKING:
            self.empty = self._empty_said

    def _keep_place(self, moved: int) -> None:
        """Rows came or went above: what is on the screen stays there."""
        first, cursor = self.first_visible + moved, self.cursor + moved
        self._list.replace(self.model.rows)
        self.rows_changed(added=0)
        self.place_scroll(first)
        self.cursor = cursor
        self.show_cursor()

    def _ask_at_edges(self) -> None:
        if self.follow or not self.model.rows or not self.is_mounted:
            return
        near = self.page_lines
        if not self.model.at_start and min(self.first_visible, self.cursor) < near:
            self.ask("older")
        elif self.model.detached and max(self.last_visible, self.cursor) >= self.line_count - near:
            self.ask("newer")

    def cursor_moved(self, old: int, new: int) -> None:
        super().cursor_moved(old, new)
        self._ask_at_edges()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._ask_at_edges()

    def action_cursor_first(self) -> None:
        if self.model.at_start or not self.model.rows:
            super().action_cursor_first()
        else:
            self.follow = False
            self.ask("first")

    def action_cursor_last(self) -> None:
        self.close_folds()
        if self.model.detached:
            self.ask("newest")
        else:
            super().action_cursor_last()

    def action_toggle_follow(self) -> None:
        if not self.follow and self.model.detached:
            self.ask("newest")
        else:
            super().action_toggle_follow()

    # Folds

    def action_choose(self) -> None:
        row = self.current
        if isinstance(row, Folded):
            if row.is_open:
                self.action_close_folds()
            else:
                self.post_message(self.FoldOpened(self, row))
        else:
            super().action_choose()

    def open_fold(self, fold: Folded, attempts: Sequence[Attempt]) -> None:
        """Show what was counted, below the count."""
        self.follow = False
        if self.model.open_fold(fold.number, attempts):
            self.model_changed()

    def action_close_folds(self) -> None:
        fold = self.model.fold_at(self.cursor)
        self.close_folds()
        if fold is not None:
            self.move_to(row_key(fold))

    def close_folds(self) -> None:
        """Take away what was opened."""
        if self.model.close_folds():
            self.model_changed()

    def spanning(self, row: TailRow) -> tuple[str, Cell] | None:
        return ("endpoint", fold_words(row)) if isinstance(row, Folded) else None

    # Errors

    def is_tick(self, index: int) -> bool:
        return is_failure(self.model.rows[index])

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
        if action == "close_folds":
            return self.model.has_open_folds
        return super().check_action(action, parameters)
