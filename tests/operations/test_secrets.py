"""Rotating, revealing, sealing and unsealing: what is kept, what is in the audit log, and what is on the disk."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from console.domain.endpoint import Endpoint
from console.domain.errors import ConfigError, InvalidInputError, SealedError, StoreError
from console.domain.operation import OperationKind
from console.domain.policy import DeliveryPolicy
from console.domain.sealing import NO_KEYS, Keyring, is_sealed
from console.domain.secret_parts import each_text, opened_endpoint
from console.domain.signing import MAX_SECRETS, Secret, make_key, make_secret, public_key_of
from console.operations.endpoints import add_endpoint, edit_defaults, edit_endpoint, remove_endpoint
from console.operations.secrets import (
    plain_secrets,
    reveal_secret,
    rotate_secret,
    seal_secrets,
    secret_counts,
    unseal_secrets,
)
from console.store import Store, open_store
from tests.factories import NOW_MS, SECRET, add_source, make_spec

WHO = "ada@box"
OLD, NEW = Keyring([b"1" * 32]), Keyring([b"2" * 32])
BOTH = Keyring([b"2" * 32, b"1" * 32])
HOUR_MS = 3_600_000
CANARIES = ("canary-bearer", "canary-proxy-pass", "canary-header", "canary-default", SECRET.removeprefix("whsec_"))
POLICY: dict[str, Any] = {
    "authorization": "Bearer canary-bearer",
    "proxy": "http://ada:canary-proxy-pass@proxy.example:3128",
    "headers": (("X-Api-Key", "canary-header"), ("X-Team", "ops")),
}


def add(store: Store, name: str = "crm", keys: Keyring = NO_KEYS, **given: Any) -> Endpoint:
    spec = make_spec(name=name, **given)
    return add_endpoint(store, spec, actor=WHO, now_ms=NOW_MS, random=Random(name), keys=keys)


def rotate(store: Store, endpoint: Endpoint, text: str, **given: Any) -> Endpoint:
    return rotate_secret(
        store,
        endpoint.id,
        Secret(text=text),
        **{"overlap_ms": HOUR_MS, "actor": WHO, "now_ms": NOW_MS, "keys": NO_KEYS, **given},
    )


def all_kinds(store: Store, keys: Keyring = NO_KEYS) -> Endpoint:
    """Secrets wherever there may be one."""
    defaults = DeliveryPolicy(authorization="Bearer canary-default")
    edit_defaults(store, defaults, actor=WHO, now_ms=NOW_MS, changed="authorization", keys=keys)
    add(store, "follows", keys, policy={"authorization": store.policy_defaults().authorization})
    return add(store, "crm", keys, policy=POLICY)


def on_disk(store: Store) -> bytes:
    """All that a thief of the files would read."""
    return b"".join(path.read_bytes() for path in sorted(Path(store.path).parent.iterdir()))


def last(store: Store) -> tuple[OperationKind, str, str | None, str | None]:
    (row,) = store.operations(limit=1)
    assert row.finished_at_ms is not None
    assert row.actor == WHO
    return row.kind, row.target, row.reason, row.result


def test_the_old_secret_signs_until_the_overlap_is_over(store: Store) -> None:
    other = make_secret(bytes(32))
    endpoint = rotate(store, add(store), other)
    assert endpoint.secrets == (Secret(text=other), Secret(text=SECRET, until_ms=NOW_MS + HOUR_MS))
    assert last(store) == (OperationKind.SECRET_ROTATE, "crm", None, "1 old, for 3600 s more at most")
    third = make_secret(b"3" * 32)
    later = rotate(store, endpoint, third, now_ms=NOW_MS + HOUR_MS // 2)
    assert [s.until_ms for s in later.secrets] == [None, NOW_MS + HOUR_MS // 2 + HOUR_MS, NOW_MS + HOUR_MS]
    after = rotate(store, later, SECRET, now_ms=NOW_MS + HOUR_MS)
    assert [s.text for s in after.secrets] == [SECRET, third, other], "the first has ended, and is not kept"
    alone = rotate(store, after, make_secret(b"4" * 32), overlap_ms=0)
    assert len(alone.secrets) == 1
    assert last(store)[3] == "the new one alone"


def test_too_many_at_once_are_refused_and_nothing_changes(store: Store) -> None:
    endpoint = add(store)
    for n in range(MAX_SECRETS - 1):
        endpoint = rotate(store, endpoint, make_secret(bytes([n]) * 32))
    with pytest.raises(InvalidInputError, match="--overlap 0"):
        rotate(store, endpoint, make_secret(b"x" * 32))
    assert store.find_endpoint("crm") == endpoint


def test_with_a_key_what_is_added_edited_or_rotated_is_sealed(store: Store) -> None:
    crm = all_kinds(store, OLD)
    assert plain_secrets(store) == 0
    assert all(is_sealed(text) for endpoint in store.endpoints() for text in each_text(endpoint, own=False))
    rotated = rotate(store, crm, make_key(b"5" * 32), keys=OLD)
    assert rotated.secrets[0].public_key == public_key_of(make_key(b"5" * 32))
    assert all(is_sealed(secret.text) for secret in rotated.secrets)
    spec = make_spec(policy={**POLICY, "headers": (("Cookie", "canary-cookie"),)}, secrets=rotated.secrets)
    edited = edit_endpoint(store, crm.id, spec, actor=WHO, now_ms=NOW_MS, changed="header Cookie", keys=OLD)
    assert opened_endpoint(edited, OLD).policy == spec.policy
    disk = on_disk(store)
    assert not [canary for canary in (*CANARIES, "canary-cookie") if canary.encode() in disk]


def test_an_endpoint_that_follows_a_sealed_default_goes_on_following_it(store: Store) -> None:
    all_kinds(store, OLD)
    follows = store.find_endpoint("follows")
    assert "authorization" not in follows.own
    assert opened_endpoint(follows, OLD).policy.authorization == "Bearer canary-default"


def test_plain_secrets_are_on_the_disk_and_sealing_takes_them_off_it(store: Store) -> None:
    crm = all_kinds(store)
    assert plain_secrets(store) == 6
    disk = on_disk(store)
    assert all(canary.encode() in disk for canary in CANARIES), "else the search below proves nothing"
    assert seal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=OLD) == 6
    assert last(store) == (OperationKind.SECRETS_SEAL, "all", None, f"6 secrets sealed with key {OLD.key_ids[0]}")
    assert store.empty_log()
    disk = on_disk(store)
    assert not [canary for canary in CANARIES if canary.encode() in disk]
    counts = secret_counts(store)
    assert (counts.plain, counts.sealed) == (0, {OLD.key_ids[0]: 6})
    assert opened_endpoint(store.find_endpoint("crm"), OLD).policy == crm.policy
    assert store.find_endpoint("crm").own == crm.own
    assert seal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=OLD) == 0


def test_what_an_edit_or_a_removal_replaces_is_overwritten(store: Store) -> None:
    crm = add(store, policy=POLICY)
    store.empty_log()
    assert b"canary-bearer" in on_disk(store)
    edit_endpoint(store, crm.id, make_spec(policy={}), actor=WHO, now_ms=NOW_MS, changed="no-auth")
    store.empty_log()
    assert b"canary" not in on_disk(store)
    assert SECRET.encode() in on_disk(store)
    remove_endpoint(store, crm.id, actor=WHO, now_ms=NOW_MS)
    store.empty_log()
    assert SECRET.encode() not in on_disk(store)


def test_the_key_is_changed_by_sealing_again_with_both(store: Store) -> None:
    crm = all_kinds(store, OLD)
    with pytest.raises(SealedError, match=r"WEBHOOK_CONSOLE_KEY") as refused:
        seal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=NEW)
    assert OLD.key_ids[0] in str(refused.value)
    assert store.find_endpoint("crm") == crm, "all or nothing"
    assert seal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=BOTH) == 6
    assert secret_counts(store).sealed == {NEW.key_ids[0]: 6}
    assert opened_endpoint(store.find_endpoint("crm"), NEW).secrets[0].text == SECRET
    with pytest.raises(SealedError):
        opened_endpoint(store.find_endpoint("crm"), OLD)


def test_unsealing_gives_back_what_was_there(store: Store) -> None:
    crm = all_kinds(store)
    before, defaults = store.endpoints(), store.policy_defaults()
    seal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=OLD)
    with pytest.raises(SealedError):
        unseal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=NEW)
    assert plain_secrets(store) == 0
    assert unseal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=OLD) == 6
    assert last(store) == (OperationKind.SECRETS_UNSEAL, "all", None, "6 secrets unsealed")
    assert [(e.secrets, e.policy, e.own) for e in store.endpoints()] == [(e.secrets, e.policy, e.own) for e in before]
    assert store.policy_defaults() == defaults
    assert opened_endpoint(store.find_endpoint(crm.id), NO_KEYS).secrets == crm.secrets


def test_sealing_needs_a_key(store: Store) -> None:
    add(store)
    with pytest.raises(ConfigError, match="no key is configured"):
        seal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=NO_KEYS)
    assert len(store.operations(limit=10)) == 1


@pytest.fixture(params=["plain", "sealed"])
def kept(request: pytest.FixtureRequest, store: Store) -> tuple[Store, Keyring]:
    """One endpoint whose old secret still signs, kept plain or sealed, and what opens it."""
    keys = OLD if request.param == "sealed" else NO_KEYS
    rotate(store, add(store, keys=keys), make_key(b"5" * 32), keys=keys)
    return store, keys


def test_a_secret_is_revealed_and_that_is_in_the_audit_log(kept: tuple[Store, Keyring]) -> None:
    store, keys = kept
    crm = store.find_endpoint("crm")
    shown = reveal_secret(store, crm.id, actor=WHO, reason="new receiver", now_ms=NOW_MS + 1, keys=keys)
    assert [secret.text for secret in shown] == [make_key(b"5" * 32), SECRET]
    assert last(store) == (OperationKind.SECRET_REVEAL, "crm", "new receiver", "2 shown")
    later = reveal_secret(store, crm.id, actor=WHO, reason=None, now_ms=NOW_MS + HOUR_MS, keys=keys)
    assert [secret.text for secret in later] == [make_key(b"5" * 32)], "what has ended is shown no more"
    audit = str(store.operations(limit=100))
    assert SECRET not in audit
    assert SECRET.removeprefix("whsec_")[:20] not in audit


def test_what_cannot_be_opened_or_recorded_is_not_revealed(store: Store) -> None:
    crm = add(store, keys=OLD)
    with pytest.raises(SealedError, match=r"crm: .*WEBHOOK_CONSOLE_KEY_FILE"):
        reveal_secret(store, crm.id, actor=WHO, reason=None, now_ms=NOW_MS, keys=NEW)
    assert last(store)[0] is OperationKind.ENDPOINT_ADD
    reader = open_store(Path(store.path), read_only=True)
    try:
        with pytest.raises(StoreError, match="read-only"):
            reveal_secret(reader, crm.id, actor=WHO, reason=None, now_ms=NOW_MS, keys=OLD)
    finally:
        reader.close()


def test_the_secrets_of_sources_leave_the_disk_too(store: Store) -> None:
    source = add_source(store, secrets=(Secret(text="canary-source"),))
    store.empty_log()
    assert b"canary-source" in on_disk(store), "else the searches below prove nothing"
    assert seal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=OLD) == 1
    store.empty_log()
    assert b"canary" not in on_disk(store)
    assert unseal_secrets(store, actor=WHO, now_ms=NOW_MS, keys=OLD) == 1
    spec = replace(source.spec, secrets=(Secret(text="canary-other"),))
    store.edit_source(source.id, spec, NOW_MS)
    store.empty_log()
    assert b"canary-source" not in on_disk(store)
    assert b"canary-other" in on_disk(store)
    store.remove_source(source.id, NOW_MS)
    store.empty_log()
    assert b"canary" not in on_disk(store)
