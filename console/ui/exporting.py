"""What the inspector hands out: ids and commands to the clipboard, bodies into files. What is masked stays masked."""

import os
from pathlib import Path
from typing import Any

from textual.app import App

from console.domain.delivery import Attempt, Exchange
from console.domain.errors import ConsoleError
from console.domain.ids import EventId, format_number
from console.ui import clipboard
from console.ui.attempt_parts import sent_body
from console.ui.curl import as_curl
from console.ui.format import size
from console.ui.steering import complain, say
from console.ui.widgets.confirm import PromptScreen

MASKED = ", values hidden (m shows them),"


def copy_id(app: App[Any], event_id: EventId) -> None:
    """The event's id to the terminal's clipboard."""
    sent = clipboard.send_from(app, event_id, f"event id {event_id}")
    say(app, sent.words, warn=not sent.ok)


async def copy_curl(
    app: App[Any], attempt: Attempt | None, exchange: Exchange | None, payload: bytes, *, masked: bool
) -> None:
    """The request as a command to the clipboard; what is too long for it is offered as a file."""
    if attempt is None or exchange is None:
        say(app, "No request is recorded here to copy", warn=True)
        return
    body = sent_body(exchange, payload)
    command = as_curl(exchange.request_headers, exchange.url, body, method=exchange.request_method)
    what = f"curl of attempt {attempt.number}, {MASKED[2:] if masked else 'secrets redacted,'}"
    sent = clipboard.send_from(app, command, what)
    say(app, sent.words, warn=not sent.ok)
    if not sent.ok:
        await save_as(app, "the curl command", (command + "\n").encode(), (attempt.event_id, "curl.sh"))


async def save_response(app: App[Any], attempt: Attempt, exchange: Exchange, *, masked: bool) -> None:
    """The body of a response, as it came, into a file."""
    what = f"the response to attempt {attempt.number}{MASKED if masked else ''}"
    name = (attempt.event_id, format_number("att", attempt.id), "response")
    await save_as(app, what, exchange.response_body, name)


async def save_payload(app: App[Any], event_id: EventId, payload: bytes, *, masked: bool) -> None:
    """The payload, byte for byte, into a file."""
    await save_as(app, f"the payload{MASKED if masked else ''}", payload, (event_id, "payload.json"))


async def save_as(app: App[Any], what: str, data: bytes, name: tuple[str, ...]) -> None:
    """Ask where, and write a new file."""
    proposed = clipboard.save_folder(os.environ) / clipboard.file_name(*name)
    body = [f"{size(len(data))}, in a new file that only you can read."]
    path = await app.push_screen_wait(
        PromptScreen(f"Save {what}", body, value=str(proposed), required=True, max_length=4096)
    )
    if path is None:
        return
    try:
        saved = clipboard.save(Path(path), data)
    except ConsoleError as error:
        complain(app, error)
        return
    say(app, f"{what} saved to {saved}")
