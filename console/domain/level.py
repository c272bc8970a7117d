"""How an endpoint stood at a moment of the past."""

from dataclasses import dataclass

from console.domain.endpoint import EndpointState
from console.domain.outcome import Cause

LEVELS_KEPT_S = 40 * 24 * 3600
"""How long levels are kept: as long as rates by the minute are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How one endpoint stood. What nobody wrote down is None, and never what it is today."""

    at_ms: int
    """When it was written down that the counts are these: they are from then on, until the next level."""
    state: EndpointState | None
    state_since_ms: int | None
    pending: int | None
    failed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFailure:
    """An endpoint's last failed attempt before a moment."""

    at_ms: int
    cause: Cause
    detail: str
