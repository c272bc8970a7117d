"""The second adapter: httpx, on its transports and without its client.

An `httpx.AsyncClient` would add a cookie jar, default headers and decoding; one `AsyncHTTPTransport` for each
connection has none of them, keeps connections of two names on one address apart, and is quick to find.

Kept-alive connections. httpcore tells when a request opens a connection, so one that broke on a kept-alive connection
before any byte of an answer, within STALE_WITHIN_S, is repeated once on a connection that is certainly new.

Bytes that a receiver sends after the end of its answer would be taken by httpcore for the answer to the next request,
so a connection that has some is closed, as hyper does.

HTTP/1.1 alone is spoken, whatever the profile says: httpx needs the package `h2` for HTTP/2, which is no dependency.

A receiver that pours informational answers (100, 103) keeps the loop busy for some 50 ms for each 64 KiB of them until
the total timeout: httpcore reads through them without a pause. hyper does it on its own thread.

Behind a proxy the address that is checked and pinned is the proxy's, as with the default adapter: what is said there of
what the guard can vouch for holds here. An https receiver given as an IPv6 address cannot be reached through a proxy:
httpcore writes the CONNECT line without the brackets.
"""

import asyncio
import ssl
from base64 import b64encode
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import httpx

from console.domain.clock import Clock
from console.domain.outcome import (
    DEFAULT_PROFILE,
    RESPONSE_BODY_CAP_BYTES,
    Cause,
    Failure,
    Outcome,
    Parts,
    Request,
    Response,
)
from console.engine.transport.guard import Addresses, AddressGuard, Refusal, resolved
from console.engine.transport.httpx_causes import classify
from console.engine.transport.limits import (
    MAX_ADDRESSES_TRIED,
    MAX_ORIGINS,
    POOL_IDLE_S,
    POOL_MAX_IDLE,
    READ_LIMIT_BYTES,
    STALE_WITHIN_S,
    keep_headers,
)
from console.engine.transport.profiles import DIRECT, Route, Routes

_STEPS = tuple(f".{step}.{what}" for step in ("connect_tcp", "start_tls") for what in ("started", "complete"))
"""What httpcore tells of a connection that is made, as the ends of its events."""


class _Exchange:
    """What is known of one try while it runs."""

    __slots__ = (
        "address",
        "answered",
        "connect_s",
        "connecting",
        "ends_s",
        "now_s",
        "opened",
        "parts",
        "started_s",
        "step_s",
        "timer",
        "tunnelling",
    )

    def __init__(self, now_s: Callable[[], float], address: str, connect_s: float) -> None:
        self.now_s = now_s
        self.started_s = self.step_s = now_s()
        self.address = address
        self.connect_s = connect_s
        self.timer = asyncio.timeout(None)
        self.ends_s: float | None = None
        """When the total is over, on the loop's clock."""
        self.opened = False
        """A connection was opened for it, rather than taken from the pool."""
        self.connecting = False
        self.tunnelling = False
        """The proxy was asked for a tunnel and has not opened it yet."""
        self.answered = False
        self.parts: Parts | None = None

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Called by httpcore at each step."""
        if event.endswith(_STEPS):
            self._time(event)
        if event == "connection.connect_tcp.started":
            self.opened = self.connecting = True
            self._end_within(self.connect_s)
        elif event == "proxy.start_tls.started":
            self.tunnelling = False
        elif self.tunnelling:
            return
        elif event == "http11.send_request_headers.started":
            if info["request"].method == b"CONNECT":
                self.tunnelling = True
            else:
                self.connecting = False
                self.timer.reschedule(self.ends_s)
        elif event == "http11.receive_response_headers.complete":
            self.answered = True

    def _time(self, event: str) -> None:
        now_s, began_s = self.now_s(), self.step_s
        self.step_s = now_s
        if event.endswith(".started"):
            return
        took_ms = (now_s - began_s) * 1000
        if self.parts is None:
            self.parts = Parts()
        if "connect_tcp" in event:
            self.parts.connect_ms = took_ms
        else:
            self.parts.tls_ms = took_ms

    def _end_within(self, seconds: float) -> None:
        ends_s = asyncio.get_running_loop().time() + seconds
        if self.ends_s is None or ends_s < self.ends_s:
            self.timer.reschedule(ends_s)


class _Origin:
    """The connections of one origin at one address, each in a pool of its own that holds no other.

    httpcore looks through all connections of a pool at each request, which at 64 in flight costs most of the time.
    """

    __slots__ = ("_closed", "_make", "idle", "in_flight")

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._closed = False
        self.idle: deque[tuple[float, httpx.AsyncBaseTransport]] = deque()
        """With the time until which each may wait; the one used last is at the right."""
        self.in_flight = 0

    @asynccontextmanager
    async def connection(self, now_s: Callable[[], float], *, fresh: bool) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """The connection used last, or a new one, for one request."""
        self.in_flight += 1
        try:
            while self.idle and self.idle[0][0] <= now_s():
                await self.idle.popleft()[1].aclose()
            one = self._make() if fresh or not self.idle else self.idle.pop()[1]
            try:
                yield one
            finally:
                if _has_left_over(one):
                    await one.aclose()
                self.idle.append((now_s() + POOL_IDLE_S, one))
                if self._closed or len(self.idle) > POOL_MAX_IDLE:
                    await self.idle.popleft()[1].aclose()
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        """Close the idle connections now, those in flight as they come back."""
        self._closed = True
        while self.idle:
            await self.idle.pop()[1].aclose()


class HttpxTransport:
    """A Transport over httpx. Connects only to addresses that the guard returned."""

    def __init__(
        self,
        guard: AddressGuard,
        *,
        clock: Clock,
        extra_ca_file: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """The roots are certifi's and those of the machine; `extra_ca_file` (PEM, one or more) adds to them.

        `transport` answers instead of the network, and sees the URL as it was given.
        Raises OSError when the file cannot be read, ValueError when it holds no certificate.
        """
        self._guard = guard
        self._now_s = clock.monotonic_s
        self._injected = transport
        self._extra_ca_file = extra_ca_file
        self._tls = _tls_context(extra_ca_file)
        self._tls_of_route: WeakKeyDictionary[Route, ssl.SSLContext] = WeakKeyDictionary()
        self._routes = Routes()
        self._origins: OrderedDict[tuple[bytes, str, Route], _Origin] = OrderedDict()

    async def send(self, request: Request) -> Outcome:
        started_s = self._now_s()
        try:
            url = httpx.URL(request.url)
            host = url.raw_host.decode("ascii")
            if url.scheme not in ("http", "https") or not host:
                raise ValueError("not an http or https URL")
        except (httpx.InvalidURL, ValueError) as error:
            return self._failure(Cause.PROTOCOL, f"the URL cannot be used: {error}", started_s, None)
        route = DIRECT if request.profile is DEFAULT_PROFILE else self._routes.find(request.profile, started_s)
        if isinstance(route, Route) and route.proxy is not None:
            route = self._guard.check_unresolved(host) or route
        if isinstance(route, Refusal):
            return self._failure(route.cause, route.detail, started_s, None)
        reached = host if route.proxy is None else route.proxy.host
        addresses = self._guard.cached(reached)
        if addresses is not None:
            return await self._try_addresses(request, url, route, addresses, started_s)
        addresses = await self._guard.check(reached, timeout_s=request.connect_timeout_s)
        took_ms = (self._now_s() - started_s) * 1000
        outcome = await self._try_addresses(request, url, route, addresses, started_s)
        return resolved(outcome, reached, took_ms)

    async def _try_addresses(
        self, request: Request, url: httpx.URL, route: Route, addresses: Addresses | Refusal, started_s: float
    ) -> Outcome:
        if isinstance(addresses, Refusal):
            detail = addresses.detail if route.proxy is None else f"the proxy: {addresses.detail}"
            return self._failure(addresses.cause, detail, started_s, None)
        for address in addresses[:MAX_ADDRESSES_TRIED]:
            outcome = await self._try_address(request, url, route, address, started_s)
            if not isinstance(outcome, Failure) or outcome.cause not in (Cause.REFUSED, Cause.TIMEOUT_CONNECT):
                break
            if self._now_s() - started_s >= request.total_timeout_s:
                break
        return outcome

    async def aclose(self) -> None:
        """Close every idle connection. Sends in flight end as they would have."""
        origins = list(self._origins.values())
        self._origins.clear()
        for origin in origins:
            await origin.aclose()

    async def _try_address(
        self, request: Request, url: httpx.URL, route: Route, address: str, started_s: float
    ) -> Outcome:
        try:
            origin = await self._origin(url, route, address)
        except (ssl.SSLError, OSError) as error:
            # The file was good when the route was made, and no longer is.
            name = "" if route.identity is None else route.identity.certificate
            return self._failure(Cause.TLS, f"client certificate {name} cannot be read: {error}", started_s, None)
        exchange = _Exchange(self._now_s, address, request.connect_timeout_s)
        async with origin.connection(self._now_s, fresh=False) as connection:
            outcome = await self._exchange(connection, request, url, route, exchange, started_s)
        if not self._is_stale(exchange, outcome):
            return outcome
        exchange = _Exchange(self._now_s, address, request.connect_timeout_s)
        async with origin.connection(self._now_s, fresh=True) as connection:
            again = await self._exchange(connection, request, url, route, exchange, started_s)
        if isinstance(again, Failure) and isinstance(outcome, Failure):
            # The first request may have been acted on, so its cause stays even when the second was refused.
            detail = f"{outcome.detail}; again on a new connection: {again.detail}"
            return self._failure(outcome.cause, detail, started_s, address)
        return again

    def _is_stale(self, exchange: _Exchange, outcome: Outcome) -> bool:
        return (
            self._injected is None
            and isinstance(outcome, Failure)
            and outcome.cause is Cause.RESET
            and not exchange.opened
            and not exchange.answered
            and self._now_s() - exchange.started_s < STALE_WITHIN_S
        )

    async def _exchange(
        self,
        connection: httpx.AsyncBaseTransport,
        request: Request,
        url: httpx.URL,
        route: Route,
        exchange: _Exchange,
        started_s: float,
    ) -> Outcome:
        outcome = await self._answer_or_failure(connection, request, url, route, exchange, started_s)
        return outcome if exchange.parts is None else replace(outcome, parts=exchange.parts)

    async def _answer_or_failure(
        self,
        connection: httpx.AsyncBaseTransport,
        request: Request,
        url: httpx.URL,
        route: Route,
        exchange: _Exchange,
        started_s: float,
    ) -> Outcome:
        place = f"{url.host}:{url.port or {'http': 80, 'https': 443}[url.scheme]}"
        if route.proxy is not None:
            place += f" through the proxy {route.proxy.place}"
        exchange.ends_s = asyncio.get_running_loop().time() + request.total_timeout_s - (self._now_s() - started_s)
        exchange.timer = asyncio.timeout_at(exchange.ends_s)
        try:
            async with exchange.timer:
                wire = self._wire_request(request, url, route, exchange)
                return await self._answer(
                    await connection.handle_async_request(wire), exchange.address, started_s, place
                )
        except TimeoutError:
            cause = Cause.TIMEOUT_CONNECT if exchange.connecting else Cause.TIMEOUT_READ
            detail = "no connection in time" if exchange.connecting else "no whole answer in time"
        except (httpx.TransportError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            cause, detail = classify(error)
            if exchange.tunnelling and cause is not Cause.TIMEOUT_CONNECT:
                cause, detail = Cause.REFUSED, f"the proxy opened no tunnel: {detail}"
        return self._failure(cause, f"{place}: {detail}", started_s, exchange.address)

    async def _answer(self, answer: httpx.Response, address: str, started_s: float, place: str) -> Outcome:
        """Reads up to the cap and lets go of the connection. Raises what httpx raises."""
        first_byte_s = self._now_s()
        body = bytearray()
        try:
            if answer.status_code < 200:
                detail = f"{place}: unasked-for status {answer.status_code}"
                return self._failure(Cause.PROTOCOL, detail, started_s, address)
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            # The stream itself gives the bytes of the wire, and those of a response made in memory too.
            async for chunk in answer.stream:
                body += chunk
                if len(body) >= READ_LIMIT_BYTES:
                    break
        finally:
            await answer.aclose()
        return Response(
            status=answer.status_code,
            headers=keep_headers(
                tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw)
            ),
            body=bytes(body[:RESPONSE_BODY_CAP_BYTES]),
            body_truncated=len(body) > RESPONSE_BODY_CAP_BYTES,
            first_byte_ms=(first_byte_s - started_s) * 1000,
            total_ms=(self._now_s() - started_s) * 1000,
            remote_address=address,
        )

    def _wire_request(self, request: Request, url: httpx.URL, route: Route, exchange: _Exchange) -> httpx.Request:
        headers = [("host", url.netloc.decode("ascii")), *request.headers]
        if url.userinfo and not any(name.lower() == "authorization" for name, _ in request.headers):
            credentials = b64encode(f"{url.username}:{url.password}".encode()).decode("ascii")
            headers.append(("authorization", f"Basic {credentials}"))
        timeouts = {"connect": request.connect_timeout_s, "read": None, "write": None, "pool": None}
        extensions: dict[str, Any] = {"timeout": timeouts, "trace": exchange.trace}
        host = url.raw_host.decode("ascii")
        if self._injected is None and route.proxy is None:
            url = url.copy_with(host=exchange.address)
            if url.raw_host.decode("ascii") != host:
                extensions["sni_hostname"] = host.rstrip(".")
        return httpx.Request(request.method, url, headers=headers, content=request.body, extensions=extensions)

    async def _origin(self, url: httpx.URL, route: Route, address: str) -> _Origin:
        key = (url.raw_scheme + b"://" + url.netloc, address, route)
        origin = self._origins.get(key)
        if origin is not None:
            self._origins.move_to_end(key)
            return origin
        tls = self._tls_for(route)
        origin = self._origins[key] = _Origin(lambda: self._make_connection(route, address, tls))
        if len(self._origins) > MAX_ORIGINS:
            oldest = next(
                (k for k, known in self._origins.items() if known.in_flight == 0 and known is not origin), None
            )
            if oldest is not None and self._injected is None:
                await self._origins.pop(oldest).aclose()
        return origin

    def _tls_for(self, route: Route) -> ssl.SSLContext:
        """Raises OSError, of which SSLError is one, when the route's certificate cannot be loaded any more."""
        if route.identity is None:
            return self._tls
        tls = self._tls_of_route.get(route)
        if tls is None:
            tls = _tls_context(self._extra_ca_file)
            tls.load_cert_chain(route.identity.certificate, route.identity.key, password=b"")
            self._tls_of_route[route] = tls
        return tls

    def _make_connection(self, route: Route, address: str, tls: ssl.SSLContext) -> httpx.AsyncBaseTransport:
        if self._injected is not None:
            return self._injected
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=POOL_IDLE_S)
        proxy = None
        if route.proxy is not None:
            pinned = httpx.URL(scheme="http", host=address, port=route.proxy.port)
            auth = None if route.proxy.user is None else (route.proxy.user, route.proxy.password)
            proxy = httpx.Proxy(pinned, auth=auth)
        return httpx.AsyncHTTPTransport(verify=tls, trust_env=False, http2=False, limits=limits, proxy=proxy)

    def _failure(self, cause: Cause, detail: str, started_s: float, address: str | None) -> Failure:
        total_ms = (self._now_s() - started_s) * 1000
        return Failure(cause=cause, detail=" ".join(detail.split()), total_ms=total_ms, remote_address=address)


def _has_left_over(transport: httpx.AsyncBaseTransport) -> bool:
    """Whether bytes came after the end of the last answer. Only httpcore's insides tell: nothing public does."""
    for connection in getattr(getattr(transport, "_pool", None), "connections", ()):
        one = getattr(connection, "_connection", None)
        # A tunnel has one more layer.
        state = getattr(one, "_h11_state", None) or getattr(getattr(one, "_connection", None), "_h11_state", None)
        if state is not None and state.trailing_data[0]:
            return True
    return False


def _tls_context(extra_ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    if extra_ca_file is not None:
        text = extra_ca_file.read_text("ascii", errors="replace")
        try:
            context.load_verify_locations(cadata=text)
        except ssl.SSLError as error:
            raise ValueError(f"{extra_ca_file} holds no PEM certificate") from error
    return context
