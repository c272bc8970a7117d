"""A plan in words: what a step changes, part by part, and never a secret. Pure."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, assert_never

from console.domain.alerts import AlertSpec, duration_words
from console.domain.configuration import Act, Drop, PutAlert, PutDefaults, PutEndpoint, PutSchema, PutSource, Step
from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.event_schema import SchemaMode
from console.domain.policy import DeliveryPolicy
from console.domain.policy_parts import PARTS
from console.domain.redaction import is_sensitive, redact_url
from console.domain.source import SourceKind, SourceOptions, SourceSpec
from console.domain.transform import Transform

_SIGNS = {Act.ADD: "+", Act.EDIT: "~", Act.REMOVE: "-"}
_ABSENT = {"dry_run": "no", "enabled": "yes"}
"""What it means that nothing is said of a part."""

_LONGEST = 100
"""Longer texts, and those of several lines, are shown line by line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChange:
    """One part of a thing."""

    part: str
    before: str | None
    """None: it was not there, or may not be shown."""
    after: str | None
    hidden: bool = False
    """It may hold a secret: neither is shown."""

    def __str__(self) -> str:
        if self.hidden:
            return f"{self.part} {'set' if self.before is None and self.after is not None else 'changed'}"
        if self.before is None:
            return f"{self.part} {self.after}"
        return f"{self.part} {self.before} → {'none' if self.after is None else self.after}"

    @property
    def long(self) -> bool:
        return any("\n" in text or len(text) > _LONGEST for text in (self.before, self.after) if text is not None)


def parts_of(step: Step) -> list[PartChange]:
    """What a step changes; of what is added all that is not as it would be anyway."""
    parts = list(_parts(step))
    return parts if step.act is Act.EDIT else [replace(part, before=None) for part in parts]


def _parts(step: Step) -> Iterator[PartChange]:
    match step.todo:
        case PutDefaults(before=before, policy=policy):
            return _policy(before, policy)
        case PutEndpoint():
            return _endpoint(step.todo)
        case PutSource():
            return _source(step.todo)
        case PutSchema(before=schema, mode=mode, text=text):
            old = None if schema is None else _schema(schema.mode, schema.text)
            return _differing(old, _schema(mode, text))
        case PutAlert(before=rule, spec=spec):
            return _differing(None if rule is None else _alert(rule.spec), _alert(spec))
        case Drop():
            return iter(())
    assert_never(step.todo)


def summary(step: Step) -> str:
    """`~ endpoint crm: url a → b, rate_limit 10/s → 20/s` on one line."""
    head = f"{_SIGNS[step.act]} {step.thing} {step.name}".rstrip()
    words = [f"{part.part} changed" if part.long and part.before else str(part) for part in parts_of(step)
             if not (part.long and not part.before)]  # fmt: skip
    return f"{head}: {', '.join(words)}" if words else head


def diff_lines(step: Step) -> list[str]:
    """The summary, and under it what is too long for it, line by line."""
    lines = [summary(step)]
    for part in parts_of(step):
        if part.long and not part.hidden:
            before, after = (part.before or "").splitlines(), (part.after or "").splitlines()
            lines.append(f"    {part.part}:")
            changed = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
            lines += [f"      {line}" for line in changed if not line.startswith("@@")]
    return lines


def _differing(before: dict[str, str] | None, after: dict[str, str]) -> Iterator[PartChange]:
    old = before or {}
    for name in {**old, **after}:
        if old.get(name) != after.get(name):
            absent = None if before is None else _ABSENT.get(name)
            yield PartChange(part=name, before=old.get(name, absent), after=after.get(name, absent))


def _policy(before: DeliveryPolicy, after: DeliveryPolicy) -> Iterator[PartChange]:
    for part in PARTS:
        old, new = getattr(before, part.field), getattr(after, part.field)
        if old != new:
            name, shown = part.flag.replace("-", "_"), (part.show(old), part.show(new))
            yield PartChange(part=name, before=shown[0], after=shown[1], hidden=shown[0] == shown[1])
    held, wanted = ({name.lower(): (name, value) for name, value in p.headers} for p in (before, after))
    for key in {**held, **wanted}:
        old_header, new_header = held.get(key), wanted.get(key)
        if old_header == new_header:
            continue
        name = f"headers.{(new_header or old_header or ('', ''))[0]}"
        texts = [None if one is None else one[1] for one in (old_header, new_header)]
        yield PartChange(part=name, before=texts[0], after=texts[1], hidden=is_sensitive(key))


def _endpoint(todo: PutEndpoint) -> Iterator[PartChange]:
    before, after = todo.before, todo.spec
    yield from _url(before, after, todo.url_origin)
    yield from _differing(None if before is None else _said(before), _said(after))
    if before is not None and before.secrets != after.secrets:
        yield PartChange(part="secret", before=None, after=None, hidden=True)
    yield from _policy(todo.before_policy, after.policy)
    if todo.pause is not None:
        shown = {True: "yes", False: "no"}
        yield PartChange(part="paused", before=shown[not todo.pause], after=shown[todo.pause])


def _url(before: Endpoint | None, after: EndpointSpec, origin: str | None) -> Iterator[PartChange]:
    """What stands outside of the file does so since it is nobody's business."""
    if before is not None and before.url == after.url:
        return
    if origin is not None:
        yield PartChange(part="url", before=None, after=f"of {origin}")
        return
    yield PartChange(part="url", before=None if before is None else redact_url(before.url), after=redact_url(after.url))


def _said(of: Endpoint | EndpointSpec) -> dict[str, str]:
    parts = {"types": ",".join(of.types)}
    if of.filter is not None:
        parts["when"] = of.filter
    if of.dry_run:
        parts["dry_run"] = "yes"
    if of.transform is not None:
        parts |= _transform(of.transform)
    return parts


def _transform(transform: Transform) -> dict[str, str]:
    parts = {f"transform.headers.{name}": value for name, value in transform.headers}
    plain = Transform()
    for one in fields(Transform):
        value = getattr(transform, one.name)
        if one.name != "headers" and value is not None and value != getattr(plain, one.name):
            parts[f"transform.{one.name}"] = value
    return parts or {"transform": "yes"}


def _source(todo: PutSource) -> Iterator[PartChange]:
    before = None if todo.before is None else _source_said(todo.before.spec, todo.before.enabled)
    yield from _differing(before, _source_said(todo.spec, todo.enabled))
    if todo.before is not None and todo.before.secrets != todo.spec.secrets:
        yield PartChange(part="secret", before=None, after=None, hidden=True)


def _source_said(spec: SourceSpec, enabled: bool) -> dict[str, str]:
    parts = {"kind": SourceKind(spec.kind).value}
    if not enabled:
        parts["enabled"] = "no"
    if spec.until_ms is not None:
        parts["ends"] = "yes"
    plain = _flat(SourceOptions())
    return parts | {name: text for name, text in _flat(spec.options).items() if text != plain[name]}


def _flat(options: SourceOptions) -> dict[str, str]:
    """`answer.status` and the like."""
    flat: dict[str, str] = {}
    for one in fields(SourceOptions):
        value: Any = getattr(options, one.name)
        name = one.name.removesuffix("_s")
        if one.name in ("signature", "answer"):
            flat |= {f"{name}.{key.removesuffix('_s')}": f"{inner}" for key, inner in asdict(value).items()}
        else:
            flat[name] = ",".join(value) if isinstance(value, tuple) else f"{value}"
    return flat


def _alert(spec: AlertSpec) -> dict[str, str]:
    return {"when": spec.words, "for": duration_words(spec.for_s)}


def _schema(mode: SchemaMode, text: bytes) -> dict[str, str]:
    return {"mode": mode.value, "schema": _pretty(text)}


def _pretty(text: bytes) -> str:
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
