"""The writing thread: many pieces to a transaction, and no piece that answers for another."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from console.domain.errors import StoreError
from console.engine.writer import BATCH, Writer
from console.store import Store, open_store
from tests.engine.rig import HANG_S
from tests.factories import NOW_MS, make_event


class CountingStore:
    """A real store that counts its transactions, and says when it is closed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.transactions = 0
        self.closed = self.locked = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[None]:
        self.transactions += 1
        if self.locked:
            raise StoreError("locked by another process for 5 s")
        with self._store.transaction(wait=wait):
            yield

    def close(self) -> None:
        self.closed = True
        self._store.close()


class Interruption(BaseException):
    """What is no Exception."""


class Held:
    """A piece of work that keeps the writer busy until it is let go."""

    def __init__(self) -> None:
        self._running, self._gate = threading.Event(), threading.Event()

    def __call__(self, store: Store) -> object:
        self._running.set()
        return self._gate.wait(HANG_S)

    async def running(self) -> None:
        assert await asyncio.to_thread(self._running.wait, HANG_S)

    def let_go(self) -> None:
        self._gate.set()


class Rig:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.store: CountingStore
        self.writer = Writer(self._open)

    def _open(self) -> Store:
        self.store = CountingStore(open_store(self.path, any_thread=True))
        return self.store

    def accepted(self) -> list[str]:
        """Event ids in order, as another process reads them."""
        from tests.store.recount import read

        return [id_ for (id_,) in read(self.path, "SELECT id FROM events ORDER BY seq")]


@pytest.fixture
async def rig(store_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(store_path)
    await rig.writer.start()
    yield rig
    await rig.writer.close()


def accepts(id_: str) -> Callable[[Store], object]:
    def work(store: Store) -> object:
        return str(store.accept([make_event(id=id_)], NOW_MS)[0].id)

    return work


def fails(error: BaseException) -> Callable[[Store], object]:
    def work(store: Store) -> object:
        store.accept([make_event(id="evt_never")], NOW_MS)
        raise error

    return work


async def test_what_waits_is_committed_together(rig: Rig) -> None:
    held = Held()
    first = asyncio.create_task(rig.writer.do(held))
    await held.running()
    waiting = [asyncio.create_task(rig.writer.do(accepts(f"evt_{i:03}"))) for i in range(2 * BATCH)]
    await asyncio.sleep(0)
    held.let_go()
    assert await asyncio.gather(*waiting) == [f"evt_{i:03}" for i in range(2 * BATCH)]
    await first
    assert rig.store.transactions == 3
    assert rig.accepted() == [f"evt_{i:03}" for i in range(2 * BATCH)]


async def test_what_do_answers_is_on_disk(rig: Rig) -> None:
    for i in range(5):
        await rig.writer.do(accepts(f"evt_{i}"))
        assert len(rig.accepted()) == i + 1


@pytest.mark.parametrize("error", [StoreError("the disk is full"), ZeroDivisionError(), Interruption()], ids=repr)
async def test_a_piece_that_fails_takes_no_other_down(rig: Rig, error: BaseException) -> None:
    held = Held()
    first = asyncio.create_task(rig.writer.do(held))
    await held.running()
    good = [asyncio.create_task(rig.writer.do(accepts(f"evt_{i}"))) for i in range(3)]
    await asyncio.sleep(0)
    bad = asyncio.create_task(rig.writer.do(fails(error)))
    await asyncio.sleep(0)
    good += [asyncio.create_task(rig.writer.do(accepts(f"evt_{i}"))) for i in range(3, 6)]
    await asyncio.sleep(0)
    held.let_go()
    answers = await asyncio.gather(first, *good)
    failure: BaseException | None = None
    try:
        await bad
    except BaseException as raised:
        failure = raised
    assert failure is error
    assert answers[1:] == rig.accepted() == [f"evt_{i}" for i in range(6)]
    assert await rig.writer.do(accepts("evt_later")) == "evt_later"


async def test_a_store_that_stays_locked_is_waited_for_once_not_by_each_piece(rig: Rig) -> None:
    held = Held()
    first = asyncio.create_task(rig.writer.do(held))
    await held.running()
    waiting = [asyncio.create_task(rig.writer.do(accepts(f"evt_{i}"))) for i in range(5)]
    await asyncio.sleep(0)
    rig.store.locked, before = True, rig.store.transactions
    held.let_go()
    await first
    for piece in waiting:
        with pytest.raises(StoreError, match="locked"):
            await piece
    assert rig.store.transactions == before + 1


async def test_a_caller_that_is_cancelled_undoes_nothing(rig: Rig) -> None:
    held = Held()
    first = asyncio.create_task(rig.writer.do(held))
    await held.running()
    caller = asyncio.create_task(rig.writer.do(accepts("evt_kept")))
    wrong = asyncio.create_task(rig.writer.do(fails(StoreError("nobody is told"))))
    await asyncio.sleep(0)
    caller.cancel()
    wrong.cancel()
    held.let_go()
    await first
    assert await rig.writer.do(accepts("evt_after")) == "evt_after"
    assert caller.cancelled()
    assert rig.accepted() == ["evt_kept", "evt_after"]


async def test_closing_finishes_what_was_handed_over(rig: Rig) -> None:
    held = Held()
    work = [asyncio.create_task(rig.writer.do(held))]
    await held.running()
    work += [asyncio.create_task(rig.writer.do(accepts(f"evt_{i}"))) for i in range(BATCH + 5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(rig.writer.close())
    await asyncio.sleep(0)
    assert not closing.done()
    held.let_go()
    await closing
    await asyncio.gather(*work)
    assert len(rig.accepted()) == BATCH + 5
    assert rig.store.closed
    await rig.writer.close()


async def test_a_store_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no store at all" * 100)
    writer = Writer(lambda: open_store(tmp_path / "text.db", any_thread=True))
    with pytest.raises(StoreError, match="no store"):
        await writer.start()
    await writer.close()


class TroubledLog:
    """A real store whose log cannot be shortened."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def keep_log_short(self) -> None:
        self.tries += 1
        raise StoreError("the disk failed")


@pytest.mark.parametrize("way", [Writer.do, Writer.do_here])
async def test_a_log_that_cannot_be_shortened_is_said_and_fails_no_commit(tmp_path: Path, way: Any) -> None:
    store = TroubledLog(open_store(tmp_path / "store.db", any_thread=True))
    said: asyncio.Queue[StoreError] = asyncio.Queue()
    writer = Writer(lambda: cast(Store, store), on_trouble=said.put_nowait)
    await writer.start()
    try:
        assert await way(writer, accepts("evt_one")) == "evt_one"
        async with asyncio.timeout(HANG_S):
            assert str(await said.get()) == "the disk failed"
        assert await way(writer, accepts("evt_two")) == "evt_two"
        assert store.tries == 1, "each try writes all of the log: not with each commit"
    finally:
        await writer.close()


async def test_work_done_here_is_on_disk_and_runs_on_the_loops_thread(rig: Rig) -> None:
    ran_on: list[threading.Thread] = []

    def work(store: Store) -> object:
        ran_on.append(threading.current_thread())
        return accepts("evt_here")(store)

    assert await rig.writer.do_here(work) == "evt_here"
    assert ran_on == [threading.main_thread()]
    assert rig.accepted() == ["evt_here"]


async def test_work_done_here_that_fails_leaves_nothing_and_nobody_waiting(rig: Rig) -> None:
    with pytest.raises(ZeroDivisionError):
        await rig.writer.do_here(fails(ZeroDivisionError()))
    assert rig.accepted() == []
    assert await rig.writer.do(accepts("evt_thread")) == "evt_thread"
    assert await rig.writer.do_here(accepts("evt_here")) == "evt_here"


async def test_the_loop_never_waits_for_the_thread_or_for_another_process(rig: Rig) -> None:
    held = Held()
    first = asyncio.create_task(rig.writer.do(held))
    await held.running()
    behind = asyncio.create_task(rig.writer.do_here(accepts("evt_behind")))
    await asyncio.sleep(0)
    assert not behind.done()
    held.let_go()
    await first
    assert await behind == "evt_behind"

    other = open_store(rig.path)
    try:
        with other.transaction():
            waiting = asyncio.create_task(rig.writer.do_here(accepts("evt_after_lock")))
            await asyncio.sleep(0.01)  # the loop turns while the other process writes
            assert not waiting.done()
        assert await waiting == "evt_after_lock"
    finally:
        other.close()


@pytest.mark.parametrize("way", ["do", "do_here"])
async def test_what_fails_after_its_caller_is_gone_is_no_traceback_in_the_log(rig: Rig, way: str) -> None:
    unseen: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    held = Held()

    def fail(store: Store) -> None:
        raise StoreError("the disk is full")

    @contextmanager
    def failing_commit(*, wait: bool = True) -> Iterator[None]:
        yield
        held(rig.store)
        raise StoreError("the disk is full")

    blocking: asyncio.Task[Any]
    caller: asyncio.Task[Any]
    if way == "do":
        blocking = asyncio.create_task(rig.writer.do(held))
        caller = asyncio.create_task(rig.writer.do(fail))
    else:
        setattr(rig.store, "transaction", failing_commit)  # noqa: B010 - mypy lets no method be replaced
        caller = blocking = asyncio.create_task(rig.writer.do_here(lambda store: None))
    await held.running()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    held.let_go()
    await asyncio.wait([blocking])
    if way == "do_here":
        delattr(rig.store, "transaction")
    await rig.writer.do(lambda store: None)
    await asyncio.sleep(0)
    del caller, blocking
    gc.collect()
    assert unseen == []
