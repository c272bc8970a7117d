"""What each process of an engine does with itself before it begins."""

import asyncio
import gc
import resource
from collections.abc import Callable
from contextlib import suppress

GC_THRESHOLD = 50_000
"""Objects made before the collector looks for cycles. A delivery makes dozens and no cycle; at Python's own 700 the
collector took a twentieth of all."""


def prepare() -> None:
    """As many files as may be open, and a collector that stays out of the way."""
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    # A request is a socket: the default of 1,024 is less than what may be in flight.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop, where there is a wheel of it: half the cost of a wake-up."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
