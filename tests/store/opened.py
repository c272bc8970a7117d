"""How opening a store is looked at: what it says when it refuses, and in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.domain.errors import StoreError


@contextmanager
def refused(path: Path, *words: str) -> Iterator[None]:
    """A StoreError of one printable line that names the file, and says these words."""
    with pytest.raises(StoreError) as error:
        yield
    text = str(error.value)
    assert text.isprintable(), "one line"
    assert str(path) in text
    for word in words:
        assert word in text


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
