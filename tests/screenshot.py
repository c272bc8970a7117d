"""`python -m tests.screenshot`: run the demo for a while and take the README's pictures of the console.

With `--gallery` one picture in each theme that comes with the product."""

import argparse
import asyncio
import re
import sys
from pathlib import Path

from console.demo.world import DemoWorld
from console.domain.clock import SystemClock
from console.ui.app import ConsoleApp
from console.ui.session import Session
from console.ui.themes import available_themes, builtin_themes_dir, theme_files, theme_name

PICTURE = Path(__file__).resolve().parent.parent / ".github" / "console.svg"
GALLERY = PICTURE.parent / "themes"
_FONT_FACE = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)


async def take(*, seconds: float, columns: int, lines: int, keys: list[str], themes: list[str]) -> dict[str, str]:
    """The same screen as SVG in each theme, without the fonts that it would fetch from elsewhere."""
    with DemoWorld(rate_per_s=8, seed=1, keep_store=None) as world:
        session = Session(world.store_path, read_only=False, clock=SystemClock(), actor="ada@hooks")
        try:
            app = ConsoleApp(session, theme=themes[0], notice=None, started_engine=False)
            for theme in available_themes([builtin_themes_dir()])[0].values():
                app.register_theme(theme)
            async with app.run_test(size=(columns, lines)) as pilot:
                await asyncio.sleep(seconds)
                for key in keys:
                    await pilot.press(key)
                    await asyncio.sleep(1)
                taken = {}
                for name in themes:
                    app.theme = theme_name(name)
                    await pilot.pause(0.3)
                    taken[name] = _own_fonts(app.export_screenshot(title="webhook-console"))
        finally:
            session.close()
    return taken


def _own_fonts(svg: str) -> str:
    return _FONT_FACE.sub("", svg).replace("Fira Code", "ui-monospace, Menlo, Consolas")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--size", default="120x36")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.add_argument("--gallery", action="store_true", help="one in each theme, into .github/themes")
    given = parser.parse_args()
    columns, lines = (int(n) for n in given.size.split("x"))
    themes = sorted(theme_files([builtin_themes_dir()])) if given.gallery else [given.theme]
    taken = asyncio.run(take(seconds=given.seconds, columns=columns, lines=lines, keys=given.key, themes=themes))
    for name, svg in taken.items():
        file = GALLERY / f"{name}.svg" if given.gallery else given.out
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(svg)
        sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
