"""Which columns a width has room for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.ui.widgets.columns import GAP, Column, place

COLUMNS = [
    Column(key="id", title="Id", width=8),
    Column(key="name", title="Name", width=10, flex=2),
    Column(key="url", title="URL", width=10, flex=1, priority=1),
    Column(key="note", title="Note", width=10, priority=2),
]


def widths(width: int, left: int = 0) -> dict[str, int]:
    return {placed.column.key: placed.width for placed in place(COLUMNS, width, left)}


def test_what_is_left_over_goes_to_the_flexible_columns() -> None:
    assert widths(41) == {"id": 8, "name": 10, "url": 10, "note": 10}
    assert widths(44) == {"id": 8, "name": 12, "url": 11, "note": 10}


def test_columns_go_by_priority_when_it_is_narrow() -> None:
    assert widths(40) == {"id": 8, "name": 16, "url": 14}
    assert set(widths(29)) == {"id", "name"}


def test_a_column_that_must_stay_is_cut() -> None:
    assert widths(12) == {"id": 8, "name": 3}
    assert widths(5) == {"id": 5}
    assert widths(0) == {}


@given(st.integers(0, 200), st.integers(0, 3))
def test_columns_never_overlap_nor_leave_the_width(width: int, left: int) -> None:
    x = left
    for placed in place(COLUMNS, width, left):
        assert placed.x == x
        assert placed.width > 0
        x += placed.width + GAP
    assert x - GAP <= max(width, left)


def test_keys_of_every_table_are_refused_as_sort_letters() -> None:
    with pytest.raises(ValueError, match="'G'"):
        Column(key="a", title="A", width=3, sort_letter="G")
