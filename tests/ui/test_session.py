"""Reads of a console: slow ones hold up no quick ones, and what is no longer wanted ends."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.domain.clock import SystemClock
from console.domain.errors import ReadInterruptedError
from console.store import Store, open_store
from console.ui.session import Session

FOR_EVER = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


class Endless:
    """A read that never ends by itself."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def __call__(self, store: Store) -> None:
        self.begun.set()
        store._connection.rows(FOR_EVER)  # type: ignore[attr-defined]  # no read of the product takes for ever


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    open_store(tmp_path / "store.db").close()
    with closing(Session(tmp_path / "store.db", read_only=True, clock=SystemClock(), actor="ada@box")) as session:
        yield session


async def begun(read: Endless) -> None:
    await asyncio.to_thread(read.begun.wait)


async def test_a_quick_read_does_not_wait_for_a_search(session: Session) -> None:
    slow = Endless()
    search = asyncio.create_task(session.read(slow, group="list"))
    await begun(slow)
    assert await session.read(lambda store: store.endpoints()) == []
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search


async def test_a_later_read_of_a_group_takes_the_place_of_an_earlier_one(session: Session) -> None:
    slow, waiting = Endless(), Endless()
    first = asyncio.create_task(session.read(slow, group="list"))
    await begun(slow)
    second = asyncio.create_task(session.read(waiting, group="list"))
    await asyncio.sleep(0)
    assert await session.read(lambda store: len(store.endpoints()), group="list") == 0
    for unwanted in (first, second):
        with pytest.raises(ReadInterruptedError):
            await unwanted
    assert not waiting.begun.is_set(), "nobody waits for what nobody wants"


async def test_the_end_of_a_task_is_the_end_of_its_read(session: Session) -> None:
    slow = Endless()
    search = asyncio.create_task(session.read(slow, group="list"))
    await begun(slow)
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    assert await session.read(lambda store: len(store.endpoints()), group="other") == 0


async def test_a_session_that_closes_ends_its_searches(tmp_path: Path) -> None:
    open_store(tmp_path / "store.db").close()
    session = Session(tmp_path / "store.db", read_only=True, clock=SystemClock(), actor="ada@box")
    slow = Endless()
    search = asyncio.create_task(session.read(slow, group="list"))
    await begun(slow)
    began_s = time.perf_counter()
    await asyncio.to_thread(session.close)
    assert time.perf_counter() - began_s < 5
    with pytest.raises(ReadInterruptedError):
        await search
