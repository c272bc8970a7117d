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
        self.busy = 0
        """Requests under way."""

    def give(self, claimed: Claimed, group: asyncio.TaskGroup) -> None:
        """Send this, by a task that is idle or by a new one in the group."""
        self.busy += 1
        if self._idle:
            self._idle.pop().set_result(claimed)
            return
        task = group.create_task(self._run(claimed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, claimed: Claimed) -> None:
        task = asyncio.current_task()
        assert task is not None
        while True:
            try:
                await self._send(claimed)
            finally:
                self.busy -= 1
                self._freed.set()
            # `send` has swallowed the cancellation in order to say what it knows: the task ends all the same, else a
            # group that fails would wait for it for ever.
            if task.cancelling():
                return
            waiting: asyncio.Future[Claimed] = asyncio.get_running_loop().create_future()
            self._idle.append(waiting)
            claimed = await waiting

    async def interrupt(self) -> None:
        """Cut short every request under way, and wait until each has said what it knows. Nothing is given after it."""
        await asyncio.sleep(0)  # a task that is cancelled before it began would leave no trace
        self.cancel()
        while self.busy:
            self._freed.clear()
            await self._freed.wait()

    def cancel(self) -> None:
        """End the tasks, at once when nothing is under way."""
        for task in list(self._tasks):
            task.cancel()
