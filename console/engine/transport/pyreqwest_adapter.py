"""The default adapter: pyreqwest, that is reqwest and hyper on a thread of their own.

Kept-alive connections. A receiver may close one just as a request is written to it, which must not cost the delivery an
attempt. hyper itself repeats a request that was never written. For one that was, the request is repeated once, at once,
on a connection that is certainly new, when all of this holds: it was probably sent over a kept-alive connection (the
origin had one idle), the connection closed before any byte of an answer, and within STALE_WITHIN_S. pyreqwest does not
tell which connection carried a request, so idle connections are counted here; the count can be too high when the
receiver closed one unseen. The cost is then one repeated POST with the same webhook-id. A reset on an origin without
an idle connection is never repeated.

Cancellation ends `send` at once, but pyreqwest lets the request run on unseen, and keeps its connection, until the
request's total timeout at the latest. A cancelled request may therefore still arrive.

pyreqwest reads the first 16 KiB of the body together with the head, unless it is told not to, which costs a good deal
more. So for an origin whose last answer was slow it is told not to; for any other `first_byte_ms` includes that part of
the body, and is unknown when it turns out that the answer was slow. Nothing tells when a connection was made, or when
its TLS was.

One thread does the work of all requests, and a receiver that pours informational answers (100, 103) keeps hyper busy
for half a second at a time, measured, while all others wait. So an origin whose answer did not come in time is kept
apart: for APART_S its requests run on a second thread. The first such attempt is still felt by all, and so is a
receiver that pours and then answers in time.

HTTP/2 is spoken where an https receiver chooses it in the handshake (ALPN) and the profile allows it.

Behind a proxy the address that is checked and pinned is the proxy's. The proxy resolves the receiver's name, so the
guard cannot vouch for where it connects to: see `AddressGuard.check_unresolved` for what is refused all the same. An
answer that a forward proxy makes up itself (407, 502) over plain http cannot be told from the receiver's.
"""

from datetime import timedelta
from pathlib import Path

from pyreqwest.client import Client
from pyreqwest.exceptions import DetailedPyreqwestError
from pyreqwest.http import HeaderMap

from console.domain.clock import Clock
from console.domain.outcome import (
    DEFAULT_PROFILE,
    RESPONSE_BODY_CAP_BYTES,
    RESPONSE_HEADERS_CAP_BYTES,
    Cause,
    Failure,
    Headers,
    Outcome,
    Request,
    Response,
)
from console.engine.transport.guard import Addresses, AddressGuard, Refusal, resolved
from console.engine.transport.limits import (
    APART_S,
    MAX_ADDRESSES_TRIED,
    MAX_ORIGINS,
    READ_LIMIT_BYTES,
    SLOW_S,
    STALE_WITHIN_S,
    keep_headers,
)
from console.engine.transport.profiles import DIRECT, Route, Routes
from console.engine.transport.pyreqwest_causes import classify, closed_unanswered
from console.engine.transport.pyreqwest_clients import Origin, Target, build_client, certificates

_MAX_TARGETS = 4096
# Fields so few and so short cannot be more than what is kept, which is quicker to see than how much they are.
_MANY_FIELDS = 100
_LONG_FIELD = RESPONSE_HEADERS_CAP_BYTES // _MANY_FIELDS
_UNCONNECTED = (Cause.REFUSED, Cause.TIMEOUT_CONNECT)


class PyreqwestTransport:
    """A Transport over pyreqwest. Connects only to addresses that the guard returned."""

    def __init__(self, guard: AddressGuard, *, clock: Clock, extra_ca_file: Path | None = None) -> None:
        """The roots are those of the machine; `extra_ca_file` (PEM, one or more) adds to them.

        Raises OSError when the file cannot be read, ValueError when it holds no certificate.
        """
        self._guard = guard
        self._now_s = clock.monotonic_s
        self._roots = certificates(extra_ca_file)
        self._targets: dict[str, Target] = {}
        self._routes = Routes()
        self._origins: dict[tuple[str, str, int, str, float, Route], Origin] = {}
        self._timeouts: dict[float, timedelta] = {}

    async def send(self, request: Request) -> Outcome:
        started_s = self._now_s()
        try:
            target = self._targets.get(request.url) or self._parse(request.url)
        except ValueError as error:
            return self._failure(started_s, Cause.PROTOCOL, f"the URL cannot be used: {error}", None)
        route, host = DIRECT, target.host
        if request.profile is not DEFAULT_PROFILE:
            found = self._find_route(request, target, started_s)
            if isinstance(found, Refusal):
                return self._failure(started_s, found.cause, found.detail, None)
            route = found
            if route.proxy is not None:
                host = route.proxy.host
        resolved_s = 0.0
        addresses = self._guard.cached(host)
        if addresses is None:
            addresses = await self._guard.check(host, timeout_s=request.connect_timeout_s)
            resolved_s = self._now_s()
        if isinstance(addresses, Refusal):
            detail = addresses.detail if route.proxy is None else f"the proxy: {addresses.detail}"
            outcome: Outcome = self._failure(started_s, addresses.cause, detail, None)
        elif len(addresses) == 1:
            outcome = await self._try_address(request, target, route, addresses[0], started_s)
        else:
            outcome = await self._try_addresses(request, target, route, addresses, started_s)
        return resolved(outcome, host, (resolved_s - started_s) * 1000) if resolved_s else outcome

    async def aclose(self) -> None:
        """Close every pool. Sends in flight end with UNKNOWN_OUTCOME."""
        origins = list(self._origins.values())
        self._origins.clear()
        for origin in origins:
            await origin.client.close()
            if origin.fresh is not None:
                await origin.fresh.close()

    def _find_route(self, request: Request, target: Target, now_s: float) -> Route | Refusal:
        route = self._routes.find(request.profile, now_s)
        if isinstance(route, Route) and route.proxy is not None:
            return self._guard.check_unresolved(target.host) or route
        return route

    async def _try_addresses(
        self, request: Request, target: Target, route: Route, addresses: Addresses, started_s: float
    ) -> Outcome:
        """The first address that can be connected to; the last failure when none can."""
        preferred = target.preferred
        if preferred in addresses:
            addresses = (preferred, *(address for address in addresses if address != preferred))
        outcome: Outcome | None = None
        for address in addresses[:MAX_ADDRESSES_TRIED]:
            if outcome is not None and self._now_s() - started_s >= request.total_timeout_s:
                break
            outcome = await self._try_address(request, target, route, address, started_s)
            if not isinstance(outcome, Failure) or outcome.cause not in _UNCONNECTED:
                target.preferred = address
                break
        assert outcome is not None, "the guard never returns an empty answer"
        return outcome

    async def _try_address(
        self, request: Request, target: Target, route: Route, address: str, started_s: float
    ) -> Outcome:
        now_s = self._now_s()
        try:
            origin = self._origin(target, route, address, request, now_s)
        except ValueError as error:
            name = "" if route.identity is None else f"client certificate {route.identity.certificate}: "
            return self._failure(started_s, Cause.TLS, f"{name}{error}", None)
        reused = origin.take_idle(now_s)
        try:
            return await self._exchange(origin, origin.client, request, target, address, started_s)
        except DetailedPyreqwestError as error:
            cause, detail = classify(error)
            if cause is Cause.TIMEOUT_READ:
                self._keep_apart(target, route, address, request)
            stale = reused and closed_unanswered(error) and self._now_s() - now_s < STALE_WITHIN_S
        except ValueError as error:
            return self._failure(started_s, Cause.PROTOCOL, f"the request cannot be sent: {error}", address)
        place = target.place if route.proxy is None else f"{target.place} through the proxy {route.proxy.place}"
        if not stale:
            return self._failure(started_s, cause, f"{place}: {detail}", address)
        if origin.fresh is None:
            origin.fresh = build_client(target, address, route, _connect_s(request), roots=self._roots, keep=0)
        try:
            return await self._exchange(None, origin.fresh, request, target, address, started_s)
        except DetailedPyreqwestError as error:
            # The first request may have been acted on, so the cause stays RESET even when the second was refused.
            detail = f"{detail}; again on a new connection: {classify(error)[1]}"
            return self._failure(started_s, cause, f"{place}: {detail}", address)

    async def _exchange(
        self, origin: Origin | None, client: Client, request: Request, target: Target, address: str, started_s: float
    ) -> Outcome:
        """One request and its answer. Raises pyreqwest's errors, and ValueError for what cannot be put on the wire."""
        method = request.method
        builder = client.post(target.url) if method == "POST" else client.request(method, target.url)
        builder = builder.headers(request.headers)
        if request.body:
            builder = builder.body_bytes(request.body)
        elif method == "POST":
            # hyper leaves the length of an empty body out, which some servers answer with 411.
            builder = builder.header("content-length", "0").body_bytes(b"")
        apart = origin is not None and origin.slow
        stream = (
            builder.timeout(self._timeout(request, started_s))
            .streamed_read_buffer_limit(0 if apart else READ_LIMIT_BYTES)
            .build_streamed()
        )
        response = await stream.__aenter__()
        whole = False
        try:
            first_byte_s = self._now_s()
            read = await response.body_reader.read(READ_LIMIT_BYTES)
            whole = read is None or len(read) < READ_LIMIT_BYTES
        finally:
            if not whole:
                # An answer that was read to its end has nothing left to close, and closing costs as much as reading.
                await stream.__aexit__(None, None, None)
        status = response.status
        if status < 200:
            return self._failure(started_s, Cause.PROTOCOL, f"{target.place}: unasked-for status {status}", address)
        headers = _texts(response.headers)
        if len(headers) > _MANY_FIELDS:
            headers = keep_headers(headers)
        else:
            for name, value in headers:
                if len(name) + len(value) > _LONG_FIELD:
                    headers = keep_headers(headers)
                    break
        body = b"" if read is None else bytes(read)
        ended_s = self._now_s()
        slow = ended_s - started_s >= SLOW_S
        if origin is not None:
            origin.slow = slow
            if whole and ("connection", "close") not in headers:
                origin.put_idle(ended_s)
        return Response(
            status=status,
            headers=headers,
            body=body if whole else body[:RESPONSE_BODY_CAP_BYTES],
            body_truncated=not whole,
            first_byte_ms=None if slow and body and not apart else (first_byte_s - started_s) * 1000,
            total_ms=(ended_s - started_s) * 1000,
            remote_address=address,
        )

    def _failure(self, started_s: float, cause: Cause, detail: str, address: str | None) -> Failure:
        total_ms = (self._now_s() - started_s) * 1000
        return Failure(cause=cause, detail=" ".join(detail.split()), total_ms=total_ms, remote_address=address)

    def _timeout(self, request: Request, started_s: float) -> timedelta:
        """What is left of the total. Values are shared, since making one costs more than finding it."""
        total_s = request.total_timeout_s
        spent_s = self._now_s() - started_s
        if spent_s > 0.001:
            return timedelta(seconds=max(total_s - spent_s, 0.001))
        known = self._timeouts.get(total_s)
        if known is None:
            if len(self._timeouts) >= _MAX_TARGETS:
                self._timeouts.clear()
            known = self._timeouts[total_s] = timedelta(seconds=total_s)
        return known

    def _parse(self, text: str) -> Target:
        if len(self._targets) >= _MAX_TARGETS:
            self._targets.clear()
        target = self._targets[text] = Target(text)
        return target

    def _origin(self, target: Target, route: Route, address: str, request: Request, now_s: float) -> Origin:
        connect_s = _connect_s(request)
        key = (target.scheme, target.host, target.port, address, connect_s, route)
        origin = self._origins.get(key)
        if origin is None or (origin.apart_until_s and now_s >= origin.apart_until_s):
            if origin is None and len(self._origins) >= MAX_ORIGINS:
                # Dropped, not closed: requests in flight hold on to what they need, and the pool goes with the last.
                del self._origins[min(self._origins, key=lambda known: self._origins[known].used_s)]
            client = build_client(target, address, route, connect_s, roots=self._roots)
            origin = self._origins[key] = Origin(client)
        origin.used_s = now_s
        return origin

    def _keep_apart(self, target: Target, route: Route, address: str, request: Request) -> None:
        """From now on, and for APART_S after the last timeout. Those in flight stay where they are."""
        now_s = self._now_s()
        origin = self._origin(target, route, address, request, now_s)
        if not origin.apart_until_s:
            connect_s = _connect_s(request)
            key = (target.scheme, target.host, target.port, address, connect_s, route)
            client = build_client(target, address, route, connect_s, roots=self._roots, apart=True)
            origin = self._origins[key] = Origin(client)
            origin.used_s = now_s
            origin.slow = True
        origin.apart_until_s = now_s + APART_S


def _connect_s(request: Request) -> float:
    """Well below the total, so that a connection not made in time is told from an answer that did not come."""
    most_s = request.total_timeout_s * 0.8
    return request.connect_timeout_s if request.connect_timeout_s < most_s else most_s


def _texts(headers: HeaderMap) -> Headers:
    """All fields. A value that is not visible ASCII cannot be had from pyreqwest: U+FFFD stands for it."""
    try:
        return tuple(headers.items())
    except ValueError:
        return tuple((name, _text(headers, name)) for name in dict.fromkeys(headers.keys()))


def _text(headers: HeaderMap, name: str) -> str:
    try:
        return ", ".join(headers.getall(name))
    except ValueError:
        return "\ufffd"
