"""Tokens and schemas: what the HTTP API asks before it takes anything."""

import pytest

from console.domain.errors import InvalidInputError, UnknownReferenceError
from console.domain.event_schema import SchemaMode
from console.domain.policy import RateLimit
from console.domain.token import ALL_SCOPES, Scope, Token, TokenId, digest_of
from console.store.protocol import Store
from tests.factories import NOW_MS
from tests.store.backends import Backend


def make_token(name: str = "ci", **given: object) -> Token:
    text = f"whc_{name}_secret"
    return Token(
        **{
            "id": TokenId(f"tok_{name}"),
            "name": name,
            "digest": digest_of(text),
            "scopes": ALL_SCOPES,
            "rate_limit": None,
            "created_at_ms": NOW_MS,
            "last_used_at_ms": None,
            "until_ms": None,
            **given,
        }  # type: ignore[arg-type]  # parts of any type, each right
    )


class TokensConformance:
    def test_a_token_reads_back(self, store: Store, backend: Backend) -> None:
        before = store.intake_version()
        full = make_token(
            scopes=(Scope.EVENTS_WRITE, Scope.METRICS_READ),
            rate_limit=RateLimit(count=5, period_s=1.0),
            last_used_at_ms=NOW_MS + 1,
            until_ms=NOW_MS + 2,
            digest=bytes(range(32)),
        )
        assert store.add_token(full) == full
        plain = store.add_token(make_token("app"))
        assert backend.open(read_only=True).tokens() == [plain, full]
        assert store.intake_version() >= before + 2

    def test_a_token_is_found_by_id_name_or_beginning(self, store: Store) -> None:
        token = store.add_token(make_token())
        assert [store.find_token(reference) for reference in ("ci", "tok_ci", "tok_", "c")] == [token] * 4
        with pytest.raises(UnknownReferenceError, match="no token 'x': see `webhook-console tokens list`"):
            store.find_token("x")

    def test_a_name_is_taken_until_its_token_is_revoked(self, store: Store, backend: Backend) -> None:
        store.add_token(make_token())
        with pytest.raises(InvalidInputError, match="taken by tok_ci"):
            store.add_token(make_token(id=TokenId("tok_2")))
        version = store.intake_version()
        store.revoke_token(TokenId("tok_ci"), NOW_MS)
        assert (store.tokens(), store.intake_version() > version) == ([], True)
        with pytest.raises(UnknownReferenceError):
            store.find_token("tok_ci")
        before = backend.contents()
        for gone in ("tok_ci", "tok_none"):
            with pytest.raises(UnknownReferenceError, match=gone):
                store.revoke_token(TokenId(gone), NOW_MS)
        assert backend.contents() == before
        assert store.add_token(make_token(id=TokenId("tok_2"))).id == "tok_2"

    def test_uses_are_noted_and_change_no_token(self, store: Store) -> None:
        a, b = store.add_token(make_token("a")), store.add_token(make_token("b"))
        version = store.intake_version()
        store.note_token_uses({a.id: NOW_MS + 5, TokenId("tok_none"): 1})
        store.note_token_uses({a.id: NOW_MS + 3, b.id: NOW_MS})
        store.note_token_uses({})
        assert [token.last_used_at_ms for token in store.tokens()] == [NOW_MS + 5, NOW_MS], "the last one counts"
        assert store.intake_version() == version


class SchemasConformance:
    def test_the_newest_version_counts(self, store: Store, backend: Backend) -> None:
        version = store.intake_version()
        text = '{"title": "naïve ☃",\n "type":"object"}'.encode()
        first = store.add_schema("invoice.*", SchemaMode.REJECT, text, NOW_MS)
        assert (first.pattern, first.version, first.mode, first.text, first.created_at_ms, first.retired) == (
            "invoice.*", 1, "reject", text, NOW_MS, False,
        )  # fmt: skip
        other = store.add_schema("a.b", SchemaMode.FLAG, b"true", NOW_MS)
        second = store.add_schema("invoice.*", SchemaMode.FLAG, b"{}", NOW_MS + 1)
        assert (second.version, second.mode) == (2, "flag")
        assert store.schemas() == [other, second]
        everything = backend.open(read_only=True).schemas(retired=True)
        assert [(s.pattern, s.version, s.retired) for s in everything] == [
            ("a.b", 1, False), ("invoice.*", 2, False), ("invoice.*", 1, True),
        ]  # fmt: skip
        assert store.intake_version() == version + 3

    def test_a_retired_schema_is_checked_by_nobody_and_versions_go_on(self, store: Store) -> None:
        store.add_schema("a.b", SchemaMode.REJECT, b"{}", NOW_MS)
        version = store.intake_version()
        assert store.retire_schema("a.b", NOW_MS + 1).retired
        assert (store.schemas(), store.intake_version() > version) == ([], True)
        for pattern in ("a.b", "x.y"):
            with pytest.raises(UnknownReferenceError, match=f"no schema for '{pattern}'"):
                store.retire_schema(pattern, NOW_MS)
        assert store.add_schema("a.b", SchemaMode.REJECT, b"{}", NOW_MS + 2).version == 2

    @pytest.mark.parametrize(
        ("pattern", "text", "words"),
        [
            ("a..b", b"{}", "a..b"),
            ("a.b", b"{", "no JSON"),
            ("a.b", b"\xff", "no UTF-8 at byte 0"),
            ("a.b", b"", "no JSON"),
        ],
    )
    def test_what_is_no_schema_is_refused_and_the_one_before_stays(
        self, store: Store, pattern: str, text: bytes, words: str
    ) -> None:
        kept = store.add_schema("a.b", SchemaMode.REJECT, b"{}", NOW_MS)
        with pytest.raises(InvalidInputError, match=words):
            store.add_schema(pattern, SchemaMode.FLAG, text, NOW_MS)
        assert store.schemas(retired=True) == [kept]
