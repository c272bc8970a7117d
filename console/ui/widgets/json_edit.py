"""A payload that is edited: JSON in which nothing reaches the terminal that it would obey."""

from dataclasses import replace

from textual.document._document import EditResult
from textual.document._edit import Edit
from textual.widgets import TextArea

from console.ui.format import sanitise


def escaped(text: str) -> str:
    """JSON that means the same, with each character that a terminal would obey written as `\\uXXXX`."""
    clean = sanitise(text)
    if clean is text:
        return text
    return "".join(
        one if one == shown else "".join(f"\\u{unit:04x}" for unit in _units(one))
        for one, shown in zip(text, clean, strict=True)
    )


def _units(character: str) -> list[int]:
    data = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[start : start + 2], "big") for start in range(0, len(data), 2)]


class JsonEdit(TextArea):
    """A TextArea into which JSON is typed or pasted; Tab leaves it."""

    DEFAULT_CSS = """
    JsonEdit { height: 1fr; min-height: 3; border: none; padding: 0 1; background: $panel; color: $foreground; }
    JsonEdit:focus { border: none; background: $boost; }
    JsonEdit:ansi, JsonEdit:ansi:focus { background: ansi_default; color: ansi_default; }
    """

    def __init__(self, text: str, *, id: str | None = None) -> None:
        super().__init__(escaped(text), soft_wrap=True, tab_behavior="focus", theme="css", id=id)

    def edit(self, edit: Edit) -> EditResult:
        return super().edit(replace(edit, text=escaped(edit.text)))
