"""Sending an event again as a new, linked one, from any screen: the form, the operation, and what is said of it."""

from typing import Any

from textual.app import App

from console.domain.endpoint import Endpoint
from console.domain.errors import ConsoleError
from console.domain.event import Event
from console.domain.ids import DeliveryId, EndpointId, EventId, format_number
from console.operations.resending import resend
from console.store import Store
from console.ui.steering import complain, say, session_of


async def send_copy(app: App[Any], event_id: EventId, endpoint_id: EndpointId | None) -> DeliveryId | None:
    """Ask where a copy goes and what it carries, and send it. Returns its delivery; None: nothing was sent.

    Args:
        endpoint_id: who is proposed.
    """
    from console.ui.screens.copying import CopyScreen

    session = session_of(app)

    def read(store: Store) -> tuple[Event, list[Endpoint]]:
        return store.event(event_id), store.endpoints()

    try:
        event, endpoints = await session.read(read)
        if not endpoints:
            say(app, "there is no endpoint to send to", warn=True)
            return None
        proposed = next((one for one in endpoints if one.id == endpoint_id), None)
        wanted = await app.push_screen_wait(CopyScreen(event, endpoints, proposed))
        if wanted is None:
            return None
        sent = await session.write(
            lambda store: resend(
                store,
                event_id,
                wanted.endpoint.id,
                actor=session.actor,
                now_ms=session.clock.now_ms(),
                url=wanted.url,
                payload=wanted.payload,
            )
        )
    except ConsoleError as error:
        complain(app, error)
        return None
    edited = ", edited," if sent.edited else ""
    number = format_number("dlv", sent.delivery_id)
    say(app, f"{number}: a copy{edited} is owed to {wanted.endpoint.name}")
    return sent.delivery_id
