"""One thing in full, in a window over the screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from console.ui.format import inline
from console.ui.widgets.reading_view import Line, ReadingView

T = TypeVar("T")

FRAME = 8
"""Lines of the window that are not text."""


class FactsScreen(ModalScreen[T]):
    """Lines to read, as high as they need and the screen allows. Esc closes it, with None."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "ReadingView"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "close", "Close", id="facts.close")]

    def __init__(self, title: str, lines: Sequence[Line], *, hint: str = "Esc closes") -> None:
        super().__init__()
        self._title, self._lines, self._hint = inline(title), tuple(lines), hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="dialog--title")
            yield ReadingView()
            yield Static(Content(self._hint), classes="dialog--hint")

    def on_mount(self) -> None:
        self.query_one(ReadingView).show(self._lines)
        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """As high as the text, as far as the screen has room for it and its frame."""
        view = self.query_one(ReadingView)
        view.styles.height = max(1, min(view.line_count, self.size.height * 9 // 10 - FRAME))

    def action_close(self) -> None:
        self.dismiss()
