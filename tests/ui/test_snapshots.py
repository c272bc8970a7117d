"""Every place, at three sizes and in every theme, looks as it did when a person last looked at it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.places import PLACES
from tests.ui.snapshots import FOLDER, SIZES, picture_file, take_pictures


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    before, folder = dict(os.environ), Path.cwd()
    yield
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(before)
    time.tzset()


@pytest.mark.parametrize("name", PLACES)
async def test_it_looks_as_it_did(name: str, tmp_path: Path) -> None:
    """Changed on purpose? `python -m tests.ui.snapshots`, and read the difference."""
    for size, text in (await take_pictures(name, tmp_path)).items():
        assert text == picture_file(name, size).read_text()


def test_there_is_no_picture_of_a_place_that_is_gone() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {picture_file(n, s).name for n in PLACES for s in SIZES}
