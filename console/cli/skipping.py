"""`deliveries skip`: give up what stands in the way of what follows it."""

import click

from console.cli.bulk_acts import FIELDS, Act, How, how_options, perform, possible
from console.cli.commands import ConsoleCommand
from console.cli.filters import FILTER_LINE, names_of
from console.cli.invocation import Invocation, pass_invocation
from console.cli.parameters import DURATION, ENDPOINT
from console.domain.delivery import DeliveryState
from console.domain.errors import InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, format_number, parse_number
from console.domain.query import Query
from console.operations.deliveries import begin_skip
from console.store import Store

_SKIP = Act(
    verb="Skip",
    done="skipped",
    possible=frozenset({DeliveryState.PENDING, DeliveryState.FAILED}),
    default=(DeliveryState.PENDING,),
    begin=begin_skip,
)


@click.command(
    cls=ConsoleCommand,
    json_fields=FIELDS,
    examples=(
        "deliveries skip billing --older-than 2h",
        "deliveries skip billing --filter 'type:invoice.* attempts:>3'",
        "deliveries skip dlv_00001k --reason 'they drop it'",
    ),
)
@click.argument("ref", type=ENDPOINT, metavar="ENDPOINT|ID")
@click.option(
    "--older-than", "older_s", type=DURATION, metavar="TIME", help="What was accepted longer ago and is still pending."
)
@FILTER_LINE
@how_options
@pass_invocation
def skip(invocation: Invocation, ref: str, older_s: float | None, query: Query | None, how: How) -> int:
    """Give up what an endpoint is owed for too long, or one delivery that holds up those behind it.

    With an endpoint: its pending deliveries that are older than --older-than, or match --filter, or both. With a
    delivery's id: that one, pending or failed; in an ordered endpoint the next of its line goes on. 'operations undo'
    takes a skip back.
    """
    named = ref.startswith("dlv_")
    if named and (older_s is not None or query is not None):
        raise click.UsageError("--older-than and --filter go with an endpoint, not with one delivery")
    if not named and older_s is None and query is None:
        raise click.UsageError("say how old: --older-than 2h (or give the id of one delivery)")
    with invocation.writing() if not how.dry_run else invocation.reading() as store:
        if named:
            where = _one(store, ref)
        else:
            until_ms = None if older_s is None else max(0, invocation.clock.now_ms() - round(older_s * 1000))
            where = DeliveryFilter(endpoints=(store.find_endpoint(ref).id,), until_ms=until_ms)
            where = possible(_SKIP, where if query is None else query.deliveries(names_of(store), where))
        return perform(_SKIP, invocation, store, where, how)


def _one(store: Store, ref: str) -> DeliveryFilter:
    delivery = store.delivery(DeliveryId(parse_number("dlv", ref)))
    if delivery.state not in _SKIP.possible:
        raise InvalidInputError(
            f"{format_number('dlv', delivery.id)} is {delivery.state}: only pending or failed ones can be skipped"
        )
    return DeliveryFilter(ids=(delivery.id,))
