"""One delivery: what it carries, every attempt with its exchange, why it stands as it does, and what comes next."""

import os
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from console.domain.delivery import Attempt, DeliveryState, Exchange
from console.domain.errors import ConsoleError, UnknownReferenceError
from console.domain.filters import DeliveryFilter
from console.domain.ids import AttemptId, DeliveryId, format_number
from console.ui import clipboard
from console.ui.curl import as_curl
from console.ui.exchange_lines import exchange_lines
from console.ui.explain import explain_delivery
from console.ui.format import clock_time, one_line, sanitise, size
from console.ui.inspection import Inspection, Outcome, read_if_changed
from console.ui.pausing import pause_or_resume
from console.ui.session import Session
from console.ui.status import crumbs_below, status_line
from console.ui.steering import complain, retry_deliveries, say, session_of
from console.ui.widgets.attempt_list import AttemptList
from console.ui.widgets.confirm import PromptScreen
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.json_tree import JsonTree
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.outcome_list import OutcomeList
from console.ui.widgets.reading_view import Line, ReadingView

LOOK_EVERY_S = 0.5
"""How often the countdown ticks and the store is asked whether it changed."""

EXCHANGES_KEPT = 64

_PAGES = {"attempts": "attempt", "exchange": "attempt", "payload": "payload", "outcomes": "outcomes"}
"""Each pane, in the order of Tab, and the page that shows it on a narrow screen."""

_PAGE_TITLES = {"attempt": "Attempts", "payload": "Payload", "outcomes": "Endpoints"}


class InspectorScreen(Screen[None]):
    """A delivery in full. It follows the newest attempt until another is chosen; `attempt_id` chooses one at first."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Screen declares it
        (0, "-narrow"),
        (100, "-wide"),
    ]
    AUTO_FOCUS = "#attempts"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left_square_bracket",
            "step(-1)",
            "Prev",
            key_display="[",
            id="inspector.previous",
            tooltip="Previous attempt",
        ),
        Binding(
            "right_square_bracket", "step(1)", "Next", key_display="]", id="inspector.next", tooltip="Next attempt"
        ),
        Binding("tab", "pane(1)", "Pane", id="inspector.pane", tooltip="Next pane"),
        Binding("shift+tab", "pane(-1)", "Pane before", show=False, id="inspector.pane-before"),
        Binding("y", "copy_id", "Id", id="inspector.copy-id", tooltip="Copy the event's id"),
        Binding("Y", "copy_curl", "curl", id="inspector.copy-curl", tooltip="Copy as curl"),
        Binding("w", "save", "Save", id="inspector.save", tooltip="Save the payload or response to a file"),
        Binding("r", "retry", "Retry", id="inspector.retry", tooltip="Retry this delivery"),
        Binding("p", "pause", "Pause", id="inspector.pause", tooltip="Pause or resume its endpoint"),
        Binding("escape,q", "back", "Back", id="inspector.back"),
    ]

    def __init__(self, delivery_id: DeliveryId, attempt_id: AttemptId | None = None) -> None:
        super().__init__()
        self.delivery_id = delivery_id
        self._wanted = attempt_id
        self._seen: Inspection | None = None
        self._trouble: str | None = None
        self._exchanges: dict[AttemptId, Exchange | None] = {}
        self._page = "attempt"
        self._read_at_s: float | None = None

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
                with Vertical(id="payload-pane", classes="pane"):
                    yield Static("Payload", classes="pane--title")
                    yield JsonTree(id="payload")
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
        if not self.is_current:
            return
        self._say_status()
        self._explain()
        self.load()

    # Reading

    @work(exclusive=True, group="inspection", exit_on_error=False)
    async def load(self) -> None:
        """Read the delivery again, if anything was committed since."""
        known = self._seen.data_version if self._seen is not None and self._trouble is None else None
        now_ms = self.session.clock.now_ms()
        try:
            seen = await self.session.read(lambda store: read_if_changed(store, self.delivery_id, now_ms, known))
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

    def _show(self, seen: Inspection) -> None:
        before, self._seen = self._seen, seen
        if before is None or before.event != seen.event:
            self.query_one(JsonTree).show(seen.event.payload)
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
            return
        if attempt.ended_at_ms is not None and attempt.id not in self._exchanges:
            try:
                exchange = await self.session.read(lambda store: store.exchange(attempt.id))
            except ConsoleError as error:
                complain(self.app, error)
                return
            while len(self._exchanges) >= EXCHANGES_KEPT:
                del self._exchanges[next(iter(self._exchanges))]
            self._exchanges[attempt.id] = exchange
        self._show_exchange(attempt)

    def _show_exchange(self, attempt: Attempt) -> None:
        seen = self._seen
        if seen is None:
            return
        policy = seen.endpoint.policy if seen.endpoint else None
        view = self.query_one(ReadingView)
        lines = exchange_lines(attempt, self._exchanges.get(attempt.id), policy, len(seen.event.payload))
        view.show(lines, from_top=self._shown != attempt.id)
        self._shown = attempt.id
        self.query_one("#exchange-pane .pane--title", Static).update(
            Content(f"Attempt {attempt.number} of {seen.delivery.attempts}  {format_number('att', attempt.id)}")
        )

    _shown: AttemptId | None = None

    @property
    def current_attempt(self) -> Attempt | None:
        """The attempt under the cursor."""
        return self.query_one(AttemptList).current

    # Words

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        shown = format_number("dlv", self.delivery_id)
        return (*crumbs_below(self), f"{shown} {self._route}" if self.has_class("-wide") else shown)

    @property
    def _route(self) -> str:
        """What goes where."""
        if self._seen is None:
            return ""
        return one_line(f"{self._seen.delivery.event_type} → {self._seen.delivery.endpoint_name}", 60)

    def _say_status(self) -> None:
        engine = self._seen.engine if self._seen is not None else None
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, engine, self._read_at_s, self.size.width
        )

    def on_screen_resume(self) -> None:
        self._tick()
        self.query_one(KeyBar).say_keys()

    def on_resize(self) -> None:
        self._say_status()

    def _say_titles(self, seen: Inspection) -> None:
        event = seen.event
        facts = (
            f"{event.id}  {event.type}  {clock_time(event.accepted_at_ms)}  {size(len(event.payload))}  {event.source}"
        )
        self._title("payload", f"Event {one_line(facts, 200)}")
        self._title("attempts", f"Attempts {seen.delivery.attempts}")
        owed = sum(outcome.delivery_id is not None for outcome in seen.outcomes)
        self._title("outcomes", f"The event elsewhere  {owed} owed, {len(seen.outcomes) - owed} not")
        titles = _PAGE_TITLES | {
            "attempt": f"Attempts {len(seen.attempts)}",
            "outcomes": f"Endpoints {len(seen.outcomes)}",
        }
        shown = Content("  ").join(
            Content.styled(f" {title} ", "reverse bold" if page == self._page else "$text-muted")
            for page, title in titles.items()
        )
        self.query_one("#pages", Static).update(Content.assemble(shown, "   ", (self._route, "bold")))

    def _title(self, pane: str, text: str) -> None:
        self.query_one(f"#{pane}-pane .pane--title", Static).update(Content(text))

    def _explain(self) -> None:
        """Say how the delivery stands now; once a second, so that the countdown counts."""
        shown = self.query_one("#explanation", Static)
        if self._seen is None or self._trouble is not None:
            if self._trouble is not None:
                shown.update(Content.styled(f"✗ {one_line(self._trouble, 400)}", "$text-error"))
            return
        seen = self._seen
        said = explain_delivery(seen.delivery, seen.attempts, seen.around, self.session.clock.now_ms())
        style = {"ok": "$text-success", "normal": "", "strong": "bold"}.get(said.meaning, f"$text-{said.meaning}")
        parts = [Content.styled(sanitise(said.what.replace("\n", " ")), f"bold {style}")]
        parts += [Content(sanitise(text.replace("\n", " "))) for text in (said.why, said.next) if text]
        shown.update(Content(" ").join(parts))

    # Panes

    def action_pane(self, step: int) -> None:
        """The focus goes to the next pane; on a narrow screen its page comes with it."""
        order = list(_PAGES)
        focused = self.focused.id if self.focused is not None and self.focused.id in _PAGES else order[0]
        self.show_pane(order[(order.index(focused) + step) % len(order)])

    def show_pane(self, pane: str) -> None:
        """Bring a pane to the screen, with the focus."""
        self.remove_class(f"-page-{self._page}")
        self._page = _PAGES[pane]
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
        if action in ("retry", "pause"):
            if self.session.read_only:
                return False
            if self._seen is None:
                return None
            if action == "pause":
                return True if self._seen.endpoint is not None else None
            return None if self._seen.delivery.state is DeliveryState.SENDING else True
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        self.app.pop_screen()

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_retry(self) -> None:
        if self._seen is not None and await retry_deliveries(self.app, DeliveryFilter(ids=(self.delivery_id,))):
            self._read_anew()

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_pause(self) -> None:
        if (
            self._seen is not None
            and self._seen.endpoint is not None
            and await pause_or_resume(self.app, self._seen.endpoint)
        ):
            self._read_anew()

    def _read_anew(self) -> None:
        if self.is_mounted:
            self.load()

    def action_copy_id(self) -> None:
        if self._seen is not None:
            event_id = self._seen.event.id
            sent = clipboard.send_from(self.app, event_id, f"event id {event_id}")
            say(self.app, sent.words, warn=not sent.ok)

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_copy_curl(self) -> None:
        attempt, seen = self.current_attempt, self._seen
        exchange = self._exchanges.get(attempt.id) if attempt is not None else None
        if attempt is None or seen is None or exchange is None:
            say(self.app, "No request is recorded here to copy", warn=True)
            return
        command = as_curl(exchange.request_headers, exchange.url, seen.event.payload)
        sent = clipboard.send_from(self.app, command, f"curl of attempt {attempt.number}, secrets redacted,")
        say(self.app, sent.words, warn=not sent.ok)
        if not sent.ok:
            await self._save_as("the curl command", (command + "\n").encode(), (seen.event.id, "curl.sh"))

    @work(exclusive=True, group="steering", exit_on_error=False)
    async def action_save(self) -> None:
        """The response of the chosen attempt while its pane has the focus, else the payload."""
        seen, attempt = self._seen, self.current_attempt
        if seen is None:
            return
        exchange = self._exchanges.get(attempt.id) if attempt is not None else None
        if self.focused is self.query_one(ReadingView) and attempt is not None and exchange is not None:
            what = f"the response to attempt {attempt.number}"
            name = (seen.event.id, format_number("att", attempt.id), "response")
            await self._save_as(what, exchange.response_body, name)
        else:
            await self._save_as("the payload", seen.event.payload, (seen.event.id, "payload.json"))

    async def _save_as(self, what: str, data: bytes, name: tuple[str, ...]) -> None:
        proposed = clipboard.save_folder(os.environ) / clipboard.file_name(*name)
        body = [f"{size(len(data))}, in a new file that only you can read."]
        path = await self.app.push_screen_wait(
            PromptScreen(f"Save {what}", body, value=str(proposed), required=True, max_length=4096)
        )
        if path is None:
            return
        try:
            saved = clipboard.save(Path(path), data)
        except ConsoleError as error:
            complain(self.app, error)
            return
        say(self.app, f"{what} saved to {saved}")
