"""What a draft of the endpoint form says, or what is wrong in it, by field. Pure, but for whether a file is there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from console.domain.endpoint import check_name, check_url, default_name
from console.domain.errors import InvalidInputError
from console.domain.matching import check_pattern, first_match
from console.domain.policy import BUILT_IN, DeliveryPolicy, check_header, check_policy
from console.domain.policy_parts import NONE_WORDS, PARTS, Part
from console.domain.redaction import REDACTED
from console.domain.signing import check_secret
from console.domain.url_warnings import url_warnings
from console.ui.endpoint_draft import (
    AUTHORIZATIONS,
    FILES,
    HEADER,
    Draft,
    DraftKind,
    header_text,
    is_hidden,
    is_secret,
    start_texts,
)

DEFAULT_WORD = "default"
_YES, _NO = ("yes", "on", "true"), ("", "no", "off", "false", "none")
_BY_THEMSELVES = ("order_key", "client_key")
"""Parts whose bounds depend on another part: they are looked at together, at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a draft says. It can be saved when there are no `errors`, which are by field; `""` is the whole form."""

    name: str
    url: str
    types: tuple[str, ...]
    filter: str | None
    dry_run: bool
    secret: str | None
    """A signing secret that was typed; None: one is made."""
    policy: DeliveryPolicy
    errors: Mapping[str, str]
    notes: Mapping[str, str]
    """What is said under a field that is right."""
    changed: tuple[str, ...]
    """The names of what differs, for the audit log: never a value."""
    words: tuple[str, ...]
    """The command line that does the same, unquoted and without secrets."""


CheckFile = Callable[[str], str]
"""From a path as it was typed to a whole one. Raises InvalidInputError when no file is there."""


def plain_file(text: str) -> str:
    """The engine runs in a folder of its own: the path is made whole. Looks at the disk."""
    try:
        path = Path(text).expanduser().absolute()
        there = path.is_file()
    except (OSError, RuntimeError, ValueError):
        there = False
    if not there:
        raise InvalidInputError(f"file {text!r}: is not there")
    return str(path)


def read(draft: Draft, check_file: CheckFile = plain_file) -> Reading:
    """What the draft says, or what is wrong in it."""
    return _Reader(draft, check_file).reading()


class _Reader:
    """One reading: what is found on the way from field to field."""

    def __init__(self, draft: Draft, check_file: CheckFile) -> None:
        self._draft, self._base, self._check_file = draft, draft.base, check_file
        self._start = start_texts(draft.base)
        self._errors: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._changed: list[str] = []
        self._flags: list[str] = []

    def reading(self) -> Reading:
        name, url, types, secret = self._base.name, self._base.url, self._base.types, None
        wanted, dry_run = self._base.filter, self._base.dry_run
        if self._base.kind is not DraftKind.DEFAULTS:
            url, name, types = self._url(), self._name(), self._types()
            wanted, dry_run = self._when(), self._dry_run()
            secret = self._secret()
        policy = self._policy()
        return Reading(
            name=name,
            url=url,
            types=types,
            filter=wanted,
            dry_run=dry_run,
            secret=secret,
            policy=policy,
            errors=self._errors,
            notes=self._notes,
            changed=tuple(self._changed),
            words=self._words(name, url),
        )

    def _words(self, name: str, url: str) -> tuple[str, ...]:
        match self._base.kind:
            case DraftKind.ADD:
                return ("endpoints", "add", url or "URL", *self._flags)
            case DraftKind.EDIT:
                return ("endpoints", "edit", self._base.name, *self._flags)
            case DraftKind.DEFAULTS:
                return ("defaults", "edit", *self._flags)

    def _note_change(self, flag: str, *values: str, name: str | None = None) -> None:
        self._changed.append(name or flag)
        self._flags += [word for value in values for word in (f"--{flag}", value)] or [f"--{flag}"]

    def _refuse(self, key: str, error: InvalidInputError) -> None:
        # In a form nobody writes flags.
        self._errors[key] = str(error).replace("--", "")

    # What the endpoint is

    def _url(self) -> str:
        text = self._draft.text("url")
        if not text:
            self._errors["url"] = "URL: is needed"
            return ""
        try:
            check_url(text)
        except InvalidInputError as error:
            self._refuse("url", error)
            return text
        if warnings := url_warnings(text):
            self._notes["url"] = "; ".join(warnings)
        if self._base.kind is DraftKind.EDIT and text != self._base.url:
            self._note_change("url", text)
        return text

    def _name(self) -> str:
        text, base = self._draft.text("name"), self._base
        if not text and base.kind is DraftKind.ADD:
            url = self._draft.text("url")
            if not url or "url" in self._errors:
                return ""
            text = free_name(url, base.taken)
            self._notes["name"] = f"it will be called {text}"
            return text
        try:
            check_name(text)
            if text in base.taken:
                raise InvalidInputError(f"name {text!r}: is taken by another endpoint")
        except InvalidInputError as error:
            self._refuse("name", error)
            return text
        if text != base.name:
            self._note_change("name", text)
        return text

    def _types(self) -> tuple[str, ...]:
        try:
            types = parse_types(self._draft.text("types"))
        except InvalidInputError as error:
            self._refuse("types", error)
            return ()
        if not types and self._base.kind is DraftKind.EDIT:
            self._errors["types"] = "types: at least one pattern is needed (* for all)"
        before = self._base.types or ("*",)
        types = types or ("*",)
        if types != before:
            self._note_change("types", ",".join(types))
        return types

    def _when(self) -> str | None:
        text = self._draft.text("when")
        if text == self._start["when"]:
            return self._base.filter
        wanted = None if not text or text.lower() in NONE_WORDS else text
        if wanted is not None:
            from console.domain.templating import check_filter

            try:
                check_filter(wanted)
            except InvalidInputError as error:
                self._refuse("when", error)
        if wanted != self._base.filter:
            self._note_change("when", wanted or "none")
        return wanted

    def _dry_run(self) -> bool:
        text = self._draft.text("dry_run").lower()
        if text not in _YES + _NO:
            self._errors["dry_run"] = "dry run: yes or no"
            return self._base.dry_run
        dry = text in _YES
        if dry:
            self._notes["dry_run"] = "nothing is sent: what would be is in its attempts"
        if dry is not self._base.dry_run:
            self._note_change("dry-run" if dry else "live", name="dry run")
        return dry

    def _secret(self) -> str | None:
        text = self._draft.text("secret")
        if not text:
            return None
        try:
            check_secret(text)
        except InvalidInputError as error:
            self._refuse("secret", error)
        self._note_change("secret", "@FILE")
        return text

    # How it is called

    def _policy(self) -> DeliveryPolicy:
        parts: dict[str, Any] = {}
        for part in PARTS:
            if part.field == "authorization":
                parts[part.field] = self._authorization()
                continue
            try:
                parts[part.field] = self._part(part)
            except InvalidInputError as error:
                self._refuse(part.field, error)
        policy = replace(self._base.policy, **parts, headers=self._headers())
        if not self._errors:
            try:
                check_policy(policy)
            except InvalidInputError as error:
                self._refuse(_field_named(str(error)), error)
        return policy

    def _part(self, part: Part) -> Any:
        text, before = self._draft.text(part.field), getattr(self._base.policy, part.field)
        if text == self._start[part.field]:
            return before
        if not text or text.lower() == DEFAULT_WORD:
            default = getattr(self._base.defaults, part.field)
            if part.field in self._base.own:
                self._notes[part.field] = f"follows the default: {part.show(default)}"
                self._note_change(part.flag, DEFAULT_WORD)
            return default
        value = part.parse(text)
        if part.field in FILES and value is not None:
            value = self._check_file(value)
        if part.field not in _BY_THEMSELVES:
            check_policy(replace(BUILT_IN, **{part.field: value}))
        if value != before:
            self._note_change(part.flag, "@FILE" if is_hidden(part.field, value) else _shown_flag(part, text, value))
        return value

    def _authorization(self) -> str | None:
        basic, bearer = (self._draft.text(key) for key in AUTHORIZATIONS)
        before = self._base.policy.authorization
        if basic and bearer:
            self._errors["bearer"] = "basic and bearer: one of them at most"
            return before
        text, key = (basic, "basic") if basic else (bearer, "bearer")
        if not text:
            return before
        if text.lower() in NONE_WORDS:
            self._notes[key] = "no Authorization header is sent"
            if before is not None:
                self._note_change("no-auth")
            return None
        try:
            value = _basic(text) if key == "basic" else _bearer(text)
        except InvalidInputError as error:
            self._refuse(key, error)
            return before
        if value != before:
            self._note_change(key, "@FILE")
        return value

    def _headers(self) -> tuple[tuple[str, str], ...]:
        before = self._base.policy.headers
        kept = {header_text(name, value): (name, value) for name, value in before}
        found: dict[str, tuple[str, str]] = {}
        for number, text in enumerate(self._draft.headers):
            if not text:
                continue
            try:
                name, value = kept.get(text) or _header(text)
                if name.lower() in found:
                    raise InvalidInputError(f"header {name}: is there twice")
            except InvalidInputError as error:
                self._refuse(f"{HEADER}{number}", error)
                continue
            found[name.lower()] = (name, value)
        self._note_headers(before, found)
        headers = tuple(found.values())
        return before if set(headers) == set(before) else headers

    def _note_headers(self, before: tuple[tuple[str, str], ...], found: Mapping[str, tuple[str, str]]) -> None:
        old = {name.lower(): (name, value) for name, value in before}
        for key in dict.fromkeys((*old, *found)):
            name, value = found.get(key) or (old[key][0], "")
            if old.get(key) != (name, value):
                shown = "…" if value and is_secret(name, value) else value
                self._note_change("header", f"{name}={shown}", name=f"header {name}")


def _shown_flag(part: Part, text: str, value: Any) -> str:
    return str(value) if part.field in FILES and value is not None else text


def _field_named(message: str) -> str:
    """The field of which an error speaks; empty when it cannot be told."""
    named = (part.field for part in PARTS if message.startswith((f"{part.flag}:", f"{part.flag} ")))
    return next(named, "")


def _basic(text: str) -> str:
    from base64 import b64encode

    user, colon, _ = text.partition(":")
    if not colon or not user:
        raise InvalidInputError("basic: write it as USER:PASSWORD")
    return "Basic " + b64encode(text.encode()).decode()


def _bearer(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInputError("bearer: a token of printable ASCII without blanks is needed")
    return f"Bearer {text}"


def _header(text: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise InvalidInputError(f"header {text[:60]!r}: write it as NAME=VALUE")
    if REDACTED in value:
        raise InvalidInputError(f"header {name[:60]}: type its value, which is not shown")
    if not value:
        raise InvalidInputError(f"header {name[:60]}: has no value; empty the line to take it away")
    check_header(name, value)
    return name, value


def parse_types(text: str) -> tuple[str, ...]:
    """Patterns separated by commas or blanks. Raises InvalidInputError."""
    return tuple(dict.fromkeys(check_pattern(part) for part in text.replace(",", " ").split()))


def free_name(url: str, taken: frozenset[str]) -> str:
    """A name made from a URL's host that no other endpoint has."""
    base = name = default_name(url)
    number = 1
    while name in taken:
        number += 1
        name = f"{base[:56]}-{number}"
    return name


# What the patterns match


def types_preview(patterns: tuple[str, ...], counts: Mapping[str, int]) -> str:
    """Which of the types that came last the patterns match, most frequent first."""
    total = sum(counts.values())
    if not total:
        return "no event has come yet to try the patterns on"
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    wanted = [name for name in ordered if first_match(patterns, name)]
    others = [name for name in ordered if name not in wanted]
    matched = sum(counts[name] for name in wanted)
    words = f"{matched:,} of the last {total:,} events"
    if wanted:
        words += f": {_listed(wanted)}"
    return f"{words} · not {_listed(others)}" if others else words


_MOST_TYPES = 4


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_TYPES
    return ", ".join(names[:_MOST_TYPES]) + (f" and {more} more" if more > 0 else "")
