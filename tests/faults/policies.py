"""How the endpoints of these worlds want to be called: one place, whatever the product's defaults are."""

from random import Random
from typing import Any

from console.domain.policy import BreakerPolicy, Ordering, RateLimit

SCHEDULE_S = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.2)


def policy_fields(**given: Any) -> dict[str, Any]:
    """For worlds in real time: all retries within a second, and no endpoint that stops by itself."""
    return {
        "schedule_s": SCHEDULE_S,
        "timeout_s": 10.0,
        "max_in_flight": 8,
        "breaker": BreakerPolicy(enabled=False),
        "disable_after_s": 0,
        **given,
    }


def drawn_policy_fields(random: Random) -> dict[str, Any]:
    """For simulated worlds, where days are short: much as operators set it, and much as none should."""
    drawn: dict[str, Any] = {"max_in_flight": random.choice((1, 2, 8, 32))}
    if random.random() < 0.5:
        drawn["schedule_s"] = random.choice(((0.0,), (0.0, 5.0, 300.0), (2.0, 0.0, 0.0, 60.0), (0.0, *(30.0,) * 6)))
    if random.random() < 0.5:
        drawn["timeout_s"] = random.choice((1.0, 5.0, 60.0))
    if random.random() < 0.3:
        drawn["rate_limit"] = random.choice(
            (RateLimit(count=1), RateLimit(count=20), RateLimit(count=30, period_s=60.0))
        )
    if random.random() < 0.3:
        drawn["ordering"] = Ordering.FIFO
    if random.random() < 0.5:
        drawn["breaker"] = BreakerPolicy(
            enabled=random.random() < 0.7, consecutive=random.choice((3, 10)), probe_s=random.choice((5.0, 60.0))
        )
    return drawn
