"""What may stand where one types, a line each, and which is chosen."""

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.domain.query_complete import Completion
from console.ui.format import fit, inline, one_line
from console.ui.widgets.line_table import CURSOR_GLYPH

MOST_LINES = 6
_WORD_MOST = 40


class Completions(Widget):
    """As high as there are completions, at most MOST_LINES; nothing where there are none."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Completions { width: 1fr; height: auto; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    chosen: reactive[int] = reactive(0)

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[Completion, ...] = ()
        self.display = False

    def show(self, items: Sequence[Completion]) -> None:
        """Other completions; the first is chosen."""
        if tuple(items) == self.items:
            return
        self.items, self.chosen = tuple(items), 0
        self.display = bool(items)
        self.refresh(layout=True)

    @property
    def current(self) -> Completion | None:
        """The one that is chosen."""
        return self.items[self.chosen] if self.items else None

    def step(self, by: int) -> None:
        """Choose another; behind the last comes the first."""
        if self.items:
            self.chosen = (self.chosen + by) % len(self.items)

    def render(self) -> Content:
        first = max(0, min(self.chosen - MOST_LINES // 2, len(self.items) - MOST_LINES))
        shown = self.items[first : first + MOST_LINES]
        width = min(_WORD_MOST, max((len(one.replacement) for one in shown), default=0))
        parts: list[str | tuple[str, str]] = []
        for index, one in enumerate(shown, first):
            chosen = index == self.chosen
            mark = f" {CURSOR_GLYPH if chosen else ' '} "
            word = fit(inline(one.replacement), width)
            hint = one_line(inline(one.hint), max(1, self.size.width - width - 8)) if one.hint else ""
            more = self._more(index, first, len(shown))
            parts += ["\n" if parts else "", (f"{mark}{word}", "bold" if chosen else ""), (f"  {hint}{more}", "dim")]
        return Content.assemble(*parts)

    def _more(self, index: int, first: int, shown: int) -> str:
        left = len(self.items) - first - shown
        return f"  … {left} more" if left and index == first + shown - 1 else ""
