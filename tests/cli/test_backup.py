"""`backup`: what it says and makes."""

from pathlib import Path

from console.store import Store
from tests.cli.support import CommandLine, make_events


def test_a_copy_that_can_be_looked_into(console: CommandLine, store: Store, tmp_path: Path) -> None:
    (event_id,) = make_events(store, 1)
    copy = tmp_path / "copy.db"
    result = console("backup", str(copy))
    assert result.code == 0
    assert result.out.startswith(f"{copy}  ")
    assert console("events", "list", "--store", str(copy), "--json").record["id"] == event_id


def test_as_json(console: CommandLine, store: Store, tmp_path: Path) -> None:
    record = console("backup", str(tmp_path / "copy.db"), "--json").record
    assert record["path"] == str(tmp_path / "copy.db")
    assert record["size_bytes"] == (tmp_path / "copy.db").stat().st_size


def test_a_file_that_is_there_is_refused_in_one_line(console: CommandLine, store: Store, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    result = console("backup", str(tmp_path / "copy.db"))
    assert (result.code, result.out) == (1, "")
    assert "--force" in result.err
    assert result.err.count("\n") == 1
    assert console("backup", str(tmp_path / "copy.db"), "--force").code == 0
