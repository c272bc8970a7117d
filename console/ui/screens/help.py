"""Help: every key of the screen it was called from."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from console.ui.keys import KeyHelp, grouped
from console.ui.widgets.vocabulary import SIGNS

_MARK_WIDTH = max(len(mark) for (mark, _), _ in SIGNS)


class HelpScreen(ModalScreen[None]):
    """Keys by group; `keys` are those that were active when help was asked for."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "close", "Close", id="help.close"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="help.up"),
        Binding("pagedown,ctrl+d", "scroll(10)", "Page down", show=False, id="help.page-down"),
        Binding("pageup,ctrl+u", "scroll(-10)", "Page up", show=False, id="help.page-up"),
    ]

    def __init__(self, where: str, keys: Sequence[KeyHelp]) -> None:
        super().__init__()
        self._where, self._keys = where, tuple(keys)

    def compose(self) -> ComposeResult:
        with Vertical(classes="help"):
            yield Static(Content.assemble(("Keys", "bold"), f" · {self._where}"), classes="help--title")
            with VerticalScroll(classes="help--body", can_focus=False):
                yield Static(self._text())
            yield Static(Content("Esc closes · : or ^p opens the command palette"), classes="help--hint")

    def _text(self) -> Content:
        parts: list[str | tuple[str, str]] = []
        width = max((len(_keys(key)) for key in self._keys), default=0)
        for group, keys in grouped(self._keys):
            parts.append((f"{group}\n", "bold $text-accent"))
            for key in keys:
                parts += [(f"  {_keys(key):<{width}}", "bold"), f"  {key.description}\n"]
            parts.append("\n")
        parts.append(("Signs\n", "bold $text-accent"))
        for (mark, _), words in SIGNS:
            parts += [(f"  {mark:<{_MARK_WIDTH}}", "bold"), f"  {words}\n"]
        return Content.assemble(*parts)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        self.dismiss()


def _keys(key: KeyHelp) -> str:
    return " ".join(key.keys)
