"""Try a filter and a transform on an event: what would be sent, with nothing sent and nothing kept."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from console.domain.errors import InvalidInputError, TransformError
from console.domain.templating import check_transform, render, wants
from console.domain.transform import CONTENT_TYPE, Rendered, Subject, Transform

_FILE_MAX_BYTES = 256 * 1024
_AS_IT_IS = Transform()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What would become of an event at an endpoint."""

    wanted: bool | None
    """What the filter says; None: there is none, or it failed."""
    made: Rendered | None
    """None: something failed."""
    error: TransformError | None = None


def try_out(subject: Subject, *, url: str, wanted: str | None, transform: Transform | None) -> Trial:
    """What a filter and a transform make of an event on its way to a URL. Both have been checked."""
    said: bool | None = None
    try:
        if wanted is not None:
            said = wants(wanted, subject)
        return Trial(wanted=said, made=render(transform or _AS_IT_IS, subject, url))
    except TransformError as error:
        return Trial(wanted=said, made=None, error=error)


class _Table(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A transform as files have it, here and in `apply`."""

    body: str | None = None
    content_type: str = CONTENT_TYPE
    headers: dict[str, str] = {}
    path: str | None = None
    method: str | None = None


def read_transform(path: Path) -> Transform:
    """A transform out of a TOML file: `body`, `content_type`, `headers`, `path` and `method`, at its top or in a table
    `[transform]`.

    Raises:
        InvalidInputError: says what is wrong with it, and where.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_FILE_MAX_BYTES + 1)
        if len(raw) > _FILE_MAX_BYTES:
            raise InvalidInputError(f"{path}: more than {_FILE_MAX_BYTES:,} bytes")
        table = tomllib.loads(raw.decode())
        found = msgspec.convert(table["transform"] if set(table) == {"transform"} else table, _Table)
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path}: not text in UTF-8") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidInputError(f"{path}: {' '.join(str(error).split())}") from None
    transform = Transform(
        body=found.body,
        content_type=found.content_type,
        headers=tuple(found.headers.items()),
        path=found.path,
        method=found.method,
    )
    try:
        return check_transform(transform)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None
