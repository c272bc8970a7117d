"""A TOML file that a person writes: whatever is wrong with it is said with file and line."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from console.domain.errors import ConfigError


class TomlFile:
    """One file while it is read.

    Raises:
        ConfigError: `file:line: what`, on the first thing wrong; so do its methods.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines = text.splitlines()
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            what, line = self._syntax_error(str(error))
            raise ConfigError(f"{path}:{line}: {what}") from error
        except RecursionError:
            raise ConfigError(f"{path}:1: nested too deeply") from None

    @classmethod
    def read(cls, path: Path) -> "TomlFile":
        """The file at `path`."""
        try:
            return cls(path, path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise ConfigError(f"{path}:1: {reason}") from error

    def only(self, table: str, found: Iterable[str], known: Iterable[str]) -> None:
        """Refuse keys of a table ("" for the top) that are not known."""
        allowed = list(known)
        for key in found:
            if key not in allowed:
                raise self.wrong(table, key, f"unknown key `{key}`; known are {', '.join(allowed)}")

    def table(self, name: str) -> dict[str, Any]:
        """A table at the top; empty when it is not there."""
        table = self.data.get(name, {})
        if not isinstance(table, dict):
            raise self.wrong("", name, f"`{name}` must be a table: [{name}]")
        return table

    def texts(self, name: str) -> dict[str, str]:
        """A table whose values are all texts."""
        table = self.table(name)
        for key, value in table.items():
            if not isinstance(value, str):
                raise self.wrong(name, key, f"`{key}` must be a text in quotes")
        return table

    def wrong(self, table: str, key: str, what: str) -> ConfigError:
        """What is wrong with a key, to be raised."""
        what = what.replace("\n", " ")
        return ConfigError(f"{self.path}:{self.line_of(table, key)}: {what}")

    def line_of(self, table: str, key: str) -> int:
        """Where a key is written, or the head of its table, or line 1."""
        inside, head = "", 1
        for number, line in enumerate(self._lines, 1):
            if header := re.match(r"\s*\[\s*([^\]]*?)\s*\]", line):
                inside = header[1].strip("\"'")
                head = number if inside in (table, key) else head
            elif inside == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return number
        return head

    def _syntax_error(self, message: str) -> tuple[str, int]:
        what = re.sub(r"\s*\(at .*\)$", "", message)
        if found := re.search(r"\(at line (\d+)", message):
            return what, int(found[1])
        return what, max(1, len(self._lines))
