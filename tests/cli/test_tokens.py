"""`tokens`: made, listed, revoked, and shown once."""

from console.domain.operation import OperationKind
from console.domain.token import Scope, matches
from console.store import Store
from tests.cli.support import CommandLine


def test_a_token_is_shown_once_and_kept_as_a_digest(console: CommandLine, store: Store) -> None:
    made = console(
        "tokens", "add", "billing", "--scope", "events:write", "--rate-limit", "100/s", "--for", "90d", "--json"
    )
    token = store.find_token("billing")
    text = made.record["token"]
    assert matches(token, text)
    assert (token.scopes, str(token.rate_limit)) == ((Scope.EVENTS_WRITE,), "100/s")
    assert token.until_ms is not None
    assert token.until_ms - token.created_at_ms == 90 * 24 * 3600 * 1000
    shown = console("tokens", "add", "other", "--scope", "events:read", "--scope", "events:read")
    (line,) = [line for line in shown.out.splitlines() if line.startswith("token: whc_")]
    assert matches(store.find_token("other"), line.removeprefix("token: "))
    for command in (("tokens", "list"), ("tokens", "list", "--json"), ("operations", "list", "--json")):
        told = console(*command).out
        assert "billing" in told
        assert text not in told
        assert text.rpartition("_")[2] not in told


def test_a_revoked_token_is_gone_and_both_acts_are_audited(console: CommandLine, store: Store) -> None:
    console("tokens", "add", "billing", "--scope", "events:write")
    assert console("tokens", "revoke", "billing", "--reason", "leaked").code == 0
    assert store.tokens() == []
    revoked, added = store.operations(limit=2)
    assert (revoked.kind, revoked.target, revoked.reason) == (OperationKind.TOKEN_REVOKE, "billing", "leaked")
    assert (added.kind, added.result) == (OperationKind.TOKEN_ADD, "events:write")
    for operation in ("op_000001", "op_000002"):
        assert console("operations", "undo", operation).code == 1
    assert "no tokens yet" in console("tokens", "list").err


def test_what_is_wrong_is_said_before_a_token_is_made(console: CommandLine, store: Store) -> None:
    for arguments, code in (
        (("billing",), 2),
        (("billing", "--scope", "everything"), 2),
        (("a b", "--scope", "events:read"), 1),
        (("tok_x", "--scope", "events:read"), 1),
        (("billing", "--scope", "events:read", "--rate-limit", "fast"), 2),
        (("billing", "--scope", "events:read", "--for", "0s"), 1),
    ):
        assert console("tokens", "add", *arguments).code == code, arguments
    assert console("tokens", "revoke", "nobody").code == 1
    assert store.tokens() == []
    console("tokens", "add", "billing", "--scope", "events:read")
    assert console("tokens", "add", "billing", "--scope", "events:read").code == 1
