"""One line in which a filter is typed. It filters while one types."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from console.ui.widgets.safe_input import SafeInput
from console.ui.widgets.text_line import TextLine


class FilterBar(Horizontal):
    """Mount it to begin; it removes itself when Enter keeps the filter or Esc clears it."""

    DEFAULT_CSS = """
    FilterBar { height: 1; width: 1fr; background: $panel; }
    FilterBar > TextLine { width: 2; color: $text-accent; text-style: bold; }
    FilterBar > SafeInput, FilterBar > SafeInput:focus {
        height: 1; border: none; padding: 0; background: $panel; width: 1fr;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "Clear the filter", id="filter.clear"),
        Binding("enter", "keep", "Keep it", id="filter.keep"),
    ]

    class Changed(Message):
        """The text of the filter `name`. `closed`: no more is typed."""

        def __init__(self, text: str, *, closed: bool) -> None:
            super().__init__()
            self.text, self.closed = text, closed

    def __init__(self, text: str, *, placeholder: str) -> None:
        super().__init__()
        self._text, self._placeholder = text, placeholder

    def compose(self) -> ComposeResult:
        yield TextLine(" /")
        yield SafeInput(self._text, placeholder=self._placeholder, compact=True)

    def on_mount(self) -> None:
        self.query_one(SafeInput).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value, closed=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close(event.value)

    def action_keep(self) -> None:
        self._close(self.query_one(SafeInput).value)

    def action_clear(self) -> None:
        self._close("")

    def _close(self, text: str) -> None:
        self.post_message(self.Changed(text, closed=True))
        self.remove()
