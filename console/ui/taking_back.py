"""Ending what goes on and taking back what was done, from any screen: the question, the operation, and what is said."""

from typing import TYPE_CHECKING, Any

from textual.app import App

from console.domain.errors import ConsoleError, ReadInterruptedError
from console.domain.ids import format_number
from console.domain.operation import Operation
from console.operations import deliveries as operations
from console.store import Store
from console.ui.format import counted, date_time, exact, one_line
from console.ui.steering import complain, say, session_of, show_progress
from console.ui.widgets.confirm import ConfirmScreen

if TYPE_CHECKING:
    from console.operations.undoing import Undo


async def stop_operation(app: App[Any], operation: Operation) -> bool:
    """End a bulk operation where it is, after asking. Returns whether it was."""
    name = format_number("op", operation.id)
    body = [
        f"{operation.kind} {one_line(operation.target, 200)}",
        f"{exact(operation.done)} of {exact(operation.total)} are done and stay so.",
        "",
        f"the same: webhook-console operations cancel {name}",
    ]
    if not operation.is_open:
        say(app, f"{name} is at its end", warn=True)
        return False
    if not await app.push_screen_wait(ConfirmScreen(f"Stop {name} here?", body, yes="Stop it", no="Let it go on")):
        return False
    session = session_of(app)
    try:
        await session.write(
            lambda store: operations.stop(store, operation.id, actor=session.actor, now_ms=session.clock.now_ms())
        )
    except ConsoleError as error:
        complain(app, error)
        return False
    say(app, f"{name} is stopped")
    return True


async def undo_operation(app: App[Any], operation: Operation, newer: tuple[str, ...] = ()) -> bool:
    """Take an operation back, after saying what that does. Returns whether it was, or was begun.

    Args:
        newer: what else cannot be taken back, and why; it is said too.
    """
    from console.operations.undoing import Undo, plan_undo, undo

    session, name = session_of(app), format_number("op", operation.id)

    def take_back(store: Store) -> Operation:
        begun = undo(store, operation.id, actor=session.actor, now_ms=session.clock.now_ms())
        few = begun.is_bulk and (begun.total or 0) <= operations.CONFIRM_ABOVE
        return operations.carry_out(store, begun, clock=session.clock) if few else begun

    try:
        plan: Undo = await session.read(lambda store: plan_undo(store, operation.id), group="preview")
        if not await app.push_screen_wait(ConfirmScreen(f"Undo {name}?", undo_lines(plan, newer), yes="Undo")):
            return False
        done = await session.write(take_back)
    except ReadInterruptedError:
        return False
    except ConsoleError as error:
        complain(app, error)
        return False
    if done.is_open:
        await show_progress(app, done)
        return True
    more = f": {counted(done.done, 'delivery', 'deliveries')}" if done.is_bulk else ""
    say(app, f"{name} is undone{more}")
    return True


def undo_lines(plan: "Undo", newer: tuple[str, ...] = ()) -> list[str]:
    """What taking back does, and the command that does the same."""
    operation = plan.operation
    name = format_number("op", operation.id)
    reason = f" · {one_line(operation.reason, 80)}" if operation.reason else ""
    lines = [
        f"{operation.kind} {one_line(operation.target, 200)}{reason}",
        f"begun {date_time(operation.started_at_ms)}",
    ]
    lines += ["", *plan.lines]
    if newer:
        lines += ["", "Later, and not to be taken back:", *(f"· {one_line(why, 160)}" for why in newer[:3])]
    return [*lines, "", f"the same: webhook-console operations undo {name}"]


async def undo_last(app: App[Any]) -> bool:
    """Take back my last operation that can be. Returns whether it was."""
    from console.operations.undoing import last_undoable

    session = session_of(app)
    try:
        found = await session.read(lambda store: last_undoable(store, session.actor), group="preview")
    except ReadInterruptedError:
        return False
    except ConsoleError as error:
        complain(app, error)
        return False
    if found.undo is None:
        why = f": {found.newer[0]}" if found.newer else ""
        say(app, f"nothing of yours can be taken back{why}", warn=True)
        return False
    return await undo_operation(app, found.undo.operation, found.newer)
