"""Files, environment and flags into frozen settings, once."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.domain.errors import ConfigError
from console.domain.sealing import NO_KEYS, Keyring

APP = "webhook-console"
STORE_VARIABLE = "WEBHOOK_CONSOLE_STORE"
ALLOW_VARIABLE = "WEBHOOK_CONSOLE_ALLOW_ADDRESSES"
TRANSPORT_VARIABLE = "WEBHOOK_CONSOLE_TRANSPORT"
KEY_VARIABLE = "WEBHOOK_CONSOLE_KEY"
KEY_FILE_VARIABLE = "WEBHOOK_CONSOLE_KEY_FILE"

_KEY_FILE_MAX_BYTES = 65_536


def data_dir(environ: Mapping[str, str]) -> Path:
    """Where stores live: `$XDG_DATA_HOME/webhook-console` (XDG Base Directory specification)."""
    base = environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / APP


def config_dir(environ: Mapping[str, str]) -> Path:
    """Where a user's own files live: `$XDG_CONFIG_HOME/webhook-console`."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / APP


def store_path(flag: Path | None, environ: Mapping[str, str] | None = None) -> Path:
    """The flag, else the environment, else `store.db` in the data folder. Always absolute."""
    environ = os.environ if environ is None else environ
    chosen = flag or (Path(environ[STORE_VARIABLE]) if environ.get(STORE_VARIABLE) else None)
    return (chosen or data_dir(environ) / "store.db").expanduser().absolute()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How an engine runs. Durations in seconds."""

    store: Path
    allow_addresses: tuple[str, ...] = ()
    """CIDR networks that endpoints may resolve to although they are private or reserved."""
    drain_s: float = 10.0
    max_in_flight: int = 1024
    """Requests on the wire at once, all endpoints together."""
    transport: str = "pyreqwest"
    send_apart: bool = True
    """Requests are made by a process of their own."""
    extra_ca_file: Path | None = None
    keys: Keyring = NO_KEYS
    """What opens the secrets that are sealed in the store."""
    search_index: bool = True
    """Keep a file of words beside the store, so that texts are found at once; else one that is there is removed."""
    stop_on_eof: bool = False
    """End when standard input closes: an engine that must not outlive the process that started it."""


def allowed_addresses(flags: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The flags, and the networks named in the environment, separated by commas or blanks."""
    environ = os.environ if environ is None else environ
    return (*flags, *environ.get(ALLOW_VARIABLE, "").replace(",", " ").split())


def keyring(key_file: Path | None, environ: Mapping[str, str] | None = None) -> Keyring:
    """The keys that seal and open secrets: of the flag's file, else of the environment; none is configured: empty.

    Raises:
        ConfigError: a key is none, two places are named, or the file can be read by others.
    """
    environ = os.environ if environ is None else environ
    if key_file is not None:
        return _keys_of(key_file)
    text, file = environ.get(KEY_VARIABLE, "").strip(), environ.get(KEY_FILE_VARIABLE, "")
    if text and file:
        raise ConfigError(f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set: unset one of them")
    if file:
        return _keys_of(Path(file).expanduser())
    return Keyring.parse(text, KEY_VARIABLE) if text else NO_KEYS


def _keys_of(path: Path) -> Keyring:
    try:
        # Not to wait for a writer, should it be a pipe.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(file).st_mode
            if not stat.S_ISREG(mode):
                raise ConfigError(f"{path}: the key file is no plain file")
            if mode & 0o077:
                said = f"{path}: the key file may be read by others (mode {stat.S_IMODE(mode):04o})"
                raise ConfigError(f"{said}: chmod 600 {path}")
            text = os.read(file, _KEY_FILE_MAX_BYTES).decode("ascii", "replace")
        finally:
            os.close(file)
    except OSError as error:
        raise ConfigError(f"{path}: the key file cannot be read: {error.strerror}") from None
    return Keyring.parse(text, str(path))
