"""Types and ids of events that come in: the provider's, in the form that ours have."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from console.domain.errors import InvalidInputError
from console.domain.event import check_event_type
from console.domain.ids import EventId, check_event_id
from console.domain.inbound import InboundRequest
from console.domain.kinds.body import text_at
from console.domain.kinds.reading import Found
from console.domain.matching import OPERATIONAL_PREFIX
from console.domain.source import Source

_OUTSIDE = re.compile(r"[^A-Za-z0-9_.-]")
_DOTS = re.compile(r"\.{2,}")
_TYPE_MAX = 128
_IN = "in-"
_DIGEST_LETTERS = 48
_MOST_PARAMETERS = 1000


class Place(StrEnum):
    """Where in a request something is."""

    HEADER = "header"
    BODY = "body"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """`body:data.type`; without a place it is the text itself."""

    place: Place | None
    text: str


def parse_where(text: str) -> Where:
    """Raises InvalidInputError when there is nothing after the place, or no such place."""
    place, colon, rest = text.partition(":")
    if not colon:
        return Where(place=None, text=check_event_type(text))
    if place not in Place._value2member_map_ or not rest or len(rest) > 200 or not rest.isprintable():
        raise InvalidInputError(f"{text[:60]!r}: write header:NAME, body:path.in.it or query:NAME")
    if place == Place.BODY and not all(rest.split(".")):
        raise InvalidInputError(f"{text[:60]!r}: a path into the body such as body:data.type")
    return Where(place=Place(place), text=rest)


def _picked(setting: str | None, request: InboundRequest, value: Any) -> str | None:
    """What an operator's option finds; None when there is no such option, or nothing there."""
    if setting is None:
        return None
    where = parse_where(setting)
    match where.place:
        case None:
            return where.text
        case Place.HEADER:
            return request.header(where.text) or None
        case Place.BODY:
            return text_at(value, *where.text.split("."))
        case Place.QUERY:
            return _parameter(request, where.text)


def _parameter(request: InboundRequest, name: str) -> str | None:
    try:
        pairs = parse_qsl(request.query, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return None
    return next((value for given, value in pairs if given == name), None)


def type_of(source: Source, request: InboundRequest, found: Found) -> str:
    """As the operator says, else as the provider does, else `<name>.received`; with the source's prefix before it.

    What comes in is never one of our own operational events: they are told apart by what stands before them.
    """
    made = _type_of(source, request, found)
    before = f"{_IN}{source.name}" if f"{source.name}.".startswith(OPERATIONAL_PREFIX) else source.name
    return valid_type(f"{before}.{made}") if made.startswith(OPERATIONAL_PREFIX) else made


def _type_of(source: Source, request: InboundRequest, found: Found) -> str:
    options = source.options
    for text in (_picked(options.type_from, request, found.value), found.type):
        made = valid_type(options.type_prefix + text) if text and valid_type(text) else ""
        if made:
            return made
    return valid_type(f"{options.type_prefix}{source.name}.received")


def valid_type(text: str) -> str:
    """The nearest valid type: slashes are dots, other characters `_`. Empty when nothing is left."""
    clean = _DOTS.sub(".", _OUTSIDE.sub("_", text[: 4 * _TYPE_MAX].replace("/", "."))).strip(".")
    return clean[:_TYPE_MAX].rstrip(".")


def id_of(source: Source, request: InboundRequest, found: Found) -> EventId | None:
    """`<name>_<provider's id>`, so that no two sources share one: names hold no `_`. What has not the form of an id,
    or is too long for one, is replaced by a digest."""
    text = _picked(source.options.id_from, request, found.value) or found.id
    if not text:
        return None
    try:
        return check_event_id(f"{source.name}_{text}")
    except InvalidInputError:
        from hashlib import sha256

        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LETTERS]
        return EventId(f"{source.name}_sha256-{digest}")
