"""A retry before, while and after it happens: what is read for it, and its words. The dialog that shows them is
`screens.retry`; every word is pure, and sanitised where it is shown."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from console.domain.delivery import Attempt, Delivery, DeliveryState, Exchange
from console.domain.drain import Estimate, estimate
from console.domain.endpoint import Endpoint
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import DeliveryId, EndpointId, format_number
from console.domain.operation import Operation, OperationKind, Outcomes
from console.domain.rates import SECOND, Bucket
from console.domain.searching import Counted
from console.operations import deliveries as operations
from console.store import Store
from console.ui.format import ABSENT, clock_time, counted, duration, exact, one_line, wrapped
from console.ui.previews import NAME_WIDTH, same_command, scope_words
from console.ui.widgets.vocabulary import delivery_mark

COUNT_BUDGET_MS = 400.0
"""How long a preview may count: what is left over is said as `at least`."""

RECENT_S = 300
"""How far back an endpoint's present speed is looked for."""

MOST_ENDPOINTS = 8
"""Endpoints that a preview names."""

BODY_LINES, BODY_WIDTH, BODY_MOST = 6, 64, 2_000
_BAR = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPreview:
    """What a retry would change, read in one go. `only` is the delivery when it is a single one."""

    asked: DeliveryFilter
    """As it was asked for."""
    where: DeliveryFilter
    """Those of it that can be changed."""
    counted: Counted
    endpoints: Mapping[EndpointId, Endpoint]
    recent: Mapping[EndpointId, Bucket]
    """What was attempted at each in the last RECENT_S seconds."""
    engine_alive: bool
    now_ms: int
    only: Delivery | None = None
    delivered_since: int = 0
    """Of those that were named: delivered meanwhile, and left out."""

    @property
    def total(self) -> int:
        return self.counted.total

    @property
    def names(self) -> dict[EndpointId, str]:
        return {endpoint.id: endpoint.name for endpoint in self.endpoints.values()}


def read_preview(store: Store, where: DeliveryFilter, possible: Sequence[DeliveryState], now_ms: int) -> RetryPreview:
    """What `where` matches of those that a retry can change; as far as it is counted within its budget."""
    states = tuple(state for state in where.states or possible if state in possible)
    narrowed = replace(where, states=states or where.states)
    found = Counted(by_endpoint={}, complete=True)
    if states:
        found = store.count_found(narrowed, budget_ms=COUNT_BUDGET_MS)
    single = found.complete and found.total == 1
    engine = store.engine_status()
    until_s = now_ms // 1000 + 1
    since = DeliveryFilter(ids=where.ids, states=(DeliveryState.DELIVERED,))
    return RetryPreview(
        asked=where if where.states or where.troubled else narrowed,
        where=narrowed,
        counted=found,
        endpoints={endpoint.id: endpoint for endpoint in store.endpoints()},
        recent=store.totals_by_endpoint(since_s=until_s - RECENT_S, until_s=until_s, width_s=SECOND),
        engine_alive=engine is not None and engine.alive(now_ms),
        now_ms=now_ms,
        only=store.deliveries(narrowed, limit=1)[0] if single else None,
        delivered_since=sum(store.count_deliveries(since).values()) if where.ids and where.troubled else 0,
    )


# Before


def retry_title(seen: RetryPreview) -> str:
    """How many, and which."""
    if seen.only is not None:
        return "Retry 1 delivery now?"
    return f"Retry {many(seen.counted, 'delivery', 'deliveries')}{scope_words(seen.asked, seen.names)}?"


def many(found: Counted, one: str, several: str) -> str:
    """`1,204 deliveries`, or `at least 120,000 deliveries` when they were not counted to the end."""
    return ("" if found.complete else "at least ") + counted(found.total, one, several)


def retry_lines(seen: RetryPreview, asked_per_s: float | None = None) -> list[str]:
    """Which endpoints get how many, how long that takes, and what else there is to know."""
    lines = [*_where_they_go(seen, asked_per_s)]
    if seen.delivered_since:
        lines.append(f"{counted(seen.delivered_since, 'was', 'were')} delivered since, and left out.")
    if seen.only is not None and seen.only.state is DeliveryState.DELIVERED:
        lines.append("It was delivered before: the receiver gets the same event, with the same id, once more.")
    if not seen.engine_alive:
        lines.append("No engine is running: nothing is sent until one starts.")
    return [*lines, "", "A try asked for by hand does not consume the schedule."]


def _where_they_go(seen: RetryPreview, asked_per_s: float | None) -> list[str]:
    by_endpoint = sorted(seen.counted.by_endpoint.items(), key=lambda item: -item[1])
    width = max((len(exact(count)) for _, count in by_endpoint), default=1)
    estimates = {id_: _estimate(seen, id_, count, asked_per_s) for id_, count in by_endpoint}
    lines = []
    for endpoint_id, count in by_endpoint[:MOST_ENDPOINTS]:
        endpoint = seen.endpoints.get(endpoint_id)
        name = one_line(endpoint.name, NAME_WIDTH) if endpoint else endpoint_id
        lines.append(f"{exact(count):>{width}} → {name} · {estimate_words(estimates[endpoint_id])}")
    if others := by_endpoint[MOST_ENDPOINTS:]:
        lines.append(f"{exact(sum(count for _, count in others)):>{width}} → {len(others)} more endpoints")
    if seen.only is not None:
        lines.append(f"    {seen.only.event_type} · {seen.only.event_id} · {delivery_mark(seen.only)[0]}")
    elif len(by_endpoint) > 1:
        lines.append(_together(estimates, seen))
    return lines


def _together(estimates: Mapping[EndpointId, Estimate], seen: RetryPreview) -> str:
    """Endpoints do not wait for each other: the slowest says when all of it is done."""
    known = [one.seconds for one in estimates.values() if one.seconds is not None]
    waiting = sum(
        seen.counted.by_endpoint[id_] for id_, one in estimates.items() if one.seconds is None and "waits" in one.by
    )
    parts = [f"all of it in {_within(max(known))}"] if known else []
    if waiting:
        parts.append(f"{exact(waiting)} wait for their endpoint")
    return " · ".join(parts)


def _estimate(seen: RetryPreview, endpoint_id: EndpointId, count: int, asked_per_s: float | None) -> Estimate:
    share = None if asked_per_s is None else asked_per_s * count / max(1, seen.total)
    recent = seen.recent.get(endpoint_id)
    return estimate(
        count, seen.endpoints.get(endpoint_id), recent, recent_s=RECENT_S, now_ms=seen.now_ms, asked_per_s=share
    )


def estimate_words(found: Estimate) -> str:
    """`about 40m (rate limit 50/s)`, or why it cannot be told."""
    if found.seconds is None:
        return found.by
    return f"{_within(found.seconds)} ({found.by})"


def _within(seconds: float) -> str:
    return "under 1s" if seconds < 1 else f"about {duration(seconds * 1000)}"


def retry_command(seen: RetryPreview, asked: str = "") -> list[str]:
    """The command that does the same. `asked`: the rate as it was written."""
    return same_command("retry", seen.asked, seen.endpoints, *(("--rate", asked) if asked else ()))


# While


def bar(done: int, total: int, width: int = _BAR) -> str:
    """`▰▰▰▱▱▱ 12,000 of 120,000 · 10%`."""
    whole = max(1, total)
    full = min(width, done * width // whole)
    share = min(100, done * 100 // whole)
    return f"{'▰' * full}{'▱' * (width - full)} {exact(done)} of {exact(total)} · {share}%"


def left_words(operation: Operation, began: int, now_ms: int) -> str:
    """How long it goes on, by how it went since it was looked at; nothing before that can be told.

    Args:
        began: how many were done when it was first looked at.
    """
    elapsed_ms = now_ms - operation.started_at_ms
    moved = operation.done - began
    if operation.rate_per_s is not None:
        per_ms = operation.rate_per_s / 1000
    elif moved > 0 and elapsed_ms > 0:
        per_ms = moved / elapsed_ms
    else:
        return ""
    return f"{duration(((operation.total or 0) - operation.done) / per_ms)} left"


def look(store: Store, operation: Operation, now_ms: int) -> tuple[Operation, bool]:
    """How far it is now, and whether an engine carries it on."""
    engine = store.engine_status()
    return store.operation(operation.id), engine is not None and engine.alive(now_ms)


def carry_piece(store: Store, operation: Operation, now_ms: int) -> Operation:
    """Carry it on by a piece, and give others a moment to write. On the writing thread."""
    after = store.advance_operation(operation.id, limit=operations.CHUNK, now_ms=now_ms)
    time.sleep(operations.PAUSE_S if operation.rate_per_s is None else operations.LOOK_S)
    return after


# One first


def find_canary(store: Store, where: DeliveryFilter, chosen: DeliveryId | None) -> DeliveryId | None:
    """Which one goes first: the chosen one, else the oldest, else the newest when the oldest is hard to find."""
    if chosen is not None:
        return chosen
    oldest = store.oldest_movable(OperationKind.DELIVERY_RETRY, where)
    if oldest is not None:
        return oldest
    newest = store.deliveries(where, limit=1)
    return newest[0].id if newest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One that was sent before the others, and what came of it."""

    delivery: Delivery
    attempt: Attempt | None
    """Its try, once that has ended."""
    exchange: Exchange | None

    @property
    def delivered(self) -> bool:
        return self.attempt is not None and self.attempt.succeeded


def read_canary(store: Store, delivery_id: DeliveryId, tries_before: int) -> Canary:
    """How it stands, after it had been tried so often before."""
    delivery = store.delivery(delivery_id)
    found = store.attempts(AttemptFilter(delivery_id=delivery_id, ended_only=True), AttemptPage(limit=1))
    attempt = found[0] if found and found[0].number > tries_before else None
    return Canary(delivery=delivery, attempt=attempt, exchange=None if attempt is None else store.exchange(attempt.id))


def canary_lines(canary: Canary) -> list[str]:
    """What came of it, with the first lines of the answer."""
    delivery, attempt = canary.delivery, canary.attempt
    head = f"{format_number('dlv', delivery.id)} · {delivery.event_type} → {one_line(delivery.endpoint_name, 40)}"
    if attempt is None:
        held = ": its endpoint is not active, so it waits" if delivery.held else ""
        return [head, f"{delivery_mark(delivery)[0]}{held} …"]
    said = f"HTTP {attempt.status}" if attempt.status is not None else str(attempt.cause or "")
    outcome = "✓ delivered" if attempt.succeeded else f"✗ failed again: {attempt.cause}"
    if attempt.dry_run:
        said, outcome = "nothing was sent", "◌ dry run"
    lines = [head, f"{outcome} · {said} in {duration(attempt.total_ms)} at {clock_time(attempt.ended_at_ms)}"]
    if attempt.detail:
        lines.append(one_line(attempt.detail, 160))
    if canary.exchange is not None and canary.exchange.response_body:
        text = canary.exchange.response_body[:BODY_MOST].decode("utf-8", "replace")
        body = wrapped(text, BODY_WIDTH, BODY_MOST)
        lines += ["", *(f"│ {line}" for line in body[:BODY_LINES])]
        if len(body) > BODY_LINES:
            lines.append("│ …")
    return lines


# After


def outcome_words(operation: Operation, outcomes: Outcomes) -> str:
    """`25 deliveries: delivered 22, failed again 3`."""
    return f"{operation.result or ABSENT}: {outcomes.words}"
