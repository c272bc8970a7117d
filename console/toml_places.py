"""Where in a TOML text each key stands. Pure."""

import re
from collections.abc import Sequence
from itertools import islice

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_DEEPEST = 16
"""A path that is longer is cut: no file that we read has one, and each part costs as much as all before it."""
_QUOTES = ('"""', "'''")

Path = tuple[str | int, ...]


class TomlPlaces:
    """The line of every table and key, by path: `("endpoints", 2, "rate_limit")`. Inline tables have the line of their
    key."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        inside: str | None = None
        here: Path = ()
        for number, line in enumerate(text.splitlines(), 1):
            if inside is None:
                here = self._read(line, number, here)
            inside = _string_after(line, inside)

    def line(self, path: Sequence[str | int]) -> int:
        """Of what stands nearest above a path, should that itself not be found."""
        whole = tuple(path)
        return next((self._lines[whole[:n]] for n in range(len(whole), 0, -1) if whole[:n] in self._lines), 1)

    def _read(self, line: str, number: int, here: Path) -> Path:
        if header := _HEADER.match(line):
            here = self._table(_parts(header[2]), array=header[1] == "[[")
            self._lines.setdefault(here, number)
        elif key := _KEY.match(line):
            path = here
            for part in _parts(key[1]):
                path = (*path, part)
                self._lines.setdefault(path, number)
        return here

    def _table(self, parts: list[str], *, array: bool) -> Path:
        path: Path = ()
        for part in parts[:-1]:
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path])
        path = (*path, parts[-1])
        if array:
            self._counts[path] = self._counts.get(path, -1) + 1
            return (*path, self._counts[path])
        return path


def _parts(text: str) -> list[str]:
    parts = [found[0].strip("\"'") for found in islice(_PART.finditer(text), _DEEPEST)]
    return parts or [text]


def _string_after(line: str, inside: str | None) -> str | None:
    """Which quotes of several lines are open behind this line."""
    at = 0
    while True:
        if inside is not None:
            at = line.find(inside, at)
            if at < 0:
                return inside
            at, inside = at + 3, None
        found = [(line.find(quotes, at), quotes) for quotes in _QUOTES if line.find(quotes, at) >= 0]
        if not found:
            return None
        at, inside = min(found)
        if "#" in line[:at] and "=" not in line[:at]:
            return None
        at += 3
