"""The clients of the default adapter: one for each origin, address and route."""

from datetime import timedelta
from pathlib import Path

from pyreqwest import runtime
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.http import Url
from pyreqwest.proxy import ProxyBuilder

from console.engine.transport.limits import (
    HTTP2_HEAD_LIMIT_BYTES,
    HTTP2_PING_S,
    HTTP2_PONG_WITHIN_S,
    POOL_IDLE_S,
    POOL_MAX_IDLE,
)
from console.engine.transport.profiles import Proxy, Route

# The library's second runtime serves the origins that are kept apart, and takes no more than one thread for it.
runtime.runtime_worker_threads(1)

_PEM_END = b"-----END CERTIFICATE-----"


class Target:
    """A URL as the library reads it. One parser for the guard and the connection leaves no room between them."""

    __slots__ = ("host", "is_name", "place", "port", "preferred", "scheme", "url")

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is not an http or https URL."""
        self.url = Url(text)
        self.scheme = self.url.scheme
        if self.scheme not in ("http", "https") or self.url.host_str is None:
            raise ValueError("not an http or https URL")
        self.host = self.url.host_str
        self.port = self.url.port_or_known_default or 0
        self.is_name = self.url.domain is not None
        self.place = f"{self.host}:{self.port}"
        self.preferred: str | None = None
        """The address that could be connected to when an earlier one could not."""


class Origin:
    """A client for one origin at one address, and how many of its connections are probably idle."""

    __slots__ = ("apart_until_s", "client", "fresh", "idle", "idle_until_s", "slow", "used_s")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.fresh: Client | None = None
        """A client that keeps no connection, made when first needed."""
        self.idle = 0
        self.idle_until_s = 0.0
        self.slow = False
        """Its last answer took SLOW_S or longer."""
        self.used_s = 0.0
        self.apart_until_s = 0.0
        """When its time apart is over; 0 when it is not apart."""

    def take_idle(self, now_s: float) -> bool:
        """Whether a request sent now goes over a kept-alive connection, as far as can be known."""
        if self.idle == 0:
            return False
        if now_s >= self.idle_until_s:
            self.idle = 0
            return False
        self.idle -= 1
        return True

    def put_idle(self, now_s: float) -> None:
        if self.idle < POOL_MAX_IDLE:
            self.idle += 1
        self.idle_until_s = now_s + POOL_IDLE_S


def build_client(
    target: Target,
    address: str,
    route: Route,
    connect_s: float,
    *,
    roots: tuple[bytes, ...] = (),
    keep: int = POOL_MAX_IDLE,
    apart: bool = False,
) -> Client:
    """A client that connects to `address` only: the target's, or its proxy's when the route has one.

    `keep` is how many idle connections it holds on to, `roots` is trusted beside the machine's, `apart` gives it
    to the second thread.
    Raises pyreqwest's BuilderError or ValueError when the library takes the route's certificate for unusable.
    """
    builder = (
        ClientBuilder()
        .http1_lower_case_headers()
        .follow_redirects(False)
        .gzip(False)
        .brotli(False)
        .deflate(False)
        .zstd(False)
        .no_proxy()
        .referer(False)
        .connect_timeout(timedelta(seconds=connect_s))
        .pool_idle_timeout(timedelta(seconds=POOL_IDLE_S))
        .pool_max_idle_per_host(keep)
    )
    # Said each time: left out, a client goes to the second runtime once there is one.
    builder = builder.runtime_multithreaded(apart)
    builder = _with_http2(builder) if route.http2 and target.scheme == "https" else builder.http1_only()
    for certificate in roots:
        builder = builder.add_root_certificate_pem(certificate)
    if route.identity is not None:
        builder = builder.identity_pem(route.identity.pem)
    if route.proxy is not None:
        builder = builder.proxy(_proxy(route.proxy))
        if route.proxy.is_name:
            builder = builder.resolve(route.proxy.host, address, route.proxy.port)
    elif target.is_name:
        builder = builder.resolve(target.host, address, target.port)
    return builder.build()


def _with_http2(builder: ClientBuilder) -> ClientBuilder:
    return (
        builder.http2(True)
        .http2_max_header_list_size(HTTP2_HEAD_LIMIT_BYTES)
        .http2_keep_alive_interval(timedelta(seconds=HTTP2_PING_S))
        .http2_keep_alive_timeout(timedelta(seconds=HTTP2_PONG_WITHIN_S))
    )


def _proxy(proxy: Proxy) -> ProxyBuilder:
    builder = ProxyBuilder.all(f"http://{proxy.place}")
    return builder if proxy.user is None else builder.basic_auth(proxy.user, proxy.password)


def certificates(path: Path | None) -> tuple[bytes, ...]:
    """The certificates of a PEM file one by one: the library reads only the first of several.

    Raises OSError when it cannot be read, ValueError when it holds none.
    """
    if path is None:
        return ()
    found = tuple(block + _PEM_END + b"\n" for block in path.read_bytes().split(_PEM_END)[:-1])
    if not found:
        raise ValueError(f"{path} holds no PEM certificate")
    return found
