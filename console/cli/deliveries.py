"""`deliveries`: what is owed to whom, and what came of it."""

from collections.abc import Iterator

import click

from console.cli.asking import nothing
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.filters import LIMIT, PAGE, DeliveryFlags, delivery_options
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit
from console.cli.parameters import DELIVERY_ID
from console.cli.records import DELIVERY_FIELDS, attempt_record, delivery_record
from console.domain.delivery import Attempt, Delivery
from console.domain.filters import AttemptFilter, AttemptPage, DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, format_number
from console.store import Store


@click.group(
    cls=ConsoleGroup,
    lazy={
        "retry": "console.cli.bulk_acts:retry",
        "cancel": "console.cli.bulk_acts:cancel",
        "skip": "console.cli.skipping:skip",
        "why": "console.cli.why:why",
    },
    examples=("deliveries list --state failed --since 2h", "deliveries retry --endpoint billing"),
)
def deliveries() -> None:
    """Look at deliveries, retry, cancel and skip them."""


def pages(store: Store, where: DeliveryFilter, limit: int | None) -> Iterator[list[Delivery]]:
    """Matching deliveries, newest first, at most `limit`."""
    before: DeliveryId | None = None
    left = limit
    while left is None or left > 0:
        wanted = PAGE if left is None else min(PAGE, left)
        page = store.deliveries(where, limit=wanted, before=before)
        if page:
            yield page
        if len(page) < wanted:
            return
        before = page[-1].id
        left = None if left is None else left - len(page)


@deliveries.command(
    "list",
    cls=ConsoleCommand,
    json_fields=DELIVERY_FIELDS,
    examples=(
        "deliveries list",
        "deliveries list --state failed --cause http_5xx --since 2h",
        "deliveries list --endpoint billing --limit 1000 --json",
    ),
)
@delivery_options
@LIMIT
@pass_invocation
def list_(invocation: Invocation, flags: DeliveryFlags, limit: int) -> int:
    """List deliveries, newest first."""
    rows: list[Delivery] = []
    with invocation.reading() as store:
        for page in pages(store, flags.resolve(store), limit):
            if invocation.json:
                for delivery in page:
                    emit(delivery_record(delivery))
            else:
                rows += page
    if invocation.json:
        return 0
    if not rows:
        nothing("no deliveries match" if flags.given else "no deliveries yet")
        return 0
    from console.cli.views import print_deliveries

    print_deliveries(rows, invocation.clock.now_ms())
    return 0


@deliveries.command(
    cls=ConsoleCommand,
    json_fields=(*DELIVERY_FIELDS, "blocked_by", "attempt_log"),
    examples=("deliveries show dlv_00001k",),
)
@click.argument("delivery_id", metavar="ID", type=DELIVERY_ID)
@pass_invocation
def show(invocation: Invocation, delivery_id: DeliveryId) -> int:
    """Show one delivery with its attempts, why it failed in plain words, and when the next try is.

    With --json, attempt_log holds its attempts, with the fields of attempts list.
    """
    with invocation.reading() as store:
        delivery = store.delivery(delivery_id)
        attempts = _attempts_of(store, delivery_id)
        blocked_by = store.standing(delivery_id).blocked_by if delivery.blocked else None
    if invocation.json:
        named = None if blocked_by is None else format_number("dlv", blocked_by)
        record = {**delivery_record(delivery), "blocked_by": named}
        emit({**record, "attempt_log": [attempt_record(attempt) for attempt in attempts]})
        return 0
    from console.cli.views import print_delivery

    print_delivery(delivery, attempts, invocation.clock.now_ms(), blocked_by=blocked_by)
    return 0


def _attempts_of(store: Store, delivery_id: DeliveryId) -> list[Attempt]:
    """The newest attempts of a delivery, oldest first."""
    where = AttemptFilter(delivery_id=delivery_id)
    return sorted(store.attempts(where, AttemptPage(limit=PAGE)), key=_id_of)


def _id_of(attempt: Attempt) -> AttemptId:
    return attempt.id
