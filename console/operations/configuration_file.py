"""Read a configuration file: TOML, and what it refers to. Whatever is wrong is said with file, line and key."""

import difflib
import json
import re
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec

from console.domain.configuration import Text, reference
from console.domain.errors import ConfigError, InvalidInputError
from console.operations.configuration_tables import REFERRING, keys_of
from console.toml_places import TomlPlaces

FILE_CAP_BYTES = 4 * 1024 * 1024
REFERRED_CAP_BYTES = 64 * 1024
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")

S = TypeVar("S", bound=msgspec.Struct)
V = TypeVar("V")
P = ParamSpec("P")


class ConfigurationText:
    """The text of a configuration file while it is read.

    Args:
        folder: where relative paths begin: the file's own.
        environ: what `env:NAME` refers to.

    Raises:
        ConfigError: `file:line: key: what`; so do all its methods.
    """

    def __init__(self, name: str, text: str, *, folder: Path, environ: Mapping[str, str]) -> None:
        self.name, self.folder, self._environ = name, folder, environ
        self.warnings: list[str] = []
        self._places = TomlPlaces(text)
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{name}:{_line_in(str(error), text)}: {_words(str(error))}") from None
        except RecursionError:
            raise ConfigError(f"{name}:1: nested too deeply") from None

    def place(self, *path: str | int) -> str:
        """`webhooks.toml:14: endpoints[2].rate_limit`."""
        return f"{self.name}:{self._places.line(path)}: {_key(path)}"

    def wrong(self, path: Sequence[str | int], what: str) -> ConfigError:
        """What is wrong with a key, to be raised."""
        return ConfigError(f"{self.place(*path)}: {what}")

    def checked(self, path: Sequence[str | int], parse: Callable[P, V], *arguments: P.args, **named: P.kwargs) -> V:
        """What `parse` makes, whose complaint gets its place."""
        try:
            return parse(*arguments, **named)
        except InvalidInputError as error:
            raise self.wrong(path, str(error)) from None

    def only(self, path: Sequence[str | int], found: Sequence[str], known: Sequence[str]) -> None:
        """Refuse keys that are not known."""
        for key in found:
            if key not in known:
                raise self.wrong((*path, key), _unknown(key, known))

    def tables(self, name: str) -> list[dict[str, Any]]:
        """`[[name]]`, each of them."""
        found = self.data.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.wrong((name,), f"is written as [[{name}]], once for each")
        return found

    def convert(self, path: Sequence[str | int], raw: Mapping[str, Any], kind: type[S]) -> S:
        """A table as msgspec reads it."""
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            what, _, inner = str(error).partition(" - at `$")
            inside = [p for p in re.split(r"[.\[\]]+", inner.rstrip("`")) if p]
            if unknown := _UNKNOWN.fullmatch(what):
                raise self.wrong(
                    (*path, *inside, unknown[1]), _unknown(unknown[1], keys_of(kind, ".".join(inside)))
                ) from None
            if missing := _MISSING.fullmatch(what):
                raise self.wrong((*path, *inside, missing[1]), "is missing") from None
            raise self.wrong((*path, *inside), what[:1].lower() + what[1:]) from None

    def referred(self, path: Sequence[str | int], text: str) -> Text:
        """A text, or what it refers to."""
        scheme, rest = reference(text)
        if scheme == "env":
            found = self._environ.get(rest)
            if not found:
                raise self.wrong(path, f"the environment variable {rest} is not set")
            return Text(value=found, origin=text)
        if scheme == "file":
            return Text(value=self.file(path, rest, REFERRED_CAP_BYTES).strip(), origin=text)
        return Text(value=rest)

    def secret(self, path: Sequence[str | int], text: str) -> str:
        """The same, for what should not stand in the file itself."""
        said = self.referred(path, text)
        if said.origin is None:
            self.warnings.append(f"{self.place(*path)}: a secret stands in the file in clear: {REFERRING} keep it out")
        elif self._open_to_all(said.origin):
            self.warnings.append(f"{self.place(*path)}: everybody on this machine may read {said.origin}: chmod o= it")
        return said.value

    def _open_to_all(self, origin: str) -> bool:
        scheme, name = reference(origin)
        try:
            return scheme == "file" and bool((self.folder / Path(name).expanduser()).stat().st_mode & stat.S_IROTH)
        except OSError:
            return False

    def file(self, path: Sequence[str | int], name: str, cap_bytes: int) -> str:
        """The text of a file that is referred to."""
        try:
            with (self.folder / Path(name).expanduser()).open("rb") as file:
                held = file.read(cap_bytes + 1)
            if len(held) > cap_bytes:
                raise self.wrong(path, f"file {name!r}: more than {cap_bytes:,} bytes")
            return held.decode()
        except OSError as error:
            raise self.wrong(path, f"file {name!r}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self.wrong(path, f"file {name!r}: is not UTF-8 text") from None

    def json(self, path: Sequence[str | int], text: str) -> bytes:
        """A text that is JSON."""
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.wrong(path, f"is not JSON: {str(error).splitlines()[0]}") from None
        return text.strip().encode()


def read_text(path: Path) -> str:
    """A configuration file's text. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            held = file.read(FILE_CAP_BYTES + 1)
        if len(held) > FILE_CAP_BYTES:
            raise ConfigError(f"{path}:1: more than {FILE_CAP_BYTES:,} bytes")
        return held.decode()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = held[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text") from None


def _unknown(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key.replace("-", "_"), known, n=1)
    return f"unknown; did you mean {near[0]}" if near else f"unknown; known are {', '.join(known)}"


def _key(path: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _line_in(message: str, text: str) -> int:
    found = re.search(r"\(at line (\d+)", message)
    return int(found[1]) if found else max(1, len(text.splitlines()))


def _words(message: str) -> str:
    return re.sub(r"\s*\(at .*\)$", "", message).replace("\n", " ")
