"""`retention`: how long things are kept."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from console.cli.asking import Progress, confirm, plural
from console.cli.commands import ConsoleCommand, ConsoleGroup
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import emit, note, say
from console.cli.parameters import DURATION, Checked
from console.cli.records import Record
from console.domain.delivery import DeliveryState
from console.domain.errors import InvalidInputError
from console.domain.retention import ENDED, Dropped, Retention, Space, check_retention, cutoffs, parse_size_bytes
from console.operations import retention as acts
from console.operations.actor import current_actor

F = TypeVar("F", bound=Callable[..., Any])

SIZE = Checked("size", parse_size_bytes)
_SETTINGS = ("delivered_s", "failed_s", "cancelled_s", "bodies_s", "inbox_s", "max_size_bytes")
_SPACE = ("file_bytes", "used_bytes", "free_bytes", "wal_bytes")
_DROPPED = ("deliveries", "attempts", "events", "bodies", "requests")


@click.group(
    cls=ConsoleGroup,
    examples=("retention show", "retention edit --delivered 14d --max-size 20G", "retention run --dry-run"),
)
def retention() -> None:
    """Look at and change how long ended deliveries are kept. A running engine deletes what is older, by and by.

    What is pending or being sent is never deleted. An event goes with the last of its deliveries: from then on its id
    is unknown, and an event that comes in with the same id is new and is delivered again. What came in is kept in the
    inbox for its own time.
    """


@retention.command(cls=ConsoleCommand, json_fields=(*_SETTINGS, *_SPACE), examples=("retention show",))
@pass_invocation
def show(invocation: Invocation) -> int:
    """Show how long what is kept, and what the store takes on disk."""
    with invocation.reading() as store:
        settings, space = store.retention(), store.space()
    if invocation.json:
        emit({**_record(settings), **_space_record(space)})
    else:
        _print(settings, space)
    return 0


def _age(name: str, help_text: str) -> Callable[[F], F]:
    return click.option(f"--{name}", f"{name}_s", type=DURATION, metavar="30d", help=help_text)


@retention.command(
    cls=ConsoleCommand,
    json_fields=(*_SETTINGS, "changed"),
    examples=("retention edit --delivered 14d --failed 180d", "retention edit --bodies 3d --max-size 20G"),
)
@_age("delivered", "How long delivered ones are kept; 0: for ever. Default: 30d")
@_age("failed", "How long failed ones are kept; 0: for ever. Default: 90d")
@_age("cancelled", "How long cancelled ones are kept; 0: for ever. Default: 30d")
@_age("bodies", "How long requests and answers are kept; 0: as long as their attempts, the default.")
@_age("inbox", "How long requests that came in are kept; 0: for ever. Default: 30d")
@click.option("--max-size", "max_size_bytes", type=SIZE, metavar="20G", help="Of the store; 0: no limit, the default.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask when more is going to be deleted than before.")
@pass_invocation
def edit(
    invocation: Invocation,
    delivered_s: float | None,
    failed_s: float | None,
    cancelled_s: float | None,
    bodies_s: float | None,
    inbox_s: float | None,
    max_size_bytes: int | None,
    yes: bool,
) -> int:
    """Change how long ended deliveries are kept, counted from their end. A running engine follows within a minute.

    Above --max-size requests go that came in more than a day ago, then the oldest ended deliveries, then what else came
    in, but nothing of the last ten minutes. Keeping less than before asks first.
    """
    given = (delivered_s, failed_s, cancelled_s, bodies_s, inbox_s, max_size_bytes)
    changes: dict[str, Any] = {name: value for name, value in zip(_SETTINGS, given, strict=True) if value is not None}
    if not changes:
        raise click.UsageError("nothing to change: give at least one option")
    with invocation.writing(create=True) as store:
        before = store.retention()
        try:
            after = check_retention(replace(before, **changes))
        except InvalidInputError as error:
            raise click.UsageError(str(error)) from None
        shorter = [name for name in changes if _keeps_less(getattr(before, name), getattr(after, name))]
        if shorter:
            confirm(f"Keep less than now ({', '.join(map(_flag, shorter))})? What is older is deleted.", yes=yes)
        acts.edit(store, after, actor=current_actor(), now_ms=invocation.clock.now_ms())
    changed = [_flag(name) for name in changes]
    if invocation.json:
        emit({**_record(after), "changed": changed})
    else:
        say(f"retention: changed {', '.join(changed)}")
    return 0


def _keeps_less(before: float, after: float) -> bool:
    return bool(after) and (not before or after < before)


def _flag(name: str) -> str:
    return name.removesuffix("_s").removesuffix("_bytes").replace("_", "-")


@retention.command(
    cls=ConsoleCommand,
    json_fields=(*_DROPPED, "excess_bytes", "dry_run"),
    examples=("retention run --dry-run", "retention run --yes"),
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_invocation
def run(invocation: Invocation, dry_run: bool, yes: bool) -> int:
    """Delete now what is older than it is to be kept: with no engine, or without waiting for it.

    It is done in small pieces between which an engine goes on delivering, and space that became free is given back.
    """
    with invocation.reading() as store:
        settings, now_ms = store.retention(), invocation.clock.now_ms()
        old = cutoffs(settings, now_ms)
        counted, requests = store.count_old(old), store.count_old_requests(old)
        excess = acts.excess_bytes(store, settings)
    total = sum(counted.values())
    if not invocation.json:
        _say_preview(settings, counted, requests, excess, dry_run=dry_run)
    dropped = Dropped()
    if not dry_run:
        if total or requests or excess:
            confirm(f"Delete {_what(total, requests, excess)}?", yes=yes)
        with invocation.writing() as store:
            progress = Progress(total)
            dropped = acts.run(
                store,
                actor=current_actor(),
                clock=invocation.clock,
                progress=lambda so_far: progress(so_far.deliveries),
            )
            progress.end()
    if invocation.json:
        counts = {name: getattr(dropped, name) for name in _DROPPED}
        if dry_run:
            counts |= {"deliveries": total, "requests": requests}
        emit({**counts, "excess_bytes": excess, "dry_run": dry_run})
    elif not dry_run:
        say(acts.in_words(dropped))
    return 0


def _what(total: int, requests: int, excess: int) -> str:
    from console.ui.format import size

    parts = [
        plural(total, "delivery", "deliveries") if total else "",
        plural(requests, "inbound request") if requests else "",
        f"the oldest {size(excess)}" if excess else "",
    ]
    return " and ".join(filter(None, parts))


def _say_preview(
    settings: Retention, counted: dict[DeliveryState, int], requests: int, excess: int, *, dry_run: bool
) -> None:
    from console.ui.format import size

    if settings.deletes_nothing:
        note("hint: everything is kept for ever; set an age with 'webhook-console retention edit --delivered 30d'")
    for state in ENDED:
        if counted.get(state):
            say(f"  {state}  {counted[state]:,}")
    if requests:
        say(f"  inbound requests  {requests:,}")
    if excess:
        say(f"  above --max-size  {size(excess)}")
    if dry_run:
        say(f"would be deleted: {_what(sum(counted.values()), requests, excess) or 'nothing'}")


def _record(settings: Retention) -> Record:
    return {name: getattr(settings, name) for name in _SETTINGS}


def _space_record(space: Space) -> Record:
    return {name: getattr(space, name) for name in _SPACE}


def _print(settings: Retention, space: Space) -> None:
    from console.cli.table import print_facts
    from console.ui.format import duration, size

    def kept(age_s: float, without: str = "for ever") -> str:
        return duration(age_s * 1000) if age_s else without

    limit = settings.max_size_bytes
    print_facts(
        [
            ("pending, sending", "for ever"),
            ("delivered", kept(settings.delivered_s)),
            ("failed", kept(settings.failed_s)),
            ("cancelled", kept(settings.cancelled_s)),
            ("bodies", kept(settings.bodies_s, "as long as their attempts")),
            ("inbox", kept(settings.inbox_s)),
            ("max size", size(limit) if limit else "no limit"),
            ("used", (size(space.used_bytes), "warning" if limit and space.used_bytes > limit else None)),
            ("free inside", size(space.free_bytes)),
            ("log (WAL)", size(space.wal_bytes)),
        ]
    )
