"""Failures that are the same error of the same endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

from console.domain.ids import AttemptId, DeliveryId, EndpointId, FailureGroupId
from console.domain.outcome import Cause

UNTOLD = 0
"""The key of failures of before errors were told apart, which no error has."""

UNTOLD_WORDS = "not told apart: failed before this version"

GROUPS_OF_A_KIND = 200
"""Errors of one endpoint, cause and status that are told apart; what comes after them is one group together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Deliveries that are failed or being retried, whose last try failed of the same error."""

    id: FailureGroupId
    endpoint_id: EndpointId
    endpoint_name: str
    cause: Cause
    status: int | None
    words: str
    """What the error says, without what varies. Foreign text."""
    deliveries: int
    """Those that are failed or retried now, and match what was asked for."""
    failed: int | None = None
    """How many of them have failed for good; the others are retried. None: of a past moment, nobody wrote that down."""
    newest: DeliveryId
    """The youngest of them."""
    first_at_ms: int
    last_at_ms: int
    """When an attempt failed of it for the first time that is known, and for the last."""
    example: AttemptId | None
    """The last attempt that failed of it; None when it is no longer kept."""

    @property
    def retried(self) -> int | None:
        return None if self.failed is None else self.deliveries - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Attempts of one endpoint that ended in one part of a window."""

    start_s: int
    ok: int
    failed: int


Heat = Mapping[EndpointId, tuple[Share, ...]]
"""By endpoint, oldest first; parts in which nothing ended are left out."""
