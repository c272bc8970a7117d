"""Who has a console open on this store: this one says so every few seconds, and learns of the others."""

import os
import secrets
from contextlib import suppress
from typing import Any

from textual.app import App

from console.domain.errors import ConsoleError
from console.domain.watcher import Watcher
from console.store import Store
from console.ui.session import Session

EVERY_S = 10.0
PLACE_MAX = 80


class Presence:
    """Says that somebody looks on, and where; nothing of a read-only console is written. Every method is the loop's."""

    def __init__(self, app: App[Any], session: Session) -> None:
        self._app, self._session = app, session
        self._id = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._since_ms = session.clock.now_ms()
        self._said = False

    def begin(self) -> None:
        """From now on, until the app ends."""
        self._app.set_interval(EVERY_S, self.say)
        self._app.run_worker(self.say(), group="presence", exclusive=True, exit_on_error=False)

    async def say(self) -> None:
        """Say it once more, and see who else is there. A store that cannot be read or written is no matter here."""
        now_ms = self._session.clock.now_ms()
        me = Watcher(
            id=self._id,
            actor=self._session.actor,
            place=self._place,
            since_ms=self._since_ms,
            seen_at_ms=now_ms,
        )

        def say_and_look(store: Store) -> list[Watcher]:
            store.watch(me)
            return store.watchers(now_ms)

        with suppress(ConsoleError):
            if self._session.read_only:
                found = await self._session.read(lambda store: store.watchers(now_ms))
            else:
                found = await self._session.write(say_and_look)
                self._said = True
            self._session.others = tuple(one for one in found if one.id != self._id)

    async def leave(self) -> None:
        """Take it back; one that cannot say so is forgotten by and by."""
        if self._said and not self._session.read_only:
            with suppress(ConsoleError):
                await self._session.write(lambda store: store.unwatch(self._id))

    @property
    def _place(self) -> str:
        for screen in reversed(self._app.screen_stack):
            crumbs: object = getattr(screen, "crumbs", None)
            if isinstance(crumbs, tuple):
                return " › ".join(str(crumb) for crumb in crumbs)[:PLACE_MAX]
        return ""
