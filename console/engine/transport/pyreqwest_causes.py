"""Reads why a request failed out of pyreqwest's errors.

Its exception classes mislead (a wait for the head that times out is a ConnectTimeoutError), so the chain of causes
decides: below 'client error (Connect)' the connection was never made, below 'client error (SendRequest)' it was.
"""

from pyreqwest.exceptions import ClientClosedError, DetailedPyreqwestError

from console.domain.outcome import Cause

_CONNECT = "client error (Connect)"
_LATE_WORDS = ("timed out", "deadline has elapsed")
_TLS_WORDS = ("certificate", "tls", "handshake", "fatal alert", "corrupt message", "invalid peer")
_RESET_WORDS = (
    "connection closed before message completed",
    "connection reset",
    "broken pipe",
    "end of file",
    "eof",
    # HTTP/2: the receiver ended the stream, or the connection with it.
    "stream error received",
    "connection error received",
)
_TOO_LARGE_WORDS = ("message head is too large", "over limit", "too_many_continuations", "header list")
_UNREACHABLE_WORDS = ("unreachable", "no route to host")


def classify(error: DetailedPyreqwestError) -> tuple[Cause, str]:
    """The cause and the library's own words, on one line."""
    messages = _messages(error)
    # The first repeats the URL, and the phase in brackets is for this module.
    words = [message for message in messages[1:] if not message.startswith("client error (")]
    detail = ": ".join(dict.fromkeys(words)) or str(error.message)
    text = detail.lower()
    if isinstance(error, ClientClosedError):
        return Cause.UNKNOWN_OUTCOME, "the transport was closed with this request in flight"
    late = any(word in text for word in _LATE_WORDS)
    if _CONNECT in messages:
        return (Cause.TIMEOUT_CONNECT if late else _classify_connect(text)), detail
    if late:
        return Cause.TIMEOUT_READ, "no whole answer in time"
    if "fatal alert" in text:
        return Cause.TLS, detail
    if any(word in text for word in _TOO_LARGE_WORDS):
        return Cause.BODY_TOO_LARGE, f"the answer's headers are too large or too many ({detail})"
    if any(word in text for word in _RESET_WORDS):
        return Cause.RESET, detail
    return Cause.PROTOCOL, detail


def closed_unanswered(error: DetailedPyreqwestError) -> bool:
    """The request was sent and the connection then closed without one byte of an answer."""
    messages = _messages(error)
    return "client error (SendRequest)" in messages and classify(error)[0] is Cause.RESET


def _classify_connect(text: str) -> Cause:
    if "dns error" in text:
        return Cause.DNS
    if "refused" in text or ("tunnel error" in text and "underlying connection" not in text):
        return Cause.REFUSED
    if any(word in text for word in _TLS_WORDS):
        return Cause.TLS
    if any(word in text for word in _RESET_WORDS):
        return Cause.RESET
    if any(word in text for word in _UNREACHABLE_WORDS):
        return Cause.TIMEOUT_CONNECT
    return Cause.PROTOCOL


def _messages(error: DetailedPyreqwestError) -> list[str]:
    return [cause["message"] for cause in error.details.get("causes") or ()]
