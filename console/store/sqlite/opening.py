"""Open a store: make it, migrate it, or say in one line why not."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.errors import StoreError
from console.store.sqlite.connection import Connection
from console.store.sqlite.library import MAY_WRITE, sqlite3
from console.store.sqlite.schema import APPLICATION_ID, VERSION, migrations

if TYPE_CHECKING:
    from console.store.sqlite.store import SqliteStore


def open_sqlite_store(path: Path, *, read_only: bool, create: bool, any_thread: bool = False) -> "SqliteStore":
    """See `console.store.open_store`."""
    connection = _connect(path.absolute(), read_only=read_only, create=create, any_thread=any_thread)
    if read_only:
        from console.store.sqlite.quick import QuickStore

        return QuickStore(connection)
    from console.store.sqlite.store import SqliteStore

    return SqliteStore(connection)


def make_ready(path: Path, *, read_only: bool, create: bool) -> None:
    """See `console.store.check_store`."""
    _connect(path.absolute(), read_only=read_only, create=create, any_thread=False).close()


def _connect(path: Path, *, read_only: bool, create: bool, any_thread: bool) -> Connection:
    if not read_only and not MAY_WRITE:
        raise StoreError(
            f"{path}: SQLite {sqlite3.sqlite_version} can lose committed writes and is only used for reading: "
            "install a Python with SQLite 3.51.3 or newer (uv python install 3.13, then uv run --python 3.13 …)"
        )
    if not exists(path):
        if read_only or not create:
            raise StoreError(
                f"{path}: there is no store: start one with `webhook-console serve` or `send`, or see --store"
            )
        _make_file(path)
    _check_is_store(path, read_only=read_only)
    connection = Connection(path, read_only=read_only, any_thread=any_thread)
    try:
        if not read_only:
            bring_up_to_date(connection)
        connection.prepare()
        return connection
    except BaseException:
        connection.close()
        raise


def exists(path: Path) -> bool:
    """Whether there is a file. Raises StoreError when that is a folder, or cannot be known."""
    try:
        return path.stat() is not None and not _is_folder(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened ({error.strerror}): check the folder, or see --store") from None


def _is_folder(path: Path) -> bool:
    if path.is_dir():
        raise StoreError(f"{path}: is a folder: name a file in it with --store")
    return False


def _make_file(path: Path) -> None:
    made: list[Path] = []
    try:
        made = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its side files the mode of the store.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not path.parent.is_dir():
            raise StoreError(f"{path.parent}: is no folder: choose another place with --store") from None
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be made ({error.strerror}): make the folder writable, or choose another with --store"
        ) from None
    for folder in made:
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Make the names in a folder last. SQLite does it for the store's own, and knows nothing of those above it: with
    one that was new and lost with the power, all that was accepted would be lost."""
    with suppress(OSError):  # some file systems cannot
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _check_is_store(path: Path, *, read_only: bool) -> None:
    """Refuse what is not ours before anything could change it: over a connection that cannot write.

    But for a file whose writer died in the middle of a commit: only a connection that may write can take that back,
    and until it is taken back the file cannot be read at all.
    """
    torn = path.with_name(path.name + "-journal").exists()
    connection = Connection(path, read_only=read_only or not torn)
    try:
        version = check_application(connection, path, may_be_empty=True)
    finally:
        connection.close()
    if read_only and version < VERSION:
        raise StoreError(
            f"{path}: is of an older schema ({version}, this program needs {VERSION}): "
            "start its engine once (webhook-console serve) to migrate it"
        )


def check_application(connection: Connection, path: Path, *, may_be_empty: bool = False) -> int:
    """The schema of a store. Raises StoreError when it is none, or a newer program's."""
    # In this order: another process may be making the store between any two of these.
    empty = not connection.value("SELECT count(*) FROM sqlite_schema")
    version = connection.value("PRAGMA user_version")
    application = connection.value("PRAGMA application_id")
    if application != APPLICATION_ID and not (may_be_empty and empty and application == 0 and version == 0):
        raise StoreError(f"{path}: is a SQLite file, but no webhook-console store: choose another with --store")
    if version > VERSION:
        raise StoreError(
            f"{path}: written by a newer webhook-console (schema {version}, this one knows {VERSION}): "
            "upgrade this program"
        )
    assert isinstance(version, int)
    return version


def bring_up_to_date(connection: Connection) -> None:
    """Migrate it to the newest schema, and let it keep a write-ahead log."""
    if connection.value("PRAGMA user_version") < VERSION:
        # Must precede the first table; it has no effect later.
        connection.run("PRAGMA auto_vacuum=INCREMENTAL")
        with connection.transaction():
            # Looked at again under the lock: another process may have been first.
            if connection.value("PRAGMA user_version") < VERSION:
                _migrate(connection)
    if connection.value("PRAGMA journal_mode") != "wal":
        connection.run("PRAGMA journal_mode=WAL")


def _migrate(connection: Connection) -> None:
    from sqlite_utils import Database

    database = Database(connection.raw, execute_plugins=False)
    migrations().apply(database)
    connection.run(f"PRAGMA application_id={APPLICATION_ID}")
    connection.run(f"PRAGMA user_version={VERSION}")
