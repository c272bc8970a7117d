"""Charts: rates, failures and latencies over the window, of all endpoints or of one, and how hot each one ran."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from console.domain.errors import ConsoleError, ReadInterruptedError
from console.domain.filters import DeliveryFilter
from console.domain.ids import EndpointId
from console.domain.rates import MINUTE, Window
from console.ui import format as fmt
from console.ui.chart_reading import Charts, EndpointCharts, read_charts
from console.ui.live import Taken
from console.ui.messages import MomentChanged
from console.ui.screens.live_screen import LiveScreen
from console.ui.widgets.chart_pane import ChartPane, plot_cells
from console.ui.widgets.columns import Column
from console.ui.widgets.heat import LEGEND, heat_strip
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.text_line import TextLine
from console.ui.widgets.vocabulary import Cell

READ_AGAIN_S = 1.0
READ_AGAIN_LONG_S = 5.0
"""The same for windows of minutes, which hardly move."""

SHARE_OF_TIME = 0.1
HEAT_CELLS = 18
SMALLEST_TABLE = 6

_LEFT_OF_HEAT = 56


def _columns(heat_cells: int) -> tuple[Column, ...]:
    return (
        Column(key="name", title="ENDPOINT", width=14, flex=1),
        Column(key="rate", title="OK/S", width=6, align="right"),
        Column(key="errors", title="ERR%", width=5, align="right"),
        Column(key="p50", title="P50", width=5, align="right"),
        Column(key="p95", title="P95", width=5, align="right"),
        Column(key="p99", title="P99", width=5, align="right"),
        Column(key="heat", title="SHARE OF ERRORS", width=heat_cells, chart=True),
    )


class ChartsScreen(LiveScreen):
    """Charts of the endpoint under the cursor; the first line of the list is all of them."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "#chart-endpoints"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", id="charts.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._charts: Charts | None = None
        self._wanted: EndpointId | None = None
        self._began = False
        self._wrong = ""
        self._asked: tuple[object, ...] = ()
        self._read_at_s = float("-inf")
        self._pace_s = READ_AGAIN_S
        self._heat_cells = HEAT_CELLS

    def body(self) -> ComposeResult:
        yield TextLine(id="charts-title", classes="pane-title")
        yield ChartPane(id="charts")
        self._source: ListSource[EndpointCharts] = ListSource([], lambda row: row.id or "")
        yield LineTable(
            _columns(HEAT_CELLS),
            source=self._source,
            row_key=lambda row: row.id or "",
            render_cell=self._cell,
            empty="reading the store …",
            id="chart-endpoints",
        )

    def on_mount(self) -> None:
        super().on_mount()
        self._wanted = self.console.focus_on
        self._say_title()
        # Its width says into how many parts the window is cut.
        self.call_after_refresh(self.read_again)

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Charts as wide as the screen, and the strips of the list as wide as what is left of it."""
        cells = max(HEAT_CELLS, self.size.width - _LEFT_OF_HEAT)
        if cells != self._heat_cells:
            self._heat_cells = cells
            self._table.show_columns(_columns(cells))
        self.read_again()

    @property
    def _table(self) -> LineTable[EndpointCharts]:
        return self.query_one("#chart-endpoints", LineTable)

    @property
    def crumbs(self) -> tuple[str, ...]:
        return ("Home", "Charts")

    @property
    def warning(self) -> str:
        return self._wrong

    # Reading

    def take(self, taken: Taken) -> None:
        if self._asked[:1] != (self.console.window,):
            self.read_again()

    def tick(self) -> None:
        live = self.console.moment is None
        changed = self._asked[:1] != (self.console.window,)
        if changed or (live and self.clock.monotonic_s() - self._read_at_s >= self._pace_s):
            self.read_again()

    def on_moment_changed(self, message: MomentChanged) -> None:
        super().on_moment_changed(message)
        self.read_again()

    def choose_window(self, window: Window) -> None:
        self.read_again()

    @work(exclusive=True, group="read")
    async def read_again(self, *, list_too: bool = True) -> None:
        """Read the charts of the endpoint under the cursor, and the list of all; or the charts alone."""
        app = self.console
        known = None if list_too or self._charts is None else self._charts.endpoints
        window, moment, now_ms, endpoint = app.window, app.moment, app.now_ms, self._wanted
        most = plot_cells(self.query_one(ChartPane).size.width)
        self._asked, self._read_at_s = (window, endpoint, moment), self.clock.monotonic_s()
        try:
            charts = await app.session.read(
                lambda store: read_charts(
                    store, window, endpoint, most=most, moment=moment, now_ms=now_ms, endpoints=known
                ),
                group="charts",
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
        if known is None:
            cost_s = self.clock.monotonic_s() - self._read_at_s
            least_s = READ_AGAIN_S if window.width_s < MINUTE else READ_AGAIN_LONG_S
            self._pace_s = max(least_s, cost_s / SHARE_OF_TIME)
        if self._wrong:
            self._wrong = ""
            self.say_warning()
        self._show(charts)

    @property
    def _is_read(self) -> bool:
        """Whether the list is of the window and the moment that are shown."""
        return self._asked[::2] == (self.console.window, self.console.moment)

    def _show(self, charts: Charts) -> None:
        if not self.query(ChartPane):
            return
        before, self._charts = self._charts, charts
        self.query_one(ChartPane).charts = charts
        table = self._table
        self._source.replace(charts.endpoints)
        old = () if before is None else before.endpoints
        if [row.id for row in old] != [row.id for row in charts.endpoints]:
            table.styles.height = max(SMALLEST_TABLE, len(charts.endpoints) + 1)
            table.rows_changed()
        else:
            for index, (was, is_now) in enumerate(zip(old, charts.endpoints, strict=True)):
                if self._says(was) != self._says(is_now):
                    table.refresh_index(index)
        if not self._began:
            self._began = True
            table.move_to(self._wanted or "")
        self._say_title()

    def _say_title(self) -> None:
        charts = self._charts
        rows = () if charts is None else charts.endpoints
        names = {row.id: row.name for row in rows}
        whose = fmt.inline(names.get(self._wanted, "all endpoints"))
        length = self.console.window.label if charts is None else fmt.duration(charts.window.length_s * 1000)
        parts = [whose, length, LEGEND, "j k another endpoint"]
        line = Content.assemble((" Charts", "bold"), "".join(f" · {part}" for part in parts))
        self.query_one("#charts-title", TextLine).line = line

    def _says(self, row: EndpointCharts) -> list[Cell]:
        """All that a line shows: what was read differs each time, as the window moves, and most lines say the same."""
        return [self._cell(row, column.key) for column in self._table.columns]

    def _cell(self, row: EndpointCharts, key: str) -> Cell:
        total = row.total
        match key:
            case "name":
                return row.name, "strong"
            case "rate":
                return fmt.rate(total.ok / row.elapsed_s).removesuffix("/s"), "normal"
            case "errors":
                return fmt.percent(total.failed, total.attempts), "error" if total.failed else "muted"
            case "heat":
                return heat_strip(row.shares, self._heat_cells), "error" if total.failed else "ok"
            case _:
                return fmt.duration(total.percentile_ms(int(key[1:]) / 100)), "normal"

    # Keys

    def on_line_table_highlighted(self, event: LineTable.Highlighted) -> None:
        if self._began and event.row is not None and event.row.id != self._wanted:
            self._wanted = event.row.id
            self._say_title()
            self.read_again(list_too=not self._is_read)

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Why it fails."""
        from console.domain.query import format_query
        from console.ui.screens.groups import GroupsScreen

        row: EndpointCharts = event.row
        text = "" if row.id is None else format_query(DeliveryFilter(endpoints=(row.id,)), {row.id: row.name})
        self.app.push_screen(GroupsScreen(text))

    def action_back(self) -> None:
        self.dismiss()
