"""What Prometheus is told: `/metrics`. Counters count since this engine has started."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.inbound import Fate
from console.domain.outcome import Cause
from console.domain.rates import LATENCY_BOUNDS_MS, MINUTE, SLOTS, total_of
from console.domain.status import Gauge
from console.intake.desk import Desk
from console.store.protocol import Store

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

ENDPOINTS_MOST = 200
"""So many endpoints have lines of their own, those with the most pending; the others are one together."""

OTHERS = "(others)"

_SETTLED_S = 120
"""A minute as old as this changes no more."""


@dataclass(slots=True, kw_only=True)
class _Totals:
    """What was counted over some time."""

    accepted: int = 0
    ok: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * SLOTS)
    causes: Counter[Cause] = field(default_factory=Counter)

    def plus(self, other: "_Totals") -> "_Totals":
        return _Totals(
            accepted=self.accepted + other.accepted,
            ok=self.ok + other.ok,
            histogram=[a + b for a, b in zip(self.histogram, other.histogram, strict=True)],
            causes=self.causes + other.causes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What the store says now."""

    totals: _Totals
    endpoints: list[Endpoint]
    gauges: dict[EndpointId, Gauge]
    oldest_due_s: float
    in_flight: int


class Metrics:
    """Reads the store when it is asked, one reading at a time; minutes that are over are read once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._settled, self._settled_until_s = _Totals(), desk.clock.now_ms() // 1000 // MINUTE * MINUTE
        self._elsewhere = 0
        self._one = asyncio.Lock()

    async def read(self) -> bytes:
        """The text to answer with. Raises StoreError."""
        async with self._one:
            reading = await self._desk.read(self._look)
        return generate_latest(_Collected(list(self._families(reading))))

    def _look(self, store: Store) -> _Reading:
        now_ms = self._desk.clock.now_ms()
        settled_s = (now_ms // 1000 - _SETTLED_S) // MINUTE * MINUTE
        if settled_s > self._settled_until_s:
            self._settled = self._settled.plus(_totals(store, self._settled_until_s, settled_s))
            self._settled_until_s = settled_s
        endpoints, status = store.endpoints(), store.engine_status()
        due = store.next_due([endpoint.seq for endpoint in endpoints]).values()
        return _Reading(
            totals=self._settled.plus(_totals(store, self._settled_until_s, now_ms // 1000 + MINUTE)),
            endpoints=endpoints,
            gauges=store.gauges(),
            oldest_due_s=max(0.0, (now_ms - min(due, default=now_ms)) / 1000),
            in_flight=0 if status is None else status.in_flight,
        )

    def _families(self, reading: _Reading) -> Iterator[Metric]:
        yield self._accepted(reading.totals.accepted)
        yield from _attempts(reading.totals)
        yield from _owed(reading)
        yield from _states(reading.endpoints)
        requests = CounterMetricFamily("webhook_intake_requests", "HTTP requests by status.", labels=["status"])
        for status, count in sorted(self._desk.answered.items()):
            requests.add_metric([str(status)], count)
        yield requests
        judged = CounterMetricFamily("webhook_inbound", "Requests to sources, by fate.", labels=["source", "fate"])
        for (source, fate), count in sorted(self._desk.inbound.fates.items()):
            judged.add_metric([source, fate], count)
        yield judged

    def _accepted(self, total: int) -> Metric:
        """Only what comes over HTTP is counted by source here; the rest is what the store has more than that."""
        by_source = Counter({"api": self._desk.acceptor.accepted})
        for (source, fate), count in self._desk.inbound.fates.items():
            if fate in (Fate.ACCEPTED, Fate.FLAGGED):
                by_source[f"in/{source}"] += count
        self._elsewhere = max(self._elsewhere, total - by_source.total())
        accepted = CounterMetricFamily(
            "webhook_accepted", "Events accepted. elsewhere: commands, the spool, the engine itself.", labels=["source"]
        )
        for source, count in sorted({**by_source, "elsewhere": self._elsewhere}.items()):
            accepted.add_metric([source], count)
        return accepted


class _Collected(Collector):
    """What was read already, as the library wants it."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _totals(store: Store, since_s: int, until_s: int) -> _Totals:
    total = total_of(store.buckets(since_s=since_s, until_s=until_s, width_s=MINUTE), since_s)
    causes: Counter[Cause] = Counter()
    for counts in store.causes(since_s=since_s, until_s=until_s).values():
        causes.update(counts)
    return _Totals(accepted=total.accepted, ok=total.ok, histogram=list(total.histogram), causes=causes)


def _attempts(totals: _Totals) -> Iterator[Metric]:
    ok = CounterMetricFamily("webhook_attempts_delivered", "Attempts that delivered.")
    ok.add_metric([], totals.ok)
    yield ok
    failed = CounterMetricFamily("webhook_attempts_failed", "Attempts that failed, by cause.", labels=["cause"])
    for cause in Cause:
        failed.add_metric([cause], totals.causes[cause])
    yield failed
    # Without a sum: the store keeps slots, not times.
    durations = HistogramMetricFamily("webhook_attempt_duration_seconds", "From the start of an attempt to its end.")
    bounds = [*(f"{ms / 1000:g}" for ms in LATENCY_BOUNDS_MS), "+Inf"]
    counts, below = [], 0
    for bound, count in zip(bounds, totals.histogram, strict=True):
        below += count
        counts.append((bound, float(below)))
    durations.add_metric([], counts, None)
    yield durations


def _owed(reading: _Reading) -> Iterator[Metric]:
    pending = GaugeMetricFamily("webhook_pending", "Deliveries that wait.", labels=["endpoint"])
    sending = GaugeMetricFamily("webhook_sending", "Requests on the wire.", labels=["endpoint"])
    failed = GaugeMetricFamily("webhook_failed", "Deliveries that failed for good.", labels=["endpoint"])
    rows = [(endpoint.name, reading.gauges.get(endpoint.id, Gauge())) for endpoint in reading.endpoints]
    rows.sort(key=lambda row: -row[1].pending)
    shown, others = rows[:ENDPOINTS_MOST], [gauge for _, gauge in rows[ENDPOINTS_MOST:]]
    if others:
        together = Gauge(
            pending=sum(one.pending for one in others),
            sending=sum(one.sending for one in others),
            failed=sum(one.failed for one in others),
        )
        shown.append((OTHERS, together))
    for name, gauge in shown:
        pending.add_metric([name], gauge.pending)
        sending.add_metric([name], gauge.sending)
        failed.add_metric([name], gauge.failed)
    yield from (pending, sending, failed)
    oldest = "How long ago the delivery was due that waits longest, those of paused endpoints too."
    yield GaugeMetricFamily("webhook_oldest_pending_age_seconds", oldest, value=reading.oldest_due_s)
    yield GaugeMetricFamily("webhook_in_flight", "Requests on the wire, as of the last heartbeat.", reading.in_flight)


def _states(endpoints: list[Endpoint]) -> Iterator[Metric]:
    states = GaugeMetricFamily("webhook_endpoints", "Endpoints by state.", labels=["state"])
    counts = Counter(endpoint.state for endpoint in endpoints)
    for state in EndpointState:
        states.add_metric([state], counts[state])
    yield states
    broken = GaugeMetricFamily("webhook_breaker_open", "1: the circuit breaker is open.", labels=["endpoint"])
    for endpoint in [one for one in endpoints if one.state is EndpointState.TRIPPED][:ENDPOINTS_MOST]:
        broken.add_metric([endpoint.name], 1)
    yield broken
