"""The tables of a configuration file, as msgspec reads them. Policies are read apart: their keys are those of
`policy_parts`."""

from typing import Any

import msgspec

from console.domain.policy_parts import PARTS

POLICY_KEYS = {part.flag.replace("-", "_"): part for part in PARTS if part.field != "authorization"}
"""By key: the flags of the command line, with _ for -."""

AUTHORIZATION_KEYS = ("authorization", "basic", "bearer")
REFERRING = "env:NAME or file:PATH"
TOP_KEYS = ("defaults", "endpoints", "sources", "schemas", "alerts")


class TransformTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    body: str | None = None
    content_type: str | None = None
    headers: dict[str, str] = {}
    path: str | None = None
    method: str | None = None


class EndpointTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    url: str
    types: list[str] | str = "*"
    when: str | None = None
    transform: TransformTable | None = None
    dry_run: bool = False
    paused: bool | None = None
    secret: str | None = None
    secrets: list[str] | None = None


class SignatureTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    header: str | None = None
    algorithm: str | None = None
    encoding: str | None = None
    prefix: str | None = None
    timestamp_header: str | None = None


class AnswerTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    status: int | None = None
    body: str | None = None
    content_type: str | None = None
    delay: str | float | None = None


class SourceTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    kind: str
    secret: str | None = None
    secrets: list[str] | None = None
    tolerance: str | float | None = None
    type_from: str | None = None
    id_from: str | None = None
    type_prefix: str = ""
    allow: list[str] = []
    rate_limit: str | None = None
    signature: SignatureTable = msgspec.field(default_factory=SignatureTable)
    answer: AnswerTable = msgspec.field(default_factory=AnswerTable)
    enabled: bool = True


class SchemaTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pattern: str
    mode: str = "reject"
    file: str | None = None
    schema: str | dict[str, Any] | None = None


class AlertTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    error_rate: str | float | None = None
    backlog_age: str | float | None = None
    tripped: bool = False
    engine_stalled: str | float | None = None
    over: str | float | None = None
    least: int | None = None
    endpoint: str | None = None
    for_: str | float | None = msgspec.field(default=None, name="for")


_NESTED: dict[str, type[msgspec.Struct]] = {
    "transform": TransformTable,
    "signature": SignatureTable,
    "answer": AnswerTable,
}


def keys_of(table: type[msgspec.Struct], inside: str = "") -> tuple[str, ...]:
    """The keys that a table may have, or the one within it that is called `inside`."""
    keys = tuple(one.encode_name for one in msgspec.structs.fields(_NESTED.get(inside, table)))
    return (*keys, "headers", *AUTHORIZATION_KEYS, *POLICY_KEYS) if table is EndpointTable and not inside else keys
