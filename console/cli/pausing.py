"""`endpoints pause` and `endpoints resume`: hold what an endpoint is owed, and let it go at a pace."""

import click

from console.cli.asking import plural
from console.cli.commands import ConsoleCommand
from console.cli.following import carry_on
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, say
from console.cli.parameters import DURATION, ENDPOINT, RATE, TEXT
from console.cli.records import ENDPOINT_FIELDS, endpoint_record, iso
from console.domain.delivery import DeliveryState
from console.domain.endpoint import Endpoint
from console.domain.errors import InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.pacing import Pace
from console.domain.policy import RateLimit
from console.domain.time_ahead import parse_time_ahead
from console.operations.actor import current_actor
from console.operations.deliveries import begin_skip
from console.operations.endpoints import Held, held, pace_words, pause_endpoint, resume_endpoint
from console.store import Store

_FIELDS = (*ENDPOINT_FIELDS, "changed", "pending", "oldest_due_at", "skipped")
_REASON = click.option("--reason", type=TEXT, metavar="TEXT", help="Why, for the audit log and for your colleagues.")


@click.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=(
        "endpoints pause billing --reason 'their deploy, back at 15:00'",
        "endpoints pause billing --for 30m --rate 20/s --ramp 5m",
        "endpoints pause billing --until 06:00",
    ),
)
@click.argument("ref", type=ENDPOINT)
@click.option("--for", "for_", metavar="TIME", help="Resume it by itself after this time: 30m, 2h.")
@click.option("--until", metavar="WHEN", help="Resume it by itself then: 06:00 or 2026-01-31T14:02, local time.")
@click.option("--rate", type=RATE, metavar="N/s", help="At which rate what waits is sent then: 20/s, 600/m.")
@click.option("--ramp", "ramp_s", type=DURATION, metavar="TIME", help="Climb to that rate evenly over this time.")
@_REASON
@pass_invocation
def pause(
    invocation: Invocation,
    ref: str,
    for_: str | None,
    until: str | None,
    rate: RateLimit | None,
    ramp_s: float | None,
    reason: str | None,
) -> int:
    """Hold what an endpoint is owed: events go on being accepted for it, and wait.

    With --for or --until the engine resumes it when that time comes, also after it was stopped and started. Without
    them, one that is paused already stays so until somebody resumes it.
    """
    now_ms = invocation.clock.now_ms()
    resume_at_ms, resume_pace = _resuming(for_, until, rate, ramp_s, now_ms)
    with invocation.writing() as store:
        endpoint, changed = pause_endpoint(
            store,
            store.find_endpoint(ref).id,
            actor=current_actor(),
            reason=reason,
            now_ms=now_ms,
            resume_at_ms=resume_at_ms,
            resume_pace=resume_pace,
        )
        return _report(invocation, endpoint, changed, held(store, endpoint), 0)


@click.command(
    cls=ConsoleCommand,
    json_fields=_FIELDS,
    examples=(
        "endpoints resume billing",
        "endpoints resume billing --rate 20/s --ramp 5m",
        "endpoints resume billing --skip-older-than 2h",
    ),
)
@click.argument("ref", type=ENDPOINT)
@click.option("--rate", type=RATE, metavar="N/s", help="Send what waits at this rate: 20/s, 600/m. It may be changed.")
@click.option("--ramp", "ramp_s", type=DURATION, metavar="TIME", help="Climb to the rate evenly over this time.")
@click.option(
    "--skip-older-than",
    "skip_s",
    type=DURATION,
    metavar="TIME",
    help="Give up what was accepted longer ago, first; 'operations undo' takes that back.",
)
@_REASON
@pass_invocation
def resume(
    invocation: Invocation,
    ref: str,
    rate: RateLimit | None,
    ramp_s: float | None,
    skip_s: float | None,
    reason: str | None,
) -> int:
    """Send again to an endpoint that is paused, tripped or disabled: at once, or at a rate until nothing waits."""
    if ramp_s is not None and rate is None:
        raise click.UsageError("--ramp climbs to a rate: give --rate too")
    with invocation.writing() as store:
        endpoint = store.find_endpoint(ref)
        skipped = 0 if skip_s is None else _skip(invocation, store, endpoint, skip_s, reason)
        now_ms = invocation.clock.now_ms()
        pace = None if rate is None else Pace(per_s=rate.per_s, ramp_s=ramp_s or 0.0, since_ms=now_ms)
        endpoint, changed = resume_endpoint(
            store, endpoint.id, actor=current_actor(), reason=reason, now_ms=now_ms, pace=pace
        )
        return _report(invocation, endpoint, changed, held(store, endpoint), skipped)


def _resuming(
    for_: str | None, until: str | None, rate: RateLimit | None, ramp_s: float | None, now_ms: int
) -> tuple[int | None, Pace | None]:
    """When it is resumed by itself, and at what pace. What is wrong with it is wrong usage."""
    text = for_ or until
    if for_ is not None and until is not None:
        raise click.UsageError("--for and --until both say when: give one of them")
    if ramp_s is not None and rate is None:
        raise click.UsageError("--ramp climbs to a rate: give --rate too")
    if text is None:
        if rate is not None:
            raise click.UsageError("--rate is for when it is resumed by itself: give --for or --until too")
        return None, None
    try:
        at_ms = parse_time_ahead(text, now_ms)
    except InvalidInputError as error:
        raise click.UsageError(f"{'--for' if for_ else '--until'}: {error}") from None
    return at_ms, None if rate is None else Pace(per_s=rate.per_s, ramp_s=ramp_s or 0.0, since_ms=now_ms)


def _skip(invocation: Invocation, store: Store, endpoint: Endpoint, older_than_s: float, reason: str | None) -> int:
    """Before anything is sent again."""
    now_ms = invocation.clock.now_ms()
    where = DeliveryFilter(
        states=(DeliveryState.PENDING,), endpoints=(endpoint.id,), until_ms=max(0, now_ms - round(older_than_s * 1000))
    )
    operation = begin_skip(store, where, actor=current_actor(), now_ms=now_ms, reason=reason)
    return carry_on(invocation, store, operation).done


def _report(invocation: Invocation, endpoint: Endpoint, changed: bool, waiting: Held, skipped: int) -> int:
    if invocation.json:
        record = {"changed": changed, "pending": waiting.count, "oldest_due_at": iso(waiting.oldest_due_ms)}
        emit({**endpoint_record(endpoint), **record, "skipped": skipped})
        return 0
    from console.cli.views import due_in_words

    owed = f"{plural(waiting.count, 'delivery', 'deliveries')} {'owed' if endpoint.state == 'active' else 'held'}"
    if waiting.oldest_due_ms is not None:
        owed += f", the oldest due {due_in_words(waiting.oldest_due_ms, invocation.clock.now_ms())}"
    if skipped:
        owed += f", {skipped:,} skipped"
    from console.cli.views import state_words

    state = f"{state_words(endpoint, invocation.clock.now_ms())}{pace_words(endpoint.pace or endpoint.resume_pace)}"
    say(f"{clean(endpoint.name)}: {'' if changed else 'is '}{state}{'' if changed else ' already'}, {owed}")
    return 0
