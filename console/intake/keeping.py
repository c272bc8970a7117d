"""Keeps what came in: requests that come while the store commits go into its next transaction together.

A piece of work for each would cost five times the processor: most of it is what a transaction does once.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from console.domain.clock import Clock
from console.domain.errors import StoreError
from console.domain.event import Accepted, NewEvent
from console.domain.ids import EventId
from console.domain.inbound import Fate, NewArrival
from console.domain.source import SourceId
from console.intake.seam import Writes
from console.store.protocol import Store

TOGETHER_MOST = 200

INBOUND = "in/"
"""How the sources of events begin that were taken in at `/in/NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request to be kept, with the event it is. `began_s`: when it came, on the monotonic clock."""

    arrival: NewArrival
    event: NewEvent | None = None
    began_s: float


@dataclass(slots=True, kw_only=True)
class _Entry:
    incoming: Incoming
    turn: "asyncio.Future[None]"
    """Done when somebody has committed it, or when it is to commit those that wait."""
    outcome: "Accepted | Exception | None" = None
    committed: bool = field(default=False)

    @property
    def leads(self) -> bool:
        """It was told to commit, and has not."""
        return self.turn.done() and not self.turn.cancelled() and not self.committed


class Keeper:
    """Writes requests and their events. Whoever comes while nobody commits does it for all that wait by then."""

    def __init__(self, writer: Writes, clock: Clock) -> None:
        self._writer, self._clock = writer, clock
        self._waiting: list[_Entry] = []
        self._committing = False

    async def keep(self, incoming: Incoming) -> Accepted | None:
        """On disk when it returns: both or neither. None: it was no event.

        Raises:
            StoreError: neither was kept.
        """
        entry = _Entry(incoming=incoming, turn=asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        if self._committing:
            try:
                await entry.turn
            except asyncio.CancelledError:
                if entry.leads:
                    self._hand_over()
                raise
        if not entry.committed:
            await self._commit_waiting()
        if isinstance(entry.outcome, Exception):
            raise entry.outcome
        return entry.outcome

    async def _commit_waiting(self) -> None:
        self._committing = True
        entries, self._waiting = self._waiting[:TOGETHER_MOST], self._waiting[TOGETHER_MOST:]
        try:
            _tell(entries, await self._commit([entry.incoming for entry in entries]))
        except BaseException:
            _tell(entries, [StoreError("the engine ends")] * len(entries))
            raise
        finally:
            self._hand_over()

    async def _commit(self, incoming: Sequence[Incoming]) -> Sequence[Accepted | Exception | None]:
        try:
            return await self._writer.do_here(lambda store: self._write(store, incoming))
        except StoreError as error:
            return [error] * len(incoming)
        except Exception as error:  # one of them: the others are not to suffer from it
            if len(incoming) == 1:
                return [error]
            return [outcome for one in incoming for outcome in await self._commit([one])]

    def _write(self, store: Store, incoming: Sequence[Incoming]) -> list[Accepted | None]:
        """In a transaction."""
        events = [one.event for one in incoming if one.event is not None]
        now_ms, now_s = self._clock.now_ms(), self._clock.monotonic_s()
        answers = iter(store.accept(events, now_ms) if events else ())
        accepted = [None if one.event is None else next(answers) for one in incoming]
        for number, (one, was) in enumerate(zip(incoming, accepted, strict=True)):
            event = one.event
            if event is not None and was is not None and was.duplicate and source_of(store, was.id) != event.source:
                (accepted[number],) = store.accept([_by_itself(event, was.id, one.arrival.source)], now_ms)
        store.record_arrivals([_arrival(one, was, now_s) for one, was in zip(incoming, accepted, strict=True)])
        return accepted

    def _hand_over(self) -> None:
        """Let the next one commit, if any waits."""
        waits = next((entry for entry in self._waiting if not entry.turn.done()), None)
        self._committing = waits is not None
        if waits is not None:
            waits.turn.set_result(None)


def source_of(store: Store, event_id: EventId) -> str:
    """Where the event that has this id came in."""
    return store.event(event_id).source


def _by_itself(event: NewEvent, taken: EventId, source: SourceId) -> NewEvent:
    """The event with an id that nobody outside foresees: under its own one something else was posted."""
    digest = hashlib.sha256(f"{source}\n{taken}".encode()).hexdigest()
    return replace(event, id=EventId(f"{taken.partition('_')[0]}_own-{digest[:48]}"))


def _arrival(incoming: Incoming, accepted: Accepted | None, now_s: float) -> NewArrival:
    arrival = replace(incoming.arrival, took_ms=(now_s - incoming.began_s) * 1000)
    if accepted is None:
        return arrival
    return replace(arrival, event_id=accepted.id, fate=Fate.DUPLICATE if accepted.duplicate else arrival.fate)


def _tell(entries: Sequence[_Entry], outcomes: Sequence[Accepted | Exception | None]) -> None:
    for entry, outcome in zip(entries, outcomes, strict=True):
        entry.outcome, entry.committed = outcome, True
        if not entry.turn.done():
            entry.turn.set_result(None)
