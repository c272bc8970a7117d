"""Policies as they are kept: an endpoint's row holds what it says itself, `settings` what all endpoints default to."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from console.domain.policy import BUILT_IN, DeliveryPolicy
from console.domain.secret_parts import SECRET_PARTS, Change, change_policy

DEFAULTS = "coalesce((SELECT value FROM settings WHERE key = 'policy'), json_object())"
"""The parts of a policy that an operator has set for all endpoints, as JSON."""

_decode = msgspec.json.Decoder(DeliveryPolicy).decode
_decode_parts = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_BUILT_IN: dict[str, Any] = msgspec.to_builtins(BUILT_IN)


def policy_of(table: str) -> str:
    """The policy that counts for an endpoint's row, as an SQL expression; `table`: the row's name or alias."""
    return f"json_patch({DEFAULTS}, {table}.policy)"


@lru_cache(maxsize=4096)
def read_policy(text: str) -> DeliveryPolicy:
    """From JSON with all parts or some; the others are as built in."""
    return _decode(text)


def read_parts(text: str) -> dict[str, Any]:
    return _decode_parts(text)


def parts_text(policy: DeliveryPolicy, defaults: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """What of a policy is kept with its endpoint: what differs from the default, and what was its own and stays.

    Args:
        defaults: the parts set for all endpoints; what is not in it is as built in.
        own: the parts that the endpoint had itself before.
    """
    parts = msgspec.to_builtins(policy)
    kept = {
        name: value
        for name, value in parts.items()
        if value != defaults.get(name, _BUILT_IN[name]) or (name in own and own[name] == value)
    }
    return _encode(kept).decode()


def with_secrets(text: str, change: Change) -> str:
    """Some parts of a policy, with each secret in them changed."""
    parts, policy = read_parts(text), _decode(text)
    changed = change_policy(policy, change)
    if changed is policy:
        return text
    said = {name: msgspec.to_builtins(getattr(changed, name)) for name in SECRET_PARTS if name in parts}
    return _encode({**parts, **said}).decode()


def without_secrets(text: str) -> str:
    """Some parts of a policy, but for those that may hold a secret."""
    return _encode({name: value for name, value in read_parts(text).items() if name not in SECRET_PARTS}).decode()


def own_policy_text(text: str) -> str:
    """A policy in JSON without what is as built in."""
    return parts_text(_decode(text), {}, {})
