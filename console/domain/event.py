"""Events, and what is checked before one is accepted."""

import re
from dataclasses import dataclass

from console.domain.errors import InvalidInputError
from console.domain.event_schema import Flaw
from console.domain.ids import EventId

PAYLOAD_CAP_BYTES = 1024 * 1024
"""The largest payload that is accepted."""

_TYPE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_TYPE_MAX = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event on its way in. `id` None: one is made. The payload is JSON and is delivered byte for byte."""

    type: str
    payload: bytes
    id: EventId | None = None
    source: str = "cli"
    copy_of: EventId | None = None
    """The event that this one is a copy of, edited perhaps."""
    hops: int = 0
    """How many senders like this one it has passed."""
    via: str | None = None
    """Which ones, as the header `webhook-via` has it."""
    flaw: Flaw | None = None
    """Where it does not match its schema, when it is taken all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. Immutable. `seq` is its number in this store, in order of acceptance."""

    seq: int
    id: EventId
    type: str
    payload: bytes
    accepted_at_ms: int
    source: str
    copy_of: EventId | None = None
    hops: int = 0
    via: str | None = None
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event in a list: no payload, and where its deliveries stand."""

    seq: int
    id: EventId
    type: str
    size_bytes: int
    accepted_at_ms: int
    source: str
    deliveries: int
    delivered: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer to an accepted event: its id, whether it had been accepted before, and how many endpoints want it."""

    id: EventId
    duplicate: bool
    deliveries: int
    flaw: Flaw | None = None
    """Where it does not match its schema, and was taken all the same."""


def check_event_type(text: str) -> str:
    """A type such as `invoice.paid`: dot-separated words of letters, digits, `_` and `-`, at most 128 characters.

    Raises:
        InvalidInputError
    """
    if len(text) > _TYPE_MAX or not _TYPE.fullmatch(text):
        raise InvalidInputError(
            f"event type {text[:60]!r}: dot-separated words of letters, digits, _ and - (such as invoice.paid)"
        )
    return text
