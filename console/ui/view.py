"""What a console is to show when it opens: the parts of a view that a command line can name."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.domain.ids import EndpointId
from console.domain.moment import Moment
from console.domain.rates import Window

if TYPE_CHECKING:
    from textual.screen import Screen

    from console.ui.app import ConsoleApp

SCREENS = ("home", "failures", "groups", "charts", "operations", "alerts", "inbox")
"""Names of screens, as `--screen` takes them; each is opened by the app's `open_…`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """None where nothing was asked for."""

    moment: Moment | None = None
    window: Window | None = None
    focus: EndpointId | None = None
    screen: str | None = None
    filter_text: str | None = None


def name_of(screen: "Screen[object]") -> str:
    """What a screen is called on the command line; home for one that has no name there."""
    name = type(screen).__name__.removesuffix("Screen").lower()
    return name if name in SCREENS else "home"


def text_of(screen: "Screen[object]") -> str:
    """The filter of a screen, as it was typed; empty without one."""
    text = getattr(screen, "filter_text", "")
    return text if isinstance(text, str) else ""


def open_view(app: "ConsoleApp", view: View | None) -> None:
    """Show a view, as far as it was named; of a copy its end, when no moment was."""
    view = view or View()
    if view.window is not None:
        app.window = view.window
    if view.focus is not None:
        app.focus_on = view.focus
    if view.moment is not None or app.session.copy is not None:
        app.show_moment(view.moment)
    elif view.window is not None or view.focus is not None:
        app.feed.look_at(window=app.window, focus=app.focus_on)
    if view.screen is not None and view.screen != "home":
        open_it = getattr(app, f"action_open_{view.screen}", None)
        if open_it is not None:
            open_it()
    if view.filter_text:
        show_filter = getattr(app.screen, "show_filter", None)
        if show_filter is not None:
            show_filter(view.filter_text)
