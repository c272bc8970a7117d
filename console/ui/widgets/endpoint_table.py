"""Endpoints, one a row: how each stands, and what it last failed of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.message import Message

from console.domain.endpoint import Endpoint, EndpointState
from console.domain.ids import EndpointId
from console.domain.rates import Bucket
from console.domain.redaction import redact_url
from console.domain.status import Gauge
from console.ui import format as fmt
from console.ui.widgets.ages import brief, brief_age
from console.ui.widgets.columns import Column
from console.ui.widgets.line_table import LineTable
from console.ui.widgets.rows import ListSource
from console.ui.widgets.vocabulary import DRY_RUN, ENDPOINT_MARKS, Cell, StyleName, pace_mark

EMPTY = "No endpoint yet. In another shell:\n\nwebhook-console endpoints add URL\n\nor try it out: webhook-console demo"
LOADING = "reading the store …"

Request = Literal["edit", "test", "rotate", "skip", "shape"]

HEAT_CELLS = 18
HEAT_FROM = 112
"""Cells of a screen that has room for a strip of errors in each line."""

COLUMNS = (
    Column(key="name", title="ENDPOINT", width=16, flex=3, sortable=True, sort_letter="N"),
    Column(key="state", title="STATE", width=10, sortable=True),
    Column(key="rate", title="OK/S", width=5, align="right", sortable=True, descending_first=True),
    Column(key="errors", title="ERR%", width=5, align="right", sortable=True, sort_letter="E", descending_first=True),
    Column(key="p95", title="P95", width=5, align="right", sortable=True, descending_first=True),
    Column(
        key="pending", title="PENDING", width=7, align="right", sortable=True, sort_letter="P", descending_first=True
    ),
    Column(key="in_flight", title="FLYING", width=6, align="right", priority=2),
    Column(key="failed", title="FAILED", width=6, align="right", sortable=True, descending_first=True, priority=1),
    Column(key="failure", title="LAST FAILURE", width=15, flex=1),
    Column(key="age", title="AGE", width=4, align="right"),
    Column(key="heat", title="ERRORS", width=HEAT_CELLS, chart=True, priority=3),
    Column(key="url", title="URL", width=34, flex=4, priority=4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRow:
    """What one row shows. Rows that are equal look alike."""

    id: EndpointId
    name: str
    url: str
    state: EndpointState | None
    """None: nobody knows, of a moment of the past."""
    reason: str | None
    per_second: float
    ok: int
    failed_attempts: int
    p95_ms: float | None
    pending: int | None
    in_flight: int
    failed: int | None
    failure: str | None
    failure_age: str
    failure_at_ms: int | None
    probe: str = ""
    """When a tripped endpoint is tried again: `probe 24s`; when a paused one resumes by itself: `resumes 12m`."""
    heat: str = ""
    """Its errors over the window, a glyph for each part; empty: not read."""
    dry_run: bool = False
    """Nothing is sent to it."""
    pace_per_s: float | None = None
    """The rate at which its backlog is drained after a pause; None: as its policy lets, or it is not active."""

    @property
    def error_ratio(self) -> float:
        attempts = self.ok + self.failed_attempts
        return self.failed_attempts / attempts if attempts else -1.0


def make_row(
    endpoint: Endpoint,
    gauge: Gauge,
    bucket: Bucket | None,
    *,
    elapsed_s: float,
    now_ms: int,
    counted: bool = True,
    state_known: bool = True,
    heat: str = "",
) -> EndpointRow:
    """An endpoint as its row shows it. Not `counted`: nobody wrote down what was pending and failed then."""
    return EndpointRow(
        id=endpoint.id,
        name=endpoint.name,
        url=redact_url(endpoint.url),
        state=endpoint.state if state_known else None,
        reason=endpoint.state_reason if state_known else None,
        per_second=round(bucket.ok / elapsed_s, 2) if bucket else 0.0,
        ok=bucket.ok if bucket else 0,
        failed_attempts=bucket.failed if bucket else 0,
        p95_ms=bucket.percentile_ms(0.95) if bucket else None,
        pending=gauge.pending if counted else None,
        in_flight=gauge.sending,
        failed=gauge.failed if counted else None,
        failure=gauge.last_failure_cause,
        failure_age=brief_age(now_ms, gauge.last_failure_at_ms),
        failure_at_ms=gauge.last_failure_at_ms,
        heat=heat,
        probe=_probe_words(endpoint, now_ms),
        dry_run=endpoint.dry_run,
        pace_per_s=endpoint.pace.per_s if endpoint.pace and endpoint.state is EndpointState.ACTIVE else None,
    )


def _probe_words(endpoint: Endpoint, now_ms: int) -> str:
    if endpoint.state is EndpointState.PAUSED and endpoint.resume_at_ms is not None:
        resumes_s = -(-(endpoint.resume_at_ms - now_ms) // 1000)
        return f"resumes {brief(resumes_s)}" if resumes_s > 0 else "resuming"
    if endpoint.state is not EndpointState.TRIPPED or endpoint.probe_at_ms is None:
        return ""
    left_s = -(-(endpoint.probe_at_ms - now_ms) // 1000)
    return f"probe {brief(left_s)}" if left_s > 0 else "probing"


def render_endpoint(row: EndpointRow, key: str) -> Cell:
    """The text of one cell, and what it means."""
    match key:
        case "name":
            return row.name, "strong"
        case "state":
            if row.state is None:
                return f"{fmt.ABSENT} unknown", "muted"
            if row.dry_run and row.state is EndpointState.ACTIVE:
                return DRY_RUN
            return ENDPOINT_MARKS[row.state] if row.pace_per_s is None else pace_mark(row.pace_per_s)
        case "rate":
            return fmt.rate(row.per_second).removesuffix("/s"), "normal" if row.per_second else "muted"
        case "errors":
            return fmt.percent(row.failed_attempts, row.ok + row.failed_attempts), _error_meaning(row)
        case "p95":
            return fmt.duration(row.p95_ms), "normal" if row.p95_ms is not None else "muted"
        case "failure":
            return _failure_cell(row)
        case "heat":
            return row.heat, "error" if row.failed_attempts else "ok"
        case "age" | "url":
            return (row.failure_age if key == "age" else row.url), "muted"
        case _:
            return _count_cell(row, key)


def _failure_cell(row: EndpointRow) -> Cell:
    """What it last failed of; before that, when a tripped one is tried again, and why one is held."""
    held = row.state in (EndpointState.PAUSED, EndpointState.DISABLED)
    why = f"{row.state}: {row.reason}" if held and row.reason else ""
    words = " · ".join(part for part in (row.probe, why or row.failure) if part)
    return words or fmt.ABSENT, "normal" if words else "muted"


def _count_cell(row: EndpointRow, key: str) -> Cell:
    n = {"pending": row.pending, "in_flight": row.in_flight, "failed": row.failed}[key]
    if not n:
        return fmt.ABSENT if n is None else "0", "muted"
    return fmt.count(n), "error" if key == "failed" else "normal"


def _error_meaning(row: EndpointRow) -> StyleName:
    if row.failed_attempts == 0:
        return "muted"
    return "error" if row.error_ratio >= 0.1 else "warning"


def sorted_rows(rows: Sequence[EndpointRow], sort: tuple[str, bool] | None) -> list[EndpointRow]:
    """Rows in the order that was asked for; rows that are alike in it stay by name."""
    if sort is None:
        return list(rows)
    column, descending = sort
    return sorted(rows, key=lambda row: _sort_value(row, column), reverse=descending)


def _sort_value(row: EndpointRow, column: str) -> Any:
    match column:
        case "name":
            return row.name.casefold()
        case "state":
            return -1 if row.state is None else list(EndpointState).index(row.state)
        case "rate":
            return row.per_second
        case "errors":
            return row.error_ratio
        case "p95":
            return -1.0 if row.p95_ms is None else row.p95_ms
        case "pending":
            return -1 if row.pending is None else row.pending
        case _:
            return -1 if row.failed is None else row.failed


class EndpointTable(LineTable[EndpointRow]):
    """Endpoints. `p` asks for the marked ones, or the one under the cursor, to be paused or resumed; other keys ask for
    what is done to the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause/resume", id="endpoints.pause"),
        Binding("e", "ask('edit')", "Edit", tooltip="Edit this endpoint", id="endpoints.edit"),
        Binding("t", "ask('test')", "Test", tooltip="Send a test event", id="endpoints.test"),
        Binding("M", "ask('shape')", "Its transform", show=False, id="endpoints.transform"),
        Binding("S", "ask('rotate')", "Rotate its secret", show=False, id="endpoints.rotate"),
        Binding("X", "ask('skip')", "Skip the head of its line", show=False, id="endpoints.skip"),
    ]

    class PauseRequested(Message):
        """Pause these, or resume them."""

        def __init__(self, rows: tuple[EndpointRow, ...]) -> None:
            super().__init__()
            self.rows = rows

    class Requested(Message):
        """Edit this endpoint or its transform, test it, rotate its secret, or skip the head of its line."""

        def __init__(self, what: Request, row: EndpointRow) -> None:
            super().__init__()
            self.what, self.row = what, row

    def __init__(self, *, id: str | None = None) -> None:
        self._list: ListSource[EndpointRow] = ListSource([], lambda row: row.id)
        self.rows: list[EndpointRow] = []
        super().__init__(
            COLUMNS, source=self._list, row_key=lambda row: row.id, render_cell=render_endpoint, empty=LOADING, id=id
        )

    def show(self, rows: list[EndpointRow]) -> None:
        """Show these rows; only the lines that differ are painted again."""
        old, self.rows = self.rows, rows
        self._list.replace(rows)
        if [row.id for row in old] != [row.id for row in rows]:
            self.rows_changed()
            return
        for index, (before, after) in enumerate(zip(old, rows, strict=True)):
            if before != after:
                self.refresh_index(index)

    @property
    def chosen(self) -> tuple[EndpointRow, ...]:
        """The marked rows, else the one under the cursor."""
        marked = set(self.marks)
        if rows := tuple(row for row in self.rows if row.id in marked):
            return rows
        return (self.current,) if self.current else ()

    def action_pause(self) -> None:
        if self.chosen:
            self.post_message(self.PauseRequested(self.chosen))

    def action_ask(self, what: Request) -> None:
        if self.current is not None:
            self.post_message(self.Requested(what, self.current))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("pause", "ask") and getattr(self.app, "read_only", False):
            return False
        return super().check_action(action, parameters)
