"""What a caller says of an endpoint, as the product has it."""

import os
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from console.domain.endpoint import Endpoint, EndpointSpec, default_name
from console.domain.errors import InvalidInputError
from console.domain.pacing import Pace
from console.domain.policy import DeliveryPolicy, check_policy, parse_rate_limit
from console.domain.policy_parts import PARTS
from console.domain.signing import SECRET_BYTES, Secret, make_secret
from console.domain.transform import Transform
from console.intake.problems import Fault, Problem
from console.intake.shapes import TransformShape
from console.store.protocol import Store

T = TypeVar("T")

_ON_THIS_MACHINE = frozenset({"client_certificate", "client_key"})
"""Parts that name files: whoever has only a token has no say in which files of this machine are read."""

_PARTS = {part.field.removesuffix("_s"): part for part in PARTS if part.field not in _ON_THIS_MACHINE}


class Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is said of an endpoint; what is left out is as it was, or as the default has it."""

    url: Annotated[str, msgspec.Meta(max_length=2048)] | UnsetType = UNSET
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    types: Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=100)] | UnsetType = (
        UNSET
    )
    """`invoice.paid`, `invoice.*`, `*`."""
    secrets: (
        Annotated[list[Annotated[str, msgspec.Meta(max_length=500)]], msgspec.Meta(min_length=1, max_length=10)]
        | UnsetType
    ) = UNSET
    """`whsec_…`: each one signs."""
    policy: dict[str, Annotated[str, msgspec.Meta(max_length=4000)]] | UnsetType = UNSET
    """Parts of the policy by name, as text: `{"timeout": "5s", "rate_limit": "50/s"}`."""
    headers: list[tuple[str, str]] | UnsetType = UNSET
    """All of the header fields that are sent beside the engine's own."""
    filter: Annotated[str, msgspec.Meta(max_length=10_000)] | UnsetType | None = UNSET
    """An expression over the payload."""
    transform: TransformShape | UnsetType | None = UNSET
    dry_run: bool | UnsetType = UNSET


def new_spec(store: Store, asked: Asked) -> tuple[EndpointSpec, str | None]:
    """The spec of a new endpoint, and the secret that was made for it; None: one was given.

    Raises:
        Problem: a part is missing or wrong.
        InvalidInputError: a part is wrong.
    """
    if isinstance(asked.url, UnsetType):
        raise _wrong("url", "is needed")
    made = make_secret(os.urandom(SECRET_BYTES)) if isinstance(asked.secrets, UnsetType) else None
    defaults = store.policy_defaults()
    spec = EndpointSpec(
        name=_or(asked.name, default_name(asked.url)),
        url=asked.url,
        types=tuple(_or(asked.types, ["*"])),
        secrets=tuple(Secret(text=text) for text in _or(asked.secrets, [made or ""])),
        policy=_policy(asked, defaults, defaults),
        filter=_or(asked.filter, None),
        transform=_transform(_or(asked.transform, None)),
        dry_run=_or(asked.dry_run, False),
    )
    return spec.check(), made


def changed_spec(store: Store, before: Endpoint, asked: Asked) -> tuple[EndpointSpec, list[str]]:
    """The spec of an endpoint with what is asked put into it, and the names of what was given: never a value."""
    changed = [name for name in Asked.__struct_fields__ if not isinstance(getattr(asked, name), UnsetType)]
    if "policy" in changed and not isinstance(asked.policy, UnsetType):
        changed[changed.index("policy")] = ", ".join(asked.policy) or "policy"
    transform = before.transform if isinstance(asked.transform, UnsetType) else _transform(asked.transform)
    secrets = before.secrets if isinstance(asked.secrets, UnsetType) else tuple(Secret(text=t) for t in asked.secrets)
    spec = EndpointSpec(
        name=_or(asked.name, before.name),
        url=_or(asked.url, before.url),
        types=before.types if isinstance(asked.types, UnsetType) else tuple(asked.types),
        secrets=secrets,
        policy=_policy(asked, before.policy, store.policy_defaults()),
        filter=_or(asked.filter, before.filter),
        transform=transform,
        dry_run=_or(asked.dry_run, before.dry_run),
    )
    return spec.check(), changed


def resume_pace(rate: str | None, now_ms: int) -> Pace | None:
    """How what waits is sent. Raises InvalidInputError."""
    return None if rate is None else Pace(per_s=parse_rate_limit(rate).per_s, ramp_s=0.0, since_ms=now_ms)


def _or(value: T | UnsetType, other: T) -> T:
    return other if isinstance(value, UnsetType) else value


def _policy(asked: Asked, before: DeliveryPolicy, defaults: DeliveryPolicy) -> DeliveryPolicy:
    parts: dict[str, Any] = {}
    for name, text in _or(asked.policy, dict[str, str]()).items():
        part = _PARTS.get(name)
        if part is None:
            where = "is set on the machine itself" if name in _ON_THIS_MACHINE else f"one of {', '.join(_PARTS)}"
            raise _wrong(f"policy.{name[:60]}", where)
        try:
            value = getattr(defaults, part.field) if text == "default" else part.parse(text)
        except InvalidInputError as problem:
            raise _wrong(f"policy.{name}", str(problem)) from None
        parts[part.field] = value
    if not isinstance(asked.headers, UnsetType):
        parts["headers"] = tuple((name, value) for name, value in asked.headers)
    try:
        return check_policy(replace(before, **parts))
    except InvalidInputError as problem:
        raise _wrong("policy", str(problem)) from None


def _transform(shape: TransformShape | None) -> Transform | None:
    if shape is None:
        return None
    return Transform(
        body=shape.body,
        content_type=shape.content_type,
        headers=tuple((name, value) for name, value in shape.headers),
        path=shape.path,
        method=shape.method,
    )


def _wrong(field: str, reason: str) -> Problem:
    return Problem(400, f"{field}: {reason}", errors=[Fault(field=field, reason=reason)])
