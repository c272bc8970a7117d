"""One request that came in: what became of it and why, its headers and query, its body, and sending it again."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.domain.errors import ConsoleError
from console.domain.ids import format_number
from console.domain.inbound import Arrival, InboxFilter, RequestId
from console.domain.status import EngineStatus
from console.store import Store
from console.ui import exporting
from console.ui.arrival_lines import Seen, explanation, masked_arrival, raw_lines, read_arrival, request_lines
from console.ui.curl import as_curl
from console.ui.format import one_line
from console.ui.inbox_rows import whole_path
from console.ui.layered import LayeredScreen
from console.ui.messages import MomentChanged
from console.ui.payload_pane import PayloadPane, PayloadTree
from console.ui.session import Session
from console.ui.status import crumbs_below, past_ms, past_words, status_line
from console.ui.steering import complain, say, session_of
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.reading_view import ReadingView

LOOK_EVERY_S = 0.5
PANES = {"request": "request", "payload": "body"}
"""Each pane by what has the focus in it, and the page that shows it on a narrow screen."""


class ArrivalScreen(LayeredScreen[None]):
    """A request in full. It never changes; where its event stands does."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Screen declares it
        (0, "-narrow"),
        (100, "-wide"),
    ]
    AUTO_FOCUS = "#request"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "replay", "Replay", id="arrival.replay", tooltip="Send it again, to an endpoint or a URL"),
        Binding("enter", "event_here", "Event", id="arrival.event", tooltip="The event that came of it"),
        Binding("e", "event", "Event", show=False, id="arrival.event-anywhere"),
        Binding("tab", "pane(1)", "Pane", id="arrival.pane", tooltip="Next pane"),
        Binding("v", "raw", "Raw", id="arrival.raw", tooltip="As on the wire, or readable"),
        Binding("m", "mask", "Mask", id="arrival.mask", tooltip="Hide all values, or show them"),
        Binding("y", "copy_id", "Id", id="arrival.copy-id", tooltip="Copy the id of the request"),
        Binding("Y", "copy_curl", "curl", id="arrival.copy-curl", tooltip="Copy as curl, secrets redacted"),
        Binding("w", "save", "Save", id="arrival.save", tooltip="Save the body to a file"),
        Binding("left_square_bracket", "step(-1)", "Newer request", show=False, id="arrival.newer"),
        Binding("right_square_bracket", "step(1)", "Older request", show=False, id="arrival.older"),
        Binding("shift+tab", "pane(-1)", "Pane before", show=False, id="arrival.pane-before"),
        Binding("escape,q", "back", "Back", id="arrival.back"),
    ]

    def __init__(self, request_id: RequestId, where: InboxFilter | None = None) -> None:
        """`where`: among which requests the next and the one before are looked for."""
        super().__init__()
        self.request_id, self._where = request_id, where or InboxFilter()
        self._seen: Seen | None = None
        self._engine: EngineStatus | None = None
        self._read_at_s: float | None = None
        self._version: int | None = None
        self._urls: tuple[str, ...] = ()
        self._trouble = ""
        self._page, self._raw = "request", False

    @property
    def session(self) -> Session:
        return session_of(self.app)

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        return (*crumbs_below(self), format_number("req", self.request_id))

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield Static(id="explanation")
        yield Static(id="pages")
        with Horizontal(id="panes"):
            with Vertical(id="request-pane", classes="pane"):
                yield Static("Request", classes="pane--title")
                yield ReadingView(id="request")
            yield PayloadPane(id="body-pane", classes="pane")
        yield KeyBar()

    def on_mount(self) -> None:
        self.add_class(f"-page-{self._page}")
        self.query_one("#explanation", Static).update(Content("Reading…"))
        self._say_status()
        self._say_pages()
        self.set_interval(LOOK_EVERY_S, self._tick)
        self.load()

    def _tick(self) -> None:
        if self.counts_tick():
            self._say_status()
            self.load()

    def on_screen_resume(self) -> None:
        self._tick()
        self.query_one(KeyBar).say_keys()

    def on_resize(self) -> None:
        self._say_status()

    def on_moment_changed(self, message: MomentChanged) -> None:
        self._say_status()
        self.refresh_bindings()

    def _say_status(self) -> None:
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, self._engine, self._read_at_s, self.size.width, past=past_words(self.app)
        )

    # Reading

    @work(exclusive=True, group="arrival", exit_on_error=False)
    async def load(self) -> None:
        """Read it, and again where its event stands when anything was committed."""
        known, number = self._version, self.request_id

        def read(store: Store) -> tuple[int, EngineStatus | None, tuple[str, ...], Seen | None]:
            version = store.data_version()
            seen = None if version == known else read_arrival(store, number)
            return version, store.engine_status(), tuple(store.listening()), seen

        try:
            self._version, self._engine, self._urls, seen = await self.session.read(read)
        except ConsoleError as error:
            self._trouble, self._version = str(error), None
            self.query_one("#explanation", Static).update(
                Content.styled(f"✗ {one_line(self._trouble, 400)}", "$text-error")
            )
            return
        self._read_at_s = self.session.clock.monotonic_s()
        if seen is not None and seen != self._seen and number == self.request_id:
            self._seen = seen
            self._show()
        self._say_status()

    @property
    def _arrival(self) -> Arrival | None:
        """The request, as it may be shown."""
        if self._seen is None:
            return None
        return masked_arrival(self._seen.arrival) if self.session.masked else self._seen.arrival

    def _show(self, *, from_top: bool = False) -> None:
        seen, arrival = self._seen, self._arrival
        if seen is None or arrival is None:
            return
        self.query_one("#explanation", Static).update(explanation(seen))
        lines = raw_lines(arrival) if self._raw else request_lines(arrival, seen)
        self.query_one("#request", ReadingView).show(lines, from_top=from_top)
        pane = self.query_one(PayloadPane)
        pane.show(arrival.body)
        pane.say_title(f"Body {seen.row.content_type or ''}" if arrival.body else "Body: there is none")
        title = "As it came" if self._raw else "Request"
        self.query_one("#request-pane .pane--title", Static).update(Content(title))
        self.refresh_bindings()

    # Panes

    def _say_pages(self) -> None:
        shown = [
            Content.styled(f" {words} ", "reverse bold" if page == self._page else "$text-muted")
            for page, words in (("request", "Request"), ("body", "Body"))
        ]
        self.query_one("#pages", Static).update(Content("  ").join(shown))

    def action_pane(self, step: int) -> None:
        """The focus goes to the next pane; on a narrow screen its page comes with it."""
        order = list(PANES)
        focused = self.focused.id if self.focused is not None and self.focused.id in PANES else order[0]
        self._show_pane(order[(order.index(focused) + step) % len(order)])

    def _show_pane(self, pane: str) -> None:
        if self._raw:
            self._set_raw(False)
        self.remove_class(f"-page-{self._page}")
        self._page = PANES[pane]
        self.add_class(f"-page-{self._page}")
        self._say_pages()
        self.call_after_refresh(self.query_one(f"#{pane}", Widget).focus)

    def action_raw(self) -> None:
        """All of it as it came, or readable."""
        if not self._raw:
            self._show_pane("request")
        self._set_raw(not self._raw)

    def _set_raw(self, raw: bool) -> None:
        self._raw = raw
        self.set_class(raw, "-raw")
        self._show(from_top=True)

    @work(exclusive=True, group="step", exit_on_error=False)
    async def action_step(self, step: int) -> None:
        """The request that came before this one, or after."""
        where, now = self._where, self.request_id

        def read(store: Store) -> RequestId | None:
            if step > 0:
                found = store.arrivals(where, limit=1, before=now)
            else:
                found = store.arrivals_after(now, where, limit=1)
            return found[0].id if found else None

        try:
            following = await self.session.read(read)
        except ConsoleError as error:
            complain(self.app, error)
            return
        if following is None:
            self.app.bell()
            return
        self.request_id, self._version = following, None
        self.load()

    # Acting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "replay":
            return not (self.session.read_only or past_ms(self.app) is not None)
        if action in ("event", "event_here"):
            # In the body Enter folds and unfolds.
            in_tree = action == "event_here" and isinstance(self.focused, PayloadTree)
            return self._seen is not None and self._seen.event is not None and not in_tree
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        self.app.pop_screen()

    def action_replay(self) -> None:
        """Send it again, to an endpoint or a URL."""
        from console.ui.replaying import replay_arrival

        self.app.run_worker(replay_arrival(self.app, self.request_id), group="replay", exclusive=True)

    def action_event_here(self) -> None:
        self.action_event()

    @work(exclusive=True, group="event", exit_on_error=False)
    async def action_event(self) -> None:
        """The delivery of its event to look at first."""
        from console.ui.inspection import delivery_of_event
        from console.ui.screens.inspector import InspectorScreen

        if self._seen is None or self._seen.event is None:
            return
        event_id = self._seen.event.id
        try:
            delivery = await self.session.read(lambda store: delivery_of_event(store, event_id))
        except ConsoleError as error:
            complain(self.app, error)
            return
        if delivery is None:
            say(self.app, f"{event_id} is owed to no endpoint: none wanted its type when it was accepted", warn=True)
        else:
            self.app.push_screen(InspectorScreen(delivery))

    def action_mask(self) -> None:
        self.session.masked = not self.session.masked
        self._show()
        self._say_status()
        hidden = "values are hidden on this screen, in copies and in files"
        say(self.app, hidden if self.session.masked else "values are shown")

    # What is taken away

    def action_copy_id(self) -> None:
        from console.ui import clipboard

        number = format_number("req", self.request_id)
        sent = clipboard.send_from(self.app, number, f"request id {number}")
        say(self.app, sent.words, warn=not sent.ok)

    @work(exclusive=True, group="export", exit_on_error=False)
    async def action_copy_curl(self) -> None:
        """The command that sends it to this source once more, without what is secret."""
        from console.ui import clipboard

        if (arrival := self._arrival) is None:
            return
        row = arrival.row
        query = f"?{row.query}" if row.query else ""
        url = f"{self._urls[0].rstrip('/') if self._urls else 'http://HOST'}{whole_path(row)}{query}"
        command = as_curl(arrival.headers, url, arrival.body, method=row.method)
        what = "curl of the request, " + ("values hidden" if self.session.masked else "secrets redacted")
        sent = clipboard.send_from(self.app, command, what)
        say(self.app, sent.words, warn=not sent.ok)
        if not sent.ok:
            name = (format_number("req", self.request_id), "curl.sh")
            await exporting.save_as(self.app, "the curl command", (command + "\n").encode(), name)

    @work(exclusive=True, group="export", exit_on_error=False)
    async def action_save(self) -> None:
        """The body, byte for byte, into a file."""
        if (arrival := self._arrival) is not None:
            masked = exporting.MASKED if self.session.masked else ""
            name = (format_number("req", self.request_id), "body")
            await exporting.save_as(self.app, f"the body{masked}", arrival.body, name)
