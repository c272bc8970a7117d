"""A scrolling view of lines with a cursor: what the table and the JSON tree have in common."""

from collections.abc import Iterable
from enum import Enum
from itertools import zip_longest
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget


class EdgeCell(Enum):
    """What a cell of the column at the right says."""

    EMPTY = "empty"
    """All lines are on the screen, and none of these is a tick."""
    TRACK = "track"
    THUMB = "thumb"
    """Some of the lines that it stands for are on the screen."""
    TICK = "tick"
    TICK_ON_THUMB = "tick on thumb"


EDGE_GLYPHS = {
    EdgeCell.EMPTY: " ",
    EdgeCell.TRACK: "│",
    EdgeCell.THUMB: "┃",
    EdgeCell.TICK: "╡",
    EdgeCell.TICK_ON_THUMB: "┫",
}
"""They differ in shape, so that they are told apart without colours."""


def edge_of(count: int, height: int, first: int, page: int, ticks: Iterable[int]) -> tuple[EdgeCell, ...]:
    """The column beside `height` lines of a screen that shows `page` of `count` lines from `first` on."""
    if height <= 0 or not count:
        return ()
    if count <= page:  # each line has its own cell
        ticked = set(ticks)
        return tuple(EdgeCell.TICK if y in ticked else EdgeCell.EMPTY for y in range(height))
    ticked = {min(height - 1, index * height // count) for index in ticks}
    top = min(height - 1, first * height // count)
    bottom = max(top, min(height - 1, ((first + page) * height - 1) // count))
    cells = []
    for y in range(height):
        on = top <= y <= bottom
        if y in ticked:
            cells.append(EdgeCell.TICK_ON_THUMB if on else EdgeCell.TICK)
        else:
            cells.append(EdgeCell.THUMB if on else EdgeCell.TRACK)
    return tuple(cells)


class LineView(ScrollView, can_focus=True):
    """Lines drawn one by one, so that only what is on the screen costs anything. Subclasses draw and count them.

    `FIXED_LINES` lines at the top do not scroll. The cursor is the index of a line, and is always inside the lines.
    """

    ALLOW_SELECT = False
    FIXED_LINES: ClassVar[int] = 0
    HAS_TICKS: ClassVar[bool] = False
    """A column of its own at the right shows what part is on the screen, and where lines are that `is_tick`. Then the
    style must hide the scrollbar."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_by(1)", "Down", show=False, id="lines.down"),
        Binding("k,up", "cursor_by(-1)", "Up", show=False, id="lines.up"),
        Binding("pagedown,ctrl+f", "cursor_page(1.0)", "Page down", show=False, id="lines.page-down"),
        Binding("pageup,ctrl+b", "cursor_page(-1.0)", "Page up", show=False, id="lines.page-up"),
        Binding("ctrl+d", "cursor_page(0.5)", "Half a page down", show=False, id="lines.half-down"),
        Binding("ctrl+u", "cursor_page(-0.5)", "Half a page up", show=False, id="lines.half-up"),
        Binding("g,home", "cursor_first", "First", show=False, id="lines.first"),
        Binding("G,end", "cursor_last", "Last", show=False, id="lines.last"),
        Binding("enter", "choose", "Open", show=False, id="lines.choose"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False, init=False)

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._styles_by_name: dict[tuple[str, ...], Style] = {}
        self._edge: tuple[EdgeCell, ...] = ()

    # What a subclass says

    @property
    def line_count(self) -> int:
        """Lines that scroll."""
        raise NotImplementedError

    def draw_fixed(self, y: int) -> Strip:
        """A line at the top that does not scroll, `content_width` cells wide."""
        raise NotImplementedError

    def draw_line(self, index: int) -> Strip:
        """The line at `index` (0 ≤ index < line_count), `content_width` cells wide."""
        raise NotImplementedError

    def draw_beyond(self, y: int) -> Strip:
        """The line `y` lines below the last one."""
        return Strip.blank(self.content_width, self.component_style())

    def is_tick(self, index: int) -> bool:
        """Whether a line is one to be found from afar."""
        return False

    def edge_style(self, cell: "EdgeCell") -> Style:
        """How a cell of the column at the right looks."""
        return self.component_style()

    def cursor_moved(self, old: int, new: int) -> None:
        """The cursor is on another line."""

    def action_choose(self) -> None:
        """Enter was pressed, or the line of the cursor was clicked twice."""

    # Geometry

    @property
    def content_width(self) -> int:
        """Cells of a line: without the scrollbar, which the size of a ScrollView holds too."""
        return self.scrollable_content_region.width - self.HAS_TICKS

    @property
    def page_lines(self) -> int:
        """Scrolling lines on the screen."""
        return max(1, self.size.height - self.FIXED_LINES)

    @property
    def first_visible(self) -> int:
        return self.scroll_offset.y

    @property
    def last_visible(self) -> int:
        """Index of the last line on the screen; below `first_visible` when there is none."""
        return min(self.line_count, self.first_visible + self.page_lines) - 1

    def update_extent(self) -> None:
        """Take over a changed `line_count`. A layout is asked for only when the scrollbar comes or goes."""
        extent = Size(self.size.width, self.line_count + self.FIXED_LINES)
        if extent == self.virtual_size:
            return
        height = self.container_size.height
        if (extent.height > height) == self.show_vertical_scrollbar and self.is_mounted:
            self.set_reactive(Widget.virtual_size, extent)
            self._scroll_update(extent)
        else:
            self.virtual_size = extent

    def place_scroll(self, first: int) -> None:
        """Scroll so that the line `first` is the first visible one, as far as the end allows."""
        self.scroll_to(y=max(0, min(first, self.max_scroll_y)), animate=False, force=True)

    def show_cursor(self) -> None:
        """Scroll just as far as is needed to see the cursor."""
        if self.cursor < self.first_visible:
            self.place_scroll(self.cursor)
        elif self.cursor >= self.first_visible + self.page_lines:
            self.place_scroll(self.cursor - self.page_lines + 1)

    def refresh_index(self, index: int) -> None:
        """Draw one line again, if it can be seen."""
        if self.first_visible <= index <= self.last_visible:
            self.refresh_lines(index + self.FIXED_LINES)

    # Drawing

    def component_style(self, *names: str) -> Style:
        """The style of component classes laid over one another; cached until the theme changes."""
        if (style := self._styles_by_name.get(names)) is None:
            style = self.get_visual_style(*names).rich_style
            for name in names:
                # The visual style leaves out `reverse`, which is all that shows a cursor without colours.
                style += self.get_component_styles(name).text_style
            self._styles_by_name[names] = style
        return style

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles_by_name.clear()

    def render_line(self, y: int) -> Strip:
        strip = self._draw(y)
        return strip if not self.HAS_TICKS else Strip([*strip, self._edge_segment(y)], strip.cell_length + 1)

    def _draw(self, y: int) -> Strip:
        if y < self.FIXED_LINES:
            return self.draw_fixed(y)
        index = self.first_visible + y - self.FIXED_LINES
        below = index - self.line_count
        return self.draw_line(index) if below < 0 else self.draw_beyond(below)

    # What is on the screen of all, and where the ticks are

    def _edge_segment(self, y: int) -> Segment:
        if y < self.FIXED_LINES:
            style = next(iter(self.draw_fixed(y))).style
            return Segment(" ", style)
        at = y - self.FIXED_LINES
        cell = self._edge[at] if at < len(self._edge) else EdgeCell.EMPTY
        return Segment(EDGE_GLYPHS[cell], self.edge_style(cell))

    def refresh_edge(self) -> None:
        """Find anew what the column at the right says; only its cells that differ are painted."""
        if not self.HAS_TICKS:
            return
        height = self.size.height - self.FIXED_LINES
        ticks = [index for index in range(self.line_count) if self.is_tick(index)]
        before, self._edge = (
            self._edge,
            edge_of(self.line_count, height, self.first_visible, self.page_lines, ticks),
        )
        for y, (old, new) in enumerate(zip_longest(before, self._edge)):
            if old is not new and y < height:
                self.refresh(Region(self.content_width, y + self.FIXED_LINES, 1, 1))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.refresh_edge()

    # Moving

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.line_count - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        self.refresh_index(old)
        self.refresh_index(new)
        self.cursor_moved(old, new)

    def move_cursor(self, index: int) -> None:
        """Put the cursor on a line and bring it into view."""
        self.cursor = index
        self.show_cursor()

    def action_cursor_by(self, lines: int) -> None:
        self.move_cursor(self.cursor + lines)

    def action_cursor_page(self, pages: float) -> None:
        lines = max(1, round(abs(pages) * self.page_lines)) * (1 if pages > 0 else -1)
        self.place_scroll(self.first_visible + lines)
        self.move_cursor(self.cursor + lines)

    def action_cursor_first(self) -> None:
        self.move_cursor(0)

    def action_cursor_last(self) -> None:
        self.move_cursor(self.line_count - 1)

    def on_resize(self, event: events.Resize) -> None:
        self.update_extent()
        self.show_cursor()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = self.first_visible + offset.y - self.FIXED_LINES
        if offset.y < self.FIXED_LINES:
            self.clicked_fixed(offset.x)
        elif index < self.line_count:
            self.move_cursor(index)
            if event.chain == 2:
                self.action_choose()

    def clicked_fixed(self, x: int) -> None:
        """A line that does not scroll was clicked, `x` cells from the left."""
