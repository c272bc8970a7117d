"""The backend with all that intake asks of it."""

from typing import Any

from console.store.sqlite.inbox import InboxQueries
from console.store.sqlite.schemas import SchemaQueries
from console.store.sqlite.sources import SourceQueries
from console.store.sqlite.store import SqliteStore
from console.store.sqlite.tokens import TokenQueries


class IntakeGroups(SourceQueries, InboxQueries, TokenQueries, SchemaQueries):
    """What is asked where events come in, and by who looks at that."""


class WholeStore(SqliteStore, IntakeGroups):
    """What a SqliteStore becomes."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
