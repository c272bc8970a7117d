"""What came of one attempt: the closed list of causes, and the values a transport returns.

A remote failure is a value, never an exception.
"""

from dataclasses import dataclass, field
from enum import StrEnum

RESPONSE_BODY_CAP_BYTES = 16 * 1024
"""What is read of a response body and kept; the rest is not read."""

RESPONSE_HEADERS_CAP_BYTES = 64 * 1024
"""What is kept of a response's header fields, names and values together; a field that does not fit is left out."""


class Cause(StrEnum):
    """Why an attempt failed. The list is closed: screens, filters and metrics enumerate it."""

    HTTP_3XX = "http_3xx"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    GONE = "gone"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_READ = "timeout_read"
    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    BLOCKED_ADDRESS = "blocked_address"
    BODY_TOO_LARGE = "body_too_large"
    PROTOCOL = "protocol"
    TRANSFORM_ERROR = "transform_error"
    UNKNOWN_OUTCOME = "unknown_outcome"


PLAIN_WORDS: dict[Cause, str] = {
    Cause.HTTP_3XX: "The receiver answered with a redirect, which is never followed: edit the URL to where it points.",
    Cause.HTTP_4XX: "The receiver refused the request: it thinks the fault is on this side.",
    Cause.HTTP_5XX: "The receiver failed while handling the request: the fault is on its side.",
    Cause.GONE: "The receiver answered 410 Gone: it wants no more events, so the endpoint was disabled.",
    Cause.TIMEOUT_CONNECT: "No connection in time: host down, firewall dropping packets, or wrong port.",
    Cause.TIMEOUT_READ: "The request was sent but no whole answer came in time. The receiver may have acted on it.",
    Cause.DNS: "The host name did not resolve.",
    Cause.REFUSED: "The host refused the connection: nothing listens on that port.",
    Cause.RESET: "The connection broke after the request began. The receiver may have acted on it.",
    Cause.TLS: "No trusted TLS connection: certificate expired, for another name, or from an unknown issuer.",
    Cause.BLOCKED_ADDRESS: "The host resolves to a private or reserved address that is not allowed: "
    "see `serve --allow-address`.",
    Cause.BODY_TOO_LARGE: "The answer's headers are larger than what may be read.",
    Cause.PROTOCOL: "What came back is not HTTP.",
    Cause.TRANSFORM_ERROR: "The endpoint's transform failed on this payload, so nothing was sent.",
    Cause.UNKNOWN_OUTCOME: "The engine stopped with this request in flight: nobody can know whether it arrived. "
    "It is sent again.",
}
"""Each cause as an operator would explain it to a colleague."""

Headers = tuple[tuple[str, str], ...]
"""Header fields in wire order; names as sent or received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionProfile:
    """How connections to an endpoint are made. Requests of equal profiles share connections; others never do."""

    proxy: str | None = field(default=None, repr=False)
    """An `http://` URL, with `user:password@` when the proxy asks for it. https receivers are reached through it by
    CONNECT, http ones by forwarding."""
    client_certificate: str | None = None
    """Path of a PEM file that proves this side to the receiver: certificate, chain and perhaps the key."""
    client_key: str | None = None
    """Path of the PEM file with the key, when `client_certificate` holds none."""
    http2: bool = True
    """HTTP/2 where the receiver offers it in the TLS handshake; never over plain http."""


DEFAULT_PROFILE = ConnectionProfile()
"""Shared by all endpoints that set nothing: the transports find it by identity."""


# Requests and responses are not frozen: the hot path makes thousands a second, and freezing makes each cost three times
# as much. Nothing changes one all the same.
@dataclass(slots=True, kw_only=True)
class Request:
    """One HTTP request as it goes on the wire. Headers include everything but Host, Content-Length and Connection."""

    url: str
    headers: Headers
    body: bytes
    connect_timeout_s: float
    total_timeout_s: float
    """From the start of the attempt to the last byte read of the body, connecting included."""
    method: str = "POST"
    """POST delivers; OPTIONS asks a receiver whether it may."""
    profile: ConnectionProfile = DEFAULT_PROFILE


@dataclass(slots=True, kw_only=True)
class Parts:
    """Parts of the time before the answer, in ms. None: there was no such part, or the transport cannot tell."""

    resolve_ms: float | None = None
    """The host's name was looked up; None when the answer of an earlier look-up still held."""
    connect_ms: float | None = None
    tls_ms: float | None = None


@dataclass(slots=True, kw_only=True)
class Response:
    """An HTTP answer, whatever its status. The body holds at most RESPONSE_BODY_CAP_BYTES, as it came on the wire, the
    headers at most RESPONSE_HEADERS_CAP_BYTES."""

    status: int
    headers: Headers
    body: bytes
    body_truncated: bool
    """More body followed, which was not read."""
    first_byte_ms: float | None
    """From the start of the attempt to the end of the response's head. None: the body was read together with it, and
    that took long enough for the two to be worth telling apart."""
    total_ms: float
    remote_address: str | None = None
    """The address that was connected to, when the transport knows it: the proxy's, when there is one."""
    parts: Parts | None = None
    """None: nothing is known of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """No HTTP answer, and why."""

    cause: Cause
    detail: str
    """One line for an operator: what failed, with host and port or the library's own words."""
    total_ms: float
    remote_address: str | None = None
    parts: Parts | None = None


Outcome = Response | Failure
