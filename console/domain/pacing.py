"""How fast an endpoint may be called: rate limits, and the ramp after a pause."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How an operator wants a backlog drained after a pause: at `per_s` requests a second, reached by an even climb
    over `ramp_s` seconds from `since_ms` (epoch ms). It ends when nothing is due any more."""

    per_s: float
    ramp_s: float
    since_ms: int
