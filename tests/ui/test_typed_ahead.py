"""Which work holds keys back, and which errors come too late to be any. Bursts over a terminal: tests/e2e."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.screen import Screen
from textual.widgets import Static

import console.ui
from console.ui.app import ConsoleApp
from console.ui.typed_ahead import ASKING
from tests.ui.conftest import until

READING = {
    "arrival",
    "burst",
    "canary",
    "charts",
    "default",
    "events",
    "example",
    "exchange",
    "failures",
    "flaw",
    "follow",
    "forecast",
    "groups",
    "heat",
    "inbox",
    "inspection",
    "judging",
    "load",
    "names",
    "newer",
    "older",
    "outcomes",
    "past",
    "presence",
    "preview",
    "read",
    "settings",
    "signature",
    "state",
    "step",
    "stop",
    "tail",
    "texts",
    "themes",
    "trying",
    "types",
}
"""Groups of work, or of reads, that ask nothing and open nothing."""

Make = Callable[..., ConsoleApp]


def test_of_every_group_of_work_it_is_known_whether_it_asks() -> None:
    sources = [path.read_text("utf-8") for path in Path(console.ui.__file__).parent.rglob("*.py")]
    used = {name for source in sources for name in re.findall(r'group="([a-z]+)"', source)}
    assert used - READING == ASKING


class LeftScreen(Screen[None]):
    """Looks for what is not there, once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.ended = asyncio.Event()

    async def work_on(self) -> None:
        while not self.go_on.is_set():
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                continue  # as when it comes while the last of the work is being done
        self.ended.set()
        self.query_one("#gone", Static)


@pytest.mark.parametrize("left", [True, False])
async def test_work_that_ends_after_its_screen_was_left_is_no_error(make_console: Make, left: bool) -> None:
    app, screen = make_console(), LeftScreen()

    async def show() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await app.push_screen(screen)
            screen.run_worker(screen.work_on(), group="load")
            await pilot.pause()
            if left:
                app.pop_screen()
                await until(pilot, lambda: not screen.is_attached)
            screen.go_on.set()
            await until(pilot, screen.ended.is_set)
            await pilot.pause()

    if left:
        await show()
        assert app.return_code in (None, 0)
    else:
        with pytest.raises(Exception, match="#gone"):
            await show()
