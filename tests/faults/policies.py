"""How the endpoints of these worlds want to be called: one place, whatever the product's defaults are."""

from typing import Any

from console.domain.policy import DeliveryPolicy

SCHEDULE_S = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.2)


def policy_fields(**given: Any) -> dict[str, Any]:
    """What these worlds say of a policy; the rest is the product's default."""
    return {"schedule_s": SCHEDULE_S, "timeout_s": 10.0, "max_in_flight": 8, **given}


def make_policy(**given: Any) -> DeliveryPolicy:
    return DeliveryPolicy(**policy_fields(**given))
