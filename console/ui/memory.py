"""What one console remembers: taken from the file at the start, put into it while things change and at the end."""

from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.ids import EndpointId
from console.domain.rates import WINDOWS, Window
from console.ui.state import Look, Remembered, StateFile
from console.ui.themes import PREFIX

if TYPE_CHECKING:
    from console.ui.app import ConsoleApp

LOOK_EVERY_S = 3.0
"""How often it is looked at whether something changed, so that a console that is killed loses little."""

SCREENS = {
    "FailuresScreen": "failures",
    "GroupsScreen": "groups",
    "ChartsScreen": "charts",
    "OperationsScreen": "operations",
    "AlertsScreen": "alerts",
    "InboxScreen": "inbox",
}
"""Screens that are opened again, by class; the app has an action `open_…` for each that is there."""


class Memory:
    """Takes and keeps. Without a file it remembers nothing, as in tests and with --no-state.

    Args:
        theme_given: a theme was asked for by a flag, or colours are off: what is remembered does not count.
        settings_theme: what the user's settings say.
    """

    def __init__(self, app: "ConsoleApp", file: StateFile | None, *, theme_given: bool, settings_theme: str | None):
        self._app, self._file = app, file
        self._settings_theme = settings_theme
        self._trouble: str | None = None
        self._kept = Remembered()
        self._theme_chosen = False
        self._said = False
        if file is not None:
            self._kept, self._trouble = file.read()
            app.session.masked = self.look.masked
        same_settings = self._kept.theme_over == settings_theme
        self.theme = self._kept.theme if same_settings and not theme_given else None
        """The theme to begin with; None: as without a memory."""

    @property
    def look(self) -> Look:
        """As it was left."""
        return self._kept.look

    @property
    def window(self) -> Window | None:
        """The window that was shown last."""
        return next((window for window in WINDOWS if window.label == self.look.window), None)

    @property
    def endpoint(self) -> EndpointId | None:
        """The endpoint that the screens were narrowed to; it may be gone."""
        return EndpointId(self.look.endpoint) if self.look.endpoint else None

    def begin(self) -> None:
        """Open what was open, say what is narrowed, and look from now on whether something changes."""
        if self._file is None:
            return
        self.check()
        if self._trouble is not None:
            self._app.say(self._trouble, warn=True)
            self._trouble = None
        narrowed = [f"/{text}" for text in self.look.filters.values() if text]
        if self._app.focus_on is not None:
            narrowed.insert(0, "one endpoint")
        if narrowed:
            self._app.say(f"as you left it: narrowed to {', '.join(narrowed)}; Esc widens")
        if self.look.screen in SCREENS.values():
            # Not run_action: a screen that is not there any more is no trouble.
            open_it = getattr(self._app, f"action_open_{self.look.screen}", None)
            if open_it is not None:
                open_it()
        self._app.set_interval(LOOK_EVERY_S, self._look_now)

    def check(self) -> None:
        """Widen the screens when the one endpoint that they were narrowed to is gone."""
        app = self._app
        if app.focus_on is not None and app.snapshot is not None and app.endpoint(app.focus_on) is None:
            app.look_at(focus=None)

    def choose_theme(self, name: str) -> None:
        """A theme was chosen in the palette."""
        self._theme_chosen = True
        chosen = name.removeprefix(PREFIX)
        self._kept = replace(self._kept, theme=chosen, theme_over=self._settings_theme)
        self._write_soon()

    def note(self) -> bool:
        """Take how things look now. Returns whether that is new."""
        look = self._seen()
        if look is None or look == replace(self.look, at_ms=0):
            return False
        self._kept = replace(self._kept, look=look)
        return True

    def close(self) -> None:
        """Write what is not written yet. Waits half a second at most; the screens are gone by now."""
        if self._file is not None and self._kept != Remembered():
            self._file.write(self._kept, theme_chosen=self._theme_chosen)

    def _look_now(self) -> None:
        if self.note():
            self._write_soon()

    def _write_soon(self) -> None:
        if self._file is not None:
            self._app.run_worker(self._write, thread=True, exclusive=True, group="state", exit_on_error=False)

    def _write(self) -> None:
        trouble = self._file.write(self._kept, theme_chosen=self._theme_chosen) if self._file else None
        if trouble and not self._said:
            self._said = True
            self._app.call_from_thread(self._app.say, trouble, warn=True)

    def _seen(self) -> Look | None:
        """How things look; None while home is not there."""
        from console.ui.screens.home import HomeScreen

        app = self._app
        home = next((screen for screen in app.screen_stack if isinstance(screen, HomeScreen)), None)
        if home is None or not home.query("EndpointTable"):
            return None
        above = [SCREENS[name] for screen in app.screen_stack if (name := type(screen).__name__) in SCREENS]
        look = Look(
            window=app.window.label,
            endpoint=app.focus_on,
            screen=above[0] if above else None,
            masked=app.session.masked,
        )
        return home.as_left(look)
