"""A copied store is opened where it lies: no engine, the same screens, as of its end, and nothing written beside it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from console.store import Store, open_store
from tests.e2e.stage import program
from tests.store.test_upgrading import make_first
from tests.terminal import ScreenTimeoutError, Terminal, plain_environment
from tests.ui.past_world import MINUTE_MS, make_incident

START_MS = 1_764_000_000_000 // MINUTE_MS * MINUTE_MS
SIZE = (100, 30)

IN_READ_ONLY_MOUNT = (
    'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && ! touch "$0/x" 2>/dev/null && exec "$@"'
)


@pytest.fixture
def incident(tmp_path: Path) -> Path:
    """A store with a long log: nothing of it has been written into the file but its schema."""
    path = tmp_path / "origin" / "store.db"
    store = open_store(path)
    make_incident(store, START_MS)
    copy_files(path, tmp_path / "kept")
    store.close()
    return tmp_path / "kept" / "store.db"


def copy_files(path: Path, folder: Path, suffixes: Sequence[str] = ("", "-wal", "-shm")) -> Path:
    folder.mkdir()
    for suffix in suffixes:
        if (source := path.with_name(path.name + suffix)).exists():
            shutil.copy(source, folder)
    return folder / path.name


def backed_up(path: Path, folder: Path) -> Path:
    folder.mkdir()
    store: Store = open_store(path)
    store.back_up(folder / "backup.db", replace=False, progress=lambda _done, _all: None)
    store.close()
    return folder / "backup.db"


def listing(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def console(tmp_path: Path, copy: Path, *flags: str, before: Sequence[str] = ()) -> Terminal:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    environment = plain_environment(home, TZ="UTC")
    command = [*before, *program(), str(copy), *flags]
    return Terminal(command, columns=SIZE[0], rows=SIZE[1], environment=environment)


def quit_at_once(terminal: Terminal) -> None:
    """Pressed again when it was not heard: on a busy machine that is seen once in some dozens of times."""
    for _ in range(3):
        terminal.press("q")
        with suppress(ScreenTimeoutError):
            assert terminal.wait_for_end(timeout_s=8) == 0
            return
    assert terminal.wait_for_end(timeout_s=0) == 0


KINDS: dict[str, Callable[[Path, Path], Path]] = {
    "with its log": lambda path, folder: copy_files(path, folder, ("", "-wal")),
    "with its index": lambda path, folder: copy_files(path, folder),
    "a backup": backed_up,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_shown_as_of_its_end_and_stays_as_it_is(tmp_path: Path, incident: Path, kind: str) -> None:
    copy = KINDS[kind](incident, tmp_path / "copy")
    before = listing(copy.parent)
    with console(tmp_path, copy, "--read-only") as terminal:
        terminal.wait_for(rf"✚ copy of {copy.name} as of 2025-11-24 \d\d:\d\d:\d\d")
        terminal.wait_for(r"crm +● active")
        terminal.wait_for(r"Attempts · until")
        assert "no engine" in terminal.text() or "⊘ read-only" in terminal.text()
        assert "data live" not in terminal.text()
        terminal.press("F")
        terminal.wait_for(r"Home › Failures")
        terminal.press("esc")
        terminal.wait_for(r"Attempts · until")
        terminal.press("<")
        terminal.wait_for(r"◷ PAST .*before the end")
        terminal.press("L")
        terminal.wait_for(r"✚ copy of .* as of")
        quit_at_once(terminal)
    assert listing(copy.parent) == before


def test_on_a_medium_that_cannot_be_written(tmp_path: Path, incident: Path) -> None:
    copy = copy_files(incident, tmp_path / "copy", ("", "-wal"))
    folder = str(copy.parent)
    sandbox = ["unshare", "-m", "sh", "-c", IN_READ_ONLY_MOUNT, folder]
    if os.geteuid() != 0 or subprocess.run([*sandbox, "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting read-only needs root")
    with console(tmp_path, copy, before=sandbox) as terminal:
        terminal.wait_for(r"✚ copy of store.db as of")
        terminal.wait_for(r"crm +● active")
        quit_at_once(terminal)


def test_a_store_of_an_older_schema_is_migrated_apart_and_says_so(tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "old.db"
    copy.parent.mkdir()
    make_first(copy)
    before = listing(copy.parent)
    with console(tmp_path, copy) as terminal:
        terminal.wait_for(r"older schema \(1\)")
        terminal.wait_for(r"✚ copy of old.db as of")
        quit_at_once(terminal)
    assert listing(copy.parent) == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda copy: os.truncate(copy, copy.stat().st_size // 2), "the copy is torn"),
        (lambda copy: copy.write_bytes(b"no store at all" * 100), "is no store"),
        (lambda copy: copy.unlink(), "there is no command and no file"),
    ],
)
def test_what_is_no_whole_copy_is_one_line(
    tmp_path: Path, incident: Path, damage: Callable[[Path], object], said: str
) -> None:
    copy = backed_up(incident, tmp_path / "copy")
    damage(copy)
    with console(tmp_path, copy) as terminal:
        assert terminal.wait_for_end() in (1, 2)
        assert said in " ".join(terminal.text().split())
        assert "Traceback" not in terminal.text()


def test_a_view_of_the_past_is_opened_by_its_command_line(tmp_path: Path, incident: Path) -> None:
    copy = copy_files(incident, tmp_path / "copy")
    at = "2025-11-24T16:41:30Z"
    with console(tmp_path, copy, "--at", at, "--window", "15m", "--endpoint", "crm") as terminal:
        terminal.wait_for(r"◷ PAST .*16:41:30 .*before the end")
        terminal.wait_for(r"Home › crm")
        terminal.wait_for(r"\[15m\]")
        terminal.press("@")
        terminal.wait_for(r"The command that opens this view.*--at 2025-11-24T16:41:30Z")
        terminal.press("ctrl-q")
        assert terminal.wait_for_end() == 0
