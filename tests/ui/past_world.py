"""A store with an incident in it, minute by minute, as an engine would have written it."""

from dataclasses import dataclass

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.outcome import Cause
from console.store import Store
from tests.factories import (
    add_endpoint,
    attempt_all,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    start_engine,
)

MINUTE_MS = 60_000
MINUTES = 90
BROKE, MENDED = 40, 50
"""crm fails for good from minute 40 on, and is mended in minute 50; it was paused in minutes 45 to 48."""

PAUSED, RESUMED = 45, 48


@dataclass(frozen=True, kw_only=True)
class Incident:
    """When it began, and whom it met. Minute n is `start_ms + n * MINUTE_MS`."""

    start_ms: int
    crm: Endpoint
    erp: Endpoint

    def minute(self, number: float) -> int:
        return round(self.start_ms + number * MINUTE_MS)


def make_incident(store: Store, start_ms: int) -> Incident:
    """`MINUTES` minutes of two endpoints, an event for each of them a minute, ten while crm is broken."""
    epoch = start_engine(store, now_ms=start_ms)
    crm = add_endpoint(store, name="crm", now_ms=start_ms)
    erp = add_endpoint(store, name="erp", now_ms=start_ms)
    made = Incident(start_ms=start_ms, crm=crm, erp=erp)
    for number in range(MINUTES):
        now_ms = made.minute(number)
        if number in (PAUSED, RESUMED):
            state = EndpointState.PAUSED if number == PAUSED else EndpointState.ACTIVE
            store.set_endpoint_state(crm.id, state, "while it is mended", now_ms)
        store.accept([make_event() for _ in range(10 if BROKE <= number < MENDED else 1)], now_ms)
        broken = BROKE <= number < MENDED
        if PAUSED <= number < RESUMED:
            _complete(store, epoch, erp, now_ms)
        elif broken:
            _complete(store, epoch, erp, now_ms)
            verdict = failed(Cause.HTTP_5XX, 500)
            claims = claim_all(store, epoch, crm, now_ms=now_ms)
            store.complete([make_completed(c, verdict, now_ms=now_ms) for c in claims], epoch=epoch)
        else:
            attempt_all(store, epoch, delivered(), now_ms=now_ms)
        store.record_levels(store.changed_levels(), now_ms + 1_000)
    return made


def _complete(store: Store, epoch: int, endpoint: Endpoint, now_ms: int) -> None:
    claims = claim_all(store, epoch, endpoint, now_ms=now_ms)
    store.complete([make_completed(c, delivered(), now_ms=now_ms) for c in claims], epoch=epoch)
