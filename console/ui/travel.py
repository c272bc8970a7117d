"""Time travel: which moment every screen shows, how one gets there, and the command line that opens the same view."""

import shlex
from typing import TYPE_CHECKING

from console.config import store_path
from console.domain.bursts import Burst, bursts
from console.domain.errors import ConsoleError, ReadInterruptedError
from console.domain.ids import EndpointId
from console.domain.moment import HELP, Moment, parse_moment
from console.domain.rates import MINUTE, window_of
from console.store import Store
from console.ui import format as fmt
from console.ui.live import Taken
from console.ui.past import read_past
from console.ui.time_words import TimeWords
from console.ui.widgets.vocabulary import Cell

if TYPE_CHECKING:
    from console.ui.app import ConsoleApp

SEARCHED_S = 7 * 24 * 3600
"""How far a burst of failures is looked for."""

_PIECE_S = 24 * 3600
_USUAL_S = 3600
"""Looked at before each piece, to know what is usual at its beginning."""

_BODY = (
    "Every screen shows how things stood then.",
    "< >  the burst of failures before, after",
    ", .  a window back, on",
    "L    what is now      @  the command that opens this view",
)


class Travel:
    """Where in time the console is. The app has one, and asks it for all that moves it."""

    def __init__(self, app: "ConsoleApp") -> None:
        self._app = app
        self.moment: Moment | None = None
        self._generation = 0

    # Where it is

    @property
    def end_ms(self) -> int:
        """The newest moment there is, epoch ms: the end of a copy, else now."""
        copy = self._app.session.copy
        return self._app.session.clock.now_ms() if copy is None else copy.as_of_ms

    @property
    def now_ms(self) -> int:
        """The present as the screens see it, epoch ms."""
        return self.end_ms if self.moment is None else self.moment.at_ms

    @property
    def home(self) -> Moment | None:
        """Where `L` goes: what is now, or the end of a copy."""
        return None if self._app.session.copy is None else Moment(at_ms=self.end_ms)

    @property
    def words(self) -> tuple[Cell, ...]:
        """What the header says instead of how fresh its data is; empty where it shows what is now."""
        copy, moment, real_ms = self._app.session.copy, self.moment, self._app.session.clock.now_ms()
        if moment is None:
            return ()
        if copy is not None and moment == self.home:
            as_of = f"{_clock(moment.at_ms, real_ms)} ({fmt.age(real_ms, moment.at_ms)})"
            return (f"✚ copy of {copy.path.name} as of {as_of}", "warning"), ("no engine", "muted")
        span = _clock(moment.at_ms, real_ms)
        if moment.since_ms is not None:
            span = f"{_clock(moment.since_ms, real_ms)}–{fmt.clock_time(moment.at_ms)[:8]}"
        if copy is None:
            return ((f"◷ PAST {span} ({fmt.age(real_ms, moment.at_ms)}) · L goes live", "warning"),)
        before = fmt.duration(max(0, copy.as_of_ms - moment.at_ms))
        return (f"◷ PAST {span} ({before} before the end) · L: its end", "warning"), (
            f"✚ copy of {copy.path.name}",
            "warning",
        )

    # Going somewhere

    def show(self, moment: Moment | None) -> None:
        """Let every screen show a moment of the past; None: what is now. A range chooses its own window."""
        moment = self.home if moment is None else moment
        if moment == self.moment:
            return
        if moment is not None and moment.length_s is not None:
            self._app.window = window_of(moment.length_s)
        self.moment = moment
        self._app.tell_moment(moment)
        if moment is None:
            self._app.feed.look_at(window=self._app.window, focus=self._app.focus_on, anew=True)
        else:
            self._app.feed.rest()
            self.read()

    def read(self) -> None:
        """Read the moment once more: the window or the endpoint has changed."""
        if self.moment is not None:
            self._app.run_worker(self._read(self.moment), group="past", exclusive=True)

    async def _read(self, moment: Moment) -> None:
        window, focus = self._app.window, self._app.focus_on
        self._generation -= 1  # the feed's grow: no two are alike
        generation, read_at_s = self._generation, self._app.session.clock.monotonic_s()

        def read(store: Store) -> Taken:
            return read_past(store, moment, window=window, focus=focus, generation=generation, read_at_s=read_at_s)

        try:
            taken = await self._app.session.read(read, group="past")
        except ReadInterruptedError:
            return
        except ConsoleError as error:
            taken = Taken(snapshot=None, trouble=str(error), attempts=(), skipped=0, generation=generation)
        if self.moment == moment:
            self._app.show_taken(taken)

    async def ask(self) -> None:
        """Ask for a moment, and go there."""
        from console.ui.widgets.confirm import PromptScreen

        prompt = PromptScreen(
            "Show which moment?",
            [HELP, "", *_BODY],
            value=self.moment.argument if self.moment is not None and self.moment != self.home else "",
            placeholder="14:02    nothing: now",
            check=self.parse,
        )
        text = await self._app.push_screen_wait(prompt)
        if text is not None:
            self.show(self.parse(text))

    def parse(self, text: str) -> Moment | None:
        """What was typed; None: what is now. Raises InvalidInputError."""
        if text.strip().lower() in ("", "now", "live"):
            return None
        return parse_moment(text, self.end_ms)

    def step(self, direction: int) -> None:
        """One window back or on; a range goes on by its own length. What would be later than now is now."""
        here = self.moment or Moment(at_ms=self.end_ms)
        length_s = self._app.window.length_s if here.length_s is None else here.length_s
        there = here.moved(round(direction * length_s * 1000), newest_ms=self.end_ms)
        self.show(None if there.at_ms >= self.end_ms else there)

    async def to_burst(self, direction: int) -> None:
        """To the first minute of the burst of failures before or after this moment."""
        at_ms, end_ms, focus = self.now_ms, self.end_ms, self._app.focus_on
        try:
            found = await self._app.session.read(
                lambda store: find_burst(store, at_ms, direction, end_ms=end_ms, endpoint=focus), group="past"
            )
        except ReadInterruptedError:
            return
        except ConsoleError as error:
            self._app.complain(error)
            return
        if found is None:
            days = SEARCHED_S // (24 * 3600)
            where = "later burst of failures" if direction > 0 else f"burst of failures in the {days} days before"
            self._app.say(f"no {where}" + (" · L goes to the end" if direction > 0 and self.moment else ""), warn=True)
            return
        self.show(Moment(at_ms=min(end_ms, landing_ms(found))))

    # The same view elsewhere

    def command(self, *, screen: str, filter_text: str) -> str:
        """The command line that opens this view, for a shell."""
        app, words = self._app, ["webhook-console"]
        if app.session.copy is not None:
            words += [str(app.session.copy.path)]
        else:
            words += ["--read-only"] if app.session.read_only else []
            words += [] if app.session.path == store_path(None) else ["--store", str(app.session.path)]
        moment = self.moment or Moment(at_ms=self.end_ms)
        words += ["--at", moment.argument]
        if moment.since_ms is None:
            words += ["--window", app.window.label]
        if app.focus_on is not None:
            endpoint = app.endpoint(app.focus_on)
            words += ["--endpoint", endpoint.name if endpoint is not None else app.focus_on]
        if screen != "home":
            words += ["--screen", screen]
        if filter_text:
            words += ["--filter", filter_text]
        return shlex.join(words)


def _clock(moment_ms: int, real_ms: int) -> str:
    return TimeWords(real_ms).at(moment_ms)


def landing_ms(burst: Burst) -> int:
    """What is shown of a burst: the last second of its first minute, so that the tail ends with its first failures."""
    return (burst.start_s + MINUTE - 1) * 1000


def find_burst(
    store: Store, at_ms: int, direction: int, *, end_ms: int, endpoint: EndpointId | None = None
) -> Burst | None:
    """The last burst whose landing is before `at_ms`, or the first whose landing is after it; looks at a day at once.

    Args:
        direction: -1 or 1.
        end_ms: there is nothing after it.
    """
    at_s = at_ms // 1000 - MINUTE + 1  # the beginning of a burst whose landing this is
    last_s = end_ms // 1000 + 1
    for piece in range(SEARCHED_S // _PIECE_S):
        since_s, until_s = (
            (at_s - (piece + 1) * _PIECE_S, at_s - piece * _PIECE_S)
            if direction < 0
            else (at_s + 1 + piece * _PIECE_S, min(last_s, at_s + 1 + (piece + 1) * _PIECE_S))
        )
        if since_s >= last_s:
            return None
        minutes = store.buckets(since_s=since_s - _USUAL_S, until_s=until_s, width_s=MINUTE, endpoint=endpoint)
        found = bursts(minutes, since_s=since_s, until_s=until_s)
        if found:
            return found[-1] if direction < 0 else found[0]
    return None
