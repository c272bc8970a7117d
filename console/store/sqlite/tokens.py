"""Tokens for the HTTP API: digests, never what is shown once."""

from collections.abc import Mapping

import msgspec

from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.policy import RateLimit
from console.domain.token import Scope, Token, TokenId
from console.store.sqlite.base import Queries
from console.store.sqlite.connection import Row
from console.store.sqlite.nudging import intake_changed
from console.store.sqlite.references import Named

_COLUMNS = "id, name, digest, scopes, rate_limit, created_at, last_used_at, until"
_NAMED = Named("tokens", _COLUMNS, there="revoked_at IS NULL", noun="token")
_ALL = f"SELECT {_COLUMNS} FROM tokens WHERE revoked_at IS NULL ORDER BY name"
_NAME_TAKEN = "SELECT id FROM tokens WHERE name = ? AND revoked_at IS NULL"
_INSERT = f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_REVOKE = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
_NOTE_USE = "UPDATE tokens SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?"

_decode_scopes = msgspec.json.Decoder(tuple[Scope, ...]).decode
_decode_limit = msgspec.json.Decoder(RateLimit).decode
_encode = msgspec.json.Encoder().encode


class TokenQueries(Queries):
    def add_token(self, token: Token) -> Token:
        with self.transaction():
            if (taken_by := self._connection.value(_NAME_TAKEN, (token.name,))) is not None:
                raise InvalidInputError(f"token {token.name!r}: is taken by {taken_by}; choose another name")
            self._connection.run(_INSERT, _row(token))
            intake_changed(self._connection)
            return token

    def tokens(self) -> list[Token]:
        return [_token_of(row) for row in self._connection.rows(_ALL)]

    def find_token(self, reference: str) -> Token:
        return _token_of(_NAMED.find(self._connection, reference))

    def revoke_token(self, token_id: TokenId, now_ms: int) -> None:
        with self.transaction():
            if not self._connection.run(_REVOKE, (now_ms, token_id)):
                raise UnknownReferenceError(f"no token {token_id}: it may have been revoked")
            intake_changed(self._connection)

    def note_token_uses(self, used: Mapping[TokenId, int]) -> None:
        # No change of the tokens: nobody has to read them again.
        with self.transaction():
            self._connection.run_many(_NOTE_USE, [(at_ms, id_) for id_, at_ms in used.items()])


def _row(token: Token) -> tuple[object, ...]:
    return (
        token.id,
        token.name,
        token.digest,
        _encode(token.scopes).decode(),
        None if token.rate_limit is None else _encode(token.rate_limit).decode(),
        token.created_at_ms,
        token.last_used_at_ms,
        token.until_ms,
    )


def _token_of(row: Row) -> Token:
    id_, name, digest, scopes, limit, created, used, until = row
    return Token(
        id=TokenId(id_),
        name=name,
        digest=digest,
        scopes=_decode_scopes(scopes),
        rate_limit=None if limit is None else _decode_limit(limit),
        created_at_ms=created,
        last_used_at_ms=used,
        until_ms=until,
    )
