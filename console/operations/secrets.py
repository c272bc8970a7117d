"""Rotate and reveal signing secrets; seal all secrets in the store, and unseal them."""

from dataclasses import dataclass, replace

from console.domain.endpoint import Endpoint
from console.domain.errors import ConfigError, SealedError
from console.domain.ids import EndpointId
from console.domain.operation import OperationKind
from console.domain.sealing import DEFAULTS, Keyring, is_sealed, key_id_of
from console.domain.secret_parts import OwnedChange, change_policy, each_text, opened_endpoint, sealed_spec
from console.domain.signing import Secret, rotated
from console.domain.source import SOURCE_PREFIX
from console.store.protocol import Store

MAX_OVERLAP_MS = 365 * 24 * 3600 * 1000


def rotate_secret(
    store: Store, endpoint_id: EndpointId, new: Secret, *, overlap_ms: int, actor: str, now_ms: int, keys: Keyring
) -> Endpoint:
    """Sign with a new secret from now on, and with those of before too until the overlap is over; 0: at once only
    with the new one.

    Raises:
        InvalidInputError: the secret is none, or too many would sign at once.
    """
    with store.transaction():
        before = store.find_endpoint(endpoint_id)
        spec = replace(before.spec, secrets=rotated(before.secrets, new, now_ms + overlap_ms, now_ms))
        endpoint = store.edit_endpoint(before.id, sealed_spec(spec.check(), before.id, keys), now_ms)
        others = len(endpoint.secrets) - 1
        _record(
            store,
            OperationKind.SECRET_ROTATE,
            actor=actor,
            target=endpoint.name,
            reason=None,
            result=f"{others} old, for {overlap_ms / 1000:g} s more at most" if others else "the new one alone",
            done=1,
            now_ms=now_ms,
        )
    return endpoint


def reveal_secret(
    store: Store, endpoint_id: EndpointId, *, actor: str, reason: str | None, now_ms: int, keys: Keyring
) -> tuple[Secret, ...]:
    """The signing secrets that sign now, open. It is in the audit log before it returns.

    Raises:
        SealedError: none of the keys opens them; then nothing is recorded, as nothing was shown.
    """
    with store.transaction():
        endpoint = store.find_endpoint(endpoint_id)
        try:
            secrets = opened_endpoint(endpoint, keys).active_secrets(now_ms)
        except SealedError as error:
            raise SealedError(f"{endpoint.name}: {error}{way_out()}") from None
        _record(
            store,
            OperationKind.SECRET_REVEAL,
            actor=actor,
            target=endpoint.name,
            reason=reason,
            result=f"{len(secrets)} shown",
            done=1,
            now_ms=now_ms,
        )
    return secrets


def seal_secrets(store: Store, *, actor: str, now_ms: int, keys: Keyring) -> int:
    """Seal every secret in the store with the first key: what is plain, and what another key sealed. All or nothing.

    Returns how many were not sealed by that key before.

    Raises:
        ConfigError: there is no key.
        SealedError: none of the keys opens one of them.
    """
    if not keys:
        raise ConfigError(f"no key is configured{way_out()}")
    newest = keys.key_ids[0]

    def seal(owner: str, field: str, text: str) -> str:
        plain = keys.open(text, owner, field)
        return text if key_id_of(text) == newest else keys.seal(plain, owner, field)

    return _rewrite(
        store, OperationKind.SECRETS_SEAL, seal, actor=actor, now_ms=now_ms, words=f"sealed with key {newest}"
    )


def unseal_secrets(store: Store, *, actor: str, now_ms: int, keys: Keyring) -> int:
    """Keep every secret as it is, unsealed. All or nothing. Returns how many were sealed.

    Raises:
        SealedError: none of the keys opens one of them.
    """

    def unseal(owner: str, field: str, text: str) -> str:
        return keys.open(text, owner, field)

    return _rewrite(store, OperationKind.SECRETS_UNSEAL, unseal, actor=actor, now_ms=now_ms, words="unsealed")


def plain_secrets(store: Store) -> int:
    """How many secrets are kept unsealed; each counts once, where it is said."""
    return secret_counts(store).plain


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCounts:
    """How the secrets in a store are kept."""

    plain: int
    sealed: dict[str, int]
    """By key; `?` for a text whose key cannot be told."""


def secret_counts(store: Store) -> SecretCounts:
    """Of all endpoints, the defaults and all sources; needs no key."""
    texts = [text for endpoint in store.endpoints() for text in each_text(endpoint, own=True)]
    texts += [secret.text for source in store.sources() for secret in source.secrets]

    def note(field: str, text: str) -> str:
        texts.append(text)
        return text

    change_policy(store.policy_defaults(), note)
    sealed: dict[str, int] = {}
    for text in texts:
        if is_sealed(text):
            key_id = key_id_of(text) or "?"
            sealed[key_id] = sealed.get(key_id, 0) + 1
    return SecretCounts(plain=len(texts) - sum(sealed.values()), sealed=sealed)


def _rewrite(store: Store, kind: OperationKind, change: OwnedChange, *, actor: str, now_ms: int, words: str) -> int:
    changed = 0

    def counted(owner: str, field: str, text: str) -> str:
        nonlocal changed
        try:
            after = change(owner, field, text)
        except SealedError as error:
            raise SealedError(f"{_name(store, owner)}: {error}{way_out()}") from None
        changed += after != text
        return after

    with store.transaction():
        store.rewrite_secrets(counted, now_ms)
        result = f"{changed} {'secret' if changed == 1 else 'secrets'} {words}"
        _record(store, kind, actor=actor, target="all", reason=None, result=result, done=changed, now_ms=now_ms)
    return changed


def _name(store: Store, owner: str) -> str:
    """What a secret belongs to, as an operator calls it."""
    if owner == DEFAULTS:
        return owner
    if owner.startswith(SOURCE_PREFIX):
        return f"source {store.find_source(owner).name}"
    return store.find_endpoint(owner).name


def _record(
    store: Store,
    kind: OperationKind,
    *,
    actor: str,
    target: str,
    reason: str | None,
    result: str,
    done: int,
    now_ms: int,
) -> None:
    operation = store.begin_operation(kind, actor=actor, target=target, reason=reason, now_ms=now_ms)
    store.progress_operation(operation, done=done, result=result, finished_at_ms=now_ms)


def way_out() -> str:
    """What to do when no key opens something."""
    return ": set WEBHOOK_CONSOLE_KEY or WEBHOOK_CONSOLE_KEY_FILE, or give --key-file"
