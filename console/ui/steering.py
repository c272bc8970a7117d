"""What an operator asks for on any screen: the question, the operation, and what is said of it afterwards.

Every function runs in a worker of a screen, since it waits for answers.
"""

from typing import Any, Protocol, cast

from textual.app import App

from console.domain.delivery import Delivery, DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import ConsoleError
from console.domain.filters import DeliveryFilter
from console.domain.ids import format_number
from console.operations.deliveries import retry
from console.operations.endpoints import pause_endpoint, resume_endpoint, send_test
from console.ui.explain import Circumstances
from console.ui.format import exact, one_line
from console.ui.session import Session
from console.ui.widgets.confirm import ConfirmScreen, PromptScreen

REASON_MAX = 200


class SessionHost(Protocol):
    """An app that has a store open."""

    @property
    def session(self) -> Session: ...


def session_of(app: App[Any]) -> Session:
    """The session of the app that a screen or a provider runs in."""
    return cast(SessionHost, app).session


async def retry_delivery(app: App[Any], delivery: Delivery, around: Circumstances) -> bool:
    """Ask, and make one delivery due now. Returns whether it was."""
    session, shown = session_of(app), format_number("dlv", delivery.id)
    if delivery.state is DeliveryState.SENDING:
        say(app, f"{shown} is being sent at this moment", warn=True)
        return False
    body = [f"{delivery.event_type} → {delivery.endpoint_name}", f"event {delivery.event_id}", ""]
    if delivery.state is DeliveryState.DELIVERED:
        body.append("It was delivered before: the receiver gets the same event, with the same id, once more.")
    endpoint = around.endpoint
    if endpoint is not None and endpoint.state is not EndpointState.ACTIVE:
        body.append(f"The endpoint is {endpoint.state}: the delivery waits until it is resumed.")
    elif not around.engine_alive:
        body.append("No engine is running: it is sent as soon as one starts.")
    else:
        body.append("It is sent at once. A try asked for by hand does not consume the schedule.")
    body += ["", f"the same: webhook-console deliveries retry {shown}"]
    if not await app.push_screen_wait(ConfirmScreen(f"Retry {shown}?", body, yes="Retry")):
        return False
    where = DeliveryFilter(ids=(delivery.id,))
    try:
        done = await session.write(lambda store: retry(store, where, actor=session.actor, clock=session.clock))
    except ConsoleError as error:
        say(app, str(error), warn=True)
        return False
    say(app, f"{shown} is due now" if done else f"{shown} was being sent: nothing was changed", warn=not done)
    return bool(done)


async def pause_or_resume(app: App[Any], endpoint: Endpoint, *, pending: int | None = None) -> bool:
    """Ask for a reason, and pause an active endpoint or resume any other. Returns whether that changed anything."""
    session = session_of(app)
    pausing = endpoint.state is EndpointState.ACTIVE
    verb = "pause" if pausing else "resume"
    if pausing:
        body = ["Events still fan out to it and wait: nothing is dropped. Requests under way finish."]
    else:
        because = f", because: {endpoint.state_reason}" if endpoint.state_reason else ""
        body = [
            f"It is {endpoint.state}{because}.",
            "What it is owed is sent again, at most its max-in-flight at once.",
        ]
    if pending is not None:
        body.append(f"{exact(pending)} deliveries are pending.")
    body += ["", f"the same: webhook-console endpoints {verb} {endpoint.name}"]
    title = f"{verb.capitalize()} {endpoint.name}"
    question = PromptScreen(title, body, placeholder="reason, kept in the audit log", max_length=REASON_MAX)
    reason = await app.push_screen_wait(question)
    if reason is None:
        return False
    act = pause_endpoint if pausing else resume_endpoint
    try:
        after, changed = await session.write(
            lambda store: act(
                store, endpoint.id, actor=session.actor, reason=reason or None, now_ms=session.clock.now_ms()
            )
        )
    except ConsoleError as error:
        say(app, str(error), warn=True)
        return False
    say(
        app,
        f"{after.name} is {after.state}" if changed else f"{after.name} was {after.state} already",
        warn=not changed,
    )
    return changed


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
        say(app, str(error), warn=True)
        return False
    say(app, f"{accepted.id} is owed to {endpoint.name}")
    return True


def say(app: App[Any], words: str, *, warn: bool = False) -> None:
    """Tell the operator, never as markup and never raw."""
    app.notify(one_line(words, 400), severity="warning" if warn else "information", markup=False)
