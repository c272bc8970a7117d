"""The circuit breaker: when an endpoint is taken for ill, and when it is tried again.

active ──failures in a row, or too many in a while──▶ tripped ──a probe succeeds, or an operator resumes──▶ active
                                                       │   ▲
                                                       └───┘ a probe fails: the next one after twice the wait

While tripped, what the endpoint is owed waits and costs no schedule. A probe is one of those deliveries, sent alone.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from console.domain.outcome import Cause
from console.domain.policy import BreakerPolicy

BUCKETS = 12
"""Into so many parts the window is cut: it slides by one of them, and its memory does not grow with the traffic."""

PAYLOAD_STATUSES = frozenset({400, 409, 413, 415, 422})
"""Answers that one payload can cause: the receiver looked at it, so it is well."""

_OURS = frozenset({Cause.UNKNOWN_OUTCOME, Cause.TRANSFORM_ERROR, Cause.BLOCKED_ADDRESS})
"""Failures that happen on this side: they say nothing about the receiver."""


class Sign(StrEnum):
    """What an attempt's end says about its receiver."""

    WELL = "well"
    ILL = "ill"
    NOTHING = "nothing"


def sign_of(cause: Cause | None, status: int | None) -> Sign:
    """The one place that says which failures count for the breaker.

    A success, and an answer that one payload can cause, come from a receiver that is well. What happens on this side
    says nothing, and neither does 410, which disables the endpoint by itself. All else says that it is ill: no
    connection, no answer in time, an answer that is not HTTP, 3xx, 5xx, and 4xx such as 401, 404, 408 or 429.
    """
    if cause is None or (cause is Cause.HTTP_4XX and status in PAYLOAD_STATUSES):
        return Sign.WELL
    return Sign.NOTHING if cause in _OURS or cause is Cause.GONE else Sign.ILL


def probe_wait_s(policy: BreakerPolicy, trips: int) -> float:
    """How long to wait for the next probe; `trips`: how often it opened since it last closed, failed probes included,
    1 after the first."""
    return min(policy.probe_cap_s, policy.probe_s * 2.0 ** min(trips - 1, 40))


class Breaker:
    """Counts an active endpoint's attempts, and says when they are reason to trip it. Times are monotonic seconds.

    The window ends with the part of it that is under way, and holds `BUCKETS` such parts.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self._in_a_row = 0
        self._part_s = policy.window_s / BUCKETS
        self._parts: deque[list[int]] = deque(maxlen=BUCKETS)
        """[number of the part, attempts, failures]"""

    def succeeded(self, now_s: float, count: int = 1) -> None:
        """Attempts say that the receiver is well."""
        self._in_a_row = 0
        self._part(now_s)[1] += count

    def failed(self, now_s: float, words: str) -> str | None:
        """An attempt says that the receiver is ill: why to trip it, in words that end with these; None: not yet."""
        self._in_a_row += 1
        part = self._part(now_s)
        part[1] += 1
        part[2] += 1
        if self._in_a_row >= self.policy.consecutive:
            failures = f"{self._in_a_row} failures" if self._in_a_row > 1 else "1 failure"
            return f"{failures} in a row: {words}"
        oldest = part[0] - BUCKETS
        recent = [p for p in self._parts if p[0] > oldest]
        attempts, failures_ = sum(p[1] for p in recent), sum(p[2] for p in recent)
        if attempts >= self.policy.least and failures_ >= self.policy.ratio * attempts:
            return f"{failures_} of {attempts} attempts failed within {self.policy.window_s:g} s: {words}"
        return None

    def _part(self, now_s: float) -> list[int]:
        number = int(now_s / self._part_s)
        if not self._parts or self._parts[-1][0] != number:
            self._parts.append([number, 0, 0])
        return self._parts[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """An active endpoint is tripped, until a probe at `probe_at_ms` says otherwise."""

    endpoint_seq: int
    reason: str
    probe_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFailed:
    """A tripped endpoint stays so."""

    endpoint_seq: int
    probe_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSucceeded:
    """A tripped endpoint is active again."""

    endpoint_seq: int
    reason: str


HealthChange = Tripped | ProbeFailed | ProbeSucceeded

TRIPPED_TYPE = "webhook.endpoint.tripped"
RECOVERED_TYPE = "webhook.endpoint.recovered"
DISABLED_TYPE = "webhook.endpoint.disabled"
"""The operational events about endpoints: one for each change of state, so that one about itself is no loop."""
