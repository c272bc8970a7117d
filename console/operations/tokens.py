"""Let programs call the HTTP API, and stop them."""

from collections.abc import Sequence
from random import Random

from console.domain.change import Change, Values
from console.domain.endpoint import check_name
from console.domain.errors import InvalidInputError
from console.domain.operation import OperationKind
from console.domain.policy import RateLimit
from console.domain.token import Scope, Token, digest_of, new_token
from console.store.protocol import Store

ID_PREFIX = "tok_"


def add_token(
    store: Store,
    name: str,
    scopes: Sequence[Scope],
    *,
    actor: str,
    now_ms: int,
    random: Random,
    rate_limit: RateLimit | None = None,
    until_ms: int | None = None,
) -> tuple[Token, str]:
    """Make a token. Returns it as it is kept, and itself, which nobody can be told again.

    Args:
        random: a source that nobody can foretell.
        until_ms: from then on it opens nothing; None: until it is revoked.

    Raises:
        InvalidInputError: the name is none or taken, or that time is over.
    """
    check_name(name)
    if name.startswith(ID_PREFIX):
        raise InvalidInputError(f"name {name!r}: {ID_PREFIX} is how ids begin; choose another")
    if not scopes:
        raise InvalidInputError(f"scope: at least one of {', '.join(Scope)}")
    if until_ms is not None and until_ms <= now_ms:
        raise InvalidInputError("for: that time is over already; give one that is to come")
    token_id, text = new_token(random)
    token = Token(
        id=token_id,
        name=name,
        digest=digest_of(text),
        scopes=tuple(dict.fromkeys(scopes)),
        rate_limit=rate_limit,
        created_at_ms=now_ms,
        last_used_at_ms=None,
        until_ms=until_ms,
    )
    with store.transaction():
        kept = store.add_token(token)
        change = Change(subject=kept.id, after=_values(kept))
        _record(store, OperationKind.TOKEN_ADD, kept, actor, now_ms, ", ".join(kept.scopes), change)
    return kept, text


def revoke_token(store: Store, reference: str, *, actor: str, now_ms: int, reason: str | None = None) -> Token:
    """Let a token open nothing from now on. Raises UnknownReferenceError."""
    with store.transaction():
        token = store.find_token(reference)
        store.revoke_token(token.id, now_ms)
        change = Change(subject=token.id, before=_values(token))
        _record(store, OperationKind.TOKEN_REVOKE, token, actor, now_ms, "revoked", change, reason)
    return token


def _values(token: Token) -> Values:
    """What an operator said of a token; never its digest."""
    return {
        "name": token.name,
        "scopes": [scope.value for scope in token.scopes],
        "rate_limit": None if token.rate_limit is None else str(token.rate_limit),
        "until_ms": token.until_ms,
    }


def _record(
    store: Store,
    kind: OperationKind,
    token: Token,
    actor: str,
    now_ms: int,
    result: str,
    change: Change,
    reason: str | None = None,
) -> None:
    operation = store.begin_operation(kind, actor=actor, target=token.name, reason=reason, now_ms=now_ms, change=change)
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)
