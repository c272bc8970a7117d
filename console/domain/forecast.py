"""When an endpoint's backlog is drained, and what falls due when it recovers.

Formulas, with P deliveries pending now, P₀ pending s seconds ago, and d delivered a second in between:

    change    c = (P − P₀) ÷ s          deliveries a second; more than 0: the backlog grows
    arrivals  a = max(0, c + d)         a second
    drained in  P ÷ −c                  seconds, while c < 0; never at this rate otherwise
    resumed   P ÷ (v − a)               seconds, for one that is held; never when a ≥ v
    speed     v                         the lowest of its rate limit, its pace and what its receiver takes (requests in
                                        flight at most ÷ median latency)
    retries   n                         pending ones due before now + 10 min, which all go when it recovers now
    allowed   v · 10 min                what its limit and its pace let go of them in that time
"""

from dataclasses import dataclass

from console.domain.drain import capacity_per_s
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.pacing import Speed, speed_of
from console.domain.rates import Bucket

SOON_S = 600
"""How far retries are looked ahead for."""

DUE_MOST = 100_000
"""No more of them are counted."""

_AT_LIMIT = 0.9
"""A rate of so much of its limit is taken for held back by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is known of an endpoint's backlog. `before`, `before_s`: its pending so many seconds ago; None: unknown."""

    pending: int
    before: int | None
    before_s: float
    due_soon: int
    """Due within SOON_S, held ones included; DUE_MOST: that many or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Rates are a second. None: not known."""

    endpoint_id: EndpointId
    endpoint: str
    state: EndpointState
    pending: int
    arrivals_per_s: float | None
    delivered_per_s: float | None
    drained_s: float | None
    """In how long nothing is pending, at this rate; None: see `never` and `why`."""
    never: bool
    """At this rate it grows or stays as it is."""
    resumed_s: float | None
    """Of one that is held: in how long its backlog would be drained if it took deliveries from now on."""
    why: str
    """What the answer rests on: the bound, or why there is none."""
    due_soon: int
    allowed_soon: int | None
    """How many its limit and its pace let go in SOON_S; None: as many as there are."""

    @property
    def due_is_more(self) -> bool:
        """More fall due than were counted."""
        return self.due_soon >= DUE_MOST


def forecast(endpoint: Endpoint, backlog: Backlog, recent: Bucket | None, *, recent_s: float, now_ms: int) -> Forecast:
    """See the formulas above.

    Args:
        recent: what was attempted at it in the last `recent_s` seconds; None: nothing.
    """
    speed = _speed(endpoint, now_ms)
    arrivals, delivered, change = _rates(backlog, recent, recent_s)
    drained_s = resumed_s = None
    never = False
    if backlog.pending == 0:
        drained_s, why = 0.0, "nothing is pending"
    elif endpoint.state is not EndpointState.ACTIVE:
        resumed_s, why = _if_resumed(endpoint, backlog.pending, arrivals or 0.0, speed, recent, recent_s)
    elif change is None:
        why = "how its backlog moves is not known yet: it is written down once a minute"
    elif change < 0:
        drained_s, why = backlog.pending / -change, _bound(speed, delivered or 0.0, endpoint)
    else:
        never, why = True, _why_never(speed, arrivals or 0.0, delivered or 0.0, endpoint)
    return Forecast(
        endpoint_id=endpoint.id,
        endpoint=endpoint.name,
        state=endpoint.state,
        pending=backlog.pending,
        arrivals_per_s=arrivals,
        delivered_per_s=delivered,
        drained_s=drained_s,
        never=never,
        resumed_s=resumed_s,
        why=why,
        due_soon=backlog.due_soon,
        allowed_soon=None if speed is None else int(speed.allowance(SOON_S)),
    )


def _speed(endpoint: Endpoint, now_ms: int) -> Speed | None:
    """Its limit and its pace from now on: of a climb, what is left of it."""
    limit = endpoint.policy.rate_limit
    speed = speed_of(limit.per_s if limit else None, endpoint.pace)
    if speed is None or endpoint.pace is None or not speed.climb_s:
        return speed
    climbed_s = min(max(0.0, (now_ms - endpoint.pace.since_ms) / 1000), speed.climb_s)
    reached = speed.from_per_s + (speed.per_s - speed.from_per_s) * climbed_s / speed.climb_s
    return Speed(per_s=speed.per_s, from_per_s=reached, climb_s=speed.climb_s - climbed_s)


def _rates(backlog: Backlog, recent: Bucket | None, recent_s: float) -> tuple[float | None, float | None, float | None]:
    """Arrivals, deliveries and the change of the backlog, a second."""
    delivered = (recent.ok if recent else 0) / recent_s
    if backlog.before is None or backlog.before_s <= 0:
        return None, delivered, None
    change = (backlog.pending - backlog.before) / backlog.before_s
    return max(0.0, change + delivered), delivered, change


def _if_resumed(
    endpoint: Endpoint, pending: int, arrivals: float, speed: Speed | None, recent: Bucket | None, recent_s: float
) -> tuple[float | None, str]:
    held = f"{endpoint.state}: nothing is drained until it is active again"
    can = capacity_per_s(endpoint, recent, recent_s)
    speeds = ((speed.per_s if speed else None, _limit_word(endpoint)), (can, "what its receiver takes"))
    known = [(per_s, by) for per_s, by in speeds if per_s is not None]
    if not known:
        return None, held
    per_s, by = min(known)
    if arrivals >= per_s:
        return None, f"{held}; then never, as {arrivals:.3g}/s arrive and {by} is {per_s:.3g}/s"
    return pending / (per_s - arrivals), f"{held}; then {by} is {per_s:.3g}/s"


def _bound(speed: Speed | None, delivered: float, endpoint: Endpoint) -> str:
    if speed is not None and delivered >= _AT_LIMIT * speed.per_s:
        return f"at {_limit_word(endpoint)}, {speed.per_s:.3g}/s"
    return "at the present rate"


def _why_never(speed: Speed | None, arrivals: float, delivered: float, endpoint: Endpoint) -> str:
    if speed is not None and arrivals >= speed.per_s:
        return f"{arrivals:.3g}/s arrive, and {_limit_word(endpoint)} is {speed.per_s:.3g}/s"
    return f"{arrivals:.3g}/s arrive, and {delivered:.3g}/s are delivered"


def _limit_word(endpoint: Endpoint) -> str:
    limit, pace = endpoint.policy.rate_limit, endpoint.pace
    return "its pace" if pace and (limit is None or pace.per_s < limit.per_s) else "its rate limit"
