"""Files, environment and flags into frozen settings, once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

APP = "webhook-console"
STORE_VARIABLE = "WEBHOOK_CONSOLE_STORE"
ALLOW_VARIABLE = "WEBHOOK_CONSOLE_ALLOW_ADDRESSES"
TRANSPORT_VARIABLE = "WEBHOOK_CONSOLE_TRANSPORT"


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
    extra_ca_file: Path | None = None
    stop_on_eof: bool = False
    """End when standard input closes: an engine that must not outlive the process that started it."""


def allowed_addresses(flags: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The flags, and the networks named in the environment, separated by commas or blanks."""
    environ = os.environ if environ is None else environ
    return (*flags, *environ.get(ALLOW_VARIABLE, "").replace(",", " ").split())
