"""What the console shows first, as flags say it, and the console on a copied store."""

from dataclasses import dataclass
from pathlib import Path

from console.cli.invocation import Invocation
from console.domain.moment import parse_moment
from console.domain.rates import WINDOWS
from console.store import Store, copy_to_look_at, open_copied_store, open_store
from console.ui.terminal import require_terminal
from console.ui.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The flags, as they were given."""

    at: str | None = None
    window: str | None = None
    endpoint: str | None = None
    screen: str | None = None
    filter_text: str | None = None

    @property
    def anything(self) -> bool:
        """Whether there was any."""
        return self != Asked()

    def view_of(self, path: Path, now_ms: int) -> View:
        """The view that is meant of a store. Raises InvalidInputError, UnknownReferenceError, StoreError."""
        store = open_store(path, read_only=True, create=False)
        try:
            return self.view(store, now_ms)
        finally:
            store.close()

    def view(self, store: Store, now_ms: int) -> View:
        """As `view_of`, of an open store that ends at `now_ms`."""
        return View(
            moment=None if self.at is None else parse_moment(self.at, now_ms),
            window=None if self.window is None else next(w for w in WINDOWS if w.label == self.window),
            focus=None if self.endpoint is None else store.find_endpoint(self.endpoint).id,
            screen="failures" if self.filter_text and self.screen is None else self.screen,
            filter_text=self.filter_text,
        )


def open_viewed(invocation: Invocation, *, theme: str | None, read_only: bool, no_engine: bool, asked: Asked) -> int:
    """Open the console with a view that was asked for. Returns the exit code."""
    from console.cli.opening import open_console

    return open_console(invocation, theme=theme, read_only=read_only, no_engine=no_engine, remember=False, asked=asked)


def open_copy(invocation: Invocation, path: Path, *, theme: str | None, asked: Asked) -> int:
    """Open the console on a copied or backed-up store, as of its end, with no engine. Returns the exit code.

    A store on which an engine runs is no copy: it is shown live, for reading only.
    """
    from console.cli.opening import show_console
    from console.engine.lock import is_held

    require_terminal(invocation.environ)
    if is_held(path.absolute()):
        view = asked.view_of(path, invocation.clock.now_ms()) if asked.anything else None
        notice = "an engine runs on this store: it is shown live, read-only"
        return show_console(invocation, path.absolute(), theme=theme, read_only=True, notice=notice, view=view)
    with copy_to_look_at(path) as copy:
        store = open_copied_store(copy)
        try:
            view = asked.view(store, copy.as_of_ms)
        finally:
            store.close()
        return show_console(
            invocation, copy.path, theme=theme, read_only=True, notice=copy.notice, view=view, copy=copy
        )
