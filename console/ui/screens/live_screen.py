"""What every screen that shows live data has: the header, a line for what must be said, and the keys."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from console.domain.clock import Clock
from console.ui import format as fmt
from console.ui.layered import LayeredScreen
from console.ui.live import Taken
from console.ui.messages import MomentChanged
from console.ui.status import watching_cell
from console.ui.time_words import TimeWords
from console.ui.widgets.header import (
    SHOWN_WINDOWS,
    UNREAD_METRICS,
    HeaderState,
    StatusHeader,
    data_cell,
    engine_cell,
    metrics_of,
)
from console.ui.widgets.header import WIDE as WIDE_HEADER
from console.ui.widgets.key_bar import KeyBar
from console.ui.widgets.text_line import TextLine
from console.ui.widgets.vocabulary import Cell

if TYPE_CHECKING:
    from console.ui.app import ConsoleApp

TICK_S = 0.5
"""How often the loop itself computes the ages: data that no longer moves says so although nothing arrives."""


class LiveScreen(LayeredScreen[None]):
    """Subclasses say `crumbs`, compose a `body`, and take what the feed has."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text("utf-8")
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number),
                f"window({number - 1})",
                f"Rates of the last {window.label}",
                show=False,
                id=f"app.window-{number}",
            )
            for number, window in enumerate(SHOWN_WINDOWS, 1)
        ),
        Binding("left_square_bracket", "other_window(-1)", "Shorter window", show=False, id="app.window-shorter"),
        Binding("right_square_bracket", "other_window(1)", "Longer window", show=False, id="app.window-longer"),
    ]

    @property
    def console(self) -> "ConsoleApp":
        return cast("ConsoleApp", self.app)

    @property
    def clock(self) -> Clock:
        return self.console.session.clock

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Where this is."""
        raise NotImplementedError

    @property
    def warning(self) -> str:
        """What must be said in a line of its own; empty for nothing."""
        return ""

    @property
    def _alert_words(self) -> str:
        """The newest alert that fires, and how many more do."""
        alerts = self.console.snapshot.alerts if self.console.snapshot else ()
        if not alerts:
            return ""
        newest = max(alerts, key=lambda alert: alert.fired_at_ms)
        more = f" · {len(alerts) - 1} more" if len(alerts) > 1 else ""
        since = TimeWords(self.console.now_ms).at(newest.since_ms)
        return f"▲ {fmt.inline(newest.words)} since {since}{more} · A shows {'them' if more else 'it'}"

    def body(self) -> ComposeResult:
        """What is between the header and the keys."""
        raise NotImplementedError

    def take(self, taken: Taken) -> None:
        """New data."""

    def tick(self) -> None:
        """Time went on."""

    def on_moment_changed(self, message: MomentChanged) -> None:
        """Another moment is shown from now on. Who reads for itself overrides this too, and reads anew."""
        self.say_status()
        if self.query(KeyBar):
            self.query_one(KeyBar).say_keys()

    def compose(self) -> ComposeResult:
        yield StatusHeader()
        yield TextLine(id="warning")
        yield from self.body()
        yield KeyBar()

    def on_mount(self) -> None:
        self.set_interval(TICK_S, self._on_tick)
        self.say_status()

    def on_screen_resume(self) -> None:
        self._on_tick()
        self.query_one(KeyBar).say_keys()

    def on_resize(self) -> None:
        self.say_status()

    def _on_tick(self) -> None:
        if self.counts_tick():
            self.say_status()
            self.tick()

    def say_status(self) -> None:
        """Say how things stand at this moment."""
        if not self.query(StatusHeader):
            return  # data came before the screen was composed, or after it was left
        app = self.console
        snapshot, now_ms = app.snapshot, self.clock.now_ms()
        wide = self.size.width >= WIDE_HEADER
        age_s = None if snapshot is None else self.clock.monotonic_s() - snapshot.read_at_s
        engine: Cell = ("… engine", "muted") if snapshot is None else engine_cell(snapshot.engine, now_ms, wide=wide)
        # What is not live must never look it.
        fresh = (engine, data_cell(age_s)) if app.moment is None else app.travel.words
        slow: tuple[Cell, ...] = ((words, "warning"),) if (words := app.link_words) else ()
        badge: tuple[Cell, ...] = (("⊘ read-only", "warning"),) if app.session.read_only else ()
        self.query_one(StatusHeader).state = HeaderState(
            crumbs=self.crumbs,
            status=(*fresh, *slow, *watching_cell(app.session), *badge, (app.session.path.name, "muted")),
            window=app.window.label,
            metrics=UNREAD_METRICS if snapshot is None else metrics_of(snapshot),
        )
        self.say_warning()

    def say_warning(self) -> None:
        """Say what is wrong, or take the line away."""
        if not self.query("#warning"):
            return
        trouble = self.console.trouble
        shown = self._alert_words if self.console.preferences.settings.alert_banner else ""
        text = f"✗ {fmt.inline(trouble)}" if trouble else self.warning or shown
        line = self.query_one("#warning", TextLine)
        # As wide as the screen: where the line is turned around, blanks that are not written have no colour.
        line.line = Content(fmt.fit(f" {text}", self.scrollable_content_region.width))
        line.display = bool(text)
        line.set_class(bool(trouble), "-trouble")

    def action_window(self, index: int) -> None:
        self.console.choose_window(SHOWN_WINDOWS[index])

    def action_other_window(self, step: int) -> None:
        """The next longer or shorter window of those that have a key."""
        now_s = self.console.window.length_s
        others = [window for window in SHOWN_WINDOWS[::step] if (window.length_s - now_s) * step > 0]
        if others:
            self.console.choose_window(others[0])
