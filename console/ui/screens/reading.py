"""Screens that are read: two attempts side by side, and why a delivery stands as it does."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from console.config import keyring
from console.domain.delivery import Attempt, Exchange
from console.domain.errors import ConsoleError
from console.operations.signature import SignatureFacts, who_signed
from console.store import Store
from console.ui.attempt_diff import Side, diff_lines
from console.ui.attempt_parts import sent_body
from console.ui.explain import explain_attempt, explain_delivery
from console.ui.format import inline
from console.ui.inspection import Inspection
from console.ui.inspector_words import as_of_words
from console.ui.layered import LayeredScreen
from console.ui.masking import mask_text
from console.ui.messages import MomentChanged
from console.ui.session import Session
from console.ui.signature_lines import signature_lines
from console.ui.status import crumbs_below, live_engine, past_ms, past_words, status_line
from console.ui.steering import complain, session_of
from console.ui.time_words import TimeWords
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.reading_view import Line, ReadingView


class ReadingScreen(LayeredScreen[None]):
    """Lines of one thing. Subclasses say `name_of_it` and show their lines."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "ReadingView"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "back", "Back", id="reading.back")]

    def __init__(self, seen: Inspection) -> None:
        super().__init__()
        self.seen = seen

    @property
    def session(self) -> Session:
        return session_of(self.app)

    @property
    def name_of_it(self) -> str:
        """The last of the crumbs."""
        raise NotImplementedError

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        return (*crumbs_below(self), self.name_of_it)

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield Static(id="title")
        yield ReadingView()
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(1, self.say_status)
        self.say_status()

    def say_status(self) -> None:
        """Where this is, and whether an engine runs."""
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, *live_engine(self.app), self.size.width, past=past_words(self.app)
        )

    def show(self, title: str, lines: Sequence[Line], *, from_top: bool = False) -> None:
        """Other lines under another title."""
        self.query_one("#title", Static).update(Content(inline(title)))
        self.query_one(ReadingView).show(lines, from_top=from_top)

    def on_resize(self) -> None:
        self.say_status()

    def on_moment_changed(self, message: MomentChanged) -> None:
        self._leave_another_moment()

    def on_screen_resume(self) -> None:
        self._leave_another_moment()

    def _leave_another_moment(self) -> None:
        """What is shown is of the moment at which it was opened."""
        if self.is_current and past_ms(self.app) != self.seen.at_ms:
            self.app.pop_screen()

    def action_back(self) -> None:
        self.app.pop_screen()


class DiffScreen(ReadingScreen):
    """What is different between two attempts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "whole", "All/differences", id="diff.whole", tooltip="What is the same too, or only differences")
    ]
    name_of_it = "Differences"

    def __init__(self, seen: Inspection, old: Side, new: Side) -> None:
        super().__init__(seen)
        self._old, self._new, self._whole = old, new, False

    def on_mount(self) -> None:
        super().on_mount()
        self._show()

    def action_whole(self) -> None:
        self._whole = not self._whole
        self._show()

    def _show(self) -> None:
        names = f"Attempts {self._old.attempt.number} and {self._new.attempt.number}"
        what = "in full" if self._whole else "what differs; f shows all"
        self.show(f"{names}: {what}", diff_lines(self._old, self._new, whole=self._whole))


class WhyScreen(ReadingScreen):
    """Why a delivery has, or has not, been delivered, and how one of its requests was signed."""

    name_of_it = "Why"

    def __init__(self, seen: Inspection, attempt: Attempt | None, exchange: Exchange | None) -> None:
        super().__init__(seen)
        self._attempt, self._exchange = attempt, exchange

    def on_mount(self) -> None:
        super().on_mount()
        self.show(self._title, [*self._why(), Line(spans=(("Reading…", "muted"),))])
        self.load()

    @property
    def _title(self) -> str:
        delivery = self.seen.delivery
        return f"{delivery.event_type} → {delivery.endpoint_name}"

    @work(exclusive=True, exit_on_error=False)
    async def load(self) -> None:
        """Find out who signed. The secrets are opened, and forgotten, on the reading thread."""
        exchange, endpoint, payload = self._exchange, self.seen.endpoint, self.seen.event.payload
        sent = payload if exchange is None else sent_body(exchange, payload)
        now_ms, masked = self.session.clock.now_ms(), self.session.masked

        def look(_: Store) -> list[Line]:
            facts: SignatureFacts | None = None
            if exchange is not None:
                keys = keyring(None, os.environ)
                facts = who_signed(endpoint, exchange.request_headers, sent, keys, now_ms)
            if facts is not None and masked:
                hidden = tuple(replace(one, text=mask_text(one.text)) for one in facts.signatures)
                facts = replace(facts, signatures=hidden)
            return list(signature_lines(facts, len(sent), TimeWords(now_ms)))

        try:
            lines = await self.session.read(look)
        except ConsoleError as error:
            complain(self.app, error)
            lines = []
        number = "" if self._attempt is None else f" OF ATTEMPT {self._attempt.number}"
        self.show(self._title, [*self._why(), Line(spans=((f"SIGNATURE{number}", "accent"),)), *lines])

    def _why(self) -> list[Line]:
        seen = self.seen
        said = explain_delivery(seen.delivery, seen.attempts, seen.around, seen.at_ms or self.session.clock.now_ms())
        lines = [Line(spans=(("WHY", "accent"),))]
        if seen.at_ms is not None:
            lines.append(_prose(as_of_words(seen)))
        lines.append(_prose(said.what, strong=True))
        lines += [_prose(text) for text in (said.why, said.next) if text]
        if self._attempt is not None:
            policy = seen.endpoint.policy if seen.endpoint else None
            of_attempt = explain_attempt(self._attempt, policy)
            lines += [Line(), Line(spans=((f"ATTEMPT {self._attempt.number}", "accent"),)), _prose(of_attempt.what)]
            lines += [_prose(of_attempt.why)] if of_attempt.why else []
        return [*lines, Line()]


def _prose(text: str, *, strong: bool = False) -> Line:
    return Line(spans=(("  " + text, "strong" if strong else "normal"),), hang=2, prose=True)
