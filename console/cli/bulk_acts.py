"""`deliveries retry` and `deliveries cancel`: those named, or all that match."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from console.cli.asking import Progress, confirm, nothing, plural
from console.cli.commands import ConsoleCommand
from console.cli.deliveries import pages
from console.cli.filters import DeliveryFlags, delivery_options
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, say
from console.cli.parameters import DELIVERY_ID
from console.domain.delivery import RETRYABLE, DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId
from console.operations import deliveries as acts
from console.operations.actor import current_actor
from console.store import Store

R = TypeVar("R")
_FIELDS = ("matched", "by_endpoint", "done", "dry_run")
_MOST_NAMED = 10_000
"""Ids in one filter: a statement of SQLite takes some 32,000 parameters."""
_CANCELLABLE = frozenset({DeliveryState.PENDING, DeliveryState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """A bulk action: its words, the states it can touch, and those it takes when a filter names none."""

    verb: str
    done: str
    possible: frozenset[DeliveryState]
    default: tuple[DeliveryState, ...]
    run: Callable[..., int]

    @property
    def states(self) -> tuple[DeliveryState, ...]:
        """The possible ones, in order."""
        return tuple(state for state in DeliveryState if state in self.possible)


_RETRY = _Act(verb="Retry", done="retried", possible=RETRYABLE, default=(DeliveryState.FAILED,), run=acts.retry)
_CANCEL = _Act(
    verb="Cancel",
    done="cancelled",
    possible=_CANCELLABLE,
    default=(DeliveryState.PENDING, DeliveryState.FAILED),
    run=acts.cancel,
)


def _bulk_options(command: Callable[..., R]) -> Callable[..., R]:
    decorators: tuple[Callable[[Any], Any], ...] = (
        click.argument("ids", metavar="[ID]...", type=DELIVERY_ID, nargs=-1),
        delivery_options,
        click.option(
            "--limit", type=click.IntRange(1, _MOST_NAMED), metavar="N", help="At most so many, the newest first."
        ),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option("--yes", "-y", is_flag=True, help=f"Do not ask above {acts.CONFIRM_ABOVE}."),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=(
        "deliveries retry dlv_00001k dlv_00001m",
        "deliveries retry --endpoint billing --cause http_5xx --since 2h",
        "deliveries retry --endpoint billing --limit 10",
        "deliveries retry --type 'invoice.*' --dry-run",
    ),
)
@_bulk_options
@pass_invocation
def retry(
    invocation: Invocation,
    ids: tuple[DeliveryId, ...],
    flags: DeliveryFlags,
    limit: int | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Make deliveries due now: those named, or all that match the filters.

    Filters without --state take failed deliveries only. Named ones are retried in any state but sending; one that was
    delivered is sent again, with the same webhook-id. Above 100 this asks first.
    """
    return _run(_RETRY, invocation, ids, flags, limit, dry_run, yes)


@click.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=("deliveries cancel dlv_00001k", "deliveries cancel --endpoint billing --until 7d --yes"),
)
@_bulk_options
@pass_invocation
def cancel(
    invocation: Invocation,
    ids: tuple[DeliveryId, ...],
    flags: DeliveryFlags,
    limit: int | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Give deliveries up: those named, or all that match the filters, when they are pending or failed.

    A cancelled delivery can be retried later. Above 100 this asks first.
    """
    return _run(_CANCEL, invocation, ids, flags, limit, dry_run, yes)


def _run(
    act: _Act,
    invocation: Invocation,
    ids: tuple[DeliveryId, ...],
    flags: DeliveryFlags,
    limit: int | None,
    dry_run: bool,
    yes: bool,
) -> int:
    if not ids and not flags.given:
        raise click.UsageError(f"say what to {act.verb.lower()}: ids, or filters such as --endpoint or --since")
    if len(ids) > _MOST_NAMED:
        raise click.UsageError(f"{len(ids):,} ids are too many at once: give at most {_MOST_NAMED:,}, or filters")
    if ids and (flags.given or limit is not None):
        raise click.UsageError("give either ids or filters, not both")
    with invocation.writing() if not dry_run else invocation.reading() as store:
        where = _limited(store, _where(act, store, ids, flags), limit)
        # Named ones are counted only where the act can touch them.
        found = acts.preview(store, replace(where, states=where.states or act.states)).by_endpoint
        names = {endpoint.id: endpoint.name for endpoint in store.endpoints()}
        by_name = {names.get(endpoint_id, endpoint_id): n for endpoint_id, n in found.items()}
        total = sum(found.values())
        if not invocation.json:
            _say_preview(act, total, by_name, dry_run)
        if dry_run or not total:
            done = 0
        else:
            if total > acts.CONFIRM_ABOVE:
                confirm(f"{act.verb} {plural(total, 'delivery', 'deliveries')}?", yes=yes)
            progress = Progress(total)
            done = act.run(store, where, actor=current_actor(), clock=invocation.clock, progress=progress)
            progress.end()
    if invocation.json:
        emit({"matched": total, "by_endpoint": by_name, "done": done, "dry_run": dry_run})
    elif total and not dry_run:
        say(f"{plural(done, 'delivery', 'deliveries')} {act.done}")
    return 0


def _where(act: _Act, store: Store, ids: tuple[DeliveryId, ...], flags: DeliveryFlags) -> DeliveryFilter:
    if ids:
        for delivery_id in ids:
            store.delivery(delivery_id)
        return DeliveryFilter(ids=tuple(dict.fromkeys(ids)))
    wrong = [state for state in flags.states if state not in act.possible]
    if wrong:
        raise click.UsageError(f"--state {wrong[0]}: only {', '.join(act.states)} deliveries can be {act.done}")
    return replace(flags.resolve(store), states=flags.states or act.default)


def _limited(store: Store, where: DeliveryFilter, limit: int | None) -> DeliveryFilter:
    if limit is None:
        return where
    ids = tuple(delivery.id for page in pages(store, where, limit) for delivery in page)
    return replace(where, ids=ids or (DeliveryId(0),))


def _say_preview(act: _Act, total: int, by_name: dict[str, int], dry_run: bool) -> None:
    if not total:
        nothing(f"no deliveries to be {act.done} match")
        return
    if dry_run:
        say(f"would be {act.done}: {plural(total, 'delivery', 'deliveries')}")
    for name, n in sorted(by_name.items(), key=lambda item: -item[1]):
        say(f"  {clean(name)}  {n:,}")
