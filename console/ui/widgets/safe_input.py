"""The one text field of the console."""

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

    def check_consume_key(self, key: str, character: str | None) -> bool:
        # Textual does not know which character these keys type, and would offer them as keys of the screen.
        return key in NAMED_OTHERWISE or super().check_consume_key(key, character)

    def validate_value(self, value: str) -> str:
        # Character for character, so the cursor stays where it was.
        return inline(value)
