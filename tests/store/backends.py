"""The backends that must pass the conformance suite."""

from pathlib import Path
from typing import Protocol

from console.store import Store, open_store
from tests.store import recount


class Backend(Protocol):
    """One store, that several may open."""

    def open(self, *, read_only: bool = False) -> Store:
        """Another connection to the same store."""
        ...

    def assert_counted_right(self, store: Store) -> None:
        """Counters equal a recount of the rows."""
        ...

    def contents(self) -> object:
        """Everything in the store, to be compared."""
        ...

    def close(self) -> None:
        """Close what was opened."""
        ...


class SqliteBackend:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: list[Store] = []

    def open(self, *, read_only: bool = False) -> Store:
        store = open_store(self._path, read_only=read_only)
        self._opened.append(store)
        return store

    def assert_counted_right(self, store: Store) -> None:
        recount.assert_gauges_agree(store)
        recount.assert_rates_agree(store)
        recount.assert_lines_stand(store)
        recount.assert_groups_agree(store)

    def contents(self) -> object:
        tables = [name for (name,) in recount.read(self._path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: recount.read(self._path, f'SELECT * FROM "{table}"') for table in tables}

    def close(self) -> None:
        for store in self._opened:
            store.close()


BACKENDS = {"sqlite": SqliteBackend}
