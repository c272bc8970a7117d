"""Charts as lines of text: an axis with its numbers at the left, bars of blocks, and curves of dots."""

from collections.abc import Callable, Sequence
from math import floor, log10
from typing import TypeVar

from console.ui.format import fit
from console.ui.widgets.spark import chart_line, levels
from console.ui.widgets.vocabulary import Cell, StyleName

AXIS_CELLS = 8
"""What the numbers at the left and the axis take."""

Values = Sequence[float | None]
Words = Callable[[float], str]
Line = list[Cell]
T = TypeVar("T")

_NEXT_TO_NOTHING = 1e-6
_DOT_ROWS = 4
_DOTS = (0x09, 0x12, 0x24, 0xC0)
"""Both dots of a row of a braille cell, the top row first."""


def spread(parts: Sequence[T], cells: int) -> list[T]:
    """The part that each of `cells` cells stands for: where there are fewer parts than cells, they are made wider."""
    return [parts[x * len(parts) // cells] for x in range(cells)] if parts else []


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …: what an axis ends at."""
    if value < _NEXT_TO_NOTHING:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next(unit * step for step in (1, 2, 5, 10) if unit * step >= value * 0.999999)


def axis(y: int, height: int, top: str, bottom: str, middle: str = "") -> Cell:
    """What is at the left of line `y` of a chart."""
    label = top if y == 0 else bottom if y == height - 1 else middle if middle and y == height // 2 else ""
    mark = "┤" if label else "│"
    return fit(label, AXIS_CELLS - 2, right=True) + " " + mark, "muted"


def bar_lines(values: Values, cells: int, height: int, words: Words, meaning: StyleName) -> list[Line]:
    """Bars from zero to the largest value, rounded up; blank where nothing is known."""
    largest = max((value for value in values if value is not None), default=0.0)
    ceiling = round_up(largest)
    columns = spread(levels(values, height, ceiling), cells)
    middle = words(ceiling / 2) if height >= 5 else ""
    lines: list[Line] = []
    for y in range(height):
        # One line has room for one number: the largest.
        left = axis(y, height, words(ceiling), words(0), middle if height % 2 else "")
        lines.append([left, (chart_line(columns, y, height), meaning)])
    return lines


def curve_lines(curves: Sequence[tuple[Values, StyleName]], cells: int, height: int, words: Words) -> list[Line]:
    """Curves of dots over a logarithmic axis, each lower than the next; a cell has the colour of the highest in it."""
    known = [value for values, _ in curves for value in values if value is not None and value > 0]
    low, high = _bounds(min(known, default=1.0), max(known, default=1.0))
    rows = height * _DOT_ROWS
    bits = [[0] * cells for _ in range(height)]
    styles: list[list[StyleName]] = [["muted"] * cells for _ in range(height)]
    for values, meaning in curves:
        for x, value in enumerate(spread(values, cells)):
            if value is not None:
                row = rows - 1 - _row(value, low, high, rows)
                bits[row // _DOT_ROWS][x] |= _DOTS[row % _DOT_ROWS]
                styles[row // _DOT_ROWS][x] = meaning
    lines: list[Line] = []
    for y in range(height):
        line: Line = [axis(y, height, words(high), words(low))]
        for x in range(cells):
            glyph = chr(0x2800 + bits[y][x]) if bits[y][x] else " "
            if len(line) > 1 and line[-1][1] == styles[y][x]:
                line[-1] = line[-1][0] + glyph, styles[y][x]
            else:
                line.append((glyph, styles[y][x]))
        lines.append(line)
    return lines


def _bounds(low: float, high: float) -> tuple[float, float]:
    """Round numbers around all values, a factor of ten apart or more."""
    top = round_up(high)
    unit = 10.0 ** floor(log10(max(low, 0.001)))
    bottom = max(unit * step for step in (1, 2, 5) if unit * step <= max(low, 0.001) * 1.000001)
    return min(bottom, top / 10), top


def _row(value: float, low: float, high: float, rows: int) -> int:
    share = (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low))
    return max(0, min(rows - 1, round(share * (rows - 1))))


def time_line(labels: Sequence[str], cells: int) -> Line:
    """Times under a chart: the first at the left, the last at the right, others evenly between where there is room."""
    line = [" "] * cells
    steps = max(1, len(labels) - 1)
    for i, label in enumerate(labels):
        at = min(max(0, round(i * (cells - 1) / steps) - (len(label) // 2 if 0 < i < steps else 0)), cells - len(label))
        if i == steps:
            at = cells - len(label)
        if at >= 0 and all(glyph == " " for glyph in line[max(0, at - 1) : at + len(label) + 1]):
            line[at : at + len(label)] = label
    return [(" " * (AXIS_CELLS - 1) + "└", "muted"), ("".join(line), "muted")]
