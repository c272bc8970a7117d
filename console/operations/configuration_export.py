"""What there is, as a configuration file that says it. No secret is in it."""

import re
from dataclasses import asdict
from typing import Any

from console.domain.alerts import AlertKind, AlertRule
from console.domain.configuration import KEPT, Present, literal
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.event_schema import EventSchema
from console.domain.policy import BUILT_IN, POLICY_FIELDS, DeliveryPolicy
from console.domain.policy_parts import PARTS
from console.domain.redaction import is_sensitive, redact_url
from console.domain.sealing import is_sealed
from console.domain.source import Answer, SignatureOptions, Source, SourceOptions
from console.domain.transform import CONTENT_TYPE, Transform

_HEAD = f"""\
# What this store holds, without its secrets; a URL may be one, too. What is "{KEPT}" stays as it is in the store that
# the file is applied to: put "env:NAME" or "file:PATH" in its place for one that does not have it. A new endpoint gets
# a signing secret made.
"""
Table = dict[str, Any]

_PLAIN = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*[^'\x00-\x08\x0b-\x1f\x7f]")


def exported(present: Present) -> str:
    """A configuration file."""
    written = [_HEAD]
    defaults = _policy(present.defaults, _other_than_built_in(present.defaults))
    if defaults:
        _write(written, "[defaults]", defaults)
    for name, tables in (
        ("endpoints", map(_endpoint, present.endpoints)),
        ("sources", map(_source, present.sources)),
        ("schemas", map(_schema, present.schemas)),
        ("alerts", map(_alert, present.alerts)),
    ):
        for table in tables:
            _write(written, f"[[{name}]]", table)
    return "\n".join(written)


def _write(written: list[str], head: str, table: Table) -> None:
    """A table, and below it those in it: tomli-w would put them on one line where they fit."""
    lines = [head, *(_line(key, value) for key, value in table.items() if not isinstance(value, dict))]
    written.append("\n".join(lines) + "\n")
    for key, value in table.items():
        if isinstance(value, dict):
            _write(written, f"[{head.strip('[]')}.{key}]", value)


def _line(key: str, value: object) -> str:
    """A text of several lines is written as it is, so that it can be read, where TOML can say it so."""
    import tomli_w  # a command that exports nothing need not load it

    if isinstance(value, str) and "\n" in value and "'''" not in value and _PLAIN.fullmatch(value):
        return f"{key} = '''\n{value}'''"
    return tomli_w.dumps({key: value}).rstrip("\n")


def _other_than_built_in(policy: DeliveryPolicy) -> frozenset[str]:
    return frozenset(name for name in POLICY_FIELDS if getattr(policy, name) != getattr(BUILT_IN, name))


def _policy(policy: DeliveryPolicy, said: frozenset[str]) -> Table:
    table: Table = {}
    for part in PARTS:
        if part.field not in said:
            continue
        value = getattr(policy, part.field)
        secret = part.field == "authorization" or (
            part.field == "proxy" and ("@" in str(value) or is_sealed(str(value)))
        )
        table[part.flag.replace("-", "_")] = KEPT if secret and value is not None else part.show(value)
    if "headers" in said:
        table["headers"] = {
            name: KEPT if is_sensitive(name) or is_sealed(value) else literal(value) for name, value in policy.headers
        }
    return table


def _endpoint(endpoint: Endpoint) -> Table:
    url = endpoint.url if redact_url(endpoint.url) == endpoint.url else KEPT
    table: Table = {"name": endpoint.name, "url": url, "types": list(endpoint.types)}
    if endpoint.filter is not None:
        table["when"] = endpoint.filter
    if endpoint.dry_run:
        table["dry_run"] = True
    if endpoint.state is EndpointState.PAUSED and endpoint.resume_at_ms is None:
        table["paused"] = True
    table |= _policy(endpoint.policy, endpoint.own)
    if endpoint.transform is not None:
        table["transform"] = _transform(endpoint.transform)
    return table


def _transform(transform: Transform) -> Table:
    table = {name: text for name in ("body", "path", "method") if (text := getattr(transform, name)) is not None}
    if transform.content_type != CONTENT_TYPE:
        table["content_type"] = transform.content_type
    return {**table, "headers": dict(transform.headers)} if transform.headers else table


def _source(source: Source) -> Table:
    table: Table = {"name": source.name, "kind": source.kind.value}
    if source.secrets:
        table["secret"] = KEPT
    if not source.enabled:
        table["enabled"] = False
    options, plain = source.options, SourceOptions()
    for key in ("type_from", "id_from", "type_prefix"):
        if (value := getattr(options, key)) != getattr(plain, key):
            table[key] = value
    if options.tolerance_s != plain.tolerance_s:
        table["tolerance"] = _seconds(options.tolerance_s)
    if options.allow:
        table["allow"] = list(options.allow)
    if options.rate_limit is not None:
        table["rate_limit"] = str(options.rate_limit)
    for key, value, default in (
        ("signature", options.signature, SignatureOptions()), ("answer", options.answer, Answer()),
    ):  # fmt: skip
        said = {
            k.removesuffix("_s"): _seconds(v) if k.endswith("_s") else v
            for k, v in asdict(value).items()
            if v != getattr(default, k)
        }
        if said:
            table[key] = said
    return table


def _schema(schema: EventSchema) -> Table:
    return {"pattern": schema.pattern, "mode": schema.mode.value, "schema": schema.text.decode()}


def _alert(rule: AlertRule) -> Table:
    spec = rule.spec
    value: object = True if spec.kind is AlertKind.TRIPPED else _seconds(spec.threshold)
    value = spec.threshold if spec.kind is AlertKind.ERROR_RATE else value
    table: Table = {spec.kind.value: value, "for": _seconds(spec.for_s)}
    if rule.endpoint_name is not None:
        table["endpoint"] = rule.endpoint_name
    if spec.kind is AlertKind.ERROR_RATE:
        table |= {"over": _seconds(spec.window_s), "least": spec.least}
    return table


def _seconds(seconds: float) -> str:
    return f"{seconds!r}s".replace(".0s", "s")
