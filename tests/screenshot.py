"""`python -m tests.screenshot`: run the demo for a while and take the README's picture of the console."""

import argparse
import asyncio
import re
import sys
from pathlib import Path

from console.demo.world import DemoWorld
from console.domain.clock import SystemClock
from console.ui.app import ConsoleApp
from console.ui.session import Session

PICTURE = Path(__file__).resolve().parent.parent / ".github" / "console.svg"
_FONT_FACE = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)


async def take(*, seconds: float, columns: int, lines: int, keys: list[str], theme: str) -> str:
    """The screen as SVG, without the fonts that it would fetch from elsewhere."""
    with DemoWorld(rate_per_s=8, seed=1, keep_store=None) as world:
        session = Session(world.store_path, read_only=False, clock=SystemClock(), actor="ada@hooks")
        try:
            app = ConsoleApp(session, theme=theme, notice=None, started_engine=False)
            async with app.run_test(size=(columns, lines)) as pilot:
                await asyncio.sleep(seconds)
                for key in keys:
                    await pilot.press(key)
                    await asyncio.sleep(1)
                svg = app.export_screenshot(title="webhook-console")
        finally:
            session.close()
    return _FONT_FACE.sub("", svg).replace("Fira Code", "ui-monospace, Menlo, Consolas")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--size", default="120x36")
    parser.add_argument("--key", action="append", default=[])
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    columns, lines = (int(n) for n in given.size.split("x"))
    svg = asyncio.run(take(seconds=given.seconds, columns=columns, lines=lines, keys=given.key, theme=given.theme))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(svg)
    sys.stdout.write(f"{given.out}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
