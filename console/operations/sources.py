"""Add, edit, enable, disable and remove sources, and rotate their secrets; each act is in the audit log."""

import base64
from collections.abc import Callable
from dataclasses import replace
from random import Random

from console.domain.change import Change
from console.domain.errors import InvalidInputError
from console.domain.kinds.checking import WITHOUT_SECRETS, check_source, check_source_secret
from console.domain.operation import OperationKind
from console.domain.sealing import NO_KEYS, Keyring
from console.domain.secret_parts import sealed_source_spec
from console.domain.signing import SECRET_BYTES, Secret, make_secret, rotated
from console.domain.source import Source, SourceId, SourceKind, SourceSpec, new_source_id
from console.operations.changes import differing, source_values
from console.store.protocol import Store

OURS = frozenset(
    {
        SourceKind.GITHUB,
        SourceKind.CALENDLY,
        SourceKind.STANDARD,
        SourceKind.HMAC,
        SourceKind.BASIC,
        SourceKind.TOKEN,
    }
)
"""Kinds whose secret is chosen on this side and given to the sender; the others show theirs."""

_BASIC_USER = "webhook"


def make_source_secret(kind: SourceKind, entropy: Callable[[int], bytes]) -> str:
    """A new secret for a kind that lets us choose one.

    Args:
        entropy: so many bytes of a cryptographic random source.

    Raises:
        InvalidInputError: the provider chooses it.
    """
    if kind not in OURS:
        raise InvalidInputError(f"secret: {kind} chooses it: copy it from there and give it with --secret @FILE")
    drawn = entropy(SECRET_BYTES)
    if kind is SourceKind.STANDARD:
        return make_secret(drawn)
    text = base64.urlsafe_b64encode(drawn).decode().rstrip("=")
    return f"{_BASIC_USER}:{text}" if kind is SourceKind.BASIC else text


def add_source(
    store: Store, spec: SourceSpec, *, actor: str, now_ms: int, random: Random, keys: Keyring = NO_KEYS
) -> Source:
    """Raises InvalidInputError when a part of the spec is wrong or the name is taken.

    Args:
        keys: seal the secrets that are kept; without a key they are kept as they are.
    """
    spec = check_source(spec)
    source_id = new_source_id(random)
    with store.transaction():
        source = store.add_source(source_id, sealed_source_spec(spec, source_id, keys), now_ms)
        change = Change(subject=source.id, after=source_values(source))
        _record(store, OperationKind.SOURCE_ADD, source, actor, now_ms, str(source.kind), change)
    return source


def edit_source(
    store: Store,
    source_id: SourceId,
    spec: SourceSpec,
    *,
    actor: str,
    now_ms: int,
    keys: Keyring = NO_KEYS,
) -> Source:
    """Replace what an operator said of a source. Raises as `add_source`; UnknownReferenceError when it is gone."""
    spec = check_source(spec)
    with store.transaction():
        old = store.find_source(source_id)
        source = store.edit_source(source_id, sealed_source_spec(spec, source_id, keys), now_ms)
        before, after = differing(source_values(old), source_values(source))
        hidden = () if old.secrets == source.secrets else ("secrets",)
        changed = ", ".join((*after, *hidden)) or "nothing"
        change = Change(subject=source.id, before=before, after=after, hidden=hidden)
        _record(store, OperationKind.SOURCE_EDIT, source, actor, now_ms, changed, change)
    return source


def enable_source(
    store: Store, source_id: SourceId, enabled: bool, *, actor: str, reason: str | None, now_ms: int
) -> tuple[Source, bool]:
    """Take requests again, or answer as if there were no such source. Returns it, and whether that changed anything."""
    with store.transaction():
        old = store.find_source(source_id)
        if old.enabled is enabled:
            return old, False
        source = store.enable_source(source_id, enabled)
        kind = OperationKind.SOURCE_ENABLE if enabled else OperationKind.SOURCE_DISABLE
        change = Change(subject=source.id, before={"enabled": old.enabled}, after={"enabled": enabled})
        _record(store, kind, source, actor, now_ms, "enabled" if enabled else "disabled", change, reason)
    return source, True


def remove_source(store: Store, source_id: SourceId, *, actor: str, reason: str | None, now_ms: int) -> Source:
    """Take it off every list; what came in stays, its secrets do not."""
    with store.transaction():
        source = store.find_source(source_id)
        store.remove_source(source.id, now_ms)
        change = Change(subject=source.id, before=source_values(source))
        _record(store, OperationKind.SOURCE_REMOVE, source, actor, now_ms, "removed", change, reason)
    return source


def rotate_source_secret(
    store: Store, source_id: SourceId, text: str, *, overlap_ms: int, actor: str, now_ms: int, keys: Keyring = NO_KEYS
) -> Source:
    """Take what a new secret proves from now on, and what those of before prove until the overlap is over.

    Raises:
        InvalidInputError: the secret is none, or the source's kind has none.
    """
    with store.transaction():
        before = store.find_source(source_id)
        if before.kind in WITHOUT_SECRETS:
            raise InvalidInputError(f"source {before.name}: kind {before.kind} has no secret")
        check_source_secret(before.kind, text)
        secrets = rotated(before.secrets, Secret(text=text), now_ms + overlap_ms, now_ms)
        spec = check_source(replace(before.spec, secrets=secrets))
        source = store.edit_source(before.id, sealed_source_spec(spec, before.id, keys), now_ms)
        others = len(source.secrets) - 1
        result = f"{others} old, for {overlap_ms / 1000:g} s more at most" if others else "the new one alone"
        change = Change(subject=source.id, hidden=("secrets",))
        _record(store, OperationKind.SECRET_ROTATE, source, actor, now_ms, result, change)
    return source


def _record(
    store: Store,
    kind: OperationKind,
    source: Source,
    actor: str,
    now_ms: int,
    result: str,
    change: Change,
    reason: str | None = None,
) -> None:
    operation = store.begin_operation(
        kind, actor=actor, target=source.name, reason=reason, now_ms=now_ms, change=change
    )
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)
