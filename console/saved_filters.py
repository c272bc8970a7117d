"""Filters that a user has saved: `$XDG_CONFIG_HOME/webhook-console/filters.toml`, one `name = "filter"` a line."""

import fcntl
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from console.config import config_dir
from console.domain.errors import ConfigError, InvalidInputError
from console.domain.query_text import check_saved_name, near
from console.toml_file import TomlFile

FILE_NAME = "filters.toml"
MOST_CHARACTERS = 2000
"""Of one filter."""


class SavedFilters:
    """The file. It is read each time: another console may have changed it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.path = config_dir(environ) / FILE_NAME

    def read(self) -> dict[str, str]:
        """Filters by name; none when there is no file.

        Raises:
            ConfigError: `file:line: what`.
        """
        return self._parsed(self._text())

    def save(self, name: str, text: str) -> bool:
        """Keep a filter under a name. Returns whether the name had another before.

        Raises:
            InvalidInputError: the name cannot be one, or the text is too long or empty.
            ConfigError: the file is wrong, or cannot be written.
        """
        check_saved_name(name)
        if not text.strip() or len(text) > MOST_CHARACTERS:
            raise InvalidInputError(f"filter {name!r}: 1 to {MOST_CHARACTERS} characters can be saved")
        with self._locked():
            before = self.read()
            self._write({**before, name: text.strip()})
            return name in before

    def remove(self, name: str) -> None:
        """Forget a filter.

        Raises:
            InvalidInputError: none has this name.
            ConfigError: the file is wrong, or cannot be written.
        """
        with self._locked():
            before = self.read()
            if name not in before:
                raise InvalidInputError(f"no filter is saved as {name[:60]!r}{near(name, before)}")
            self._write({key: text for key, text in before.items() if key != name})

    def _text(self) -> str:
        try:
            return self.path.read_text("utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise ConfigError(f"{self.path}:1: {reason}") from None

    def _parsed(self, text: str) -> dict[str, str]:
        file = TomlFile(self.path, text)
        for name, value in file.data.items():
            try:
                check_saved_name(name)
            except InvalidInputError as error:
                raise file.wrong("", name, str(error)) from None
            if not isinstance(value, str):
                raise file.wrong("", name, f"`{name}` must be a filter in quotes")
        return file.data

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two consoles that save at once do not lose either's."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, filters: Mapping[str, str]) -> None:
        text = _edited(self._text(), filters)
        partial = self.path.with_name(f".{FILE_NAME}.{os.getpid()}")
        try:
            with suppress(FileNotFoundError):
                partial.unlink()
            with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)  # noqa: PTH105 - atomic on every system
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from None


def _edited(text: str, filters: Mapping[str, str]) -> str:
    """The text of the file with these filters: lines that stay keep their place, and comments stay."""
    lines, left = [], dict(filters)
    for line in text.splitlines():
        match = re.match(r"\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*=", line)
        if match is None:
            lines.append(line)
        elif match[1] in left:
            value = left.pop(match[1])
            lines.append(line if _says(line, match[1], value) else _line(match[1], value))
    lines += [_line(name, value) for name, value in left.items()]
    edited = "".join(f"{line}\n" for line in lines)
    try:
        kept = tomllib.loads(edited) == dict(filters)
    except tomllib.TOMLDecodeError:
        kept = False
    # What was written over several lines is not edited but written anew.
    return edited if kept else "".join(f"{_line(name, value)}\n" for name, value in filters.items())


def _says(line: str, name: str, value: str) -> bool:
    try:
        return tomllib.loads(line) == {name: value}
    except tomllib.TOMLDecodeError:
        return False


def _line(name: str, value: str) -> str:
    # A text of JSON is one of TOML, but for this character.
    return f"{name} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
