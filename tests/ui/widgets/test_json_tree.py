"""The payload as a tree: as it was written, folded, lazily laid out, and never raw."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from console.ui.widgets import json_value
from console.ui.widgets.json_tree import AT_ONCE, MOST_BYTES, JsonTree
from tests.ui.widgets.stage import HOSTILE, SIZES, Stage, assert_nothing_raw, painted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@asynccontextmanager
async def shown(
    payload: bytes | str, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[JsonTree, Stage, Pilot[None]]]:
    tree = JsonTree(payload)
    app = Stage(tree)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield tree, app, pilot


@given(JSON)
def test_a_value_is_written_back_as_it_was(value: object) -> None:
    text = json.dumps(value)
    parsed = json_value.parse(text)
    if not isinstance(value, str):
        assert json.loads(json_value.written(parsed)) == value
    assert len(json_value.preview(parsed)) < 100_000


def test_digits_order_and_doubled_keys_stay() -> None:
    text = '{"b":1.10,"a":12345678901234567890123,"b":[1e400]}'
    assert json_value.written(json_value.parse(text)) == text


@pytest.mark.parametrize("size", SIZES)
async def test_types_are_told_apart(size: tuple[int, int]) -> None:
    payload = '{"id":"evt_1","n":1.50,"ok":true,"none":null,"empty":[],"list":[1,2]}'
    async with shown(payload, size) as (tree, app, _):
        lines = [line.rstrip() for line in painted(app)]
        assert lines[0].endswith('id: "evt_1"')
        assert lines[1].endswith("n: 1.50")
        assert lines[2].endswith("ok: true")
        assert lines[3].endswith("none: null")
        assert lines[4].endswith("empty: []")
        assert "list: 2 items" in lines[5]
        assert lines[6].endswith("0: 1")
        assert tree.is_json


async def test_folding_and_paths() -> None:
    payload = {"data": {"items": [{"sku": "a b"}, {"s-ku": 2}]}, "z": 1}
    async with shown(json.dumps(payload)) as (tree, app, pilot):
        await pilot.press("h")
        assert "data: {items: […]}  1 key" in painted(app)[0]
        assert "z: 1" in painted(app)[1]
        await pilot.press("enter", "j", "l", "j", "l", "j")
        assert tree.current_path == "data.items[0].sku"
        assert tree.current_text == "a b"
        await pilot.press("h")
        assert tree.current_path == "data.items[0]"
        assert tree.current_text == '{"sku":"a b"}'
        await pilot.press("j", "j", "l", "j")
        assert tree.current_path == 'data.items[1]["s-ku"]'
        await pilot.press("g", "space", "right", "left")
        assert tree.line_count == 2


async def test_a_large_array_is_laid_out_in_parts() -> None:
    async with shown(json.dumps(list(range(20_000)))) as (tree, app, pilot):
        assert tree.line_count == AT_ONCE + 1
        await pilot.press("G")
        assert "… 19,500 more" in painted(app)[-1]
        await pilot.press("enter")
        assert tree.line_count == 2 * AT_ONCE + 1
        assert f"{AT_ONCE}: {AT_ONCE}" in painted(app)[-1]


async def test_a_long_string_unfolds_into_its_lines() -> None:
    async with shown(json.dumps({"trace": "first\nsecond\n" + "x" * 200})) as (tree, app, pilot):
        await pilot.press("l")
        lines = [line.strip() for line in painted(app)]
        assert lines[1:3] == ["first", "second"]
        assert tree.line_count > 5
        await pilot.press("h")
        assert tree.line_count == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "payload",
    [
        json.dumps({HOSTILE: HOSTILE, "list": [HOSTILE * 20, {HOSTILE: 1}]}),
        json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False),
        json.dumps(HOSTILE, ensure_ascii=False),
        json.dumps({"lone": "\ud800"}),
        HOSTILE,
        HOSTILE.encode() + b"\xff\xfe\x9b",
    ],
)
async def test_nothing_hostile_is_painted_raw(payload: bytes | str, size: tuple[int, int]) -> None:
    async with shown(payload, size) as (tree, app, pilot):
        assert_nothing_raw(app)
        for _ in range(tree.line_count):
            await pilot.press("l", "j")
        assert_nothing_raw(app)


@pytest.mark.parametrize(
    "payload",
    [b"", b"plain text\nof two lines", b"[" * 100_000, b"\x00\x01", b" " * (MOST_BYTES + 1), b"9" * 5_000 + b"x"],
)
async def test_what_is_no_json_is_shown_as_text(payload: bytes) -> None:
    async with shown(payload) as (tree, app, pilot):
        assert not tree.is_json
        await pilot.press("enter", "h", "l", "G", "g")
        assert tree.current_path == ""
        assert_nothing_raw(app)


async def test_text_is_wrapped_again_when_the_width_changes() -> None:
    async with shown("word " * 60) as (tree, _, pilot):
        narrow = tree.line_count
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert tree.line_count < narrow


async def test_another_payload_starts_at_its_first_line() -> None:
    async with shown(json.dumps(list(range(100)))) as (tree, app, pilot):
        await pilot.press("G")
        tree.show('{"a": 1}')
        await pilot.pause()
        assert tree.cursor == 0
        assert "a: 1" in painted(app)[0]
        assert tree.current_text == "1"
