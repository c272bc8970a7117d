"""The table: only what is on the screen is asked for, the cursor and the marks belong to rows, not to places."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from textual.app import App
from textual.message import Message
from textual.pilot import Pilot

from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import CURSOR_GLYPH, LOADING, LineTable
from console.ui.widgets.marks import MARK_GLYPH, MOST_IN_A_RANGE
from console.ui.widgets.rows import ListSource, RowSource
from console.ui.widgets.vocabulary import Cell
from tests.ui.widgets.stage import HOSTILE, SIZES, Stage, assert_nothing_raw, painted

TEN_MILLION = 10_000_000


@dataclass(frozen=True, slots=True)
class Row:
    key: int
    name: str = "evt"
    ok: bool = True


COLUMNS = [
    Column(key="id", title="Id", width=10, sortable=True),
    Column(key="name", title="Name", width=12, flex=1),
    Column(key="state", title="State", width=9),
    Column(key="count", title="Count", width=8, align="right", sortable=True, descending_first=True, sort_letter="C"),
    Column(key="note", title="Note", width=30, priority=1),
]


def render_cell(row: Row, column: str) -> Cell:
    match column:
        case "id":
            return f"id-{row.key}", "muted"
        case "name" | "note":
            return row.name, "normal"
        case "state":
            return ("✓ ok", "ok") if row.ok else ("✗ failed", "error")
        case _:
            return str(row.key), "strong"


def row_key(row: Row) -> int:
    return row.key


class Huge:
    """Ten million rows that count how often they are asked for."""

    def __init__(self, count: int = TEN_MILLION) -> None:
        self.count = count
        self.asked: list[int] = []
        self.wanted: list[tuple[int, int]] = []
        self.missing: set[int] = set()

    def row(self, index: int) -> Row | None:
        self.asked.append(index)
        return None if index in self.missing else Row(index)

    def want(self, first: int, last: int) -> None:
        self.wanted.append((first, last))

    def index_of(self, key: Hashable) -> int | None:
        return None


class TableStage(Stage):
    def __init__(self, table: LineTable[Row]) -> None:
        super().__init__(table)
        self.said: list[Message] = []
        self.left: list[str] = []

    def action_leave(self) -> None:
        self.left.append("once")

    def on_line_table_highlighted(self, message: LineTable.Highlighted) -> None:
        self.said.append(message)

    def on_line_table_chosen(self, message: LineTable.Chosen) -> None:
        self.said.append(message)

    def on_line_table_marks_changed(self, message: LineTable.MarksChanged) -> None:
        self.said.append(message)

    def on_line_table_sort_changed(self, message: LineTable.SortChanged) -> None:
        self.said.append(message)

    def last(self, kind: type[Message]) -> Any:
        return [message for message in self.said if isinstance(message, kind)][-1]


@asynccontextmanager
async def shown(
    source: RowSource[Row], size: tuple[int, int] = (80, 24), *, tail: bool = False, empty: str = ""
) -> AsyncIterator[tuple[LineTable[Row], TableStage, Pilot[None]]]:
    table = LineTable(COLUMNS, source=source, row_key=row_key, render_cell=render_cell, tail=tail, empty=empty)
    app = TableStage(table)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield table, app, pilot


def listed(*keys: int) -> ListSource[Row]:
    return ListSource([Row(key) for key in keys], row_key)


def marks(table: LineTable[Row]) -> list[Hashable]:
    return list(table.marks)


def follows(table: LineTable[Row]) -> bool:
    return table.follow


def line_of(app: App[None], text: str) -> str:
    return next(line for line in painted(app) if text in line)


@pytest.mark.parametrize("size", SIZES)
async def test_ten_million_rows_cost_only_what_is_on_the_screen(size: tuple[int, int]) -> None:
    source = Huge()
    async with shown(source, size, tail=True) as (table, app, pilot):
        for target, expected in (("end", TEN_MILLION - 1), ("middle", TEN_MILLION // 2), ("home", 0)):
            source.asked.clear()
            if target == "middle":
                table.move_cursor(expected)
                await pilot.pause()
            else:
                await pilot.press(target)
            assert table.cursor == expected
            assert f"id-{expected}" in line_of(app, CURSOR_GLYPH)
            assert len(source.asked) <= 4 * size[1]
            assert all(abs(index - expected) <= size[1] for index in source.asked if index != TEN_MILLION - 1)
        assert source.wanted[-1] == (0, size[1] - 2)


async def test_a_cursor_move_draws_two_lines() -> None:
    source = Huge()
    async with shown(source) as (table, _, pilot):
        drawn: list[int] = []
        draw = table.draw_line
        table.draw_line = lambda index: drawn.append(index) or draw(index)  # type: ignore[method-assign,func-returns-value]  # a spy
        await pilot.press("j")
        assert sorted(set(drawn)) == [0, 1]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_cells_are_never_painted_raw(size: tuple[int, int]) -> None:
    source = ListSource([Row(1, HOSTILE), Row(2, HOSTILE * 1_000)], row_key)
    async with shown(source, size) as (_, app, _pilot):
        assert_nothing_raw(app)
        assert "␛]52" in line_of(app, "id-1")
    async with shown(listed(), size, empty=HOSTILE) as (_, app, _pilot):
        assert_nothing_raw(app)


async def test_state_is_told_without_colour() -> None:
    source = ListSource([Row(1), Row(2, ok=False)], row_key)
    async with shown(source) as (_, app, pilot):
        await pilot.press("j", "space")
        assert line_of(app, "id-2").startswith(CURSOR_GLYPH + MARK_GLYPH)
        assert "✗ failed" in line_of(app, "id-2")


async def test_columns_of_low_priority_appear_when_there_is_room() -> None:
    async with shown(listed(1), (60, 10)) as (_, app, _p):
        assert "Note" not in painted(app)[0]
        assert painted(app)[0].split() == ["Id", "Name", "State", "Count"]
    async with shown(listed(1), (120, 10)) as (_, app, _p):
        assert "Note" in painted(app)[0]


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        (["j", "down"], 2),
        (["G"], 99),
        (["end"], 99),
        (["G", "k", "up"], 97),
        (["G", "g"], 0),
        (["G", "home"], 0),
        (["pagedown"], 23),
        (["pagedown", "pageup"], 0),
        (["ctrl+d"], 12),
        (["ctrl+d", "ctrl+u"], 0),
        (["k"], 0),
    ],
)
async def test_moving(keys: list[str], cursor: int) -> None:
    async with shown(listed(*range(100))) as (table, app, pilot):
        await pilot.press(*keys)
        assert table.cursor == cursor
        assert line_of(app, CURSOR_GLYPH).split()[1] == f"id-{cursor}"
        assert app.last(LineTable.Highlighted).row == Row(cursor)


async def test_enter_chooses_the_row_of_the_cursor() -> None:
    async with shown(listed(5, 6)) as (_, app, pilot):
        await pilot.press("j", "enter")
        assert app.last(LineTable.Chosen).row == Row(6)


async def test_a_click_moves_the_cursor_and_on_the_header_sorts() -> None:
    async with shown(listed(5, 6, 7)) as (table, app, pilot):
        await pilot.click(LineTable, offset=(20, 3))
        assert table.current == Row(7)
        await pilot.click(LineTable, offset=(4, 0))
        assert (app.last(LineTable.SortChanged).column, app.last(LineTable.SortChanged).descending) == ("id", False)


async def test_the_cursor_stays_on_its_row_when_rows_come_before_it() -> None:
    source = listed(5, 6, 7)
    async with shown(source) as (table, app, pilot):
        await pilot.press("j")
        source.replace([Row(key) for key in (1, 2, 3, 5, 6, 7)])
        table.rows_changed()
        await pilot.pause()
        assert table.current == Row(6)
        assert "id-6" in line_of(app, CURSOR_GLYPH)
        source.replace([Row(1)])
        table.rows_changed()
        await pilot.pause()
        assert table.current == Row(1)
        assert app.last(LineTable.Highlighted).row == Row(1)


async def test_the_view_does_not_move_when_old_rows_are_dropped() -> None:
    source = listed(*range(100))
    async with shown(source, tail=True) as (table, app, pilot):
        table.move_cursor(50)
        table.move_cursor(55)
        await pilot.pause()
        top = painted(app)[1]
        assert "id-50" in top
        source.replace([Row(key) for key in range(20, 130)])
        table.rows_changed(added=30)
        await pilot.pause()
        assert table.current == Row(55)
        assert painted(app)[1] == top
        assert table.new_count == 30


async def test_a_changed_row_is_drawn_anew_and_the_same_row_is_not() -> None:
    source = ListSource([Row(1, "old"), Row(2, "same")], row_key)
    calls: list[int] = []

    def spy(row: Row, column: str) -> Cell:
        calls.append(row.key)
        return render_cell(row, column)

    table = LineTable(COLUMNS, source=source, row_key=row_key, render_cell=spy)
    app = TableStage(table)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        calls.clear()
        source.replace([Row(1, "new"), Row(2, "same")])
        table.rows_changed()
        await pilot.pause()
        assert set(calls) == {1}
        assert "new" in line_of(app, "id-1")
        table.invalidate()
        await pilot.pause()
        assert set(calls) == {1, 2}


async def test_a_tail_follows_until_one_moves_up_and_again_after_the_end() -> None:
    rows = [Row(key) for key in range(100)]
    source = ListSource(rows, row_key)
    async with shown(source, tail=True) as (table, app, pilot):
        assert follows(table)
        assert table.current == Row(99)

        async def arrive(count: int) -> None:
            rows.extend([Row(len(rows) + n) for n in range(count)])
            source.replace(rows)
            table.rows_changed()
            await pilot.pause()

        await arrive(5)
        assert "id-104" in painted(app)[-1]
        await pilot.press("k")
        assert not follows(table)
        await arrive(7)
        assert table.new_count == 7
        assert table.current == Row(103)
        assert "id-104" in painted(app)[-1]
        await pilot.press("G")
        assert follows(table)
        assert table.new_count == 0
        assert "id-111" in painted(app)[-1]
        table.scroll_relative(y=-3, animate=False)
        await pilot.pause()
        assert not follows(table)
        await pilot.press("f")
        assert follows(table)
        assert "id-111" in painted(app)[-1]
        await pilot.press("f")
        assert not follows(table)


async def test_a_table_that_is_no_tail_does_not_follow() -> None:
    async with shown(listed(*range(100))) as (table, _, pilot):
        await pilot.press("f", "G")
        assert not follows(table)


async def test_marks_belong_to_rows() -> None:
    source = listed(1, 2, 3)
    async with shown(source) as (table, app, pilot):
        await pilot.press("space", "j", "j", "space")
        assert marks(table) == [1, 3]
        source.replace([Row(key) for key in (9, 8, 3, 1)])
        table.rows_changed()
        await pilot.pause()
        assert line_of(app, "id-1 ")[1] == MARK_GLYPH
        assert line_of(app, "id-8 ")[1] == " "
        await pilot.press("space")
        assert marks(table) == [1]
        await pilot.press("U")
        assert marks(table) == []
        assert app.last(LineTable.MarksChanged).left_out == 0


async def test_a_range_is_marked_from_where_it_began() -> None:
    async with shown(listed(*range(50))) as (table, app, pilot):
        await pilot.press("j", "j", "v", "j", "j")
        assert line_of(app, "id-3 ")[1] == "│"
        assert marks(table) == []
        await pilot.press("v")
        assert marks(table) == [2, 3, 4]
        await pilot.press("v", "k", "escape", "j", "U")
        assert marks(table) == []


async def test_escape_is_the_tables_only_while_a_range_is_open() -> None:
    async with shown(listed(1, 2)) as (_, app, pilot):
        app.screen._bindings.bind("escape", "app.leave", "Leave")
        await pilot.press("v", "escape")
        assert app.left == []
        await pilot.press("escape")
        assert app.left == ["once"]


async def test_a_range_says_what_it_could_not_mark() -> None:
    source = Huge()
    source.missing = {5}
    async with shown(source) as (table, app, pilot):
        await pilot.press("v", "ctrl+d", "v")
        assert app.last(LineTable.MarksChanged).left_out == 1
        assert 5 not in table.marks
        await pilot.press("U", "g", "v", "G", "v")
        assert len(table.marks) == MOST_IN_A_RANGE - 1
        assert app.last(LineTable.MarksChanged).left_out == TEN_MILLION - MOST_IN_A_RANGE + 1


async def test_sorting_cycles_over_the_sortable_columns() -> None:
    async with shown(listed(1)) as (table, app, pilot):
        seen = []
        for _ in range(5):
            await pilot.press("O")
            seen.append(table.sort)
        assert seen == [("id", False), ("id", True), ("count", True), ("count", False), None]
        assert app.last(LineTable.SortChanged).column is None
        await pilot.press("C")
        assert table.sort == ("count", True)
        assert "Count▼" in painted(app)[0]
        await pilot.press("C")
        assert "Count▲" in painted(app)[0]


async def test_rows_that_are_not_loaded_show_as_such_until_they_are() -> None:
    source = Huge(10)
    source.missing = {0, 4}
    async with shown(source) as (table, app, pilot):
        assert LOADING in painted(app)[1]
        assert LOADING in painted(app)[5]
        assert (0, 9) in source.wanted
        await pilot.press("enter")
        assert not [message for message in app.said if isinstance(message, LineTable.Chosen)]
        source.missing.clear()
        table.rows_changed()
        await pilot.pause()
        assert "id-0" in painted(app)[1]
        assert app.last(LineTable.Highlighted).row == Row(0)


@pytest.mark.parametrize("size", [*SIZES, (5, 2), (1, 1)])
async def test_no_rows_say_what_the_owner_wants_said(size: tuple[int, int]) -> None:
    async with shown(listed(), size, empty="Nothing yet.\nSend one.") as (table, app, pilot):
        await pilot.press("j", "G", "space", "v", "enter", "O")
        assert table.current is None
        assert table.cursor == 0
        if size[0] >= 80:
            assert "Nothing yet." in "\n".join(painted(app))
        table.source = listed(1)
        await pilot.pause()
        assert "Nothing yet." not in "\n".join(painted(app))


async def test_another_source_keeps_the_cursor_on_its_row() -> None:
    async with shown(listed(*range(50))) as (table, _, pilot):
        table.move_cursor(40)
        await pilot.pause()
        table.source = listed(*range(0, 50, 2))
        await pilot.pause()
        assert table.current == Row(40)
        assert table.move_to(48)
        assert not table.move_to(49)


async def test_another_theme_is_taken_over() -> None:
    async with shown(listed(1)) as (table, app, pilot):
        before = table.draw_line(0)
        app.theme = "textual-light"
        await pilot.pause()
        assert [segment.style for segment in table.draw_line(0)] != [segment.style for segment in before]


async def test_a_smaller_screen_keeps_the_cursor_in_view() -> None:
    async with shown(listed(*range(100)), (120, 40)) as (_, app, pilot):
        await pilot.press(*["j"] * 35)
        await pilot.resize_terminal(80, 10)
        await pilot.pause()
        assert "id-35" in line_of(app, CURSOR_GLYPH)
