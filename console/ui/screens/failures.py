"""Failures: what failed or is being retried, why, and how to try it again."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from console.domain.delivery import DeliveryState
from console.domain.errors import ConsoleError, InvalidInputError, QueryError, ReadInterruptedError
from console.domain.filters import DeliveryFilter
from console.domain.ids import DeliveryId
from console.domain.outcome import Cause
from console.ui import format as fmt
from console.ui.failure_search import FailureSearch, index_words
from console.ui.live import Taken
from console.ui.messages import MomentChanged
from console.ui.screens.filtered_screen import FilteredScreen
from console.ui.widgets.failure_table import PAGE, FailureTable
from console.ui.widgets.flaw_line import FlawLine
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.text_line import TextLine

READ_AGAIN_S = 1.0
"""The least time between two reads of the list while the store changes."""

READ_AGAIN_LONG_S = 10.0
"""The same, when many pages are loaded."""

MOVES_ON_S = 60.0
"""How long a time that counts from now stands still, so that a search through a long past comes to its end."""

NONE_MATCH = "Nothing matches. Esc clears the filter."
NONE_YET = "Nothing found yet."
NONE_AT_ALL = (
    "Nothing has failed, and nothing waits for another try.\n\n"
    "What the receivers refuse or never answer is listed here, with its cause:\n"
    "Enter shows why, r sends it again, R all that match."
)


class FailuresScreen(FilteredScreen):
    """Failed and retrying deliveries, newest first, or those in the states that the filter names. `text` is a filter to
    begin with."""

    PLACEHOLDER = 'crm 5xx since:2h cause:timeout_read text:"card declined"'
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "#failures"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="failures.filter"),
        Binding("x", "cycle_state", "State", id="failures.state"),
        Binding("c", "cycle_cause", "Cause", id="failures.cause"),
        Binding("b", "by_cause", "By cause", id="failures.by-cause"),
        Binding("escape,q", "back", "Back", id="failures.back"),
    ]

    class Progress(Message):
        """So many deliveries were changed so far."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

        def can_replace(self, message: object) -> bool:
            return isinstance(message, FailuresScreen.Progress)

    def __init__(self, text: str = "", *, of_group: bool = False) -> None:
        """`of_group`: opened from a group, to which Esc goes back while the filter is the one that it began with."""
        super().__init__(text)
        self._group_text = text if of_group else ""
        self._causes: frozenset[Cause | None] = frozenset()
        """Those in the list when it was last shown with all causes: what the key steps through."""
        self._acting = False
        self._index = ""
        """What is to be said of the index of words, where texts are looked for."""
        self._stale = False
        self._from_top, self._newer = True, False
        self._read_at_s = float("-inf")
        self._search: FailureSearch | None = None
        self._reading = False
        self._wanted = PAGE
        self._turn = 0
        """Which of the reads is the newest: one that was cancelled ends after the next has begun."""
        self._made: tuple[object, float, DeliveryFilter] | None = None

    def body(self) -> ComposeResult:
        yield TextLine(id="failures-title", classes="pane-title")
        yield FailureTable(id="failures")
        yield FlawLine(id="flaw")

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
    def where(self) -> DeliveryFilter:
        """The filter of the list, and of what acts on all of it; `since:2h` moves on now and then. Raises
        QueryError."""
        key = (self._text, self.console.moment, self._names, self.console.filters.saved)
        made, now_s = self._made, self.clock.monotonic_s()
        if made is None or made[0] != key or now_s - made[1] > MOVES_ON_S:
            self._made = made = (key, now_s, self._read_as(self._text))
        return made[2]

    def _read_as(self, text: str) -> DeliveryFilter:
        moment = self.console.moment
        base = DeliveryFilter() if moment is None else DeliveryFilter(until_ms=moment.until_ms)
        where = self.console.filters.parse(text, self.console.now_ms).deliveries(self._names, base)
        return where if where.states else replace(where, troubled=True)

    # Reading

    def take(self, taken: Taken) -> None:
        self._stale = True

    def tick(self) -> None:
        if self._stale and not self._reading and self._is_time:
            self.read_again()  # which shows the ages too
        else:
            self._table.tick(self._now_ms)

    @property
    def _is_time(self) -> bool:
        pace = READ_AGAIN_S if self._table.pages.count <= 4 * PAGE else READ_AGAIN_LONG_S
        return self.clock.monotonic_s() - self._read_at_s >= pace

    @property
    def _now_ms(self) -> int:
        """Whole seconds, so that every age moves at the same moment: one repaint a second."""
        return self.console.now_ms // 1000 * 1000

    def on_moment_changed(self, message: MomentChanged) -> None:
        self._search, self._from_top = None, True
        self.read_again()

    def read_again(self) -> None:
        """Read the newest once more, and on until as many are there as were loaded."""
        self._wanted = max(PAGE, -(-self._table.pages.count // PAGE) * PAGE)
        self._read()

    @work(exclusive=True, group="read")
    async def _read(self) -> None:
        turn = self._begin_turn()
        try:
            await self._read_all()
        except ReadInterruptedError:
            pass
        except ConsoleError as error:
            # One line, not a toast for every read.
            self._wrong = f"✗ {fmt.inline(str(error))}"
            self.say_warning()
        finally:
            self._end_turn(turn)

    async def _read_all(self) -> None:
        """The newest first; then on, showing what is found, with a look at the newest now and then."""
        where = self.where
        if self._search is None or not self._search.moved_on(where):
            self._search, self._from_top = self._search_of(where), True
        search = self._search
        await self._read_newest(search)
        while len(search.rows) < self._wanted and not search.done:
            if self._stale and self._is_time:
                await self._read_newest(search)
                continue
            read = search.go_on(self._wanted - len(search.rows))
            search.take_more(await self.console.session.read(read, group="failures"))
            self._show(search)

    def _search_of(self, where: DeliveryFilter) -> FailureSearch:
        moment = self.console.moment
        if moment is None:
            return FailureSearch(where)
        from console.ui.past_failures import PastSearch

        return PastSearch(where, moment=moment)

    async def _read_newest(self, search: FailureSearch) -> None:
        self._stale, self._read_at_s = False, self.clock.monotonic_s()
        # Away from the top, rows stay where they are: what is newer is announced, and not put above them.
        from_top = self._from_top or self._table.cursor == 0
        piece = await self.console.session.read(search.begin(self._wanted, from_top=from_top), group="failures")
        self._index = ""
        if search.where.texts:
            now_ms = self.console.now_ms
            self._index = index_words(await self.console.session.read(lambda store: store.search_status(now_ms)))
        search.take_top(piece)
        self._wrong, self._from_top = "", False
        self._newer = not from_top and bool(search.rows) and (piece.newest or 0) > search.rows[0].id
        self.say_warning()
        self._show(search)

    def on_failure_table_more_wanted(self, event: FailureTable.MoreWanted) -> None:
        if len(self._table.pages.deliveries) >= self._wanted:
            self._wanted += PAGE
            if not self._reading:
                self._read_on()

    @work(exclusive=True, group="read")
    async def _read_on(self) -> None:
        search = self._search
        if search is None:
            return
        turn = self._begin_turn()
        try:
            while len(search.rows) < self._wanted and not search.done:
                read = search.go_on(self._wanted - len(search.rows))
                search.take_more(await self.console.session.read(read, group="failures"))
                self._show(search)
        except ReadInterruptedError:
            pass
        except ConsoleError as error:
            self.console.complain(error)
        finally:
            self._end_turn(turn)

    def _begin_turn(self) -> int:
        self._turn += 1
        self._reading = True
        return self._turn

    def _end_turn(self, turn: int) -> None:
        if turn == self._turn:
            self._reading = False
            self._say_title()

    def _show(self, search: FailureSearch) -> None:
        table = self._table
        table.empty = NONE_AT_ALL if not self._text else NONE_MATCH if search.done else NONE_YET
        table.show(search.rows, complete=search.done, now_ms=self._now_ms)
        if not search.where.causes:
            self._causes = frozenset(delivery.last_cause for delivery in search.rows)
        self._say_title()

    def _say_title(self) -> None:
        if not self.query(FailureTable):
            return  # left while it was read
        pages, table, search = self._table.pages, self._table, self._search
        count = f"{fmt.exact(pages.count)}{'' if pages.complete else '+'}"
        parts = [count]
        if self._text:
            parts.append(f"/{fmt.inline(self._text)}")
        if self._reading and search is not None and search.goes_on(self._wanted):
            back = "" if search.at_ms is None else f" back to {fmt.date_time(search.at_ms)[:16]}"
            parts.append(f"searched{back}, going on …")
        if self._index:
            parts.append(self._index)
        if self._newer:
            parts.append("newer ones above, g shows them")
        if table.marks:
            parts.append(self._marked_words())
        elif self._text and pages.count and not self.console.read_only:
            parts.append(f"R retries all {count} that match")
        line = Content.assemble((" Failures", "bold"), "".join(f" · {part}" for part in parts))
        self.query_one("#failures-title", TextLine).line = line

    def _marked_words(self) -> str:
        marks = self._table.marks
        elsewhere = sum(self._table.pages.index_of(key) is None for key in marks)
        hidden = f", {fmt.exact(elsewhere)} of them not shown" if elsewhere else ""
        return f"{fmt.exact(len(marks))} marked{hidden}"

    # Filters

    @property
    def _seen_types(self) -> set[str]:
        return {delivery.event_type for delivery in self._table.pages.deliveries}

    def show_filter(self, text: str) -> None:
        """Show what matches another filter."""
        if text != self._text:
            self._text = text
            self._filter_changed()

    def action_cycle_state(self) -> None:
        """Failed ones, those that are retried, and both again."""
        where = self._where_or_none()
        if where is None:
            return
        now = "failed" if where.states == (DeliveryState.FAILED,) else "retrying" if where.states else ""
        following = {"": "failed", "failed": "retrying", "retrying": ""}[now]
        self._rewrite("state", following)

    def action_cycle_cause(self) -> None:
        """The next of the causes in the list, in their own order; after the last, all of them."""
        where = self._where_or_none()
        if where is None:
            return
        current = where.causes[0] if where.causes else None
        causes: list[Cause | None] = [None, *(c for c in Cause if c in self._causes or c is current)]
        if len(causes) == 1:
            self.app.bell()
        self._rewrite("cause", causes[(causes.index(current) + 1) % len(causes)] or "")

    def _where_or_none(self) -> DeliveryFilter | None:
        try:
            return self.where
        except QueryError as error:
            self.console.complain(error)
            return None

    def _rewrite(self, key: str, value: str) -> None:
        from console.domain.query import rewritten

        self.show_filter(rewritten(self._text, key, value))

    def _filter_changed(self) -> None:
        self._from_top = True
        self._say_title()
        self._wanted = PAGE
        self._read()

    def action_by_cause(self) -> None:
        """The same failures in groups."""
        from console.ui.screens.groups import GroupsScreen

        if self._group_text:
            self.dismiss()
        else:
            self.app.switch_screen(GroupsScreen(self._text))

    def action_back(self) -> None:
        if self._text != self._group_text:
            self.show_filter(self._group_text)
        else:
            self.dismiss()

    # Acting

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        self.console.inspect(event.row.delivery.id)

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        self.query_one(FlawLine).look(None if event.row is None else event.row.delivery)
        if self._newer and self._table.cursor == 0:
            self.read_again()

    def on_line_table_marks_changed(self, event: LineTable.MarksChanged) -> None:
        self._say_title()

    def on_failure_table_retry_requested(self, event: FailureTable.RetryRequested) -> None:
        self._begin("retry", self._still_so(event.ids))

    def on_failure_table_retry_all_requested(self) -> None:
        try:
            self._begin("retry", self.where)
        except InvalidInputError as error:
            self.console.complain(error)

    def on_failure_table_cancel_requested(self, event: FailureTable.CancelRequested) -> None:
        self._begin("cancel", self._still_so(event.ids))

    def _still_so(self, ids: tuple[DeliveryId, ...]) -> DeliveryFilter:
        """These; but not those that came to another state since they were marked, such as delivered ones, which nobody
        means to send again."""
        where = self._where_or_none()
        troubled = where is None or where.troubled or where.states == (DeliveryState.FAILED,)
        return DeliveryFilter(ids=ids, troubled=troubled)

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
