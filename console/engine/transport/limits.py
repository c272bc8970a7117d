"""Bounds that both adapters keep."""

from console.domain.outcome import RESPONSE_BODY_CAP_BYTES, RESPONSE_HEADERS_CAP_BYTES, Headers

READ_LIMIT_BYTES = RESPONSE_BODY_CAP_BYTES + 1
"""One byte above what is kept: having read it tells that more followed."""

POOL_IDLE_S = 4.0
"""How long a kept-alive connection waits for its next request. Shorter than what receivers commonly grant (Node,
uvicorn and Apache close after 5 s), so that it is this side that lets go."""

POOL_MAX_IDLE = 256
"""Idle connections kept to one origin."""

SLOW_S = 0.25
"""A receiver whose last answer took so long is slow: with the next one, head and body are told apart, which costs the
default adapter 60 µs of processor for a request instead of 35."""

STALE_WITHIN_S = 1.0
"""A kept-alive connection that the receiver had closed gives itself away in one round trip. What breaks later broke
while the receiver worked on the request, and is a failure of the attempt."""

APART_S = 600.0
"""How long an origin is kept apart after an attempt that timed out while it was waited for: see the default adapter."""

MAX_ORIGINS = 512
"""Clients kept, one by origin and address. One costs 4 to 8 ms to make and some 135 KB to hold."""

HTTP2_PING_S = 10.0
"""While requests are on an HTTP/2 connection, how often the receiver is asked whether it is still there: a connection
that only swallows would else take every later request to its endpoint down with it."""

HTTP2_PONG_WITHIN_S = 5.0
"""How long it may take to answer that."""

HTTP2_HEAD_LIMIT_BYTES = 256 * 1024
"""What an HTTP/2 answer's header fields may take up on the way; beyond, the answer is a failure. Over HTTP/1.1 hyper
allows some 400 KB in 100 fields, h11 100 KiB in any number."""

MAX_ADDRESSES_TRIED = 4
"""Addresses of one name that an attempt goes through while none can be connected to."""


def keep_headers(headers: Headers) -> Headers:
    """The fields, in their order, that fit into RESPONSE_HEADERS_CAP_BYTES together."""
    kept: list[tuple[str, str]] = []
    left = RESPONSE_HEADERS_CAP_BYTES
    for name, value in headers:
        size = len(name) + len(value)
        if size <= left:
            kept.append((name, value))
            left -= size
    return tuple(kept)
