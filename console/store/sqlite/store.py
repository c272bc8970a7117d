"""The whole backend, put together."""

from typing import TYPE_CHECKING

from console.store.sqlite.alerting import AlertingQueries
from console.store.sqlite.applying import ApplyingQueries
from console.store.sqlite.backing_up import BackingUpQueries
from console.store.sqlite.endpoints import EndpointQueries
from console.store.sqlite.engine import EngineQueries
from console.store.sqlite.examining import ExaminingQueries
from console.store.sqlite.explaining import ExplainingQueries
from console.store.sqlite.following import FollowingQueries
from console.store.sqlite.grouped import GroupedQueries
from console.store.sqlite.inbox import InboxQueries
from console.store.sqlite.indexing import IndexingQueries
from console.store.sqlite.levels import LevelQueries
from console.store.sqlite.reading import ReadingQueries
from console.store.sqlite.schemas import SchemaQueries
from console.store.sqlite.sources import SourceQueries
from console.store.sqlite.steering import SteeringQueries
from console.store.sqlite.tokens import TokenQueries


class SqliteStore(
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
    SourceQueries,
    InboxQueries,
    TokenQueries,
    SchemaQueries,
):
    """A store in one SQLite file. See `console.store.protocol.Store`."""


if TYPE_CHECKING:
    from console.store.protocol import Store

    def _is_a_store(store: SqliteStore) -> Store:
        return store
