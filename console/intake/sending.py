"""Sends requests that came in once more, to where an operator says: a program under development, another machine."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from console.domain.addresses import AddressPolicy
from console.domain.clock import Clock
from console.domain.endpoint import check_url
from console.domain.errors import InvalidInputError
from console.domain.ids import format_number
from console.domain.inbound import Arrival
from console.domain.outcome import Headers
from console.domain.redaction import REDACTED

TIMEOUT_S = 30.0
ANSWER_MOST_BYTES = 64 * 1024
LOOPBACK = ("127.0.0.0/8", "::1/128")
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_STEPS = re.compile(r"[/\\]")
_PATH_SIGNS = "/-._~!$&'()*+,;=:@"

_OWN_FIELDS = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length", "expect",
    }
)  # fmt: skip
"""What belongs to one connection (RFC 9110, 7.6.1), and what the new request says by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request on its way out."""

    method: str
    url: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back. `problem`: nothing did, and why."""

    status: int | None = None
    headers: Headers = ()
    body: bytes = b""
    took_ms: float = 0.0
    problem: str | None = None

    @property
    def fine(self) -> bool:
        """A 2xx."""
        return self.status is not None and 200 <= self.status < 300


def again(arrival: Arrival, url: str) -> Outgoing:
    """A request as it came in, to another URL: its path goes below that one, its query behind it.

    Fields that belong to a connection, and those whose values were not kept, are left out.

    Raises:
        InvalidInputError: the URL is none.
    """
    check_url(url)
    if arrival.cut_short:
        raise InvalidInputError(f"{format_number('req', arrival.row.id)}: only the beginning of its body was kept")
    parts = urlsplit(url)
    path = _below(parts.path, arrival) if arrival.row.path else parts.path
    query = "&".join(part for part in (parts.query, arrival.row.query) if part)
    named = {
        word.strip().lower()
        for name, value in arrival.headers
        if name.lower() == "connection"
        for word in value.split(",")
    }
    headers = tuple(
        (name, value)
        for name, value in arrival.headers
        if name.lower() not in _OWN_FIELDS | named and value != REDACTED
    )
    target = urlunsplit((parts.scheme, parts.netloc, path, query, ""))
    return Outgoing(method=arrival.row.method, url=target, headers=headers, body=arrival.body)


def _below(base: str, arrival: Arrival) -> str:
    """Written anew: a sender says what is below a URL, and neither what is above it nor what its query is."""
    path = arrival.row.path.lstrip("/")
    if any(step in (".", "..") for step in _STEPS.split(path)):
        number = format_number("req", arrival.row.id)
        raise InvalidInputError(
            f"{number}: steps such as .. are in its path, and it is not sent to what is above a URL"
        )
    return f"{base.rstrip('/')}/{quote(path, safe=_PATH_SIGNS)}"


def addresses_for(url: str, allowed: tuple[str, ...]) -> AddressPolicy:
    """Which addresses a URL may lead to: public and allowed ones, and this machine when it is named outright."""
    local = (urlsplit(url).hostname or "") in LOCAL_NAMES
    return AddressPolicy.parse((*allowed, *LOOPBACK) if local else allowed)


def send(outgoing: Outgoing, *, addresses: AddressPolicy, clock: Clock) -> Answered:
    """Send it, and wait for what comes back. Redirects are not followed. A failure is a value."""
    began_s = clock.monotonic_s()
    try:
        with _request(outgoing, addresses) as (client, request):
            response = client.send(request, stream=True)
            try:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) >= ANSWER_MOST_BYTES:
                        break
            finally:
                response.close()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, InvalidInputError) as error:
        return Answered(problem=_words(error), took_ms=(clock.monotonic_s() - began_s) * 1000)
    return Answered(
        status=response.status_code,
        headers=tuple(response.headers.multi_items()),
        body=bytes(body[:ANSWER_MOST_BYTES]),
        took_ms=(clock.monotonic_s() - began_s) * 1000,
    )


@contextmanager
def _request(outgoing: Outgoing, addresses: AddressPolicy) -> Iterator[tuple[httpx.Client, httpx.Request]]:
    """A request to the address that was checked, under the name that was given."""
    url = httpx.URL(outgoing.url)
    address = _checked_address(url.host, url.port or (443 if url.scheme == "https" else 80), addresses)
    headers = [("host", url.netloc.decode("ascii")), *outgoing.headers]
    with httpx.Client(trust_env=False, timeout=TIMEOUT_S, follow_redirects=False) as client:
        yield (
            client,
            httpx.Request(
                outgoing.method,
                url.copy_with(host=address),
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
                content=outgoing.body,
                extensions={
                    "sni_hostname": url.host,
                    "timeout": httpx.Timeout(TIMEOUT_S).as_dict(),
                },
            ),
        )


def _checked_address(host: str, port: int, addresses: AddressPolicy) -> str:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    refusals: dict[str, str] = {}
    for *_, (ip, *_rest) in found:
        refusal = addresses.refusal(str(ip))
        if refusal is None:
            return str(ip)
        refusals[str(ip)] = refusal
    ip, refusal = next(iter(refusals.items()))
    raise InvalidInputError(f"{host}: {ip} is {refusal}: --allow-address {ip} lets it")


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    match error:
        case httpx.TimeoutException():
            return f"no answer within {TIMEOUT_S:g} s"
        case socket.gaierror():
            return f"the name cannot be resolved: {error.strerror}"
        case httpx.ConnectError():
            return f"cannot connect: {text}"
        case _:
            return text or type(error).__name__
