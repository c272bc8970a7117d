"""A template that is edited: it holds what was typed as it came, and shows it clean."""

from rich.style import Style
from rich.text import Text
from textual.widgets import TextArea

from console.ui.format import sanitise


class TemplateEdit(TextArea):
    """A TextArea that Tab leaves. `mark` makes one place stand out; typing takes the mark away."""

    DEFAULT_CSS = """
    TemplateEdit {
        height: 1fr; width: 1fr; border: none; padding: 0 1; background: $panel; color: $foreground;
        scrollbar-size: 0 0;
    }
    TemplateEdit:focus { border: none; background: $boost; }
    TemplateEdit:ansi, TemplateEdit:ansi:focus { background: ansi_default; color: ansi_default; }
    TemplateEdit:ansi .text-area--placeholder { color: ansi_default; text-style: dim; }
    """

    def __init__(self, text: str, *, placeholder: str, read_only: bool, wrap: bool, id: str) -> None:
        super().__init__(
            text,
            soft_wrap=wrap,
            tab_behavior="focus",
            theme="css",
            read_only=read_only,
            placeholder=placeholder,
            id=id,
        )
        self.cursor_blink = False
        self._marked: tuple[int, int] | None = None

    def mark(self, place: tuple[int, int] | None) -> None:
        """Let the character at a line and column, both from 0, stand out; None: none."""
        if place != self._marked:
            self._marked = place
            self._line_cache.clear()
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        # Character for character, so that the cursor stays where it is.
        text = Text(sanitise(self.document.get_line(line_index)), end="", no_wrap=True)
        if self._marked is not None and self._marked[0] == line_index:
            at = min(self._marked[1], max(0, len(text) - 1))
            text.stylize(Style(underline=True, bold=True, reverse=True), at, at + 1)
        return text
