"""How a retry is to be done: all at once, at a rate, or one first; and how far a bulk operation is."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId, format_number
from console.domain.operation import Operation, OperationKind, Outcomes
from console.domain.policy import RateLimit, parse_rate_limit
from console.operations import deliveries as operations
from console.store import Store
from console.ui import retrying
from console.ui.format import inline, one_line, sanitise
from console.ui.retrying import Canary, RetryPreview
from console.ui.session import Session
from console.ui.steering import session_of
from console.ui.widgets.dialog import Dialog
from console.ui.widgets.safe_input import SafeInput

LOOK_EVERY_S = 0.2
"""How often it is looked how far an operation is, or whether the one that went first has come back."""

OUTCOMES_SHARE = 10
"""Counting outcomes takes at most one part in so many of the time."""

_CSS = (Path(__file__).parent.parent / "widgets" / "confirm.tcss").read_text("utf-8")


class _Step(Enum):
    """What the dialog shows."""

    ASK = "ask"
    RATE = "rate"
    CANARY = "canary"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAnswer:
    """What the operator wants. `go`: begin with those of `where`; else no more than what was sent first."""

    go: bool
    where: DeliveryFilter
    rate: RateLimit | None = None
    sent_first: DeliveryId | None = None


class RetryScreen(Dialog[RetryAnswer]):
    """Asks, with a preview, how to retry. Esc is no; the one that was sent first stays sent.

    Args:
        chosen: which one goes first; None: the oldest.
    """

    DEFAULT_CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "all", "All now", id="retry.all"),
        Binding("r", "rate", "At a rate", id="retry.rate"),
        Binding("c", "canary", "One first", id="retry.canary"),
        Binding("n,escape,q", "no", "No", id="retry.no"),
        Binding("left,h", "app.focus_previous", "Button before", show=False, id="retry.before"),
        Binding("right,l", "app.focus_next", "Next button", show=False, id="retry.next"),
        Binding("j,down", "scroll_body(1)", "Down", show=False, id="retry.down"),
        Binding("k,up", "scroll_body(-1)", "Up", show=False, id="retry.up"),
    ]

    def __init__(self, seen: RetryPreview, *, chosen: DeliveryId | None = None) -> None:
        super().__init__()
        self._seen, self._where, self._chosen = seen, seen.where, chosen
        self._step = _Step.ASK
        self._sent: DeliveryId | None = None

    @property
    def session(self) -> Session:
        return session_of(self.app)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(inline(retrying.retry_title(self._seen))), classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                yield Static(id="retry-body")
            yield SafeInput(placeholder="200/s, 1000/m", id="retry-rate")
            yield Static(classes="dialog--hint")
            with Horizontal(classes="dialog--buttons"):
                for name, label in (("no", "No (n)"), ("canary", "One first (c)"), ("rate", "At a rate (r)")):
                    yield Button(Content(label), id=name)
                yield Button(Content("All now (y)"), id="all")

    def on_mount(self) -> None:
        self._ask()

    # What is shown

    def _ask(self) -> None:
        self._show(_Step.ASK, [*retrying.retry_lines(self._seen), *retrying.retry_command(self._seen)], "")
        self.query_one("#no", Button).focus()

    def _show(self, step: _Step, lines: Sequence[str], hint: str) -> None:
        self._step = step
        self.query_one("#retry-body", Static).update(Content(sanitise("\n".join(lines))))
        self.query_one("#retry-rate").display = step is _Step.RATE
        self.query_one(".dialog--buttons").display = step in (_Step.ASK, _Step.RESULT)
        self.query_one("#canary").display = step is _Step.ASK
        self.query_one("#no", Button).label = Content("Stop here (n)" if step is _Step.RESULT else "No (n)")
        self.query_one("#all", Button).label = Content("The rest (y)" if step is _Step.RESULT else "All now (y)")
        self._hint(hint)
        self.refresh_bindings()

    def _hint(self, words: str, *, wrong: bool = False) -> None:
        hint = self.query_one(".dialog--hint", Static)
        hint.update(Content(words))
        hint.set_class(wrong, "-wrong")
        hint.display = bool(words)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("all", "rate"):
            return self._step in (_Step.ASK, _Step.RESULT)
        if action == "canary":
            return self._step is _Step.ASK
        return super().check_action(action, parameters)

    # Answers

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        getattr(self, f"action_{event.button.id}")()

    def action_all(self) -> None:
        self._go(None)

    def _go(self, rate: RateLimit | None) -> None:
        self.dismiss(RetryAnswer(go=True, where=self._where, rate=rate, sent_first=self._sent))

    def action_no(self) -> None:
        if self._step is _Step.RATE and self._sent is None:
            self._ask()
        else:
            self.dismiss(RetryAnswer(go=False, where=self._where, sent_first=self._sent))

    def action_rate(self) -> None:
        hint = "Enter begins   Esc goes back"
        self._show(_Step.RATE, [*retrying.retry_lines(self._seen), *retrying.retry_command(self._seen)], hint)
        box = self.query_one("#retry-rate", SafeInput)
        box.value = ""
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what the rate means as it is typed."""
        event.stop()
        if self._step is not _Step.RATE:
            return
        try:
            rate = parse_rate_limit(event.value) if event.value.strip() else None
        except InvalidInputError:
            return
        asked = rate.per_s if rate else None
        command = retrying.retry_command(self._seen, str(rate) if rate else "")
        lines = [*retrying.retry_lines(self._seen, asked), *command]
        self.query_one("#retry-body", Static).update(Content(sanitise("\n".join(lines))))
        self._hint("Enter begins   Esc goes back")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self._go(parse_rate_limit(event.value))
        except InvalidInputError as error:
            self._hint(f"✗ {one_line(str(error), 200)}", wrong=True)

    def action_scroll_body(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    # One first

    def action_canary(self) -> None:
        if not self._seen.engine_alive:
            self._hint("✗ no engine is running: nothing would be sent", wrong=True)
            return
        self._show(_Step.CANARY, ["Looking for the oldest …"], "Esc stops here")
        self._send_one()

    @work(exclusive=True, group="canary", exit_on_error=False)
    async def _send_one(self) -> None:
        """Send it, and wait for what comes of it."""
        try:
            number = await self.session.read(lambda store: retrying.find_canary(store, self._where, self._chosen))
            if number is None:
                self._show(_Step.ASK, ["Nothing is left that this would change."], "")
                return
            before = (await self.session.read(lambda store: store.delivery(number))).attempts
            sent = await self.session.write(lambda store: self._retry_one(store, number))
            if not sent:
                self._show(_Step.ASK, ["It is being sent, or another was quicker."], "")
                return
            self._sent = number
            self._where = replace(self._where, ids=tuple(id_ for id_ in self._where.ids if id_ != number))
            while True:
                canary = await self.session.read(lambda store: retrying.read_canary(store, number, before))
                if canary.attempt is not None:
                    break
                if self._step is _Step.CANARY:
                    self._show(_Step.CANARY, retrying.canary_lines(canary), "Esc stops here; it is sent all the same")
                await asyncio.sleep(LOOK_EVERY_S)
        except ConsoleError as error:
            self._show(_Step.ASK, retrying.retry_lines(self._seen), "")
            self._hint(f"✗ {one_line(str(error), 200)}", wrong=True)
            return
        self._came_back(canary)

    def _retry_one(self, store: Store, number: DeliveryId) -> bool:
        return bool(
            operations.retry(store, DeliveryFilter(ids=(number,)), actor=self.session.actor, clock=self.session.clock)
        )

    def _came_back(self, canary: Canary) -> None:
        left = self._seen.total - 1
        if not left:
            self._show(_Step.RESULT, retrying.canary_lines(canary), "")
            return
        more = "" if self._seen.counted.complete else "at least "
        lines = [*retrying.canary_lines(canary), "", f"{more}{left:,} are left."]
        self._show(_Step.RESULT, lines, "")
        self.query_one("#all" if canary.delivered else "#no", Button).focus()


class ProgressScreen(Dialog[None]):
    """How far a bulk operation is, whoever carries it on; and, of a retry, what came of it.

    `x` ends it where it is. Esc leaves it: the engine goes on, and without one the next engine does.
    """

    DEFAULT_CSS = _CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Stop it here", id="progress.stop"),
        Binding("escape,enter,q", "leave", "Leave it", id="progress.leave"),
    ]

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self.operation = operation
        self._began = operation.done
        self._outcomes: Outcomes | None = None
        self._alive = True

    @property
    def session(self) -> Session:
        return session_of(self.app)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(inline(self._title)), classes="dialog--title")
            yield Static(id="bar")
            yield Static(id="came")
            yield Static(classes="dialog--hint")

    @property
    def _title(self) -> str:
        operation = self.operation
        word = operation.kind.value.removeprefix("delivery_")
        rate = f" at {operation.rate_per_s:g}/s" if operation.rate_per_s else ""
        return f"{format_number('op', operation.id)} · {word} {one_line(operation.target, 120)}{rate}"

    def on_mount(self) -> None:
        self._say()
        self._follow()

    def _say(self) -> None:
        operation, now_ms = self.operation, self.session.clock.now_ms()
        words = retrying.bar(operation.done, operation.total or 0)
        if operation.is_open and (left := retrying.left_words(operation, self._began, now_ms)):
            words += f" · {left}"
        self.query_one("#bar", Static).update(Content(words))
        came = operation.result or ("" if self._alive else "No engine is running: this console carries it on.")
        if self._outcomes is not None:
            came = retrying.outcome_words(operation, self._outcomes)
            if self._outcomes.waiting and not self._alive:
                came += ". No engine is running: nothing is sent until one starts"
        self.query_one("#came", Static).update(Content(sanitise(came)))
        leave = "Esc leaves it to the engine" if self._alive else "Esc leaves it to the next engine"
        hint = f"x stops it here   {leave} (a shows it)" if operation.is_open else "Esc closes"
        self.query_one(".dialog--hint", Static).update(Content(hint))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "stop":
            return self.operation.is_open
        return super().check_action(action, parameters)

    @work(exclusive=True, group="follow", exit_on_error=False)
    async def _follow(self) -> None:
        try:
            while self.operation.is_open:
                await self._go_on()
                self._say()
            if self.operation.kind is OperationKind.DELIVERY_RETRY:
                await self._see_what_comes()
        except ConsoleError as error:
            self.query_one("#came", Static).update(Content(f"✗ {one_line(str(error), 200)}"))

    async def _go_on(self) -> None:
        """Look on while an engine is alive; without one, carry it on by a piece."""
        now_ms = self.session.clock.now_ms()
        known = self.operation
        after, self._alive = await self.session.read(lambda store: retrying.look(store, known, now_ms))
        if after.is_open and (not self._alive or (after.total or 0) <= operations.CHUNK):
            after = await self.session.write(lambda store: retrying.carry_piece(store, known, now_ms))
        elif after.is_open:
            await asyncio.sleep(LOOK_EVERY_S)
        self.operation = after

    async def _see_what_comes(self) -> None:
        clock, number = self.session.clock, self.operation.id
        while True:
            began_s = clock.monotonic_s()
            self._outcomes = await self.session.read(lambda store: store.outcomes(number), group="outcomes")
            took_s = clock.monotonic_s() - began_s
            self._alive = await self.session.read(self._engine_alive)
            self._say()
            if self._outcomes.ended:
                return
            await asyncio.sleep(max(LOOK_EVERY_S, took_s * OUTCOMES_SHARE))

    def _engine_alive(self, store: Store) -> bool:
        engine = store.engine_status()
        return engine is not None and engine.alive(self.session.clock.now_ms())

    @work(exclusive=True, group="stop", exit_on_error=False)
    async def action_stop(self) -> None:
        """End it where it is; what it did stays done."""
        now_ms, number = self.session.clock.now_ms(), self.operation.id
        try:
            self.operation = await self.session.write(
                lambda store: store.cancel_operation(number, actor=self.session.actor, now_ms=now_ms)
            )
        except ConsoleError as error:
            self.query_one("#came", Static).update(Content(f"✗ {one_line(str(error), 200)}"))
            return
        self._say()

    def action_leave(self) -> None:
        self.dismiss()
