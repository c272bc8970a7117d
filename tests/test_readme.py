"""What the README says of the tests is so."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_each_test_that_it_names_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    file, named = "", 0
    for path, test in re.findall(r"`(tests/[\w/.]+)?::(test_\w+)`", text):
        file = path or file
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
        named += 1
    assert named > 30


def test_each_module_that_it_runs_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    modules = set(re.findall(r"python -m (tests(?:\.\w+)+)", text))
    assert modules
    for module in modules:
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module
