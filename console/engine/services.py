"""What runs beside an engine and is none of its business: an HTTP server, a folder that is watched."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.engine.writer import Writer
from console.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an engine lends to a service."""

    writer: Writer
    """The one connection that writes, with its group commit."""
    open_reader: Callable[[], Store]
    """A read-only store, for whichever thread uses it, one at a time."""
    open_operator: Callable[[], Store]
    """A store for what an operator may do, beside the engine's own connections as another process would have it."""
    clock: Clock
    log: FilteringBoundLogger
    stopping: asyncio.Event
    """Set when the engine begins to drain: take nothing more in."""


Service = Callable[[Surroundings], AbstractAsyncContextManager[None]]
"""Runs while the block runs, which is from before the engine says that it has started until it has drained. It ends
what is under way when it is left. One that cannot begin raises ConfigError, and the engine ends in order."""
