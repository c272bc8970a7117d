"""A panel that says what to do, in place of tables that have nothing to show."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from console.ui.format import inline


class Guide(Static):
    """Lines, each a key or a command, which stands out, and what it does."""

    DEFAULT_CSS = """
    Guide {
        height: 1fr; width: 1fr; margin: 0 1; padding: 1 2;
        border: round $border; border-title-color: $text-accent; border-title-style: bold;
        background: $background; color: $foreground;
        &:ansi { background: ansi_default; color: ansi_default; border: round ansi_default; }
    }
    """

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.border_title = Content(title)  # never markup
        self._lines: tuple[tuple[str, str], ...] = ()

    def show(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show these lines; nothing is painted when they are the same."""
        if tuple(lines) == self._lines:
            return
        self._lines = tuple(lines)
        parts: list[Content] = []
        for strong, words in self._lines:
            gap = "   " if strong and words else ""
            lead = "  " if strong else ""
            parts.append(Content.assemble(lead, (inline(strong), "bold $text-accent"), gap, inline(words)))
        self.update(Content("\n").join(parts))
