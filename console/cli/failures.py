"""`failures`: failed and retried deliveries by what they have in common."""

from collections.abc import Sequence

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand
from console.cli.filters import LIMIT, DeliveryFlags, delivery_options
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit
from console.cli.records import Record, iso
from console.cli.table import Column, print_table
from console.domain.failure_group import FailureGroup
from console.domain.ids import format_number

GROUP_FIELDS = (
    "id", "endpoint_id", "endpoint", "cause", "status", "words", "deliveries", "failed", "retried", "first_at",
    "last_at", "newest_delivery_id", "example_attempt_id",
)  # fmt: skip


@click.command(
    cls=ConsoleCommand,
    short_help="Show what fails, by cause.",
    json_fields=GROUP_FIELDS,
    examples=(
        "failures",
        "failures --filter 'status:5xx since:2h'",
        "failures --endpoint billing --json",
    ),
)
@delivery_options
@LIMIT
@pass_invocation
def failures(invocation: Invocation, flags: DeliveryFlags, limit: int) -> int:
    """Show failed and retried deliveries grouped by endpoint, cause, status and error, the largest group first.

    COUNT is what has FAILED for good and what is RETRIED. A group's number is what group:N in a filter means. Its
    example is the last attempt that failed that way.
    """
    with invocation.reading() as store:
        groups = store.failure_groups(flags.resolve(store))[:limit]
    if invocation.json:
        for group in groups:
            emit(group_record(group))
    elif groups:
        _print(groups, invocation.clock.now_ms())
    else:
        nothing("no failures match" if flags.given else "nothing has failed, and nothing waits for another try")
    return 0


def group_record(group: FailureGroup) -> Record:
    return {
        "id": group.id,
        "endpoint_id": group.endpoint_id,
        "endpoint": group.endpoint_name,
        "cause": group.cause.value,
        "status": group.status,
        "words": group.words,
        "deliveries": group.deliveries,
        "failed": group.failed,
        "retried": group.retried,
        "first_at": iso(group.first_at_ms),
        "last_at": iso(group.last_at_ms),
        "newest_delivery_id": format_number("dlv", group.newest),
        "example_attempt_id": None if group.example is None else format_number("att", group.example),
    }


def _print(groups: Sequence[FailureGroup], now_ms: int) -> None:
    from console.ui.format import ABSENT, age, exact

    columns = (
        Column(title="GROUP", right=True),
        Column(title="COUNT", right=True),
        Column(title="FAILED", right=True, optional=True),
        Column(title="RETRIED", right=True, optional=True),
        Column(title="ENDPOINT", flexible=True),
        Column(title="CAUSE"),
        Column(title="ERROR", flexible=True),
        Column(title="FIRST"),
        Column(title="LAST"),
        Column(title="EXAMPLE", optional=True),
    )
    print_table(
        columns,
        (
            [
                str(group.id),
                (exact(group.deliveries), "error"),
                exact(group.failed or 0),
                exact(group.retried or 0),
                group.endpoint_name,
                " ".join(str(part) for part in (group.status, group.cause) if part is not None),
                group.words,
                age(now_ms, group.first_at_ms),
                age(now_ms, group.last_at_ms),
                ABSENT if group.example is None else format_number("att", group.example),
            ]
            for group in groups
        ),
    )
