"""Failures by cause: the same errors together, how many, since when, what came back, and how to try them all again."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from console.domain.errors import ConsoleError, QueryError, ReadInterruptedError
from console.domain.failure_group import FailureGroup
from console.domain.filters import DeliveryFilter
from console.domain.ids import format_number
from console.ui import format as fmt
from console.ui.failure_reading import (
    Example,
    Groups,
    answer_lines,
    of_groups,
    read_example,
    read_groups,
    trend_words,
)
from console.ui.live import Taken
from console.ui.messages import MomentChanged
from console.ui.screens.filtered_screen import FilteredScreen
from console.ui.widgets.group_table import GroupTable, make_row, sorted_rows
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.text_line import TextLine

READ_AGAIN_S = 1.0
SHARE_OF_TIME = 0.1
"""Reading takes at most this share of the time: what is slow to count is counted less often."""

NONE_MATCH = "Nothing matches. Esc clears the filter."
NONE_AT_ALL = (
    "Nothing has failed, and nothing waits for another try.\n\n"
    "What the receivers refuse or never answer is listed here, with its cause:\n"
    "Enter shows why, and how to send it again; b shows them one by one."
)
NONE_THEN = "Nothing failed in that time."


class GroupsScreen(FilteredScreen):
    """Groups of failures, the largest first, and an example of the one under the cursor."""

    PLACEHOLDER = "endpoint:crm cause:timeout_read status:5xx since:2h"
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "#groups"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "one_by_one", "One by one", id="groups.one-by-one"),
        Binding("e", "example", "Example", id="groups.example"),
        Binding("slash", "filter", "Filter", id="groups.filter"),
        Binding("escape,q", "back", "Back", id="groups.back"),
    ]

    class Progress(Message):
        """So many deliveries were changed so far."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

        def can_replace(self, message: object) -> bool:
            return isinstance(message, GroupsScreen.Progress)

    def __init__(self, text: str = "") -> None:
        """`text`: a filter to begin with."""
        super().__init__(text)
        self._groups: Groups | None = None
        self._example: Example | None = None
        self._acting = self._stale = False
        self._read_at_s = float("-inf")
        self._pace_s = READ_AGAIN_S

    def body(self) -> ComposeResult:
        yield TextLine(id="groups-title", classes="pane-title")
        yield GroupTable(id="groups")
        yield TextLine(id="example-title", classes="pane-title")
        yield Static(id="example", markup=False)

    def on_mount(self) -> None:
        super().on_mount()
        self._say_title()
        self.read_again()

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._say_example)

    @property
    def _table(self) -> GroupTable:
        return self.query_one(GroupTable)

    @property
    def crumbs(self) -> tuple[str, ...]:
        return ("Home", "Failures by cause")

    @property
    def where(self) -> DeliveryFilter:
        """What is grouped. Raises QueryError."""
        return self.console.filters.parse(self._text, self.console.now_ms).deliveries(self._names)

    # Reading

    def take(self, taken: Taken) -> None:
        self._stale = True

    def tick(self) -> None:
        if self._stale and self.clock.monotonic_s() - self._read_at_s >= self._pace_s:
            self.read_again()
        else:
            self._show_rows()

    def on_moment_changed(self, message: MomentChanged) -> None:
        super().on_moment_changed(message)
        self.read_again()

    @work(exclusive=True, group="read")
    async def read_again(self) -> None:
        """Read the groups as they stand."""
        self._stale, self._read_at_s = False, self.clock.monotonic_s()
        app = self.console
        window, moment, now_ms = app.window, app.moment, app.now_ms
        try:
            where = self.where
            groups = await app.session.read(
                lambda store: read_groups(store, where, window, moment=moment, now_ms=now_ms), group="groups"
            )
        except ReadInterruptedError:
            return
        except ConsoleError as error:
            if not self.is_attached:
                return
            self._wrong = f"✗ {fmt.inline(str(error))}"
            self.say_warning()
            return
        if not self.is_attached:
            return  # left while it was read
        cost_s = self.clock.monotonic_s() - self._read_at_s
        self._pace_s = max(READ_AGAIN_S, cost_s / SHARE_OF_TIME)
        if self._wrong:
            self._wrong = ""
            self.say_warning()
        self._groups = groups
        self._show_rows()

    def _show_rows(self) -> None:
        groups = self._groups
        if groups is None or not self.query(GroupTable):
            return
        table = self._table
        nothing = NONE_AT_ALL if self.console.moment is None else NONE_THEN
        table.empty = NONE_MATCH if self._text else nothing
        # Whole seconds, so that every age moves at the same moment: one repaint a second.
        now_ms = self.console.now_ms // 1000 * 1000
        rows = [
            make_row(
                group,
                groups.minutes.get(group.id, {}),
                since_s=groups.since_s,
                until_s=groups.until_s,
                now_ms=now_ms,
            )
            for group in groups.found
        ]
        table.show(sorted_rows(rows, table.sort))
        self._say_title()
        self._look_at(table.current.group if table.current else None)

    def _say_title(self) -> None:
        groups, table = self._groups, self._table
        parts: list[str] = []
        if groups is not None:
            failed = self.console.moment is not None
            of = ("failed attempt", "failed attempts") if failed else ("delivery", "deliveries")
            parts = [
                fmt.counted(len(groups.found), "group", "groups"),
                fmt.counted(groups.deliveries, *of),
                f"trend of {trend_words(groups)}",
            ]
        if self._text:
            parts.append(f"/{fmt.inline(self._text)}")
        if table.marks:
            parts.append(f"{len(table.marks)} marked")
        if groups is not None and groups.failed:
            parts.append(f"{fmt.exact(groups.failed)} failed for good")  # last: what a narrow screen may cut
        line = Content.assemble((" Failures by cause", "bold"), "".join(f" · {part}" for part in parts))
        self.query_one("#groups-title", TextLine).line = line

    # The example

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        self._look_at(event.row.group if event.row else None)

    def _look_at(self, group: FailureGroup | None) -> None:
        """Show what came back the last time; the same example is not read again."""
        known = self._example
        if group is None:
            self._example = None
            self._say_example()
        elif known is None or (known.group.id, known.group.example) != (group.id, group.example):
            self._read_example(group)

    @work(exclusive=True, group="example")
    async def _read_example(self, group: FailureGroup) -> None:
        try:
            self._example = await self.console.session.read(lambda store: read_example(store, group))
        except ConsoleError:
            return  # the list says what is wrong
        if self.is_attached:
            self._say_example()

    def _say_example(self) -> None:
        if not self.query("#example"):
            return
        example, pane = self._example, self.query_one("#example", Static)
        parts: list[str] = []
        if example is not None and example.attempt is not None:
            attempt = example.attempt
            delivery, number = format_number("dlv", attempt.delivery_id), format_number("att", attempt.id)
            at = fmt.clock_time(attempt.ended_at_ms)[:8]
            parts = [f"{delivery} {number}", fmt.inline(attempt.event_type), f"{at}, {fmt.duration(attempt.total_ms)}"]
        line = Content.assemble((" Example", "bold"), "".join(f" · {part}" for part in parts))
        self.query_one("#example-title", TextLine).line = line
        width, height = max(20, pane.size.width - 2), max(3, pane.size.height)
        answer = Content("\n".join(answer_lines(example, width, height)) if example is not None else "")
        if answer != pane.content:  # each update lays the whole screen out anew, and has it painted
            pane.update(answer)

    def action_example(self) -> None:
        """Open the delivery of the example."""
        example = self._example
        if example is not None and example.attempt is not None:
            self.console.inspect(example.attempt.delivery_id, example.attempt.id)

    # Where one can go

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        self._open(event.row.group)

    def _open(self, group: FailureGroup) -> None:
        from console.ui.screens.failures import FailuresScreen

        text = f"group:{group.id}"
        self.app.push_screen(FailuresScreen(f"{self._text} {text}".strip(), of_group=True))

    def action_one_by_one(self) -> None:
        from console.ui.screens.failures import FailuresScreen

        self.app.switch_screen(FailuresScreen(self._text))

    def action_back(self) -> None:
        if self._text:
            self.show_filter("")
        else:
            self.dismiss()

    # Filter and order

    def show_filter(self, text: str) -> None:
        """Show what matches another filter."""
        if text != self._text:
            self._text = text
            self._table.marks = ()
            self.read_again()

    def on_line_table_marks_changed(self, event: LineTable.MarksChanged) -> None:
        self._say_title()

    def on_line_table_sort_changed(self, event: LineTable.SortChanged) -> None:
        self._show_rows()

    # Acting

    def on_group_table_retry_requested(self, event: GroupTable.RetryRequested) -> None:
        if self._acting:
            self.console.say("one at a time: the one before is not finished", warn=True)
            return
        try:
            where = of_groups(self.where, event.groups)
        except QueryError as error:
            self.console.complain(error)
            return
        self._acting = True
        self.run_worker(self._retry(where), group="act")

    async def _retry(self, where: DeliveryFilter) -> None:
        from console.ui.steering import retry_deliveries

        try:
            changed = await retry_deliveries(self.app, where, lambda words: self.post_message(self.Progress(words)))
        finally:
            self._acting, self._busy = False, ""
            self.say_warning()
        if changed:
            self._table.marks = ()
            self.console.feed.look_now()
            self.read_again()

    def on_groups_screen_progress(self, event: Progress) -> None:
        if self._acting:
            self._busy = event.words
            self.say_warning()

    def on_group_table_pause_requested(self, event: GroupTable.PauseRequested) -> None:
        self.run_worker(self._pause(event.groups), group="pause", exclusive=True)

    async def _pause(self, groups: tuple[FailureGroup, ...]) -> None:
        from console.ui.pausing import pause_or_resume

        ids = dict.fromkeys(group.endpoint_id for group in groups)
        endpoints = [endpoint for id_ in ids if (endpoint := self.console.endpoint(id_)) is not None]
        if endpoints and await pause_or_resume(self.app, *endpoints):
            self._table.marks = ()
            self.console.feed.look_now()
