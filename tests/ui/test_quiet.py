"""Where nothing changes nothing is painted: a bad line shows each repaint, and a dialog may stay open for long."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.domain.clock import ManualClock
from console.ui.app import ConsoleApp
from console.ui.session import Session
from tests.ui.places import NOW_MS, PLACES, go, put_store

NAMES = ("retry-many", "pause-prompt", "inspector", "inspector-others", "inspector-why", "audit-act", "help")
TICKS = 8


async def _time_goes_on(pilot: Pilot[int], app: ConsoleApp) -> None:
    """Every screen, hidden or not, does what it does now and then, and hears that there is nothing to do."""
    for _ in range(TICKS):
        for screen in app.screen_stack:
            tick = getattr(screen, "_on_tick", None) or getattr(screen, "_tick", None)
            if tick is not None:
                tick()
            screen.call_later(lambda: None)
        await pilot.pause()


@pytest.mark.parametrize("name", NAMES)
async def test_a_screen_that_does_not_change_is_not_painted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    painted: list[Any] = []

    def paint(app: ConsoleApp, screen: object, update: object) -> None:
        if update is not None:
            painted.append((screen, update))

    monkeypatch.setattr(ConsoleApp, "_display", paint)
    clock, path = ManualClock(NOW_MS), tmp_path / "store.db"
    put_store(path, PLACES[name])
    with closing(Session(path, read_only=False, clock=clock, actor="ada@test")) as session:
        app = ConsoleApp(session, theme=None, notice=None, started_engine=False)
        async with app.run_test(size=(120, 40)) as pilot:
            await go(pilot, app, name)
            for box in app.screen.query(Input):
                box.cursor_blink = False
            clock.advance(61)  # every age is another
            await _time_goes_on(pilot, app)
            painted.clear()
            await _time_goes_on(pilot, app)
            assert not painted
