"""Why an endpoint has no delivery of an event: by which rule it is not owed, in words. Pure."""

from console.domain.endpoint import Endpoint
from console.domain.errors import TransformError
from console.domain.event import Event
from console.domain.matching import OPERATIONAL_PREFIX, first_match
from console.domain.transform import Subject
from console.domain.why import Answer, Outcome, Times


def why_not_owed(event: Event, endpoint: Endpoint, removed_at_ms: int | None, times: Times) -> Answer:
    """An endpoint has no delivery of this event."""
    return Answer(
        outcome=Outcome.NOT_OWED,
        what=f"Not owed: {endpoint.name} {not_owed_words(event, endpoint, removed_at_ms, times)}.",
    )


def not_owed_words(event: Event, endpoint: Endpoint, removed_at_ms: int | None, times: Times) -> str:
    """By which rule, with the endpoint as the subject: `wants invoice.*, not lead.new`."""
    if event.source == "test":
        return "has no part in it: it is a test event, accepted for one endpoint alone"
    accepted = f"the event was accepted ({times.at(event.accepted_at_ms)})"
    if removed_at_ms is not None and removed_at_ms <= event.accepted_at_ms:
        return f"was removed ({times.at(removed_at_ms)}) before {accepted}"
    if endpoint.created_at_ms > event.accepted_at_ms:
        later = times.span(endpoint.created_at_ms - event.accepted_at_ms)
        return f"was added {later} after {accepted}"
    rule = first_match(endpoint.types, event.type)
    if rule is not None and endpoint.filter is not None and not _passes(endpoint.filter, event, endpoint):
        return f"wants {rule} only when {' '.join(endpoint.filter.split())}, which does not hold for this payload"
    if rule is not None:
        return (
            f"has no delivery of it: {rule} matches today and did not when {accepted}, or retention has deleted "
            "the delivery"
        )
    more = f" and {len(endpoint.types) - 4} more" if len(endpoint.types) > 4 else ""
    wants = f"wants {', '.join(endpoint.types[:4])}{more}, not {event.type}"
    if "*" in endpoint.types and event.type.startswith(OPERATIONAL_PREFIX):
        wants += f" (* leaves out what webhook-console says of itself; {OPERATIONAL_PREFIX}* asks for it)"
    return wants


def _passes(wanted: str, event: Event, endpoint: Endpoint) -> bool:
    """What an endpoint's filter says of an event today; one that fails lets it through, as it does at the door."""
    from console.domain.templating import wants

    subject = Subject(
        event_id=event.id,
        event_type=event.type,
        accepted_at_ms=event.accepted_at_ms,
        payload=event.payload,
        endpoint_name=endpoint.name,
    )
    try:
        return wants(wanted, subject)
    except TransformError:
        return True
