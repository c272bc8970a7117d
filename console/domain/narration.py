"""How everything stands and what has changed, in whole sentences: for screen readers, braille lines and logs. Pure.

Each sentence stands for itself: the endpoint's name comes first, numbers carry their words, and nothing is said by its
place on a line or by a glyph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from console.domain.alerts import Alert
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.inbound import Fate
from console.domain.outcome import Cause
from console.domain.rates import Bucket, Window
from console.domain.status import EngineStatus, Gauge

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What was read of a store at one moment (`now_ms`, epoch ms). Buckets are sums over the window that ends there."""

    now_ms: int
    window: Window
    engine: EngineStatus | None
    endpoints: tuple[Endpoint, ...]
    gauges: Mapping[EndpointId, Gauge]
    rates: Mapping[EndpointId, Bucket]
    total: Bucket
    causes: Mapping[EndpointId, Mapping[Cause, int]]
    """Failed attempts in the window."""
    alerts: tuple[Alert, ...]
    inbox: Mapping[str, Mapping[Fate, int]] = field(default_factory=dict)
    """Requests that came in over the last hour, by source and fate."""


def how_it_stands(now: Overview) -> list[str]:
    """All of it: the engine, the whole, alerts, and each endpoint, those in trouble first."""
    pending = sum(gauge.pending for gauge in now.gauges.values())
    sentences = [engine_sentence(now.engine, now.now_ms)]
    rates = f"{_rates(now.total)}; {many(pending, 'delivery')} pending"
    sentences.append(f"All endpoints, in the last {_window(now.window)}: {rates}.")
    sentences += [f"Alert: {alert.words}, for {length(now.now_ms - alert.since_ms)} now." for alert in now.alerts]
    if not now.alerts:
        sentences.append("No alert fires.")
    sentences += inbox_sentences(now)
    if not now.endpoints:
        return [*sentences, "There is no endpoint: webhook-console endpoints add URL adds one."]
    sentences.append(f"{many(len(now.endpoints), 'endpoint')}:")
    return sentences + [endpoint_sentence(now, endpoint) for endpoint in by_trouble(now)]


def inbox_sentences(now: Overview) -> list[str]:
    """`Inbox, in the last hour: 41 requests came in, 2 were rejected.`, and each source that refused any; nothing
    where nothing came in."""
    every = [counts for counts in now.inbox.values() if counts]
    if not every:
        return []
    total = sum(sum(counts.values()) for counts in every)
    parts = [f"{many(total, 'request')} came in"]
    for fate, words in _FATE_WORDS.items():
        if n := sum(counts.get(fate, 0) for counts in every):
            parts.append(f"{n:,} {'was' if n == 1 else 'were'} {words}")
    said = [f"Inbox, in the last hour: {', '.join(parts)}."]
    for name, counts in now.inbox.items():
        if n := counts.get(Fate.REJECTED, 0):
            said.append(f"Source {name}: {many(n, 'request')} rejected in the last hour.")
    return said


_FATE_WORDS = {
    Fate.REJECTED: "rejected",
    Fate.FLAGGED: "taken against their schema",
    Fate.DUPLICATE: "there before",
}


def by_trouble(now: Overview) -> list[Endpoint]:
    """The endpoints: first those that are not active, then those that fail, most of all first."""

    def trouble(endpoint: Endpoint) -> tuple[bool, float, str]:
        bucket = now.rates.get(endpoint.id)
        return endpoint.state is EndpointState.ACTIVE, -(bucket.error_ratio or 0.0) if bucket else 0.0, endpoint.name

    return sorted(now.endpoints, key=trouble)


def endpoint_sentence(now: Overview, endpoint: Endpoint) -> str:
    """`crm: active. In the last 5 minutes: 20 delivered, 4 failed (http_5xx 3, dns 1). 3 deliveries pending.`"""
    gauge = now.gauges.get(endpoint.id, Gauge())
    because = f", because {endpoint.state_reason}" if endpoint.state_reason else ""
    bucket, causes = now.rates.get(endpoint.id), now.causes.get(endpoint.id, {})
    rates = _rates(bucket) if bucket and bucket.attempts else "nothing was sent"
    named = ", ".join(f"{cause} {n}" for cause, n in sorted(causes.items(), key=lambda item: -item[1]))
    counts = f"{many(gauge.pending, 'delivery')} pending, {gauge.failed} failed for good"
    return (
        f"{endpoint.name}: {endpoint.state}{because}. In the last {_window(now.window)}: {rates}"
        f"{f' ({named})' if named else ''}. {counts}."
    )


def engine_sentence(engine: EngineStatus | None, now_ms: int) -> str:
    """Whether anything is being sent."""
    if engine is None or engine.stopped_at_ms is not None:
        stopped_at_ms = None if engine is None else engine.stopped_at_ms
        ended = "" if stopped_at_ms is None else f"; the last one ended {ago(now_ms - stopped_at_ms)}"
        return f"No engine runs: nothing is sent{ended}."
    if not engine.alive(now_ms):
        return f"The engine has been silent for {length(now_ms - engine.heartbeat_at_ms)}: nothing may be sent."
    return f"The engine runs, process {engine.pid}, started {ago(now_ms - engine.started_at_ms)}."


def what_changed(before: Overview, now: Overview) -> list[str]:
    """What is worth saying since: the engine, states, alerts, and failures that were not there before."""
    said: list[str] = []
    if _alive(before) != _alive(now):
        said.append(engine_sentence(now.engine, now.now_ms))
    known = {endpoint.id: endpoint for endpoint in before.endpoints}
    for endpoint in now.endpoints:
        old = known.pop(endpoint.id, None)
        if old is None:
            said.append(f"{endpoint.name}: was added.")
        elif old.state is not endpoint.state:
            because = f", because {endpoint.state_reason}" if endpoint.state_reason else ""
            said.append(f"{endpoint.name}: is {endpoint.state} now, was {old.state}{because}.")
        said += _new_failures(before, now, endpoint)
    said += [f"{endpoint.name}: was removed." for endpoint in known.values()]
    said += _new_refusals(before, now)
    return said + _alert_changes(before.alerts, now.alerts)


def _new_refusals(before: Overview, now: Overview) -> list[str]:
    """Sources that refused more than before; what is an hour old leaves the count, and is not told."""
    said = []
    for name, counts in now.inbox.items():
        more = counts.get(Fate.REJECTED, 0) - before.inbox.get(name, {}).get(Fate.REJECTED, 0)
        if more > 0:
            said.append(f"Source {name}: {many(more, 'request')} rejected.")
    return said


def _new_failures(before: Overview, now: Overview, endpoint: Endpoint) -> list[str]:
    old, new = (at.gauges.get(endpoint.id, Gauge()) for at in (before, now))
    if new.last_failure_at_ms is None or new.last_failure_at_ms == old.last_failure_at_ms:
        return []
    given_up = new.failed - old.failed
    lost = f"; {many(given_up, 'delivery')} failed for good" if given_up > 0 else ""
    return [f"{endpoint.name}: an attempt failed, {new.last_failure_cause}: {new.last_failure_detail}{lost}."]


def _alert_changes(before: Sequence[Alert], now: Sequence[Alert]) -> list[str]:
    old, new = ({(a.rule.id, a.endpoint_name): a for a in alerts} for alerts in (before, now))
    began = [f"Alert: {alert.words}." for key, alert in new.items() if key not in old]
    return began + [f"Over: {alert.words}." for key, alert in old.items() if key not in new]


def _alive(at: Overview) -> bool:
    return at.engine is not None and at.engine.alive(at.now_ms)


def _rates(bucket: Bucket) -> str:
    said = f"{bucket.ok} delivered, {bucket.failed} failed"
    if bucket.attempts:
        said += f", {100 * bucket.failed / bucket.attempts:.1f} percent"
    p50, p95 = bucket.percentile_ms(0.5), bucket.percentile_ms(0.95)
    if p50 is not None and p95 is not None:
        said += f", half within {p50:.0f} milliseconds, 95 percent within {p95:.0f}"
    return said


def many(n: int, one: str) -> str:
    """`1 delivery`, `3 deliveries`."""
    plural = one[:-1] + "ies" if one.endswith("y") and one != "day" else one + "s"
    return f"{n:,} {one if n == 1 else plural}"


def length(ms: int) -> str:
    """`3 minutes`, in the largest unit of which there is one."""
    seconds = max(0, ms // 1000)
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return many(seconds // size, unit)


def ago(ms: int) -> str:
    """`3 minutes ago`."""
    return f"{length(ms)} ago" if ms >= 1000 else "now"


def _window(window: Window) -> str:
    words = length(window.length_s * 1000)
    return words.removeprefix("1 ")
