"""Bodies as payloads: JSON byte for byte, forms as a JSON object, anything else inside of one."""

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from console.domain.errors import InvalidInputError
from console.domain.inbound import InboundRequest, Refused
from console.domain.ordering import value_at
from console.domain.payload import check_payload

FORM = "application/x-www-form-urlencoded"

_JSON = frozenset({"application/json", "text/json"})
_UNTOLD = frozenset({"", FORM, "text/plain"})
"""Types that also stand before JSON: what curl says unless told, what some providers say."""
_MOST_FIELDS = 10_000
_BAD_REQUEST = 400
_DECODER = msgspec.json.Decoder(float_hook=str)
"""Numbers that are not whole stay text: none is out of range, and none loses a digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A payload, and the value it is."""

    payload: bytes
    value: Any


def senseless(reason: str) -> Refused:
    """It is from whom it says, and cannot be an event."""
    return Refused(status=_BAD_REQUEST, reason=reason)


def media_type(request: InboundRequest) -> str:
    """Without its parameters, in lower case; empty when there is none."""
    return (request.header("content-type") or "").partition(";")[0].strip().lower()


def parse_json(body: bytes) -> Parsed | Refused:
    try:
        payload = check_payload(body)
        return Parsed(payload=payload, value=_DECODER.decode(payload))
    except InvalidInputError as error:
        return senseless(str(error))
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return senseless("payload is JSON with a number that is too long")


def parse_any(request: InboundRequest) -> Parsed | Refused:
    """The payload that a body of any type becomes."""
    media, body = media_type(request), request.body
    if media in _JSON or media.endswith("+json"):
        return parse_json(body)
    if media in _UNTOLD and body.lstrip()[:1] in (b"{", b"["):
        parsed = parse_json(body)
        if isinstance(parsed, Parsed):
            return parsed
    if media == FORM:
        fields = parse_form(body.decode("utf-8", "replace"))
        return fields if isinstance(fields, Refused) else written(fields)
    try:
        text, encoding = body.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(body).decode(), "base64"
    return written({"content_type": request.header("content-type"), "body": text, "encoding": encoding})


def parse_form(text: str) -> dict[str, str | list[str]] | Refused:
    """Fields in their order; one that comes again has a list of its values."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return senseless(f"the form has more than {_MOST_FIELDS:,} fields")
    fields: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = fields.get(name)
        if before is None:
            fields[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            fields[name] = [before, value]
    return fields


def written(value: dict[str, Any]) -> Parsed | Refused:
    """A payload of our own making."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    try:
        return Parsed(payload=check_payload(data), value=value)
    except InvalidInputError as error:
        return senseless(str(error))


def text_at(value: Any, *path: str) -> str | None:
    """A text or a number in a value; None when there is none, or an empty one."""
    found = value_at(value, path)
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        return None
    try:
        return str(found) or None
    except ValueError:  # a number with more digits than Python writes
        return None
