"""What a configuration file wants: each of its tables made into a wish, checked by itself."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from console.domain.addresses import AddressPolicy
from console.domain.alerts import FOR_S, LEAST, WINDOW_S, AlertKind, AlertSpec, parse_ratio
from console.domain.configuration import (
    KEPT,
    Text,
    Wanted,
    WantedAlert,
    WantedEndpoint,
    WantedPolicy,
    WantedSchema,
    WantedSource,
)
from console.domain.endpoint import check_name, check_url
from console.domain.errors import InvalidInputError
from console.domain.event_schema import SchemaMode
from console.domain.matching import check_pattern
from console.domain.policy import BUILT_IN, check_header, check_policy, parse_rate_limit
from console.domain.redaction import is_sensitive
from console.domain.retry import parse_duration_s
from console.domain.signing import MAX_SECRETS, check_secret
from console.domain.source import Answer, SignatureOptions, SourceKind, SourceOptions, check_source_name
from console.domain.transform import CONTENT_TYPE, Transform
from console.operations.configuration_file import ConfigurationText
from console.operations.configuration_tables import (
    AUTHORIZATION_KEYS,
    POLICY_KEYS,
    TOP_KEYS,
    AlertTable,
    EndpointTable,
    SchemaTable,
    SourceTable,
    TransformTable,
    keys_of,
)

SCHEMA_CAP_BYTES = 1024 * 1024
_DEFAULT = "default"
_ALONE = ("order_key", "client_key")
"""Right or wrong together with others only."""

Where = Sequence[str | int]


def read_configuration(text: str, *, name: str, folder: Path, environ: Mapping[str, str]) -> Wanted:
    """What a file says.

    Args:
        name: of the file, for messages.
        folder: where relative paths in it begin.
        environ: what `env:NAME` in it refers to.

    Raises:
        ConfigError: `file:line: key: what`, on the first thing that is wrong.
    """
    file = ConfigurationText(name, text, folder=folder, environ=environ)
    file.only((), list(file.data), TOP_KEYS)
    wanted = Wanted(
        defaults=_defaults(file),
        defaults_place=file.place("defaults"),
        endpoints=tuple(_endpoint(file, ("endpoints", n), raw) for n, raw in enumerate(file.tables("endpoints"))),
        sources=tuple(_source(file, ("sources", n), raw) for n, raw in enumerate(file.tables("sources"))),
        schemas=tuple(_schema(file, ("schemas", n), raw) for n, raw in enumerate(file.tables("schemas"))),
        alerts=tuple(_alert(file, ("alerts", n), raw) for n, raw in enumerate(file.tables("alerts"))),
    )
    _once(file, "endpoints", "name", [one.name for one in wanted.endpoints])
    _once(file, "sources", "name", [one.name for one in wanted.sources])
    _once(file, "schemas", "pattern", [one.pattern for one in wanted.schemas])
    return replace(wanted, warnings=tuple(file.warnings))


def _once(file: ConfigurationText, table: str, key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            raise file.wrong((table, number, key), f"{name} is there already")
        seen.add(name)


def _defaults(file: ConfigurationText) -> WantedPolicy | None:
    raw = file.data.get("defaults")
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise file.wrong(("defaults",), "is a table: [defaults]")
    file.only(("defaults",), list(raw), ("headers", *AUTHORIZATION_KEYS, *POLICY_KEYS))
    return _policy(file, ("defaults",), raw)


def _endpoint(file: ConfigurationText, where: Where, raw: dict[str, Any]) -> WantedEndpoint:
    file.only(where, list(raw), keys_of(EndpointTable))
    own = {key: value for key, value in raw.items() if key in EndpointTable.__struct_fields__}
    table = file.convert(where, own, EndpointTable)
    file.checked((*where, "name"), check_name, table.name)
    patterns = table.types.split(",") if isinstance(table.types, str) else table.types
    if not patterns:
        raise file.wrong((*where, "types"), "at least one pattern is needed (* for all)")
    return WantedEndpoint(
        place=file.place(*where),
        name=table.name,
        url=_url(file, (*where, "url"), table.url),
        types=tuple(file.checked((*where, "types"), check_pattern, p.strip()) for p in patterns),
        filter=table.when,
        transform=None if table.transform is None else _transform(table.transform),
        dry_run=table.dry_run,
        paused=table.paused,
        secrets=_secrets(file, where, table.secret, table.secrets, check_secret),
        policy=_policy(file, where, raw),
    )


def _url(file: ConfigurationText, where: Where, text: str) -> Text:
    if text == KEPT:
        return Text(value=KEPT)
    url = file.referred(where, text)
    try:
        check_url(url.value)
    except InvalidInputError as error:
        # What stands in the environment may be a secret as a whole.
        raise file.wrong(
            where, str(error) if url.origin is None else f"{url.origin} is no URL that may be sent to"
        ) from None
    return url


def _transform(table: TransformTable) -> Transform:
    return Transform(
        body=table.body,
        content_type=CONTENT_TYPE if table.content_type is None else table.content_type,
        headers=tuple(table.headers.items()),
        path=table.path,
        method=table.method,
    )


def _secrets(
    file: ConfigurationText, where: Where, one: str | None, several: list[str] | None, check: Callable[[str], str]
) -> tuple[str, ...] | None:
    if one is not None and several is not None:
        raise file.wrong((*where, "secrets"), "either secret or secrets")
    given = several if one is None else [one]
    if given is None or given == [KEPT]:
        return None
    key = "secrets" if one is None else "secret"
    if not 1 <= len(given) <= MAX_SECRETS:
        raise file.wrong((*where, key), f"1 to {MAX_SECRETS} are allowed; without it those of before are kept")
    found = [file.secret((*where, key), text) for text in given]
    for text in found:
        file.checked((*where, key), check, text)
    return tuple(dict.fromkeys(found))


def _policy(file: ConfigurationText, where: Where, raw: Mapping[str, Any]) -> WantedPolicy:
    parts: dict[str, Any] = {}
    kept: set[str] = set()
    for key, part in POLICY_KEYS.items():
        if key not in raw:
            continue
        text = _flag_text(file, (*where, key), raw[key])
        if part.field == "proxy":
            if text == KEPT:
                kept.add("proxy")
                continue
            text = file.secret((*where, key), text) if "@" in text else file.referred((*where, key), text).value
        if text.strip().lower() == _DEFAULT:
            continue
        value = file.checked((*where, key), part.parse, text)
        if part.field in ("client_certificate", "client_key") and value is not None:
            value = _path(file, (*where, key), value)
        if part.field not in _ALONE:
            file.checked((*where, key), check_policy, replace(BUILT_IN, **{part.field: value}))
        parts[part.field] = value
    _authorization(file, where, raw, parts, kept)
    headers = None if "headers" not in raw else _headers(file, (*where, "headers"), raw["headers"])
    file.checked(where, check_policy, replace(BUILT_IN, **parts))
    return WantedPolicy(parts=parts, kept=frozenset(kept), headers=headers)


def _flag_text(file: ConfigurationText, where: Where, value: object) -> str:
    """A value as the flag of the command line would have it."""
    match value:
        case bool():
            return "on" if value else "off"
        case str():
            return value
        case int() | float():
            return str(value)
        case list():
            return ",".join(_flag_text(file, where, one) for one in value)
    raise file.wrong(where, "a text, a number, true or false, or a list of them is needed")


def _path(file: ConfigurationText, where: Where, text: str) -> str:
    path = (file.folder / Path(text).expanduser()).absolute()
    if not path.is_file():
        raise file.wrong(where, f"file {text!r}: is not there")
    return str(path)


def _authorization(
    file: ConfigurationText, where: Where, raw: Mapping[str, Any], parts: dict[str, Any], kept: set[str]
) -> None:
    given = [key for key in AUTHORIZATION_KEYS if key in raw]
    if len(given) > 1:
        raise file.wrong((*where, given[1]), f"{' and '.join(given)}: one of them at most")
    for key in given:
        place = (*where, key)
        if not isinstance(raw[key], str):
            raise file.wrong(place, "a text is needed")
        if raw[key] == KEPT:
            kept.add("authorization")
            continue
        if raw[key] == "none":
            parts["authorization"] = None
            continue
        text = file.secret(place, raw[key])
        if key == "basic":
            if ":" not in text.strip(":"):
                raise file.wrong(place, "user:password is needed")
            text = "Basic " + b64encode(text.encode()).decode()
        elif key == "bearer":
            text = f"Bearer {text}"
        file.checked(place, check_policy, replace(BUILT_IN, authorization=text))
        parts["authorization"] = text


def _headers(file: ConfigurationText, where: Where, raw: object) -> tuple[tuple[str, str | None], ...]:
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise file.wrong(where, 'is a table of texts: { X-Team = "ops" }')
    found: list[tuple[str, str | None]] = []
    for name, value in raw.items():
        place = (*where, name)
        if value == KEPT:
            found.append((name, None))
            continue
        text = file.secret(place, value) if is_sensitive(name) else file.referred(place, value).value
        file.checked(place, check_header, name, text)
        found.append((name, text))
    return tuple(found)


def _source(file: ConfigurationText, where: Where, raw: dict[str, Any]) -> WantedSource:
    table = file.convert(where, raw, SourceTable)
    file.checked((*where, "name"), check_source_name, table.name)
    kinds = [kind.value for kind in SourceKind if kind is not SourceKind.CAPTURE]
    if table.kind not in kinds:
        raise file.wrong((*where, "kind"), f"one of {', '.join(kinds)}")
    for network in table.allow:
        file.checked((*where, "allow"), AddressPolicy.parse, [network])
    return WantedSource(
        place=file.place(*where),
        name=table.name,
        kind=SourceKind(table.kind),
        secrets=_secrets(file, where, table.secret, table.secrets, str),
        options=_source_options(file, where, table),
        enabled=table.enabled,
    )


def _source_options(file: ConfigurationText, where: Where, table: SourceTable) -> SourceOptions:
    def seconds(key: Where, text: str | float) -> float:
        return file.checked((*where, *key), parse_duration_s, str(text))

    said: dict[str, Any] = {"type_from": table.type_from, "id_from": table.id_from, "type_prefix": table.type_prefix}
    if table.tolerance is not None:
        said["tolerance_s"] = seconds(("tolerance",), table.tolerance)
    if table.rate_limit not in (None, "none"):
        said["rate_limit"] = file.checked((*where, "rate_limit"), parse_rate_limit, table.rate_limit or "")
    signature = {f.name: getattr(table.signature, f.name) for f in fields(SignatureOptions)}
    said["signature"] = SignatureOptions(**{key: value for key, value in signature.items() if value is not None})
    answer: dict[str, Any] = {key: getattr(table.answer, key) for key in ("status", "body", "content_type")}
    if table.answer.delay is not None:
        answer["delay_s"] = seconds(("answer", "delay"), table.answer.delay)
    said["answer"] = Answer(**{key: value for key, value in answer.items() if value is not None})
    return SourceOptions(**said, allow=tuple(table.allow))


def _schema(file: ConfigurationText, where: Where, raw: dict[str, Any]) -> WantedSchema:
    table = file.convert(where, raw, SchemaTable)
    file.checked((*where, "pattern"), check_pattern, table.pattern)
    if table.mode not in list(SchemaMode):
        raise file.wrong((*where, "mode"), f"one of {', '.join(SchemaMode)}")
    if (table.file is None) == (table.schema is None):
        raise file.wrong(where, "either file or schema is needed")
    if table.file is not None:
        text = file.json((*where, "file"), file.file((*where, "file"), table.file, SCHEMA_CAP_BYTES))
    elif isinstance(table.schema, str):
        text = file.json((*where, "schema"), table.schema)
    else:
        try:
            text = json.dumps(table.schema).encode()
        except (TypeError, RecursionError):
            raise file.wrong((*where, "schema"), "dates and times are nothing that JSON has") from None
    return WantedSchema(place=file.place(*where), pattern=table.pattern, mode=SchemaMode(table.mode), text=text)


def _alert(file: ConfigurationText, where: Where, raw: dict[str, Any]) -> WantedAlert:
    table = file.convert(where, raw, AlertTable)
    kinds: dict[str, str | float | None] = {
        "error_rate": table.error_rate,
        "backlog_age": table.backlog_age,
        "tripped": 0 if table.tripped else None,
        "engine_stalled": table.engine_stalled,
    }
    given = {key: value for key, value in kinds.items() if value is not None}
    if len(given) != 1:
        raise file.wrong(where, f"one of {', '.join(kinds)} is needed")
    ((key, value),) = given.items()
    kind = AlertKind(key)
    rate = kind is AlertKind.ERROR_RATE

    def seconds(name: str, text: str | float) -> float:
        return file.checked((*where, name), parse_duration_s, str(text))

    if not rate and (table.over is not None or table.least is not None):
        raise file.wrong(where, "over and least belong to error_rate")
    threshold = file.checked((*where, key), parse_ratio, str(value)) if rate else seconds(key, value)
    for_s = 0.0 if kind is AlertKind.ENGINE_STALLED else FOR_S
    spec = AlertSpec(
        kind=kind,
        threshold=threshold,
        window_s=0.0 if not rate else WINDOW_S if table.over is None else seconds("over", table.over),
        least=0 if not rate else LEAST if table.least is None else table.least,
        for_s=for_s if table.for_ is None else seconds("for", table.for_),
    )
    if table.endpoint is not None and kind is AlertKind.ENGINE_STALLED:
        raise file.wrong((*where, "endpoint"), "engine_stalled is about the engine")
    return WantedAlert(place=file.place(*where), spec=file.checked(where, spec.check), endpoint=table.endpoint)
