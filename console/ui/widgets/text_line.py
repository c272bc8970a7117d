"""One line of styled text that is painted again only when it says something else."""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class TextLine(Widget):
    """One line. Set `line`; text from outside is cleaned by whoever makes it."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "TextLine { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }"

    line: reactive[Content] = reactive(Content(""))

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(TextLine.line, Content(text))

    def render(self) -> Content:
        return self.line
