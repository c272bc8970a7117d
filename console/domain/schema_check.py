"""Schemas against payloads: what may be a schema, and where a payload does not match one.

Checking takes bounded time whoever writes the payload. Patterns run in linear time (no look-around, no
back-references), nothing is fetched for a `$ref`, and a payload with too many values for a large schema is not looked
at but flawed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from console.domain.errors import InvalidInputError, one_line
from console.domain.event_schema import EventSchema, Flaw
from console.domain.matching import pattern_matches
from console.domain.schema_parts import Unfolded, references
from console.domain.strict_json import depth_of, place_name, strict_value

if TYPE_CHECKING:
    import jsonschema_rs

SCHEMA_CAP_BYTES = 256 * 1024
PARTS_MOST = 20_000
"""So many parts a schema may have when each reference is followed once."""
WORK_MOST = 20_000_000
"""Parts of a schema times values of a payload: about a second at the very worst."""

_REGEX_CAP_BYTES = 1024 * 1024
"""Memory that a compiled pattern may take."""
_COMPILED_MOST = 256
_SHOWN_CAP = 60
_WHOLE = re.compile(r"\+?[0-9]{1,20}")
_REASON_CAP = 240
_PLACES_MOST = 4096
"""So many ways through a schema that refers to itself are searched for the place of a flaw."""
_VALUE = "\ufffc"
"""Stands for the payload's value in what the library says."""
_CHOICES = frozenset({"anyOf", "oneOf"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    validator: "jsonschema_rs.Validator"
    parts: int
    ways: int
    """How many references lead back to a choice that they are part of; 0: the search for a place ends by itself."""


def check_schema_text(text: bytes) -> bytes:
    """A JSON Schema without the blanks around it: draft 2020-12, or 4, 6, 7 and 2019-09 when its `$schema` says so.

    Raises:
        InvalidInputError: says what is wrong, and where in the schema.
    """
    text = text.strip()
    if len(text) > SCHEMA_CAP_BYTES:
        raise InvalidInputError(f"schema of {len(text):,} bytes: at most {SCHEMA_CAP_BYTES:,} are accepted")
    if not text:
        raise InvalidInputError("schema is empty: JSON Schema is needed")
    _compiled(text)
    return text


def schema_for(schemas: Iterable[EventSchema], event_type: str) -> EventSchema | None:
    """The one that counts for a type: `invoice.paid` before `invoice.*` before `*`."""
    matching = (one for one in schemas if not one.retired and pattern_matches(one.pattern, event_type))
    return max(matching, key=lambda one: (one.pattern == event_type, len(one.pattern), one.version), default=None)


def flaw_of(schema: EventSchema, payload: bytes) -> Flaw | None:
    """The first place at which a payload does not match; None when it matches."""
    try:
        value = strict_value(payload)
    except InvalidInputError as error:
        return _flaw(schema, "", f"is {error}")
    compiled = _compiled(schema.text)
    # Each value but the first of a list or object is behind a comma.
    values = 1 + payload.count(b",") + payload.count(b"[") + payload.count(b"{")
    if values * compiled.parts > WORK_MOST:
        return _flaw(schema, "", f"some {values:,} values are too many for a schema of {compiled.parts:,} parts")
    if compiled.validator.is_valid(value):
        return None
    # Whether it matches is decided with memory of what was seen; where it does not is searched without.
    if compiled.ways > 1 and compiled.ways ** depth_of(value) > _PLACES_MOST:
        return _flaw(schema, "", "does not match; the schema refers to itself in too many ways to say where")
    found = next(compiled.validator.iter_errors(value), None)
    if found is None:
        return _flaw(schema, "", "does not match")
    deepest = _deepest(found)
    path, found_value = _found(deepest.instance_path, value)
    return _flaw(schema, place_name(path), _reason(deepest, found_value))


def _flaw(schema: EventSchema, path: str, reason: str) -> Flaw:
    return Flaw(path=path, reason=reason, pattern=schema.pattern, version=schema.version)


def _deepest(error: "jsonschema_rs.ValidationError") -> "jsonschema_rs.ValidationError":
    """Of a choice of which nothing matched, what is wrong with the branch that came furthest."""
    branches: list[list[jsonschema_rs.ValidationError]] = (
        getattr(error.kind, "context", []) if error.kind.name in _CHOICES else []
    )
    inner = [_deepest(one) for branch in branches for one in branch[:1]]
    best = max(inner, key=lambda one: len(one.instance_path), default=error)
    return best if len(best.instance_path) > len(error.instance_path) else error


def _found(path: list[str | int], value: Any) -> tuple[list[str | int], Any]:
    """The path that is meant, and what is there. The library tells keys such as `05` as 5, and no empty ones."""
    whole: list[str | int] = []
    for step in path:
        while (key := _key(step, value)) is None and isinstance(value, dict) and "" in value:
            whole, value = [*whole, ""], value[""]
        if key is None:
            break
        whole, value = [*whole, key], value[key]
    return whole, value


def _key(step: str | int, value: Any) -> str | int | None:
    if isinstance(value, list):
        return step if isinstance(step, int) and step < len(value) else None
    if not isinstance(value, dict):
        return None
    if str(step) in value:
        return str(step)
    return next((key for key in value if _WHOLE.fullmatch(key) and int(key) == step), None)


def _reason(error: "jsonschema_rs.ValidationError", value: Any) -> str:
    """What is wrong with a value."""
    return one_line(error.message.replace(_VALUE, _shown(value)), _REASON_CAP)


def _shown(value: Any) -> str:
    """A value in a sentence, short."""
    import msgspec

    match value:
        case dict():
            return f"an object of {len(value):,}"
        case list():
            return f"a list of {len(value):,}"
        case str() if len(value) > _SHOWN_CAP:
            return msgspec.json.encode(value[:_SHOWN_CAP]).decode() + "…"
        case int() if not isinstance(value, bool) and value.bit_length() > _SHOWN_CAP * 3:
            return "a very large number"
        case _:
            return msgspec.json.encode(value).decode()


@lru_cache(maxsize=_COMPILED_MOST)
def _compiled(text: bytes) -> _Compiled:
    import jsonschema_rs

    try:
        schema = strict_value(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"schema is {error}") from None
    try:
        validator = jsonschema_rs.validator_for(
            schema,
            mask=_VALUE,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_REGEX_CAP_BYTES, dfa_size_limit=_REGEX_CAP_BYTES),
            validate_formats=True,
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise InvalidInputError(_complaint(schema, error)) from None
    unfolded = Unfolded(schema)
    if unfolded.parts > PARTS_MOST:
        raise InvalidInputError(
            f"schema has {unfolded.parts:,} parts when its references are followed: at most {PARTS_MOST:,} are accepted"
        )
    return _Compiled(validator=validator, parts=unfolded.parts, ways=unfolded.ways)


def _complaint(schema: Any, error: Exception) -> str:
    """Why something is no schema, in one line."""
    import jsonschema_rs

    for path, target in references(schema):
        if not target.startswith("#"):
            return (
                f"schema at {place_name(path)}: {_shown(target)} is not in the schema itself, and nothing is fetched:"
                " put it under $defs"
            )
    if not isinstance(error, jsonschema_rs.ValidationError):
        return one_line(f"schema: {error}", _REASON_CAP)
    found, value = _found(error.instance_path, schema)
    place = f"schema at {place_name(found)}" if found else "schema"
    if error.kind.name == "format" and getattr(error.kind, "format", "") == "regex":
        return f"{place}: no pattern that runs in linear time: look-around, back-references and large counts are not"
    return f"{place}: {_reason(error, value)}"
