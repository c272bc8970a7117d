"""The one text field of the console."""

from textual import events
from textual.widgets import Input

from console.ui.format import inline

NAMED_OTHERWISE = frozenset({"slash", "backslash", "at", "minus", "plus", "underscore"})
"""Keys whose names are not those of Unicode."""


class SafeInput(Input):
    """An Input whose value is always clean: what is pasted or set from outside passes the sanitiser first."""

    # Sixteen colours have none that stands out from every background: the cursor is what is turned around.
    DEFAULT_CSS = """
    SafeInput:ansi > .input--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
    """

    _left = False
    """Whether a key typed here has moved the focus on."""

    async def _on_key(self, event: events.Key) -> None:
        # Textual lets a key that types nothing travel up to the app before it looks what it does, and the letters that
        # came behind it in a burst, as they do over a slow line, would be typed first, and in the wrong field.
        focused = self.app.focused
        if self._left and focused is not None and focused is not self:
            event.stop()
            event.prevent_default()
            focused._forward_event(events.Key(event.key, event.character))
        elif not event.is_printable and await self.app._check_bindings(event.key):
            event.stop()
            event.prevent_default()
            self._left = self.app.focused is not self

    def on_focus(self) -> None:
        self._left = False

    def check_consume_key(self, key: str, character: str | None) -> bool:
        # Textual does not know which character these keys type, and would offer them as keys of the screen.
        return key in NAMED_OTHERWISE or super().check_consume_key(key, character)

    def validate_value(self, value: str) -> str:
        # Character for character, so the cursor stays where it was.
        return inline(value)
