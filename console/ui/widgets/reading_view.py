"""Styled lines to read: wrapped to the width, scrolled by the keys that move a cursor elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.strip import Strip

from console.ui.format import inline
from console.ui.widgets.line_view import LineView
from console.ui.widgets.vocabulary import Cell, StyleName

_LEAST_TEXT = 8
"""Cells that a continued line keeps for its text, however deep it hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Spans of text as they came. What does not fit goes on `hang` cells in; `prose` is broken between words."""

    spans: tuple[Cell, ...] = ()
    hang: int = 0
    prose: bool = False


class ReadingView(LineView):
    """Lines that are read, not chosen: there is no cursor, and every moving key scrolls."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "reading-view--normal",
        "reading-view--strong",
        "reading-view--muted",
        "reading-view--accent",
        "reading-view--ok",
        "reading-view--warning",
        "reading-view--error",
    }

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._content: tuple[Line, ...] = ()
        self._wrapped: list[tuple[Cell, ...]] = []
        self._wrapped_for: tuple[int, tuple[Line, ...]] = (0, ())

    def show(self, lines: Sequence[Line], *, from_top: bool = False) -> None:
        """Other lines. The place in the text is kept, unless `from_top`."""
        self._content = tuple(lines)
        self._wrap()
        if from_top:
            self.place_scroll(0)

    def _wrap(self) -> None:
        width = max(1, self.content_width)
        if self._wrapped_for == (width, self._content):
            return
        self._wrapped_for = (width, self._content)
        self._wrapped = [part for line in self._content for part in wrap(line, width)]
        self.update_extent()
        self.refresh()

    @property
    def line_count(self) -> int:
        return len(self._wrapped)

    def draw_line(self, index: int) -> Strip:
        segments = [
            Segment(text, self.component_style(f"reading-view--{meaning}")) for text, meaning in self._wrapped[index]
        ]
        return Strip(segments).adjust_cell_length(self.content_width, self.component_style())

    def on_resize(self, event: events.Resize) -> None:
        self._wrap()
        super().on_resize(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # There is nothing to choose: Enter is the screen's.
        return False if action == "choose" else super().check_action(action, parameters)

    # Every moving key scrolls.

    def show_cursor(self) -> None:
        """There is none to show."""

    def action_cursor_by(self, lines: int) -> None:
        self.place_scroll(self.first_visible + lines)

    def action_cursor_page(self, pages: float) -> None:
        lines = max(1, round(abs(pages) * self.page_lines)) * (1 if pages > 0 else -1)
        self.place_scroll(self.first_visible + lines)

    def action_cursor_first(self) -> None:
        self.place_scroll(0)

    def action_cursor_last(self) -> None:
        self.place_scroll(self.max_scroll_y)


def wrap(line: Line, width: int) -> Iterator[tuple[Cell, ...]]:
    """The line as lines of at most `width` cells, clean."""
    hang = max(0, min(line.hang, width - _LEAST_TEXT))
    row: list[Cell] = []
    used = 0
    for piece, meaning in _pieces(line):
        cells = cell_len(piece)
        if row and used + cells > width and used > hang:
            yield tuple(row)
            piece = piece.lstrip(" ") if line.prose else piece
            row, used, cells = [(" " * hang, "normal")] if hang else [], hang, cell_len(piece)
        for part in _chop(piece, width - used, width - hang) if cells > width - used else (piece,):
            if row and used + cell_len(part) > width and used > hang:
                yield tuple(row)
                row, used = [(" " * hang, "normal")] if hang else [], hang
            row.append((part, meaning))
            used += cell_len(part)
    yield tuple(row)


def _pieces(line: Line) -> Iterator[tuple[str, StyleName]]:
    """What may not be broken: words with the blanks before them in prose, else characters of long spans."""
    for text, meaning in line.spans:
        clean = inline(text)
        if not line.prose:
            yield clean, meaning
            continue
        begin = 0
        for i in range(1, len(clean)):
            if clean[i] == " " and clean[i - 1] != " ":
                yield clean[begin:i], meaning
                begin = i
        yield clean[begin:], meaning


def _chop(text: str, first: int, rest: int) -> Iterator[str]:
    """Cut into parts of at most `first`, then `rest` cells; at least one character each."""
    begin, cells, room = 0, 0, first
    for i, c in enumerate(text):
        n = cell_len(c)
        if i > begin and cells + n > room:
            yield text[begin:i]
            begin, cells, room = i, 0, rest
        cells += n
    yield text[begin:]
