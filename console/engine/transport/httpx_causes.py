"""Reads why a request failed out of httpx's errors and the operating system's below them."""

import errno
import ssl
from collections.abc import Iterator

import httpx

from console.domain.outcome import Cause

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH)
_TOO_LARGE_WORDS = ("receive buffer too long",)
_CLOSED_WORDS = ("server disconnected", "peer closed connection")


def classify(error: Exception) -> tuple[Cause, str]:
    """The cause and one line of the deepest words that say something."""
    below = list(_chain(error))
    tls = next((cause for cause in below if isinstance(cause, ssl.SSLError)), None)
    words = str(tls or next((cause for cause in reversed(below) if str(cause)), error)).partition("\n")[0]
    detail = words or type(error).__name__
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return Cause.TIMEOUT_CONNECT, "no connection in time"
        case httpx.TimeoutException():
            return Cause.TIMEOUT_READ, "no whole answer in time"
        case httpx.ProxyError():
            return Cause.REFUSED, f"it answered {detail}"
        case httpx.ConnectError():
            return _classify_connect(below, tls), detail
        case httpx.RemoteProtocolError() if any(word in str(error).lower() for word in _TOO_LARGE_WORDS):
            return Cause.BODY_TOO_LARGE, "the answer's headers are too large"
        case httpx.RemoteProtocolError():
            closed = any(word in str(error).lower() for word in _CLOSED_WORDS)
            return (Cause.RESET if closed else Cause.PROTOCOL), detail
        case _ if tls is not None:
            return Cause.TLS, detail
        case httpx.NetworkError() | OSError():
            return Cause.RESET, detail if str(error) else "connection reset by the receiver"
        case _:
            return Cause.PROTOCOL, f"the request cannot be sent: {detail}"


def _classify_connect(below: list[BaseException], tls: ssl.SSLError | None) -> Cause:
    if tls is not None:
        return Cause.TLS
    codes = {cause.errno for cause in below if isinstance(cause, OSError)}
    if errno.ECONNREFUSED in codes:
        return Cause.REFUSED
    if codes.intersection(_UNREACHABLE):
        return Cause.TIMEOUT_CONNECT
    return Cause.RESET


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything under it, groups included."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _chain(member)
    under = error.__cause__ or error.__context__
    if under is not None:
        yield from _chain(under)
