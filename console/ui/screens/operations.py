"""The audit log: who did what, when, on what, why, and what came of it."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, Static

from console.domain.errors import ConsoleError, ReadInterruptedError
from console.domain.ids import OperationId, format_number
from console.domain.operation import Operation
from console.domain.status import EngineStatus
from console.ui.audit import PAGE, Audit, as_then, matches, operation_lines, read_newer, result_cell, what_words
from console.ui.audit_details import Details, read_details
from console.ui.format import ABSENT, clock_time, date_time, exact, one_line
from console.ui.layered import LayeredScreen
from console.ui.messages import MomentChanged
from console.ui.session import Session
from console.ui.status import crumbs_below, past_ms, past_words, status_line
from console.ui.steering import complain, session_of
from console.ui.widgets.columns import Column
from console.ui.widgets.facts import FactsScreen
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.safe_input import SafeInput
from console.ui.widgets.vocabulary import Cell

LOOK_EVERY_S = 0.5

NONE_YET = (
    "Nobody has done anything yet.\n\n"
    "What is paused, retried, edited or sent by hand, here or in a shell,\n"
    "is listed with who did it, when, and what came of it."
)
MOST_WATCHERS = 3

_AHEAD = 50
"""Rows below the screen that are loaded before they are wanted."""

_COLUMNS = (
    Column(key="when", title="WHEN", width=14),
    Column(key="who", title="WHO", width=10, flex=2),
    Column(key="what", title="WHAT", width=11),
    Column(key="target", title="TARGET", width=12, flex=3),
    Column(key="reason", title="REASON", width=9, flex=3),
    Column(key="result", title="RESULT", width=15, flex=2),
)


class OperationsScreen(LayeredScreen[None]):
    """What operators did, newest first; older pages are read as they are scrolled to."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "LineTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="operations.filter"),
        Binding("x", "stop_operation", "Stop", id="operations.stop"),
        Binding("u", "undo", "Undo", id="operations.undo"),
        Binding("escape", "back", "Back", id="operations.back"),
        Binding("q", "leave", "Back", show=False, id="operations.leave"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._audit = Audit()
        self._source = _Source(self._want)
        self._filter = ""
        self._version: int | None = None
        self._engine: EngineStatus | None = None
        self._read_at_s: float | None = None

    @property
    def session(self) -> Session:
        return session_of(self.app)

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield Static(id="title")
        yield Static(id="watchers")
        yield LineTable(
            _COLUMNS,
            source=self._source,
            row_key=lambda operation: operation.id,
            render_cell=operation_cell,
            empty="Reading…",
        )
        yield SafeInput(
            placeholder="words of a row, or who:ada kind:pause endpoint:crm why:deploy result:…", id="filter"
        )
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self._say_title()
        self._say_status()
        self.set_interval(LOOK_EVERY_S, self._tick)
        self.load()

    def _tick(self) -> None:
        if self.counts_tick():
            self._say_status()
            self.load()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        return (*crumbs_below(self), "Operations")

    def _say_status(self) -> None:
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, self._engine, self._read_at_s, self.size.width, past=past_words(self.app)
        )

    def on_screen_resume(self) -> None:
        self._tick()
        self.query_one(KeyBar).say_keys()

    def on_resize(self) -> None:
        self._say_status()

    @property
    def table(self) -> LineTable[Operation]:
        return self.query_one(LineTable)

    # Reading

    @work(exclusive=True, group="newer", exit_on_error=False)
    async def load(self) -> None:
        """Read what was done since, when anything was committed."""
        known, newest, unfinished = self._version, self._audit.newest, self._audit.unfinished
        try:
            version = await self.session.read(lambda store: store.data_version())
            if version == known:
                self._read_at_s = self.session.clock.monotonic_s()
                self._say_status()
                return
            self._engine = await self.session.read(lambda store: store.engine_status())
            found = await self.session.read(lambda store: read_newer(store, newest, unfinished))
        except ConsoleError as error:
            self._version = None
            self._say_title(str(error))
            return
        self._version, self._read_at_s = version, self.session.clock.monotonic_s()
        self._say_status()
        first_page = newest is None
        if first_page:
            self._audit.complete = len(found) < PAGE
        if self._audit.take(found) or first_page:
            self._show()
        else:
            self._say_title()

    def _want(self, last: int) -> None:
        """Rows up to `last` are on the screen."""
        if not self._audit.complete and last + _AHEAD >= self._source.count:
            self.call_later(self.load_older)

    @work(group="older", exit_on_error=False)
    async def load_older(self) -> None:
        """Read the next page, and more of them while too few rows match the filter."""
        if self._reading_older:
            return
        self._reading_older = True
        try:
            while not self._audit.complete:
                page = await self._read_before(self._audit.oldest)
                self._audit.complete = len(page) < PAGE
                self._audit.take(page)
                self._show()
                if self._source.count > self.table.last_visible + _AHEAD:
                    return
        except ConsoleError as error:
            self._say_title(str(error))
        finally:
            self._reading_older = False

    async def _read_before(self, oldest: OperationId | None) -> list[Operation]:
        return await self.session.read(lambda store: store.operations(limit=PAGE, before=oldest))

    _reading_older = False

    def _show(self) -> None:
        then_ms = past_ms(self.app)
        rows = self._audit.rows if then_ms is None else as_then(self._audit.rows, then_ms)
        self._source.replace([row for row in rows if matches(row, self._filter)] if self._filter else rows)
        self.table.empty = "Nothing matches the filter." if self._filter else NONE_YET
        self.table.rows_changed()
        self._say_title()
        if self._filter or then_ms is not None:
            self._want(self.table.last_visible)

    def on_moment_changed(self, message: MomentChanged) -> None:
        """What was done by another moment is listed from now on."""
        self._say_status()
        self._show()

    def _say_title(self, trouble: str | None = None) -> None:
        shown = exact(self._source.count) + ("" if self._audit.complete else "+")
        parts: list[Content] = [Content("What was done"), Content.styled(f"  {shown}", "$text-muted")]
        if self._filter:
            parts.append(Content.styled(f"  filter: {one_line(self._filter, 60)}", "$text-accent"))
        if trouble is not None:
            parts.append(Content.styled(f"  ✗ {one_line(trouble, 200)}", "$text-error"))
        self.query_one("#title", Static).update(Content("").join(parts))
        self._say_watchers()

    def _say_watchers(self) -> None:
        """Who else has a console open here, and what they look at."""
        others = self.session.others
        shown = [
            f"{one_line(one.actor, 60)} · {one_line(one.place, 40)} · since {clock_time(one.since_ms)[:5]}"
            for one in others[:MOST_WATCHERS]
        ]
        if len(others) > MOST_WATCHERS:
            shown.append(f"and {len(others) - MOST_WATCHERS} more")
        line = self.query_one("#watchers", Static)
        line.display = bool(others)
        line.update(Content("also watching  " + "   ".join(shown)))

    # Keys

    def action_filter(self) -> None:
        box = self.query_one("#filter", SafeInput)
        box.display = True
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._filter = event.value.strip()
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self.table.focus()

    def action_stop_operation(self) -> None:
        if (operation := self.table.current) is not None:
            self._steer(operation, "stop")

    def action_undo(self) -> None:
        if (operation := self.table.current) is not None:
            self._steer(operation, "undo")

    @work(exclusive=True, group="steer")
    async def _steer(self, operation: Operation, verb: str) -> None:
        from console.ui.taking_back import stop_operation, undo_operation

        if await (stop_operation if verb == "stop" else undo_operation)(self.app, operation):
            self._version = None
            self.load()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("stop_operation", "undo") and (self.session.read_only or past_ms(self.app) is not None):
            return False
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Clear the filter; when there is none, leave."""
        box = self.query_one("#filter", SafeInput)
        if self._filter or box.display:
            box.value = ""
            self._close_filter()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        self.app.pop_screen()

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        self._open(event.row)

    @work(exclusive=True, group="details", exit_on_error=False)
    async def _open(self, operation: Operation) -> None:
        try:
            details = await self.session.read(lambda store: read_details(store, operation), group="details")
        except ReadInterruptedError:
            return
        except ConsoleError as error:
            complain(self.app, error)
            return
        await self.app.push_screen(OperationScreen(operation, details))


class OperationScreen(FactsScreen[None]):
    """One act in full."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", "Close", show=False, id="operation.close")]

    def __init__(self, operation: Operation, details: Details | None = None) -> None:
        super().__init__(f"Operation {format_number('op', operation.id)}", operation_lines(operation, details))


class _Source(ListSource[Operation]):
    """Rows in memory that says when its end comes near."""

    def __init__(self, wanted: Callable[[int], object]) -> None:
        super().__init__((), lambda operation: operation.id)
        self._wanted = wanted

    def want(self, first: int, last: int) -> None:
        self._wanted(last)


def operation_cell(operation: Operation, key: str) -> Cell:
    """What a cell says."""
    match key:
        case "when":
            return date_time(operation.started_at_ms)[5:19], "normal"
        case "who":
            return operation.actor, "normal"
        case "what":
            return what_words(operation), "strong"
        case "target":
            return operation.target, "normal"
        case "reason":
            return (operation.reason, "normal") if operation.reason else (ABSENT, "muted")
        case _:
            return result_cell(operation)
