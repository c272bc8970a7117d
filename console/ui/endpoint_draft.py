"""What is typed into the endpoint form: texts by field, and the endpoint that they say. Pure.

A field that nobody touched keeps its value exactly. An empty one follows the default, but for secrets, which are never
shown: of those an empty field keeps what is there, and `none` takes it away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeGuard

from console.domain.endpoint import Endpoint
from console.domain.policy import BUILT_IN, POLICY_FIELDS, DeliveryPolicy
from console.domain.policy_parts import PARTS, Part
from console.domain.redaction import REDACTED, is_sensitive
from console.domain.sealing import is_sealed

HEADER = "header."
"""How the keys of header fields begin; their number follows."""

AUTHORIZATIONS = ("basic", "bearer")
_PART_BY_FIELD = {part.field: part for part in PARTS}
FILES = ("client_certificate", "client_key")


class DraftKind(StrEnum):
    """What is written: a new endpoint, another version of one, or the defaults of all."""

    ADD = "add"
    EDIT = "edit"
    DEFAULTS = "defaults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a draft begins from. `defaults` is what an empty field means."""

    kind: DraftKind
    name: str = ""
    url: str = ""
    types: tuple[str, ...] = ()
    filter: str | None = None
    dry_run: bool = False
    policy: DeliveryPolicy
    own: frozenset[str] = frozenset()
    """The parts that are said here, and not taken over."""
    defaults: DeliveryPolicy
    taken: frozenset[str] = frozenset()
    """The names of the other endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One line of the form."""

    key: str
    label: str
    group: str
    help: str
    masked: bool = False
    """What is typed is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The texts as they stand, by field."""

    base: Base
    texts: Mapping[str, str]

    @property
    def touched(self) -> bool:
        """Whether anything was typed that is not what was there."""
        start = start_texts(self.base)
        return any(text.strip() != start.get(key, "") for key, text in self.texts.items())

    def text(self, key: str) -> str:
        return self.texts.get(key, "").strip()

    @property
    def headers(self) -> tuple[str, ...]:
        """The texts of the header fields, in order; empty ones too."""
        keys = sorted((key for key in self.texts if key.startswith(HEADER)), key=_number)
        return tuple(self.text(key) for key in keys)


# Beginning


def new_base(defaults: DeliveryPolicy, taken: frozenset[str]) -> Base:
    """To add an endpoint."""
    return Base(kind=DraftKind.ADD, policy=defaults, defaults=defaults, taken=taken)


def base_of(endpoint: Endpoint, defaults: DeliveryPolicy, taken: frozenset[str]) -> Base:
    """To edit one; `taken`: the names of all."""
    return Base(
        kind=DraftKind.EDIT,
        name=endpoint.name,
        url=endpoint.url,
        types=endpoint.types,
        filter=endpoint.filter,
        dry_run=endpoint.dry_run,
        policy=endpoint.policy,
        own=endpoint.own,
        defaults=defaults,
        taken=taken - {endpoint.name},
    )


def defaults_base(defaults: DeliveryPolicy) -> Base:
    """To edit what endpoints follow that say nothing themselves."""
    own = frozenset(field for field in POLICY_FIELDS if getattr(defaults, field) != getattr(BUILT_IN, field))
    return Base(kind=DraftKind.DEFAULTS, policy=defaults, own=own, defaults=BUILT_IN)


def start_texts(base: Base) -> dict[str, str]:
    """What the fields say before anything is typed."""
    texts = {} if base.kind is DraftKind.DEFAULTS else _own_texts(base)
    if base.kind is DraftKind.ADD:
        texts["secret"] = ""
    for part in PARTS:
        if part.field != "authorization":
            value = getattr(base.policy, part.field)
            shown = part.field in base.own and not is_hidden(part.field, value)
            texts[part.field] = part.show(value) if shown else ""
    texts |= dict.fromkeys(AUTHORIZATIONS, "")
    for number, (name, value) in enumerate(base.policy.headers):
        texts[f"{HEADER}{number}"] = header_text(name, value)
    return texts


def _own_texts(base: Base) -> dict[str, str]:
    return {
        "name": base.name,
        "url": base.url,
        "types": ",".join(base.types),
        # A field is one line; a filter that nobody touches keeps its own.
        "when": " ".join((base.filter or "").split("\n")).strip(),
        "dry_run": "yes" if base.dry_run else "",
    }


def start(base: Base) -> Draft:
    """A draft in which nothing was typed yet, with room for one header more."""
    texts = start_texts(base)
    return Draft(base=base, texts={**texts, f"{HEADER}{len(base.policy.headers)}": ""})


def is_hidden(field: str, value: Any) -> TypeGuard[str]:
    return field == "proxy" and isinstance(value, str) and ("@" in value or is_sealed(value))


def is_secret(name: str, value: str) -> bool:
    return is_sensitive(name) or is_sealed(value)


def header_text(name: str, value: str) -> str:
    return f"{name}={REDACTED if is_secret(name, value) else value}"


def _number(key: str) -> int:
    return int(key.removeprefix(HEADER))


# Fields

_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Retries", ("schedule_s", "jitter", "retry_after_cap_s", "permanent_statuses", "disable_after_s")),
    ("Limits", ("timeout_s", "connect_timeout_s", "max_in_flight", "rate_limit")),
    ("Circuit breaker", ("breaker",)),
    ("Order", ("ordering", "order_key")),
    ("Authorization", AUTHORIZATIONS),
    ("Transport", (
        "user_agent", "proxy", "client_certificate", "client_key", "http2", "obey_receiver", "handshake",
    )),
)  # fmt: skip
assert {name for _, names in _GROUPS for name in names} == (set(_PART_BY_FIELD) - {"authorization"}) | {*AUTHORIZATIONS}

_OWN_FIELDS = (
    Field(key="url", label="url", group="Endpoint", help="Where events go: an absolute http or https URL."),
    Field(key="name", label="name", group="Endpoint", help="A short name for lists and commands, without blanks."),
    Field(
        key="types", label="types", group="Endpoint",
        help="Which events: a type (invoice.paid), a branch (invoice.*) or *; several with commas.",
    ),
    Field(
        key="when", label="when", group="Endpoint",
        help="Which of them: an expression, such as payload.amount > 100. Empty: all. ^t tries it out.",
    ),
    Field(
        key="dry_run", label="dry run", group="Endpoint",
        help="yes: what would be sent is logged, and nothing is. ^t shows what its transform makes.",
    ),
    Field(
        key="secret", label="signing secret", group="Endpoint", masked=True,
        help="whsec_… or whsk_… that signs every request. Empty: one is made, and shown once.",
    ),
)  # fmt: skip
_AUTHORIZATION_FIELDS = {
    "basic": Field(
        key="basic", label="basic", group="Authorization", masked=True,
        help="USER:PASSWORD for Basic auth. Never shown back; none takes the header away.",
    ),
    "bearer": Field(
        key="bearer", label="bearer", group="Authorization", masked=True,
        help="A bearer token. Never shown back; none takes the header away.",
    ),
}  # fmt: skip


def fields_of(draft: Draft) -> tuple[Field, ...]:
    """Every field, in order."""
    start = start_texts(draft.base)
    found = [field for field in _OWN_FIELDS if field.key in start]
    for group, keys in _GROUPS:
        found += [_AUTHORIZATION_FIELDS.get(key) or _part_field(group, _PART_BY_FIELD[key]) for key in keys]
    found += [header_field(number) for number in range(len(draft.headers))]
    return tuple(found)


def header_field(number: int) -> Field:
    """The field of one header."""
    return Field(
        key=f"{HEADER}{number}",
        label="header",
        group="Headers",
        help="NAME=VALUE, sent with every request. Empty takes it away. What may be secret is never shown back.",
    )


def _part_field(group: str, part: Part) -> Field:
    return Field(key=part.field, label=part.flag, group=group, help=f"{part.help} Written as {part.form}.")


def placeholder(base: Base, key: str) -> str:
    """What an empty field means."""
    match key:
        case "url":
            return "for example https://example.com/hooks"
        case "name":
            return "default: the URL's host"
        case "types":
            return "default: * (all)"
        case "when":
            return "default: all of these types"
        case "dry_run":
            return "default: no, it is sent"
        case "secret":
            return "default: one is made, and shown once"
        case "basic" | "bearer":
            return _authorization_placeholder(base, key)
        case _ if key.startswith(HEADER):
            return "NAME=VALUE"
    part = _PART_BY_FIELD[key]
    value = getattr(base.policy, key)
    if key in base.own and is_hidden(key, value):
        return f"kept: {part.show(value)}"
    return f"default: {part.show(getattr(base.defaults, key))}"


def _authorization_placeholder(base: Base, key: str) -> str:
    value = base.policy.authorization
    here = value is not None and value.startswith("Bearer ") is (key == "bearer")
    if here:
        return f"kept: {_PART_BY_FIELD['authorization'].show(value)}"
    return "USER:PASSWORD" if key == "basic" else "TOKEN"


# Another was quicker


def same_base(one: Base, other: Base) -> bool:
    """Whether both say the same of what the form is about."""
    return replace(one, kind=other.kind, taken=other.taken) == other


def rebased(draft: Draft, base: Base) -> tuple[Draft, dict[str, str]]:
    """The draft upon what is there now: what was typed stays, everything else is as it has become.

    Returns also the fields that both changed, with what the other wrote.
    """
    before, after = start_texts(draft.base), start_texts(base)
    keys = [key for key in after if not key.startswith(HEADER)]
    texts, both = {}, {}
    for key in keys:
        mine = draft.text(key)
        if mine == before.get(key, ""):
            texts[key] = after[key]
            continue
        texts[key] = mine
        if after[key] not in (before.get(key, ""), mine):
            both[key] = after[key] or placeholder(base, key)
    return Draft(base=base, texts={**texts, **_rebased_headers(draft, base, both)}), both


def _rebased_headers(draft: Draft, base: Base, both: dict[str, str]) -> dict[str, str]:
    def shown(of: Base) -> list[str]:
        return [header_text(name, value) for name, value in of.policy.headers]

    mine, theirs = [text for text in draft.headers if text], shown(base)
    touched = mine != shown(draft.base)
    if touched and draft.base.policy.headers != base.policy.headers and mine != theirs:
        both[f"{HEADER}0"] = ", ".join(theirs) or "none"
    return {f"{HEADER}{number}": text for number, text in enumerate([*(mine if touched else theirs), ""])}
