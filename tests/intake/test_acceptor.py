"""What is posted while the store commits is kept together, and each caller gets what is its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from console.domain.clock import SystemClock
from console.domain.errors import InvalidInputError, StoreError
from console.domain.event import NewEvent
from console.domain.filters import EventFilter
from console.domain.token import TokenId
from console.intake.acceptor import Acceptor, Taken, keyed
from console.intake.backlog import Backlog
from console.intake.problems import Problem
from console.intake.readers import Readers
from console.store import Store
from tests.engine.rig import Lines
from tests.factories import make_event

T = TypeVar("T")


class OneStore:
    """Writes at once, and counts transactions."""

    def __init__(self, store: Store) -> None:
        self._store, self.transactions, self.fails = store, 0, False

    async def do(self, work: Callable[[Store], T]) -> T:
        if self.fails:
            raise StoreError("the disk is full")
        self.transactions += 1
        with self._store.transaction():
            return work(self._store)

    do_here = do


async def posted(writer: OneStore, *batches: tuple[str | None, Sequence[NewEvent]]) -> list[Taken | BaseException]:
    """All of these come before the first is committed."""
    log, clock = Lines().log, SystemClock()
    acceptor = Acceptor(writer, Backlog(None, Readers(lambda: writer._store), log), clock, log)

    def accept(key: str | None, events: Sequence[NewEvent]) -> Awaitable[Taken]:
        if key is None:
            return acceptor.accept(events)
        own, beyond = keyed(events, TokenId("tok_x"), key)
        return acceptor.accept(own, beyond=beyond)

    waiting = [asyncio.ensure_future(accept(key, events)) for key, events in batches]
    await asyncio.sleep(0)
    running = asyncio.ensure_future(acceptor.run())
    try:
        return await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        running.cancel()


async def test_the_same_key_twice_at_once_is_one_request(store: Store) -> None:
    one, other = [make_event(payload=b"1"), make_event(payload=b"2")], [make_event(payload=b"3")]
    first, again, refused, plain = await posted(OneStore(store), ("k", one), ("k", one), ("k", other), (None, other))
    assert isinstance(first, Taken)
    assert isinstance(again, Taken)
    assert (first.replayed, again.replayed, again.answers) == (False, True, first.answers)
    assert isinstance(refused, Problem)
    assert refused.status == 422
    assert isinstance(plain, Taken)
    assert len(store.events(EventFilter(), limit=10)) == 3


async def test_many_requests_are_few_transactions_and_answers_are_in_order(store: Store) -> None:
    writer = OneStore(store)
    batches = [(None, [make_event(payload=b"%d" % (3 * n + m)) for m in range(3)]) for n in range(50)]
    came = await posted(writer, *batches)
    payloads = [store.event(one.id).payload for taken in came if isinstance(taken, Taken) for one in taken.answers]
    assert payloads == [b"%d" % n for n in range(150)]
    assert writer.transactions == 1


async def test_one_that_is_refused_takes_no_other_down(store: Store) -> None:
    good = [make_event()]
    first, wrong, last = await posted(OneStore(store), (None, good), (None, [make_event(type="a b")]), (None, good))
    assert isinstance(wrong, InvalidInputError)
    assert isinstance(first, Taken)
    assert isinstance(last, Taken)
    assert len(store.events(EventFilter(), limit=10)) == 2


async def test_what_the_disk_refuses_is_refused_to_all(store: Store) -> None:
    writer = OneStore(store)
    writer.fails = True
    came = await posted(writer, (None, [make_event()]), ("k", [make_event()]))
    assert [type(one) for one in came] == [StoreError, StoreError]


def test_keys_of_two_tokens_are_not_the_same() -> None:
    event = [make_event()]
    ids = {keyed(event, TokenId(token), key)[0][0].id for token in ("tok_a", "tok_b") for key in ("k", "l")}
    assert len(ids) == 4
