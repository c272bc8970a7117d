"""Sending a request that came in again, and throw-away URLs for more of them: questions, operations, and what is said
of it afterwards. What waits for an answer runs in a worker.
"""

import asyncio
import shlex
from collections.abc import Sequence
from typing import Any

from textual.app import App

from console.domain.endpoint import Endpoint, EndpointState, check_url
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.ids import format_number
from console.domain.inbound import Arrival, RequestId
from console.domain.redaction import redact_url
from console.domain.source import Source
from console.store import Store
from console.ui.format import date_time, duration, one_line, size
from console.ui.inbox_rows import whole_target
from console.ui.session import Answered
from console.ui.steering import complain, say, session_of
from console.ui.widgets.confirm import ConfirmScreen, Field, FieldsScreen
from console.ui.widgets.reading_view import Line

MOST_NAMED = 6


async def replay_arrival(app: App[Any], request_id: RequestId) -> None:
    """Ask where to, and send a request of the inbox again: to an endpoint as an event, or as it was to a URL."""
    session = session_of(app)
    try:
        arrival, endpoints = await session.read(lambda store: (store.arrival(request_id), store.endpoints()))
        asked = await _ask_where(app, arrival, endpoints)
        if asked is None:
            return
        session.replayed_to = asked
        name, url = asked
        if url:
            await _to_url(app, arrival, url)
        else:
            await _to_endpoint(app, request_id, _named(name, endpoints))
    except ConsoleError as error:
        complain(app, error)


async def _ask_where(app: App[Any], arrival: Arrival, endpoints: Sequence[Endpoint]) -> tuple[str, str] | None:
    session = session_of(app)
    last_name, last_url = session.replayed_to
    known = any(one.name == last_name for one in endpoints)
    only = endpoints[0].name if len(endpoints) == 1 and not last_url else ""
    row = arrival.row
    what = f"{whole_target(row)}  {size(row.size_bytes)}"

    def preview(texts: tuple[str, ...]) -> list[str]:
        return preview_lines(texts[0], texts[1], arrival, endpoints)

    def check(name: str) -> None:
        _named(name, endpoints)

    fields = [
        Field(
            label="To endpoint, as a new event",
            placeholder=_some(endpoints),
            value=last_name if known else only,
            max_length=200,
            check=check,
        ),
        Field(
            label="or to a URL, as it came",
            placeholder="http://localhost:3000/hook",
            value=last_url,
            max_length=2048,
            check=check_url,
        ),
    ]
    title = f"Send {format_number('req', row.id)} again?"
    texts = await app.push_screen_wait(FieldsScreen(title, [one_line(what, 200), ""], fields, also=preview))
    if texts is None or not any(texts):
        return None
    if texts[1] and session.send_on is None:
        raise InvalidInputError("this console sends nothing to URLs: webhook-console inbox replay does")
    return texts[0], texts[1]


def preview_lines(name: str, url: str, arrival: Arrival, endpoints: Sequence[Endpoint]) -> list[str]:
    """What will be done, and the command line that does the same."""
    number = format_number("req", arrival.row.id)
    words = ["webhook-console", "inbox", "replay", number]
    if url:
        lines = [
            f"It goes to {one_line(redact_url(url), 120)} once, with its header fields and its body as they came.",
            "What comes back is shown; no endpoint has to do with it.",
        ]
        return [*lines, "", f"the same: {shlex.join([*words, '--url', redact_url(url)])}"]
    if not name:
        return ["Name an endpoint, or a URL."]
    try:
        endpoint = _named(name, endpoints)
    except InvalidInputError as error:
        return [f"✗ {error}"]
    waits = "" if endpoint.state is EndpointState.ACTIVE else f" · {endpoint.state}: it waits"
    lines = [
        f"A new event is owed to {endpoint.name} alone, at {one_line(redact_url(endpoint.url), 120)}{waits}.",
        "It is signed, reshaped, retried and logged as any event is.",
    ]
    return [*lines, "", f"the same: {shlex.join([*words, '--endpoint', endpoint.name])}"]


def _named(name: str, endpoints: Sequence[Endpoint]) -> Endpoint:
    """The endpoint of this name, or the only one whose name begins so. Raises InvalidInputError."""
    if (exact := next((one for one in endpoints if one.name == name), None)) is not None:
        return exact
    near = [one for one in endpoints if name and one.name.startswith(name)]
    if len(near) == 1:
        return near[0]
    raise InvalidInputError(f"endpoint {name[:60]!r}: there are {_some(near or endpoints) or 'none'}")


def _some(endpoints: Sequence[Endpoint]) -> str:
    more = f" and {len(endpoints) - MOST_NAMED} more" if len(endpoints) > MOST_NAMED else ""
    return ", ".join(one.name for one in endpoints[:MOST_NAMED]) + more


async def _to_endpoint(app: App[Any], request_id: RequestId, endpoint: Endpoint) -> None:
    from console.operations.replaying import replay_to_endpoint
    from console.ui.screens.inspector import InspectorScreen

    session = session_of(app)
    made = await session.write(
        lambda store: replay_to_endpoint(
            store, request_id, endpoint.id, actor=session.actor, now_ms=session.clock.now_ms()
        )
    )
    say(app, f"{made.event_id} is owed to {endpoint.name}")
    await app.push_screen(InspectorScreen(made.delivery_id))


async def _to_url(app: App[Any], arrival: Arrival, url: str) -> None:
    """Once, from here: begun in the audit log before, and ended there with what came back."""
    from console.operations.forwarding import begin_forward, end_forward

    session = session_of(app)
    send_on, number = session.send_on, arrival.row.id
    if send_on is None:
        return
    operation = await session.write(
        lambda store: begin_forward(store, number, url, actor=session.actor, now_ms=session.clock.now_ms())
    )
    say(app, f"{format_number('req', number)} is on its way to {redact_url(url)}")
    try:
        answered: Answered | None = await asyncio.to_thread(send_on, arrival, url)
        problem = answered.problem if answered else None
    except ConsoleError as error:
        answered, problem = None, str(error)
    result = problem or f"HTTP {answered.status if answered else ''}"
    await session.write(lambda store: end_forward(store, operation, result, now_ms=session.clock.now_ms()))
    await app.push_screen(_answer_screen(arrival, url, answered, result))


def _answer_screen(arrival: Arrival, url: str, answered: Answered | None, result: str) -> Any:
    from console.ui.raw_lines import body_lines
    from console.ui.widgets.facts import FactsScreen

    status = answered.status if answered else None
    fine = status is not None and 200 <= status < 300
    took = f" in {duration(answered.took_ms)}" if answered else ""
    lines = [
        Line(spans=((f"{arrival.row.method} {redact_url(url)}", "strong"),), hang=2),
        Line(spans=((f"{'✓' if fine else '✗'} {result}{took}", "ok" if fine else "error"),), hang=2, prose=True),
    ]
    if answered is not None and status is not None:
        lines += [Line(), *body_lines(answered.body)]
    return FactsScreen[None](f"What {format_number('req', arrival.row.id)} was answered", lines)


async def new_capture(app: App[Any]) -> None:
    """Ask, make a URL that records whatever is sent to it, and show it."""
    body = [
        "Whoever knows the URL can send to it, for a day.",
        "What comes is kept in the inbox and answered with 200; nobody is owed it.",
        "",
        "the same: webhook-console capture new",
    ]
    if not await app.push_screen_wait(ConfirmScreen("Make a throw-away URL?", body, yes="Make it")):
        return
    from random import SystemRandom

    from console.operations import captures

    session = session_of(app)

    def make(store: Store) -> tuple[Source, tuple[str, ...]]:
        now_ms = session.clock.now_ms()
        made = captures.new_capture(store, actor=session.actor, now_ms=now_ms, random=SystemRandom())
        return made, tuple(store.listening())

    try:
        made, urls = await session.write(make)
    except ConsoleError as error:
        complain(app, error)
        return
    await _show_capture(app, made, urls)


async def _show_capture(app: App[Any], made: Source, urls: tuple[str, ...]) -> None:
    from console.ui import clipboard
    from console.ui.widgets.facts import FactsScreen

    url = f"{urls[0].rstrip('/') if urls else ''}/in/{made.name}"
    sent = clipboard.send_from(app, url, "the URL")
    lines = [
        Line(spans=((url, "strong"),)),
        Line(),
        Line(spans=((f"It takes what comes until {date_time(made.until_ms)}.", "normal"),), prose=True),
        Line(spans=((sent.words, "muted"),), prose=True),
    ]
    if not urls:
        words = "The engine does not listen: webhook-console serve --listen 127.0.0.1:8400"
        lines.append(Line(spans=((f"■ {words}", "warning"),), prose=True))
    await app.push_screen(FactsScreen[None]("A URL that records what is sent to it", lines))
