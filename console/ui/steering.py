"""What an operator asks for on any screen: the question, the operation, and what is said of it afterwards.

Every function runs in a worker of a screen, since it waits for answers.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

from textual.app import App

from console.domain.delivery import RETRYABLE, Delivery, DeliveryState
from console.domain.endpoint import Endpoint
from console.domain.errors import ConsoleError, ReadInterruptedError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, format_number
from console.domain.operation import Operation
from console.domain.policy import Ordering, RateLimit
from console.domain.redaction import redact_url
from console.operations import deliveries as operations
from console.operations.endpoints import send_test
from console.store import Store
from console.ui.format import counted, one_line
from console.ui.previews import BEHIND, cancel_lines, same_command, scope_words, skip_lines
from console.ui.session import Session
from console.ui.widgets.confirm import ConfirmScreen

if TYPE_CHECKING:
    from console.ui.retrying import RetryPreview


class SessionHost(Protocol):
    """An app that has a store open."""

    @property
    def session(self) -> Session: ...


def session_of(app: App[Any]) -> Session:
    """The session of the app that a screen or a provider runs in."""
    return cast(SessionHost, app).session


# Deliveries


_RETRYABLE = tuple(state for state in DeliveryState if state in RETRYABLE)
_CANCELLABLE = (DeliveryState.PENDING, DeliveryState.FAILED)


def _nobody(words: str) -> None:
    """Progress that nobody shows."""


async def retry_deliveries(
    app: App[Any],
    where: DeliveryFilter,
    progress: Callable[[str], object] = _nobody,
    *,
    chosen: DeliveryId | None = None,
) -> bool:
    """Ask, with a preview, and make all that match due now. Returns whether any was.

    Args:
        progress: told in words what is being done; on the loop's thread.
        chosen: which one goes first when one is to; None: the oldest.
    """
    from console.ui.retrying import read_preview, retry_command, retry_lines, retry_title

    session = session_of(app)
    now_ms = session.clock.now_ms()
    try:
        progress("… counting what matches")
        seen = await session.read(lambda store: read_preview(store, where, _RETRYABLE, now_ms), group="preview")
        if not seen.total and seen.counted.complete:
            say(app, "nothing is left that this would change", warn=True)
            return False
        if seen.only is not None:
            body = [*retry_lines(seen), *retry_command(seen)]
            if not await app.push_screen_wait(ConfirmScreen(retry_title(seen), body, yes="Retry")):
                return False
            return await _begin_retry(app, seen.where, None, progress)
        return await _ask_how(app, seen, chosen, progress)
    except ReadInterruptedError:
        return False
    except ConsoleError as error:
        complain(app, error)
        return False


async def _ask_how(
    app: App[Any], seen: "RetryPreview", chosen: DeliveryId | None, progress: Callable[[str], object]
) -> bool:
    from console.ui.screens.retry import RetryScreen

    answer = await app.push_screen_wait(RetryScreen(seen, chosen=chosen))
    if not answer.go or (seen.where.ids and not answer.where.ids):
        return answer.sent_first is not None
    return await _begin_retry(app, answer.where, answer.rate, progress) or answer.sent_first is not None


async def _begin_retry(
    app: App[Any], where: DeliveryFilter, rate: RateLimit | None, progress: Callable[[str], object]
) -> bool:
    """Begin it. A few are done at once, and what comes of them is said later; many show how far they are."""
    session = session_of(app)
    progress("… retry: beginning")

    def begin(store: Store) -> Operation:
        now_ms, per_s = session.clock.now_ms(), None if rate is None else rate.per_s
        begun = operations.begin_retry(store, where, actor=session.actor, now_ms=now_ms, rate_per_s=per_s)
        few = rate is None and (begun.total or 0) <= operations.CONFIRM_ABOVE
        return operations.carry_out(store, begun, clock=session.clock) if few else begun

    begun = await session.write(begin)
    if begun.is_open:
        await show_progress(app, begun)
        return True
    if not begun.done:
        say(app, "nothing was changed: it was being sent, or another was quicker", warn=True)
        return False
    say(app, f"{counted(begun.done, 'delivery', 'deliveries')} due now")
    _say_what_comes(app, begun)
    return True


async def show_progress(app: App[Any], operation: Operation) -> None:
    """How far a bulk operation is, until it ends or is left."""
    from console.ui.screens.retry import ProgressScreen

    await app.push_screen_wait(ProgressScreen(operation))


OUTCOME_EVERY_S = 1.0
OUTCOME_WITHIN = 120
"""How often at most it is looked what came of a few that were retried."""


def _say_what_comes(app: App[Any], operation: Operation) -> None:
    """Say it in a line when each has had its try."""
    session = session_of(app)
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        with suppress(ConsoleError):
            outcomes = await session.read(lambda store: store.outcomes(operation.id))
            if outcomes.ended and outcomes.delivered + outcomes.failed_again:
                say(app, f"{format_number('op', operation.id)}: {outcomes.words}", warn=bool(outcomes.failed_again))
                timer.stop()
        if looks >= OUTCOME_WITHIN:
            timer.stop()

    timer = app.set_interval(OUTCOME_EVERY_S, look)


async def cancel_deliveries(app: App[Any], where: DeliveryFilter, progress: Callable[[str], object] = _nobody) -> bool:
    """Ask, with a preview, and give up all that match. As `retry_deliveries`."""
    from console.ui.retrying import many, read_preview

    session = session_of(app)
    now_ms = session.clock.now_ms()
    try:
        progress("… counting what matches")
        seen = await session.read(lambda store: read_preview(store, where, _CANCELLABLE, now_ms), group="preview")
        if not seen.total and seen.counted.complete:
            say(app, "nothing is left that this would change", warn=True)
            return False
        body = cancel_lines(seen.counted.by_endpoint, seen.endpoints) + same_command(
            "cancel", seen.asked, seen.endpoints
        )
        title = f"Cancel {many(seen.counted, 'delivery', 'deliveries')} for good{scope_words(seen.asked, seen.names)}?"
        question = ConfirmScreen(title, body, yes="Cancel them", no="Keep them", danger=True)
        if not await app.push_screen_wait(question):
            return False
        return await _begin_cancel(app, seen.where, progress)
    except ReadInterruptedError:
        return False
    except ConsoleError as error:
        complain(app, error)
        return False


async def _begin_cancel(app: App[Any], where: DeliveryFilter, progress: Callable[[str], object]) -> bool:
    session = session_of(app)
    progress("… cancel: beginning")

    def begin(store: Store) -> Operation:
        begun = operations.begin_cancel(store, where, actor=session.actor, now_ms=session.clock.now_ms())
        few = (begun.total or 0) <= operations.CONFIRM_ABOVE
        return operations.carry_out(store, begun, clock=session.clock) if few else begun

    begun = await session.write(begin)
    if begun.is_open:
        await show_progress(app, begun)
        return True
    if begun.done:
        say(app, f"{counted(begun.done, 'delivery', 'deliveries')} cancelled")
    else:
        say(app, "nothing was changed: it was being sent, or another was quicker", warn=True)
    return bool(begun.done)


async def skip_head(app: App[Any], endpoint: Endpoint, delivery_id: DeliveryId | None = None) -> bool:
    """Give up what stands first in a line, after showing it and what follows. Returns whether it was.

    Args:
        delivery_id: in whose line; None: the line with the oldest head.
    """
    if endpoint.policy.ordering is not Ordering.FIFO:
        say(
            app, f"{endpoint.name} takes events in any order: nothing stands in a line (endpoints edit --ordering fifo)"
        )
        return False
    session = session_of(app)
    now_ms = session.clock.now_ms()

    def read(store: Store) -> tuple[Delivery, list[Delivery]] | None:
        first = store.first_in_line(endpoint.id) if delivery_id is None else _head_of(store, delivery_id)
        return None if first is None else (store.delivery(first), store.behind(first, limit=BEHIND))

    def skip(store: Store) -> Operation:
        where = DeliveryFilter(ids=(head.id,))
        begun = operations.begin_skip(store, where, actor=session.actor, now_ms=session.clock.now_ms())
        return operations.carry_out(store, begun, clock=session.clock)

    try:
        line = await session.read(read)
        if line is None:
            say(app, f"{endpoint.name}: nothing stands in a line", warn=True)
            return False
        head, behind = line
        question = ConfirmScreen(
            f"Skip the head of {endpoint.name}'s line?",
            skip_lines(head, behind, now_ms),
            yes="Skip it",
            no="Keep it",
            danger=True,
        )
        if not await app.push_screen_wait(question):
            return False
        done = await session.write(skip)
    except ConsoleError as error:
        complain(app, error)
        return False
    name = format_number("dlv", head.id)
    say(app, f"{name} is skipped" if done.done else f"{name} is being sent, or was changed", warn=not done.done)
    return bool(done.done)


def _head_of(store: Store, delivery_id: DeliveryId) -> DeliveryId | None:
    """What stands first in the line of a delivery: itself perhaps."""
    standing = store.standing(delivery_id)
    if standing.blocked_by is not None:
        return standing.blocked_by
    return delivery_id if standing.in_line else None


# Endpoints


async def send_test_event(app: App[Any], endpoint: Endpoint) -> bool:
    """Owe a test event to one endpoint, after asking. Returns whether it was accepted."""
    session = session_of(app)
    body = [
        f"One webhook.test event goes to {one_line(redact_url(endpoint.url), 200)}",
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
