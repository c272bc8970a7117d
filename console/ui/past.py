"""What the screens show of a moment of the past: read once, as it stood then, and never with a number of today.

Runs on a reading thread; gives the same values as the live feed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from console.domain.delivery import Attempt
from console.domain.endpoint import Endpoint
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import EndpointId
from console.domain.level import LastFailure, Level
from console.domain.moment import Moment
from console.domain.rates import MINUTE, SECONDS_KEPT_S, Window, total_of
from console.domain.status import Gauge
from console.store import Store
from console.ui.live import SLOTS_SHOWN, Rates, Snapshot, Taken, series_of

PAST_TAIL = 1_000
"""Attempts of the tail, the newest before the moment."""

FAILURES_OF = 500
"""Endpoints whose last failure is looked up, and whose levels are added up for a chart."""


def read_past(
    store: Store, moment: Moment, *, window: Window, focus: EndpointId | None, generation: int, read_at_s: float
) -> Taken:
    """How everything stood at the end of a moment. Raises StoreError, ReadInterruptedError."""
    at_ms = moment.at_ms
    newest_ms = store.newest_ms()
    is_last = newest_ms is not None and at_ms >= newest_ms  # nothing happened since: what is kept is exact
    attempts, more = past_attempts(store, moment, focus)
    levels = store.levels_at(at_ms)
    endpoints = store.endpoints_at(at_ms)
    gauges = store.gauges() if is_last else _gauges(store, at_ms, levels)
    pending = _pending_levels(store, endpoints, moment, window, focus)
    snapshot = Snapshot(
        focus=focus,
        read_at_s=read_at_s,
        engine=store.engine_status(),
        endpoints=tuple(endpoints if is_last else (endpoint_as_of(e, levels.get(e.id)) for e in endpoints)),
        gauges=gauges,
        rates=past_rates(store, window, focus, at_ms, newest_ms),
        alerts=tuple(store.alerts(at_ms)) if is_last else (),
        pending_levels=pending,
        in_flight_levels=(),
        uncounted=frozenset(
            () if is_last else (e.id for e in endpoints if (known := levels.get(e.id)) is None or known.pending is None)
        ),
        unknown_states=frozenset(
            () if is_last else (e.id for e in endpoints if (known := levels.get(e.id)) is None or known.state is None)
        ),
    )
    return Taken(snapshot=snapshot, trouble=None, attempts=tuple(attempts), skipped=int(more), generation=generation)


def past_attempts(store: Store, moment: Moment, focus: EndpointId | None) -> tuple[list[Attempt], bool]:
    """The newest attempts that had begun by then, as they stood then, and whether a range has more before them."""
    where = AttemptFilter(
        endpoints=() if focus is None else (focus,), since_ms=moment.since_ms, until_ms=moment.until_ms
    )
    rows = store.attempts(where, AttemptPage(limit=PAST_TAIL))
    return [as_of(row, moment.at_ms) for row in rows], moment.since_ms is not None and len(rows) == PAST_TAIL


def as_of(attempt: Attempt, at_ms: int) -> Attempt:
    """An attempt as it stood: what had not ended by then was under way."""
    if attempt.ended_at_ms is None or attempt.ended_at_ms <= at_ms:
        return attempt
    return replace(
        attempt, ended_at_ms=None, status=None, cause=None, detail=None, total_ms=None, first_byte_ms=None,
        resolve_ms=None, connect_ms=None, tls_ms=None,
    )  # fmt: skip


def past_rates(store: Store, window: Window, focus: EndpointId | None, at_ms: int, newest_ms: int | None) -> Rates:
    """The window that ended then. Where seconds are no longer kept, whole minutes: never one that ended later."""
    end_s = (at_ms + 1) // 1000
    oldest_s = (newest_ms or at_ms) // 1000 - SECONDS_KEPT_S
    if window.width_s < MINUTE and end_s - window.length_s < oldest_s:
        window = replace(window, width_s=MINUTE)
    width = window.width_s
    until = end_s // width * width
    since = until - max(window.length_s // width, 1) * width
    buckets = store.buckets(since_s=since, until_s=until, width_s=width, endpoint=focus)
    return Rates(
        window=window,
        elapsed_s=float(until - since),
        total=total_of(buckets, since),
        by_endpoint=store.totals_by_endpoint(since_s=since, until_s=until, width_s=width),
        series=series_of(buckets, since=since, window=window),
    )


def _gauges(store: Store, at_ms: int, levels: Mapping[EndpointId, Level]) -> dict[EndpointId, Gauge]:
    sending = store.sending_at(at_ms)
    failures = store.last_failures_at(at_ms, limit=FAILURES_OF)
    return {
        id_: _gauge(levels.get(id_), sending.get(id_, 0), failures.get(id_))
        for id_ in {*levels, *sending, *failures}
    }  # fmt: skip


def _gauge(level: Level | None, sending: int, failure: LastFailure | None) -> Gauge:
    return Gauge(
        pending=(level.pending or 0) if level else 0,
        sending=sending,
        failed=(level.failed or 0) if level else 0,
        last_failure_at_ms=failure.at_ms if failure else None,
        last_failure_cause=failure.cause if failure else None,
        last_failure_detail=failure.detail if failure else None,
    )


def endpoint_as_of(endpoint: Endpoint, level: Level | None) -> Endpoint:
    """An endpoint in the state that it had. Reason, probes and pace belong to today's state, and go with it."""
    if level is None or level.state is None or level.state_since_ms is None:
        return endpoint
    if level.state is endpoint.state and level.state_since_ms == endpoint.state_since_ms:
        return replace(endpoint, probe_at_ms=None, pace=None)
    return replace(
        endpoint, state=level.state, state_since_ms=level.state_since_ms, state_reason=None, probe_at_ms=None,
        pace=None, resume_at_ms=None, resume_pace=None,
    )  # fmt: skip


def _pending_levels(
    store: Store, endpoints: Sequence[Endpoint], moment: Moment, window: Window, focus: EndpointId | None
) -> tuple[float | None, ...]:
    """The pending of the window, in as many steps as a chart has; None where not all of it is known."""
    whose = [endpoint for endpoint in endpoints if focus is None or endpoint.id == focus]
    if not 0 < len(whose) <= FAILURES_OF:
        return ()
    step_ms = max(1, window.length_s * 1000 // SLOTS_SHOWN)
    first_ms = moment.at_ms - window.length_s * 1000
    ends = [first_ms + step_ms * (slot + 1) for slot in range(SLOTS_SHOWN)]
    sums: list[float | None] = [0.0] * SLOTS_SHOWN
    for endpoint in whose:
        series = store.level_series(endpoint.id, since_ms=first_ms, until_ms=moment.until_ms)
        at = -1
        for slot, end_ms in enumerate(ends):
            while at + 1 < len(series) and series[at + 1].at_ms <= end_ms:
                at += 1
            known = series[at].pending if at >= 0 else 0 if endpoint.created_at_ms > end_ms else None
            before = sums[slot]
            sums[slot] = None if known is None or before is None else before + known
    return tuple(sums)
