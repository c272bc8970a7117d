"""The one protocol between the engine and an HTTP library."""

from typing import Protocol

from console.domain.outcome import Outcome, Request


class Transport(Protocol):
    """Sends requests. Safe for any number of concurrent sends on one event loop.

    `send` never raises for what a network or a receiver does: that is a Failure. It raises
    `asyncio.CancelledError` at once when cancelled; the request itself may still arrive, and its connection is let go
    at the latest when its total timeout is over.
    """

    async def send(self, request: Request) -> Outcome: ...

    async def aclose(self) -> None:
        """Close pooled connections. Sends in flight end as they can; new ones are a programming error."""
        ...
