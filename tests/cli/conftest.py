from collections.abc import Iterator
from pathlib import Path

import pytest

from console.store import Store, open_store
from tests.cli.support import CommandLine


@pytest.fixture
def console(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.delenv("WEBHOOK_CONSOLE_DEBUG", raising=False)

    def captured() -> tuple[str, str]:
        read = capsys.readouterr()
        return read.out, read.err

    return CommandLine(tmp_path / "store" / "store.db", captured)


@pytest.fixture
def store(console: CommandLine) -> Iterator[Store]:
    store = open_store(console.store_path)
    yield store
    store.close()
