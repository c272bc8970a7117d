"""What arguments and options may be, with their completion in the shell. A wrong value is a usage error."""

import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click
from click.shell_completion import CompletionItem

from console.cli.invocation import invocation_of
from console.domain.delivery import DeliveryState
from console.domain.endpoint import check_name, check_url
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.event import check_event_type
from console.domain.ids import check_event_id, parse_number
from console.domain.matching import check_pattern
from console.domain.moment import parse_point
from console.domain.outcome import Cause
from console.domain.policy import check_header, parse_rate_limit
from console.domain.retry import parse_duration_s, parse_schedule_s
from console.domain.signing import check_secret

if TYPE_CHECKING:
    # Only the newest click can be subscripted when it runs.
    _ParamType = click.ParamType[Any, Any]
else:
    _ParamType = click.ParamType

E = TypeVar("E", bound=StrEnum)


class Checked(_ParamType):
    """A text that a function of the domain turns into a value, or refuses with InvalidInputError."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            value.encode()
            return self._parse(value)
        except UnicodeEncodeError:
            self.fail("not valid UTF-8", param, ctx)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)


class Words(click.Choice[str], Generic[E]):
    """One of the words of a closed list, as the value of that list."""

    def __init__(self, kind: type[E]) -> None:
        super().__init__([member.value for member in kind])
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._kind(super().convert(value, param, ctx))


class EndpointReference(Checked):
    """An endpoint's id, name, or the beginning of either; looked up when the command runs."""

    def __init__(self) -> None:
        super().__init__("endpoint", _as_it_is)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        try:
            with invocation_of(ctx).reading() as store:
                endpoints = store.endpoints()
        except ConsoleError:
            return []
        named = [CompletionItem(e.name, help=e.url) for e in endpoints if e.name.startswith(incomplete)]
        return named or [CompletionItem(e.id, help=e.name) for e in endpoints if e.id.startswith(incomplete)]


class Moment(_ParamType):
    """Epoch ms from a duration ago (`2h`), a time of the day (`14:02`: the last time it was so late) or an ISO 8601
    time (`2026-01-31T14:02Z`; without a zone: local time)."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, int):
            return value
        assert ctx is not None
        try:
            return parse_point(value, invocation_of(ctx).clock.now_ms())
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)


class FilterLine(_ParamType):
    """A line of the filter language, read. Raises QueryError, which says its place."""

    name = "filter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        # Only who filters pays for it.
        from console.domain.query import parse_query

        assert ctx is not None
        invocation = invocation_of(ctx)
        saved: dict[str, str] = {}
        if "@" in value:
            from console.saved_filters import SavedFilters

            saved = SavedFilters(invocation.environ).read()
        return parse_query(value, now_ms=invocation.clock.now_ms(), saved=saved)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """Keys, and the values of each, as the console offers them."""
        from console.domain.query import keys_of
        from console.domain.query_complete import Vocabulary, complete

        invocation = invocation_of(ctx)
        path = ctx.command_path.split()
        kind = next((kind for kind in ("attempts", "events") if kind in path), "deliveries")
        try:
            with invocation.reading() as store:
                endpoints = store.endpoints()
        except ConsoleError:
            endpoints = []
        words = Vocabulary(
            keys=keys_of(kind),
            endpoints=[one.name for one in endpoints],
            types=sorted({pattern for one in endpoints for pattern in one.types if pattern != "*"}),
            saved=_saved_filters(ctx),
        )
        offered = complete(incomplete, len(incomplete), words)
        return [CompletionItem(one.applied(incomplete), help=one.hint) for one in offered]


class SavedName(Checked):
    """The name of a filter that is saved, with or without its @."""

    def __init__(self) -> None:
        super().__init__("name", _as_it_is)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        at = "@" * incomplete.startswith("@")
        saved = _saved_filters(ctx).items()
        return [CompletionItem(at + n, help=text) for n, text in saved if n.startswith(incomplete.removeprefix("@"))]


class ThemeName(Checked):
    """The name of a theme, one that comes with the product or a file of the user's own."""

    def __init__(self) -> None:
        super().__init__("name", _as_it_is)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        from console.ui.themes import builtin_themes_dir, theme_files, user_themes_dir

        found = theme_files([builtin_themes_dir(), user_themes_dir(invocation_of(ctx).environ)])
        return [CompletionItem(name) for name in sorted(found) if name.startswith(incomplete)]


def _saved_filters(ctx: click.Context) -> Mapping[str, str]:
    from console.saved_filters import SavedFilters

    try:
        return SavedFilters(invocation_of(ctx).environ).read()
    except ConsoleError:
        return {}


def _as_it_is(text: str) -> str:
    return text


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInputError(f"header {text[:60]!r}: write it as NAME=VALUE")
    if value:
        check_header(name, value)
    return name, value


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(check_pattern(part.strip()) for part in text.split(",") if part.strip())


def read_hidden(text: str, what: str) -> str:
    """A secret as it was given, from the file that `@FILE` names, or from standard input for `-`: the last two keep it
    out of the shell's history and of the process list.

    Raises:
        InvalidInputError: the file cannot be read; `what` says what it should hold.
    """
    if text == "-":
        return sys.stdin.readline().strip()
    if not text.startswith("@"):
        return text
    try:
        with click.open_file(text[1:], "r", encoding="utf-8") as file:
            held: str = file.read(5000)
            return held.strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise InvalidInputError(f"{what} file {text[1:]!r}: {reason}") from None


def _secret(text: str) -> str:
    return check_secret(read_hidden(text, "secret"))


def _cidr(text: str) -> str:
    from console.domain.addresses import AddressPolicy

    AddressPolicy.parse([text])
    return text


ENDPOINT = EndpointReference()
STATE = Words(DeliveryState)
CAUSE = Words(Cause)
MOMENT = Moment()
FILTER = FilterLine()
SAVED = SavedName()
THEME = ThemeName()
TEXT = Checked("text", _as_it_is)
URL = Checked("url", check_url)
NAME = Checked("name", check_name)
PATTERN = Checked("pattern", check_pattern)
PATTERNS = Checked("patterns", _patterns)
SECRET = Checked("secret", _secret)
HEADER = Checked("name=value", _header)
SCHEDULE = Checked("waits", parse_schedule_s)
DURATION = Checked("duration", parse_duration_s)
CIDR = Checked("cidr", _cidr)
EVENT_TYPE = Checked("type", check_event_type)
EVENT_ID = Checked("id", check_event_id)
DELIVERY_ID = Checked("id", lambda text: parse_number("dlv", text))
ATTEMPT_ID = Checked("id", lambda text: parse_number("att", text))
OPERATION_ID = Checked("id", lambda text: parse_number("op", text))
RATE = Checked("rate", parse_rate_limit)
