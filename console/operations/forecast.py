"""What a store says of an endpoint's backlog, for its forecast."""

from console.domain.endpoint import Endpoint
from console.domain.forecast import DUE_MOST, SOON_S, Backlog, Forecast, forecast
from console.domain.rates import SECOND, total_of
from console.domain.status import Gauge
from console.store.protocol import Store

LOOKED_BACK_S = 600
"""Over so long the change of a backlog is measured, or since an engine first wrote it down."""

LEAST_S = 30
"""Over less than this nothing is said of it."""


def read_forecast(store: Store, endpoint: Endpoint, now_ms: int, *, gauge: Gauge | None = None) -> Forecast:
    """The forecast of one endpoint. Some milliseconds. Raises StoreError.

    Args:
        gauge: its counts, when they have been read already.
    """
    pending = (gauge or store.gauges().get(endpoint.id, Gauge())).pending
    since_ms = now_ms - LOOKED_BACK_S * 1000
    levels = store.level_series(endpoint.id, since_ms=since_ms, until_ms=now_ms)
    first = next((level for level in levels if level.pending is not None), None)
    before_s = 0.0 if first is None else (now_ms - max(first.at_ms, since_ms)) / 1000
    known = first is not None and before_s >= LEAST_S
    recent_s = int(before_s) if known else LOOKED_BACK_S
    now_s = now_ms // 1000 + 1
    buckets = store.buckets(since_s=now_s - recent_s, until_s=now_s, width_s=SECOND, endpoint=endpoint.id)
    backlog = Backlog(
        pending=pending,
        before=first.pending if first is not None and known else None,
        before_s=before_s,
        due_soon=store.due_within(endpoint.id, now_ms + SOON_S * 1000, DUE_MOST),
    )
    recent = total_of(buckets, 0) if buckets else None
    return forecast(endpoint, backlog, recent, recent_s=float(recent_s), now_ms=now_ms)
