"""Requests that come while the store commits are kept together, and whatever happens to one of them is its own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from console.domain.clock import ManualClock
from console.domain.errors import StoreError
from console.domain.event import Accepted, NewEvent
from console.domain.ids import EventId
from console.domain.inbound import Fate, InboundRequest, InboxFilter, NewArrival
from console.domain.source import Source, SourceId, SourceKind, SourceSpec
from console.intake.keeping import TOGETHER_MOST, Incoming, Keeper
from console.operations.sources import add_source
from console.store import Store, open_store

T = TypeVar("T")


class SlowWriter:
    """Waits at each transaction until it is let through. `trouble` is raised instead of the next one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.gate = asyncio.Semaphore(0)
        self.begun = 0
        self.trouble: Exception | None = None

    async def do(self, work: Callable[[Store], T]) -> T:
        self.begun += 1
        await self.gate.acquire()
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        with self.store.transaction():
            return work(self.store)

    do_here = do


class Rig:
    def __init__(self, store: Store) -> None:
        self.store, self.writer = store, SlowWriter(store)
        self.keeper = Keeper(self.writer, ManualClock())
        spec = SourceSpec(name="open", kind=SourceKind.OPEN)
        self.source: Source = add_source(store, spec, actor="a", now_ms=0, random=Random(1))

    def incoming(self, name: str, *, source: SourceId | None = None) -> Incoming:
        request = InboundRequest(
            method="POST", path=name, query="", headers=(), body=b"", remote_address="::1", received_at_ms=1
        )
        arrival = NewArrival(source=source or self.source.id, request=request, fate=Fate.ACCEPTED, status=202)
        event = NewEvent(type="a.b", payload=b"1", id=EventId(name))
        return Incoming(arrival=arrival, event=event, began_s=0.0)

    def send(self, group: asyncio.TaskGroup, *names: str) -> "list[asyncio.Task[Accepted | None]]":
        return [group.create_task(self.keeper.keep(self.incoming(name))) for name in names]

    def paths(self) -> list[str]:
        return [row.path for row in reversed(self.store.arrivals(InboxFilter(), limit=500))]


@pytest.fixture
def rig(store_path: Path) -> Iterator[Rig]:
    with closing(open_store(store_path)) as store:
        yield Rig(store)


async def settle() -> None:
    """Let every task go as far as it goes by itself."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_comes_while_the_store_commits_goes_together(rig: Rig) -> None:
    async with asyncio.TaskGroup() as group:
        first = rig.send(group, "a")
        await settle()
        others = rig.send(group, *(f"b{n}" for n in range(TOGETHER_MOST)), "b0", "last")
        await settle()
        assert rig.writer.begun == 1
        for _ in range(3):
            rig.writer.gate.release()
            await settle()
    assert rig.writer.begun == 3
    accepted = [task.result() for task in first + others]
    assert [one.duplicate for one in accepted if one is not None] == [False] * (TOGETHER_MOST + 1) + [True, False]
    fates = [row.fate for row in rig.store.arrivals(InboxFilter(), limit=500)]
    assert fates.count(Fate.DUPLICATE) == 1
    assert len(fates) == TOGETHER_MOST + 3


async def test_one_that_cannot_be_kept_takes_no_other_down(rig: Rig) -> None:
    async with asyncio.TaskGroup() as group:
        rig.send(group, "a")
        await settle()
        good = rig.send(group, "b", "c")
        bad = group.create_task(_outcome(rig.keeper.keep(rig.incoming("bad", source=SourceId("src_nobody")))))
        more = rig.send(group, "d")
        for _ in range(6):
            rig.writer.gate.release()
        await settle()
    assert "no source src_nobody" in str(bad.result())
    assert all(task.result() for task in good + more)
    assert rig.paths() == ["a", "b", "c", "d"]
    assert rig.store.event(EventId("d")).type == "a.b"


async def _outcome(work: object) -> object:
    try:
        return await work  # type: ignore[misc] # of a test
    except Exception as error:
        return error


async def test_a_full_disk_is_told_to_all_who_wait_and_the_next_may_try(rig: Rig) -> None:
    rig.writer.trouble = StoreError("disk is full")
    async with asyncio.TaskGroup() as group:
        told = [group.create_task(_outcome(rig.keeper.keep(rig.incoming(name)))) for name in "a"]
        await settle()
        after = rig.send(group, "b", "c")
        for _ in range(2):
            rig.writer.gate.release()
        await settle()
    assert str(told[0].result()) == "disk is full"
    assert all(task.result() for task in after)
    assert rig.paths() == ["b", "c"]


@pytest.mark.parametrize("when", ["while it waits", "when it was told to commit"])
async def test_whoever_goes_away_leaves_nobody_waiting(rig: Rig, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.TaskGroup() as group:
        rig.send(group, "a")
        await settle()
        gone, stays = rig.send(group, "b", "c")
        await settle()
        if when == "while it waits":
            gone.cancel()
        else:
            hand_over = rig.keeper._hand_over

            def hand_over_and_go() -> None:
                hand_over()
                gone.cancel()

            monkeypatch.setattr(rig.keeper, "_hand_over", hand_over_and_go)
        rig.writer.gate.release()
        rig.writer.gate.release()
        await settle()
        assert stays.done()
    assert gone.cancelled()
    assert stays.result() is not None
    assert "c" in rig.paths()
    rig.writer.gate.release()
    assert await rig.keeper.keep(rig.incoming("d")) is not None
