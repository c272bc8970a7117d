"""Small charts: no peak is lost, zero is not a gap, and the same values cost nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.ui.widgets.spark import ASCII_BLOCKS, BLOCKS, Spark, chart_line, gauge, levels, resample
from tests.ui.widgets.stage import Stage, painted

VALUES = st.lists(st.none() | st.floats(0, 1e9), max_size=300)


@given(VALUES, st.integers(1, 80))
def test_resampling_keeps_the_peak_and_the_width(values: list[float | None], width: int) -> None:
    shown = resample(values, width)
    assert len(shown) == width
    assert max((v for v in shown if v is not None), default=None) == max(
        (v for v in values if v is not None), default=None
    )


def test_few_values_stand_at_the_right() -> None:
    assert resample([1.0, 2.0], 4) == [None, None, 1.0, 2.0]


@given(VALUES, st.integers(1, 4), st.sampled_from([None, 0.0, 10.0]))
def test_a_gap_a_zero_and_something_look_different(
    values: list[float | None], height: int, ceiling: float | None
) -> None:
    for value, level in zip(values, levels(values, height, ceiling), strict=True):
        assert (level == 0) == (value is None)
        assert level <= 8 * height
        if value and ceiling != 0:
            assert level >= 2


def test_lines_of_a_chart() -> None:
    columns = levels([None, 0, 1, 5, 10], 1)
    assert chart_line(columns, 0, 1) == " ▁▂▄█"
    assert chart_line(columns, 0, 1, ascii_only=True) == " _.=@"
    tall = levels([5, 10], 2)
    assert [chart_line(tall, y, 2) for y in (0, 1)] == [" █", "██"]


def test_a_gauge_is_full_only_when_it_is_all() -> None:
    assert gauge(1, 10) == "█" * 10
    assert gauge(0.999, 10) == "█" * 9 + "░"
    assert gauge(0.001, 10) == "█" + "░" * 9
    assert gauge(0, 4, ascii_only=True) == "----"


@pytest.mark.parametrize(("kind", "expected"), [("spark", " ▁▄█"), ("bars", "▁ ▄ █")])
async def test_a_chart_is_painted_at_the_right_of_its_width(kind: str, expected: str) -> None:
    spark = Spark([0, 4, 8], "spark" if kind == "spark" else "bars", meaning="ok")
    spark.styles.width = 21
    app = Stage(spark)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        line = painted(app)[0][:21]
        assert line.endswith(expected)
        assert not line[: -len(expected)].strip()
        spark.show([8, 8, 0])
        await pilot.pause()
        assert painted(app)[0][:21].rstrip()[-1] == "▁"
        spark.meaning = "error"
        spark.styles.height = 2
        await pilot.pause()
        assert "█" in painted(app)[1]


async def test_the_same_values_are_not_painted_again() -> None:
    spark = Spark([1, 2, 3])
    app = Stage(spark)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        painted_lines: list[int] = []
        render = spark.render_line
        spark.render_line = lambda y: painted_lines.append(y) or render(y)  # type: ignore[method-assign,func-returns-value]  # a spy
        spark.show([1, 2, 3])
        await pilot.pause()
        assert painted_lines == []
        spark.show([1, 2, 4])
        await pilot.pause()
        assert painted_lines == [0]


def test_both_sets_of_blocks_have_a_step_each() -> None:
    assert len(BLOCKS) == len(ASCII_BLOCKS) == 9
    assert ASCII_BLOCKS.isascii()
