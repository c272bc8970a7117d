"""What an operator asks for on any screen: the question, the operation, and what is said of it afterwards.

Every function runs in a worker of a screen, since it waits for answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from textual.app import App

from console.domain.alerts import AlertKind, AlertRule, duration_words
from console.domain.delivery import RETRYABLE, DeliveryState
from console.domain.endpoint import Endpoint
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import format_number
from console.domain.operation import Operation
from console.domain.policy import parse_rate_limit
from console.domain.retry import parse_duration_s
from console.operations import deliveries as operations
from console.operations.alerts import mute_rule
from console.operations.endpoints import send_test
from console.store import Store
from console.ui.format import counted, exact, one_line
from console.ui.previews import (
    BulkPreview,
    cancel_lines,
    narrowed,
    retry_lines,
    same_command,
)
from console.ui.session import Session
from console.ui.widgets.confirm import ConfirmScreen, PromptScreen

ASK_RATE_ABOVE = 1000
"""Retries of more deliveries than this are begun at a rate, and carried on by the engine."""


MUTE_FOR = "1h"
MOST_MUTED_S = 30 * 24 * 3600.0


class SessionHost(Protocol):
    """An app that has a store open."""

    @property
    def session(self) -> Session: ...


def session_of(app: App[Any]) -> Session:
    """The session of the app that a screen or a provider runs in."""
    return cast(SessionHost, app).session


# Deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bulk:
    """Retry or cancel: its words, the states it can change, and what does it."""

    verb: str
    question: str
    """With the number of deliveries in it, as `{}`."""
    yes: str
    no: str
    danger: bool
    done: str
    possible: tuple[DeliveryState, ...]
    lines: Callable[[BulkPreview], list[str]]
    run: Callable[..., int]


_RETRY = _Bulk(
    verb="retry",
    question="Retry {} now?",
    yes="Retry",
    no="No",
    danger=False,
    done="due now",
    possible=tuple(state for state in DeliveryState if state in RETRYABLE),
    lines=retry_lines,
    run=operations.retry,
)
_CANCEL = _Bulk(
    verb="cancel",
    question="Cancel {} for good?",
    yes="Cancel them",
    no="Keep them",
    danger=True,
    done="cancelled",
    possible=(DeliveryState.PENDING, DeliveryState.FAILED),
    lines=cancel_lines,
    run=operations.cancel,
)


def _nobody(words: str) -> None:
    """Progress that nobody shows."""


async def retry_deliveries(app: App[Any], where: DeliveryFilter, progress: Callable[[str], object] = _nobody) -> bool:
    """Ask, with a preview, and make all that match due now. Returns whether any was.

    Args:
        progress: told in words how far it is; on the loop's thread at first, then on one that writes.
    """
    return await _ask_and_act(app, _RETRY, where, progress)


async def cancel_deliveries(app: App[Any], where: DeliveryFilter, progress: Callable[[str], object] = _nobody) -> bool:
    """Ask, with a preview, and give up all that match. As `retry_deliveries`."""
    return await _ask_and_act(app, _CANCEL, where, progress)


async def _ask_and_act(app: App[Any], bulk: _Bulk, where: DeliveryFilter, progress: Callable[[str], object]) -> bool:
    session = session_of(app)
    now_ms = session.clock.now_ms()
    try:
        seen = await session.read(lambda store: _read_preview(store, where, bulk.possible, now_ms))
        if not seen.total:
            say(app, "nothing is left that this would change", warn=True)
            return False
        body = bulk.lines(seen) + same_command(bulk.verb, where, seen.endpoints)
        title = bulk.question.format(counted(seen.total, "delivery", "deliveries"))
        if not await app.push_screen_wait(ConfirmScreen(title, body, yes=bulk.yes, no=bulk.no, danger=bulk.danger)):
            return False
        if bulk is _RETRY and seen.engine_alive and seen.total > ASK_RATE_ABOVE:
            return await _retry_at_a_rate(app, where, seen.total)
        done = await _act(session, bulk, where, seen.total, progress)
    except ConsoleError as error:
        complain(app, error)
        return False
    if done:
        say(app, f"{counted(done, 'delivery', 'deliveries')} {bulk.done}")
    else:
        say(app, "nothing was changed: it was being sent, or another was quicker", warn=True)
    return bool(done)


async def _retry_at_a_rate(app: App[Any], where: DeliveryFilter, total: int) -> bool:
    """Ask how fast, and leave it to the engine: it goes on when the console is closed."""
    session = session_of(app)
    body = [
        "An operation that the engine carries on by itself, also after a restart: a shows how far it is,",
        "x there stops it. Empty: as fast as the endpoints take it.",
    ]
    title = f"How fast may {exact(total)} be retried?"
    question = PromptScreen(title, body, placeholder="200/s, 1000/m", check=parse_rate_limit)
    text = await app.push_screen_wait(question)
    if text is None:
        return False
    rate = parse_rate_limit(text).per_s if text else None
    begun = await session.write(
        lambda store: operations.begin_retry(
            store, where, actor=session.actor, now_ms=session.clock.now_ms(), rate_per_s=rate
        )
    )
    say(app, f"{format_number('op', begun.id)} has begun: {exact(begun.total)} deliveries; a shows how far it is")
    return True


def _read_preview(store: Store, where: DeliveryFilter, possible: Sequence[DeliveryState], now_ms: int) -> BulkPreview:
    can_change = narrowed(where, possible)
    counts = operations.preview(store, can_change) if can_change else operations.Preview(by_endpoint={})
    only = store.deliveries(can_change, limit=1) if can_change and counts.total == 1 else []
    engine = store.engine_status()
    return BulkPreview(
        counts=counts,
        endpoints={endpoint.id: endpoint for endpoint in store.endpoints()},
        engine_alive=engine is not None and engine.alive(now_ms),
        only=only[0] if only else None,
    )


async def _act(
    session: Session, bulk: _Bulk, where: DeliveryFilter, total: int, progress: Callable[[str], object]
) -> int:
    def tell(done: int) -> None:
        progress(f"… {bulk.verb}: {exact(done)} of {exact(total)}")

    tell(0)
    return await session.write(
        lambda store: bulk.run(store, where, actor=session.actor, clock=session.clock, progress=tell)
    )


async def stop_operation(app: App[Any], operation: Operation) -> bool:
    """End a bulk operation where it is, after asking. Returns whether it was."""
    name = format_number("op", operation.id)
    body = [
        f"{operation.kind} {one_line(operation.target, 200)}",
        f"{exact(operation.done)} of {exact(operation.total)} are done and stay so.",
        "",
        f"the same: webhook-console operations cancel {name}",
    ]
    if not operation.is_open:
        say(app, f"{name} is at its end", warn=True)
        return False
    if not await app.push_screen_wait(ConfirmScreen(f"Stop {name} here?", body, yes="Stop it", no="Let it go on")):
        return False
    session = session_of(app)
    try:
        await session.write(
            lambda store: operations.stop(store, operation.id, actor=session.actor, now_ms=session.clock.now_ms())
        )
    except ConsoleError as error:
        complain(app, error)
        return False
    say(app, f"{name} is stopped")
    return True


async def undo_operation(app: App[Any], operation: Operation) -> bool:
    """Give back the states that a retry, cancel or skip took, after asking. Returns whether it was begun."""
    name = format_number("op", operation.id)
    if operation.kind not in operations.UNDOABLE or not operation.is_bulk:
        say(app, f"{name} ({operation.kind}): only a retry, cancel or skip can be undone", warn=True)
        return False
    session = session_of(app)
    body = [
        f"{operation.kind} {one_line(operation.target, 200)}",
        "What is still as it left it becomes again what it was before.",
        "",
        f"the same: webhook-console operations undo {name}",
    ]

    def undo(store: Store) -> Operation:
        begun = operations.begin_undo(store, operation.id, actor=session.actor, now_ms=session.clock.now_ms())
        return operations.carry_out(store, begun, clock=session.clock, leave_to_engine=True)

    if not await app.push_screen_wait(ConfirmScreen(f"Undo {name}?", body, yes="Undo")):
        return False
    try:
        done = await session.write(undo)
    except ConsoleError as error:
        complain(app, error)
        return False
    say(app, f"{name} is undone: {counted(done.done, 'delivery', 'deliveries')}")
    return True


# Alerts


async def mute_or_unmute(app: App[Any], rule: AlertRule) -> bool:
    """Mute a rule for as long as is answered; one that is muted fires again at once. Returns whether it changed."""
    session = session_of(app)
    for_s: float | None = None
    if not rule.muted(session.clock.now_ms()):
        each = "the engine" if rule.spec.kind is AlertKind.ENGINE_STALLED else "each endpoint, not one alone"
        body = [
            f"{rule.spec.words} · {rule.endpoint_name or each}",
            "Nothing new of it fires in that time, and nothing of it is shown. What fires already goes on.",
            "",
            f"the same: webhook-console alerts mute {rule.id} --for {MUTE_FOR}",
        ]
        title = f"Mute alert {rule.id} for how long?"
        question = PromptScreen(title, body, value=MUTE_FOR, placeholder="30m, 2h, 1d", required=True, check=mute_time)
        answer = await app.push_screen_wait(question)
        if answer is None:
            return False
        for_s = mute_time(answer)

    def mute(store: Store) -> AlertRule:
        now_ms = session.clock.now_ms()
        return mute_rule(store, rule.id, for_s=for_s, actor=session.actor, reason=None, now_ms=now_ms)

    try:
        await session.write(mute)
    except ConsoleError as error:
        complain(app, error)
        return False
    say(app, f"alert {rule.id} {'fires again' if for_s is None else f'is muted for {duration_words(for_s)}'}")
    return True


def mute_time(text: str) -> float:
    """Seconds. Raises InvalidInputError for what is no time, none at all, or years."""
    for_s = parse_duration_s(text)
    if not 1 <= for_s <= MOST_MUTED_S:
        raise InvalidInputError(f"mute {text[:40]!r}: 1s to {duration_words(MOST_MUTED_S)} are allowed")
    return for_s


# Endpoints


async def send_test_event(app: App[Any], endpoint: Endpoint) -> bool:
    """Owe a test event to one endpoint, after asking. Returns whether it was accepted."""
    session = session_of(app)
    body = [
        f"One webhook.test event goes to {one_line(endpoint.url, 200)}",
        "",
        f"the same: webhook-console endpoints test {endpoint.name}",
    ]
    if not await app.push_screen_wait(ConfirmScreen(f"Send a test event to {endpoint.name}?", body, yes="Send")):
        return False
    try:
        accepted = await session.write(
            lambda store: send_test(store, endpoint, actor=session.actor, now_ms=session.clock.now_ms())
        )
    except ConsoleError as error:
        complain(app, error)
        return False
    say(app, f"{accepted.id} is owed to {endpoint.name}")
    return True


# Saying


def say(app: App[Any], words: str, *, warn: bool = False) -> None:
    """Tell the operator, never as markup and never raw."""
    app.notify(one_line(words, 400), severity="warning" if warn else "information", markup=False)


def complain(app: App[Any], error: ConsoleError) -> None:
    """Say what went wrong, in its one line."""
    app.notify(one_line(str(error), 400), severity="error", markup=False, timeout=8)
