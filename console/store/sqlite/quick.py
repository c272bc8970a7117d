"""A store for reading that is there at once: what a screen asks first, and all the rest when it is asked for."""

from typing import TYPE_CHECKING, Any

from console.store.sqlite.endpoints import EndpointQueries
from console.store.sqlite.firing import FiringQueries
from console.store.sqlite.reading import ReadingQueries

if TYPE_CHECKING:
    from console.store.sqlite.store import SqliteStore as QuickStore
else:

    class QuickStore(FiringQueries, EndpointQueries, ReadingQueries):
        """Becomes a SqliteStore with the first thing that only that one has.

        Importing all groups of queries, and what of the domain they speak of, takes as long as a tenth of the
        console's start.
        """

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            from console.store.sqlite.store import SqliteStore

            self.__class__ = SqliteStore
            return getattr(self, name)


__all__ = ["QuickStore"]
