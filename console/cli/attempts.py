"""`attempts`: the log of every HTTP request that was made."""

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.filters import (
    CAUSES,
    ENDPOINTS,
    EVENT,
    FILTER_LINE,
    LIMIT,
    PAGE,
    SINCE,
    TYPE,
    UNTIL,
    endpoint_ids,
    names_of,
)
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit
from console.cli.parameters import ATTEMPT_ID, DELIVERY_ID
from console.cli.records import ATTEMPT_FIELDS, EXCHANGE_FIELDS, attempt_record, exchange_record
from console.domain.delivery import Attempt
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import AttemptId, DeliveryId, EventId
from console.domain.outcome import Cause
from console.domain.query import Query

FAILED = click.option("--failed", is_flag=True, help="Only those that failed.")


@click.group(
    cls=ConsoleGroup,
    lazy={"tail": "console.cli.tail:tail"},
    examples=("attempts tail --failed", "attempts list --cause timeout_read --since 1h"),
)
def attempts() -> None:
    """Look at the log of attempts, or follow it."""


@attempts.command(
    "list",
    cls=ConsoleCommand,
    json_fields=ATTEMPT_FIELDS,
    examples=("attempts list --failed", "attempts list --endpoint billing --cause timeout_read --since 1h --json"),
)
@FILTER_LINE
@ENDPOINTS
@click.option("--delivery", "delivery_id", type=DELIVERY_ID, metavar="ID", help="Of this delivery.")
@EVENT
@TYPE
@CAUSES
@FAILED
@SINCE
@UNTIL
@LIMIT
@pass_invocation
def list_(
    invocation: Invocation,
    query: Query | None,
    endpoints: tuple[str, ...],
    delivery_id: DeliveryId | None,
    event_id: EventId | None,
    type_pattern: str | None,
    causes: tuple[Cause, ...],
    failed: bool,
    since_ms: int | None,
    until_ms: int | None,
    limit: int,
) -> int:
    """List attempts, newest first."""
    rows: list[Attempt] = []
    with invocation.reading() as store:
        where = AttemptFilter(
            endpoints=endpoint_ids(store, endpoints),
            delivery_id=delivery_id,
            event_id=event_id,
            type_pattern=type_pattern,
            causes=causes,
            failed_only=failed,
            since_ms=since_ms,
            until_ms=until_ms,
        )
        if query is not None:
            where = query.attempts(names_of(store), where)
        before: AttemptId | None = None
        while len(rows) < limit:
            wanted = min(PAGE, limit - len(rows))
            page = store.attempts(where, AttemptPage(limit=wanted, before=before))
            rows += reversed(page)
            if len(page) < wanted:
                break
            before = page[0].id
    if invocation.json:
        for row in rows:
            emit(attempt_record(row))
    elif rows:
        from console.cli.attempt_views import print_attempts

        print_attempts(rows)
    else:
        nothing("no attempts yet" if where == AttemptFilter() else "no attempts match")
    return 0


@attempts.command(cls=ConsoleCommand, json_fields=(*ATTEMPT_FIELDS, "exchange"), examples=("attempts show att_00001k",))
@click.argument("attempt_id", metavar="ID", type=ATTEMPT_ID)
@pass_invocation
def show(invocation: Invocation, attempt_id: AttemptId) -> int:
    """Show one attempt and all that went over the wire. Secrets in request headers are redacted."""
    with invocation.reading() as store:
        attempt = store.attempt(attempt_id)
        exchange = store.exchange(attempt_id)
    if invocation.json:
        emit({**attempt_record(attempt), "exchange": None if exchange is None else exchange_record(exchange)})
        return 0
    from console.cli.attempt_views import print_attempt

    print_attempt(attempt, exchange)
    return 0


show.help = f"{show.help}\n\nWith --json, exchange is null or an object with {', '.join(EXCHANGE_FIELDS)}."
