"""Pictures of every place as text, to be compared and read in a review.

`python -m tests.ui.snapshots` writes them anew; look at what `git diff` says of them before committing.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input, TextArea

from console.domain.clock import ManualClock
from console.ui.app import ConsoleApp
from console.ui.screens.endpoint_form import EndpointForm
from console.ui.screens.live_screen import LiveScreen
from console.ui.session import Session
from console.ui.themes import available_themes, builtin_themes_dir
from tests.ui.places import NOW_MS, PLACES, go, put_store

FOLDER = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = ("dark", "light", "high-contrast", "ansi")
STILL = 3
"""So many looks in a row must be alike."""
READING = ("heat",)
"""Workers that read what is shown a moment later."""


def picture_file(name: str, size: tuple[int, int]) -> Path:
    return FOLDER / f"{name}-{size[0]}x{size[1]}.txt"


async def take_pictures(name: str, folder: Path) -> dict[tuple[int, int], str]:
    """What a place shows at each size, and for each theme a digest of how it looks at the largest.

    The folder holds the store, is taken for the user's configuration and state, and becomes the working directory.
    """
    _settle_environment(folder)
    clock, place, path = ManualClock(NOW_MS), PLACES[name], Path("store.db")
    put_store(path, place)
    session = Session(path, read_only=place.read_only, clock=clock, actor="ada@test")
    taken: dict[tuple[int, int], list[str]] = {}
    try:
        app = ConsoleApp(session, theme="dark", notice=None, started_engine=False)
        for known in available_themes([builtin_themes_dir()])[0].values():
            app.register_theme(known)
        async with app.run_test(size=SIZES[0]) as pilot:
            await go(pilot, app, name)
            for size in SIZES:
                if app.size != size:
                    await pilot.resize_terminal(*size)
                await _told(pilot, app)
                seen = await _still(pilot, app)
                taken[size] = [*_lines(seen), "-" * size[0], f"{THEMES[0]}: {_digest(seen)}"]
            for theme in THEMES[1:]:  # where there is room for everything
                await _put_on(pilot, app, theme)
                taken[SIZES[-1]].append(f"{theme}: {_digest(await _still(pilot, app))}")
    finally:
        session.close()
    return {size: "\n".join(lines) + "\n" for size, lines in taken.items()}


def _settle_environment(folder: Path) -> None:
    os.chdir(folder)  # so that no message names it
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        os.environ[name] = str(folder)
    for name in ("NO_COLOR", "SSH_CONNECTION", "TMUX"):
        os.environ.pop(name, None)
    os.environ["TZ"] = "UTC"
    time.tzset()


async def _put_on(pilot: Pilot[int], app: ConsoleApp, theme: str) -> None:
    """The theme, once the screen is laid out in it."""
    app.theme = f"console-{theme}"
    await pilot.pause()


async def _told(pilot: Pilot[int], app: ConsoleApp) -> None:
    """What ticks has ticked, and what it reads for that is read."""
    _calm(app)
    for screen in app.screen_stack:
        if isinstance(screen, LiveScreen) and not isinstance(screen, EndpointForm):
            screen.tick()
            await pilot.pause()
            reading = [worker for worker in app.workers if worker.group in READING and not worker.is_finished]
            if reading:  # none would mean all, and some never end
                await app.workers.wait_for_complete(reading)
            screen.tick()  # with what was read


async def _still(pilot: Pilot[int], app: ConsoleApp) -> list[Strip]:
    """The lines of the screen, once they no longer change."""
    seen: list[Strip] = []
    alike = 0
    while alike < STILL:
        await pilot.pause(0.02)
        strips = app.screen._compositor.render_strips()
        alike = alike + 1 if strips == seen else 0
        seen = strips
    return seen


def _calm(app: ConsoleApp) -> None:
    """Nothing blinks or goes away by itself."""
    app.clear_notifications()
    for box in app.screen.query(Input):
        box.cursor_blink = False
    for area in app.screen.query(TextArea):
        area.cursor_blink = False


def _lines(strips: list[Strip]) -> list[str]:
    return [strip.text.rstrip() for strip in strips]


def _digest(strips: list[Strip]) -> str:
    """What tells apart every style on the screen."""
    digest = hashlib.sha256()
    for strip in strips:
        for segment in strip.simplify():
            digest.update(f"{segment.text}\0{segment.style}\0".encode())
    return digest.hexdigest()[:16]


def main() -> int:
    wanted = sys.argv[1:] or list(PLACES)
    FOLDER.mkdir(exist_ok=True)
    if wanted == list(PLACES):
        for file in FOLDER.glob("*.txt"):
            file.unlink()
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            for size, text in asyncio.run(take_pictures(name, Path(folder))).items():
                picture_file(name, size).write_text(text)
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
