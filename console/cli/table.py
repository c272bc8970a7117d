"""Aligned columns for people: they fit the terminal, and are left whole when piped."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from console.cli.output import clean, paint, say
from console.ui.format import fit

Cell = str | tuple[str, str | None]
"""Text as it came, or with the style it has on a terminal."""

_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`flexible`: gives way when the terminal is too narrow; `optional`: is left out when that is not enough."""

    title: str
    right: bool = False
    flexible: bool = False
    optional: bool = False


def terminal_width() -> int | None:
    """Cells of the terminal on stdout; None when stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, indent: str = "") -> None:
    """Print a header and one line a row; nothing at all when there are no rows."""
    texts: list[list[str]] = []
    styles: list[list[str | None]] = []
    for row in rows:
        texts.append([clean(cell if isinstance(cell, str) else cell[0]) for cell in row])
        styles.append([None if isinstance(cell, str) else cell[1] for cell in row])
    if not texts:
        return
    widths = [max(cell_len(c.title), *(cell_len(row[i]) for row in texts)) for i, c in enumerate(columns)]
    available = terminal_width()
    kept = list(range(len(columns)))
    if available is not None:
        kept = _kept(columns, widths, available - len(indent))
        columns, widths = [columns[i] for i in kept], [widths[i] for i in kept]
        widths = _narrowed(columns, widths, available - len(indent))
    _print_row(columns, widths, [column.title for column in columns], ["strong"] * len(columns), indent)
    for row_texts, row_styles in zip(texts, styles, strict=True):
        _print_row(columns, widths, [row_texts[i] for i in kept], [row_styles[i] for i in kept], indent)


def _kept(columns: Sequence[Column], widths: Sequence[int], available: int) -> list[int]:
    """Leave out optional columns, the last first, until the others fit when all that can give way has."""
    kept = list(range(len(columns)))

    def least() -> int:
        return sum(min(widths[i], _NARROWEST) if columns[i].flexible else widths[i] for i in kept) + len(_GAP) * (
            len(kept) - 1
        )

    for i in [i for i in reversed(kept) if columns[i].optional]:
        if least() <= available:
            break
        kept.remove(i)
    return kept


def _narrowed(columns: Sequence[Column], widths: list[int], available: int) -> list[int]:
    """Take cells from the widest flexible column until all fit, or none can give more."""
    widths = list(widths)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - available
    while excess > 0:
        able = [i for i, c in enumerate(columns) if c.flexible and widths[i] > _NARROWEST]
        if not able:
            break
        widest = max(able, key=lambda i: widths[i])
        widths[widest] -= 1
        excess -= 1
    return widths


def _print_row(
    columns: Sequence[Column], widths: Sequence[int], texts: Sequence[str], styles: Sequence[str | None], indent: str
) -> None:
    cells: list[str] = []
    for i, (column, width, text, style) in enumerate(zip(columns, widths, texts, styles, strict=True)):
        last = i == len(columns) - 1 and not column.right
        cells.append(
            paint(
                fit(text, width, right=column.right).rstrip() if last else fit(text, width, right=column.right), style
            )
        )
    say((indent + _GAP.join(cells)).rstrip())


def print_facts(facts: Iterable[tuple[str, Cell]]) -> None:
    """One `label  value` a line, labels aligned."""
    shown = [
        (label, value if isinstance(value, str) else value[0], None if isinstance(value, str) else value[1])
        for label, value in facts
    ]
    width = max((len(label) for label, _, _ in shown), default=0)
    for label, value, style in shown:
        say(f"{paint(label.ljust(width), 'muted')}  {paint(clean(value), style)}".rstrip())
