"""How long a retry of many takes: the slowest of what holds it back, at each endpoint by itself."""

from dataclasses import dataclass

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.pacing import speed_of
from console.domain.rates import Bucket

LEAST_MS = 1.0
"""No answer is taken to come sooner: a receiver that was only seen answering at once would drain in no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long one endpoint's part of a retry takes, and what that is counted from."""

    seconds: float | None
    """None: nothing is known of its speed, or it waits."""
    by: str
    """`rate limit 50/s`, `its pace 20/s`, `now 320/s`; why it waits, when it does."""


def estimate(
    count: int,
    endpoint: Endpoint | None,
    recent: Bucket | None,
    *,
    recent_s: float,
    now_ms: int,
    asked_per_s: float | None = None,
) -> Estimate:
    """How long `count` deliveries take at one endpoint.

    Formula: count ÷ speed. The speed is the lowest of those that are known: its rate limit, its pace (whose climb is
    counted in), the rate that is asked for, and what its receiver can take: requests in flight at most ÷ the median
    latency of late. Without a latency it is the rate at which it took deliveries of late.

    Args:
        endpoint: None: it was removed.
        recent: what was attempted at it in the last `recent_s` seconds; None: nothing.
        asked_per_s: at which rate the retry is to go.
    """
    if endpoint is None:
        return Estimate(seconds=None, by="removed: nothing is sent")
    if endpoint.state is not EndpointState.ACTIVE:
        return Estimate(seconds=None, by=f"{endpoint.state}: waits until it is resumed")
    limit = endpoint.policy.rate_limit
    known: list[tuple[float, str]] = []
    speed = speed_of(limit.per_s if limit else None, endpoint.pace)
    if speed is not None:
        since_s = max(0.0, (now_ms - endpoint.pace.since_ms) / 1000) if endpoint.pace else 0.0
        spent = speed.allowance(since_s)
        word = "its pace" if endpoint.pace else "rate limit"
        known.append((speed.elapsed_s(spent + count) - since_s, f"{word} {_rate(speed.per_s)}"))
    if asked_per_s is not None:
        known.append((count / asked_per_s, f"{_rate(asked_per_s)} asked"))
    can = capacity_per_s(endpoint, recent, recent_s)
    if can is not None:
        known.append((count / can, f"now {_rate(can)}"))
    if not known:
        return Estimate(seconds=None, by="no speed known yet")
    seconds, by = max(known)
    return Estimate(seconds=seconds, by=by)


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}/s" if per_s >= 10 else f"{per_s:.2g}/s"


def capacity_per_s(endpoint: Endpoint, recent: Bucket | None, recent_s: float) -> float | None:
    """What a receiver can take as it answers now: requests at once ÷ latency (Little's law); else its rate of late."""
    if recent is None:
        return None
    latency_ms = recent.percentile_ms(0.5)
    if latency_ms is not None:
        return endpoint.policy.max_in_flight * 1000 / max(latency_ms, LEAST_MS)
    return recent.ok / recent_s if recent.ok else None
