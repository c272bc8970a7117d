"""The options that `endpoints add`, `endpoints edit` and `defaults edit` share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from console.cli.parameters import HEADER, NAME, PATTERNS, SECRET, Checked, read_hidden
from console.cli.transform_flags import RESHAPING_OPTIONS, ReshapingFlags, reshaping_flags
from console.domain.errors import InvalidInputError
from console.domain.policy import BUILT_IN, DeliveryPolicy, check_policy
from console.domain.policy_parts import PARTS, Part

R = TypeVar("R")
Headers = tuple[tuple[str, str], ...]


class Default:
    """Given in place of a value: the part follows the default again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFlags:
    """The parts of a policy that were given."""

    parts: Mapping[str, Any]
    """By field; `Default` to follow the default again."""
    headers: Headers

    @property
    def given(self) -> list[str]:
        """The names of what was given, for the audit log: never a value."""
        flags = [part.flag for part in PARTS if part.field in self.parts]
        return [*flags, *(f"header {name}" for name, _ in self.headers)]

    def policy(self, before: DeliveryPolicy, defaults: DeliveryPolicy) -> DeliveryPolicy:
        """The policy with what was given put into it."""
        parts = {f: getattr(defaults, f) if v is Default else v for f, v in self.parts.items()}
        return replace(before, **parts, headers=_merged(before.headers, self.headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFlags:
    """What was given; None or empty where nothing was."""

    name: str | None
    types: tuple[str, ...]
    secrets: tuple[str, ...]
    reshaping: ReshapingFlags
    policy: PolicyFlags

    @property
    def given(self) -> list[str]:
        """The names of what was given, for the audit log: never a value."""
        parts = {"name": self.name, "types": self.types, "secret": self.secrets}
        return [*(name for name, value in parts.items() if value), *self.reshaping.given, *self.policy.given]


def _merged(before: Headers, given: Headers) -> Headers:
    """Header names are told apart without regard to case; an empty value takes the header away."""
    merged = {name.lower(): (name, value) for name, value in before}
    for name, value in given:
        merged.pop(name.lower(), None)
        if value:
            merged[name.lower()] = (name, value)
    return tuple(merged.values())


def _or_default(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: Default if text.strip().lower() == "default" else parse(text)


def _path(text: str) -> str:
    """The engine runs in a folder of its own, and reads the file at each connection: the path is made whole."""
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise InvalidInputError(f"file {text!r}: is not there")
    return str(path)


def _basic(text: str) -> str:
    from base64 import b64encode

    user, colon, password = read_hidden(text, "--basic").partition(":")
    if not colon or not user:
        raise InvalidInputError("--basic: write it as USER:PASSWORD, @FILE or -")
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _bearer(text: str) -> str:
    token = read_hidden(text, "--bearer")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInputError("--bearer: a token of printable ASCII without blanks is needed")
    return f"Bearer {token}"


def _proxy(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(read_hidden(text, "--proxy"))


def _option(part: Part) -> Callable[[Callable[..., R]], Callable[..., R]]:
    parse = part.parse
    if part.field in ("client_certificate", "client_key"):
        parse = _or_none_path(parse)
    elif part.field == "proxy":
        parse = _proxy(parse)
    kind = Checked(part.flag, _or_default(_within_bounds(part.field, parse)))
    return click.option(f"--{part.flag}", part.field, type=kind, metavar=part.form, help=part.help)


def _within_bounds(field: str, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Refused before a store is made, when it is wrong whatever the other parts are."""

    def parsed(text: str) -> Any:
        value = parse(text)
        if field not in ("order_key", "client_key"):
            check_policy(replace(BUILT_IN, **{field: value}))
        return value

    return parsed


def _or_none_path(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if parse(text) is None else _path(text)


_POLICY_OPTIONS = (
    *(_option(part) for part in PARTS if part.field != "authorization"),
    click.option("--basic", type=Checked("basic", _basic), metavar="USER:PASSWORD|@FILE|-", help="Basic auth."),
    click.option("--bearer", type=Checked("bearer", _bearer), metavar="TOKEN|@FILE|-", help="A bearer token."),
    click.option("--no-auth", is_flag=True, help="No Authorization header."),
    click.option(
        "--header",
        "headers",
        type=HEADER,
        multiple=True,
        metavar="K=V",
        help="A header sent with every request. Repeatable.",
    ),
)
_OPTIONS = (
    click.option("--name", type=NAME, metavar="NAME", help="A short name for lists and commands. Default: the host."),
    click.option(
        "--types",
        type=PATTERNS,
        multiple=True,
        metavar="A,B",
        help="Which events: a type (invoice.paid), a branch (invoice.*) or *. Repeatable.",
    ),
    click.option(
        "--secret",
        "secrets",
        type=SECRET,
        multiple=True,
        metavar="whsec_…|@FILE|-",
        help="A signing secret; @FILE and - (stdin) keep it out of the shell's history. Repeatable: each one signs.",
    ),
    *RESHAPING_OPTIONS,
    *_POLICY_OPTIONS,
)


def _policy_flags(kwargs: dict[str, Any]) -> PolicyFlags:
    parts = {p.field: kwargs.pop(p.field) for p in PARTS if p.field != "authorization"}
    basic, bearer, no_auth = kwargs.pop("basic"), kwargs.pop("bearer"), kwargs.pop("no_auth")
    if sum(map(bool, (basic, bearer, no_auth))) > 1:
        raise click.UsageError("--basic, --bearer and --no-auth: one of them at most")
    given = {field: value for field, value in parts.items() if value is not None or _asked_for_none(field)}
    if basic or bearer or no_auth:
        given["authorization"] = basic or bearer
    return PolicyFlags(parts=given, headers=kwargs.pop("headers"))


def _asked_for_none(field: str) -> bool:
    """Told apart from an option that was not given: `--rate-limit none` is None too."""
    source = click.get_current_context().get_parameter_source(field)
    return source is click.core.ParameterSource.COMMANDLINE


def policy_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options of a policy to a command, which takes them as one `flags`."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        return command(*args, flags=_policy_flags(kwargs), **kwargs)

    return _with(_POLICY_OPTIONS, collected)


def endpoint_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options of an endpoint to a command, which takes them as one `flags`."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        flags = EndpointFlags(
            name=kwargs.pop("name"),
            types=tuple(dict.fromkeys(pattern for group in kwargs.pop("types") for pattern in group)),
            secrets=tuple(dict.fromkeys(kwargs.pop("secrets"))),
            reshaping=reshaping_flags(kwargs),
            policy=_policy_flags(kwargs),
        )
        return command(*args, flags=flags, **kwargs)

    return _with(_OPTIONS, collected)


def _with(options: tuple[Any, ...], command: Callable[..., R]) -> Callable[..., R]:
    for option in reversed(options):
        command = option(command)
    return command


def checked(policy: DeliveryPolicy) -> DeliveryPolicy:
    """A policy that is right as a whole: parts that are right each may not go together. Else a usage error."""
    try:
        return check_policy(policy)
    except InvalidInputError as error:
        raise click.UsageError(str(error)) from None
