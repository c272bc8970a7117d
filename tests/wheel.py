"""`python -m tests.wheel`: build the wheel, install it into an empty environment, and use it there."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USE = """
import console.ui.themes as themes
names = sorted(path.stem for path in themes.builtin_themes_dir().glob("*.toml"))
print(",".join(names))
"""


def _run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _run("uv", "build", "--quiet", "--wheel", "--out-dir", folder, cwd=ROOT)
        wheel = next(place.glob("*.whl"))
        _run("uv", "venv", "--quiet", "--python", sys.executable, "venv", cwd=place)
        # The same versions as here; the wheel itself pins only ranges.
        pins = _run("uv", "export", "--quiet", "--no-dev", "--no-emit-project", "--no-hashes", cwd=ROOT)
        (place / "pins.txt").write_text(pins)
        python = str(place / "venv" / "bin" / "python")
        _run("uv", "pip", "install", "--quiet", "--python", python, "-c", "pins.txt", str(wheel), cwd=place)
        env = {"PATH": os.environ["PATH"], "HOME": folder}
        shipped = _run(python, "-c", USE, cwd=place, env=env).strip().split(",")
        here = sorted(path.stem for path in (ROOT / "themes").glob("*.toml"))
        if shipped != here:
            raise SystemExit(f"the wheel ships themes {shipped}, the repository has {here}")
        script = str(place / "venv" / "bin" / "webhook-console")
        report = json.loads(_run(script, "demo", "--headless", "--seconds", "2", "--json", cwd=place, env=env))
        if not report["deliveries"]["delivered"]:
            raise SystemExit(f"the installed wheel delivered nothing: {report}")
    print(f"wheel: installed elsewhere, themes {', '.join(here)}, {report['attempts']} attempts")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
