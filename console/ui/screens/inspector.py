"""One delivery: what it carries, every attempt with its exchange, why it stands as it does, and what comes next."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.domain.delivery import Attempt, Exchange
from console.domain.errors import ConsoleError, UnknownReferenceError
from console.domain.filters import DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, format_number
from console.ui import exporting
from console.ui import inspector_doors as doors
from console.ui.exchange_lines import exchange_lines
from console.ui.format import one_line
from console.ui.inspection import Inspection, Outcome, read_if_changed
from console.ui.inspector_keys import BINDINGS, STEERING, may_steer
from console.ui.inspector_words import PANES, event_facts, explanation, outcomes_title, page_tabs, route
from console.ui.layered import LayeredScreen
from console.ui.masking import mask_body, mask_exchange
from console.ui.messages import MomentChanged
from console.ui.pausing import pause_or_resume
from console.ui.payload_pane import PayloadPane
from console.ui.raw_lines import raw_lines
from console.ui.session import Session
from console.ui.status import crumbs_below, past_ms, past_words, status_line
from console.ui.steering import complain, retry_deliveries, say, session_of, skip_head
from console.ui.widgets.attempt_list import AttemptList
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.outcome_list import OutcomeList
from console.ui.widgets.reading_view import Line, ReadingView

LOOK_EVERY_S = 0.5
"""How often the countdown ticks and the store is asked whether it changed."""

EXCHANGES_KEPT = 64


class InspectorScreen(LayeredScreen[None]):
    """A delivery in full. It follows the newest attempt until another is chosen; `attempt_id` chooses one at first."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Screen declares it
        (0, "-narrow"),
        (100, "-wide"),
    ]
    AUTO_FOCUS = "#attempts"
    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(self, delivery_id: DeliveryId, attempt_id: AttemptId | None = None) -> None:
        super().__init__()
        self.delivery_id = delivery_id
        self._wanted = attempt_id
        self._seen: Inspection | None = None
        self._trouble: str | None = None
        self._exchanges: dict[AttemptId, Exchange | None] = {}
        self._page = "attempt"
        self._read_at_s: float | None = None
        self._raw = False
        self._shown: tuple[AttemptId, bool] | None = None
        self._explained: Content | None = None

    @property
    def session(self) -> Session:
        return session_of(self.app)

    # Layout

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield Static(id="explanation")
        yield Static(id="pages")
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                with Vertical(id="attempts-pane", classes="pane"):
                    yield Static("Attempts", classes="pane--title")
                    yield AttemptList(id="attempts")
                yield PayloadPane(id="payload-pane", classes="pane")
                with Vertical(id="outcomes-pane", classes="pane"):
                    yield Static("The event elsewhere", classes="pane--title")
                    yield OutcomeList(id="outcomes")
            with Vertical(id="exchange-pane", classes="pane"):
                yield Static("Exchange", classes="pane--title")
                yield ReadingView(id="exchange")
        yield KeyBar()

    def on_mount(self) -> None:
        self.add_class(f"-page-{self._page}")
        self._say_status()
        self.query_one("#explanation", Static).update(Content("Reading…"))
        self.set_interval(LOOK_EVERY_S, self._tick)
        self.load()

    def _tick(self) -> None:
        if not self.counts_tick():
            return
        self._say_status()
        self._explain()
        self.load()

    # Reading

    @work(exclusive=True, group="inspection", exit_on_error=False)
    async def load(self) -> None:
        """Read the delivery again, if anything was committed since."""
        at_ms, now_ms = past_ms(self.app), self.session.clock.now_ms()
        same = self._seen is not None and self._seen.at_ms == at_ms and self._trouble is None
        known = self._seen.data_version if self._seen is not None and same else None
        try:
            seen = await self.session.read(
                lambda store: read_if_changed(store, self.delivery_id, now_ms, known, at_ms=at_ms)
            )
        except ConsoleError as error:
            gone = isinstance(error, UnknownReferenceError)
            self._trouble = str(error) if gone else f"The store cannot be read: {error}"
            self._explain()
            return
        self._trouble = None
        self._read_at_s = self.session.clock.monotonic_s()
        if seen is not None:
            self._show(seen)
        self._say_status()

    def on_moment_changed(self, message: MomentChanged) -> None:
        self.load()

    def _show(self, seen: Inspection) -> None:
        before, self._seen = self._seen, seen
        self.query_one(PayloadPane).show(self._payload)
        if before is None or before.attempts != seen.attempts:
            attempts = self.query_one(AttemptList)
            attempts.show(seen.attempts)
            if self._wanted is not None and attempts.choose(self._wanted):
                self._wanted = None
        if before is None or before.outcomes != seen.outcomes:
            self.query_one(OutcomeList).show(seen.outcomes)
        self._say_titles(seen)
        self._explain()
        self.refresh_bindings()
        self.load_exchange()

    @work(exclusive=True, group="exchange", exit_on_error=False)
    async def load_exchange(self) -> None:
        """Show the chosen attempt; what went over the wire is read once it has ended."""
        attempt = self.current_attempt
        if attempt is None:
            self.query_one(ReadingView).show([Line(spans=(("No attempt was made yet.", "muted"),))])
            self._title("exchange", "Exchange")
            return
        if await self._read_exchange(attempt):
            self._show_exchange(attempt)

    async def _read_exchange(self, attempt: Attempt) -> bool:
        """Have what went over the wire at hand, once the attempt has ended. Returns False when it cannot be read."""
        if attempt.ended_at_ms is not None and attempt.id not in self._exchanges:
            try:
                exchange = await self.session.read(lambda store: store.exchange(attempt.id))
            except ConsoleError as error:
                complain(self.app, error)
                return False
            while len(self._exchanges) >= EXCHANGES_KEPT:
                del self._exchanges[next(iter(self._exchanges))]
            self._exchanges[attempt.id] = exchange
        return True

    def _show_exchange(self, attempt: Attempt) -> None:
        seen = self._seen
        if seen is None:
            return
        policy = seen.endpoint.policy if seen.endpoint else None
        view = self.query_one(ReadingView)
        exchange = self._exchange_of(attempt)
        if self._raw:
            lines = raw_lines(attempt, exchange, self._payload)
        else:
            longest_ms = self.query_one(AttemptList).longest_ms
            lines = exchange_lines(attempt, exchange, policy, len(seen.event.payload), longest_ms)
        view.show(lines, from_top=self._shown != (attempt.id, self._raw))
        self._shown = (attempt.id, self._raw)
        raw = "  raw" if self._raw else ""
        number = format_number("att", attempt.id)
        self._title("exchange", f"Attempt {attempt.number} of {seen.delivery.attempts}  {number}{raw}")

    def _exchange_of(self, attempt: Attempt | None) -> Exchange | None:
        """What went over the wire, as it may be shown."""
        exchange = self._came_back(attempt)
        return mask_exchange(exchange) if exchange is not None and self.session.masked else exchange

    def _came_back(self, attempt: Attempt | None) -> Exchange | None:
        # One that had not ended at the moment that is looked at may have been read at another.
        return None if attempt is None or attempt.ended_at_ms is None else self._exchanges.get(attempt.id)

    @property
    def _payload(self) -> bytes:
        """The payload, as it may be shown."""
        if self._seen is None:
            return b""
        payload = self._seen.event.payload
        return mask_body(payload) if self.session.masked else payload

    @property
    def current_attempt(self) -> Attempt | None:
        """The attempt under the cursor."""
        return self.query_one(AttemptList).current

    # Words

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        shown = format_number("dlv", self.delivery_id)
        return (*crumbs_below(self), f"{shown} {route(self._seen)}" if self.app.size.width >= 100 else shown)

    def _say_status(self) -> None:
        engine = self._seen.engine if self._seen is not None else None
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, engine, self._read_at_s, self.size.width, past=past_words(self.app)
        )

    def on_screen_resume(self) -> None:
        self._tick()
        self._show_again()
        self.query_one(KeyBar).say_keys()

    def on_resize(self) -> None:
        self._say_status()

    def _say_titles(self, seen: Inspection) -> None:
        self.query_one(PayloadPane).say_title(event_facts(seen))
        self._title("attempts", f"Attempts {seen.delivery.attempts}")
        self._title("outcomes", outcomes_title(seen))
        self.query_one("#pages", Static).update(page_tabs(seen, self._page))

    def _title(self, pane: str, text: str) -> None:
        self.query_one(f"#{pane}-pane .pane--title", Static).update(Content(text))

    def _explain(self) -> None:
        """Say how the delivery stands now; once a second, so that the countdown counts."""
        if self._trouble is not None:
            words = Content.styled(f"✗ {one_line(self._trouble, 400)}", "$text-error")
        elif self._seen is not None:
            words = explanation(self._seen, self.session.clock.now_ms())
        else:
            return
        if self._explained is None or not self._explained.is_same(words):
            self._explained = words
            self.query_one("#explanation", Static).update(words)

    # Panes

    def action_pane(self, step: int) -> None:
        """The focus goes to the next pane; on a narrow screen its page comes with it."""
        order = list(PANES)
        focused = self.focused.id if self.focused is not None and self.focused.id in PANES else order[0]
        self.show_pane(order[(order.index(focused) + step) % len(order)])

    def show_pane(self, pane: str) -> None:
        """Bring a pane to the screen, with the focus."""
        self.remove_class(f"-page-{self._page}")
        self._page = PANES[pane]
        self.add_class(f"-page-{self._page}")
        if self._seen is not None:
            self._say_titles(self._seen)
        self.call_after_refresh(self.query_one(f"#{pane}", Widget).focus)

    def action_step(self, step: int) -> None:
        self.query_one(AttemptList).action_cursor_by(step)

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        event.stop()
        if isinstance(event.table, AttemptList):
            self.load_exchange()

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        if isinstance(event.table, AttemptList):
            self.show_pane("exchange")
        elif isinstance(event.row, Outcome):
            self._open(event.row)

    def _open(self, outcome: Outcome) -> None:
        if outcome.delivery_id is None:
            say(self.app, f"{outcome.endpoint_name} is not owed this event: {outcome.note}", warn=True)
        else:
            self.app.push_screen(InspectorScreen(outcome.delivery_id))

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in STEERING:
            return may_steer(action, self._seen, read_only=self._read_only)
        return super().check_action(action, parameters)

    @property
    def _read_only(self) -> bool:
        """The past cannot be changed either."""
        return self.session.read_only or past_ms(self.app) is not None

    def action_back(self) -> None:
        self.app.pop_screen()

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_retry(self) -> None:
        if self._seen is not None and await retry_deliveries(self.app, DeliveryFilter(ids=(self.delivery_id,))):
            self.query_one(AttemptList).follow = True  # what comes of it is what is wanted now
            self._read_anew()

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_pause(self) -> None:
        if (
            self._seen is not None
            and self._seen.endpoint is not None
            and await pause_or_resume(self.app, self._seen.endpoint)
        ):
            self._read_anew()

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_send_copy(self) -> None:
        """Send the event again as a new one, which is then shown."""
        from console.ui.resending import send_copy

        seen = self._seen
        if seen is None:
            return
        if self.session.masked:
            say(self.app, "values are hidden: m shows them, and then they can be edited", warn=True)
            return
        sent = await send_copy(self.app, seen.event.id, seen.delivery.endpoint_id)
        if sent is not None:
            await self.app.push_screen(InspectorScreen(sent))

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_skip(self) -> None:
        """Give up what stands first in the line of this delivery."""
        seen = self._seen
        if seen is not None and seen.endpoint is not None:
            await skip_head(self.app, seen.endpoint, self.delivery_id)
            self._read_anew()

    def _read_anew(self) -> None:
        if self.is_mounted:
            self.load()

    # What is looked at

    def _show_again(self) -> None:
        """The same, in another view."""
        if self._seen is not None:
            self.query_one(PayloadPane).show(self._payload)
            self._say_status()
            self.load_exchange()

    def action_raw(self) -> None:
        self._raw = not self._raw
        self.show_pane("exchange")
        self._show_again()

    def action_mask(self) -> None:
        self.session.masked = not self.session.masked
        self._show_again()
        words = (
            "values are hidden on this screen, in copies and in files" if self.session.masked else "values are shown"
        )
        say(self.app, words)

    @work(exclusive=True, group="opening", exit_on_error=False)
    async def action_diff(self) -> None:
        seen, attempts = self._seen, self.query_one(AttemptList)
        chosen = None if seen is None else doors.two_attempts(seen, attempts.current, attempts.marked)
        if seen is None or chosen is None:
            say(self.app, "There is no attempt before this one: mark two with Space to compare them", warn=True)
            return
        for attempt in chosen:
            await self._read_exchange(attempt)
        old, new = ((attempt, self._exchange_of(attempt)) for attempt in chosen)
        doors.open_diff(self.app, seen, old, new)

    def action_why(self) -> None:
        if self._seen is not None:
            doors.open_why(self.app, self._seen, self.current_attempt, self._sent)

    def action_transform(self) -> None:
        doors.open_transform(self.app, self._seen)

    def action_related(self) -> None:
        if self._seen is not None:
            doors.open_related(self.app, self._seen, self.current_attempt)

    def action_open_signature(self) -> None:
        doors.open_signature(self.app, self._seen, self._sent, masked=self.session.masked)

    @property
    def _sent(self) -> Exchange | None:
        """What went over the wire for the chosen attempt."""
        return self._came_back(self.current_attempt)

    # What is taken away

    def action_copy_id(self) -> None:
        if self._seen is not None:
            exporting.copy_id(self.app, self._seen.event.id)

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_copy_curl(self) -> None:
        attempt = self.current_attempt
        exchange = self._exchange_of(attempt)
        await exporting.copy_curl(self.app, attempt, exchange, self._payload, masked=self.session.masked)

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_save(self) -> None:
        """The response of the chosen attempt while its pane has the focus, else the payload."""
        seen, attempt, masked = self._seen, self.current_attempt, self.session.masked
        if seen is None:
            return
        exchange = self._exchange_of(attempt)
        if self.focused is self.query_one(ReadingView) and attempt is not None and exchange is not None:
            await exporting.save_response(self.app, attempt, exchange, masked=masked)
        else:
            await exporting.save_payload(self.app, seen.event.id, self._payload, masked=masked)
