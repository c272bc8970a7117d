"""The spool folder: files that are dropped there are accepted, each whole or not at all, once.

The steps, at each of which a process may die: the file is taken (renamed), read once to see whether all of it is right,
read again and accepted in pieces, and moved to its end. The next process goes on with what was taken: the ids of events
are the same then, and what was accepted is not accepted again.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random, SystemRandom

from console.domain.errors import ConsoleError, InvalidInputError
from console.domain.event import Accepted, NewEvent
from console.intake.seam import Host
from console.intake.spool_folder import STILL_S, Disk, SpoolFolder
from console.intake.spool_reading import Faults, as_accepted, events_of, faults_of, held_against, unit_of
from console.operations.accepting import SchemaBook
from console.operations.ndjson import BadLine, GoodLine
from console.store.protocol import Store

BATCH = 1000
"""Events in one transaction."""

RESCAN_S = 10.0
"""The folder is looked at so often even when nobody says that anything has changed."""

POLL_S = 1.0
"""The same, where nobody can say so."""

TROUBLE_S = 5.0
"""After what could not be done is tried again."""

_DEBOUNCE_MS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    folder: Path
    poll: bool = False
    """Look for changes by oneself: for network file systems, on which nobody is told of what others do."""


def spool(settings: SpoolSettings) -> Callable[[Host], AbstractAsyncContextManager[None]]:
    """A service that accepts what is dropped. It cannot begin (ConfigError) where the folder cannot be used."""
    return partial(_spooling, settings)


@asynccontextmanager
async def _spooling(settings: SpoolSettings, host: Host) -> AsyncIterator[None]:
    one = Spool(host, settings)
    await asyncio.to_thread(one.folder.open)
    try:
        async with asyncio.TaskGroup() as group:
            watching, running = group.create_task(one.watch()), group.create_task(one.run())
            yield
            watching.cancel()
            if not host.stopping.is_set():
                running.cancel()
            one.wake()  # and see that it is time to end
    finally:
        one.folder.close()


class _StoppedError(Exception):
    """Nothing more is to be taken in."""


class Spool:
    """Takes files from one folder.

    Args:
        random: makes the names that taken files get; must never repeat.
    """

    def __init__(
        self, host: Host, settings: SpoolSettings, *, random: Random | None = None, disk: Disk | None = None
    ) -> None:
        self._host, self._settings = host, settings
        self._woken = asyncio.Event()
        self._rescan_s = POLL_S
        self._book = SchemaBook()
        self.folder = SpoolFolder(
            settings.folder, clock=host.clock, random=random or SystemRandom(), complain=self._complain, disk=disk
        )

    async def run(self) -> None:
        """Until cancelled; nothing more is taken in once the host is stopping."""
        while not self._host.stopping.is_set():
            wait_s = await self._round()
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    async def watch(self) -> None:
        """Wake up for what changes in the folder."""
        from watchfiles import awatch  # a native library that only who has a spool folder needs

        try:
            async for changes in awatch(
                self._settings.folder,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                stop_event=self._host.stopping,
                yield_on_timeout=True,
                recursive=False,
                force_polling=self._settings.poll or None,
            ):
                if changes or self._rescan_s != RESCAN_S:
                    self._rescan_s = RESCAN_S  # only now is it sure that it is watched
                    self.wake()
        except OSError as error:
            self._rescan_s = POLL_S
            self._host.log.warning("spool folder is not watched, only looked at", error=str(error))

    async def _round(self) -> float:
        """Do all that can be done now. Returns in how many seconds to look again."""
        try:
            wait_s = await asyncio.to_thread(self.folder.take)
            whole = [await self._bring_to_end(file) for file in await asyncio.to_thread(self.folder.taken)]
            unfinished = await asyncio.to_thread(self.folder.unfinished)
        except Exception as error:  # the root of this task: deliveries are not to end for it
            self._host.log.error("spool folder cannot be used, and is tried again", error=_words(error))
            return TROUBLE_S
        if not all(whole):
            return TROUBLE_S
        soonest_s = self._rescan_s if wait_s is None else min(wait_s, self._rescan_s)
        return min(soonest_s, STILL_S) if unfinished else soonest_s

    async def _bring_to_end(self, file: Path) -> bool:
        """Whether nothing was in the way. What was taken stays taken until it is at its end."""
        try:
            await self._bring(file)
        except _StoppedError:
            return True
        except Exception as error:  # the root of what is done with a file: the others are not to wait for it
            self._host.log.error(
                "spool file is at no end, and is tried again", file=_shown(file.name), error=_words(error)
            )
            return False
        return True

    async def _bring(self, file: Path) -> None:
        try:
            stamp = await asyncio.to_thread(self.folder.settle, file)
        except InvalidInputError as error:
            await self._reject(file, str(error))
            return
        faults = await asyncio.to_thread(self._check, file)
        if faults is not None:
            await self._reject(file, str(faults))
            return
        try:
            accepted, duplicates = await self._accept(file)
        except InvalidInputError as error:
            await self._reject(file, str(error))
            return
        if await asyncio.to_thread(self.folder.changed, file, stamp):
            return  # somebody still wrote to it: once more, and what is there already stays as it is
        await asyncio.to_thread(self.folder.accepted, file)
        self._host.log.info("spool file accepted", file=_shown(file.name), events=accepted, duplicates=duplicates)

    def _check(self, file: Path) -> Faults | None:
        """Whether all of it is right, as the schemas are now."""
        with closing(self._host.open_reader()) as store:
            self._book.refresh(store)
        return faults_of(self._while_wanted(held_against(self._book, events_of(file))), unit_of(file))

    def _while_wanted(self, events: Iterator[GoodLine | BadLine]) -> Iterator[GoodLine | BadLine]:
        for event in events:
            if self._host.stopping.is_set():
                raise _StoppedError
            yield event

    async def _accept(self, file: Path) -> tuple[int, int]:
        """Accept its events piece by piece. Returns how many were accepted, and how many had been before."""
        accepted = duplicates = 0
        events = self._while_wanted(events_of(file))
        while batch := await asyncio.to_thread(self._next_batch, events, file.name):
            for answer in await self._host.writer.do(partial(self._keep, batch)):
                duplicates += answer.duplicate
                accepted += not answer.duplicate
        return accepted, duplicates

    def _next_batch(self, events: Iterator[GoodLine | BadLine], file_name: str) -> list[NewEvent]:
        """Raises InvalidInputError: the file is not as it was when it was checked."""
        batch = []
        for line in islice(events, BATCH):
            if isinstance(line, BadLine):
                raise InvalidInputError(f"line {line.number}: {line.reason} (the file was changed while it was read)")
            batch.append(self._book.mark(as_accepted(line, file_name)))
        return batch

    def _keep(self, events: Sequence[NewEvent], store: Store) -> list[Accepted]:
        return store.accept(events, self._host.clock.now_ms())

    async def _reject(self, file: Path, why: str) -> None:
        await asyncio.to_thread(self.folder.rejected, file, f"{why}\n")
        first = why.partition("\n")[0]
        self._host.log.warning("spool file rejected: nothing of it was accepted", file=_shown(file.name), why=first)

    def _complain(self, name: str, why: str) -> None:
        self._host.log.warning("spool file is left where it is", file=_shown(name), why=why)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, (ConsoleError, OSError)) else f"{type(error).__name__}: {error}"


def _shown(name: str) -> str:
    """A file's name as text, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")
