"""The options that say how events are filtered and reshaped for an endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from console.cli.parameters import Checked
from console.domain.endpoint import EndpointSpec
from console.domain.errors import InvalidInputError
from console.domain.transform import CONTENT_TYPE, Transform

_NONE = "none"
_TEMPLATE_FILE_MAX = 256 * 1024
_PARTS = {
    "body_template": "body",
    "path_template": "path",
    "method_template": "method",
    "content_type": "content_type",
}
_NO_PART: Mapping[str, Any] = {"body": None, "path": None, "method": None, "content_type": CONTENT_TYPE}
Headers = tuple[tuple[str, str], ...]


class Nothing:
    """Given in place of a value: there is to be none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReshapingFlags:
    """What was given of a filter, a transform and a dry run."""

    wanted: str | type[Nothing] | None = None
    transform: Transform | type[Nothing] | None = None
    """A whole one, in place of what there was."""
    parts: Mapping[str, str | type[Nothing]]
    """Parts of it, by field."""
    headers: Headers = ()
    dry_run: bool | None = None

    @property
    def given(self) -> list[str]:
        """The names of what was given, for the audit log."""
        names = {"when": self.wanted, "transform": self.transform}
        found = [name for name, value in names.items() if value is not None]
        found += [name.replace("_", "-") for name, field in _PARTS.items() if field in self.parts]
        found += [f"header-template {name}" for name, _ in self.headers]
        return found if self.dry_run is None else [*found, "dry-run" if self.dry_run else "live"]

    def check(self) -> "ReshapingFlags":
        """What is wrong with what was given, whatever was there before, is wrong usage."""
        transform = self._transform(None)
        if transform is not None:
            from console.domain.templating import check_transform

            try:
                check_transform(transform)
            except InvalidInputError as error:
                raise click.UsageError(str(error)) from None
        return self

    def put_into(self, spec: EndpointSpec) -> EndpointSpec:
        """The spec with what was given."""
        transform = self._transform(_either(self.transform, spec.transform))
        dry_run = spec.dry_run if self.dry_run is None else self.dry_run
        return replace(spec, filter=_either(self.wanted, spec.filter), transform=transform, dry_run=dry_run)

    def _transform(self, before: Transform | None) -> Transform | None:
        if not self.parts and not self.headers:
            return before
        parts: dict[str, Any] = {
            field: _NO_PART[field] if value is Nothing else value for field, value in self.parts.items()
        }
        transform = replace(before or Transform(), **parts)
        headers = {name.lower(): (name, text) for name, text in transform.headers}
        for name, text in self.headers:
            headers.pop(name.lower(), None)
            if text:
                headers[name.lower()] = (name, text)
        transform = replace(transform, headers=tuple(headers.values()))
        return None if transform == Transform() else transform


def _either(given: Any, before: Any) -> Any:
    if given is None:
        return before
    return None if given is Nothing else given


def _or_nothing(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: Nothing if text.strip().lower() == _NONE else parse(text)


def filter_text(text: str) -> str:
    """Raises InvalidInputError."""
    from console.domain.templating import check_filter

    return check_filter(text)


def transform_file(text: str) -> Transform:
    """Raises InvalidInputError."""
    from console.operations.transform_trial import read_transform

    return read_transform(Path(text))


def _template(text: str) -> str:
    """A template as it was given, or out of the file that `@FILE` names."""
    if not text.startswith("@"):
        return text
    try:
        with click.open_file(text[1:], "r", encoding="utf-8") as file:
            return str(file.read(_TEMPLATE_FILE_MAX))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InvalidInputError(f"template file {text[1:]!r}: {reason}") from None


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInputError(f"{text[:60]!r}: write it as NAME=TEMPLATE, or NAME= to take it away")
    return name, _template(value)


RESHAPING_OPTIONS = (
    click.option(
        "--when",
        "wanted",
        type=Checked("filter", _or_nothing(filter_text)),
        metavar="EXPR|none",
        help="Only events for which this holds: payload.amount > 10000 and payload.currency == 'EUR'.",
    ),
    click.option(
        "--transform",
        type=Checked("transform", _or_nothing(transform_file)),
        metavar="FILE.toml|none",
        help="Reshape events: body, content_type, headers, path and method, each a template.",
    ),
    click.option(
        "--body-template",
        type=Checked("template", _or_nothing(_template)),
        metavar="TEXT|@FILE|none",
        help="The body, such as {\"text\": {{ payload.name | tojson }}}; see 'transform helpers'.",
    ),
    click.option(
        "--content-type", metavar="TYPE", help="Of that body. Default: application/json, which it then must be."
    ),
    click.option(
        "--header-template",
        "header_templates",
        type=Checked("name=template", _header),
        multiple=True,
        metavar="NAME=TEXT",
        help="A header made for each event; NAME= takes it away. Repeatable. No place for secrets.",
    ),
    click.option(
        "--path-template",
        type=Checked("template", _or_nothing(_template)),
        metavar="TEXT|none",
        help="In place of the URL's path and query: /contacts/{{ payload.id | urlencode }}.",
    ),
    click.option(
        "--method-template",
        type=Checked("template", _or_nothing(_template)),
        metavar="TEXT|none",
        help="POST, PUT, PATCH or DELETE.",
    ),
    click.option(
        "--dry-run/--live", default=None, help="Log what would be sent, with nothing sent; or send it, as is usual."
    ),
)


def reshaping_flags(kwargs: dict[str, Any]) -> ReshapingFlags:
    """Take the options out of what click has parsed."""
    given = {field: kwargs.pop(name) for name, field in _PARTS.items()}
    return ReshapingFlags(
        wanted=kwargs.pop("wanted"),
        transform=kwargs.pop("transform"),
        parts={field: value for field, value in given.items() if value is not None},
        headers=kwargs.pop("header_templates"),
        dry_run=kwargs.pop("dry_run"),
    ).check()
