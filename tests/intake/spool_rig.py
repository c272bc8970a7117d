"""A spool folder that is looked at by hand, and what it dies of."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

from console.domain.clock import ManualClock
from console.domain.filters import EventFilter
from console.intake import spool as spooling
from console.intake.spool import Spool, SpoolSettings
from console.intake.spool_folder import Disk
from console.store import Store
from tests.intake.hosts import DirectWriter, LentHost

T = TypeVar("T")


def line(n: object, **given: object) -> str:
    return json.dumps({"type": "lead.new", "data": {"n": n}, **given})


def numbers(store: Store) -> Counter[object]:
    """How often each event is there, by the number in its payload."""
    rows = store.events(EventFilter(), limit=10_000)
    return Counter(json.loads(store.event(row.id).payload)["n"] for row in rows)


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def names(folder: Path, inside: str) -> list[str]:
    """What is in a folder, without the beginning that makes it unique."""
    return sorted(path.name.split("-", 2)[2] for path in (folder / inside).iterdir())


class Rig:
    """A spool on a clock of its own, run by hand."""

    def __init__(self, store: Store, folder: Path, disk: Disk | None = None) -> None:
        self.store, self.folder = store, folder
        self.clock = ManualClock()
        self.host = LentHost(store, clock=self.clock)
        self.spool = Spool(self.host, SpoolSettings(folder=folder), random=Random(str(folder)), disk=disk)

    async def settle(self) -> None:
        """Two looks, with as much time in between as makes a file whole."""
        self.spool.folder.open()
        try:
            for _ in range(2):
                await self.spool._round()
                self.clock.advance(1)
        finally:
            self.spool.folder.close()


class KilledError(BaseException):
    """As good as dead: nothing that follows is done."""


class MortalDisk(Disk):
    """Dies at one of its steps, before or after it is done."""

    def __init__(self, at: int) -> None:
        self._left = at

    def rename(self, old: Path, new: Path) -> None:
        self._step()
        super().rename(old, new)
        self._step()

    def write(self, path: Path, text: str) -> None:
        self._step()
        super().write(path, text)
        self._step()

    def step(self) -> None:
        self._step()

    def _step(self) -> None:
        self._left -= 1
        if not self._left:
            self.die()

    def die(self) -> None:
        raise KilledError


class MortalWriter(DirectWriter):
    def __init__(self, store: Store, disk: MortalDisk) -> None:
        super().__init__(store)
        self._disk = disk

    async def do(self, work: Callable[[Store], T]) -> T:
        self._disk.step()
        done = await super().do(work)
        self._disk.step()
        return done


@contextmanager
def pieces_of(events: int) -> Iterator[None]:
    before, spooling.BATCH = spooling.BATCH, events
    try:
        yield
    finally:
        spooling.BATCH = before
