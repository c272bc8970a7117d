"""One exchange as it stood on the wire, as far as it is known. Pure."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from console.domain.delivery import Attempt, Exchange
from console.domain.outcome import Headers
from console.domain.redaction import redact_url
from console.ui.attempt_parts import sent_body
from console.ui.body_text import hex_lines, is_text
from console.ui.format import size, text_lines
from console.ui.widgets.reading_view import Line

_ADDED = "The transport adds content-length and connection, and says which HTTP it speaks."
_CUT = "Here the body was cut; what followed was not read."


def raw_lines(attempt: Attempt, exchange: Exchange | None, payload: bytes) -> list[Line]:
    """Request and response, one header field a line and the bodies as they are: bytes that are no text in hex."""
    if exchange is None:
        return [Line(spans=(("Nothing is recorded of this attempt.", "muted"),), prose=True)]
    sent = "as it would have been sent: a dry run" if attempt.dry_run else "as it was sent"
    lines = [_rule(f"REQUEST, {sent}"), *_request(exchange, payload)]
    if attempt.status is None:
        none = "nothing was sent" if attempt.dry_run else "none came"
        return [*lines, _rule("RESPONSE"), Line(spans=((none, "muted"),))]
    return [*lines, _rule("RESPONSE, as it came"), *_response(attempt.status, exchange)]


def _rule(text: str) -> Line:
    return Line(spans=((text, "accent"),))


def _request(exchange: Exchange, payload: bytes) -> Iterator[Line]:
    try:
        parts = urlsplit(redact_url(exchange.url))
        target, host = parts._replace(scheme="", netloc="", fragment="").geturl() or "/", parts.netloc
    except ValueError:
        target, host = exchange.url, ""
    yield Line(spans=((f"{exchange.request_method} {target}", "strong"),))
    if host:
        yield from field_lines((("host", host),))
    yield from field_lines(exchange.request_headers)
    yield Line(spans=((_ADDED, "muted"),), prose=True)
    yield Line()
    yield from body_lines(sent_body(exchange, payload))
    yield Line()


def _response(status: int, exchange: Exchange) -> Iterator[Line]:
    yield Line(spans=((f"HTTP {status}", "strong"),))
    yield from field_lines(exchange.response_headers)
    yield Line()
    yield from body_lines(exchange.response_body)
    if exchange.response_truncated:
        yield Line(spans=((_CUT, "warning"),), prose=True)


def field_lines(headers: Headers) -> Iterator[Line]:
    """Header fields, one a line."""
    for name, value in headers:
        yield Line(spans=((f"{name}: {value}", "normal"),), hang=2)


def body_lines(body: bytes) -> Iterator[Line]:
    """A body as it is: bytes that are no text in hex."""
    if not body:
        yield Line(spans=(("(no body)", "muted"),))
    elif is_text(body):
        for line in text_lines(body.decode("utf-8", "replace")):
            yield Line(spans=((line, "normal"),))
    else:
        yield Line(spans=((f"{size(len(body))} that are no text:", "muted"),))
        for line in hex_lines(body):
            yield Line(spans=((line, "normal"),))
