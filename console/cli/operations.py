"""`operations`: the audit log, and bulk operations under way."""

import click

from console.cli.asking import confirm, nothing, plural
from console.cli.bulk_acts import How, how_options, say_end
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.filters import LIMIT, PAGE
from console.cli.following import carry_on
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, note, say
from console.cli.parameters import OPERATION_ID, RATE
from console.cli.records import OPERATION_FIELDS, operation_record
from console.domain.ids import OperationId, format_number
from console.domain.operation import Operation
from console.operations import deliveries as acts
from console.operations.actor import current_actor


@click.group(cls=ConsoleGroup, examples=("operations list", "operations watch op_00001k", "operations undo op_00001k"))
def operations() -> None:
    """The audit log: who did what, when, to what, and why; and bulk operations under way."""


@operations.command(
    "list",
    cls=ConsoleCommand,
    json_fields=OPERATION_FIELDS,
    examples=("operations list", "operations list --limit 500 --json"),
)
@LIMIT
@pass_invocation
def list_(invocation: Invocation, limit: int) -> int:
    """List operations, newest first."""
    rows: list[Operation] = []
    with invocation.reading() as store:
        before: OperationId | None = None
        while len(rows) < limit:
            wanted = min(PAGE, limit - len(rows))
            page = store.operations(limit=wanted, before=before)
            rows += page
            if len(page) < wanted:
                break
            before = page[-1].id
    if invocation.json:
        for row in rows:
            emit(operation_record(row))
    elif rows:
        from console.cli.views import print_operations

        print_operations(rows)
    else:
        nothing("no operations yet")
    return 0


@operations.command(
    cls=ConsoleCommand, json_fields=(*OPERATION_FIELDS, "undoable"), examples=("operations show op_00001k",)
)
@click.argument("id", type=OPERATION_ID)
@pass_invocation
def show(invocation: Invocation, id: OperationId) -> int:
    """Show one operation, and how many deliveries 'operations undo' would take back."""
    with invocation.reading() as store:
        operation = store.operation(id)
        undoable = store.count_undoable(id) if operation.kind in acts.UNDOABLE else 0
    if invocation.json:
        emit({**operation_record(operation), "undoable": undoable})
    else:
        from console.cli.views import print_operation

        print_operation(operation, undoable)
    return 0


@operations.command(cls=ConsoleCommand, json_fields=OPERATION_FIELDS, examples=("operations watch op_00001k",))
@click.argument("id", type=OPERATION_ID)
@pass_invocation
def watch(invocation: Invocation, id: OperationId) -> int:
    """Look on at a bulk operation until its end. Without an engine this command carries it on.

    With --json a line of its progress is printed now and then, and the operation itself at the end.
    """
    with invocation.writing() as store:
        operation = carry_on(invocation, store, store.operation(id))
        _report(invocation, operation)
    return 0


@operations.command(
    cls=ConsoleCommand,
    json_fields=OPERATION_FIELDS,
    examples=("operations cancel op_00001k",),
)
@click.argument("id", type=OPERATION_ID)
@pass_invocation
def cancel(invocation: Invocation, id: OperationId) -> int:
    """End a bulk operation that is under way. What it has done stays done; 'operations undo' takes that back."""
    with invocation.writing() as store:
        operation = acts.stop(store, id, actor=current_actor(), now_ms=invocation.clock.now_ms())
        _report(invocation, operation)
    return 0


@operations.command(
    cls=ConsoleCommand,
    json_fields=(*OPERATION_FIELDS, "undoable", "dry_run"),
    examples=("operations undo op_00001k", "operations undo op_00001k --dry-run"),
)
@click.argument("id", type=OPERATION_ID)
@click.option("--rate", type=RATE, metavar="N/s", help="At most so many in a second: 200/s, 600/m.")
@how_options
@pass_invocation
def undo(invocation: Invocation, id: OperationId, how: How) -> int:
    """Take back a skip, a cancel or a retry: what is still as it left it is again what it was before.

    What was skipped or cancelled waits again for the try that it was owed, at the same step of its schedule; what had
    failed has failed. Of a retry, those that were not tried yet. Above 100 this asks first.
    """
    with invocation.writing() if not how.dry_run else invocation.reading() as store:
        undone, undoable = store.operation(id), store.count_undoable(id)
        name = format_number("op", id)
        if how.dry_run:
            if invocation.json:
                emit({**operation_record(undone), "undoable": undoable, "dry_run": True})
            else:
                say(f"would be taken back: {undoable:,} of {plural(undone.done, 'delivery', 'deliveries')}")
            return 0
        if undoable > acts.CONFIRM_ABOVE:
            confirm(f"Take back {name} for {plural(undoable, 'delivery', 'deliveries')}?", yes=how.yes)
        operation = acts.begin_undo(
            store,
            id,
            actor=current_actor(),
            now_ms=invocation.clock.now_ms(),
            reason=how.reason,
            rate_per_s=None if how.rate is None else how.rate.per_s,
        )
        if not how.detach:
            operation = carry_on(invocation, store, operation)
        if invocation.json:
            emit({**operation_record(operation), "undoable": undoable, "dry_run": False})
            return 0
        say_end(invocation, store, operation, f"as before {name}")
        left = undone.done - undoable
        if left:
            note(f"{plural(left, 'delivery was', 'deliveries were')} tried or changed since, and left alone")
    return 0


def _report(invocation: Invocation, operation: Operation) -> None:
    if invocation.json:
        emit(operation_record(operation))
    else:
        say(f"{format_number('op', operation.id)}: {operation.result}")
