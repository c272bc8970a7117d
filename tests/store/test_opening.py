"""What opening a store does, and how it says no: one line that names the file and the way out, and nothing changed."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.store import open_store
from console.store.sqlite import library, opening
from console.store.sqlite.connection import Connection
from console.store.sqlite.library import sqlite3
from console.store.sqlite.schema import APPLICATION_ID, VERSION
from tests.factories import NOW_MS, add_endpoint, make_event
from tests.store import recount
from tests.store.opened import refused, run_python

GOLDEN = Path(__file__).parent / f"schema_v{VERSION}.sql"


def digest(folder: Path) -> dict[str, str]:
    """Every file below a folder and what is in it, but for an empty log and its index, which reading leaves behind."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder"
        for p in folder.rglob("*")
        if not p.name.endswith("-shm") and not (p.name.endswith("-wal") and p.stat().st_size == 0)
    }


def schema_of(path: Path) -> str:
    rows = recount.read(
        path,
        "SELECT sql FROM sqlite_schema WHERE sql <> '' AND tbl_name NOT LIKE '%sqlite_%' ORDER BY type DESC, name",
    )
    return "".join(f"{sql};\n" for (sql,) in rows)


@pytest.fixture
def foreign_path(tmp_path: Path) -> Path:
    """Somebody else's SQLite file."""
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.execute("INSERT INTO notes VALUES ('keep me')")
        connection.commit()
    return path


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users can reach: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


class TestMaking:
    def test_folder_and_files_are_for_their_owner_alone(self, store_path: Path) -> None:
        before = os.umask(0)
        try:
            with closing(open_store(store_path)) as store:
                store.accept([make_event()], NOW_MS)
                files = {p.name: stat.S_IMODE(p.stat().st_mode) for p in store_path.parent.iterdir()}
        finally:
            os.umask(before)
        assert stat.S_IMODE(store_path.parent.stat().st_mode) == 0o700
        assert files == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)

    def test_a_folder_that_is_there_keeps_its_mode(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        open_store(tmp_path / "store.db").close()
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

    def test_what_is_accepted_is_on_disk_before_the_answer(self, store_path: Path) -> None:
        with closing(Connection(_made(store_path), read_only=False)) as connection:
            connection.prepare()
            pragmas = {p: connection.value(f"PRAGMA {p}") for p in ("journal_mode", "synchronous", "foreign_keys")}
            assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
            assert connection.value("PRAGMA auto_vacuum") == 2
            assert connection.value("PRAGMA application_id") == APPLICATION_ID
            assert connection.value("PRAGMA user_version") == VERSION

    def test_a_new_store_has_the_schema_that_was_released(self, store_path: Path) -> None:
        """A released migration is never edited. Before its release: write `schema_of` of a new store to the file."""
        assert schema_of(_made(store_path)) == GOLDEN.read_text()

    def test_opening_again_changes_nothing(self, world_path: Path) -> None:
        before = digest(world_path.parent)
        open_store(world_path).close()
        assert digest(world_path.parent) == before

    @pytest.mark.parametrize("name", ["a b", "a#b?c%d", "naïve ☃.db", "-x", "a'b", "[x]"])
    def test_any_file_name_will_do(self, tmp_path: Path, name: str) -> None:
        with closing(open_store(tmp_path / name)) as store:
            store.accept([make_event()], NOW_MS)
        assert [p.name for p in tmp_path.iterdir()] == [name]

    def test_a_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with closing(open_store(Path("store.db"))) as store:
            assert store.path == tmp_path / "store.db"

    def test_three_processes_that_start_at_once_all_succeed(self, store_path: Path) -> None:
        code = """
import sys
from pathlib import Path
from console.store import open_store
from tests.factories import NOW_MS, make_event
print("ready", flush=True)
sys.stdin.readline()
store = open_store(Path(sys.argv[1]))
store.accept([make_event()], NOW_MS)
store.close()
"""
        for attempt in range(3):
            path = store_path.with_name(f"store-{attempt}.db")
            children = [
                subprocess.Popen(
                    [sys.executable, "-c", code, str(path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                for _ in range(3)
            ]
            for child in children:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
            for child in children:
                assert child.stdin is not None
                child.stdin.write("go\n")
                child.stdin.flush()
            complaints = [child.communicate(timeout=60)[1] for child in children]
            assert complaints == [""] * 3
            assert [child.returncode for child in children] == [0] * 3
            assert schema_of(path) == GOLDEN.read_text()
            assert recount.read(path, "SELECT count(*) FROM events") == [(3,)]
            assert recount.read(path, "SELECT count(*) FROM _sqlite_migrations") == [(VERSION,)]

    def test_a_store_whose_maker_was_killed_in_mid_commit_opens(self, store_path: Path) -> None:
        code = """
import os, signal, sys
from pathlib import Path
from console.store.sqlite import opening
from console.store.sqlite.connection import Connection
path = Path(sys.argv[1])
opening._make_file(path)
connection = Connection(path, read_only=False)
connection.run("PRAGMA cache_size=1")  # pages reach the file before the commit
with connection.transaction():
    opening._migrate(connection)
    os.kill(os.getpid(), signal.SIGKILL)
"""
        assert run_python(code, store_path).returncode == -signal.SIGKILL
        assert store_path.stat().st_size > 0
        assert store_path.with_name("store.db-journal").exists()
        with closing(open_store(store_path)) as store:
            assert store.endpoints() == []
        assert schema_of(store_path) == GOLDEN.read_text()


class TestRefusing:
    def test_a_store_of_a_newer_version(self, world_path: Path) -> None:
        with closing(sqlite3.connect(world_path)) as connection:
            connection.execute(f"PRAGMA user_version={VERSION + 1}")
        before = digest(world_path.parent)
        for read_only in (False, True):
            with refused(world_path, "newer webhook-console", "upgrade"):
                open_store(world_path, read_only=read_only)
        assert digest(world_path.parent) == before

    def test_a_store_of_an_older_version_is_not_migrated_when_read_only(self, world_path: Path) -> None:
        with closing(sqlite3.connect(world_path)) as connection:
            connection.execute(f"PRAGMA user_version={VERSION - 1}")
        before = digest(world_path.parent)
        with refused(world_path, "older schema", "webhook-console serve"):
            open_store(world_path, read_only=True)
        assert digest(world_path.parent) == before

    @pytest.mark.parametrize("content", [b"hello", b"x" * 100_000, b"SQLite format 3\x00" + b"\xff" * 5000])
    def test_a_file_that_is_no_database(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "notes.txt"
        path.write_bytes(content)
        for read_only in (False, True):
            with refused(path, "no store", "--store"):
                open_store(path, read_only=read_only)
        assert path.read_bytes() == content
        assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]

    @pytest.mark.parametrize("journal_mode", ["delete", "wal"])
    def test_somebody_elses_database_is_left_byte_for_byte(self, foreign_path: Path, journal_mode: str) -> None:
        with closing(sqlite3.connect(foreign_path)) as connection:
            connection.execute(f"PRAGMA journal_mode={journal_mode}")
        before = foreign_path.read_bytes()
        for read_only in (False, True):
            with refused(foreign_path, "no webhook-console store", "--store"):
                open_store(foreign_path, read_only=read_only)
        assert foreign_path.read_bytes() == before

    def test_a_folder(self, tmp_path: Path) -> None:
        with refused(tmp_path, "is a folder", "--store"):
            open_store(tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("below", ["store.db", "a/b/store.db"])
    def test_a_path_under_a_file(self, foreign_path: Path, below: str) -> None:
        path, before = foreign_path / below, foreign_path.read_bytes()
        for read_only in (False, True):
            with refused(path, "--store"):
                open_store(path, read_only=read_only)
        assert foreign_path.read_bytes() == before

    @pytest.mark.parametrize("options", [{"read_only": True}, {"create": False}])
    def test_a_store_that_is_not_there(self, store_path: Path, options: dict[str, bool]) -> None:
        with refused(store_path, "no store", "--store"):
            open_store(store_path, **options)
        assert not store_path.parent.exists()

    def test_a_place_where_nobody_may_write(self) -> None:
        path = Path("/proc/store/store.db")
        with refused(path, "cannot be made", "--store"):
            open_store(path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    @pytest.mark.parametrize("where", ["folder", "file"])
    def test_a_place_where_this_user_may_not_write(self, where: str, public: Path) -> None:
        path = _made(public / "stores" / "store.db")
        for folder in (public, path.parent):
            folder.chmod(0o755)
        path.chmod(0o644)
        if where == "folder":
            path = path.with_name("other.db")
        before = digest(public)
        code = """
import os, sys
from pathlib import Path
from console.store import open_store
import console.store.sqlite.opening, sqlite_utils
from console.domain.errors import StoreError
from tests.factories import NOW_MS, make_event
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    open_store(Path(sys.argv[1])).accept([make_event()], NOW_MS)
except StoreError as error:
    print(error)
"""
        done = run_python(code, path)
        assert done.stderr == ""
        assert done.stdout.startswith(f"{path}: cannot be ")
        assert done.stdout.count("\n") == 1
        assert digest(public) == before

    @pytest.mark.parametrize("version", [(3, 51, 2), (3, 40, 1)])
    def test_a_sqlite_that_may_lose_writes_only_reads(
        self, world_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]
    ) -> None:
        monkeypatch.setattr(opening, "MAY_WRITE", library.is_safe(version))
        with refused(world_path, "can lose committed writes", "uv python install"):
            open_store(world_path)
        with closing(open_store(world_path, read_only=True)) as store:
            assert len(store.endpoints()) == 3


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 7, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 44, 7), True),
        ((3, 45, 0), False),
        ((3, 46, 1), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 50, 8), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_which_versions_of_sqlite_are_safe(version: tuple[int, ...], safe: bool) -> None:
    assert library.is_safe(version) is safe


def _made(path: Path) -> Path:
    with closing(open_store(path)) as store:
        add_endpoint(store)
    return path
