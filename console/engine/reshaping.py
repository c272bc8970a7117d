"""What an endpoint's filter and transform make of a delivery, before it is signed."""

import asyncio

from console.domain.delivery import REQUEST_BODY_CAP_BYTES, Exchange
from console.domain.endpoint import Endpoint
from console.domain.outcome import Headers
from console.domain.redaction import redact
from console.domain.templating import render, wants
from console.domain.transform import CONTENT_TYPE, Rendered, Subject
from console.domain.work import Claimed

_AT_ONCE_BYTES = 32 * 1024
"""A payload up to this size is reshaped on the loop, in a fraction of a millisecond; a larger one beside it."""
WHY_FAILED = "no further try is made: correct the template, then retry"


async def reshape(claimed: Claimed, endpoint: Endpoint, url: str) -> Rendered:
    """The request for one delivery.

    What it owes was decided when the event was accepted, so a filter that says no now is not heeded: it may be newer
    than the event, and a test goes past it. One that cannot be worked out is an error, here as it was then.

    Raises:
        TransformError: nothing can be sent.
    """
    subject = Subject(
        event_id=claimed.event_id,
        event_type=claimed.event_type,
        accepted_at_ms=claimed.accepted_at_ms,
        payload=claimed.payload,
        endpoint_name=endpoint.name,
    )
    if len(claimed.payload) <= _AT_ONCE_BYTES:
        return _reshaped(subject, endpoint, url)
    return await asyncio.to_thread(_reshaped, subject, endpoint, url)


def _reshaped(subject: Subject, endpoint: Endpoint, url: str) -> Rendered:
    if endpoint.filter is not None:
        wants(endpoint.filter, subject)
    if endpoint.transform is None:
        return Rendered(url=url, method="POST", headers=(), content_type=CONTENT_TYPE, body=subject.payload)
    return render(endpoint.transform, subject, url)


def with_rendered(headers: Headers, made: Rendered) -> Headers:
    """The headers of an endpoint with those of the transform in the place of what has the same name."""
    if not made.headers and made.content_type == CONTENT_TYPE:
        return headers
    taken = {name.lower() for name, _ in made.headers} | {"content-type"}
    kept = tuple(field for field in headers if field[0].lower() not in taken)
    return (("content-type", made.content_type), *kept, *made.headers)


def kept_with_rendered(headers: Headers, made: Rendered) -> Headers:
    """The same of headers as they are kept: secrets redacted."""
    return redact(with_rendered(headers, made))


def note_made(exchange: Exchange, made: Rendered, payload: bytes) -> None:
    """Keep what was made beside what went over the wire."""
    exchange.request_method = made.method
    if made.body is not payload:
        exchange.request_body = made.body[:REQUEST_BODY_CAP_BYTES]
