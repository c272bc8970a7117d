"""The signature debugger: paste what a receiver got, and it names the mistake."""

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static, TextArea

from console.config import keyring
from console.domain.delivery import Exchange
from console.domain.errors import ConsoleError, InvalidInputError, ReadInterruptedError
from console.domain.signature_paste import parse_paste
from console.operations.signature import judge_signature
from console.store import Store
from console.ui.format import inline, sanitise
from console.ui.layered import LayeredScreen
from console.ui.session import Session
from console.ui.signature_lines import diagnosis_lines
from console.ui.status import crumbs_below, status_line
from console.ui.steering import session_of
from console.ui.time_words import TimeWords
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.reading_view import Line, ReadingView
from console.ui.widgets.safe_input import SafeInput

JUDGE_AFTER_S = 0.3
"""How long nothing is typed before what is there is judged."""

_HOW = (
    "Paste what the receiver got: headers, an empty line and the raw body; or a curl command, or JSON with “headers” "
    "and “body”. Bytes that are no text go into JSON as “body_base64”."
)
_EVERYONE = "whoever is owed the event"


class PasteArea(TextArea):
    """Holds what was pasted as it came; shows it clean."""

    def get_line(self, line_index: int) -> Text:
        # Character for character, so that the cursor stays where it is.
        return Text(sanitise(self.document.get_line(line_index)), end="", no_wrap=True)


class SignatureScreen(LayeredScreen[None]):
    """Judges what stands in its field, as it is typed. No secret is ever shown, nor leaves the reading thread.

    Args:
        pasted: what to begin with.
        endpoint: its name; None: whoever is owed the event.
    """

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "PasteArea"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+n", "endpoint(1)", "Endpoint", id="signature.endpoint", tooltip="Judge it as the next endpoint's"
        ),
        Binding("ctrl+l", "clear", "Clear", id="signature.clear"),
        Binding("escape", "back", "Back", id="signature.back"),
    ]

    def __init__(self, pasted: str = "", endpoint: str | None = None) -> None:
        super().__init__()
        self._pasted, self._endpoint = pasted, endpoint
        self._names: tuple[str | None, ...] = (None,)
        self._timer: Timer | None = None

    @property
    def session(self) -> Session:
        return session_of(self.app)

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        return (*crumbs_below(self), "Signature debugger")

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield Static(Content(_HOW), id="how")
        yield PasteArea(self._pasted, soft_wrap=False, id="pasted")
        yield Static(id="endpoint")
        with Horizontal(id="more"):
            yield SafeInput(placeholder="the receiver's secret, if you have it (not shown)", password=True, id="secret")
            yield SafeInput(placeholder="the signature that it computed, if its log has it", id="computed")
        with Vertical(id="findings-pane"):
            yield Static("Findings", classes="pane--title")
            yield ReadingView(id="findings")
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(1, self.say_status)
        self.say_status()
        self._say_endpoint()
        self.load_names()
        self.judge()

    def say_status(self) -> None:
        """Where this is."""
        header = self.query_one(StatusHeader)
        header.state = replace(
            status_line(self.session, self.crumbs, None, None, self.size.width),
            status=((self.session.path.name, "muted"),),
        )

    def on_resize(self, event: events.Resize) -> None:
        self.say_status()

    # Judging

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._judge_soon()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._judge_soon()

    def _judge_soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(JUDGE_AFTER_S, self.judge)

    @work(exclusive=True, group="judging", exit_on_error=False)
    async def judge(self) -> None:
        """Say what is wrong with what stands here now."""
        text = self.query_one(PasteArea).text
        secret = self.query_one("#secret", SafeInput).value.strip() or None
        computed = self.query_one("#computed", SafeInput).value.strip() or None
        endpoint, now_ms = self._endpoint, self.session.clock.now_ms()

        def look(store: Store) -> list[Line]:
            received = parse_paste(text.encode("utf-8", "surrogatepass"))
            if computed is not None:
                received = replace(received, computed=computed)
            diagnosis, evidence = judge_signature(
                store,
                received,
                endpoint=endpoint,
                keys=keyring(None, os.environ),
                times=TimeWords(now_ms),
                given=secret,
            )
            return diagnosis_lines(diagnosis, evidence.sealed)

        if not text.strip():
            self._show([Line(spans=(("Nothing was pasted yet.", "muted"),))])
            return
        try:
            lines = await self.session.read(look, group="signature")
        except InvalidInputError as error:
            lines = [Line(spans=(("✗ ", "warning"), (str(error), "normal")), hang=2, prose=True)]
        except ReadInterruptedError:
            return
        except ConsoleError as error:
            lines = [Line(spans=(("✗ ", "error"), (str(error), "error")), hang=2, prose=True)]
        self._show(lines)

    def _show(self, lines: list[Line]) -> None:
        if self.is_mounted:
            self.query_one(ReadingView).show(lines, from_top=True)

    # Endpoints

    @work(exclusive=True, group="names", exit_on_error=False)
    async def load_names(self) -> None:
        """The endpoints to choose from."""
        try:
            endpoints = await self.session.read(lambda store: store.endpoints())
        except ConsoleError:
            return  # judging says it
        self._names = (None, *(endpoint.name for endpoint in endpoints))
        self._say_endpoint()

    def _say_endpoint(self) -> None:
        name = inline(self._endpoint or _EVERYONE)
        others = f"   ^n the next of {len(self._names) - 1}" if len(self._names) > 1 else ""
        shown = Content.assemble(("Got by ", "$text-muted"), (name, "bold"), (others, "$text-muted"))
        self.query_one("#endpoint", Static).update(shown)

    def action_endpoint(self, step: int) -> None:
        names = self._names
        at = names.index(self._endpoint) if self._endpoint in names else 0
        self._endpoint = names[(at + step) % len(names)]
        self._say_endpoint()
        self.judge()

    def action_clear(self) -> None:
        """Empty every field."""
        self.query_one(PasteArea).text = ""
        for field in self.query(SafeInput):
            field.value = ""
        self.query_one(PasteArea).focus()

    def action_back(self) -> None:
        self.app.pop_screen()


def pasted_of(exchange: Exchange, payload: bytes) -> str:
    """What was sent, as one would paste it."""
    if b"\r" not in payload and payload == payload.strip():
        try:
            body = payload.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return "".join(f"{name}: {value}\n" for name, value in exchange.request_headers) + f"\n{body}"
    encoded = base64.b64encode(payload).decode()
    return json.dumps({"headers": [list(pair) for pair in exchange.request_headers], "body_base64": encoded}, indent=1)
