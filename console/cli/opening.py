"""Opening the console: the terminal it needs, the store, and an engine behind it."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.invocation import Invocation
from console.cli.quick_start import without_tls
from console.config import TRANSPORT_VARIABLE, EngineSettings, allowed_addresses
from console.domain.errors import ConfigError, ConsoleError
from console.settings import Settings, load_settings
from console.store import check_store
from console.ui.terminal import require_terminal

if TYPE_CHECKING:
    from console.cli.viewing import Asked
    from console.domain.copy import StoreCopy
    from console.domain.inbound import Arrival
    from console.ui.session import Answered
    from console.ui.view import View


def open_console(
    invocation: Invocation,
    *,
    theme: str | None,
    read_only: bool,
    no_engine: bool,
    remember: bool = True,
    asked: "Asked | None" = None,
) -> int:
    """Open the console on the store, starting an engine when none is alive. Returns the exit code.

    Args:
        remember: begin as it was left, and keep how it is left.
        asked: what is shown first.
    """
    require_terminal(invocation.environ)
    # Nothing of what is loaded from here to the first frame is garbage; the console turns it on again.
    gc.disable()
    try:
        path = invocation.store_path
        # Here and not in the console: what is wrong with a store is a line on the shell, not a screen.
        check_store(path, read_only=read_only, create=not read_only)
        notice, started = _engine(invocation, start=not (read_only or no_engine))
        return show_console(
            invocation,
            path,
            theme=theme,
            read_only=read_only,
            notice=notice,
            started_engine=started,
            remember=remember and asked is None,
            view=None if asked is None else asked.view_of(path, invocation.clock.now_ms()),
        )
    finally:
        gc.enable()


def show_console(
    invocation: Invocation,
    path: Path,
    *,
    theme: str | None,
    read_only: bool,
    notice: str | None,
    started_engine: bool = False,
    remember: bool = False,
    view: "View | None" = None,
    copy: "StoreCopy | None" = None,
) -> int:
    """Show the console on a store that exists, until it is left. Returns the exit code.

    Args:
        remember: begin as it was left, and keep how it is left.
        view: what is shown first.
        copy: `path` is a copy of a store, looked at as of its end.
    """
    from console.operations.actor import current_actor

    with without_tls():
        from console.ui.app import run_console
    from console.ui.session import Session
    from console.ui.state import StateFile, state_dir

    settings, trouble = _settings(invocation)
    session = Session(
        path,
        read_only=read_only,
        clock=invocation.clock,
        actor=current_actor(),
        copy=copy,
        send_on=lambda arrival, url: _send_on(invocation, arrival, url),
    )
    try:
        return run_console(
            session,
            theme=theme,
            notice=trouble or notice,
            started_engine=started_engine,
            settings=settings,
            reload=lambda: load_settings(invocation.environ),
            state=StateFile(state_dir(invocation.environ), path, invocation.clock)
            if remember and settings.state
            else None,
            view=view,
        )
    finally:
        session.close()


def _send_on(invocation: Invocation, arrival: "Arrival", url: str) -> "Answered":
    """Send a request that came in to a URL. Raises InvalidInputError where it cannot be."""
    from console.intake.sending import addresses_for, again, send

    addresses = addresses_for(url, allowed_addresses((), invocation.environ))
    return send(again(arrival, url), addresses=addresses, clock=invocation.clock)


def _settings(invocation: Invocation) -> tuple[Settings, str | None]:
    """What the user prefers, and what is wrong with their file: that must keep nobody from an incident."""
    try:
        return load_settings(invocation.environ), None
    except ConfigError as problem:
        return load_settings(invocation.environ, file=False), f"{problem}: the file is left out"


def _engine(invocation: Invocation, *, start: bool) -> tuple[str | None, bool]:
    """What to say about the engine at the start, and whether this console started it."""
    if not start:
        return None, False
    from console.cli.background import Started, ensure_engine

    settings = EngineSettings(
        store=invocation.store_path,
        allow_addresses=allowed_addresses((), invocation.environ),
        transport=invocation.environ.get(TRANSPORT_VARIABLE) or "pyreqwest",
    )
    try:
        engine = ensure_engine(settings, clock=invocation.clock)
    except ConsoleError as problem:
        return f"no engine: {problem}", False
    if isinstance(engine, Started):
        return f"started an engine, pid {engine.pid}; its log is {engine.log}", True
    return None, False
