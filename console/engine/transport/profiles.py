"""From a connection profile to what a connection needs: the proxy's parts, and the client's certificate as it is."""

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from console.domain.outcome import Cause, ConnectionProfile
from console.engine.transport.guard import Refusal

RECHECK_S = 1.0
"""How long a client certificate serves before its files are looked at again."""

_MAX_PROFILES = 4096
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy to connect to."""

    host: str
    """As in a URL: an IPv6 address stands in brackets."""
    port: int
    is_name: bool
    """Whether the host must be resolved, rather than being an address."""
    user: str | None = None
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A client certificate with its key, both PEM."""

    certificate: Path
    key: Path | None
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Route:
    """A profile made ready. Compared by identity, which makes it a cheap key: connections of two routes are never
    shared, and a changed certificate makes a new route."""

    proxy: Proxy | None = None
    identity: Identity | None = None
    http2: bool = True


DIRECT = Route()
"""The route of DEFAULT_PROFILE."""

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(slots=True)
class _Known:
    until_s: float
    stamp: _Stamp | None
    route: Route | Refusal


class Routes:
    """Finds routes and keeps them. Reads small files in the caller's thread, at most once in RECHECK_S."""

    def __init__(self) -> None:
        self._known: dict[ConnectionProfile, _Known] = {}

    def find(self, profile: ConnectionProfile, now_s: float) -> Route | Refusal:
        """The route of a profile; TLS and a line that names the file when its certificate cannot be used, PROTOCOL
        when its proxy cannot."""
        known = self._known.get(profile)
        if known is not None and (known.stamp == () or now_s < known.until_s):
            return known.route
        stamp = _stamp(profile)
        if known is not None and stamp is not None and known.stamp == stamp:
            known.until_s = now_s + RECHECK_S
            return known.route
        if len(self._known) >= _MAX_PROFILES:
            self._known.clear()
        route = _route(profile)
        self._known[profile] = _Known(now_s + RECHECK_S, stamp, route)
        return route


def _stamp(profile: ConnectionProfile) -> _Stamp | None:
    """What tells that a file changed; None when one cannot be looked at."""
    try:
        found = [Path(name).stat() for name in (profile.client_certificate, profile.client_key) if name is not None]
    except (OSError, ValueError):
        return None
    return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)


def _route(profile: ConnectionProfile) -> Route | Refusal:
    proxy = None
    if profile.proxy is not None:
        try:
            proxy = parse_proxy(profile.proxy)
        except ValueError as error:
            return Refusal(cause=Cause.PROTOCOL, detail=f"the proxy cannot be used: {error}")
    identity = None
    if profile.client_certificate is not None:
        key = Path(profile.client_key) if profile.client_key is not None else None
        try:
            identity = read_identity(Path(profile.client_certificate), key)
        except ValueError as error:
            return Refusal(cause=Cause.TLS, detail=str(error))
    elif profile.client_key is not None:
        return Refusal(cause=Cause.TLS, detail=f"client key {profile.client_key} has no client certificate beside it")
    return Route(proxy=proxy, identity=identity, http2=profile.http2)


def parse_proxy(url: str) -> Proxy:
    """From `http://[user[:password]@]host[:port]`; the port is 80 when none is given.

    Raises ValueError saying what is wrong, without the credentials.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("its URL has a port or an address that is none") from None
    if parts.scheme != "http" or not host:
        raise ValueError("its URL is not http://host:port")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("its URL has something after the port")
    host, is_name = _checked_host(host)
    return Proxy(
        host=host,
        port=80 if port is None else port,
        is_name=is_name,
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password or ""),
    )


def _checked_host(host: str) -> tuple[str, bool]:
    """The host as in a URL, and whether it is a name. Nothing that two parsers could read as two hosts passes."""
    try:
        address = ip_address(host)
    except ValueError:
        pass
    else:
        return (f"[{address}]" if address.version == 6 else str(address)), False
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError(f"{host} is not a host name") from None
    if _NAME.fullmatch(name) is None or name.rstrip(".").rpartition(".")[2][:1].isdigit():
        raise ValueError(f"{host} is not a host name")
    return name, True


def read_identity(certificate: Path, key: Path | None) -> Identity:
    """The certificate with its key, tried out. Raises ValueError with one line that names the file."""
    pem = _read("client certificate", certificate)
    key_pem = pem if key is None else _read("client key", key)
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ValueError(f"client certificate {certificate} holds no PEM certificate")
    if b"PRIVATE KEY-----" not in key_pem:
        raise ValueError(f"client key {key or certificate} holds no PEM private key")
    if b"ENCRYPTED" in key_pem:
        # OpenSSL would ask for the password at the terminal.
        raise ValueError(f"client key {key or certificate} is encrypted: store it without a password")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"client key {key or certificate} does not belong to the certificate") from None
        raise ValueError(f"client certificate {certificate} cannot be read: {error.reason or error}") from None
    except OSError as error:
        raise ValueError(f"client certificate {certificate} cannot be read: {error.strerror}") from None
    return Identity(certificate=certificate, key=key, pem=pem if key is None else pem + b"\n" + key_pem)


def _read(what: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{what} {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{what} {path!r} is not a path") from None
