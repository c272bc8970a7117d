"""A screen that others are opened above."""

from typing import TypeVar

from textual.screen import Screen

T = TypeVar("T")

BENEATH_TICKS = 4
"""Under a dialog one in so many ticks counts: whatever changes there makes Textual paint all of it again."""


class LayeredScreen(Screen[T]):
    """Hidden it rests; under a dialog it goes on slowly, and is painted when it changes and not otherwise."""

    _ticks = 0

    @property
    def is_beneath(self) -> bool:
        """Whether another screen is above this one."""
        return self.app.screen is not self

    def counts_tick(self) -> bool:
        """Whether what is done now and then is to be done this time."""
        self._ticks += 1
        return self.is_current and not (self.is_beneath and self._ticks % BENEATH_TICKS)

    def _compositor_refresh(self) -> None:
        super()._compositor_refresh()
        if self.is_beneath:
            # Textual takes it for unpainted after each time that it was painted there: with every message that reached
            # it, all of the terminal was painted again.
            self._repaint_required = False
