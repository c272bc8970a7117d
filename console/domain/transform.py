"""Transforms: how an event is reshaped for an endpoint that speaks no webhook of ours.

Parts are templates (MiniJinja) over `payload`, `event` (`id`, `type`, `accepted_at`) and `endpoint` (`name`).
"""

from dataclasses import dataclass

CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """What a request to an endpoint is made of. None: as it is without a transform."""

    body: str | None = None
    """A template of the body."""
    content_type: str = CONTENT_TYPE
    """Of the body that the template makes. What calls itself JSON must be JSON."""
    headers: tuple[tuple[str, str], ...] = ()
    """Header names, and a template for each value; an empty value leaves the header out."""
    path: str | None = None
    """A template of what stands in place of the URL's path and query: `/contacts/{{ payload.id | urlencode }}`."""
    method: str | None = None
    """A template of the method: POST, PUT, PATCH or DELETE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What templates and filters see of an event on its way to an endpoint."""

    event_id: str
    event_type: str
    accepted_at_ms: int
    payload: bytes
    endpoint_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A request as a transform has made it."""

    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    """Beside the endpoint's own; they take the place of those with the same name."""
    content_type: str
    body: bytes
