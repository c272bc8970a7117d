"""An app around one widget, and what it paints."""

import re

from rich.console import Console
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget

SIZES = [(80, 24), (120, 40)]

HOSTILE = "\x1b]52;c;cm0gLXJm\x07 \x9b31m \x90q\x9c \u202egnp.exe\u2066 \u200f\u2028 \x00\x08\x7f\r[red]m[/red]"
"""Clipboard write, C1 sequences, reordering, a lone return, and what a markup parser would eat."""

FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Stage(App[None]):
    """Shows one widget, and gives it the focus."""

    def __init__(self, widget: Widget | None = None) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        if self.widget is not None:
            yield self.widget

    def on_mount(self) -> None:
        if self.widget is not None and self.widget.can_focus:
            self.widget.focus()


def strips(app: App[None]) -> list[Strip]:
    """The lines of the whole screen, as the driver would write them."""
    return app.screen._compositor.render_strips(app.size)


def painted(app: App[None]) -> list[str]:
    """The text of each line of the screen."""
    return [strip.text for strip in strips(app)]


def assert_nothing_raw(app: App[None]) -> None:
    """No character that a terminal obeys is in any text of the screen, and the escapes written are only colours."""
    console = Console(color_system="truecolor", force_terminal=True)
    for strip in strips(app):
        assert not FORBIDDEN.search(strip.text), repr(strip.text)
        rest = re.sub(r"\x1b\[[0-9;]*m", "", strip.render(console))
        assert not FORBIDDEN.search(rest), repr(rest)
