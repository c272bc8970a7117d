"""A store with something of everything in it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, EventId
from console.domain.outcome import Cause
from console.store.protocol import Store
from tests.factories import (
    NOW_MS,
    add_endpoint,
    cancel_matching,
    claim_all,
    delivered,
    failed,
    make_completed,
    make_event,
    retry,
    start_engine,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    store: Store
    epoch: int
    endpoints: tuple[Endpoint, ...]

    def every_id(self) -> list[DeliveryId]:
        """Of all deliveries, oldest first."""
        return [d.id for d in reversed(self.store.deliveries(DeliveryFilter(), limit=10_000))]


VERDICTS = (
    delivered(),
    retry(NOW_MS + 60_000, Cause.HTTP_5XX, 503),
    failed(Cause.HTTP_4XX, 422),
    delivered(204),
    retry(NOW_MS + 5_000, Cause.DNS, None),
    failed(Cause.TIMEOUT_READ, None),
    failed(Cause.HTTP_4XX, 404),
)


def make_world(store: Store) -> World:
    """Three endpoints, 24 events a second apart, deliveries in every state, retried and not, one endpoint paused."""
    endpoints = (
        add_endpoint(store, name="all", types=("*",)),
        add_endpoint(store, name="invoices", types=("invoice.*",)),
        add_endpoint(store, name="paused", types=("lead.created", "invoice.paid")),
    )
    epoch = start_engine(store)
    types = ("invoice.paid", "lead.created", "invoice.line.added", "bounce")
    for i in range(24):
        now_ms = NOW_MS + i * 1000
        store.accept([make_event(type=types[i % 4], id=EventId(f"evt_{i:02}"))], now_ms)
        if i < 18:
            claimed = claim_all(store, epoch, now_ms=now_ms, limit=2)
            store.complete(
                [make_completed(c, VERDICTS[c.delivery_id % 7], now_ms=now_ms) for c in claimed], epoch=epoch
            )
    paused = store.set_endpoint_state(endpoints[2].id, EndpointState.PAUSED, "migration", NOW_MS)
    claim_all(store, epoch, endpoints[0], now_ms=NOW_MS + 24_000, limit=3)
    _cancel_some(store)
    return World(store=store, epoch=epoch, endpoints=(endpoints[0], endpoints[1], paused))


def _cancel_some(store: Store) -> None:
    failed_ones = store.deliveries(DeliveryFilter(troubled=True), limit=3)
    cancel_matching(store, DeliveryFilter(ids=tuple(d.id for d in failed_ones)), now_ms=NOW_MS + 25_000)


@contextmanager
def rolled_back(store: Store) -> Iterator[None]:
    """A transaction of several calls that fails at its end."""
    with suppress(_FailedOnPurposeError), store.transaction():
        yield
        raise _FailedOnPurposeError


class _FailedOnPurposeError(BaseException):
    """No fault of the code."""
