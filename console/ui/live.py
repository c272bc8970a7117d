"""The live feed: a thread that reads the store as it changes, and hands frozen values to the screens."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.alerts import Alert
from console.domain.clock import Clock
from console.domain.delivery import Attempt
from console.domain.endpoint import Endpoint
from console.domain.errors import ConsoleError, UnknownReferenceError
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import AttemptId, EndpointId
from console.domain.passing import Glimpse, Passed, count_passed
from console.domain.rates import Bucket, Window, total_of
from console.domain.status import EngineStatus, Gauge
from console.store import open_store

if TYPE_CHECKING:
    from console.store import Store

LOOK_EVERY_S = 0.1
"""How often the store is asked whether it changed."""

READ_EVERY_S = 0.2
"""The least time between two reads while it changes all the time."""

READ_EVERY_OVER_SSH_S = 0.5
"""The same over SSH, where each repaint of a busy tail is 10 kB on the wire."""

BUSY_ABOVE = 20
"""More attempts than this in one read are a flood."""

READ_EVERY_BUSY_S = 0.5
"""The least time between two reads of a flood: nobody reads it, and every line of the tail moves."""

READ_EVERY_BUSY_OVER_SSH_S = 1.0
"""The same over SSH."""

AT_LEAST_EVERY_S = 1.0
"""A read even when nothing changed, so that rates fall and ages move."""

SHARE_OF_TIME = 0.2
"""Rates may take this share of the feed's time: a store that is slow to read is read less often."""

FIRST_PAGE = 100
"""Attempts of before that are there from the beginning; older ones are read when somebody goes up to them."""

GLIMPSED = 20_000
"""Attempts looked at in one read; of a longer burst only the newest are, and the rest is counted."""

ROWS_AT_ONCE = 500
"""Attempts that become rows in one read; of more, only the newest do, and the rest is counted."""

TAIL_KEPT = 2_000
"""Attempts kept for a screen that does not take them."""

OPEN_WATCHED = 1_000
"""Attempts under way whose end is looked for."""

SLOTS_SHOWN = 60
"""Parts that a window is cut into for its charts."""

LEVELS_KEPT = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A window in `SLOTS_SHOWN` parts or fewer, oldest first; None where nothing happened."""

    delivered: tuple[float | None, ...] = ()
    """A second."""
    success: tuple[float | None, ...] = ()
    errors: tuple[float | None, ...] = ()
    """Shares of the attempts, 0 to 1."""
    p50_ms: tuple[float | None, ...] = ()
    p95_ms: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """A window, read at one time."""

    window: Window
    elapsed_s: float
    """What counts are divided by: the last bucket is not full yet."""
    total: Bucket
    by_endpoint: Mapping[EndpointId, Bucket]
    series: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How everything stands. `focus` is the one endpoint that `rates.total`, its series and the tail speak of."""

    focus: EndpointId | None
    read_at_s: float
    """On the monotonic clock."""
    engine: EngineStatus | None
    endpoints: tuple[Endpoint, ...]
    gauges: Mapping[EndpointId, Gauge]
    rates: Rates
    alerts: tuple[Alert, ...] = ()
    """What fires now."""
    pending_levels: tuple[float | None, ...]
    in_flight_levels: tuple[float, ...]
    """One sample a second since the console opened, or since the focus changed."""

    uncounted: frozenset[EndpointId] = frozenset()
    """Of the past: those whose pending and failed nobody wrote down. `gauges` says nothing of them."""
    unknown_states: frozenset[EndpointId] = frozenset()
    """Of the past: those of which nobody knows in which state they were. What `endpoints` says is today's."""

    @property
    def pending_is_known(self) -> bool:
        """Whether `pending` says anything: always of the present."""
        return not self.uncounted if self.focus is None else self.focus not in self.uncounted

    def focused(self, counts: Callable[[Gauge], int]) -> int:
        """A count of the focused endpoint, or of all of them together."""
        if self.focus is not None:
            gauge = self.gauges.get(self.focus)
            return counts(gauge) if gauge else 0
        return sum(counts(gauge) for gauge in self.gauges.values())

    @property
    def pending(self) -> int:
        return self.focused(lambda gauge: gauge.pending)

    @property
    def in_flight(self) -> int:
        return self.focused(lambda gauge: gauge.sending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came since the feed was last asked. `attempts` are new ones and new versions of old ones, in order.

    `generation` grows when another endpoint is looked at: attempts of before are then of no use.
    """

    snapshot: Snapshot | None
    trouble: str | None
    attempts: tuple[Attempt, ...]
    skipped: int
    generation: int
    passed: tuple[Passed, ...] = ()
    """Successes that were too many to be read one by one, by second and endpoint; none of them is in `attempts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    window: Window
    focus: EndpointId | None
    generation: int = 0
    whole: bool = False
    """No success is only counted: somebody looks for some of them."""


class LiveFeed(threading.Thread):
    """Looks at the store every 100 ms; `changed` is called, on this thread, when there is something to `take`.

    It is not called again before that was taken. A store that cannot be read is trouble to show, never an end.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        window: Window,
        changed: Callable[[], object],
        read_every_s: float = READ_EVERY_S,
        read_busy_every_s: float = READ_EVERY_S,
    ) -> None:
        super().__init__(name="live-feed", daemon=True)
        self._path, self._clock, self._changed = path, clock, changed
        self._pace = (read_every_s, read_busy_every_s)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = self._resting = False
        self._wish = _Wish(window=window, focus=None)
        self._told = False
        self._snapshot: Snapshot | None = None
        self._trouble: str | None = None
        self._attempts: deque[Attempt] = deque()
        self._skipped = 0
        self._passed: dict[tuple[int, str], Passed] = {}
        self._taken_generation = 0
        self._read_once = threading.Event()

    # For the screens

    def rest(self) -> None:
        """Read nothing until `look_at` is called with `anew`: the screens show the past."""
        self._resting = True

    def look_at(self, *, window: Window, focus: EndpointId | None, anew: bool = False) -> int:
        """Read another window or another endpoint from now on; `anew` from the beginning, whatever was read before.

        Returns the generation of what will come.
        """
        with self._lock:
            generation = self._wish.generation
            if anew:
                self._resting, self._snapshot, self._told = False, None, False
            if anew or focus != self._wish.focus:
                generation += 1
                self._attempts.clear()
                self._passed.clear()
                self._skipped = 0
            self._wish = replace(self._wish, window=window, focus=focus, generation=generation)
        self._wake.set()
        return generation

    def read_whole(self, whole: bool) -> None:
        """Whether each attempt is wanted from now on, also of a flood: a filter tells which of them are shown."""
        with self._lock:
            self._wish = replace(self._wish, whole=whole)

    def take(self) -> Taken:
        """All that came since this was last called."""
        with self._lock:
            taken = Taken(
                snapshot=self._snapshot,
                trouble=self._trouble,
                attempts=tuple(self._attempts),
                skipped=self._skipped,
                generation=self._taken_generation,
                passed=tuple(self._passed.values()),
            )
            self._snapshot = None
            self._attempts.clear()
            self._passed.clear()
            self._skipped = 0
            self._told = False
        return taken

    def first(self, timeout_s: float) -> Taken | None:
        """What the first read found; None when it takes longer than this."""
        return self.take() if self._read_once.wait(timeout_s) else None

    def look_now(self) -> None:
        """Do not wait for the next look: something was just changed from here."""
        self._wake.set()

    def stop(self) -> None:
        """Ask the thread to end; it closes its store."""
        self._stopping = True
        self._wake.set()

    # On the thread

    def run(self) -> None:
        reader: _Reader | None = None
        while not self._stopping:
            try:
                if reader is None:
                    reader = _Reader(open_store(self._path, read_only=True, create=False), self._clock)
                wish = self._wish
                if not self._resting and reader.has_news(wish, *self._pace):
                    self._offer(wish, *reader.read(wish))
            except ConsoleError as error:
                self._offer_trouble(str(error))
                _close(reader)
                reader = None
            self._wake.wait(LOOK_EVERY_S if self._trouble is None else AT_LEAST_EVERY_S)
            self._wake.clear()
        _close(reader)

    def _offer(self, wish: _Wish, snapshot: Snapshot, news: _News) -> None:
        with self._lock:
            if wish.generation != self._wish.generation:
                return  # another endpoint was asked for while this was read
            self._snapshot, self._trouble = snapshot, None
            self._taken_generation = wish.generation
            self._attempts.extend(news.attempts)
            self._skipped += news.skipped
            for part in news.passed:
                key = (part.second, part.endpoint_name)
                known = self._passed.get(key)
                self._passed[key] = part if known is None else known.with_more(part)
            while len(self._attempts) > TAIL_KEPT:
                self._attempts.popleft()
                self._skipped += 1
        self._tell()

    def _offer_trouble(self, text: str) -> None:
        with self._lock:
            self._trouble = text
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            tell, self._told = not self._told, True
        self._read_once.set()
        if tell and not self._stopping:
            self._changed()


def _close(reader: _Reader | None) -> None:
    if reader is not None:
        with suppress(ConsoleError):  # it was unreadable already, which has been said
            reader.store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What happened since the last read."""

    attempts: Sequence[Attempt] = ()
    passed: Sequence[Passed] = ()
    skipped: int = 0


class _Reader:
    """One open store and what was last read of it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self._clock = store, clock
        self._wish: _Wish | None = None
        self._version: int | None = None
        self._rates: Rates | None = None
        self._read_at_s = self._rates_at_s = self._rates_cost_s = float("-inf")
        self._last_id: AttemptId | None = None
        self._open: dict[AttemptId, bool] = {}
        """Attempts under way, and whether they were handed over as rows."""
        self._levels: deque[tuple[int, int, int]] = deque(maxlen=LEVELS_KEPT)
        self._busy = False
        self._alerts: tuple[Alert, ...] = ()
        self._alerts_at_s = float("-inf")

    def has_news(self, wish: _Wish, every_s: float, busy_every_s: float) -> bool:
        """Whether it is time to read: another wish, a change, or a second gone by."""
        version, since = self.store.data_version(), self._clock.monotonic_s() - self._read_at_s
        if wish != self._wish or since >= AT_LEAST_EVERY_S:
            self._version = version
            return True
        if version == self._version or since < (busy_every_s if self._busy else every_s):
            return False
        self._version = version
        return True

    def read(self, wish: _Wish) -> tuple[Snapshot, _News]:
        """How everything stands, and the attempts that are new or ended."""
        if self._wish is None or wish.generation != self._wish.generation:
            self._last_id = None
            self._open.clear()
            self._levels.clear()
        begun_s, now_ms = self._clock.monotonic_s(), self._clock.now_ms()
        news = self._first_page(wish.focus) if self._last_id is None else self._news(wish, self._last_id)
        snapshot = Snapshot(
            focus=wish.focus,
            read_at_s=begun_s,
            engine=self.store.engine_status(),
            endpoints=tuple(self.store.endpoints()),
            gauges=self.store.gauges(),
            rates=self._rates_of(wish, now_ms, begun_s),
            alerts=self._alerts_now(begun_s, now_ms),
            pending_levels=(),
            in_flight_levels=(),
        )
        self._wish, self._read_at_s = wish, begun_s
        return self._with_levels(snapshot, now_ms // 1000), news

    def _alerts_now(self, now_s: float, now_ms: int) -> tuple[Alert, ...]:
        """Read once a second: nothing fires sooner."""
        if now_s - self._alerts_at_s >= AT_LEAST_EVERY_S:
            self._alerts, self._alerts_at_s = tuple(self.store.alerts(now_ms)), now_s
        return self._alerts

    def _with_levels(self, snapshot: Snapshot, second: int) -> Snapshot:
        sample = (second, snapshot.pending, snapshot.in_flight)
        if self._levels and self._levels[-1][0] == second:
            self._levels[-1] = sample
        else:
            self._levels.append(sample)
        return replace(
            snapshot,
            pending_levels=tuple(float(pending) for _, pending, _ in self._levels),
            in_flight_levels=tuple(float(in_flight) for _, _, in_flight in self._levels),
        )

    def _first_page(self, focus: EndpointId | None) -> _News:
        rows = self.store.attempts(AttemptFilter(endpoints=(focus,) if focus else ()), AttemptPage(limit=FIRST_PAGE))
        self._last_id = rows[-1].id if rows else AttemptId(0)
        self._open = {row.id: True for row in rows if row.ended_at_ms is None}
        return _News(attempts=rows)

    def _news(self, wish: _Wish, last_id: AttemptId) -> _News:
        """Few are read whole. Of a flood only the failures are, and successes are counted."""
        focus = wish.focus
        glimpses = self.store.glimpses(after=last_id, also=tuple(self._open), endpoint=focus, limit=GLIMPSED)
        fresh = sum(glimpse.id > last_id for glimpse in glimpses)
        skipped = 0
        if fresh:
            if fresh == GLIMPSED and focus is None:
                skipped = max(0, glimpses[-fresh].id - last_id - 1)
            self._last_id = glimpses[-1].id
        self._busy = fresh > BUSY_ABOVE
        counting = self._busy and not wish.whole
        rows: list[AttemptId] = []
        counted: list[Glimpse] = []
        for glimpse in glimpses:
            is_row = self._open.get(glimpse.id, not counting)
            if glimpse.id <= last_id and not glimpse.ended:
                continue  # was under way, and is
            if glimpse.failed or is_row:
                rows.append(glimpse.id)
            else:
                counted.append(glimpse)
        self._open = {glimpse.id: self._open.get(glimpse.id, not counting) for glimpse in glimpses if not glimpse.ended}
        while len(self._open) > OPEN_WATCHED:
            del self._open[next(iter(self._open))]
        skipped += max(0, len(rows) - ROWS_AT_ONCE)
        return _News(attempts=self._read_rows(rows[-ROWS_AT_ONCE:]), passed=count_passed(counted), skipped=skipped)

    def _read_rows(self, ids: Sequence[AttemptId]) -> list[Attempt]:
        found: list[Attempt] = []
        for number in ids:
            with suppress(UnknownReferenceError):  # no longer kept
                found.append(self.store.attempt(number))
        return found

    def _rates_of(self, wish: _Wish, now_ms: int, now_s: float) -> Rates:
        known = self._rates
        same = known is not None and self._wish is not None and self._wish == wish
        if known is not None and same and now_s - self._rates_at_s < self._rates_cost_s / SHARE_OF_TIME:
            return known
        self._rates = read_rates(self.store, wish.window, wish.focus, now_ms)
        self._rates_at_s, self._rates_cost_s = now_s, self._clock.monotonic_s() - now_s
        return self._rates


def read_rates(store: Store, window: Window, focus: EndpointId | None, now_ms: int) -> Rates:
    """The window that ends now, of one endpoint or of all."""
    width = window.width_s
    until = (now_ms // 1000 // width + 1) * width
    since = until - window.length_s
    buckets = store.buckets(since_s=since, until_s=until, width_s=width, endpoint=focus)
    return Rates(
        window=window,
        elapsed_s=max(1.0, now_ms / 1000 - since),
        total=total_of(buckets, since),
        by_endpoint=store.totals_by_endpoint(since_s=since, until_s=until, width_s=width),
        series=series_of(buckets, since=since, window=window),
    )


def series_of(buckets: Sequence[Bucket], *, since: int, window: Window) -> Series:
    """What the charts of a window show."""
    slot_s = max(window.width_s, window.length_s // SLOTS_SHOWN)
    # Slots begin at round times, so that a bar stays what it is while it moves to the left.
    first = since // slot_s
    slots: list[list[Bucket]] = [[] for _ in range((since + window.length_s - 1) // slot_s - first + 1)]
    for bucket in buckets:
        slots[bucket.start_s // slot_s - first].append(bucket)
    sums = [total_of(slot, 0) if slot else None for slot in slots]
    ratios = [None if part is None else part.error_ratio for part in sums]
    return Series(
        delivered=tuple(0.0 if part is None else part.ok / slot_s for part in sums),
        success=tuple(None if ratio is None else 1 - ratio for ratio in ratios),
        errors=tuple(ratios),
        p50_ms=tuple(None if part is None else part.percentile_ms(0.5) for part in sums),
        p95_ms=tuple(None if part is None else part.percentile_ms(0.95) for part in sums),
    )
