"""Schemas of event types, by version."""

from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.event_schema import EventSchema, SchemaId, SchemaMode
from console.domain.matching import check_pattern
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row
from console.store.sqlite.nudging import intake_changed

_COLUMNS = "id, pattern, version, mode, text, created_at, retired_at"
_COUNTING = f"SELECT {_COLUMNS} FROM schemas WHERE retired_at IS NULL ORDER BY pattern"
_ALL = f"SELECT {_COLUMNS} FROM schemas ORDER BY pattern, version DESC"
_NEWEST = f"SELECT {_COLUMNS} FROM schemas WHERE pattern = ? ORDER BY version DESC LIMIT 1"
_INSERT = """
INSERT INTO schemas (pattern, version, mode, text, created_at)
VALUES (?1, (SELECT coalesce(max(version), 0) + 1 FROM schemas WHERE pattern = ?1), ?2, ?3, ?4)
"""
_RETIRE = "UPDATE schemas SET retired_at = ? WHERE pattern = ? AND retired_at IS NULL"
_IS_JSON = "SELECT json_valid(?)"


class SchemaQueries(Queries):
    def add_schema(self, pattern: str, mode: SchemaMode, text: bytes, now_ms: int) -> EventSchema:
        check_pattern(pattern)
        kept = _text_of(pattern, text)
        with self.transaction():
            if not self._connection.value(_IS_JSON, (kept,)):
                raise InvalidInputError(f"schema for {pattern}: is no JSON; check it with a JSON linter")
            self._connection.run(_RETIRE, (now_ms, pattern))
            self._connection.run(_INSERT, (pattern, mode, kept, now_ms))
            intake_changed(self._connection)
            return self._newest(pattern)

    def schemas(self, *, retired: bool = False) -> list[EventSchema]:
        return [_schema_of(row) for row in self._connection.rows(_ALL if retired else _COUNTING)]

    def retire_schema(self, pattern: str, now_ms: int) -> EventSchema:
        with self.transaction():
            if not self._connection.run(_RETIRE, (now_ms, pattern)):
                raise UnknownReferenceError(f"no schema for {pattern!r}: see `webhook-console schemas list`")
            intake_changed(self._connection)
            return self._newest(pattern)

    def _newest(self, pattern: str) -> EventSchema:
        row = self._connection.row(_NEWEST, (pattern,))
        assert row is not None
        return _schema_of(row)


def _text_of(pattern: str, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"schema for {pattern}: is no UTF-8 at byte {error.start}") from None


def _schema_of(row: Row) -> EventSchema:
    id_, pattern, version, mode, text, created, retired = row
    return EventSchema(
        id=SchemaId(id_),
        pattern=pattern,
        version=version,
        mode=SchemaMode(mode),
        text=text.encode(),
        created_at_ms=created,
        retired=retired is not None,
    )
