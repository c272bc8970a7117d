"""Looking on at a bulk operation until its end, or carrying it out when no engine does."""

from console.cli.asking import Progress
from console.cli.invocation import Invocation
from console.cli.output import emit, note
from console.cli.records import Record
from console.config import APP
from console.domain.ids import format_number
from console.domain.operation import Operation
from console.operations.deliveries import carry_out
from console.store import Store

TOLD_EVERY_S = 0.5
"""How often progress is a line of JSON."""


def carry_on(invocation: Invocation, store: Store, operation: Operation) -> Operation:
    """Return with the operation at its end, with its progress on stderr, or in lines of JSON.

    A running engine carries it on; without one this process does. Ctrl-C leaves it, and says what becomes of it.
    """
    progress = Progress(operation.total or 0)
    shown_s = invocation.clock.monotonic_s()

    def tell(done: int) -> None:
        nonlocal shown_s
        if not invocation.json:
            progress(done)
        elif invocation.clock.monotonic_s() - shown_s >= TOLD_EVERY_S:
            shown_s = invocation.clock.monotonic_s()
            emit(progress_record(operation, done))

    try:
        return carry_out(store, operation, clock=invocation.clock, progress=tell, leave_to_engine=True)
    except KeyboardInterrupt:
        progress.end()
        note(left_words(invocation, store, store.operation(operation.id)))
        raise
    finally:
        progress.end()


def progress_record(operation: Operation, done: int) -> Record:
    """A line of progress: `finished` is false in all but the last one."""
    return {
        "operation": format_number("op", operation.id),
        "done": done,
        "total": operation.total,
        "finished": False,
    }


def left_words(invocation: Invocation, store: Store, operation: Operation) -> str:
    """What becomes of an operation that this command leaves."""
    name = format_number("op", operation.id)
    if not operation.is_open:
        return f"{name} is at its end: {operation.result}"
    far = f"{name} ({operation.done:,} of {operation.total or 0:,})"
    status = store.engine_status()
    if status is not None and status.alive(invocation.clock.now_ms()):
        return f"the engine goes on with {far}: end it with '{APP} operations cancel {name}'"
    return (
        f"no engine is running: the next one goes on with {far}, or '{APP} operations watch {name}' does; "
        f"end it with '{APP} operations cancel {name}'"
    )
