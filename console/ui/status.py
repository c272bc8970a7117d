"""The top line of a screen that reads the store by itself."""

from textual.screen import Screen

from console.domain.status import EngineStatus
from console.ui.session import Session
from console.ui.widgets.header import WIDE, HeaderState, data_cell, engine_cell


def crumbs_below(screen: Screen[None]) -> tuple[str, ...]:
    """Where one came from: the crumbs of the nearest screen below this one that has any, and is of another kind."""
    stack = screen.app.screen_stack
    below = stack[: stack.index(screen)] if screen in stack else stack
    for other in reversed(below):
        crumbs: object = getattr(other, "crumbs", None)
        if isinstance(crumbs, tuple) and type(other) is not type(screen):
            return crumbs
    return ("Home",)


def status_line(
    session: Session, crumbs: tuple[str, ...], engine: EngineStatus | None, read_at_s: float | None, width: int
) -> HeaderState:
    """Where this is, whether an engine runs, and how old the data is. `read_at_s`: the last good look, monotonic."""
    age_s = None if read_at_s is None else session.clock.monotonic_s() - read_at_s
    wide = width >= WIDE
    cell = engine_cell(engine, session.clock.now_ms(), wide=wide) if read_at_s is not None else ("… engine", "muted")
    badge = (("⊘ read-only", "warning"),) if session.read_only else ()
    return HeaderState(crumbs=crumbs, status=(cell, data_cell(age_s), *badge, (session.path.name, "muted")), window="")
