"""The one text field of the console."""

from textual.widgets import Input

from console.ui.format import inline


class SafeInput(Input):
    """An Input whose value is always clean: what is pasted or set from outside passes the sanitiser first."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        # Textual does not know which character this key types, and would offer it as a key of the screen.
        return key == "slash" or super().check_consume_key(key, character)

    def validate_value(self, value: str) -> str:
        # Character for character, so the cursor stays where it was.
        return inline(value)
