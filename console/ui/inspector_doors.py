"""Where one goes from the inspector. Screens are imported when they are opened."""

from typing import Any

from textual.app import App

from console.domain.delivery import Attempt, Exchange
from console.ui.attempt_parts import sent_body
from console.ui.inspection import Inspection
from console.ui.steering import say


def two_attempts(seen: Inspection, current: Attempt | None, marked: list[Attempt]) -> tuple[Attempt, Attempt] | None:
    """Those to compare, the older first: the marked ones when they are two, else the chosen one and the one before."""
    if len(marked) == 2:
        return marked[0], marked[1]
    if current is None:
        return None
    before = [attempt for attempt in seen.attempts if attempt.id < current.id]
    return (before[-1], current) if before else None


def open_diff(
    app: App[Any], seen: Inspection, old: tuple[Attempt, Exchange | None], new: tuple[Attempt, Exchange | None]
) -> None:
    """Two attempts side by side, as they may be shown."""
    from console.ui.attempt_diff import Side
    from console.ui.screens.reading import DiffScreen

    sides = (Side(attempt=attempt, exchange=exchange) for attempt, exchange in (old, new))
    app.push_screen(DiffScreen(seen, *sides))


def open_why(app: App[Any], seen: Inspection, attempt: Attempt | None, exchange: Exchange | None) -> None:
    """Why the delivery stands as it does, and how this attempt was signed."""
    from console.ui.screens.reading import WhyScreen

    app.push_screen(WhyScreen(seen, attempt, exchange))


def open_related(app: App[Any], seen: Inspection, attempt: Attempt | None) -> None:
    """What else the endpoint got around that time."""
    if attempt is None:
        say(app, "No attempt was made yet", warn=True)
        return
    from console.ui.screens.related import RelatedScreen

    app.push_screen(RelatedScreen(seen, attempt))


def open_transform(app: App[Any], seen: Inspection | None) -> None:
    """The transform of its endpoint, tried on this event."""
    from console.ui.endpoint_acts import shape_endpoint

    if seen is not None and seen.endpoint is not None:
        app.run_worker(shape_endpoint(app, seen.endpoint, seen.event.id), group="opening", exit_on_error=False)


def open_signature(app: App[Any], seen: Inspection | None, exchange: Exchange | None, *, masked: bool) -> None:
    """The signature debugger, with what was sent filled in."""
    from console.ui.screens.signature import SignatureScreen, pasted_of

    if seen is None or exchange is None or masked:
        app.push_screen(SignatureScreen())
        if masked:
            say(app, "values are hidden: nothing was filled in (m shows them)", warn=True)
        return
    endpoint = None if seen.endpoint is None else seen.endpoint.name
    app.push_screen(SignatureScreen(pasted_of(exchange, sent_body(exchange, seen.event.payload)), endpoint))
