"""What a command prints: clean text for people on stdout, JSON for programs, notes and errors on stderr."""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from console.config import APP
from console.domain.errors import QueryError

_COLOURS = {"strong": "1", "muted": "2", "ok": "32", "warning": "33", "error": "31", "accent": "36"}


def clean(text: str) -> str:
    """Text from outside on one line, with all that a terminal would obey made visible."""
    if text.isascii() and text.isprintable():
        return text
    # Imported here: the fast commands print nothing that needs it.
    from console.ui.format import inline

    return inline(text)


def pointed_at(problem: QueryError) -> tuple[str, str]:
    """The filter, and a line with carets under what is wrong in it."""
    before, wrong = problem.text[: problem.start], problem.text[problem.start : problem.end]
    return f"  {problem.text}", f"  {' ' * _cells(before)}{'^' * max(1, _cells(wrong))}"


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(clean(text))


def coloured() -> bool:
    """Whether stdout takes colour: a terminal that is not dumb, and no NO_COLOR (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str | None) -> str:
    """The text in a style of `strong muted ok warning error accent`, when stdout takes colour."""
    code = _COLOURS.get(style or "")
    return f"\x1b[{code}m{text}\x1b[0m" if code and text and coloured() else text


def say(text: str = "") -> None:
    """A line on stdout. The text is clean already."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A remark on stderr, beside the result."""
    _to_stderr(clean(text))


def warn(text: str) -> None:
    """Something that is probably not what was wanted, on stderr."""
    _to_stderr(f"{APP}: warning: {clean(text)}")


def error(text: str) -> None:
    """The one line that says why a command failed."""
    _to_stderr(f"{APP}: {clean(text)}")


def _to_stderr(line: str) -> None:
    # What fails here cannot be told here; a stdout that is broken is met again when it is flushed at the end.
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


_UNSAFE_IN_JSON = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def emit(record: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout, in UTF-8. What a terminal would obey is written as \\u escapes."""
    import msgspec

    line = msgspec.json.encode(record)
    if not line.isascii() or b"\x7f" in line:
        line = _UNSAFE_IN_JSON.sub(_escaped, line.decode()).encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(line + b"\n")


def flush() -> None:
    """Hand over what was printed, for a reader who watches. Raises BrokenPipeError when it has gone."""
    sys.stdout.flush()
