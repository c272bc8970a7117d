"""The tasks that send. They are kept and used again: at thousands a second a task for each request costs a tenth of
everything."""

import asyncio
from collections.abc import Awaitable, Callable

from console.domain.work import Claimed


class Senders:
    """As many tasks as there are requests at once, each with one request at a time.

    Args:
        send: what is done with a claimed delivery. It is interrupted by cancellation, and then still ends by itself,
            having said what it knows.
    """

    def __init__(self, send: Callable[[Claimed], Awaitable[None]]) -> None:
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[Claimed]] = []
        self._freed = asyncio.Event()

    @property
    def busy(self) -> int:
        """Requests under way."""
        return len(self._tasks) - len(self._idle)

    def give(self, claimed: Claimed, group: asyncio.TaskGroup) -> None:
        """Send this, by a task that is idle or by a new one in the group."""
        if self._idle:
            self._idle.pop().set_result(claimed)
            return
        task = group.create_task(self._run(claimed))
        self._tasks.add(task)

    async def _run(self, claimed: Claimed) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._send(claimed)
            waiting: asyncio.Future[Claimed] = loop.create_future()
            self._idle.append(waiting)
            self._freed.set()
            claimed = await waiting

    async def interrupt(self) -> None:
        """Cut short every request under way, and wait until each has said what it knows."""
        await asyncio.sleep(0)  # a task that is cancelled before it began would leave no trace
        for task in self._tasks:
            task.cancel()
        while self.busy:
            self._freed.clear()
            await self._freed.wait()

    def cancel(self) -> None:
        """End the tasks; nothing is under way."""
        for task in self._tasks:
            task.cancel()
