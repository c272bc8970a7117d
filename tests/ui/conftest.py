"""A console over a real store: no screen test waits by the clock, only for what it awaits."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from console.domain.clock import SystemClock
from console.store import Store
from console.ui.app import ConsoleApp
from console.ui.session import Session

SIZES = [(80, 24), (120, 40)]

MOST_TURNS = 3000


class MovableClock(SystemClock):
    """The machine's clock, which a test may set forward."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self._ahead_ms

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self._ahead_ms / 1000

    def advance(self, seconds: float) -> None:
        self._ahead_ms += int(seconds * 1000)


async def until(pilot: Pilot[Any], condition: Callable[[], object], what: str = "") -> None:
    """Let the app go on until the condition holds."""
    for _ in range(MOST_TURNS):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"never: {what or condition}\n{screen_text(pilot.app)}")


def screen_text(app: Any) -> str:
    """What is on the screen, without colours."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def widget_text(widget: Widget) -> str:
    """What one widget shows."""
    return "\n".join(strip.text.rstrip() for strip in widget.render_lines(widget.size.region))


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def make_console(
    store: Store, store_path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., ConsoleApp]]:
    """Consoles on the store of the test; none sees the user's own themes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    sessions: list[Session] = []

    def make(*, read_only: bool = False, **given: Any) -> ConsoleApp:
        session = Session(store_path, read_only=read_only, clock=clock, actor="ada@test")
        sessions.append(session)
        return ConsoleApp(session, **{"theme": None, "notice": None, "started_engine": False, **given})

    yield make
    for session in sessions:
        session.close()
