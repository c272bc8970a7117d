"""`operations`: the audit log, and bulk operations under way."""

from dataclasses import asdict

import click

from console.cli.asking import confirm, nothing, plural
from console.cli.bulk_acts import How, how_options, say_end
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.filters import LIMIT, PAGE
from console.cli.following import carry_on
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, note, say
from console.cli.parameters import OPERATION_ID, RATE
from console.cli.records import OPERATION_FIELDS, operation_record
from console.domain.errors import ConsoleError
from console.domain.ids import OperationId, format_number
from console.domain.operation import Operation, OperationKind
from console.operations import deliveries as acts
from console.operations.actor import current_actor
from console.operations.undoing import Undo, plan_undo
from console.operations.undoing import undo as take_back
from console.store import Store


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
        from console.cli.operation_views import print_operations

        print_operations(rows)
    else:
        nothing("no operations yet")
    return 0


@operations.command(
    cls=ConsoleCommand,
    json_fields=(*OPERATION_FIELDS, "undoable", "undo", "outcomes"),
    examples=("operations show op_00001k",),
)
@click.argument("id", type=OPERATION_ID)
@pass_invocation
def show(invocation: Invocation, id: OperationId) -> int:
    """Show one operation: what it changed, what came of it, and what 'operations undo' would do or why it cannot.

    With --json, undoable is how many deliveries would be taken back, and undo is null when nothing can be.
    """
    with invocation.reading() as store:
        operation = store.operation(id)
        undoable = store.count_undoable(id) if operation.kind in acts.UNDOABLE else 0
        undo, why_not = _undo_words(store, id)
        outcomes = store.outcomes(id) if operation.kind is OperationKind.DELIVERY_RETRY else None
    if invocation.json:
        came = None if outcomes is None else asdict(outcomes)
        emit({**operation_record(operation), "undoable": undoable, "undo": undo, "outcomes": came})
    else:
        from console.cli.operation_views import print_operation

        words = undo if undo is not None else f"not any more: {why_not}"
        print_operation(operation, words, None if outcomes is None else outcomes.words)
    return 0


def _undo_words(store: Store, id: OperationId) -> tuple[str | None, str]:
    """What taking it back would do, or None and why it cannot be."""
    try:
        return " ".join(plan_undo(store, id).lines), ""
    except ConsoleError as error:
        return None, str(error)


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
    """Take an operation back, as long as what it changed is still as it left it.

    A skip or cancel: what was given up waits again for the try that it was owed, at the same step of its schedule, and
    what had failed has failed. A retry: those that were not tried yet. A pause or resume, an edit of an endpoint or of
    the defaults (but for secrets), an endpoint added by mistake, and what was done to the rules of alerts: as before.
    Above 100 deliveries this asks first.
    """
    with invocation.writing() if not how.dry_run else invocation.reading() as store:
        plan = plan_undo(store, id)
        name, undoable = format_number("op", id), plan.deliveries or 0
        if how.dry_run:
            if invocation.json:
                emit({**operation_record(plan.operation), "undoable": undoable, "dry_run": True})
            else:
                _say_plan(plan)
            return 0
        if undoable > acts.CONFIRM_ABOVE:
            confirm(f"Take back {name} for {plural(undoable, 'delivery', 'deliveries')}?", yes=how.yes)
        operation = take_back(
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
        elif plan.deliveries is None:
            for line in plan.lines:
                say(clean(line))
        else:
            say_end(invocation, store, operation, f"as before {name}")
            left = plan.operation.done - undoable
            if left:
                note(f"{plural(left, 'delivery was', 'deliveries were')} tried or changed since, and left alone")
    return 0


def _say_plan(plan: Undo) -> None:
    if plan.deliveries is None:
        for line in plan.lines:
            say(f"would be taken back: {clean(line)}")
    else:
        done = plural(plan.operation.done, "delivery", "deliveries")
        say(f"would be taken back: {plan.deliveries:,} of {done}")


def _report(invocation: Invocation, operation: Operation) -> None:
    if invocation.json:
        emit(operation_record(operation))
    else:
        say(f"{format_number('op', operation.id)}: {operation.result}")
