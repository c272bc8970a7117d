"""What came of a demo: read from the store, as anybody could."""

from dataclasses import dataclass

from console.domain.delivery import DeliveryState
from console.domain.outcome import Cause
from console.domain.rates import MINUTE, total_of
from console.store import Store

_FOR_EVER_S = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointReport:
    """One endpoint's deliveries and attempts."""

    endpoint: str
    state: str
    delivered: int
    pending: int
    failed: int
    attempts: int
    success_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """Counts since the store was made. Rates are shares of ended attempts, latencies in ms; None where none ended."""

    seconds: float
    events: int
    deliveries: dict[DeliveryState, int]
    attempts: int
    causes: dict[Cause, int]
    success_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    endpoints: tuple[EndpointReport, ...]


def read_report(store: Store, seconds: float) -> DemoReport:
    """Everything from gauges and rollups: it costs the same after a minute and after a day."""
    since, until, width = 0, _FOR_EVER_S, MINUTE
    total = total_of(store.buckets(since_s=since, until_s=until, width_s=width), since)
    by_endpoint = store.totals_by_endpoint(since_s=since, until_s=until, width_s=width)
    gauges = store.gauges()
    causes: dict[Cause, int] = {}
    for counts in store.causes(since_s=since, until_s=until).values():
        for cause, count in counts.items():
            causes[cause] = causes.get(cause, 0) + count
    endpoints = []
    for endpoint in store.endpoints():
        gauge, bucket = gauges[endpoint.id], by_endpoint.get(endpoint.id)
        endpoints.append(
            EndpointReport(
                endpoint=endpoint.name,
                state=endpoint.state,
                delivered=gauge.delivered,
                pending=gauge.pending + gauge.sending,
                failed=gauge.failed,
                attempts=bucket.attempts if bucket else 0,
                success_rate=bucket.ok / bucket.attempts if bucket and bucket.attempts else None,
            )
        )
    return DemoReport(
        seconds=round(seconds, 3),
        events=total.accepted,
        deliveries={state: sum(getattr(g, state) for g in gauges.values()) for state in DeliveryState},
        attempts=total.attempts,
        causes=dict(sorted(causes.items(), key=lambda item: -item[1])),
        success_rate=total.ok / total.attempts if total.attempts else None,
        p50_ms=total.percentile_ms(0.50),
        p95_ms=total.percentile_ms(0.95),
        p99_ms=total.percentile_ms(0.99),
        endpoints=tuple(endpoints),
    )
