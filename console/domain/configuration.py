"""Configuration as code: what a file wants, what there is, and the steps from the one to the other. Pure.

A thing that the file speaks of is as the file says it, whole: what it leaves out of an endpoint is as the defaults have
it. Things that it does not speak of stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from console.domain.alerts import AlertRule, AlertSpec
from console.domain.endpoint import Endpoint, EndpointSpec
from console.domain.event_schema import EventSchema, SchemaMode
from console.domain.policy import DeliveryPolicy
from console.domain.source import Source, SourceKind, SourceOptions, SourceSpec
from console.domain.transform import Transform

KEPT = "kept"
"""Written in place of a secret: it stays as it is; in a store that does not have it, it is left out."""


_LITERAL = "text:"
_READ_OTHERWISE = (_LITERAL, "env:", "file:")


def literal(text: str) -> str:
    """As a file has to have it so that it is read as this very text."""
    return _LITERAL + text if text == KEPT or text.startswith(_READ_OTHERWISE) else text


def reference(text: str) -> tuple[str, str]:
    """What a text of a file refers to: `("env", "NAME")`, `("file", "PATH")`, or `("", TEXT)` for itself."""
    scheme, colon, rest = text.partition(":")
    if not colon or f"{scheme}:" not in _READ_OTHERWISE:
        return "", text
    return ("", rest) if f"{scheme}:" == _LITERAL else (scheme, rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of the file, or what it refers to."""

    value: str = field(repr=False)
    origin: str | None = None
    """`env:NAME` or `file:PATH`; None: it stands in the file itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPolicy:
    """The parts of a policy that are said."""

    parts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """By field."""
    kept: frozenset[str] = frozenset()
    """Fields that stay as they are."""
    headers: tuple[tuple[str, str | None], ...] | None = field(default=None, repr=False)
    """None: nothing is said of them. A value of None: it stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEndpoint:
    place: str
    """Where it is written: `webhooks.toml:4: endpoints[0]`."""
    name: str
    url: Text
    types: tuple[str, ...]
    filter: str | None = None
    transform: Transform | None = None
    dry_run: bool = False
    paused: bool | None = None
    """None: that is the operators' business."""
    secrets: tuple[str, ...] | None = field(default=None, repr=False)
    """None: those that it has; a new one gets one made."""
    policy: WantedPolicy = WantedPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSource:
    place: str
    name: str
    kind: SourceKind
    secrets: tuple[str, ...] | None = field(default=None, repr=False)
    """None: those that it has."""
    options: SourceOptions
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSchema:
    place: str
    pattern: str
    mode: SchemaMode
    text: bytes
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAlert:
    place: str
    spec: AlertSpec
    """Without the endpoint, which may only come to be with the same file."""
    endpoint: str | None = None
    """Its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All that a file says."""

    defaults: WantedPolicy | None = None
    """None: nothing."""
    defaults_place: str = ""
    endpoints: tuple[WantedEndpoint, ...] = ()
    sources: tuple[WantedSource, ...] = ()
    schemas: tuple[WantedSchema, ...] = ()
    alerts: tuple[WantedAlert, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is allowed and not wise, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What there is."""

    defaults: DeliveryPolicy
    endpoints: Sequence[Endpoint] = ()
    sources: Sequence[Source] = ()
    schemas: Sequence[EventSchema] = ()
    alerts: Sequence[AlertRule] = ()


Subject = Endpoint | Source | EventSchema | AlertRule


class Act(StrEnum):
    ADD = "add"
    EDIT = "edit"
    REMOVE = "remove"


class Thing(StrEnum):
    DEFAULTS = "defaults"
    ENDPOINT = "endpoint"
    SOURCE = "source"
    SCHEMA = "schema"
    ALERT = "alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDefaults:
    before: DeliveryPolicy
    policy: DeliveryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PutEndpoint:
    before: Endpoint | None
    before_policy: DeliveryPolicy
    """As the defaults of the file make it; of a new one those defaults."""
    spec: EndpointSpec
    """Without secrets: one is to be made."""
    url_origin: str | None = None
    pause: bool | None = None
    """To be paused, or resumed; None: neither."""

    @property
    def same(self) -> bool:
        """But for its pause."""
        return self.before is not None and replace(self.before.spec, policy=self.before_policy) == self.spec


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSource:
    before: Source | None
    spec: SourceSpec
    """Of a new one without secrets: one is to be made."""
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSchema:
    before: EventSchema | None
    pattern: str
    mode: SchemaMode
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAlert:
    before: AlertRule | None
    spec: AlertSpec
    endpoint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    what: Subject


Todo = PutDefaults | PutEndpoint | PutSource | PutSchema | PutAlert | Drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is not as the file wants it."""

    act: Act
    thing: Thing
    name: str
    todo: Todo
    place: str = ""
    """Of what wants it."""


def key_of(what: Subject) -> str:
    """A thing as `said_before` has it."""
    match what:
        case Endpoint():
            return f"{Thing.ENDPOINT} {what.id}"
        case Source():
            return f"{Thing.SOURCE} {what.id}"
        case EventSchema():
            return f"{Thing.SCHEMA} {what.pattern}"
        case AlertRule():
            return f"{Thing.ALERT} {what.id}"


def alert_name(spec: AlertSpec, endpoint: str | None) -> str:
    """`error-rate of crm`, `tripped`."""
    kind = spec.kind.replace("_", "-")
    return kind if endpoint is None else f"{kind} of {endpoint}"
