"""The backend, put together."""

from typing import TYPE_CHECKING, Any

from console.store.sqlite.alerting import AlertingQueries
from console.store.sqlite.applying import ApplyingQueries
from console.store.sqlite.backing_up import BackingUpQueries
from console.store.sqlite.endpoints import EndpointQueries
from console.store.sqlite.engine import EngineQueries
from console.store.sqlite.examining import ExaminingQueries
from console.store.sqlite.explaining import ExplainingQueries
from console.store.sqlite.following import FollowingQueries
from console.store.sqlite.grouped import GroupedQueries
from console.store.sqlite.indexing import IndexingQueries
from console.store.sqlite.levels import LevelQueries
from console.store.sqlite.reading import ReadingQueries
from console.store.sqlite.steering import SteeringQueries


class _Groups(
    AlertingQueries,
    EndpointQueries,
    ReadingQueries,
    SteeringQueries,
    EngineQueries,
    ExaminingQueries,
    ExplainingQueries,
    FollowingQueries,
    GroupedQueries,
    IndexingQueries,
    LevelQueries,
    BackingUpQueries,
    ApplyingQueries,
):
    """What every process may ask."""


if TYPE_CHECKING:
    from console.store.sqlite.whole import IntakeGroups

    class SqliteStore(_Groups, IntakeGroups):
        """A store in one SQLite file. See `console.store.protocol.Store`."""

else:

    class SqliteStore(_Groups):
        """A store in one SQLite file. See `console.store.protocol.Store`.

        Becomes a WholeStore with the first thing that only that one has: what the domain says of sources, the inbox,
        tokens and schemas takes as long to import as a tenth of `send`.
        """

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            from console.store.sqlite.whole import WholeStore

            self.__class__ = WholeStore
            return getattr(self, name)


if TYPE_CHECKING:
    from console.store.protocol import Store

    def _is_a_store(store: SqliteStore) -> Store:
        return store
