"""`deliveries retry` and `deliveries cancel`: those named, or all that match."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any, TypeVar

import click

from console.cli.asking import confirm, nothing, plural
from console.cli.commands import ConsoleCommand
from console.cli.deliveries import pages
from console.cli.filters import DeliveryFlags, delivery_options
from console.cli.following import carry_on, left_words
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, note, say
from console.cli.parameters import DELIVERY_ID, RATE, TEXT
from console.domain.delivery import RETRYABLE, DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, format_number
from console.domain.operation import Operation
from console.domain.policy import RateLimit
from console.operations import deliveries as acts
from console.operations.actor import current_actor
from console.store import Store

R = TypeVar("R")
FIELDS = ("matched", "by_endpoint", "done", "dry_run", "operation", "finished")
_MOST_NAMED = 10_000
"""Ids in one filter: a statement of SQLite takes some 32,000 parameters."""
_CANCELLABLE = frozenset({DeliveryState.PENDING, DeliveryState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A bulk action: its words, the states it can touch, and those it takes when a filter names none."""

    verb: str
    done: str
    possible: frozenset[DeliveryState]
    default: tuple[DeliveryState, ...]
    begin: Callable[..., Operation]

    @property
    def states(self) -> tuple[DeliveryState, ...]:
        """The possible ones, in order."""
        return tuple(state for state in DeliveryState if state in self.possible)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What an operator says of the way it is done."""

    limit: int | None = None
    rate: RateLimit | None = None
    canary: bool = False
    """One goes first, and the others only when it was taken."""
    reason: str | None
    detach: bool
    dry_run: bool
    yes: bool


_RETRY = Act(verb="Retry", done="retried", possible=RETRYABLE, default=(DeliveryState.FAILED,), begin=acts.begin_retry)
_CANCEL = Act(
    verb="Cancel",
    done="cancelled",
    possible=_CANCELLABLE,
    default=(DeliveryState.PENDING, DeliveryState.FAILED),
    begin=acts.begin_cancel,
)


def how_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add --reason, --detach, --dry-run and --yes to a command, which takes them, and its --limit and --rate, as one
    `how`."""

    @wraps(command)
    def collected(*args: Any, **kwargs: Any) -> R:
        how = How(**{part.name: kwargs.pop(part.name) for part in fields(How) if part.name in kwargs})
        return command(*args, how=how, **kwargs)

    decorators: tuple[Callable[[Any], Any], ...] = (
        click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log and for your colleagues."),
        click.option("--detach", is_flag=True, help="Leave it to the engine, and do not wait for its end."),
        click.option("--dry-run", is_flag=True, help="Only say what would be done."),
        click.option("--yes", "-y", is_flag=True, help=f"Do not ask above {acts.CONFIRM_ABOVE}."),
    )
    for decorator in reversed(decorators):
        collected = decorator(collected)
    return collected


def _bulk_options(command: Callable[..., R]) -> Callable[..., R]:
    decorators: tuple[Callable[[Any], Any], ...] = (
        click.argument("ids", metavar="[ID]...", type=DELIVERY_ID, nargs=-1),
        delivery_options,
        click.option(
            "--limit", type=click.IntRange(1, _MOST_NAMED), metavar="N", help="At most so many, the newest first."
        ),
        click.option("--rate", type=RATE, metavar="N/s", help="At most so many in a second: 200/s, 600/m."),
        how_options,
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command(
    cls=ConsoleCommand,
    json_fields=FIELDS,
    examples=(
        "deliveries retry dlv_00001k dlv_00001m",
        "deliveries retry --endpoint billing --cause http_5xx --since 2h",
        "deliveries retry --filter 'status:5xx attempts:>3 text:\"card declined\"'",
        "deliveries retry --endpoint billing --rate 200/s --detach",
        "deliveries retry --endpoint billing --limit 10",
        "deliveries retry --type 'invoice.*' --dry-run",
    ),
)
@_bulk_options
@click.option("--canary", is_flag=True, help="Retry the oldest first, and the others only when it was delivered.")
@pass_invocation
def retry(invocation: Invocation, ids: tuple[DeliveryId, ...], flags: DeliveryFlags, how: How) -> int:
    """Make deliveries due now: those named, or all that match the filters.

    Filters without --state take failed deliveries only. Named ones are retried in any state but sending; one that was
    delivered is sent again, with the same webhook-id. Above 100 this asks first. What is accepted or tried after the
    beginning is left alone. Ctrl-C leaves it to the engine; 'operations cancel' ends it, and 'operations undo' takes
    back what was not tried yet.
    """
    return _run(_RETRY, invocation, ids, flags, how)


@click.command(
    cls=ConsoleCommand,
    json_fields=FIELDS,
    examples=("deliveries cancel dlv_00001k", "deliveries cancel --endpoint billing --until 7d --yes"),
)
@_bulk_options
@pass_invocation
def cancel(invocation: Invocation, ids: tuple[DeliveryId, ...], flags: DeliveryFlags, how: How) -> int:
    """Give deliveries up: those named, or all that match the filters, when they are pending or failed.

    'operations undo' takes that back; a cancelled delivery can be retried, too. Above 100 this asks first.
    """
    return _run(_CANCEL, invocation, ids, flags, how)


def _run(act: Act, invocation: Invocation, ids: tuple[DeliveryId, ...], flags: DeliveryFlags, how: How) -> int:
    if not ids and not flags.given:
        raise click.UsageError(f"say what to {act.verb.lower()}: ids, or filters such as --endpoint or --since")
    if len(ids) > _MOST_NAMED:
        raise click.UsageError(f"{len(ids):,} ids are too many at once: give at most {_MOST_NAMED:,}, or filters")
    if ids and (flags.given or how.limit is not None):
        raise click.UsageError("give either ids or filters, not both")
    with invocation.writing() if not how.dry_run else invocation.reading() as store:
        return perform(act, invocation, store, _limited(store, _where(act, store, ids, flags), how.limit), how)


def perform(act: Act, invocation: Invocation, store: Store, where: DeliveryFilter, how: How) -> int:
    """Say what matches, ask when that is many, do it, and say what was done. Returns the exit code."""
    # Named ones are counted only where the act can touch them.
    found = acts.preview(store, replace(where, states=where.states or act.states)).by_endpoint
    names = {endpoint.id: endpoint.name for endpoint in store.endpoints()}
    by_name = {names.get(endpoint_id, endpoint_id): n for endpoint_id, n in found.items()}
    total = sum(found.values())
    if not invocation.json:
        _say_preview(act, total, by_name, how.dry_run)
    operation: Operation | None = None
    if total and not how.dry_run:
        if total > acts.CONFIRM_ABOVE:
            confirm(f"{act.verb} {plural(total, 'delivery', 'deliveries')}?", yes=how.yes)
        rate = {} if how.rate is None else {"rate_per_s": how.rate.per_s}
        if how.canary:
            from console.cli.canary import send_first

            first = send_first(invocation, store, replace(where, states=where.states or act.states))
            # 0 is no delivery: when the first was the only one that was named, none is left.
            left = tuple(number for number in where.ids if number != first) or (DeliveryId(0),)
            where = replace(where, ids=left) if where.ids else where
        operation = act.begin(
            store, where, actor=current_actor(), now_ms=invocation.clock.now_ms(), reason=how.reason, **rate
        )
        if not how.detach:
            operation = carry_on(invocation, store, operation)
    if invocation.json:
        emit(
            {
                "matched": total,
                "by_endpoint": by_name,
                "done": operation.done if operation else 0,
                "dry_run": how.dry_run,
                "operation": format_number("op", operation.id) if operation else None,
                "finished": not operation.is_open if operation else None,
            }
        )
    elif operation is not None:
        say_end(invocation, store, operation, act.done)
    return 0


def say_end(invocation: Invocation, store: Store, operation: Operation, done: str) -> None:
    """What was done, or what becomes of an operation that is left. `done`: the word for it."""
    if operation.is_open:
        say(clean(left_words(invocation, store, operation)))
        return
    say(f"{plural(operation.done, 'delivery', 'deliveries')} {done}")
    if operation.cancelled_by is not None:
        note(f"{operation.result}: {operation.cancelled_by} ended it")


def _where(act: Act, store: Store, ids: tuple[DeliveryId, ...], flags: DeliveryFlags) -> DeliveryFilter:
    if ids:
        for delivery_id in ids:
            store.delivery(delivery_id)
        return DeliveryFilter(ids=tuple(dict.fromkeys(ids)))
    wrong = [state for state in flags.states if state not in act.possible]
    if wrong:
        raise click.UsageError(f"--state {wrong[0]}: only {', '.join(act.states)} deliveries can be {act.done}")
    return possible(act, flags.resolve(store))


def possible(act: Act, where: DeliveryFilter) -> DeliveryFilter:
    """What of a filter the act can touch; one that names no states means the act's own. Raises click.UsageError."""
    if not where.states:
        return replace(where, states=act.states if where.troubled else act.default)
    states = tuple(state for state in where.states if state in act.possible)
    if not states:
        raise click.UsageError(f"--filter: only {', '.join(act.states)} deliveries can be {act.done}")
    return replace(where, states=states)


def _limited(store: Store, where: DeliveryFilter, limit: int | None) -> DeliveryFilter:
    if limit is None:
        return where
    ids = tuple(delivery.id for page in pages(store, where, limit) for delivery in page)
    return replace(where, ids=ids or (DeliveryId(0),))


def _say_preview(act: Act, total: int, by_name: dict[str, int], dry_run: bool) -> None:
    if not total:
        nothing(f"no deliveries to be {act.done} match")
        return
    if dry_run:
        say(f"would be {act.done}: {plural(total, 'delivery', 'deliveries')}")
    for name, n in sorted(by_name.items(), key=lambda item: -item[1]):
        say(f"  {clean(name)}  {n:,}")
