"""What else an endpoint got around the time of one attempt."""

from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from console.domain.delivery import Attempt
from console.domain.errors import ConsoleError
from console.domain.filters import AttemptFilter, AttemptPage
from console.domain.ids import AttemptId
from console.store import Store
from console.ui.format import clock_time, counted, duration, inline
from console.ui.inspection import Inspection
from console.ui.layered import LayeredScreen
from console.ui.messages import MomentChanged
from console.ui.past import as_of
from console.ui.session import Session
from console.ui.status import crumbs_below, past_ms, past_words, status_line
from console.ui.steering import complain, session_of
from console.ui.widgets.attempt_list import attempt_cell
from console.ui.widgets.columns import Column
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.vocabulary import Cell

MOST_EACH_WAY = 500
"""Attempts before, and as many after, that are shown."""

SPANS_S = (60, 300, 900, 3600, 6 * 3600)

_COLUMNS = (
    Column(key="apart", title="APART", width=8, align="right"),
    Column(key="time", title="TIME", width=12),
    Column(key="outcome", title="OUTCOME", width=9),
    Column(key="cause", title="ANSWER", width=12),
    Column(key="took", title="TOOK", width=6, align="right"),
    Column(key="type", title="TYPE", width=12, flex=1),
    Column(key="number", title="TRY", width=3, align="right", priority=2),
    Column(key="event", title="EVENT", width=30, priority=1),
)


class RelatedList(LineTable[Attempt]):
    """Attempts of one endpoint, oldest first, with how far each is from the one that is looked at."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Open", id="related.open")]

    def __init__(self, centre: Attempt, **kw: Any) -> None:
        self._centre = centre
        self.found: ListSource[Attempt] = ListSource((), lambda attempt: attempt.id)
        super().__init__(
            _COLUMNS,
            source=self.found,
            row_key=lambda attempt: attempt.id,
            render_cell=self._cell,
            empty="Nothing else was sent to it then.",
            **kw,
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # There is nothing to do with marks here.
        return False if action in ("mark", "mark_range", "clear_marks") else super().check_action(action, parameters)

    def _cell(self, attempt: Attempt, key: str) -> Cell:
        here = attempt.id == self._centre.id
        match key:
            case "apart":
                apart = attempt.started_at_ms - self._centre.started_at_ms
                return ("here", "accent") if here else (f"{'+' if apart >= 0 else ''}{duration(apart)}", "muted")
            case "type":
                return attempt.event_type, "normal"
            case "number":
                return str(attempt.number), "muted"
            case "event":
                return attempt.event_id, "muted"
            case _:
                return attempt_cell(attempt, key)


class RelatedScreen(LayeredScreen[None]):
    """The neighbours of an attempt in time. Enter opens one."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "RelatedList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "span(-1)", "Shorter", key_display="[", id="related.shorter"),
        Binding("right_square_bracket", "span(1)", "Longer", key_display="]", id="related.longer"),
        Binding("escape,q", "back", "Back", id="related.back"),
    ]

    def __init__(self, seen: Inspection, attempt: Attempt) -> None:
        super().__init__()
        self.seen, self._attempt, self._span = seen, attempt, 1

    @property
    def session(self) -> Session:
        return session_of(self.app)

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        return (*crumbs_below(self), "Around that time")

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield Static(id="title")
        yield RelatedList(self._attempt)
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(1, self.say_status)
        self.say_status()
        self.load()

    def say_status(self) -> None:
        """Where this is, and how the engine was when it was opened."""
        read_at_s = self.session.clock.monotonic_s()
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, self.seen.engine, read_at_s, self.size.width, past=past_words(self.app)
        )

    def on_resize(self) -> None:
        self.say_status()

    def on_moment_changed(self, message: MomentChanged) -> None:
        self.load()

    @work(exclusive=True, exit_on_error=False)
    async def load(self) -> None:
        """Read the neighbours."""
        attempt, span_s, at_ms = self._attempt, SPANS_S[self._span], past_ms(self.app)
        try:
            found = await self.session.read(lambda store: read_related(store, attempt, span_s, at_ms))
        except ConsoleError as error:
            complain(self.app, error)
            return
        table = self.query_one(RelatedList)
        table.found.replace(found)
        table.rows_changed()
        table.move_to(attempt.id)
        failed = sum(other.cause is not None for other in found)
        events = len({other.event_id for other in found})
        words = (
            f"{attempt.endpoint_name}, {duration(span_s * 1000)} before and after "
            f"{clock_time(attempt.started_at_ms)}: {counted(len(found), 'attempt', 'attempts')}, {failed:,} failed, "
            f"of {counted(events, 'event', 'events')}"
        )
        if at_ms is not None:
            words += f", as they stood {clock_time(at_ms)[:8]}"
        more = "; only the nearest are shown" if len(found) >= 2 * MOST_EACH_WAY else ""
        self.query_one("#title", Static).update(Content(inline(words + more)))

    def action_span(self, step: int) -> None:
        """Look less or more far to both sides."""
        self._span = max(0, min(len(SPANS_S) - 1, self._span + step))
        self.load()

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        from console.ui.screens.inspector import InspectorScreen

        attempt: Attempt = event.row
        if attempt.id == self._attempt.id:
            self.app.pop_screen()
        else:
            self.app.push_screen(InspectorScreen(attempt.delivery_id, attempt.id))

    def action_back(self) -> None:
        self.app.pop_screen()


def read_related(store: Store, attempt: Attempt, span_s: int, at_ms: int | None = None) -> list[Attempt]:
    """Attempts of the same endpoint that began less than `span_s` before or after this one, oldest first; as they stood
    at the end of `at_ms`, when that is given."""
    around_ms = span_s * 1000
    until_ms = attempt.started_at_ms + around_ms + 1
    where = AttemptFilter(
        endpoints=(attempt.endpoint_id,),
        since_ms=attempt.started_at_ms - around_ms,
        until_ms=until_ms if at_ms is None else min(until_ms, at_ms + 1),
    )
    before = store.attempts(where, AttemptPage(limit=MOST_EACH_WAY, before=AttemptId(attempt.id + 1)))
    after = store.attempts(where, AttemptPage(limit=MOST_EACH_WAY, after=attempt.id))
    found = [*before, *after]
    return found if at_ms is None else [as_of(other, at_ms) for other in found]
