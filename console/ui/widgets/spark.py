"""Small charts of one series. A chart always stands beside its numbers, and never in their place."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from console.ui.widgets.vocabulary import StyleName

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " _.-=+*#@"
_STEPS = len(BLOCKS) - 1

Values = Sequence[float | None]
Kind = Literal["spark", "bars"]


def resample(values: Values, width: int) -> list[float | None]:
    """`width` values, newest at the right: each the largest of those it stands for, so that no peak is lost.

    Fewer values than that are not stretched: what is missing on the left is None, as is a gap in all of a part.
    """
    if len(values) <= width:
        return [None] * (width - len(values)) + list(values)
    parts = (values[i * len(values) // width : (i + 1) * len(values) // width] for i in range(width))
    return [max((value for value in part if value is not None), default=None) for part in parts]


def levels(values: Values, height: int, ceiling: float | None = None) -> list[int]:
    """Each value in eighths of a line, of `height` lines: 0 for a gap, 1 for zero, at least 2 for anything more.

    `ceiling` is the value of a full column; the largest value when None.
    """
    top = ceiling if ceiling is not None else max((value for value in values if value is not None), default=0)
    most = height * _STEPS
    result = []
    for value in values:
        if value is None:
            result.append(0)
        elif value <= 0 or top <= 0:
            result.append(1)
        else:
            result.append(max(2, min(most, round(value / top * most))))
    return result


def chart_line(columns: Sequence[int], y: int, height: int, *, ascii_only: bool = False) -> str:
    """Line `y` (0 at the top) of the columns that `levels` made."""
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    below = (height - 1 - y) * _STEPS
    return "".join(blocks[max(0, min(_STEPS, level - below))] for level in columns)


def gauge(part: float, width: int, *, ascii_only: bool = False) -> str:
    """A bar `width` cells wide of which `part` (0 to 1) is full. Full only when it is all, empty only when nothing."""
    full, blank = ("#", "-") if ascii_only else ("█", "░")
    filled = round(max(0.0, min(1.0, part)) * width)
    if 0 < part < 1 and width > 1:
        filled = max(1, min(width - 1, filled))
    return full * filled + blank * (width - filled)


class Spark(Widget):
    """A chart as wide and as high as the widget. `bars` leaves a blank cell between columns."""

    ALLOW_SELECT = False
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "spark--normal",
        "spark--strong",
        "spark--muted",
        "spark--accent",
        "spark--ok",
        "spark--warning",
        "spark--error",
    }

    values: reactive[tuple[float | None, ...]] = reactive(())
    """Oldest first; None where nothing is known."""
    ceiling: reactive[float | None] = reactive(None)
    """The value of a full column; the largest value shown when None."""
    meaning: reactive[StyleName] = reactive("normal")

    def __init__(
        self,
        values: Values = (),
        kind: Kind = "spark",
        *,
        meaning: StyleName = "normal",
        ceiling: float | None = None,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.kind = kind
        self.ascii_only = ascii_only
        self.set_reactive(Spark.values, tuple(values))
        self.set_reactive(Spark.meaning, meaning)
        self.set_reactive(Spark.ceiling, ceiling)
        self._columns: tuple[object, list[int]] = (None, [])

    def show(self, values: Values) -> None:
        """Other values. Costs nothing when they are the same."""
        self.values = tuple(values)

    def _levels(self) -> list[int]:
        width, height = self.size
        drawn_for = (self.values, self.ceiling, width, height)
        if self._columns[0] != drawn_for:
            shown = resample(self.values, width if self.kind == "spark" else (width + 1) // 2)
            self._columns = (drawn_for, levels(shown, height, self.ceiling))
        return self._columns[1]

    def render_line(self, y: int) -> Strip:
        line = chart_line(self._levels(), y, self.size.height, ascii_only=self.ascii_only)
        text = line if self.kind == "spark" else " ".join(line)
        style = self.get_visual_style(f"spark--{self.meaning}").rich_style
        return Strip([Segment(text, style)], len(text)).adjust_cell_length(self.size.width, style)
