"""Alerts: what fires, and the rules that say what must not be."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from console.domain.alerts import Alert, AlertRule
from console.domain.errors import ConsoleError
from console.domain.ids import EndpointId
from console.domain.status import EngineStatus
from console.store import Store
from console.ui.alert_rows import AlertRow, alert_cell, alert_lines, rows_of
from console.ui.format import counted, one_line
from console.ui.layered import LayeredScreen
from console.ui.messages import MomentChanged
from console.ui.muting import mute_or_unmute
from console.ui.session import Session
from console.ui.status import crumbs_below, past_ms, past_words, status_line
from console.ui.steering import session_of
from console.ui.widgets.columns import Column
from console.ui.widgets.facts import FactsScreen
from console.ui.widgets.header import StatusHeader
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource

LOOK_EVERY_S = 0.5

_COLUMNS = (
    Column(key="state", title="STATE", width=11),
    Column(key="where", title="WHERE", width=11, flex=1),
    Column(key="what", title="WHAT", width=30, flex=6),
    Column(key="age", title="SINCE", width=5, align="right"),
    Column(key="rule", title="RULE", width=4, align="right"),
)

NO_RULES = "No rule says what must not be. In another shell:\n\nwebhook-console alerts add --error-rate 20% --over 5m"
UNMEASURED = "▲ no engine: nothing is measured"


class AlertsScreen(LayeredScreen[None]):
    """What fires above the rules; both are read twice a second."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    AUTO_FOCUS = "LineTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mute", "Mute/unmute", id="alerts.mute"),
        Binding("escape,q", "leave", "Back", id="alerts.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[AlertRow] = []
        self._source: ListSource[AlertRow] = ListSource((), lambda row: row.key)
        self._engine: EngineStatus | None = None
        self._read_at_s: float | None = None

    @property
    def session(self) -> Session:
        return session_of(self.app)

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        return (*crumbs_below(self), "Alerts")

    @property
    def table(self) -> LineTable[AlertRow]:
        return self.query_one(LineTable)

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield Static(id="title")
        yield LineTable(
            _COLUMNS, source=self._source, row_key=lambda row: row.key, render_cell=alert_cell, empty="Reading…"
        )
        yield KeyBar()

    def on_mount(self) -> None:
        self._say_title()
        self._say_status()
        self.set_interval(LOOK_EVERY_S, self._tick)
        self.load()

    def on_screen_resume(self) -> None:
        self._tick()
        self.query_one(KeyBar).say_keys()

    def on_resize(self) -> None:
        self._say_status()

    def _tick(self) -> None:
        if self.counts_tick():
            self._say_status()
            self.load()

    def _say_status(self) -> None:
        self.query_one(StatusHeader).state = status_line(
            self.session, self.crumbs, self._engine, self._read_at_s, self.size.width, past=past_words(self.app)
        )

    @work(exclusive=True, group="load", exit_on_error=False)
    async def load(self) -> None:
        """Read how things stand."""
        try:
            self._engine, rules, alerts = await self.session.read(_read)
        except ConsoleError as error:
            self._say_title(str(error))
            return
        self._read_at_s = self.session.clock.monotonic_s()
        then_ms = past_ms(self.app)
        # What fired at a moment of the past is in the audit log, and what fires now has no place there.
        firing = alerts if then_ms is None else []
        self._show(rows_of(rules, firing, then_ms or self.session.clock.now_ms()))

    def on_moment_changed(self, message: MomentChanged) -> None:
        """Another moment is shown from now on."""
        self._say_status()
        self.load()

    def _show(self, rows: list[AlertRow]) -> None:
        before, self._rows = self._rows, rows
        self._source.replace(rows)
        self.table.empty = NO_RULES
        if [row.key for row in before] != [row.key for row in rows]:
            self.table.rows_changed()
        else:
            for index, (old, new) in enumerate(zip(before, rows, strict=True)):
                if old != new:
                    self.table.refresh_index(index)
        self._say_status()
        self._say_title()

    def _say_title(self, trouble: str | None = None) -> None:
        firing = sum(row.alert is not None and not row.muted for row in self._rows)
        rules = sum(row.alert is None for row in self._rows)
        said = f"  {firing or 'none'} firing · {counted(rules, 'rule', 'rules')}" if self._read_at_s is not None else ""
        if past_ms(self.app) is not None:
            said = f"  what fired then is in the audit log: a · {counted(rules, 'rule', 'rules')} as of today"
        parts: list[Content] = [Content("Alerts"), Content.styled(said, "$text-muted")]
        alive = self._engine is not None and self._engine.alive(self.session.clock.now_ms())
        if trouble is not None:
            parts.append(Content.styled(f"  ✗ {one_line(trouble, 200)}", "$text-error"))
        elif rules and not alive:
            parts.append(Content.styled(f"  {UNMEASURED}", "$text-warning"))
        self.query_one("#title", Static).update(Content("").join(parts))

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "mute" and (self.session.read_only or past_ms(self.app) is not None):
            return False
        return super().check_action(action, parameters)

    def action_mute(self) -> None:
        """Mute the rule of what is under the cursor, or let it fire again."""
        if (row := self.table.current) is not None:
            self._mute(row.rule)

    @work(exclusive=True, group="mute")
    async def _mute(self, rule: AlertRule) -> None:
        if await mute_or_unmute(self.app, rule):
            self.load()

    def action_leave(self) -> None:
        self.app.pop_screen()

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        event.stop()
        self._look_closely(event.row)

    @work(exclusive=True, group="look")
    async def _look_closely(self, row: AlertRow) -> None:
        endpoint = await self.app.push_screen_wait(AlertScreen(row, self.session.clock.now_ms()))
        if endpoint is not None and row.about is not None:
            from console.domain.query_text import quoted
            from console.ui.screens.failures import FailuresScreen

            await self.app.push_screen(FailuresScreen(f"endpoint:{quoted(row.about[1])}"))


def _read(store: Store) -> tuple[EngineStatus | None, list[AlertRule], list[Alert]]:
    return store.engine_status(), store.alert_rules(), store.alerts()


class AlertScreen(FactsScreen[EndpointId | None]):
    """One alert or rule in full. Enter answers with the endpoint whose failures are wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "failures", "Failures", id="alert.failures")]

    def __init__(self, row: AlertRow, now_ms: int) -> None:
        about = row.about
        hint = "Esc closes" if about is None else "Enter its failures   Esc closes"
        title = f"Rule {row.rule.id}" if row.alert is None else f"Alert of rule {row.rule.id}"
        super().__init__(title, alert_lines(row, now_ms), hint=hint)
        self._endpoint = None if about is None else about[0]

    def action_failures(self) -> None:
        self.dismiss(self._endpoint)
