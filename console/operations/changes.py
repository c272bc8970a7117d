"""What an operator changed of a thing, as the audit log keeps it: values as JSON has them, and never a secret."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from console.domain.alerts import AlertSpec
from console.domain.change import Values
from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.policy import POLICY_FIELDS, DeliveryPolicy
from console.domain.secret_parts import SECRET_PARTS
from console.domain.source import Source
from console.domain.transform import Transform


def _as_json(value: object) -> Any:
    """As it comes back from the audit log, so that both compare: JSON has lists alone, and no tuples."""
    return msgspec.json.decode(msgspec.json.encode(value))


def policy_values(policy: DeliveryPolicy) -> Values:
    """The parts of a policy that hold no secret."""
    built: Values = _as_json(policy)
    return {name: built[name] for name in POLICY_FIELDS if name not in SECRET_PARTS}


def policy_with(policy: DeliveryPolicy, values: Mapping[str, Any]) -> DeliveryPolicy:
    """A policy with some parts as they are in `values`; names that are no part of a policy are left out."""
    built: Values = msgspec.to_builtins(policy)
    known = {name: value for name, value in values.items() if name in built}
    return msgspec.convert({**built, **known}, DeliveryPolicy)


def endpoint_values(of: Endpoint | EndpointSpec) -> Values:
    """What an operator said of an endpoint, without its secrets."""
    return {
        "name": of.name,
        "url": of.url,
        "types": list(of.types),
        "filter": of.filter,
        "transform": _as_json(of.transform),
        "dry_run": of.dry_run,
        **policy_values(of.policy),
    }


def endpoint_spec_with(spec: EndpointSpec, values: Mapping[str, Any]) -> EndpointSpec:
    """A spec with some parts as they are in `values`; what is kept of no change, such as secrets, stays as it is."""
    transform = values.get("transform", spec.transform)
    return replace(
        spec,
        name=values.get("name", spec.name),
        url=values.get("url", spec.url),
        types=tuple(values.get("types", spec.types)),
        filter=values.get("filter", spec.filter),
        transform=msgspec.convert(transform, Transform | None) if isinstance(transform, dict) else transform,
        dry_run=values.get("dry_run", spec.dry_run),
        policy=policy_with(spec.policy, values),
    )


def hidden_of_policies(before: DeliveryPolicy, after: DeliveryPolicy) -> tuple[str, ...]:
    """The parts that may hold a secret and differ."""
    return tuple(name for name in SECRET_PARTS if getattr(before, name) != getattr(after, name))


def hidden_of_endpoints(before: Endpoint | EndpointSpec, after: Endpoint | EndpointSpec) -> tuple[str, ...]:
    """The same, of whole endpoints; both as they are kept, or both open."""
    parts = hidden_of_policies(before.policy, after.policy)
    return parts if before.secrets == after.secrets else (*parts, "secrets")


def differing(before: Values, after: Values) -> tuple[Values, Values]:
    """Both, with only the parts that are not the same in them."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {n: before.get(n) for n in names}, {n: after.get(n) for n in names}


def alert_values(spec: AlertSpec) -> Values:
    """What an operator said of a rule."""
    values: Values = _as_json(spec)
    return values


def source_values(source: Source) -> Values:
    """What an operator said of a source, without its secrets."""
    options: Values = _as_json(source.options)
    return {"name": source.name, "kind": str(source.kind), "until_ms": source.until_ms, **options}


def alert_spec(values: Mapping[str, Any]) -> AlertSpec:
    """A rule's spec again."""
    return msgspec.convert(values, AlertSpec)
