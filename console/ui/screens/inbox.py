"""The inbox: where webhooks come in, and every request that came, whatever became of it."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from console.config import store_path
from console.domain.errors import ConsoleError, QueryError, ReadInterruptedError
from console.domain.inbound import Fate, InboxFilter
from console.domain.inbox_query import Names, parse_inbox, rewritten_inbox
from console.ui import format as fmt
from console.ui import guidance
from console.ui.inbox_reading import PAGE, Doors, LoadedArrivals, ended_by, fates_of, read_doors, read_newer
from console.ui.inbox_rows import (
    FATE_MARKS,
    NARROW_COLUMNS,
    SOURCE_COLUMNS,
    WIDE_COLUMNS,
    WIDE_FROM,
    InboxRow,
    SourceRow,
    inbox_cell,
    source_cell,
    source_row,
)
from console.ui.live import Taken
from console.ui.messages import MomentChanged
from console.ui.screens.live_screen import LiveScreen
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from console.ui.widgets.filter_bar import FilterBar

NONE_MATCH = "Nothing matches. Esc clears the filter."


class InboxScreen(LiveScreen):
    """Sources above, requests below, newest first. Enter on a source narrows the requests to it, on a request opens it.

    `text` is a filter to begin with.
    """

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "#arrivals"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "replay", "Replay", id="inbox.replay", tooltip="Send this request again, to an endpoint or a URL"),
        Binding("slash", "filter", "Filter", id="inbox.filter"),
        Binding("s", "cycle_source", "Source", id="inbox.source", tooltip="The requests of the next source"),
        Binding("x", "cycle_fate", "Fate", id="inbox.fate", tooltip="The requests of the next fate"),
        Binding("n", "new_capture", "New capture", id="inbox.capture", tooltip="A throw-away URL that records all"),
        Binding("y", "copy_url", "URL", id="inbox.url", tooltip="Copy the URL of the source"),
        Binding("tab,shift+tab", "app.focus_next", "Other pane", show=False, id="inbox.other-pane"),
        Binding("escape,q", "back", "Back", id="inbox.back"),
    ]

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text
        self._doors = Doors()
        self._known = False
        """Whether anything was read yet."""
        self._wrong = ""
        self._loaded = LoadedArrivals(lambda: self.call_later(self._read_older))
        self._sources: ListSource[SourceRow] = ListSource((), lambda row: row.id)
        self._above = 0
        """Newer requests that came above what is looked at."""

    @property
    def crumbs(self) -> tuple[str, ...]:
        return ("Home", "Inbox")

    @property
    def filter_text(self) -> str:
        """The filter, as it was typed."""
        return self._text

    @property
    def warning(self) -> str:
        if self._wrong or not self._known or not self._doors.sources:
            return self._wrong
        return guidance.not_listening(self._standing, listening=bool(self._doors.urls))

    def body(self) -> ComposeResult:
        yield TextLine(id="sources-title", classes="pane-title")
        yield LineTable(
            SOURCE_COLUMNS,
            source=self._sources,
            row_key=lambda row: row.id,
            render_cell=source_cell,
            empty="Reading…",
            id="sources",
        )
        yield TextLine(id="arrivals-title", classes="pane-title")
        yield LineTable(
            NARROW_COLUMNS,
            source=self._loaded,
            row_key=lambda row: row.arrival.id,
            render_cell=inbox_cell,
            empty="Reading…",
            id="arrivals",
        )

    def on_mount(self) -> None:
        super().on_mount()
        self._say_titles()
        self.read_again()

    def on_resize(self) -> None:
        super().on_resize()
        columns = WIDE_COLUMNS if self.size.width >= WIDE_FROM else NARROW_COLUMNS
        if self._table.columns != columns:
            self._table.show_columns(columns)

    @property
    def _table(self) -> LineTable[InboxRow]:
        return self.query_one("#arrivals", LineTable)

    @property
    def _source_table(self) -> LineTable[SourceRow]:
        return self.query_one("#sources", LineTable)

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

    # Reading

    @property
    def _names(self) -> Names:
        return self._doors.names

    @property
    def _until_ms(self) -> int | None:
        moment = self.console.moment
        return None if moment is None else moment.until_ms

    @property
    def where(self) -> InboxFilter:
        """What is listed; `since:1h` moves on. Raises QueryError."""
        return ended_by(parse_inbox(self._text, self._names, self.console.now_ms), self._until_ms)

    def take(self, taken: Taken) -> None:
        if not self.is_beneath:
            self._read()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._read()

    def on_moment_changed(self, message: MomentChanged) -> None:
        super().on_moment_changed(message)
        self.read_again()

    def read_again(self) -> None:
        """Read the newest once more, as if nothing were loaded."""
        self._loaded.clear()
        self._above = 0
        self._read()

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _read(self) -> None:
        until_ms = self._until_ms
        since_ms = self.console.now_ms - self.console.window.length_s * 1000
        session, newest = self.console.session, self._loaded.newest
        try:
            self._doors = await session.read(lambda store: read_doors(store, since_ms=since_ms, until_ms=until_ms))
            where = self.where
            found = await session.read(lambda store: read_newer(store, where, newest), group="inbox")
        except ReadInterruptedError:
            return
        except ConsoleError as error:
            # One line, not a toast for every read.
            self._wrong = f"✗ {fmt.inline(str(error))}"
            self.say_warning()
            return
        first, self._known, self._wrong = not self._known or newest is None, True, ""
        table = self._table
        at_top = table.cursor == 0 and table.first_visible == 0
        added = self._loaded.take_newer(found, trim=at_top)
        self._loaded.today = fmt.date_time(self.console.now_ms)[:10]
        if added or first:
            table.rows_changed()
        if at_top:
            table.action_cursor_first()
            self._above = 0
        else:
            self._above += added
        self._show()

    @work(exclusive=True, group="older", exit_on_error=False)
    async def _read_older(self) -> None:
        oldest = self._loaded.oldest
        try:
            where = self.where
            page = await self.console.session.read(
                lambda store: store.arrivals(where, limit=PAGE, before=oldest), group="inbox-older"
            )
        except ReadInterruptedError:
            self._loaded.give_up()
            return
        except ConsoleError as error:
            self._loaded.give_up()
            self.console.complain(error)
            return
        if self._loaded.oldest == oldest:
            self._loaded.take_older(page)
            self._table.rows_changed()
            self._say_titles()

    def _show(self) -> None:
        """What was read."""
        doors, now_ms = self._doors, self.console.now_ms
        listening = bool(doors.urls) and self._standing.engine_alive
        past = self._until_ms is not None
        rows = [
            source_row(
                source,
                None if past else doors.counts.get(source.id, {}),
                doors.last_ms.get(source.id),
                now_ms,
                listening=listening or past,
            )
            for source in doors.sources
        ]
        if rows != list(self._shown_sources):
            self._shown_sources = tuple(rows)
            self._sources.replace(rows)
            self._source_table.empty = "There is no source: webhook-console sources add, capture new"
            self._source_table.styles.height = max(2, len(rows) + 1)
            self._source_table.rows_changed()
        table = self._table
        table.empty = NONE_MATCH if self._text else guidance.no_arrivals(self._standing, self._first_url)
        self._guide()
        self._say_titles()
        self.say_warning()

    _shown_sources: tuple[SourceRow, ...] = ()

    @property
    def _first_url(self) -> str:
        """Of a source that one may try."""
        return self._doors.url_of(self._doors.sources[0].name) if self._doors.sources and self._doors.urls else ""

    def _guide(self) -> None:
        """Say what to type while nothing is set up, in place of two empty tables."""
        nothing = not self._doors.sources and not self._loaded.rows and not self._text
        changed = nothing is not self.has_class("-first-run")
        if changed:
            self.set_class(nothing, "-first-run")
            self._source_table.disabled = self._table.disabled = nothing  # nor can they be reached
        if nothing:
            from console.ui.widgets.guide import Guide

            if changed:
                self.mount(Guide("Nothing comes in here yet", id="guide"), after="#arrivals")
            for guide in self.query(Guide):
                guide.show(guidance.no_sources(self._standing, listening=bool(self._doors.urls)))
        elif changed:
            self.query("#guide").remove()
            self._table.focus()

    def _say_titles(self) -> None:
        if not self.query("#arrivals-title"):
            return  # left while it was read
        doors = self._doors
        parts = [f" {fmt.exact(len(doors.sources))}"] if self._known else []
        if doors.urls:
            more = f" and {len(doors.urls) - 1} more" if len(doors.urls) > 1 else ""
            parts.append(f"{fmt.inline(doors.urls[0])}{more}")
        if self._known and self._until_ms is None:
            parts.append(f"counts of the last {self.console.window.label}")
        elif self._known:
            parts.append("as they are today")
        self._title("sources", "Sources", parts)
        loaded = self._loaded
        parts = [f"{fmt.exact(loaded.count)}{'' if loaded.complete else '+'}"] if self._known else []
        if self._text:
            parts.append(f"/{fmt.inline(self._text)}")
        if self._above:
            parts.append(f"{fmt.exact(self._above)} newer above, g shows them")
        if self._until_ms is None:
            parts += self._fate_words()
        self._title("arrivals", "Requests", parts)

    def _fate_words(self) -> list[str]:
        """`✓ accepted 12`, over the window, of all sources."""
        counts = fates_of(self._doors.counts.values())
        return [f"{mark} {fmt.count(counts[fate])}" for fate, (mark, _) in FATE_MARKS.items() if counts.get(fate)]

    def _title(self, pane: str, head: str, parts: list[str]) -> None:
        tail = "".join(f" · {part.strip()}" for part in parts)
        self.query_one(f"#{pane}-title", TextLine).line = Content.assemble((f" {head}", "bold"), tail)

    # Filters

    async def action_filter(self) -> None:
        from console.ui.widgets.filter_bar import FilterBar
        from console.ui.widgets.inbox_bar import InboxBar

        if not self.query(FilterBar):
            bar = InboxBar(
                self._text, names=self._names, now_ms=self.console.now_ms, history=self.console.filters.history
            )
            await self.mount(bar, before="KeyBar")

    def on_filter_bar_changed(self, event: "FilterBar.Changed") -> None:
        self.show_filter(event.text)
        if event.closed:
            self.console.filters.remember(event.text)
            self._table.focus()

    def show_filter(self, text: str) -> None:
        """List what matches another filter."""
        if text != self._text:
            self._text = text
            self._loaded.clear()
            self._table.rows_changed()
            self._table.empty = "Reading…"
            self.read_again()
            self._say_titles()

    def _where_or_none(self) -> InboxFilter | None:
        try:
            return self.where
        except QueryError as error:
            self.console.complain(error)
            return None

    def action_cycle_source(self) -> None:
        """The requests of the next source; after the last, of all."""
        if (where := self._where_or_none()) is None:
            return
        ids = [None, *(source.id for source in self._doors.sources)]
        if len(ids) == 1:
            self.app.bell()
        at = ids.index(where.source) if where.source in ids else 0
        following = ids[(at + 1) % len(ids)]
        self._rewrite("source", "" if following is None else self._doors.names[following])

    def action_cycle_fate(self) -> None:
        """The requests of the next fate; after the last, of all."""
        if (where := self._where_or_none()) is None:
            return
        fates: list[Fate | None] = [None, *FATE_MARKS]
        self._rewrite("fate", fates[(fates.index(where.fate) + 1) % len(fates)] or "")

    def _rewrite(self, key: str, value: str) -> None:
        self.show_filter(rewritten_inbox(self._text, key, value))

    def action_back(self) -> None:
        """Clear the filter; when there is none, leave."""
        if self._text:
            self.show_filter("")
        else:
            self.dismiss()

    # What is under the cursor

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        if isinstance(event.row, SourceRow):
            self._rewrite("source", event.row.name)
            self._table.focus()
        else:
            self._open(event.row)

    def _open(self, row: InboxRow) -> None:
        from console.ui.screens.arrival import ArrivalScreen

        self.app.push_screen(ArrivalScreen(row.arrival.id))

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        event.stop()
        if self._above and event.table is self._table and self._table.cursor == 0:
            self._above = 0
            self._say_titles()

    def action_copy_url(self) -> None:
        """The URL of the source under the cursor, or of the one that the request came in at."""
        from console.ui import clipboard

        name = self._name_here
        if name is None:
            self.app.bell()
            return
        sent = clipboard.send_from(self.app, self._doors.url_of(name), f"the URL of {name}")
        self.console.say(sent.words, warn=not sent.ok)

    @property
    def _name_here(self) -> str | None:
        if self.focused is self._source_table and self._source_table.current is not None:
            return self._source_table.current.name
        row = self._table.current
        return None if row is None else row.arrival.source_name

    def action_replay(self) -> None:
        """Send the request under the cursor again."""
        if (row := self._table.current) is not None:
            from console.ui.replaying import replay_arrival

            self.run_worker(replay_arrival(self.app, row.arrival.id), group="replay", exclusive=True)

    def action_new_capture(self) -> None:
        from console.ui.replaying import new_capture

        self.run_worker(new_capture(self.app), group="capture", exclusive=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("replay", "new_capture") and self.console.read_only:
            return False
        return super().check_action(action, parameters)
