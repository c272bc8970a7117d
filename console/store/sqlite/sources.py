"""Sources: where webhooks come in, and what is said of this store to those who send them."""

from collections.abc import Sequence
from functools import partial

import msgspec

from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.secret_parts import OwnedChange, change_secrets
from console.domain.signing import active_secrets
from console.domain.source import Source, SourceId, SourceKind, SourceOptions, SourceSpec, check_source_name
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Connection, Row
from console.store.sqlite.nudging import intake_changed
from console.store.sqlite.references import Named
from console.store.sqlite.rows import secrets_of, secrets_text

_COLUMNS = "seq, id, name, kind, secrets, options, until, enabled, created_at, version"
_NAMED = Named("sources", _COLUMNS, there="removed_at IS NULL", noun="source")
_ALL = f"SELECT {_COLUMNS} FROM sources WHERE removed_at IS NULL ORDER BY name"
_BY_ID = f"SELECT {_COLUMNS} FROM sources WHERE id = ? AND removed_at IS NULL"
_NAME_TAKEN = "SELECT id FROM sources WHERE name = ? AND removed_at IS NULL AND id <> ?"
_INSERT = """
INSERT INTO sources (name, kind, secrets, options, until, id, created_at, version) VALUES (?, ?, ?, ?, ?, ?, ?, 1)
"""
_EDIT = """
UPDATE sources SET name = ?, kind = ?, secrets = ?, options = ?, until = ?, version = version + 1
WHERE id = ? AND removed_at IS NULL
"""
_ENABLE = "UPDATE sources SET enabled = ?, version = version + 1 WHERE id = ? AND removed_at IS NULL"
_REMOVE = """
UPDATE sources SET removed_at = ?, secrets = '[]', version = version + 1 WHERE id = ? AND removed_at IS NULL
"""
_ENDED_CAPTURES = "SELECT id FROM sources WHERE removed_at IS NULL AND kind = 'capture' AND until < ?"
_KEPT_SECRETS = "SELECT id, secrets FROM sources WHERE removed_at IS NULL"
_SET_SECRETS = "UPDATE sources SET secrets = ?, version = version + 1 WHERE id = ?"

_INTAKE_VERSION = "SELECT value FROM meta WHERE key = 'intake'"
_SETTING = "SELECT value FROM settings WHERE key = ?"
_SET = """
INSERT INTO settings (key, value, updated_at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
"""

_decode_options = msgspec.json.Decoder(SourceOptions).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_encode = msgspec.json.Encoder().encode


class SourceQueries(Queries):
    def add_source(self, source_id: SourceId, spec: SourceSpec, now_ms: int) -> Source:
        check_source_name(spec.name)
        with self.transaction():
            self._refuse_taken_source(spec.name, source_id)
            self._connection.run(_INSERT, (*_columns(spec, now_ms), source_id, now_ms))
            intake_changed(self._connection)
            return self._source(source_id)

    def edit_source(self, source_id: SourceId, spec: SourceSpec, now_ms: int) -> Source:
        check_source_name(spec.name)
        with self._erasing():
            self._refuse_taken_source(spec.name, source_id)
            self._connection.run(_EDIT, (*_columns(spec, now_ms), source_id))
            intake_changed(self._connection)
            return self._source(source_id)

    def enable_source(self, source_id: SourceId, enabled: bool) -> Source:
        with self.transaction():
            self._connection.run(_ENABLE, (int(enabled), source_id))
            intake_changed(self._connection)
            return self._source(source_id)

    def remove_source(self, source_id: SourceId, now_ms: int) -> None:
        with self._erasing():
            self._source(source_id)
            self._connection.run(_REMOVE, (now_ms, source_id))
            intake_changed(self._connection)

    def remove_ended_captures(self, ended_before_ms: int, now_ms: int) -> int:
        ended = self._connection.rows(_ENDED_CAPTURES, (ended_before_ms,))
        if ended:
            with self.transaction():
                for (id_,) in ended:
                    self._connection.run(_REMOVE, (now_ms, id_))
                intake_changed(self._connection)
        return len(ended)

    def sources(self) -> list[Source]:
        return [_source_of(row) for row in self._connection.rows(_ALL)]

    def find_source(self, reference: str) -> Source:
        return _source_of(_NAMED.find(self._connection, reference))

    def intake_version(self) -> int:
        version = self._connection.value(_INTAKE_VERSION)
        assert isinstance(version, int)
        return version

    def instance(self) -> str:
        return _decode_text(self._connection.value(_SETTING, ("instance",)))

    def listening(self) -> tuple[str, ...]:
        text = self._connection.value(_SETTING, ("listening",))
        return () if text is None else _decode_texts(text)

    def set_listening(self, urls: Sequence[str], now_ms: int) -> None:
        with self.transaction():
            self._connection.run(_SET, ("listening", _encode(tuple(urls)).decode(), now_ms))

    def _source(self, source_id: SourceId) -> Source:
        row = self._connection.row(_BY_ID, (source_id,))
        if row is None:
            raise UnknownReferenceError(f"no source {source_id}: it may have been removed")
        return _source_of(row)

    def _refuse_taken_source(self, name: str, source_id: SourceId) -> None:
        if (taken_by := self._connection.value(_NAME_TAKEN, (name, source_id))) is not None:
            raise InvalidInputError(f"source {name!r}: is taken by {taken_by}; choose another name")


def rewrite_source_secrets(connection: Connection, change: OwnedChange, now_ms: int) -> None:
    """What `rewrite_secrets` does to sources, in its transaction."""
    for id_, secrets in connection.rows(_KEPT_SECRETS):
        changed = change_secrets(active_secrets(secrets_of(secrets), now_ms), partial(change, id_))
        connection.run(_SET_SECRETS, (secrets_text(changed), id_))
    intake_changed(connection)


def _columns(spec: SourceSpec, now_ms: int) -> tuple[str | int | None, ...]:
    """Secrets that have ended are not kept."""
    secrets = secrets_text(active_secrets(spec.secrets, now_ms))
    return spec.name, spec.kind, secrets, _encode(spec.options).decode(), spec.until_ms


def _source_of(row: Row) -> Source:
    seq, id_, name, kind, secrets, options, until, enabled, created, version = row
    return Source(
        seq=seq,
        id=SourceId(id_),
        name=name,
        kind=SourceKind(kind),
        secrets=secrets_of(secrets),
        options=_decode_options(options),
        until_ms=until,
        enabled=bool(enabled),
        created_at_ms=created,
        version=version,
    )
