"""Keep what is to be kept, and delete the rest in pieces."""

import time
from collections.abc import Callable
from dataclasses import fields

from console.domain.clock import Clock
from console.domain.operation import OperationKind
from console.domain.retention import (
    DAY_S,
    SMALLEST_PIECE,
    Cutoffs,
    Dropped,
    Found,
    Phase,
    Retention,
    check_retention,
    cutoffs,
    next_piece,
    pause_s,
)
from console.store.protocol import Store

SPAN = 2000
"""Rows looked at in one read."""

CAPTURES_SHOWN_S = DAY_S
"""How long a capture that has ended is still on lists."""

PAGES_AT_ONCE = 64
FREE_SHARE = 0.1
"""Of the file: so much free space in it is kept, to be used again, before any is given back."""


class Sweep:
    """One walk over what is old. `find` reads; `drop` deletes what it found, and may run on another connection."""

    def __init__(self, retention: Retention, now_ms: int, *, too_large: bool = False) -> None:
        self.cutoffs: Cutoffs = cutoffs(retention, now_ms, too_large=too_large)
        self._phases = list(Phase)
        self._after = 0
        self._piece = SMALLEST_PIECE

    def find(self, store: Store) -> Found | None:
        """The next stretch, which may have nothing in it; None when the walk is over."""
        if not self._phases:
            return None
        found = store.find_old(self._phases[0], self.cutoffs, after=self._after, limit=SPAN)
        self._after = found.after or 0
        if found.after is None:
            self._phases.pop(0)
        return found

    def next_ids(self, ids: tuple[int, ...], most: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """As many as fit in one piece, `most` at the most, and the others."""
        size = min(self._piece, most)
        return ids[:size], ids[size:]

    def drop(self, phase: Phase, ids: tuple[int, ...], clock: Clock, store: Store) -> Dropped:
        """Delete one piece. Returns what went."""
        with store.transaction():
            began_s = clock.monotonic_s()
            dropped = store.drop_old(phase, ids, self.cutoffs)
            self._piece = next_piece(len(ids), clock.monotonic_s() - began_s)
        return dropped


NO_LIMIT = 2**62


def mean_bytes(store: Store) -> int:
    """What a delivery with all that belongs to it, or a request that came in, takes in the store on average."""
    space = store.space()
    count = sum(g.pending + g.sending + g.delivered + g.failed + g.cancelled for g in store.gauges().values())
    return max(1, space.used_bytes // max(1, count + space.requests))


def excess_bytes(store: Store, retention: Retention) -> int:
    """How much the store is above its size limit."""
    return max(0, store.space().used_bytes - retention.max_size_bytes) if retention.max_size_bytes else 0


def too_many(store: Store, retention: Retention, each_bytes: int) -> int:
    """How many of `each_bytes` must go for the store to be within its size limit."""
    excess = excess_bytes(store, retention)
    return max(1, excess // each_bytes) if excess else 0


def pages_to_give_back(store: Store, retention: Retention) -> int:
    """How many free pages the file has beyond its reserve; with a size limit, beyond what fits in the limit."""
    space = store.space()
    reserve = round(space.file_bytes * FREE_SHARE)
    excess = space.free_bytes - reserve
    if retention.max_size_bytes:
        excess = max(excess, min(space.free_bytes, space.file_bytes - retention.max_size_bytes))
    return max(0, excess) // space.page_bytes


def edit(store: Store, retention: Retention, *, actor: str, now_ms: int) -> Retention:
    """Change how long things are kept; the engine follows within a minute. Returns what was before.

    Raises:
        InvalidInputError
    """
    check_retention(retention)
    with store.transaction():
        before = store.retention()
        store.set_retention(retention, now_ms)
        operation = store.begin_operation(
            OperationKind.RETENTION_EDIT, actor=actor, target="retention", reason=None, now_ms=now_ms
        )
        result = ", ".join(
            f"{field.name} {getattr(before, field.name):g} → {getattr(retention, field.name):g}"
            for field in fields(Retention)
            if getattr(before, field.name) != getattr(retention, field.name)
        )
        store.progress_operation(operation, done=1, result=result or "nothing changed", finished_at_ms=now_ms)
    return before


def run(
    store: Store,
    *,
    actor: str,
    clock: Clock,
    progress: Callable[[Dropped], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Dropped:
    """Delete now all that the settings let go, in pieces between which deliveries are recorded. Returns what went."""
    retention, total = store.retention(), Dropped()
    operation = store.begin_operation(
        OperationKind.RETENTION_RUN, actor=actor, target="retention", reason=None, now_ms=clock.now_ms()
    )
    end_captures(store, clock.now_ms())
    for by_size in (False, True):
        sweep = Sweep(retention, clock.now_ms(), too_large=by_size)
        each = mean_bytes(store)
        most = too_many(store, retention, each) if by_size else NO_LIMIT
        while most and (found := sweep.find(store)) is not None:
            left = found.ids
            while left and most:
                ids, left = sweep.next_ids(left, most)
                began_s = clock.monotonic_s()
                total += sweep.drop(found.phase, ids, clock, store)
                store.progress_operation(operation, done=total.deliveries, result=None, finished_at_ms=None)
                if progress is not None:
                    progress(total)
                sleep(pause_s(clock.monotonic_s() - began_s, behind=True))
                most = too_many(store, retention, each) if by_size else NO_LIMIT
    while wanted := pages_to_give_back(store, retention):
        if not store.give_back(min(wanted, PAGES_AT_ONCE)):
            break
    store.progress_operation(operation, done=total.deliveries, result=in_words(total), finished_at_ms=clock.now_ms())
    return total


def end_captures(store: Store, now_ms: int) -> int:
    """Remove captures whose time was over a day ago. Returns how many; what came in to them goes with the inbox."""
    return store.remove_ended_captures(now_ms - round(CAPTURES_SHOWN_S * 1000), now_ms)


def in_words(dropped: Dropped) -> str:
    """`1,204 deliveries, 1,300 attempts, 1,100 events, 1,290 bodies and 80 inbound requests deleted`."""
    return (
        f"{dropped.deliveries:,} deliveries, {dropped.attempts:,} attempts, {dropped.events:,} events, "
        f"{dropped.bodies:,} bodies and {dropped.requests:,} inbound requests deleted"
    )
