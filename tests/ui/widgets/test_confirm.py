"""Questions: No is where the cursor is, and what is asked about cannot talk to the terminal."""

from typing import TypeVar

import pytest
from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from console.ui.widgets.confirm import DANGER_SIGN, ConfirmScreen, PromptScreen
from tests.ui.widgets.stage import HOSTILE, SIZES, Stage, assert_nothing_raw, painted

T = TypeVar("T")


async def asked(app: App[None], pilot: Pilot[None], screen: ModalScreen[T]) -> list[T | None]:
    answers: list[T | None] = []
    app.push_screen(screen, answers.append)
    await pilot.pause()
    return answers


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("danger", [False, True])
async def test_no_comes_first_and_has_the_focus(size: tuple[int, int], danger: bool) -> None:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        lines = [f"{n} to endpoint-{n}" for n in range(60)]
        await asked(app, pilot, ConfirmScreen("Retry 1,234 deliveries?", lines, danger=danger))
        assert [button.id for button in app.screen.query(Button)] == ["no", "yes"]
        assert app.screen.focused is app.screen.query_one("#no")
        text = "\n".join(painted(app))
        assert "Retry 1,234 deliveries?" in text
        assert "No (n)" in text
        assert "Yes (y)" in text
        assert (DANGER_SIGN in text) == danger
        await pilot.press(*["j"] * 3)
        assert "0 to endpoint-0 " not in "\n".join(painted(app))


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], False),
        (["n"], False),
        (["escape"], False),
        (["q"], False),
        (["y"], True),
        (["tab", "enter"], True),
        (["right", "enter"], True),
        (["l", "h", "enter"], False),
    ],
)
async def test_answers(keys: list[str], answer: bool) -> None:
    app = Stage()
    async with app.run_test() as pilot:
        answers = await asked(app, pilot, ConfirmScreen("Pause?", ["billing"]))
        await pilot.press(*keys)
        assert answers == [answer]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_questions_and_prompts_are_never_painted_raw(size: tuple[int, int]) -> None:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        await asked(app, pilot, ConfirmScreen(HOSTILE, [HOSTILE, HOSTILE * 30], yes=HOSTILE, no=HOSTILE, danger=True))
        assert_nothing_raw(app)
        assert "[red]m[/red]" in "\n".join(painted(app))
        await asked(app, pilot, PromptScreen(HOSTILE, [HOSTILE], placeholder=HOSTILE))
        assert_nothing_raw(app)
        field = app.screen.query_one(Input)
        field.post_message(Paste(HOSTILE))
        await pilot.pause()
        assert "]52" in field.value
        assert "\x1b" not in field.value
        assert_nothing_raw(app)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(["a", "space", "b", "space", "enter"], ["a b"]), (["a", "escape"], [None]), (["enter"], [""])],
)
async def test_prompts(keys: list[str], answer: list[str | None]) -> None:
    app = Stage()
    async with app.run_test() as pilot:
        answers = await asked(app, pilot, PromptScreen("Reason"))
        await pilot.press(*keys)
        assert answers == answer


async def test_a_required_line_is_asked_for_until_it_is_there() -> None:
    app = Stage()
    async with app.run_test() as pilot:
        answers = await asked(app, pilot, PromptScreen("Reason", value="  ", required=True))
        await pilot.press("enter")
        assert answers == []
        await pilot.press("x", "enter")
        assert answers == ["x"]
