"""Keys that come faster than they are answered: each goes to what the keys before it have brought.

Textual hands a key to whatever has the focus when it comes. A key that opens a question first reads the store, on
another thread, and then composes a screen: letters of a reason that came in the same burst, as they do over a slow
line, would be commands to the screen below. Here one key is under way at a time; those behind it wait until it has been
answered and what it opened is there.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.worker import Worker

ASKING = frozenset(
    {
        "act",
        "capture",
        "details",
        "endpoint",
        "event",
        "export",
        "form",
        "leave",
        "look",
        "mute",
        "opening",
        "pause",
        "quit",
        "remove",
        "replay",
        "save",
        "steer",
        "steering",
        "transform",
        "travel",
        "undo",
    }
)
"""Groups of the workers that may ask something or open a screen."""

AT_ONCE = "ctrl+q"
"""What ends the console waits for nothing."""

OPENS_S = 5.0
"""How long a screen is waited for that a key has asked for."""

GOES_ON_S = 1.0
"""How long the next question is waited for after an answer; what takes longer is being done, not asked."""

LOOK_S = 0.003
WALKS = 3
"""A key goes from the focus up to the app, what it does says so in a message that goes the same way, and what takes
that message may say it again in other words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """How things stood when a key was let through."""

    target: MessagePump
    screen: Screen[Any]
    depth: int
    workers: frozenset[Worker[Any]]


class TypedAhead:
    """Lets keys through one by one. On the app's loop only."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._held: deque[events.Event] = deque()
        self._passing: events.Event | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def waits(self) -> bool:
        """Whether a key has not been answered yet."""
        return self._task is not None

    def lets_through(self, event: events.Event) -> bool:
        """Whether a key or a paste that has come to the app may go on; else it comes again when it may."""
        if event is self._passing or (isinstance(event, events.Key) and event.key == AT_ONCE):
            return True
        if self._task is not None:
            self._held.append(event)
            return False
        if not self._app.screen_stack:
            return True
        self._passing = event
        self._task = asyncio.create_task(self._follow(self._look()), name="typed-ahead")
        return True

    def end(self) -> None:
        """The app ends: nothing waits any more."""
        self._held.clear()
        if self._task is not None:
            self._task.cancel()

    async def _follow(self, before: _Before) -> None:
        try:
            while True:
                await self._answered(before)
                if not self._held or not self._app.screen_stack:
                    return
                before, self._passing = self._look(), self._held.popleft()
                self._app.post_message(self._passing)
        finally:
            self._task = self._passing = None

    def _look(self) -> _Before:
        app = self._app
        return _Before(
            target=app.focused or app.screen,
            screen=app.screen,
            depth=len(app.screen_stack),
            workers=self._asking(),
        )

    def _asking(self) -> frozenset[Worker[Any]]:
        return frozenset(one for one in self._app.workers if one.group in ASKING and not one.is_finished)

    async def _answered(self, before: _Before) -> None:
        """Return once a key has done what it does, and what it opened can be typed into."""
        app = self._app
        await _passed(app, app)
        for _ in range(WALKS):
            await self._walk(before.target)
        if not app.screen_stack:
            return
        if app.screen is before.screen:
            begun = self._asking() - before.workers
            if begun and not await self._come_or_done(begun, OPENS_S):
                # What was typed for a question that did not come is nobody's.
                self._drop()
        elif len(app.screen_stack) < before.depth and (going_on := before.workers & self._asking()):
            await self._come_or_done(going_on, GOES_ON_S)
        await self._until(lambda: app.screen.is_mounted, OPENS_S)
        if app.screen_stack:
            await self._walk(app.focused or app.screen)

    async def _come_or_done(self, workers: frozenset[Worker[Any]], most_s: float) -> bool:
        """Wait for another screen, or the end of these. Returns whether another screen is there."""
        app, shown = self._app, self._app.screen
        await self._until(lambda: app.screen is not shown or not workers & self._asking(), most_s)
        return bool(app.screen_stack) and app.screen is not shown

    def _drop(self) -> None:
        if self._held:
            self._held.clear()
            self._app.bell()

    async def _walk(self, target: MessagePump) -> None:
        """Go the way of a key, behind all that is on it."""
        node: MessagePump | None = target
        while node is not None:
            await _passed(self._app, node)
            node = node._parent

    async def _until(self, condition: Callable[[], bool], most_s: float) -> None:
        until_s = asyncio.get_running_loop().time() + most_s
        # Nothing tells of all that is waited for here.
        while self._app.screen_stack and not condition() and asyncio.get_running_loop().time() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)


async def _passed(app: App[Any], node: MessagePump) -> None:
    """Wait until a node has handled all that it has now, or is gone."""
    done = asyncio.Event()
    if not node.is_running or not node.call_later(done.set):
        return
    while not done.is_set() and node.is_running and app.is_running:
        try:
            await asyncio.wait_for(done.wait(), 0.1)
        except TimeoutError:
            continue
