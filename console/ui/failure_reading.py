"""Groups of failures as a screen shows them, read in one go."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from console.domain.delivery import Attempt, Exchange
from console.domain.errors import UnknownReferenceError
from console.domain.failure_group import FailureGroup
from console.domain.filters import DeliveryFilter
from console.domain.ids import FailureGroupId
from console.domain.moment import Moment
from console.domain.rates import MINUTE, Window
from console.store import Store
from console.ui import format as fmt

TREND_LEAST_S = 3600
"""Trends have a bar for each minute or more: a shorter window would show too few."""

BODY_SHOWN = 2_000
"""Characters of an example's body that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """What there is, the largest first, and how often each failed minute by minute in [since, until)."""

    found: tuple[FailureGroup, ...]
    minutes: Mapping[FailureGroupId, Mapping[int, int]]
    since_s: int
    until_s: int

    @property
    def deliveries(self) -> int:
        return sum(group.deliveries for group in self.found)

    @property
    def failed(self) -> int | None:
        """How many of them have failed for good; None: nobody knows."""
        known = [group.failed for group in self.found if group.failed is not None]
        return sum(known) if len(known) == len(self.found) else None


def read_groups(store: Store, where: DeliveryFilter, window: Window, *, moment: Moment | None, now_ms: int) -> Groups:
    """Groups as they stand; of a past moment, those that failed in the time that is shown."""
    if moment is None:
        until_s = now_ms // 1000 + 1
        since_s = until_s - max(window.length_s, TREND_LEAST_S)
        found = store.failure_groups(where)
    else:
        until_s = moment.until_ms // 1000 + 1
        since_s = until_s - window.length_s if moment.since_ms is None else moment.since_ms // 1000
        found = store.failure_groups_between(where, since_s=since_s, until_s=until_s)
    minutes = store.group_series([group.id for group in found], since_s=since_s, until_s=until_s)
    return Groups(found=tuple(found), minutes=minutes, since_s=since_s - since_s % MINUTE, until_s=until_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One attempt that failed as its group did; `attempt` None: none is kept."""

    group: FailureGroup
    attempt: Attempt | None
    exchange: Exchange | None


def read_example(store: Store, group: FailureGroup) -> Example:
    """The newest attempt of a group with what came back."""
    if group.example is None:
        return Example(group=group, attempt=None, exchange=None)
    try:
        attempt = store.attempt(group.example)
    except UnknownReferenceError:
        return Example(group=group, attempt=None, exchange=None)
    return Example(group=group, attempt=attempt, exchange=store.exchange(attempt.id))


def answer_lines(example: Example, width: int, height: int) -> list[str]:
    """What came back, as clean lines: why it failed, the type of the body, and as much of the body as fits."""
    attempt, exchange = example.attempt, example.exchange
    if attempt is None:
        return ["No attempt of it is kept any more. Enter shows its deliveries."]
    lines = fmt.wrapped(attempt.detail or "", width, 2 * width)
    if exchange is None or (not exchange.response_headers and not exchange.response_body):
        return [*lines, "No answer came."][:height]
    kind = next((value for name, value in exchange.response_headers if name.lower() == "content-type"), "no type")
    more = " or more" if exchange.response_truncated else ""
    lines.append(fmt.one_line(f"{kind} · {fmt.size(len(exchange.response_body))}{more}", width))
    body = fmt.sanitise_bytes(exchange.response_body, BODY_SHOWN)
    return [*lines, *fmt.wrapped(body.rstrip(), width, BODY_SHOWN)][:height]


def trend_words(groups: Groups) -> str:
    """Over how long trends are drawn: `1h`."""
    return fmt.duration((groups.until_s - groups.since_s) // MINUTE * MINUTE * 1000)


def of_groups(where: DeliveryFilter, groups: tuple[FailureGroupId, ...]) -> DeliveryFilter:
    """All that matches and is in one of these groups now."""
    return replace(where, groups=groups, troubled=True)
