"""`operations`: what operators did."""

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.filters import LIMIT, PAGE
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit
from console.cli.records import OPERATION_FIELDS, operation_record
from console.domain.ids import OperationId
from console.domain.operation import Operation


@click.group(cls=ConsoleGroup, examples=("operations list",))
def operations() -> None:
    """Look at the audit log: who did what, when, to what, and why."""


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
