"""One field of a form: its label, what is typed, and under it what is wrong or worth saying."""

from pathlib import Path
from textwrap import wrap
from typing import Any, ClassVar, Literal

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from console.ui import format as fmt
from console.ui.widgets.safe_input import SafeInput

LABEL_WIDTH = 20
PAGE = 8
"""Fields that PgUp and PgDn pass over."""

MOST_LINES = 3
"""Of what is said under a field."""

Meaning = Literal["wrong", "note"]
SIGNS: dict[Meaning, str] = {"wrong": "✗ ", "note": "· "}


class FormField(SafeInput):
    """A SafeInput that paints its own label and message: a form of thirty fields is thirty widgets and not ninety."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "form-field--label",
        "form-field--label-wrong",
        "form-field--wrong",
        "form-field--note",
    }
    # At once, as the app takes the key and before it hands out the next: what is typed ahead goes to the field that has
    # the focus by then.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,down,enter", "app.focus_next", "Next field", show=False, priority=True, id="form.next"),
        Binding("shift+tab,up", "app.focus_previous", "Field before", show=False, priority=True, id="form.before"),
        Binding(
            "pagedown", f"screen.move({PAGE})", "Fields further down", show=False, priority=True, id="form.page-down"
        ),
        Binding("pageup", f"screen.move(-{PAGE})", "Fields further up", show=False, priority=True, id="form.page-up"),
    ]

    def __init__(self, key: str, label: str, value: str, *, placeholder: str, masked: bool = False) -> None:
        super().__init__(value, placeholder=fmt.inline(placeholder), password=masked, select_on_focus=False)
        self.key, self._label = key, fmt.inline(label)
        self._message, self._meaning = "", "note"
        self._lines: list[str] = []
        self.cursor_blink = False
        self._hint = placeholder

    def say(self, message: str, meaning: Meaning = "note") -> None:
        """Say this under the field; empty takes it away."""
        if (message, meaning) == (self._message, self._meaning):
            return
        self._message, self._meaning = message, meaning
        self._fit()
        self.refresh(layout=True)

    def hint(self, placeholder: str) -> None:
        """Say this where nothing is typed."""
        self._hint = placeholder
        self._fit_hint()

    def _fit_hint(self) -> None:
        # Cut here: what is too long would be wrapped, and its second line is not shown.
        self.placeholder = fmt.one_line(self._hint, max(1, self.size.width - 1))

    @property
    def message(self) -> str:
        """What is said under it."""
        return self._message

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        """Take as many lines as the message needs at this width."""
        self._fit_hint()
        room = max(10, self.size.width + self.gutter.width - LABEL_WIDTH - 3)
        sign = SIGNS[self._meaning]  # type: ignore[index]  # set by `say` alone
        text = fmt.one_line(self._message, 600)
        self._lines = (
            wrap(sign + text, room, subsequent_indent="  ", max_lines=MOST_LINES, placeholder=" …") if text else []
        )
        height = 1 + len(self._lines)
        self.styles.height = height
        self.styles.padding = (0, 1, len(self._lines), LABEL_WIDTH + 1)

    def render_lines(self, crop: Any) -> list[Strip]:
        strips = super().render_lines(crop)
        return [self._with_label(strip, crop.y + row, crop) for row, strip in enumerate(strips)]

    def _with_label(self, strip: Strip, y: int, crop: Any) -> Strip:
        """The painted line with what stands in its padding."""
        wrong = bool(self._lines) and self._meaning == "wrong"
        if y == 0:
            style = self.get_visual_style("form-field--label-wrong" if wrong else "form-field--label").rich_style
            mark = "►" if self.has_focus else "✗" if wrong else " "
            label = Segment(fmt.fit(f"{mark} {self._label}", LABEL_WIDTH), style)
            return Strip.join([Strip([label]), strip.crop(LABEL_WIDTH)]) if crop.x == 0 else strip
        if 0 < y <= len(self._lines):
            style = self.get_visual_style("form-field--wrong" if wrong else "form-field--note").rich_style
            width = self.outer_size.width
            text = fmt.fit(" " * (LABEL_WIDTH + 1) + self._lines[y - 1], width)
            return Strip([Segment(text, style)]).crop(crop.x, crop.x + crop.width)
        return strip
