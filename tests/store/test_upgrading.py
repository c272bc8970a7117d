"""A store of the first version, opened by this one."""

from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from console.domain.ids import OperationId
from console.store import open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.schema import APPLICATION_ID, migrations
from tests.factories import NOW_MS
from tests.store import recount

_OPERATIONS = """
INSERT INTO operations (id, kind, actor, target, started_at, finished_at, done, result) VALUES
  (1, 'delivery_retry', 'ada', 'all', 5, 9, 12, '12 deliveries'),
  (2, 'delivery_retry', 'ada', 'all', 7, NULL, 2000, NULL)
"""


def make_first(path: Path) -> None:
    """A store as the first version made it, with a retry in it whose process died."""
    path.touch()
    with closing(Connection(path, read_only=False)) as connection:
        with connection.transaction():
            migrations().apply(Database(connection.raw, execute_plugins=False), stop_before="m002_full_strength")
            connection.run(f"PRAGMA application_id={APPLICATION_ID}")
            connection.run("PRAGMA user_version=1")
        connection.run("PRAGMA journal_mode=WAL")
        connection.run(_OPERATIONS)


def test_a_retry_that_nobody_can_carry_on_is_not_under_way_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    make_first(path)
    assert recount.read(path, "SELECT count(*) FROM operations WHERE finished_at IS NULL") == [(1,)]
    with closing(open_store(path)) as store:
        whole, died = store.operation(OperationId(1)), store.operation(OperationId(2))
        assert (whole.result, whole.finished_at_ms, whole.is_bulk) == ("12 deliveries", 9, False)
        assert (died.result, died.finished_at_ms, died.done, died.is_open) == ("interrupted", 7, 2000, False)
        assert store.open_operations() == []
        assert store.advance_operation(died.id, limit=10, now_ms=NOW_MS) == died
