"""What the intake needs of the engine in whose process it runs. The engine hands it over; neither imports the other."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.store.protocol import Store

T = TypeVar("T")


class Writes(Protocol):
    """The one connection that writes."""

    async def do(self, work: Callable[[Store], T]) -> T:
        """Run `work` inside a transaction, and answer when it is on disk."""
        ...

    async def do_here(self, work: Callable[[Store], T]) -> T:
        """As `do`, for work of a few milliseconds."""
        ...


class Host(Protocol):
    """What is lent to the intake for as long as it runs."""

    @property
    def writer(self) -> Writes: ...

    @property
    def open_reader(self) -> Callable[[], Store]:
        """Opens a read-only store, for whichever thread uses it, one at a time."""
        ...

    @property
    def open_operator(self) -> Callable[[], Store]:
        """Opens a store for what an operator may do."""
        ...

    @property
    def clock(self) -> Clock: ...

    @property
    def log(self) -> FilteringBoundLogger: ...

    @property
    def stopping(self) -> asyncio.Event:
        """Set when nothing more is to be taken in."""
        ...
