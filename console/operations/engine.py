"""Ask the engine to stop."""

from console.domain.operation import OperationKind
from console.store.protocol import Store


def stop_engine(store: Store, *, actor: str, reason: str | None, now_ms: int) -> None:
    """Ask the running engine to drain and end; it sees that within 100 ms."""
    with store.transaction():
        store.request_stop()
        operation = store.begin_operation(
            OperationKind.ENGINE_STOP, actor=actor, target="engine", reason=reason, now_ms=now_ms
        )
        store.progress_operation(operation, done=1, result="asked", finished_at_ms=now_ms)
