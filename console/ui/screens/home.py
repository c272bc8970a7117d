"""Home: how each endpoint stands, and every attempt as it is made."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, assert_never

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from console.config import store_path
from console.domain.endpoint import Endpoint
from console.domain.errors import ConsoleError
from console.domain.filters import AttemptFilter
from console.domain.ids import EndpointId
from console.domain.status import Gauge
from console.ui import format as fmt
from console.ui import guidance
from console.ui.held_back import HeldBack
from console.ui.live import Taken
from console.ui.messages import MomentChanged
from console.ui.screens.live_screen import LiveScreen
from console.ui.state import Look
from console.ui.widgets import attempt_tail, endpoint_table
from console.ui.widgets.attempt_tail import AttemptTail, Folded
from console.ui.widgets.endpoint_table import EndpointRow, EndpointTable, make_row, sorted_rows
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.domain.ids import AttemptId
    from console.domain.searching import SearchStatus
    from console.store import Store
    from console.ui.forecast_pane import ForecastPane
    from console.ui.heating import HeatStrips
    from console.ui.pane_filters import PaneFilters
    from console.ui.widgets.filter_bar import FilterBar

EMPTY_LINES = 8
"""What the endpoints take while there are none: room to say what to type."""


class HomeScreen(LiveScreen):
    """Endpoints above, the tail below. Enter on an endpoint narrows everything to it; Esc widens it again."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "#endpoints"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("F", "app.open_groups", "Failures", id="home.failures"),
        Binding("slash", "filter", "Filter", id="home.filter"),
        Binding("n", "new_endpoint", "New endpoint", id="home.new-endpoint"),
        Binding("z", "maximise", "Zoom", id="home.maximise"),
        Binding("s", "pause_view", "Pause view", id="home.pause-view"),
        Binding("escape,q", "back", "Back", id="home.back"),
        Binding("tab,shift+tab", "app.focus_next", "Other pane", show=False, id="home.other-pane"),
    ]

    def __init__(self, first: Taken | None = None) -> None:
        """`first`: what is shown from the first frame on."""
        super().__init__()
        self._first = first
        self._filters = {"endpoints": "", "tail": ""}
        self._asked: PaneFilters | None = None
        self._index = ""
        """What is to be said of the index of words, where texts are looked for."""
        """What the filters ask for; None until there is one."""
        self._paused_at_ms: int | None = None
        self._held = HeldBack()
        self._generation = 0
        self._read_once = False
        self._forecast: ForecastPane | None = None
        self._heat: HeatStrips | None = None
        self._was_painted = False

    def body(self) -> ComposeResult:
        yield TextLine(id="endpoints-title", classes="pane-title")
        yield EndpointTable(id="endpoints")
        yield TextLine(id="forecast")
        yield TextLine(id="tail-title", classes="pane-title")
        yield AttemptTail(id="tail")

    def on_mount(self) -> None:
        super().on_mount()
        self.watch(self._tail, "new_count", self._say_titles, init=False)
        self.watch(self._tail, "follow", self._say_titles, init=False)
        self._say_titles()
        self._recall(self.console.memory.look)
        if self._first is not None:
            self.take(self._first)
            self._first = None

    @property
    def _endpoints(self) -> EndpointTable:
        return self.query_one(EndpointTable)

    @property
    def _tail(self) -> AttemptTail:
        return self.query_one(AttemptTail)

    @property
    def crumbs(self) -> tuple[str, ...]:
        return ("Home", self._focus_name) if self.console.focus_on else ("Home",)

    @property
    def _focus_name(self) -> str:
        snapshot, focus = self.console.snapshot, self.console.focus_on
        names = {e.id: e.name for e in snapshot.endpoints} if snapshot else {}
        return names.get(focus, str(focus)) if focus else ""

    # Data

    def take(self, taken: Taken) -> None:
        if not self.query(AttemptTail):
            return  # data came before the screen was composed, or after it was left
        if self._paused_at_ms is not None or self.is_beneath:
            self._hold(taken)
            return
        self._show_held()
        self._show_attempts(taken)
        self._show_endpoints()

    def tick(self) -> None:
        if self._paused_at_ms is None:
            self._look_at_heat()
            self._show_held()
            self._show_endpoints()
        self._was_painted = True  # the first tick is before

    def _look_at_heat(self) -> None:
        """Where there is room for it; not for the first frame."""
        if self._heat is None and self._was_painted and self.size.width >= endpoint_table.HEAT_FROM:
            from console.ui.heating import HeatStrips

            self._heat = HeatStrips(self.console)
        if self._heat is not None:
            self._heat.look(self.size.width)

    def _show_attempts(self, taken: Taken) -> None:
        model = self._tail.model
        if taken.generation != self._generation:
            self._generation = taken.generation
            model.clear()
            self._tail.follow = True
        elif not taken.attempts and not taken.passed and not taken.skipped and self._read_once:
            return
        question = self._asked.question(taken.attempts) if self._asked else None
        if question is not None:
            self._show_when_answered(taken, question)
            return
        self._add_attempts(taken)

    def _add_attempts(self, taken: Taken) -> None:
        model = self._tail.model
        added = model.take(
            taken.attempts,
            skipped=taken.skipped,
            passed=taken.passed,
            now_ms=self.console.now_ms,
            following=self._tail.follow,
        )
        if taken.snapshot is not None:
            self._read_once = True
            self._tail.empty = self._empty_tail()
        self._tail.model_changed(added=added)
        self._say_titles()

    def _empty_tail(self) -> str:
        if self._filters["tail"]:
            return "No attempt matches. Esc clears the filter."
        if self.console.focus_on:
            return attempt_tail.EMPTY_HERE
        return guidance.no_attempts(self._standing)

    @property
    def _standing(self) -> guidance.Standing:
        console, snapshot = self.console, self.console.snapshot
        named = console.session.path
        return guidance.Standing(
            read_only=console.session.read_only,
            live=console.moment is None,
            engine_alive=snapshot is None or guidance.alive(snapshot.engine, self.clock.now_ms()),
            pending=snapshot.pending if snapshot else 0,
            store=None if named == store_path(None) else named,
        )

    def _guide(self) -> None:
        """Say what to do first while there is no endpoint, in place of two empty tables."""
        snapshot = self.console.snapshot
        nothing = snapshot is not None and not snapshot.endpoints
        changed = nothing is not self.has_class("-first-run")
        if changed:
            self.set_class(nothing, "-first-run")
            self._endpoints.disabled = self._tail.disabled = nothing  # nor can they be reached
        if nothing:
            from console.ui.widgets.guide import Guide

            if changed:
                self.mount(Guide("Nothing is set up yet", id="guide"), after="#tail")
            for guide in self.query(Guide):
                guide.show(guidance.no_endpoints(self._standing))
        elif changed:
            self.query("#guide").remove()
            self._endpoints.focus()

    def _show_endpoints(self) -> None:
        snapshot = self.console.snapshot
        if snapshot is None:
            if self.console.trouble:
                self._endpoints.empty = "nothing could be read"
                self._endpoints.refresh()
            return
        rates, now_ms = snapshot.rates, self.console.now_ms
        asked, focus = self._asked, self.console.focus_on
        if asked is not None and asked.know(snapshot.endpoints, now_ms):
            self._filter_tail()
        rows = [
            make_row(
                endpoint,
                snapshot.gauges.get(endpoint.id, Gauge()),
                rates.by_endpoint.get(endpoint.id),
                elapsed_s=rates.elapsed_s,
                now_ms=now_ms,
                counted=endpoint.id not in snapshot.uncounted,
                state_known=endpoint.id not in snapshot.unknown_states,
                heat=self._heat.of(endpoint.id) if self._heat else "",
            )
            for endpoint in snapshot.endpoints
            if (focus is None or endpoint.id == focus) and (asked is None or asked.has_endpoint(endpoint))
        ]
        table = self._endpoints
        table.empty = (
            "No endpoint matches. Esc clears the filter." if self._filters["endpoints"] else endpoint_table.EMPTY
        )
        self._fit_endpoints(len(snapshot.endpoints))
        self._guide()
        table.show(sorted_rows(rows, table.sort))
        self._look_ahead(table.current)
        self._say_titles()

    def _look_ahead(self, row: EndpointRow | None) -> None:
        """Say when the current endpoint's backlog is drained."""
        if self._forecast is None and row is not None and row.pending:
            from console.ui.forecast_pane import ForecastPane

            self._forecast = ForecastPane(self, "forecast")
        if self._forecast is not None:
            self._forecast.look(row)

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        if event.table is self._endpoints and self.console.snapshot is not None:
            self._look_ahead(event.row)

    def _fit_endpoints(self, known: int) -> None:
        """As high as the endpoints need, so that the tail has the rest; the style says at most how high."""
        known = 1 if self.console.focus_on is not None else known
        lines = known + 1 if known else EMPTY_LINES
        self._endpoints.styles.height = "1fr" if self.has_class("-only-endpoints") else lines

    def _say_titles(self) -> None:
        snapshot, table, tail = self.console.snapshot, self._endpoints, self._tail
        parts = ["Endpoints"]
        if snapshot is not None:
            known = len(snapshot.endpoints)
            parts.append(f"{known}" if len(table.rows) == known else f"{len(table.rows)} of {known}")
        if table.marks:
            parts.append(f"{len(table.marks)} marked")
        self._title("endpoints", parts)
        state = "following" if tail.follow else "released"
        if self.console.moment is not None:
            state = f"until {fmt.clock_time(self.console.now_ms)[:8]}"
        elif tail.new_count:
            state = f"{fmt.exact(tail.new_count)} new · G resumes"
        parts = ["Attempts", state]
        if tail.model.folded:
            folded = fmt.counted(tail.model.folded, "success", "successes")
            parts.append(f"over {attempt_tail.FOLD_ABOVE}/s: {folded} counted · Enter lists a second")
        if self._asked is not None and self._asked.attempts.texts and self._index:
            parts.append(self._index)
        self._title("tail", parts)

    def _title(self, pane: str, parts: list[str]) -> None:
        if self._filters[pane]:
            parts.append(f"/{fmt.inline(self._filters[pane])}")
        head, *rest = parts
        tail = "".join(f" · {part}" for part in rest)
        self.query_one(f"#{pane}-title", TextLine).line = Content.assemble((f" {head}", "bold"), tail)

    def on_moment_changed(self, message: MomentChanged) -> None:
        # A view that was paused in one moment says nothing of another.
        self._paused_at_ms = None
        self._held.forget()
        self.say_warning()

    # A paused view

    @property
    def warning(self) -> str:
        if self._paused_at_ms is None:
            return guidance.held_up(self._standing)
        since = fmt.clock_time(self._paused_at_ms)[:8]
        return f"‖ VIEW PAUSED at {since} · {fmt.counted(self._held.count, 'attempt', 'attempts')} since · s goes on"

    def _hold(self, taken: Taken) -> None:
        self._held.hold(taken)
        if not self.is_beneath:
            self.say_warning()

    def _show_held(self) -> None:
        """Show what came while the view was paused or covered."""
        if (taken := self._held.let_go()) is not None:
            self._show_attempts(taken)

    def action_pause_view(self) -> None:
        """Stop the tables, or let them go on with all that came meanwhile."""
        if self._paused_at_ms is None:
            self._paused_at_ms, self._held.count = self.clock.now_ms(), 0
        else:
            self._paused_at_ms = None
            self._show_held()
            self._show_endpoints()
        self.say_warning()

    # Panes, filters, going back

    def action_maximise(self) -> None:
        which = "-only-tail" if self.focused is self._tail else "-only-endpoints"
        if self._maximised:
            self.remove_class("-only-tail", "-only-endpoints")
        else:
            self.add_class(which)
        self._show_endpoints()
        self.refresh_bindings()

    @property
    def _maximised(self) -> bool:
        return self.has_class("-only-tail") or self.has_class("-only-endpoints")

    async def action_filter(self) -> None:
        from console.ui.widgets.filter_bar import FilterBar

        self._filtered = "tail" if self.focused is self._tail else "endpoints"
        if self.query(FilterBar):
            return
        from console.ui.pane_filters import PLACEHOLDERS

        pane, desk, snapshot = self._filtered, self.console.filters, self.console.snapshot
        desk.read_saved()
        if desk.trouble is not None:
            self.console.complain(desk.trouble)
        types = {attempt.event_type for attempt in self._tail.model.known}
        bar = FilterBar(
            self._filters[pane],
            placeholder=PLACEHOLDERS[pane],
            check=lambda text: self._questions.understood(pane, text, self.console.now_ms),
            vocabulary=desk.words(
                "attempts" if pane == "tail" else pane, snapshot.endpoints if snapshot else (), types
            ),
            history=desk.history,
            parts=pane == "endpoints",
        )
        await self.mount(bar, before="KeyBar")

    @property
    def _questions(self) -> "PaneFilters":
        """What the filters ask for; made for the first one."""
        if self._asked is None:
            from console.ui.pane_filters import PaneFilters

            self._asked = PaneFilters(self.console.filters)
            if self.console.snapshot is not None:
                self._asked.know(self.console.snapshot.endpoints, self.console.now_ms)
        return self._asked

    def on_filter_bar_changed(self, event: "FilterBar.Changed") -> None:
        self._set_filter(self._filtered, event.text)
        if event.closed:
            self.console.filters.remember(event.text)
            self.query_one(f"#{self._filtered}").focus()

    def on_filter_bar_save_requested(self, event: "FilterBar.SaveRequested") -> None:
        self.run_worker(self.console.filters.save_from(self, event.text), group="save", exclusive=True)

    def _set_filter(self, pane: str, text: str) -> None:
        self._filters[pane] = text
        self._questions.ask(pane, text, self.console.now_ms)
        if pane == "tail":
            self._filter_tail()
        self._show_endpoints()
        self._say_titles()
        self.refresh_bindings()

    def _filter_tail(self) -> None:
        """Show what the tail's filter asks for; of texts the store is asked first."""
        model = self._tail.model
        model.filter(self._questions.wanted)
        self.console.feed.read_whole(model.wanted is not None)
        self._tail.empty = self._empty_tail()
        self._tail.model_changed()
        self._tail.ask("newest")  # in all that there is, not only in what is loaded
        question = self._questions.question(model.known)
        if question is not None:
            self._show_when_answered(None, question)

    @work(group="texts")
    async def _show_when_answered(self, taken: Taken | None, question: "Callable[[Store], set[AttemptId]]") -> None:
        """Show attempts, or those that are known, once it is known in which of them the texts are."""
        asked = self._questions
        now_ms = self.console.now_ms
        try:
            said, index = await self.console.session.read(lambda store: (question(store), store.search_status(now_ms)))
        except ConsoleError as error:
            self.console.complain(error)
            return
        asked.learn(said)
        self._say_index(index)
        if taken is not None:
            self._add_attempts(taken)
        else:
            self._tail.model.filter(asked.wanted)
            self._tail.model_changed()

    def _say_index(self, status: "SearchStatus | None") -> None:
        """Say how far the index of words is behind, where it is."""
        from console.ui.failure_search import index_words

        words = index_words(status)
        if words != self._index:
            self._index = words
            self._say_titles()

    def action_back(self) -> None:
        """Undo the innermost thing: a filter here, then a maximised pane, then the narrowing to one endpoint."""
        pane = "tail" if self.focused is self._tail else "endpoints"
        if self._filters[pane]:
            self._set_filter(pane, "")
        elif self._maximised:
            self.action_maximise()
        elif self.console.focus_on is not None:
            self._focus_on(None)
        elif any(self._filters.values()):
            self._set_filter("endpoints" if pane == "tail" else "tail", "")

    @property
    def can_go_back(self) -> bool:
        """Whether Esc and q have something to undo here."""
        narrowed = self.console.focus_on is not None or any(self._filters.values())
        return narrowed or self._maximised

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "back":
                return self.can_go_back
            case "new_endpoint":
                return not self.console.read_only
            case _:
                return super().check_action(action, parameters)

    def _focus_on(self, endpoint: EndpointId | None) -> None:
        self.console.look_at(focus=endpoint)
        self.refresh_bindings()
        self._show_endpoints()
        self.say_status()
        (self._endpoints if endpoint is None else self._tail).focus()

    # As it was left

    def as_left(self, look: Look) -> Look:
        """A look with how this screen is."""
        zoom = "tail" if self.has_class("-only-tail") else "endpoints" if self.has_class("-only-endpoints") else None
        return replace(look, filters=dict(self._filters), sort=self._endpoints.sort, zoom=zoom)

    def _recall(self, look: Look) -> None:
        """Look as it was left, where that can be told."""
        if look.zoom in self._filters:
            self.add_class(f"-only-{look.zoom}")
            self.query_one(f"#{look.zoom}").focus()
        sortable = {column.key for column in self._endpoints.columns if column.sortable}
        if look.sort is not None and look.sort[0] in sortable:
            self._endpoints.sort = look.sort
        for pane, text in look.filters.items():
            if text and pane in self._filters:
                self._set_filter(pane, fmt.inline(text))

    # What the tables ask for

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        if isinstance(event.row, EndpointRow):
            if self.console.focus_on is None:
                self._focus_on(event.row.id)
            else:
                self._tail.focus()
        elif not isinstance(event.row, Folded):
            self.console.inspect(event.row.delivery_id, event.row.id)

    def on_attempt_tail_page_wanted(self, event: AttemptTail.PageWanted) -> None:
        self.run_worker(self._bring(event.kind), group="tail", exclusive=True)

    def on_attempt_tail_fold_opened(self, event: AttemptTail.FoldOpened) -> None:
        self.run_worker(self._bring(event.fold), group="tail", exclusive=True)

    async def _bring(self, what: attempt_tail.PageKind | Folded) -> None:
        """A page of the tail, or what one of its counts holds."""
        from console.ui.tail_pages import bring_fold, bring_page

        where = self._asked.attempts if self._asked is not None else AttemptFilter()
        if self.console.focus_on is not None:
            where = replace(where, endpoints=(self.console.focus_on,))
        if self.console.moment is not None:
            where = replace(where, until_ms=self.console.moment.at_ms)
        try:
            if isinstance(what, Folded):
                await bring_fold(self.console.session, self._tail, what, where)
            else:
                await bring_page(self.console.session, self._tail, what, where, self._questions.learn)
        except ConsoleError as error:
            self.console.complain(error)

    def on_line_table_marks_changed(self, event: LineTable.MarksChanged) -> None:
        self._say_titles()

    def on_line_table_sort_changed(self, event: LineTable.SortChanged) -> None:
        self._show_endpoints()

    def on_endpoint_table_pause_requested(self, event: EndpointTable.PauseRequested) -> None:
        self.run_worker(self._pause_or_resume(event.rows), group="pause", exclusive=True)

    def action_new_endpoint(self) -> None:
        from console.ui.endpoint_acts import add_endpoint

        self.run_worker(add_endpoint(self.app), group="form", exclusive=True)

    def on_endpoint_table_requested(self, event: EndpointTable.Requested) -> None:
        endpoint = self.console.endpoint(event.row.id)
        if endpoint is not None:
            self.run_worker(self._do(event.what, endpoint), group="endpoint", exclusive=True)

    async def _do(self, what: endpoint_table.Request, endpoint: Endpoint) -> None:
        """What was asked for; each brings its own modules."""
        from console.ui import endpoint_acts, steering

        match what:
            case "edit":
                await endpoint_acts.edit_endpoint(self.app, endpoint)
            case "test":
                await steering.send_test_event(self.app, endpoint)
            case "rotate":
                await endpoint_acts.rotate(self.app, endpoint)
            case "shape":
                await endpoint_acts.shape_endpoint(self.app, endpoint)
            case "skip":
                await steering.skip_head(self.app, endpoint)
            case _:
                assert_never(what)
        self.console.feed.look_now()

    async def _pause_or_resume(self, rows: tuple[EndpointRow, ...]) -> None:
        from console.ui.pausing import pause_or_resume

        endpoints = [endpoint for row in rows if (endpoint := self.console.endpoint(row.id)) is not None]
        if endpoints and await pause_or_resume(self.app, *endpoints):
            self._endpoints.marks = ()
            self.console.feed.look_now()
