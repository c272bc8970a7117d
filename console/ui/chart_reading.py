"""What charts show of one endpoint, or of all: a window in even parts, read in one go."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from console.domain.endpoint import Endpoint
from console.domain.failure_group import Share
from console.domain.ids import EndpointId
from console.domain.moment import Moment
from console.domain.outcome import Cause
from console.domain.rates import MINUTE, SECONDS_KEPT_S, SLOTS, Bucket, Window, total_of
from console.store import Store

_LENGTHS_S = (
    1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 600, 720, 900, 1200, 1800, 3600, 7200,
)  # fmt: skip
"""A part of a window is so long: people read times by these."""

_NOTHING = (0,) * SLOTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a window. Percentiles are None where nothing ended."""

    start_s: int
    length_s: float
    """What counts are divided by: shorter than the others for the one that has not ended."""
    ok: int = 0
    failed: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    cause: Cause | None = None
    """Why most of those failed that did, as far as minutes tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCharts:
    """One line of the list of endpoints; `id` None: all of them."""

    id: EndpointId | None
    name: str
    total: Bucket
    elapsed_s: float
    shares: tuple[tuple[int, int] | None, ...]
    """How many succeeded and failed in each part; None where nothing ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """A window in parts, oldest first, without gaps."""

    window: Window
    endpoint: EndpointId | None
    since_s: int
    until_s: int
    part_s: int
    parts: tuple[Part, ...]
    total: Bucket
    elapsed_s: float
    causes: tuple[tuple[Cause, int], ...]
    """Failed attempts by cause in the minutes of the window, the most frequent first."""
    endpoints: tuple[EndpointCharts, ...]


def part_length_s(length_s: int, width_s: int, most: int) -> int:
    """The length of parts such that a window has at most so many of them."""
    for length in _LENGTHS_S:
        if length % width_s == 0 and length_s // length + 1 <= most:
            return length
    return max(width_s, -(-length_s // max(1, most - 1) // width_s) * width_s)


def read_charts(
    store: Store,
    window: Window,
    endpoint: EndpointId | None,
    *,
    most: int,
    moment: Moment | None,
    now_ms: int,
    endpoints: tuple[EndpointCharts, ...] | None = None,
) -> Charts:
    """The window that ends now, or at a moment of the past, in at most `most` parts.

    Args:
        endpoints: the list as it was just read, when only another endpoint is to be charted: of very many endpoints it
            takes longer than all the rest.
    """
    window, span = _cut(store, window, most=most, moment=moment, now_ms=now_ms)
    since_s, until_s = span.since_s, span.until_s
    buckets = store.buckets(since_s=since_s, until_s=until_s, width_s=span.width_s, endpoint=endpoint)
    by_minute = store.cause_series(since_s=since_s, until_s=until_s, endpoint=endpoint)
    causes: Counter[Cause] = Counter()
    for counts in by_minute.values():
        causes.update(counts)
    return Charts(
        window=window,
        endpoint=endpoint,
        since_s=since_s,
        until_s=until_s,
        part_s=span.part_s,
        parts=_parts(buckets, by_minute, span),
        total=total_of(buckets, since_s),
        elapsed_s=max(1.0, now_ms / 1000 - since_s),
        causes=tuple(causes.most_common()),
        endpoints=endpoints or _endpoints(store, span, now_ms if moment is not None else None),
    )


def heat_of(
    store: Store, window: Window, *, most: int, moment: Moment | None, now_ms: int
) -> dict[EndpointId, tuple[tuple[int, int] | None, ...]]:
    """How many attempts succeeded and failed in each of at most `most` parts of a window, by endpoint."""
    _, span = _cut(store, window, most=most, moment=moment, now_ms=now_ms)
    heat = store.heat(since_s=span.since_s, until_s=span.until_s, width_s=span.width_s, part_s=span.part_s)
    return {id_: _in_parts(shares, span) for id_, shares in heat.items()}


def _cut(store: Store, window: Window, *, most: int, moment: Moment | None, now_ms: int) -> "tuple[Window, _Span]":
    """The window that is shown, a range of the past when one is, and its parts: of whole minutes where they can be."""
    if moment is not None and moment.since_ms is not None:
        length_s = max(1, round((moment.at_ms - moment.since_ms) / 1000))
        window = Window(label=window.label, length_s=length_s, width_s=window.width_s)
    width = window.width_s
    if window.length_s > SECONDS_KEPT_S or (moment is not None and _too_old(store, now_ms, window)):
        width = MINUTE
    part_s = part_length_s(window.length_s, width, most)
    if part_s % MINUTE == 0:
        width = MINUTE
    until_s = now_ms // 1000 + 1
    since_s = (until_s - window.length_s) // part_s * part_s
    return window, _Span(since_s=since_s, until_s=until_s, part_s=part_s, width_s=width, now_s=now_ms / 1000)


def _too_old(store: Store, now_ms: int, window: Window) -> bool:
    """Whether seconds of the window are no longer kept."""
    newest_ms = store.newest_ms() or now_ms
    return now_ms // 1000 - window.length_s < newest_ms // 1000 - SECONDS_KEPT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    since_s: int
    until_s: int
    part_s: int
    width_s: int
    """Of the buckets that are read."""
    now_s: float

    @property
    def starts(self) -> range:
        return range(self.since_s, self.until_s, self.part_s)


def _parts(buckets: Sequence[Bucket], by_minute: Mapping[int, Mapping[Cause, int]], span: _Span) -> tuple[Part, ...]:
    gathered: dict[int, list[Bucket]] = {}
    for bucket in buckets:
        gathered.setdefault(bucket.start_s - (bucket.start_s - span.since_s) % span.part_s, []).append(bucket)
    parts = []
    for start in span.starts:
        part = Part(start_s=start, length_s=max(1.0, min(span.part_s, span.now_s - start)))
        if start in gathered:
            total = total_of(gathered[start], start)
            part = replace(
                part,
                ok=total.ok,
                failed=total.failed,
                p50_ms=total.percentile_ms(0.5),
                p95_ms=total.percentile_ms(0.95),
                p99_ms=total.percentile_ms(0.99),
                cause=_most(by_minute, start, span.part_s) if total.failed else None,
            )
        parts.append(part)
    return tuple(parts)


def _most(by_minute: Mapping[int, Mapping[Cause, int]], start_s: int, length_s: int) -> Cause | None:
    counts: Counter[Cause] = Counter()
    for minute in range(start_s - start_s % MINUTE, start_s + length_s, MINUTE):
        counts.update(by_minute.get(minute, {}))
    return counts.most_common(1)[0][0] if counts else None


def _endpoints(store: Store, span: _Span, at_ms: int | None) -> tuple[EndpointCharts, ...]:
    """All together first, then each by name."""
    totals = store.totals_by_endpoint(since_s=span.since_s, until_s=span.until_s, width_s=span.width_s)
    heat = store.heat(since_s=span.since_s, until_s=span.until_s, width_s=span.width_s, part_s=span.part_s)
    there: list[Endpoint] = store.endpoints() if at_ms is None else store.endpoints_at(at_ms)
    elapsed_s = max(1.0, span.now_s - span.since_s)
    everyone = [share for shares in heat.values() for share in shares]
    rows = [
        EndpointCharts(
            id=None,
            name="all endpoints",
            total=total_of(totals.values(), span.since_s),
            elapsed_s=elapsed_s,
            shares=_in_parts(everyone, span),
        )
    ]
    nothing = Bucket(start_s=span.since_s, accepted=0, ok=0, failed=0, histogram=_NOTHING)
    rows += [
        EndpointCharts(
            id=endpoint.id,
            name=endpoint.name,
            total=totals.get(endpoint.id, nothing),
            elapsed_s=elapsed_s,
            shares=_in_parts(heat.get(endpoint.id, ()), span),
        )
        for endpoint in there
    ]
    return tuple(rows)


def _in_parts(shares: Sequence[Share], span: _Span) -> tuple[tuple[int, int] | None, ...]:
    sums: dict[int, tuple[int, int]] = {}
    for share in shares:
        # The store's parts begin at multiples of their length, and so do these.
        ok, failed = sums.get(share.start_s, (0, 0))
        sums[share.start_s] = ok + share.ok, failed + share.failed
    return tuple(sums.get(start) for start in span.starts)
