"""Lines to read: wrapped without loss, clean, scrolled by the moving keys."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from console.ui.format import inline
from console.ui.widgets.reading_view import Line, ReadingView, wrap
from tests.ui.inspected import HOSTILE, assert_nothing_raw, seen_on, until

_spans = st.lists(st.tuples(st.text(max_size=40), st.sampled_from(["normal", "muted"])), max_size=4)


def said(rows: Sequence[tuple[tuple[str, str], ...]]) -> str:
    return "".join(text for row in rows for text, _ in row)


@given(spans=_spans, hang=st.integers(0, 30), width=st.integers(2, 50), prose=st.booleans())
def test_nothing_is_lost_and_nothing_is_too_wide(
    spans: list[tuple[str, str]], hang: int, width: int, prose: bool
) -> None:
    line = Line(spans=tuple(spans), hang=hang, prose=prose)  # type: ignore[arg-type]  # drawn from the style names
    rows = list(wrap(line, width))
    assert all(sum(cell_len(text) for text, _ in row) <= width for row in rows)
    whole = inline("".join(text for text, _ in spans))
    assert said(rows).replace(" ", "") == whole.replace(" ", "")


def test_prose_breaks_between_words() -> None:
    rows = list(wrap(Line(spans=(("the fault is on its side", "normal"),), prose=True), 12))
    assert ["".join(text for text, _ in row) for row in rows] == ["the fault is", "on its side"]


def test_continued_lines_hang() -> None:
    rows = list(wrap(Line(spans=(("name: ", "muted"), ("x" * 20, "normal")), hang=6), 16))
    assert ["".join(text for text, _ in row) for row in rows] == ["name: " + "x" * 10, "      " + "x" * 10]


class Reader(App[None]):
    def compose(self) -> ComposeResult:
        yield ReadingView()

    def on_mount(self) -> None:
        view = self.query_one(ReadingView)
        view.show([Line(spans=((f"line {i} {HOSTILE}", "normal"),)) for i in range(100)])
        view.focus()


@pytest.mark.parametrize(
    ("keys", "first"),
    [("j", 1), ("jjk", 1), ("G", 90), ("Gg", 0), (["ctrl+d"], 5), (["ctrl+d", "ctrl+u"], 0), (["pagedown"], 10)],
)
async def test_moving_keys_scroll(keys: "str | list[str]", first: int) -> None:
    app = Reader()
    async with app.run_test(size=(70, 10)) as pilot:
        await pilot.press(*keys)
        await until(pilot, lambda: seen_on(app).startswith(f"line {first} "))
        assert_nothing_raw(app)


async def test_another_width_wraps_anew() -> None:
    app = Reader()
    async with app.run_test(size=(70, 10)) as pilot:
        view = app.query_one(ReadingView)
        assert view.line_count == 100
        await pilot.resize_terminal(30, 10)
        await until(pilot, lambda: view.line_count == 200)
        assert_nothing_raw(app)
