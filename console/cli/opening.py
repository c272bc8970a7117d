"""Opening the console: the terminal it needs, the store, and an engine behind it."""

import gc
import sys
from collections.abc import Mapping
from pathlib import Path

from console.cli.invocation import Invocation
from console.config import TRANSPORT_VARIABLE, EngineSettings, allowed_addresses
from console.domain.errors import ConfigError, ConsoleError
from console.settings import Settings, load_settings
from console.store import open_store


def check_terminal(environ: Mapping[str, str]) -> None:
    """Raises ConfigError when there is no terminal that can show the console."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise ConfigError(
            "the console needs a terminal on stdin, stdout and stderr (over SSH: ssh -t); "
            "commands such as 'webhook-console status' do not"
        )
    if environ.get("TERM", "dumb") in ("dumb", "unknown", ""):
        raise ConfigError("the console needs a terminal that can move the cursor, and TERM says dumb or nothing")


def open_console(invocation: Invocation, *, theme: str | None, read_only: bool, no_engine: bool) -> int:
    """Open the console on the store, starting an engine when none is alive. Returns the exit code."""
    check_terminal(invocation.environ)
    # Nothing of what is loaded from here to the first frame is garbage; the console turns it on again.
    gc.disable()
    try:
        path = invocation.store_path
        # Here and not in the console: what is wrong with a store is a line on the shell, not a screen.
        open_store(path, read_only=read_only, create=not read_only).close()
        notice, started = _engine(invocation, start=not (read_only or no_engine))
        return show_console(invocation, path, theme=theme, read_only=read_only, notice=notice, started_engine=started)
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
) -> int:
    """Show the console on a store that exists, until it is left. Returns the exit code."""
    from console.operations.actor import current_actor
    from console.ui.app import run_console
    from console.ui.session import Session

    settings, trouble = _settings(invocation)
    session = Session(path, read_only=read_only, clock=invocation.clock, actor=current_actor())
    try:
        return run_console(
            session,
            theme=theme,
            notice=trouble or notice,
            started_engine=started_engine,
            settings=settings,
            reload=lambda: load_settings(invocation.environ),
        )
    finally:
        session.close()


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
