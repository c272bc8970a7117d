"""What a column of a LineTable is, and which columns fit a width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from console.ui.format import fit

GAP = 1
"""Blank cells between two columns."""

Sort = tuple[str, bool]
"""Key of the column sorted by, and whether descending."""

RESERVED_LETTERS = frozenset("GOU")
"""Upper-case letters that are keys of every table, so no column may sort by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `width` cells, or at least that many when `flex` lets it share what is left over."""

    key: str
    title: str
    width: int
    flex: int = 0
    """Share of the width that is left over; 0 keeps the column at `width`."""
    align: Literal["left", "right"] = "left"
    sortable: bool = False
    sort_letter: str | None = None
    """Upper-case letter that sorts by this column at once; again to reverse."""
    descending_first: bool = False
    """The first sort shows the largest first, as numbers and ages are read."""
    chart: bool = False
    """Its glyphs speak by how dense they are, so a cursor that swaps text and ground is not drawn over them."""
    priority: int = 0
    """0 is always shown; of the others the highest number goes first when the table is narrow."""

    def __post_init__(self) -> None:
        if self.sort_letter is not None and (self.sort_letter in RESERVED_LETTERS or not self.sort_letter.isupper()):
            raise ValueError(f"column {self.key!r} cannot sort by the key {self.sort_letter!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A column at its place: `x` cells from the left, `width` cells wide."""

    column: Column
    x: int
    width: int


def place(columns: Sequence[Column], width: int, left: int = 0) -> tuple[Placed, ...]:
    """The columns that fit into `width` cells, from `left` on, in their order, the left-over shared among the flexible.

    Columns of priority 0 stay even when they do not fit; the last of them are then cut to what there is.
    """
    shown = list(columns)
    while _needed(shown) > width - left and any(column.priority for column in shown):
        # Of the same priority, the one furthest to the right goes first.
        shown.remove(max(reversed(shown), key=lambda column: column.priority))
    spare = max(0, width - left - _needed(shown))
    flex_left = sum(column.flex for column in shown)
    placed: list[Placed] = []
    x = left
    for column in shown:
        share = spare * column.flex // flex_left if column.flex else 0
        spare, flex_left = spare - share, flex_left - column.flex
        fitting = min(column.width + share, width - x)
        if fitting <= 0:
            break
        placed.append(Placed(column=column, x=x, width=fitting))
        x += fitting + GAP
    return tuple(placed)


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * max(0, len(columns) - 1)


def heading(placed: Placed, sort: Sort | None) -> str:
    """The title of a column as wide as the column, with an arrow when it is sorted by."""
    column, right = placed.column, placed.column.align == "right"
    if sort is None or sort[0] != column.key:
        return fit(column.title, placed.width, right=right)
    arrow = "▼" if sort[1] else "▲"
    return fit(f"{fit(column.title, min(len(column.title), placed.width - 1))}{arrow}", placed.width, right=right)


def next_sort(columns: Sequence[Column], sort: Sort | None) -> Sort | None:
    """The next of: each sortable column, first one way then the other; then the order of the source."""
    orders: list[Sort | None] = [None]
    for column in columns:
        if column.sortable:
            orders += [(column.key, column.descending_first), (column.key, not column.descending_first)]
    at = orders.index(sort) if sort in orders else 0
    return orders[(at + 1) % len(orders)]
