"""A user's settings at work: keys bound anew, alerts announced, and the file read again when it changes."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from console.domain.errors import ConfigError
from console.domain.rates import WINDOWS, Window
from console.settings import FILE_NAME, Settings, settings_file
from console.ui import themes
from console.ui.announcing import Announcer
from console.ui.format import counted
from console.ui.live import Snapshot

if TYPE_CHECKING:
    from textual.app import App

    from console.ui.app import ConsoleApp

Reload = Callable[[], Settings]
"""Reads the settings of this run again: the same flags and environment, and the file as it is now."""

MOST_SAID = 3


class Preferences:
    """What the settings make of one app.

    Args:
        settings: as they are at the start.
        reload: how to read them again; None: they never change.
    """

    def __init__(self, app: "ConsoleApp", settings: Settings, reload: Reload | None) -> None:
        self.settings = settings
        self._app, self._reload = app, reload
        self._announcer = Announcer(_writer(app), os.environ)

    @property
    def window(self) -> Window:
        """What rates are shown of at first."""
        return next(window for window in WINDOWS if window.label == self.settings.window)

    def bind_keys(self) -> None:
        """Let keys do what the settings say."""
        self._app.set_keymap(dict(self.settings.keys))

    def check_keys(self) -> None:
        """Say what is wrong with them. Imports every screen, so it is done once the first frame is there."""
        if not self.settings.keys:
            return
        from console.ui.bindings import problems

        found = problems(self.settings.keys, self.settings.key_lines)
        for words in found[:MOST_SAID]:
            self._app.complain(ConfigError(words))
        if (more := len(found) - MOST_SAID) > 0:
            self._app.say(f"{counted(more, 'more', 'more')}: webhook-console config check", warn=True)

    def announce(self, snapshot: Snapshot) -> None:
        """Ring and notify when an alert begins to fire."""
        self._announcer.take(snapshot.alerts, self.settings)

    async def watch(self) -> None:
        """Take over the file whenever it changes, until cancelled. What is wrong with it changes nothing."""
        if self._reload is None:
            return
        from console.ui.watching import changed_files

        folder = settings_file(os.environ).parent
        async for _ in changed_files([folder], lambda path: path.name == FILE_NAME):
            try:
                self._take_over(self._reload())
            except ConfigError as error:
                self._app.complain(error)

    def _take_over(self, settings: Settings) -> None:
        before, self.settings = self.settings, settings
        if settings.keys != before.keys:
            self.bind_keys()
            self.check_keys()
        wanted = themes.theme_name(settings.theme or themes.DEFAULT)
        if settings.theme != before.theme and wanted in self._app.available_themes:
            self._app.theme = wanted
        self._app.say("the settings were read again")


def _writer(app: "App[Any]") -> Callable[[str], object]:
    def write(text: str) -> None:
        # The driver is the only way out that is in step with frames.
        if app._driver is not None:
            app._driver.write(text)

    return write
