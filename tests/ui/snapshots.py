"""Pictures of every place as text, to be compared and read in a review.

`python -m tests.ui.snapshots` writes them anew; look at what `git diff` says of them before committing.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from textual.pilot import Pilot

from console.domain.clock import ManualClock
from console.store import open_store
from console.ui.app import ConsoleApp
from console.ui.session import Session
from console.ui.themes import available_themes, builtin_themes_dir
from tests.ui.places import PLACES, furnish, go

FOLDER = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = ("dark", "light", "high-contrast", "ansi")
NOW_MS = 1_700_000_000_000
STILL = 3
"""So many looks in a row must be alike."""


def picture_file(name: str, size: tuple[int, int]) -> Path:
    return FOLDER / f"{name}-{size[0]}x{size[1]}.txt"


async def take_picture(name: str, size: tuple[int, int], folder: Path) -> str:
    """What a place shows at a size, and for each theme a digest of how it looks.

    The folder holds the store and is taken for the user's configuration and state.
    """
    _settle_environment(folder)
    clock = ManualClock(NOW_MS)
    path = folder / "store.db"
    with closing(open_store(path)) as store:
        furnish(store, clock.now_ms())
    session = Session(path, read_only=False, clock=clock, actor="ada@box")
    try:
        app = ConsoleApp(session, theme=None, notice=None, started_engine=False)
        for known in available_themes([builtin_themes_dir()])[0].values():
            app.register_theme(known)
        async with app.run_test(size=size) as pilot:
            await go(pilot, app, name)
            text = await _still(pilot, app)
            looks = []
            for theme in THEMES:
                app.theme = f"console-{theme}"
                await _still(pilot, app)
                looks.append(f"{theme}: {_look(app)}")
    finally:
        session.close()
    return "\n".join([*text, "-" * size[0], *looks]) + "\n"


def _settle_environment(folder: Path) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        os.environ[name] = str(folder)
    for name in ("NO_COLOR", "SSH_CONNECTION", "TMUX"):
        os.environ.pop(name, None)
    os.environ["TZ"] = "UTC"
    time.tzset()


async def _still(pilot: Pilot[int], app: ConsoleApp) -> list[str]:
    """The lines of the screen, once they no longer change."""
    seen: list[str] = []
    alike = 0
    while alike < STILL:
        await pilot.pause(0.02)
        lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
        alike = alike + 1 if lines == seen else 0
        seen = lines
    return seen


def _look(app: ConsoleApp) -> str:
    """A digest of every style on the screen."""
    digest = hashlib.sha256()
    for strip in app.screen._compositor.render_strips():
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
        for size in SIZES:
            with tempfile.TemporaryDirectory() as folder:
                picture_file(name, size).write_text(asyncio.run(take_picture(name, size, Path(folder))))
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
