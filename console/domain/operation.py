"""What operators did: the audit log."""

from dataclasses import dataclass
from enum import StrEnum

from console.domain.ids import OperationId


class OperationKind(StrEnum):
    ENDPOINT_ADD = "endpoint_add"
    ENDPOINT_EDIT = "endpoint_edit"
    ENDPOINT_PAUSE = "endpoint_pause"
    ENDPOINT_RESUME = "endpoint_resume"
    ENDPOINT_REMOVE = "endpoint_remove"
    ENDPOINT_DISABLE = "endpoint_disable"
    ENDPOINT_TEST = "endpoint_test"
    DEFAULTS_EDIT = "defaults_edit"
    DELIVERY_RETRY = "delivery_retry"
    DELIVERY_CANCEL = "delivery_cancel"
    ENGINE_STOP = "engine_stop"
    RETENTION_EDIT = "retention_edit"
    RETENTION_RUN = "retention_run"
    ALERT_ADD = "alert_add"
    ALERT_EDIT = "alert_edit"
    ALERT_REMOVE = "alert_remove"
    ALERT_MUTE = "alert_mute"
    ALERT_FIRED = "alert_fired"
    ALERT_RESOLVED = "alert_resolved"


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
