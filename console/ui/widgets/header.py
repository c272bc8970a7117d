"""The lines at the top of every live screen: whether anything moves, and how well."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from console.domain.rates import WINDOWS, Window
from console.domain.status import EngineStatus
from console.ui import format as fmt
from console.ui.live import Snapshot
from console.ui.widgets.ages import brief
from console.ui.widgets.spark import chart_line, levels, resample
from console.ui.widgets.vocabulary import STYLE_NAMES, Cell, StyleName

SHOWN_WINDOWS: tuple[Window, ...] = tuple(window for window in WINDOWS if window.label != "6h")
"""What keys 1 to 5 choose."""

DATA_STALE_S = 2.5
"""The feed reads at least once a second; data older than this is not taken for live."""

LATE_AFTER_MS = 2_400
"""An engine beats once a second. One that has been silent for so long is said to be, sooner than it is taken for dead:
half a second passes between two looks, and within three it must have been noticed."""

GONE_AFTER_S = 60
"""An engine that has been silent for so long is no longer merely late."""

LABEL_WIDTH, VALUE_WIDTH, SMALLEST_SPARK = 9, 7, 6
CELLS_A_LINE = 4
LINES = 3
WIDE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number and its chart. `ceiling`: the value of a full column; the largest when None."""

    label: str
    value: str
    meaning: StyleName = "strong"
    chart: tuple[float | None, ...] = ()
    chart_meaning: StyleName = "accent"
    ceiling: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderState:
    """All that the header says. `status` parts are in order of weight: the last is left out first when narrow."""

    crumbs: tuple[str, ...]
    status: tuple[Cell, ...]
    window: str
    metrics: tuple[Metric, ...] = ()


def engine_cell(engine: EngineStatus | None, now_ms: int, *, wide: bool) -> Cell:
    """Whether an engine runs, as glyph and words."""
    if engine is None:
        return "■ no engine", "warning"
    if engine.stopped_at_ms is not None:
        ago = f" · stopped {brief((now_ms - engine.stopped_at_ms) // 1000)} ago" if wide else ""
        return f"■ no engine{ago}", "warning"
    silent_ms = now_ms - engine.heartbeat_at_ms
    silent_s = silent_ms // 1000
    if silent_s >= GONE_AFTER_S:
        return f"■ no engine · silent {brief(silent_s)}", "error"
    if silent_ms >= LATE_AFTER_MS:
        return f"▲ engine stale {silent_s}s", "error"
    word = "● stopping" if engine.stop_requested else "● running"
    # A minute is the finest that is shown, so that an idle screen stays unpainted.
    minutes = (now_ms - engine.started_at_ms) // 60_000
    up = f" · up {brief(minutes * 60) if minutes else '<1m'}"
    return f"{word} · pid {engine.pid}" + (up if wide else ""), "ok"


def data_cell(age_s: float | None) -> Cell:
    """How old the data is."""
    if age_s is None:
        return "… reading", "muted"
    return ("● data live", "ok") if age_s < DATA_STALE_S else (f"▲ data {brief(int(age_s))} old", "error")


def metrics_of(snapshot: Snapshot) -> tuple[Metric, ...]:
    """The numbers of the chosen window, and how pending and in flight stand now."""
    rates = snapshot.rates
    total, series = rates.total, rates.series
    failing: StyleName = "error" if total.failed else "strong"
    return (
        Metric(label="delivered", value=_short_rate(total.ok / rates.elapsed_s), chart=series.delivered),
        Metric(label="success", value=fmt.percent(total.ok, total.attempts), chart=series.success, ceiling=1.0),
        Metric(
            label="errors",
            value=fmt.percent(total.failed, total.attempts),
            meaning=failing,
            chart=series.errors,
            chart_meaning="error",
            ceiling=1.0,
        ),
        Metric(label="p50", value=fmt.duration(total.percentile_ms(0.5)), chart=series.p50_ms),
        Metric(label="p95", value=fmt.duration(total.percentile_ms(0.95)), chart=series.p95_ms),
        Metric(
            label="pending",
            value=fmt.count(snapshot.pending if snapshot.pending_is_known else None),
            chart=snapshot.pending_levels,
        ),
        Metric(label="in flight", value=fmt.count(snapshot.in_flight), chart=snapshot.in_flight_levels),
    )


def _short_rate(per_s: float) -> str:
    """`<.01/s` too leaves a blank beside its label."""
    return fmt.rate(per_s).replace("<0.", "<.")


UNREAD_METRICS = tuple(
    Metric(label=label, value=fmt.ABSENT, meaning="muted")
    for label in ("delivered", "success", "errors", "p50", "p95", "pending", "in flight")
)
"""What stands in their places before the first read, so that nothing moves when it comes."""

Parts = list[Cell]


class StatusHeader(Widget):
    """Paints a HeaderState; only the lines that changed are painted again."""

    ALLOW_SELECT = False
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"header--top", *(f"header--{name}" for name in STYLE_NAMES)}

    state: reactive[HeaderState] = reactive(
        HeaderState(crumbs=("Home",), status=(("… reading", "muted"),), window="1m"), repaint=False
    )

    def watch_state(self, old: HeaderState, new: HeaderState) -> None:
        width = self.size.width
        for y, (before, after) in enumerate(zip(lines_of(old, width), lines_of(new, width), strict=True)):
            if before != after:
                self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        under = ("header--top",) if y == 0 else ()
        lines = lines_of(self.state, width)
        base = self.get_visual_style(*under).rich_style
        segments = [
            Segment(text, self.get_visual_style(*under, f"header--{meaning}").rich_style)
            for text, meaning in (lines[y] if y < len(lines) else [])
        ]
        return Strip(segments).adjust_cell_length(width, base)


def lines_of(state: HeaderState, width: int) -> tuple[Parts, ...]:
    """The header's lines at a width."""
    # The windows are the last of the first line, above in flight.
    cells: list[Metric | Parts] = [*state.metrics[:3], _window_cell(state.window), *state.metrics[3:]]
    return (
        _top_line(state, width),
        _metric_line(cells[:CELLS_A_LINE], width),
        _metric_line(cells[CELLS_A_LINE:], width),
    )


def _top_line(state: HeaderState, width: int) -> Parts:
    crumbs = " › ".join(fmt.inline(crumb) for crumb in state.crumbs)
    status = list(state.status)
    room = width - 4 - min(cell_len(crumbs), max(12, width // 4))
    while len(status) > 1 and sum(cell_len(text) + 2 for text, _ in status) > room:
        status.pop()
    right: Parts = []
    for text, meaning in status:
        right += [("  ", "normal"), (fmt.inline(text), meaning)]
    used = sum(cell_len(text) for text, _ in right)
    left = fmt.fit(" " + crumbs, max(0, width - used - 2))
    return [(left, "strong"), (" ", "normal"), *right, (" ", "normal")]


def _window_cell(label: str) -> Parts:
    parts: Parts = []
    for window in WINDOWS:
        if window.label == label:
            parts.append((f"[{window.label}] ", "accent"))
        elif window in SHOWN_WINDOWS:
            parts.append((f"{window.label} ", "muted"))
    return parts


def _metric_line(cells: Sequence[Metric | Parts], width: int) -> Parts:
    parts: Parts = [(" ", "normal")]
    each = (width - 2) // CELLS_A_LINE
    for cell in cells:
        parts += _metric_cell(cell, each) if isinstance(cell, Metric) else _padded(cell, each)
    return parts


def _metric_cell(metric: Metric, width: int) -> Parts:
    label, value = fmt.fit(metric.label, LABEL_WIDTH), fmt.fit(metric.value, VALUE_WIDTH, right=True)
    parts: Parts = [(label, "muted"), (value, metric.meaning)]
    room = width - LABEL_WIDTH - VALUE_WIDTH - 4
    if room >= SMALLEST_SPARK:
        chart = chart_line(levels(resample(metric.chart, room), 1, metric.ceiling), 0, 1)
        parts += [("  ", "normal"), (chart, metric.chart_meaning)]
    return _padded(parts, width)


def _padded(parts: Parts, width: int) -> Parts:
    used = sum(cell_len(text) for text, _ in parts)
    return [*parts, (" " * max(0, width - used), "normal")]
