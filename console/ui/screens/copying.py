"""Sending an event once more as a new one: to another endpoint or URL, or with an edited payload."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from console.domain.endpoint import Endpoint, EndpointState, check_url
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.event import Event
from console.domain.payload import check_payload
from console.operations.resending import check_elsewhere
from console.ui.format import inline, one_line, sanitise, size
from console.ui.widgets.dialog import Dialog
from console.ui.widgets.json_edit import JsonEdit, escaped
from console.ui.widgets.safe_input import SafeInput

_CSS = (Path(__file__).parent.parent / "widgets" / "confirm.tcss").read_text("utf-8")
_HINT = "^s sends   Tab next field   Esc cancels"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyWanted:
    """What is to be sent. `payload` None: byte for byte what the event carries."""

    endpoint: Endpoint
    url: str | None
    payload: bytes | None


class CopyScreen(Dialog[CopyWanted | None]):
    """A form: who gets it, where it goes, and what it carries. What is wrong is said as it is typed."""

    DEFAULT_CSS = (
        _CSS
        + """
    CopyScreen {
        .dialog { width: 95%; height: 90%; }
        .dialog--line { height: 1; color: $text-muted; }
        SafeInput { border: none; height: 1; padding: 0 1; background: $panel; }
        SafeInput:focus { border: none; background: $boost; }
        SafeInput:ansi, SafeInput:ansi:focus { background: ansi_default; text-style: underline; }
    }
    """
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", "Send", priority=True, id="copy.send"),
        Binding("escape", "cancel", "Cancel", id="copy.cancel"),
    ]

    def __init__(self, event: Event, endpoints: Sequence[Endpoint], endpoint: Endpoint | None) -> None:
        super().__init__()
        self._event, self._endpoints = event, {one.name: one for one in endpoints}
        self._first = endpoint
        self._text = event.payload.decode("utf-8", "replace")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(inline(f"Send {self._event.type} again as a new event")), classes="dialog--title")
            yield Static(Content("To endpoint"), classes="dialog--line")
            yield SafeInput(self._first.name if self._first else "", id="copy-endpoint")
            yield Static(Content("At URL (empty: the endpoint's own)"), classes="dialog--line")
            yield SafeInput(placeholder="https://…", id="copy-url")
            yield Static(Content("Payload"), classes="dialog--line")
            yield JsonEdit(self._text, id="copy-payload")
            yield Static(id="copy-same", classes="dialog--hint")
            yield Static(Content(_HINT), id="copy-hint", classes="dialog--hint")

    def on_mount(self) -> None:
        self.query_one(JsonEdit).focus()
        self._check()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._check()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._check()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_send()

    def _check(self) -> CopyWanted | None:
        """Say what would be sent, or what is wrong with it."""
        hint = self.query_one("#copy-hint", Static)
        try:
            wanted = self._wanted()
        except ConsoleError as error:
            hint.update(Content(f"✗ {one_line(str(error), 200)}"))
            hint.add_class("-wrong")
            return None
        hint.update(Content(_HINT))
        hint.remove_class("-wrong")
        self.query_one("#copy-same", Static).update(Content(sanitise("\n".join(self._words(wanted)))))
        return wanted

    def _wanted(self) -> CopyWanted:
        """Raises InvalidInputError."""
        name = self.query_one("#copy-endpoint", SafeInput).value.strip()
        url = self.query_one("#copy-url", SafeInput).value.strip() or None
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            near = [known for known in self._endpoints if known.startswith(name)] if name else []
            known = ", ".join(near[:4] or list(self._endpoints)[:4])
            raise InvalidInputError(f"endpoint {name!r}: there are {known}")
        if url is not None:
            check_url(url)
        text = self.query_one(JsonEdit).text
        edited = text != escaped(self._text)
        payload = check_payload(text.encode("utf-8", "surrogatepass")) if edited else None
        return CopyWanted(endpoint=endpoint, url=check_elsewhere(endpoint, url), payload=payload)

    def _words(self, wanted: CopyWanted) -> list[str]:
        carries = "as it came" if wanted.payload is None else f"edited, {size(len(wanted.payload))}"
        waits = "" if wanted.endpoint.state is EndpointState.ACTIVE else f" · {wanted.endpoint.state}: it waits"
        words = ["webhook-console", "events", "resend", self._event.id, "--endpoint", wanted.endpoint.name]
        words += ["--url", wanted.url] if wanted.url else []
        words += ["--data", "@edited.json"] if wanted.payload is not None else []
        return [f"A new event with an id of its own; payload {carries}{waits}.", f"the same: {shlex.join(words)}"]

    def action_send(self) -> None:
        if (wanted := self._check()) is not None:
            self.dismiss(wanted)

    def action_cancel(self) -> None:
        self.dismiss(None)
