"""What a user's console looked like when it was left: one small file of theirs, by store."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import sleep

import msgspec

from console.config import APP
from console.domain.clock import Clock

FILE_NAME = "console.json"
LARGEST_BYTES = 1 << 20
STORES_KEPT = 50
"""Stores of which anything is remembered: those that were looked at last."""

_LOCK_TRIES, _LOCK_WAIT_S = 25, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one store was looked at. Whoever uses a part checks it first: the file may have been written by anybody."""

    window: str | None = None
    """Its label."""
    endpoint: str | None = None
    """The id of the one that the screens were narrowed to."""
    filters: dict[str, str] = field(default_factory=dict)
    """By pane."""
    sort: tuple[str, bool] | None = None
    """The endpoints' column, and whether descending."""
    zoom: str | None = None
    """The pane that had the whole screen."""
    masked: bool = False
    """Whether payloads were hidden."""
    screen: str | None = None
    """The one that was open above home."""
    at_ms: int = 0
    """When it was left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """All that one console takes from the file, and puts into it."""

    look: Look = field(default_factory=Look)
    theme: str | None = None
    """Chosen in the palette; for every store."""
    theme_over: str | None = None
    """What the settings said then: a choice of before they changed no longer counts."""


@dataclass(slots=True, kw_only=True)
class _File:
    version: int = 1
    theme: str | None = None
    theme_over: str | None = None
    stores: dict[str, Look] = field(default_factory=dict)


_decode = msgspec.json.Decoder(_File).decode
_encode = msgspec.json.Encoder().encode


def state_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/webhook-console` (XDG Base Directory specification; a relative path is ignored)."""
    base = environ.get("XDG_STATE_HOME", "")
    home = Path(environ.get("HOME") or "~").expanduser()
    return (Path(base) if base.startswith("/") else home / ".local" / "state") / APP


class StateFile:
    """The file, as one console on one store uses it. Any number of consoles may: each changes its own store's part.

    Nothing of it raises: a console works as well without.
    """

    def __init__(self, folder: Path, store: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._path = folder / FILE_NAME
        self._store = str(store)

    def read(self) -> tuple[Remembered, str | None]:
        """What is remembered, and what is wrong with the file in one line. Quick: a few hundred bytes at most times."""
        try:
            file = self._load()
        except (OSError, ValueError) as error:
            return Remembered(), f"{self._path}: cannot be read ({_reason(error)}); the console begins as new"
        look = file.stores.get(self._store, Look())
        return Remembered(look=look, theme=file.theme, theme_over=file.theme_over), None

    def write(self, now: Remembered, *, theme_chosen: bool) -> str | None:
        """Keep this. Waits half a second at most. Returns what went wrong in one line.

        Args:
            theme_chosen: a theme was chosen here; else the file's stays, which another console may have written.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                file = self._load_or_new()
                if theme_chosen:
                    file.theme, file.theme_over = now.theme, now.theme_over
                file.stores[self._store] = replace(now.look, at_ms=self._clock.now_ms())
                newest = sorted(file.stores.items(), key=lambda item: -item[1].at_ms)[:STORES_KEPT]
                file.stores = dict(newest)
                self._replace(msgspec.json.format(_encode(file)))
        except OSError as error:
            return f"{self._path}: cannot be written ({_reason(error)}); nothing is remembered"
        return None

    def _load(self) -> _File:
        try:
            with self._path.open("rb") as opened:
                data = opened.read(LARGEST_BYTES + 1)
        except FileNotFoundError:
            return _File()
        if len(data) > LARGEST_BYTES:
            raise ValueError(f"larger than {LARGEST_BYTES} bytes")
        return _decode(data)

    def _load_or_new(self) -> _File:
        try:
            return self._load()
        except ValueError:  # said when it was read
            return _File()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among the consoles of this user, as long as the file is read and written anew."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for attempt in range(_LOCK_TRIES):
                try:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if attempt == _LOCK_TRIES - 1:
                        raise
                    sleep(_LOCK_WAIT_S)
            yield
        finally:
            os.close(folder)  # gives the lock back

    def _replace(self, data: bytes) -> None:
        """Whole or not at all, for this user only."""
        fresh = self._folder / f".{FILE_NAME}.{os.getpid()}"
        try:
            number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(number, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(data + b"\n")
            fresh.replace(self._path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return " ".join(str(error).split())[:120]
