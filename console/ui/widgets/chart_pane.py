"""The charts of one endpoint, or of all, one above the other over the same time, with their numbers."""

from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from console.domain.rates import MINUTE
from console.ui import format as fmt
from console.ui.chart_reading import Charts, Part
from console.ui.widgets.heat import CAUSE_LETTERS
from console.ui.widgets.plot import AXIS_CELLS, Line, bar_lines, curve_lines, spread, time_line
from console.ui.widgets.vocabulary import STYLE_NAMES, Cell, StyleName

LEAST_LINES = 10
"""Captions, causes and times, and five lines of charts."""

_FIXED = 5
_RATIO = (3, 2, 3)


def plot_cells(width: int) -> int:
    """Cells of a chart beside its axis, at a width of the pane."""
    return max(10, width - AXIS_CELLS - 1)


def lines_of(charts: Charts, width: int, height: int) -> list[Line]:
    """The whole pane."""
    cells, parts = plot_cells(width), charts.parts
    delivered, failed, took = _heights(height)
    latency: tuple[tuple[tuple[float | None, ...], StyleName], ...] = (
        (tuple(part.p50_ms for part in parts), "normal"),
        (tuple(part.p95_ms for part in parts), "accent"),
        (tuple(part.p99_ms for part in parts), "warning"),
    )
    return [
        _delivered_caption(charts),
        *bar_lines([part.ok / part.length_s for part in parts], cells, delivered, _per_second, "ok"),
        _failed_caption(charts),
        *bar_lines([part.failed / part.length_s for part in parts], cells, failed, _per_second, "error"),
        _cause_line(parts, cells),
        _latency_caption(charts),
        *curve_lines(latency, cells, took, fmt.duration),
        time_line(_times(charts, cells), cells),
    ]


def _heights(height: int) -> tuple[int, int, int]:
    """Of the three charts: what is left over goes to the first, then to the last."""
    free = max(LEAST_LINES, height) - _FIXED
    first, second, third = (max(1, free * share // sum(_RATIO)) for share in _RATIO)
    rest = free - first - second - third
    return first + (rest + 1) // 2, second, third + rest // 2


def _per_second(value: float) -> str:
    return fmt.count(round(value)) if value >= 1000 else f"{value:g}"


def _delivered_caption(charts: Charts) -> Line:
    total = charts.total
    return _caption(
        "Delivered",
        [
            (f"{fmt.rate(total.ok / charts.elapsed_s)} mean", "strong"),
            (f"{fmt.rate(_now(charts, 'ok'))} now", "normal"),
            (f"{fmt.rate(max((part.ok / part.length_s for part in charts.parts), default=0))} most", "normal"),
            (f"{fmt.exact(total.ok)} in all", "normal"),
            (f"a column {fmt.duration(charts.part_s * 1000)}", "muted"),
        ],
    )


def _failed_caption(charts: Charts) -> Line:
    total = charts.total
    worst: StyleName = "error" if total.failed else "strong"
    causes: list[Cell] = [(f"{CAUSE_LETTERS[cause]} {cause} {fmt.count(n)}", "normal") for cause, n in charts.causes]
    return _caption(
        "Failed",
        [
            (fmt.percent(total.failed, total.attempts), worst),
            (f"{fmt.rate(_now(charts, 'failed'))} now", "normal"),
            (f"{fmt.exact(total.failed)} in all", "normal"),
            *causes,
        ],
    )


def _latency_caption(charts: Charts) -> Line:
    total = charts.total
    last = next((part for part in reversed(charts.parts) if part.p50_ms is not None), None)
    now = f"{fmt.duration(last.p50_ms)} {fmt.duration(last.p95_ms)} {fmt.duration(last.p99_ms)} now" if last else ""
    return _caption(
        "Latency",
        [
            (f"p50 {fmt.duration(total.percentile_ms(0.5))}", "strong"),
            (f"p95 {fmt.duration(total.percentile_ms(0.95))}", "accent"),
            (f"p99 {fmt.duration(total.percentile_ms(0.99))}", "warning"),
            (now, "normal"),
            ("from below: p50 p95 p99", "muted"),
        ],
    )


def _caption(title: str, parts: list[Cell]) -> Line:
    line: Line = [(f" {fmt.fit(title, 10)}", "strong")]
    for text, meaning in parts:
        if text:
            line += [(" · " if len(line) > 1 else "", "muted"), (text, meaning)]
    return line


def _now(charts: Charts, what: str) -> float:
    """Of the last part that is long enough to speak of, a second."""
    whole = [part for part in charts.parts if part.length_s >= min(charts.part_s, 5)]
    last = whole[-1] if whole else charts.parts[-1]
    return (last.ok if what == "ok" else last.failed) / last.length_s


def _cause_line(parts: tuple[Part, ...], cells: int) -> Line:
    letters = "".join(CAUSE_LETTERS[part.cause] if part.cause else " " for part in spread(parts, cells))
    return [(fmt.fit("why", AXIS_CELLS - 2, right=True) + " │", "muted"), (letters, "warning")]


def _times(charts: Charts, cells: int) -> list[str]:
    """Times at even distances, as many as there is room for."""
    length = charts.part_s * len(charts.parts)
    cut = 8 if length < 10 * MINUTE else 5
    marks = max(2, min(9, cells // 18 + 1))
    seconds = [charts.since_s + length * i // (marks - 1) for i in range(marks - 1)]
    return [fmt.clock_time(second * 1000)[:cut] for second in seconds] + [fmt.clock_time(charts.until_s * 1000)[:cut]]


class ChartPane(Widget):
    """Paints Charts; the lines that did not change are not painted again."""

    ALLOW_SELECT = False
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart-pane--{name}" for name in STYLE_NAMES}

    charts: reactive[Charts | None] = reactive(None, repaint=False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[object, list[Line]] = (None, [])

    def _drawn(self) -> list[Line]:
        key = (self.charts, self.size.width, self.size.height)
        if self._lines[0] != key:
            charts = self.charts
            drawn = [] if charts is None else lines_of(charts, self.size.width, self.size.height)
            self._lines = (key, drawn)
        return self._lines[1]

    def watch_charts(self) -> None:
        before, after = self._lines[1], self._drawn()
        if len(before) != len(after):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.refresh(self._region_of(y))

    def _region_of(self, y: int) -> Region:
        return Region(0, y, self.size.width, 1)

    def render_line(self, y: int) -> Strip:
        lines = self._drawn()
        base = self.get_visual_style("chart-pane--normal").rich_style
        segments = [
            Segment(text, self.get_visual_style(f"chart-pane--{meaning}").rich_style)
            for text, meaning in (lines[y] if y < len(lines) else [])
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)
