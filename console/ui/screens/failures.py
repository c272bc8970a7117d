"""Failures: what failed or is being retried, why, and how to try it again."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from console.domain.delivery import Delivery, DeliveryState
from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId
from console.domain.outcome import Cause
from console.store import Store
from console.ui import format as fmt
from console.ui.filter_words import parse_filter
from console.ui.live import Taken
from console.ui.screens.live_screen import LiveScreen
from console.ui.widgets.failure_table import PAGE, FailureTable
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from console.ui.widgets.filter_bar import FilterBar

TROUBLED = DeliveryFilter(troubled=True)
STATE_FILTERS: tuple[tuple[str, tuple[DeliveryState, ...]], ...] = (
    ("all", ()),
    ("failed", (DeliveryState.FAILED,)),
    ("retrying", (DeliveryState.PENDING, DeliveryState.SENDING)),
)
READ_AGAIN_S = 1.0
"""The least time between two reads of the list while the store changes."""

READ_AGAIN_LONG_S = 10.0
"""The same, when many pages are loaded."""

NONE_MATCH = "Nothing matches. Esc clears the filter, x the state, c the cause."
NONE_AT_ALL = "Nothing has failed, and nothing waits for another try."


class FailuresScreen(LiveScreen):
    """Failed and retrying deliveries, newest first; `text` is a filter to begin with."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "#failures"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="failures.filter"),
        Binding("x", "cycle_state", "State", id="failures.state"),
        Binding("c", "cycle_cause", "Cause", id="failures.cause"),
        Binding("escape,q", "back", "Back", id="failures.back"),
    ]

    class Progress(Message):
        """So many deliveries were changed so far."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

        def can_replace(self, message: object) -> bool:
            return isinstance(message, FailuresScreen.Progress)

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._state_at = 0
        self._cause: Cause | None = None
        self._causes: frozenset[Cause | None] = frozenset()
        """Those in the list when it was last shown with all causes: what the key steps through."""
        self._acting = False
        self._busy = ""
        self._wrong = ""
        self._stale = False
        self._from_top, self._newer = True, False
        self._read_at_s = float("-inf")

    def body(self) -> ComposeResult:
        yield TextLine(id="failures-title", classes="pane-title")
        yield FailureTable(id="failures")

    def on_mount(self) -> None:
        super().on_mount()
        self.read_again()

    @property
    def _table(self) -> FailureTable:
        return self.query_one(FailureTable)

    @property
    def crumbs(self) -> tuple[str, ...]:
        return ("Home", "Failures")

    @property
    def warning(self) -> str:
        return self._busy or self._wrong

    @property
    def where(self) -> DeliveryFilter:
        """The filter of the list, and of what acts on all of it. Raises InvalidInputError."""
        snapshot = self.console.snapshot
        names = {e.id: e.name for e in snapshot.endpoints} if snapshot else {}
        where = parse_filter(self._text, names, TROUBLED)
        if self._cause is not None:
            where = replace(where, causes=(self._cause,))
        states = STATE_FILTERS[self._state_at][1]
        return replace(where, states=states) if states else where

    @property
    def _is_filtered(self) -> bool:
        return bool(self._text or self._state_at or self._cause)

    # Reading

    def take(self, taken: Taken) -> None:
        self._stale = True

    def tick(self) -> None:
        now_s = self.clock.monotonic_s()
        pace = READ_AGAIN_S if self._table.pages.count <= 4 * PAGE else READ_AGAIN_LONG_S
        if self._stale and now_s - self._read_at_s >= pace:
            self.read_again()  # which shows the ages too
        else:
            self._table.tick(self._now_ms)

    @property
    def _now_ms(self) -> int:
        """Whole seconds, so that every age moves at the same moment: one repaint a second."""
        return self.clock.now_ms() // 1000 * 1000

    def read_again(self) -> None:
        """Read all that is loaded once more, from the newest on."""
        self._stale, self._read_at_s = False, self.clock.monotonic_s()
        self._read()

    @work(exclusive=True, group="read")
    async def _read(self) -> None:
        pages = self._table.pages
        limit = max(PAGE, -(-pages.count // PAGE) * PAGE)
        # Away from the top, rows stay where they are: what is newer is announced, and not put above them.
        held = pages.first if self._table.cursor > 0 and not self._from_top else None
        before = None if held is None else DeliveryId(held + 1)

        def read(store: Store) -> tuple[list[Delivery], list[Delivery]]:
            newest = store.deliveries(where, limit=1) if held is not None else []
            return store.deliveries(where, limit=limit, before=before), newest

        try:
            where = self.where
            found, newest = await self.console.session.read(read)
        except ConsoleError as error:
            # One line, not a toast for every read.
            self._wrong = f"✗ {fmt.inline(str(error))}"
            self.say_warning()
            return
        self._wrong, self._from_top = "", False
        self._newer = held is not None and bool(newest) and newest[0].id > held
        self.say_warning()
        self._show(found, complete=len(found) < limit)

    def on_failure_table_more_wanted(self, event: FailureTable.MoreWanted) -> None:
        self._read_more()

    @work(exclusive=True, group="read")
    async def _read_more(self) -> None:
        pages = self._table.pages
        before = pages.last
        try:
            where = self.where
            more = await self.console.session.read(lambda store: store.deliveries(where, limit=PAGE, before=before))
        except ConsoleError as error:
            self.console.complain(error)
            return
        self._show([*pages.deliveries, *more], complete=len(more) < PAGE)

    def _show(self, found: list[Delivery], *, complete: bool) -> None:
        table = self._table
        table.empty = NONE_MATCH if self._is_filtered else NONE_AT_ALL
        table.show(found, complete=complete, now_ms=self._now_ms)
        if self._cause is None:
            self._causes = frozenset(delivery.last_cause for delivery in found)
        self._say_title()

    def _say_title(self) -> None:
        pages, table = self._table.pages, self._table
        parts = [f"{fmt.exact(pages.count)}{'' if pages.complete else '+'}", STATE_FILTERS[self._state_at][0]]
        if self._cause is not None:
            parts.append(self._cause)
        if self._text:
            parts.append(f"/{fmt.inline(self._text)}")
        if self._newer:
            parts.append("newer ones above, g shows them")
        if table.marks:
            parts.append(f"{fmt.exact(len(table.marks))} marked")
        line = Content.assemble((" Failures", "bold"), "".join(f" · {part}" for part in parts))
        self.query_one("#failures-title", TextLine).line = line

    # Filters

    async def action_filter(self) -> None:
        from console.ui.widgets.filter_bar import FilterBar

        if not self.query(FilterBar):
            words = "endpoint, type (invoice.*), cause, evt_… or dlv_…"
            await self.mount(FilterBar(self._text, placeholder=words), before="KeyBar")

    def on_filter_bar_changed(self, event: "FilterBar.Changed") -> None:
        self._text = event.text
        self._filter_changed()
        if event.closed:
            self._table.focus()

    def action_cycle_state(self) -> None:
        self._state_at = (self._state_at + 1) % len(STATE_FILTERS)
        self._filter_changed()

    def action_cycle_cause(self) -> None:
        """The next of the causes in the list, in their own order; after the last, all of them."""
        causes: list[Cause | None] = [None, *(c for c in Cause if c in self._causes or c is self._cause)]
        if len(causes) == 1:
            self.app.bell()
        self._cause = causes[(causes.index(self._cause) + 1) % len(causes)]
        self._filter_changed()

    def _filter_changed(self) -> None:
        self._table.marks = ()
        self._from_top = True
        self._say_title()
        self.read_again()

    def action_back(self) -> None:
        if self._is_filtered:
            self._text, self._state_at, self._cause = "", 0, None
            self._filter_changed()
        else:
            self.dismiss()

    # Acting

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        self.console.inspect(event.row.delivery.id)

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        if self._newer and self._table.cursor == 0:
            self.read_again()

    def on_line_table_marks_changed(self, event: LineTable.MarksChanged) -> None:
        self._say_title()

    def on_failure_table_retry_requested(self, event: FailureTable.RetryRequested) -> None:
        self._begin("retry", _still_troubled(event.ids))

    def on_failure_table_retry_all_requested(self) -> None:
        try:
            self._begin("retry", self.where)
        except InvalidInputError as error:
            self.console.complain(error)

    def on_failure_table_cancel_requested(self, event: FailureTable.CancelRequested) -> None:
        self._begin("cancel", _still_troubled(event.ids))

    def _begin(self, verb: Literal["retry", "cancel"], where: DeliveryFilter) -> None:
        if self._acting:
            self.console.say("one at a time: the one before is not finished", warn=True)
        else:
            self._acting = True
            self.run_worker(self._act(verb, where), group="act")

    async def _act(self, verb: Literal["retry", "cancel"], where: DeliveryFilter) -> None:
        from console.ui.steering import cancel_deliveries, retry_deliveries

        ask_and_act = retry_deliveries if verb == "retry" else cancel_deliveries
        try:
            changed = await ask_and_act(self.app, where, lambda words: self.post_message(self.Progress(words)))
        finally:
            self._acting, self._busy = False, ""
            self.say_warning()
        if changed:
            self._table.marks = ()
            self.console.feed.look_now()
            self.read_again()

    def on_failures_screen_progress(self, event: Progress) -> None:
        if self._acting:
            self._busy = event.words
            self.say_warning()


def _still_troubled(ids: tuple[DeliveryId, ...]) -> DeliveryFilter:
    """These; but not those that were delivered since they were marked, which nobody means to send again."""
    return DeliveryFilter(ids=ids, troubled=True)
