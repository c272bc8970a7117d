"""A configuration file that an engine follows: applied when it begins, and whenever the file says something else.

A file that is wrong changes nothing: what was applied last stays in force, and why is logged and in the audit log.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import SystemRandom

from console.domain.configuration import Wanted
from console.domain.errors import ConfigError, ConsoleError
from console.domain.sealing import NO_KEYS, Keyring
from console.intake.seam import Host
from console.intake.spool_folder import Stamp, nobody_writes
from console.operations.configuration import Applied, Applier, refuse
from console.operations.configuration_file import read_text
from console.operations.configuration_reading import read_configuration

ACTOR = "engine"
RELOOK_S = 10.0
"""The file is looked at so often even when nobody says that it has changed: what it refers to may have."""

STILL_S = 0.2
"""It is read once it has not changed for so long."""

LOOKS_MOST = 50

_DEBOUNCE_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguringSettings:
    file: Path
    environ: Mapping[str, str] = field(repr=False)
    """What `env:NAME` in the file refers to."""
    keys: Keyring = NO_KEYS


def configuring(settings: ConfiguringSettings) -> Callable[[Host], AbstractAsyncContextManager[None]]:
    """A service that follows a file. It cannot begin (ConfigError) when the file cannot be applied."""
    return partial(_configuring, settings)


@asynccontextmanager
async def _configuring(settings: ConfiguringSettings, host: Host) -> AsyncIterator[None]:
    follower = Follower(host, settings)
    await follower.begin()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follower.run()), group.create_task(follower.watch())]
        yield
        for task in tasks:
            task.cancel()


class Follower:
    """Follows one file."""

    def __init__(self, host: Host, settings: ConfiguringSettings) -> None:
        self._host, self._settings = host, settings
        self._woken = asyncio.Event()
        self._last: Wanted | str | None = None
        """What the file said last, or why that was none."""

    async def begin(self) -> None:
        """Raises ConfigError when the file cannot be applied."""
        try:
            await asyncio.to_thread(self._look)
        except ConsoleError as error:
            raise ConfigError(str(error)) from None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(RELOOK_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                await self._wait_until_still()
                await asyncio.to_thread(self._look)
            except ConsoleError:
                continue  # it was said where it was met
            except Exception as error:  # the root of this task: deliveries are not to end for it
                self._host.log.error("configuration cannot be looked at", error=f"{type(error).__name__}: {error}")

    async def watch(self) -> None:
        """Wake up for what changes in the file's folder: editors put another file in its place."""
        from watchfiles import awatch  # a native library that only who follows a file needs

        folder = self._settings.file.absolute().parent
        try:
            async for _ in awatch(
                folder, watch_filter=None, debounce=_DEBOUNCE_MS, stop_event=self._host.stopping, recursive=False
            ):
                self._woken.set()
        except OSError as error:
            self._host.log.warning("configuration is not watched, only looked at", error=str(error))

    async def _wait_until_still(self) -> None:
        """A file that is being written is half of what it will be; one that is held open for long is read as it is."""
        before: Stamp | None = None
        for _ in range(LOOKS_MOST):
            now = await asyncio.to_thread(self._stamp)
            if now is not None and now == before:
                return
            before = now
            await asyncio.sleep(STILL_S)

    def _stamp(self) -> Stamp | None:
        """None: somebody writes it now."""
        path = self._settings.file
        try:
            if nobody_writes(path.resolve()) is False:
                return None
            return Stamp.of(path.stat())
        except OSError:
            # It is not there, or cannot be read: that is what will be said.
            return Stamp(inode=0, size_bytes=0, modified_ns=0, changed_ns=0)

    def _look(self) -> None:
        """Apply the file when it says something else than before. Raises ConsoleError, once it has been said."""
        path = self._settings.file
        try:
            wanted = read_configuration(
                read_text(path), name=str(path), folder=path.absolute().parent, environ=self._settings.environ
            )
            if wanted != self._last:
                self._say(self._apply(wanted), wanted)
                self._last = wanted
        except ConsoleError as error:
            if str(error) != self._last:
                self._last = str(error)
                self._refuse(error)
            raise

    def _apply(self, wanted: Wanted) -> Applied:
        applier = Applier(actor=ACTOR, random=SystemRandom(), entropy=os.urandom, keys=self._settings.keys)
        with closing(self._host.open_operator()) as store:
            return applier.apply(store, wanted, label=self._settings.file.name, now_ms=self._host.clock.now_ms())

    def _say(self, applied: Applied, wanted: Wanted) -> None:
        for warning in wanted.warnings:
            self._host.log.warning("configuration", warning=warning)
        stays = [f"{step.thing} {step.name}" for step in applied.stays]
        self._host.log.info("configuration applied", file=self._settings.file.name, done=applied.words, stays=stays)

    def _refuse(self, error: ConsoleError) -> None:
        try:
            with closing(self._host.open_operator()) as store:
                refuse(store, error, label=self._settings.file.name, actor=ACTOR, now_ms=self._host.clock.now_ms())
        except ConsoleError as trouble:
            self._host.log.error("refusal is not in the audit log", error=str(trouble))
        self._host.log.error("configuration refused, the last one stays in force", error=str(error))
