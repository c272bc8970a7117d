"""A table over ten million rows that draws only those on the screen."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.reactive import reactive
from textual.strip import Strip

from console.ui.format import fit, text_lines
from console.ui.widgets import table_messages
from console.ui.widgets.columns import Column, Placed, Sort, heading, next_sort, place
from console.ui.widgets.line_view import EdgeCell, LineView
from console.ui.widgets.marks import NO_GLYPH, Marks
from console.ui.widgets.rows import RowSource, RowT
from console.ui.widgets.vocabulary import Cell

GUTTER = 2
"""Cells at the left for the cursor and the mark of a row."""

CURSOR_GLYPH = "►"
LOADING = "⋯"


class LineTable(LineView, Generic[RowT]):
    """Rows of a source in columns, with a cursor, marks, sorting by request and a live tail.

    The table knows rows only through its owner's callbacks: `row_key` gives a row's id (hashable, stable),
    `render_cell` the text of a cell as it came, and what it means; the table sanitises. Both are pure and quick.
    A row that compares equal to what was drawn for its id is not rendered again; what else a cell depends on
    (an age, a unit) is made current by `invalidate()`.

    `tail` means that new rows come at the end: the table can then follow them. Sorting is the owner's work: the table
    says `SortChanged` and shows the arrow.
    """

    FIXED_LINES = 1
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-table--header",
        "line-table--cursor",
        "line-table--marked",
        "line-table--normal",
        "line-table--strong",
        "line-table--muted",
        "line-table--accent",
        "line-table--ok",
        "line-table--warning",
        "line-table--error",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", show=False, id="table.mark"),
        Binding("v", "mark_range", "Mark a range", show=False, id="table.mark-range"),
        Binding("escape", "cancel_range", "Leave the range", show=False, id="table.cancel-range"),
        Binding("U", "clear_marks", "Clear marks", show=False, id="table.clear-marks"),
        Binding("O", "cycle_sort", "Sort", show=False, id="table.sort"),
        Binding("f", "toggle_follow", "Follow", show=False, id="table.follow"),
    ]

    follow: reactive[bool] = reactive(False, repaint=False)
    """The newest row stays in view. Moving up lets go, G takes hold again."""
    new_count: reactive[int] = reactive(0, repaint=False)
    """Rows that came since following was let go of."""
    sort: reactive[Sort | None] = reactive(None)
    """Key of the column sorted by, and whether descending; None is the order of the source."""
    empty: reactive[str] = reactive("")
    """What is said when there are no rows."""

    Highlighted: TypeAlias = table_messages.Highlighted
    Chosen: TypeAlias = table_messages.Chosen
    MarksChanged: TypeAlias = table_messages.MarksChanged
    SortChanged: TypeAlias = table_messages.SortChanged

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        source: RowSource[RowT],
        row_key: Callable[[RowT], Hashable],
        render_cell: Callable[[RowT, str], Cell],
        tail: bool = False,
        empty: str = "",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.columns = tuple(columns)
        self.tail = tail
        self._source = source
        self._row_key = row_key
        self._render_cell = render_cell
        self._count_seen = source.count
        self._cursor_key: Hashable | None = None
        self._said_key: Hashable | None = None
        self._marks = Marks()
        self._strips: LRUCache[tuple[Hashable, bool, str], tuple[RowT, Strip]] = LRUCache(512)
        self._placed: tuple[int, tuple[Placed, ...]] = (-1, ())
        self._shown: tuple[int, list[RowT | None]] = (-1, [])
        """The first line and the rows that were on the screen when rows last changed."""
        self.set_reactive(LineTable.empty, empty)
        self.set_reactive(LineTable.follow, tail)

    # What a subclass may say

    def spanning(self, row: RowT) -> tuple[str, Cell] | None:
        """The key of a column, and a text that takes its place and that of all after it; None: a row of cells."""
        return None

    def edge_style(self, cell: EdgeCell) -> Style:
        meaning = "error" if cell in (EdgeCell.TICK, EdgeCell.TICK_ON_THUMB) else "muted"
        return self.component_style(f"line-table--{'normal' if cell is EdgeCell.THUMB else meaning}")

    # For the owner

    @property
    def source(self) -> RowSource[RowT]:
        return self._source

    @source.setter
    def source(self, source: RowSource[RowT]) -> None:
        """Show other rows (a filter, an order). The cursor stays on its row if it is among them."""
        self._source = source
        self._strips.clear()
        self._count_seen = source.count
        self._shown = (-1, [])
        self.rows_changed()

    @property
    def current(self) -> RowT | None:
        """The row under the cursor; None when there is none or it is not loaded."""
        return self._row_at(self.cursor)

    @property
    def marks(self) -> tuple[Hashable, ...]:
        """Keys of the marked rows, in the order they were marked, whether or not they are still in the source."""
        return self._marks.keys

    @marks.setter
    def marks(self, keys: Iterable[Hashable]) -> None:
        self._marks.set(keys)
        self._marks_changed()

    def rows_changed(self, *, added: int | None = None) -> None:
        """The source has other rows, or rows were loaded. `added`: how many are new, if not what `count` grew by."""
        count = self._source.count
        grown, self._count_seen = count - self._count_seen, count
        self.update_extent()
        if self.tail and not self.follow:
            self.new_count += max(0, grown if added is None else added)
        if self.follow:
            self._pin_to_end()
        else:
            self._find_cursor_again()
        self._note_cursor()
        self.refresh_edge()
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        """Paint the lines whose rows differ from those that were there; all, when they have moved."""
        first = self.first_visible
        rows = [self._row_at(index) for index in range(first, self.last_visible + 1)]
        (first_before, before), self._shown = self._shown, (first, rows)
        if first != first_before or len(rows) != len(before) or self._marks.in_range:
            self.refresh()
            return
        for at, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old is not new and old != new:
                self.refresh_index(first + at)

    def invalidate(self) -> None:
        """Render every row anew: something other than the rows has changed what their cells say."""
        self._strips.clear()
        self.refresh()

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Other columns, or other widths of them, over the same rows."""
        self.columns = tuple(columns)
        self._placed = (-1, ())
        self.invalidate()

    def move_to(self, key: Hashable) -> bool:
        """Put the cursor on a row; False when the source does not know where it is."""
        if (index := self._source.index_of(key)) is None:
            return False
        self.move_cursor(index)
        return True

    # Cursor and following

    @property
    def line_count(self) -> int:
        return self._source.count

    def _row_at(self, index: int) -> RowT | None:
        return self._source.row(index) if 0 <= index < self._source.count else None

    def on_mount(self) -> None:
        self.rows_changed(added=0)

    def on_resize(self, event: events.Resize) -> None:
        self.update_extent()
        if self.follow:
            self._pin_to_end()
        else:
            self.show_cursor()
        self.refresh_edge()

    def cursor_moved(self, old: int, new: int) -> None:
        if self.follow and new < self.line_count - 1:
            self.follow = False
        if self._marks.in_range:
            self.refresh()
        self._cursor_key = None
        self._note_cursor()

    def _note_cursor(self) -> None:
        row = self.current
        key = None if row is None else self._row_key(row)
        if key is None and self._cursor_key is not None and self.line_count:
            return
        self._cursor_key = key
        if key != self._said_key:
            self._said_key = key
            self.post_message(self.Highlighted(self, row))

    def _find_cursor_again(self) -> None:
        """Put the cursor back on its row after rows came or went around it, without moving it on the screen."""
        row, key = self.current, self._cursor_key
        if key is None or (row is not None and self._row_key(row) == key):
            self.cursor = self.cursor
            return
        index = self._source.index_of(key)
        if index is None:
            self._cursor_key = key if row is None and self.cursor < self.line_count else None
            self.cursor = self.cursor
            return
        moved, seen = index - self.cursor, self.first_visible <= self.cursor <= self.last_visible
        first = self.first_visible
        self.cursor = index
        if first and moved:
            self.place_scroll(first + moved)
        if seen:
            self.show_cursor()

    def _pin_to_end(self) -> None:
        self.place_scroll(self.max_scroll_y)
        self.cursor = self.line_count - 1

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.follow and new_value < old_value and round(new_value) < self.max_scroll_y:
            self.follow = False

    def watch_follow(self, follow: bool) -> None:
        self.new_count = 0
        if follow and self.is_mounted:
            self._pin_to_end()

    def action_toggle_follow(self) -> None:
        self.follow = not self.follow

    def action_cursor_last(self) -> None:
        super().action_cursor_last()
        self.follow = self.tail

    def action_choose(self) -> None:
        if (row := self.current) is not None:
            self.post_message(self.Chosen(self, row))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "toggle_follow":
                return self.tail
            case "cancel_range":
                return self._marks.in_range
            case "cycle_sort":
                return any(column.sortable for column in self.columns)
            case _:
                return super().check_action(action, parameters)

    # Marks

    def _key_in_line(self, index: int) -> Hashable | None:
        return None if (row := self._row_at(index)) is None else self._row_key(row)

    def action_mark(self) -> None:
        if self._marks.in_range:
            self.action_mark_range()
        elif (key := self._key_in_line(self.cursor)) is not None:
            self._marks.toggle(key)
            self._marks_changed()

    def action_mark_range(self) -> None:
        """Begin a range at the cursor, or mark everything from where it began to the cursor."""
        if self._marks.in_range:
            span = self._marks.span(self.cursor, self._source.index_of)
            self._marks_changed(left_out=self._marks.end_range(span, self._key_in_line))
        elif (key := self._key_in_line(self.cursor)) is not None:
            self._marks.begin_range(key, self.cursor)
            self.refresh()

    def action_cancel_range(self) -> None:
        self._marks.cancel_range()
        self.refresh()

    def action_clear_marks(self) -> None:
        self._marks.cancel_range()
        self.marks = ()

    def _marks_changed(self, left_out: int = 0) -> None:
        self.refresh()
        self.post_message(self.MarksChanged(self, left_out))

    # Sorting

    def action_cycle_sort(self) -> None:
        """The next of: each sortable column, first one way then the other; then the order of the source."""
        self._sort_by(next_sort(self.columns, self.sort))

    def sort_by_column(self, column: Column) -> None:
        """Sort by this column, or reverse when it is already sorted by."""
        descending = column.descending_first
        if self.sort is not None and self.sort[0] == column.key:
            descending = not self.sort[1]
        self._sort_by((column.key, descending))

    def _sort_by(self, sort: Sort | None) -> None:
        self.sort = sort
        column, descending = sort or (None, False)
        self.post_message(self.SortChanged(self, column, descending))

    def on_key(self, event: events.Key) -> None:
        for column in self.columns:
            if column.sortable and column.sort_letter is not None and event.character == column.sort_letter:
                event.stop()
                self.sort_by_column(column)

    def clicked_fixed(self, x: int) -> None:
        for placed in self._places():
            if placed.x <= x < placed.x + placed.width and placed.column.sortable:
                self.sort_by_column(placed.column)

    # Drawing

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def _places(self) -> tuple[Placed, ...]:
        width = self.content_width
        if self._placed[0] != width:
            self._placed = (width, place(self.columns, width, GUTTER))
            self._strips.clear()
        return self._placed[1]

    def render_lines(self, crop: Any) -> list[Strip]:
        if self.line_count and self.size.height:
            self._source.want(self.first_visible, self.last_visible)
        return super().render_lines(crop)

    def draw_fixed(self, y: int) -> Strip:
        style = self.component_style("line-table--header")
        segments, x = [Segment(" " * GUTTER, style)], GUTTER
        for placed in self._places():
            title = heading(placed, self.sort)
            segments.append(Segment(" " * (placed.x - x) + title, style))
            x = placed.x + placed.width
        return Strip(segments, x).adjust_cell_length(self.content_width, style)

    def draw_line(self, index: int) -> Strip:
        row = self._source.row(index)
        is_cursor = index == self.cursor
        if row is None:
            return self._draw_placeholder(is_cursor)
        key = self._row_key(row)
        places = self._places()
        cache_key = (key, is_cursor, self._marks.glyph(key, index, self.cursor, self._source.index_of))
        drawn = self._strips.get(cache_key)
        if drawn is not None and (drawn[0] is row or drawn[0] == row):
            return drawn[1]
        strip = self._draw_row(row, is_cursor, cache_key[2], places)
        self._strips[cache_key] = (row, strip)
        return strip

    def _draw_row(self, row: RowT, is_cursor: bool, mark: str, places: tuple[Placed, ...]) -> Strip:
        under: tuple[str, ...] = ("line-table--marked",) if mark != NO_GLYPH else ()
        if is_cursor:
            under += ("line-table--cursor",)
        base = style = self.component_style(*under)
        # Each change of style is forty bytes on the wire, and blanks look the same in all of them.
        segments, x = [Segment((CURSOR_GLYPH if is_cursor else " ") + mark, base)], GUTTER
        if not is_cursor and mark == NO_GLYPH:
            segments, x = [], 0
        span = self.spanning(row)
        for placed in places:
            if span is not None and placed.column.key == span[0]:
                text, meaning = span[1]
                style = self.component_style(*under, f"line-table--{meaning}")
                gap, width = " " * (placed.x - x), self.content_width - placed.x
                segments.append(Segment(gap + fit(text, width), style))
                x = placed.x + width
                break
            text, meaning = self._render_cell(row, placed.column.key)
            if text:
                below = () if placed.column.chart else under
                style = self.component_style(*below, f"line-table--{meaning}")
            gap = " " * (placed.x - x)
            segments.append(Segment(gap + fit(text, placed.width, right=placed.column.align == "right"), style))
            x = placed.x + placed.width
        return Strip(Segment.simplify(segments), x).adjust_cell_length(self.content_width, style)

    def _draw_placeholder(self, is_cursor: bool) -> Strip:
        style = self.component_style(*(["line-table--cursor"] if is_cursor else []), "line-table--muted")
        text = (CURSOR_GLYPH if is_cursor else " ").ljust(GUTTER) + LOADING
        return Strip([Segment(fit(text, self.content_width), style)], self.content_width)

    def draw_beyond(self, y: int) -> Strip:
        lines = text_lines(self.empty) if self.empty and not self.line_count else []
        top = max(0, (self.page_lines - len(lines)) // 3)
        if not top <= y < top + len(lines):
            return super().draw_beyond(y)
        style, width = self.component_style("line-table--muted"), self.content_width
        line = fit(lines[y - top], width).rstrip()
        indent = " " * ((width - cell_len(line)) // 2)
        return Strip([Segment(indent + line, style)]).adjust_cell_length(width, style)
