"""What operators did: the audit log."""

from dataclasses import dataclass
from enum import StrEnum

from console.domain.change import Change
from console.domain.filters import DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, OperationId

BURST_MS = 250.0
"""An operation with a rate catches up on at most so much of the time in which nobody carried it on."""


class OperationKind(StrEnum):
    ENDPOINT_ADD = "endpoint_add"
    ENDPOINT_EDIT = "endpoint_edit"
    ENDPOINT_PAUSE = "endpoint_pause"
    ENDPOINT_RESUME = "endpoint_resume"
    ENDPOINT_REMOVE = "endpoint_remove"
    ENDPOINT_TRIP = "endpoint_trip"
    ENDPOINT_RECOVER = "endpoint_recover"
    ENDPOINT_DISABLE = "endpoint_disable"
    ENDPOINT_TEST = "endpoint_test"
    DEFAULTS_EDIT = "defaults_edit"
    CONFIG_APPLY = "config_apply"
    SECRET_ROTATE = "secret_rotate"
    SECRET_REVEAL = "secret_reveal"
    SECRETS_SEAL = "secrets_seal"
    SECRETS_UNSEAL = "secrets_unseal"
    DELIVERY_RETRY = "delivery_retry"
    DELIVERY_CANCEL = "delivery_cancel"
    DELIVERY_SKIP = "delivery_skip"
    DELIVERY_UNDO = "delivery_undo"
    EVENT_RESEND = "event_resend"
    UNDO = "undo"
    ENGINE_STOP = "engine_stop"
    RETENTION_EDIT = "retention_edit"
    RETENTION_RUN = "retention_run"
    SOURCE_ADD = "source_add"
    SOURCE_EDIT = "source_edit"
    SOURCE_ENABLE = "source_enable"
    SOURCE_DISABLE = "source_disable"
    SOURCE_REMOVE = "source_remove"
    ALERT_ADD = "alert_add"
    ALERT_EDIT = "alert_edit"
    ALERT_REMOVE = "alert_remove"
    ALERT_MUTE = "alert_mute"
    ALERT_FIRED = "alert_fired"
    ALERT_RESOLVED = "alert_resolved"
    TOKEN_ADD = "token_add"
    TOKEN_REVOKE = "token_revoke"
    SCHEMA_ADD = "schema_add"
    SCHEMA_RETIRE = "schema_retire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One act: who, when, on what, why, and how far it got. Not finished yet: `finished_at_ms` None."""

    id: OperationId
    kind: OperationKind
    actor: str
    """`user@host`, with the SSH client's address when there is one; `engine` for what the engine did itself."""
    target: str
    """An endpoint's name, an id, or the filter in words."""
    reason: str | None
    started_at_ms: int
    finished_at_ms: int | None
    done: int
    result: str | None
    total: int | None = None
    """How many deliveries it is to move, as counted when it began; None: it is no bulk operation."""
    rate_per_s: float | None = None
    """How many deliveries it may move in a second; None: as many as the store takes."""
    cancelled_by: str | None = None
    """Who stopped it before its end. What it had done by then stays done."""
    change: Change | None = None
    """What it changed of one thing; None: it moved deliveries, or left nothing to compare."""

    @property
    def is_bulk(self) -> bool:
        """It moves deliveries in pieces, and goes on after a crash from where it was."""
        return self.total is not None

    @property
    def is_open(self) -> bool:
        """A bulk operation that is not at its end."""
        return self.is_bulk and self.finished_at_ms is None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPlan:
    """Which deliveries a bulk operation moves; fixed when it begins, so that it ends."""

    where: DeliveryFilter
    newest: DeliveryId
    """Deliveries above it came after the beginning."""
    newest_attempt: AttemptId
    """A delivery whose last attempt is above it was tried after the beginning."""
    sending: tuple[DeliveryId, ...] = ()
    """Those on the wire at the beginning: what comes of them comes after it."""
    undoes: OperationId | None = None
    """The operation that is taken back; `where` is empty then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What came of the deliveries that a retry made due."""

    delivered: int = 0
    failed_again: int = 0
    """Tried since, and not delivered: failed for good, or owed another try by the schedule."""
    waiting: int = 0
    """Not tried yet, or on the wire now."""
    cancelled: int = 0

    @property
    def ended(self) -> bool:
        """Each has had its try."""
        return not self.waiting

    @property
    def words(self) -> str:
        """`delivered 1,200, failed again 3, 17 still wait`."""
        parts = [f"delivered {self.delivered:,}", f"failed again {self.failed_again:,}"]
        if self.waiting:
            parts.append(f"{self.waiting:,} still {'waits' if self.waiting == 1 else 'wait'}")
        if self.cancelled:
            parts.append(f"cancelled {self.cancelled:,}")
        return ", ".join(parts)


def result_words(done: int, total: int, *, stopped: bool) -> str:
    """What came of a bulk operation: `25 deliveries`, `stopped after 12 of 25 deliveries`."""
    if stopped:
        return f"stopped after {done} of {total} {'delivery' if total == 1 else 'deliveries'}"
    words = f"{done} {'delivery' if done == 1 else 'deliveries'}"
    return words if done >= total else f"{words}; {total - done} had changed meanwhile"


def allowance(rate_per_s: float, paced_until_ms: float, now_ms: int) -> tuple[int, float]:
    """How many deliveries a rate lets move now, and the time (epoch ms) from which they are counted.

    When n of them were moved, the next call's `paced_until_ms` is that time plus n / rate. Time in which nobody carried
    the operation on counts for one delivery and BURST_MS at most, so that an engine that was down for hours does not
    release a flood. A clock that was set back costs no more than that.
    """
    longest_ms = 1000 / rate_per_s + BURST_MS
    waited_ms = now_ms - paced_until_ms
    if not -1 < waited_ms < longest_ms:
        waited_ms = longest_ms
    # What is due to the millisecond must not be lost to binary fractions.
    return max(0, int(waited_ms * rate_per_s / 1000 + 1e-6)), now_ms - waited_ms
