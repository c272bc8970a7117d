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

`first_byte_ms` includes the first 16 KiB of the body, which pyreqwest reads together with the head.
"""

from collections import OrderedDict
from datetime import timedelta
from pathlib import Path

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError
from pyreqwest.http import HeaderMap, Url

from console.domain.clock import Clock
from console.domain.outcome import RESPONSE_BODY_CAP_BYTES, Cause, Failure, Headers, Outcome, Request, Response
from console.engine.transport.guard import Addresses, AddressGuard, Refusal
from console.engine.transport.limits import (
    MAX_ADDRESSES_TRIED,
    MAX_ORIGINS,
    POOL_IDLE_S,
    POOL_MAX_IDLE,
    READ_LIMIT_BYTES,
    STALE_WITHIN_S,
)
from console.engine.transport.pyreqwest_causes import classify, closed_unanswered

_MAX_TARGETS = 4096
_PEM_END = b"-----END CERTIFICATE-----"
_UNCONNECTED = (Cause.REFUSED, Cause.TIMEOUT_CONNECT)


class _Target:
    """A URL as the library reads it. One parser for the guard and the connection leaves no room between them."""

    __slots__ = ("host", "is_name", "place", "port", "preferred", "scheme", "url")

    def __init__(self, text: str) -> None:
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


class _Origin:
    """A client for one origin at one address, and how many of its connections are probably idle."""

    __slots__ = ("client", "fresh", "idle", "idle_until_s")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.fresh: Client | None = None
        """A client that keeps no connection, made when first needed."""
        self.idle = 0
        self.idle_until_s = 0.0

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


class PyreqwestTransport:
    """A Transport over pyreqwest. Connects only to addresses that the guard returned."""

    def __init__(self, guard: AddressGuard, *, clock: Clock, extra_ca_file: Path | None = None) -> None:
        """The roots are those of the machine; `extra_ca_file` (PEM, one or more) adds to them.

        Raises OSError when the file cannot be read, ValueError when it holds no certificate.
        """
        self._guard = guard
        self._now_s = clock.monotonic_s
        self._extra_cas = _certificates(extra_ca_file)
        self._targets: dict[str, _Target] = {}
        self._origins: OrderedDict[tuple[str, str, int, str, float], _Origin] = OrderedDict()
        self._timeouts: dict[float, timedelta] = {}

    async def send(self, request: Request) -> Outcome:
        started_s = self._now_s()
        try:
            target = self._targets.get(request.url) or self._parse(request.url)
        except ValueError as error:
            return self._failure(started_s, Cause.PROTOCOL, f"the URL cannot be used: {error}", None)
        addresses = self._guard.cached(target.host)
        if addresses is None:
            addresses = await self._guard.check(target.host, timeout_s=request.connect_timeout_s)
        if isinstance(addresses, Refusal):
            return self._failure(started_s, addresses.cause, addresses.detail, None)
        if len(addresses) == 1:
            return await self._try_address(request, target, addresses[0], started_s)
        return await self._try_addresses(request, target, addresses, started_s)

    async def aclose(self) -> None:
        """Close every pool. Sends in flight end with UNKNOWN_OUTCOME."""
        origins = list(self._origins.values())
        self._origins.clear()
        for origin in origins:
            await origin.client.close()
            if origin.fresh is not None:
                await origin.fresh.close()

    async def _try_addresses(
        self, request: Request, target: _Target, addresses: Addresses, started_s: float
    ) -> Outcome:
        """The first address that can be connected to; the last failure when none can."""
        preferred = target.preferred
        if preferred in addresses:
            addresses = (preferred, *(address for address in addresses if address != preferred))
        outcome: Outcome | None = None
        for address in addresses[:MAX_ADDRESSES_TRIED]:
            if outcome is not None and self._now_s() - started_s >= request.total_timeout_s:
                break
            outcome = await self._try_address(request, target, address, started_s)
            if not isinstance(outcome, Failure) or outcome.cause not in _UNCONNECTED:
                target.preferred = address
                break
        assert outcome is not None, "the guard never returns an empty answer"
        return outcome

    async def _try_address(self, request: Request, target: _Target, address: str, started_s: float) -> Outcome:
        now_s = self._now_s()
        origin = self._origin(target, address, request)
        reused = origin.take_idle(now_s)
        try:
            return await self._exchange(origin, origin.client, request, target, address, started_s)
        except DetailedPyreqwestError as error:
            cause, detail = classify(error)
            stale = reused and closed_unanswered(error) and self._now_s() - now_s < STALE_WITHIN_S
        except ValueError as error:
            return self._failure(started_s, Cause.PROTOCOL, f"the request cannot be sent: {error}", address)
        if not stale:
            return self._failure(started_s, cause, f"{target.place}: {detail}", address)
        if origin.fresh is None:
            origin.fresh = self._build(target, address, request, keep=0)
        try:
            return await self._exchange(None, origin.fresh, request, target, address, started_s)
        except DetailedPyreqwestError as error:
            # The first request may have been acted on, so the cause stays RESET even when the second was refused.
            detail = f"{detail}; again on a new connection: {classify(error)[1]}"
            return self._failure(started_s, cause, f"{target.place}: {detail}", address)

    async def _exchange(
        self, origin: _Origin | None, client: Client, request: Request, target: _Target, address: str, started_s: float
    ) -> Outcome:
        """One request and its answer. Raises pyreqwest's errors, and ValueError for what cannot be put on the wire."""
        builder = client.post(target.url).headers(request.headers)
        if not request.body:
            # hyper leaves the length of an empty body out, which some servers answer with 411.
            builder = builder.header("content-length", "0")
        stream = (
            builder.body_bytes(request.body)
            .timeout(self._timeout(request, started_s))
            .streamed_read_buffer_limit(READ_LIMIT_BYTES)
            .build_streamed()
        )
        async with stream as response:
            first_byte_s = self._now_s()
            read = await response.body_reader.read(READ_LIMIT_BYTES)
            status = response.status
            headers = _texts(response.headers)
            keeps = response.get_header("connection") != "close"
        if status < 200:
            return self._failure(started_s, Cause.PROTOCOL, f"{target.place}: unasked-for status {status}", address)
        body = b"" if read is None else bytes(read)
        truncated = len(body) > RESPONSE_BODY_CAP_BYTES
        ended_s = self._now_s()
        if origin is not None and keeps and not truncated:
            origin.put_idle(ended_s)
        return Response(
            status=status,
            headers=headers,
            body=body[:RESPONSE_BODY_CAP_BYTES] if truncated else body,
            body_truncated=truncated,
            first_byte_ms=(first_byte_s - started_s) * 1000,
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

    def _parse(self, text: str) -> _Target:
        if len(self._targets) >= _MAX_TARGETS:
            self._targets.clear()
        target = self._targets[text] = _Target(text)
        return target

    def _origin(self, target: _Target, address: str, request: Request) -> _Origin:
        key = (target.scheme, target.host, target.port, address, request.connect_timeout_s)
        origin = self._origins.get(key)
        if origin is not None:
            self._origins.move_to_end(key)
            return origin
        origin = self._origins[key] = _Origin(self._build(target, address, request, keep=POOL_MAX_IDLE))
        if len(self._origins) > MAX_ORIGINS:
            # Dropped, not closed: requests in flight hold on to what they need, and the pool goes with the last.
            self._origins.popitem(last=False)
        return origin

    def _build(self, target: _Target, address: str, request: Request, *, keep: int) -> Client:
        # Well below the total, so that a connection not made in time is told from an answer that did not come.
        connect_s = min(request.connect_timeout_s, request.total_timeout_s * 0.8)
        builder = (
            ClientBuilder()
            .http1_only()
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
        if target.is_name:
            builder = builder.resolve(target.host, address, target.port)
        for certificate in self._extra_cas:
            builder = builder.add_root_certificate_pem(certificate)
        return builder.build()


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


def _certificates(path: Path | None) -> tuple[bytes, ...]:
    """The certificates of a PEM file one by one: the library reads only the first of several."""
    if path is None:
        return ()
    found = tuple(block + _PEM_END + b"\n" for block in path.read_bytes().split(_PEM_END)[:-1])
    if not found:
        raise ValueError(f"{path} holds no PEM certificate")
    return found
