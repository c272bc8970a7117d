"""Where all posted events go: those that come while the store commits are kept together in the next transaction."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.errors import ConsoleError, StoreError, UnknownReferenceError
from console.domain.event import Accepted, Event, NewEvent
from console.domain.ids import EventId
from console.domain.token import TokenId
from console.intake.backlog import Backlog
from console.intake.keeping import INBOUND, source_of
from console.intake.problems import RETRY_AFTER_S, Fault, Problem
from console.intake.seam import Writes
from console.store.protocol import Store

TOGETHER_MOST = 1000
"""Events in one transaction, but for a batch that is larger by itself."""

HERE_MOST = 100
"""Up to so many events are written from the loop's own thread: handing them to another costs more than writing them."""

WAITING_MOST_BYTES = 64 * 1024 * 1024
"""Payloads that may wait for the store; what comes then is refused."""

FULL_AGAIN_S = 5
"""How soon to come back when too much is pending."""

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a request: one answer for each event, in order."""

    answers: list[Accepted]
    replayed: bool = False
    """It had been accepted before under the same Idempotency-Key."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    events: Sequence[NewEvent]
    next_id: EventId | None
    """With an Idempotency-Key: the id that one more event would have; None: there is no key."""
    size_bytes: int
    answer: "asyncio.Future[Taken]"


def keyed(events: Sequence[NewEvent], token: TokenId, key: str) -> tuple[list[NewEvent], EventId]:
    """The events with ids made of an Idempotency-Key, and the id that one more would have."""
    *ids, beyond = (_derived_id(token, key, index) for index in range(len(events) + 1))
    return [replace(event, id=one) for event, one in zip(events, ids, strict=True)], beyond


def _derived_id(token: TokenId, key: str, index: int) -> EventId:
    digest = hashlib.sha256(f"{token}\n{index}\n{key}".encode()).digest()
    number = int.from_bytes(digest[:17]) >> 6  # 130 bits
    return EventId("evt_" + "".join(_LETTERS[number >> 5 * place & 31] for place in reversed(range(26))))


class Acceptor:
    """Accepts events through the engine's writer. Answers when they are on disk, or raises and has kept nothing."""

    def __init__(self, writer: Writes, backlog: Backlog, clock: Clock, log: FilteringBoundLogger) -> None:
        self._writer, self._backlog, self._clock, self._log = writer, backlog, clock, log
        self._waiting: list[_Entry] = []
        self._waiting_bytes = 0
        self._came = asyncio.Event()
        self.accepted = 0
        """Events, duplicates left out."""

    async def accept(self, events: Sequence[NewEvent], *, beyond: EventId | None = None) -> Taken:
        """Keep events, all or none.

        Args:
            beyond: what `keyed` said; None: there is no Idempotency-Key.

        Raises:
            Problem: the same Idempotency-Key came with other events before; or too much waits.
            ConsoleError: nothing was kept.
        """
        if self._backlog.full:
            raise Problem(503, "too much is pending: nothing was accepted", retry_after_s=FULL_AGAIN_S)
        size = sum(len(event.payload) for event in events)
        if self._waiting and self._waiting_bytes + size > WAITING_MOST_BYTES:
            raise Problem(503, "more comes in than the disk takes: nothing was accepted", retry_after_s=RETRY_AFTER_S)
        answer: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(events=events, next_id=beyond, size_bytes=size, answer=answer))
        self._waiting_bytes += size
        self._came.set()
        return await answer

    async def run(self) -> None:
        """Accept until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            while entries := self._next():
                await self._commit(entries)

    def _next(self) -> list[_Entry]:
        """What is to be committed together. Whoever has gone meanwhile is served all the same."""
        count = 0
        for number, entry in enumerate(self._waiting):
            count += len(entry.events)
            if count > TOGETHER_MOST and number:
                entries, self._waiting = self._waiting[:number], self._waiting[number:]
                break
        else:
            entries, self._waiting = self._waiting, []
        self._waiting_bytes -= sum(entry.size_bytes for entry in entries)
        return entries

    async def _commit(self, entries: list[_Entry]) -> None:
        do = self._writer.do_here if sum(len(e.events) for e in entries) <= HERE_MOST else self._writer.do
        try:
            taken = await do(lambda store: _accept(store, entries, self._clock.now_ms()))
        except asyncio.CancelledError:
            for entry in entries:
                entry.answer.cancel()
            raise
        except Exception as error:  # whoever waits is told, and the next ones are served
            if len(entries) > 1 and not isinstance(error, StoreError):
                for entry in entries:
                    await self._commit([entry])
                return
            if not isinstance(error, (ConsoleError, Problem)):
                self._log.error("events could not be accepted", error=f"{type(error).__name__}: {error}")
            taken = [error for _ in entries]
        for entry, one in zip(entries, taken, strict=True):
            self._tell(entry, one)

    def _tell(self, entry: _Entry, came: Taken | Exception) -> None:
        if isinstance(came, Taken):
            new = [answer for answer in came.answers if not answer.duplicate]
            self.accepted += len(new)
            self._backlog.add(sum(answer.deliveries for answer in new))
        if entry.answer.done():
            return
        if isinstance(came, Taken):
            entry.answer.set_result(came)
        else:
            entry.answer.set_exception(came)


def _accept(store: Store, entries: Sequence[_Entry], now_ms: int) -> list[Taken | Exception]:
    """In a transaction."""
    keys = [entry.events[0].id for entry in entries if entry.next_id is not None]
    if len(set(keys)) < len(keys):
        # The same key twice: the second one is to find what the first one has left.
        return [one for entry in entries for one in _accept(store, [entry], now_ms)]
    before = [_before(store, entry) for entry in entries]
    wanted = [entry for entry, one in zip(entries, before, strict=True) if not isinstance(one, Problem)]
    # The one place where the API accepts.
    answers = iter(store.accept([event for entry in wanted for event in entry.events], now_ms) if wanted else ())
    came: list[Taken | Exception] = []
    for entry, one in zip(entries, before, strict=True):
        if isinstance(one, Problem):
            came.append(one)
            continue
        own = [next(answers) for _ in entry.events]
        _check_own(store, own)
        # The same answer as the first time, when none of them was a duplicate.
        came.append(Taken(answers=[replace(a, duplicate=False) for a in own] if one else own, replayed=one))
    return came


def _check_own(store: Store, answers: Sequence[Accepted]) -> None:
    """Raises Problem, so that nothing is kept, when an id is that of an event that a provider sent: what is posted is
    no duplicate of that."""
    for number, answer in enumerate(answers):
        if answer.duplicate and source_of(store, answer.id).startswith(INBOUND):
            said = (
                f"id: {answer.id} is that of an event which came in at /{source_of(store, answer.id)}; choose another"
            )
            raise Problem(400, f"nothing was accepted: {said}", errors=[Fault(item=number, field="id", reason=said)])


def _before(store: Store, entry: _Entry) -> Problem | bool:
    """Whether a request came before under its Idempotency-Key; a Problem when it was another one."""
    if entry.next_id is None:
        return False
    kept = [_event(store, event.id) for event in entry.events]
    longer = _event(store, entry.next_id) is not None
    if not longer and not any(kept):
        return False
    same = all(
        one is not None and (one.type, one.payload) == (event.type, event.payload)
        for one, event in zip(kept, entry.events, strict=True)
    )
    if longer or not same:
        return Problem(422, "this Idempotency-Key came with other events before: nothing was accepted")
    return True


def _event(store: Store, event_id: EventId | None) -> Event | None:
    assert event_id is not None
    try:
        return store.event(event_id)
    except UnknownReferenceError:
        return None
