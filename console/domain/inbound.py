"""Requests that come in: what one is, and what became of it. Each that reaches a source is kept, a refused one too."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from console.domain.event import PAYLOAD_CAP_BYTES
from console.domain.ids import EventId
from console.domain.outcome import Headers
from console.domain.source import SourceId

REJECTED_BODY_BYTES = 64 * 1024
"""What is kept of the body of a request that is refused. Of any other it is what an event may hold."""

RequestId = NewType("RequestId", int)
"""Shown as `req_…`; numbers of one store, in order of arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRequest:
    """A request as it came: header names as received, the body's very bytes."""

    method: str
    path: str
    """Below the source's URL; empty when there was nothing more."""
    query: str
    headers: Headers
    body: bytes
    remote_address: str
    """The sender's: of the connection, or what a trusted proxy says."""
    received_at_ms: int

    def header(self, name: str) -> str | None:
        """The first value of a field, whatever the case of its name; None when there is none."""
        wanted = name.lower()
        return next((value for given, value in self.headers if given.lower() == wanted), None)


class Fate(StrEnum):
    """What became of a request that came in."""

    ACCEPTED = "accepted"
    FLAGGED = "flagged"
    """Accepted, although it does not match its schema."""
    DUPLICATE = "duplicate"
    """Its event had been accepted before."""
    REJECTED = "rejected"
    CAPTURED = "captured"
    """Kept to be looked at; no event."""
    ANSWERED = "answered"
    """A handshake or a ping: it is no event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArrival:
    """An inbound request on its way into the inbox."""

    source: SourceId
    request: InboundRequest
    fate: Fate
    reason: str | None = None
    """Why it was refused or flagged, in one line."""
    event_id: EventId | None = None
    status: int
    """What it was answered with."""
    took_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalRow:
    """A request in the inbox, without its headers and body."""

    id: RequestId
    source: SourceId
    source_name: str
    received_at_ms: int
    method: str
    path: str
    query: str
    size_bytes: int
    content_type: str | None
    remote_address: str
    fate: Fate
    reason: str | None
    event_id: EventId | None
    event_type: str | None
    status: int
    took_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request in the inbox, whole."""

    row: ArrivalRow
    headers: Headers
    body: bytes

    @property
    def cut_short(self) -> bool:
        """Only the beginning of its body was kept, as far as its length can tell."""
        most = REJECTED_BODY_BYTES if self.row.fate is Fate.REJECTED else PAYLOAD_CAP_BYTES
        return len(self.body) == most


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFilter:
    """Which requests; None: whatever it is."""

    source: SourceId | None = None
    fate: Fate | None = None
    event_id: EventId | None = None
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Genuine:
    """The request is from whom it says, and is this event."""

    type: str
    id: EventId | None
    """The provider's own, made unique to the source; None: the provider names none, and each request is an event."""
    payload: bytes
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A request that wants this answer and is no event: a handshake, a ping."""

    status: int
    body: bytes
    content_type: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The request is not taken. The sender is told the status alone; the reason is for the operator."""

    status: int
    """401: not from whom it says. 400: it is, and makes no sense. 403, 413, 429: not from there, not so large, not so
    many. 503: it may come again."""
    reason: str


Judged = Genuine | Reply | Refused
