"""Say what the payloads of event types must look like; each act is in the audit log."""

from console.domain.change import Change, Values
from console.domain.errors import UnknownReferenceError
from console.domain.event_schema import EventSchema, SchemaMode
from console.domain.matching import check_pattern
from console.domain.operation import OperationKind
from console.domain.schema_check import check_schema_text
from console.store.protocol import Store


def add_schema(
    store: Store, pattern: str, text: bytes, mode: SchemaMode, *, actor: str, now_ms: int, reason: str | None = None
) -> EventSchema:
    """The next version for a pattern of event types: from now on it is the one that counts.

    Raises:
        InvalidInputError: the pattern is none, or the text is no schema.
    """
    check_pattern(pattern)
    text = check_schema_text(text)
    with store.transaction():
        before = _counting(store, pattern)
        schema = store.add_schema(pattern, mode, text, now_ms)
        change = Change(subject=pattern, before={} if before is None else _values(before), after=_values(schema))
        _record(store, OperationKind.SCHEMA_ADD, schema, actor, now_ms, f"v{schema.version}, {mode}", change, reason)
    return schema


def retire_schema(store: Store, pattern: str, *, actor: str, now_ms: int, reason: str | None = None) -> EventSchema:
    """Check nothing against a pattern's schema any more. Raises UnknownReferenceError."""
    with store.transaction():
        schema = store.retire_schema(pattern, now_ms)
        change = Change(subject=pattern, before=_values(schema))
        _record(store, OperationKind.SCHEMA_RETIRE, schema, actor, now_ms, f"v{schema.version} retired", change, reason)
    return schema


def find_schema(store: Store, pattern: str, version: int | None = None) -> EventSchema:
    """The version that counts, else the newest; or a certain one.

    Raises:
        UnknownReferenceError
    """
    versions = [one for one in store.schemas(retired=True) if one.pattern == pattern]
    wanted = [one for one in versions if version in (None, one.version)]
    if not wanted:
        what = f"no schema for {pattern!r}" if not versions else f"no version {version} of the schema for {pattern}"
        raise UnknownReferenceError(f"{what}: see 'webhook-console schemas list --retired'")
    return max(wanted, key=lambda one: (not one.retired, one.version))


def _counting(store: Store, pattern: str) -> EventSchema | None:
    return next((one for one in store.schemas() if one.pattern == pattern), None)


def _values(schema: EventSchema) -> Values:
    """The text stays with its version; the audit log names it."""
    return {"version": schema.version, "mode": schema.mode.value}


def _record(
    store: Store,
    kind: OperationKind,
    schema: EventSchema,
    actor: str,
    now_ms: int,
    result: str,
    change: Change,
    reason: str | None,
) -> None:
    operation = store.begin_operation(
        kind, actor=actor, target=f"schema {schema.pattern}", reason=reason, now_ms=now_ms, change=change
    )
    store.progress_operation(operation, done=1, result=result, finished_at_ms=now_ms)
