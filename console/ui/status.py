"""The top line of a screen that reads the store by itself."""

from typing import Any

from textual.app import App
from textual.screen import Screen

from console.domain.moment import Moment
from console.domain.status import EngineStatus
from console.ui.session import Session
from console.ui.widgets.header import WIDE, HeaderState, data_cell, engine_cell
from console.ui.widgets.vocabulary import Cell


def crumbs_below(screen: Screen[None]) -> tuple[str, ...]:
    """Where one came from: the crumbs of the nearest screen below this one that has any, and is of another kind."""
    stack = screen.app.screen_stack
    below = stack[: stack.index(screen)] if screen in stack else stack
    for other in reversed(below):
        crumbs: object = getattr(other, "crumbs", None)
        if isinstance(crumbs, tuple) and type(other) is not type(screen):
            return crumbs
    return ("Home",)


def past_ms(app: App[Any]) -> int | None:
    """The moment of the past that an app shows, epoch ms; None: what is now."""
    moment: Moment | None = getattr(app, "moment", None)
    return None if moment is None else moment.at_ms


def past_words(app: App[Any]) -> tuple[Cell, ...]:
    """What a header says of that moment; empty for what is now."""
    words: tuple[Cell, ...] = () if past_ms(app) is None else app.travel.words  # type: ignore[attr-defined]  # has both
    return words


def watching_cell(session: Session) -> tuple[Cell, ...]:
    """`2 watching`, when somebody else has a console open here too."""
    return ((f"{len(session.others) + 1} watching", "accent"),) if session.others else ()


def live_engine(app: App[Any]) -> tuple[EngineStatus | None, float | None]:
    """The engine as the live feed last saw it, and when that was (monotonic), for screens that read nothing anew."""
    snapshot = getattr(app, "snapshot", None)
    return (None, None) if snapshot is None else (snapshot.engine, snapshot.read_at_s)


def status_line(
    session: Session,
    crumbs: tuple[str, ...],
    engine: EngineStatus | None,
    read_at_s: float | None,
    width: int,
    *,
    past: tuple[Cell, ...] = (),
) -> HeaderState:
    """Where this is, whether an engine runs, and how old the data is. `read_at_s`: the last good look, monotonic.

    Args:
        past: said instead, of a moment of the past.
    """
    age_s = None if read_at_s is None else session.clock.monotonic_s() - read_at_s
    wide = width >= WIDE
    cell = engine_cell(engine, session.clock.now_ms(), wide=wide) if read_at_s is not None else ("… engine", "muted")
    badges: tuple[Cell, ...] = (("⊘ read-only", "warning"),) if session.read_only else ()
    if session.masked:
        badges = (("▒ masked", "warning"), *badges)
    badges = (*watching_cell(session), *badges)
    fresh = past or (cell, data_cell(age_s))
    return HeaderState(crumbs=crumbs, status=(*fresh, *badges, (session.path.name, "muted")), window="")
