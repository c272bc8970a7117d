"""An event loop whose time is a clock of its own: nothing is waited for, the clock goes to what is next to be done.

With the same seed everything happens in the same order: tasks are told apart by a number, not by where in memory they
are, which is what the sets that asyncio keeps them in are ordered by.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")
START_MS = 1_700_000_000_000
MOST_AT_ONCE_S = 900.0
"""The most that time goes on beyond the next timer: those that are overdue then run, as after a laptop's sleep."""


class SimulatedClock:
    """Monotonic time that only the loop moves, and a wall that may be set beside it."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.shift_ms = 0

    def now_ms(self) -> int:
        return START_MS + self.shift_ms + int(self.elapsed_s * 1000)

    def monotonic_s(self) -> float:
        return self.elapsed_s


class _Task(asyncio.Task[Any]):
    born = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        _Task.born += 1
        self.number = _Task.born
        super().__init__(*arguments, **named)

    def __hash__(self) -> int:
        return self.number


class _Jumps(selectors.SelectSelector):
    """Waits for nothing: the clock is put forward instead."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock
        self.next_act_s: Callable[[], float | None] = lambda: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits and nothing would ever happen")
        if timeout > 0:
            until_s = self._clock.elapsed_s + timeout
            act_s = self.next_act_s()
            if act_s is not None:
                until_s = max(until_s, min(act_s, until_s + MOST_AT_ONCE_S))
            self._clock.elapsed_s = until_s
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Args:
    clock: the only time there is.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        _Task.born = 0
        self._jumps = _Jumps(clock)
        super().__init__(self._jumps)
        self._clock = clock
        self._clock_resolution = 1e-5  # sums of floats are not what they should be
        self.set_task_factory(_make_task)

    def jump_to(self, next_act_s: Callable[[], float | None]) -> None:
        """Tell when, by monotonic time, the world has something to do again; None: timers are to be on time."""
        self._jumps.next_act_s = next_act_s

    def time(self) -> float:
        return self._clock.elapsed_s

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]  # typeshed's variadic generics
        """In this thread and at once: the order of two threads is nobody's to repeat."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def _make_task(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    context: Context | None = None,
    **named: Any,
) -> "asyncio.Future[Any]":
    return _Task(coro, loop=loop, context=context, **named)
