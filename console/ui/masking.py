"""Values hidden, shape kept: what a screen shows while it is shared with people who may not read payloads. Pure."""

import json
import re
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from console.domain.delivery import Exchange
from console.domain.outcome import Headers
from console.ui.body_text import readable_body
from console.ui.widgets.json_value import Json, Number, Object, children, parse, written

_ENCODING = "content-encoding"
_SHOWN_FIELDS = frozenset({"content-type", "content-length", _ENCODING, "transfer-encoding"})
"""Header fields that say how a body is written, and nothing of what is in it."""


def mask_text(text: str) -> str:
    """Letters as x, digits as 9; what stands between them stays, so that one sees what kind of text it was."""
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", text))


def mask_value(value: Json) -> Json:
    """A JSON value with the same keys, and nothing else of what it said."""
    match value:
        case Number():
            return Number(re.sub(r"\d", "9", value))  # 0 at the beginning would be no JSON
        case str():
            return mask_text(value)
        case True | False:
            return "bool"
        case Object():
            return Object([(key, mask_value(item)) for key, item in value])
        case list():
            return [mask_value(item) for _, item in children(value, 0, len(value))]
        case _:
            return value


def mask_body(body: bytes) -> bytes:
    """A payload or a body: JSON stays JSON, text stays text of the same length, other bytes are all zero."""
    try:
        value = parse(body.decode("utf-8"))
        masked = mask_value(value)
        text = json.dumps(masked, ensure_ascii=False) if _is_text(masked) else written(masked)
        return text.encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        pass
    try:
        return mask_text(body.decode("utf-8")).encode()
    except UnicodeDecodeError:
        return bytes(len(body))


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def mask_headers(headers: Headers) -> Headers:
    """The names, and the values of fields that say only how a body is written."""
    return tuple((name, value if name.lower() in _SHOWN_FIELDS else mask_text(value)) for name, value in headers)


def mask_url(url: str) -> str:
    """The host alone is shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return mask_text(url)
    return urlunsplit(parts._replace(path=mask_text(parts.path), query=mask_text(parts.query), fragment=""))


def mask_exchange(exchange: Exchange) -> Exchange:
    """All of it but the status, the names of header fields, the host and the sizes. A compressed body is unpacked."""
    readable = readable_body(exchange.response_headers, exchange.response_body)
    response_headers = mask_headers(exchange.response_headers)
    if readable.data is not exchange.response_body:
        response_headers = tuple((n, "identity" if n.lower() == _ENCODING else v) for n, v in response_headers)
    return replace(
        exchange,
        url=mask_url(exchange.url),
        request_headers=mask_headers(exchange.request_headers),
        response_headers=response_headers,
        response_body=mask_body(readable.data),
        request_body=None if exchange.request_body is None else mask_body(exchange.request_body),
    )
