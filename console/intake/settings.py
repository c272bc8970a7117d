"""How the HTTP API is served, once read from flags."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from console.domain.errors import ConfigError, InvalidInputError
from console.domain.sealing import NO_KEYS, Keyring

DEFAULT_PORT = 8400
MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen. Port 0: the system chooses."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """How requests are taken. Durations in seconds."""

    listen: Address
    tls_cert: Path | None = None
    """A PEM file; None: plain HTTP."""
    tls_key: Path | None = None
    """Its key; None: it is in the same file."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-For and X-Forwarded-Proto count."""
    public_url: str | None = None
    """Under which others reach it."""
    max_body_bytes: int = MAX_BODY_BYTES
    max_backlog: int | None = None
    """With more pending than this nothing is accepted; None: whatever the disk takes."""
    keys: Keyring = NO_KEYS
    """Seal the secrets of endpoints."""
    max_connections: int = 1000
    max_headers: int = 100
    max_head_bytes: int = 32 * 1024
    """Of a request line and its header fields."""
    request_s: float = 30.0
    """To send a whole request."""
    answer_s: float = 120.0
    """From a request's first byte to its answer's last."""
    otel: bool = False
    """Tell what is accepted to a collector."""


def parse_address(text: str) -> Address:
    """`127.0.0.1:8400`, `[::1]:8400`, `127.0.0.1`, `:8400` (every address of this machine).

    Raises:
        InvalidInputError
    """
    try:
        parts = urlsplit(f"//{text}")
        port = DEFAULT_PORT if parts.port is None else parts.port
        host = (
            "0.0.0.0" if text.startswith(":") and not text.startswith("::") else str(ip_address(parts.hostname or ""))
        )
        if parts.path or parts.query or parts.fragment or "@" in text:
            raise ValueError
    except ValueError:
        said = f"{text[:60]!r}: an address and a port such as 127.0.0.1:8400, [::1]:8400 or :8400 (all addresses)"
        raise InvalidInputError(said) from None
    return Address(host=host, port=port)


def check_settings(settings: IntakeSettings) -> IntakeSettings:
    """Raises ConfigError when parts do not go together, or a file is not there."""
    for proxy in settings.trusted_proxies:
        try:
            ip_network(proxy)
        except ValueError:
            raise ConfigError(f"--trusted-proxy {proxy[:60]!r}: a network such as 10.0.0.0/8 is needed") from None
    if settings.tls_key is not None and settings.tls_cert is None:
        raise ConfigError("--tls-key: needs --tls-cert too")
    for flag, file in (("--tls-cert", settings.tls_cert), ("--tls-key", settings.tls_key)):
        if file is not None and not file.is_file():
            raise ConfigError(f"{flag} {file}: no such file")
    return settings
