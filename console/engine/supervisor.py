"""The running engine: what is due is claimed, sent and recorded, until it is told to stop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from structlog.typing import FilteringBoundLogger

from console.domain.breaker import ProbeSucceeded, Tripped
from console.domain.clock import Clock
from console.domain.delivery import Delivered, Failed
from console.domain.endpoint import Endpoint
from console.domain.errors import FencedError, StoreError
from console.domain.policy import Ordering
from console.domain.status import HEARTBEAT_S
from console.domain.work import Claimed, ClaimOrder, Completed, Nudges
from console.engine.dispatcher import Dispatcher, describe_failure
from console.engine.handshake import Handshakes
from console.engine.health import Health
from console.engine.schedule import Schedule
from console.engine.sealed import Holds
from console.engine.senders import Senders
from console.engine.writer import Writer
from console.store.protocol import Store

LOOK_S = 0.02
"""How often the store's version is looked at when nothing happens; a look costs 3 µs."""

LOOK_BUSY_S = 0.004
"""The same while others are writing: what they send should be on the wire within milliseconds."""

BUSY_FOR_S = 1.0
TROUBLE_WAIT_S = 1.0
"""Between tries to record when the store cannot be written."""

LOOK_AGAIN_S = 1.0
"""The longest sleep: the wall clock may be set while we sleep by another."""

TIDY_S = 60.0

Chore = Callable[[], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Turn:
    """What one transaction of the pump did."""

    claimed: list[Claimed]
    due: dict[int, int]
    changed: set[int]
    """Endpoints (by number) whose state or pace it changed."""


class Supervisor:
    """One engine on one store. `run` returns after the drain; `stop` begins it.

    Args:
        reader: a read-only store of the loop's own thread; only looked at through microsecond queries.
        epoch: the lease that `take_over` gave.
        chores: run beside the deliveries until they end, and may end the engine with FencedError.
    """

    def __init__(
        self,
        *,
        reader: Store,
        writer: Writer,
        dispatcher: Dispatcher,
        schedule: Schedule,
        clock: Clock,
        epoch: int,
        drain_s: float,
        log: FilteringBoundLogger,
        chores: Sequence[Chore] = (),
    ) -> None:
        self._reader, self._writer, self._dispatcher, self._schedule = reader, writer, dispatcher, schedule
        self._clock, self._epoch, self._drain_s, self._log = clock, epoch, drain_s, log
        self._chores = chores
        self._holds = Holds(dispatcher.keys)
        self._handshakes = Handshakes(dispatcher, writer=writer, clock=clock, epoch=epoch, log=log)
        self._work = asyncio.Event()
        self._stopping = asyncio.Event()
        self._owed: set[int] = set()
        self._completed: list[Completed] = []
        self._noted = 0
        """So many of those, the first, are noted already: they could not be recorded."""
        self._health = Health(schedule.endpoint, clock)
        self._senders = Senders(self._send)
        self._nudge = 0

    @property
    def stopping(self) -> asyncio.Event:
        """Set once `stop` was called."""
        return self._stopping

    def stop(self, why: str) -> None:
        """Claim no more, and let what is in flight finish within the grace. Safe to call twice."""
        if not self._stopping.is_set():
            self._log.info("stopping", why=why, in_flight=self._senders.busy, drain_s=self._drain_s)
            self._stopping.set()
            self._work.set()

    async def run(self) -> None:
        """Deliver until stopped.

        Raises:
            FencedError: a newer engine has taken over.
            StoreError: the store could not be read at the start, or not be written until the grace was over.
        """
        self._load()
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                beside = (self._watch, self._beat, self._tidy, self._handshakes.run, *self._chores)
                background = [group.create_task(work()) for work in beside]
                await group.create_task(self._pump(group))
                self._senders.cancel()
                for task in background:
                    task.cancel()
        except* (FencedError, StoreError) as errors:
            failure = errors.exceptions[0]
        # Not inside `except*`: what is raised there comes out as a group in some versions of Python 3.11.
        if failure is not None:
            raise failure

    def _load(self) -> None:
        """Everything the store holds now. The nudge is read first: what comes after it is looked at again."""
        self._nudge = self._reader.newest_nudge()
        for endpoint in self._reader.endpoints():
            self._take(endpoint)
            self._owed.add(endpoint.seq)
        self._work.set()
        self._stop_if_asked()  # perhaps while the work of a dead engine was recovered

    async def _watch(self) -> None:
        """See what other processes changed."""
        seen = self._reader.data_version()
        busy_until_s = 0.0
        while True:
            if self._holds:
                await self._write_or_log(self._hold)
            now_s = self._clock.monotonic_s()
            await asyncio.sleep(LOOK_BUSY_S if now_s < busy_until_s else LOOK_S)
            try:
                version = self._reader.data_version()
                if version == seen:
                    continue
                nudges = self._reader.nudged(self._nudge)
                self._apply(nudges)
                seen = version
            except StoreError as error:
                self._log.error("store cannot be read", error=str(error))
                await asyncio.sleep(TROUBLE_WAIT_S)
                continue
            if nudges.newest != self._nudge:
                self._nudge = nudges.newest
                busy_until_s = now_s + BUSY_FOR_S
                self._work.set()

    def _take(self, endpoint: Endpoint) -> None:
        """An endpoint is new or has changed."""
        taken = self._handshakes.look(self._holds.look(endpoint))
        self._schedule.put(taken)
        self._health.look(taken)

    def _look_at(self, seqs: Iterable[int]) -> None:
        """Take these endpoints as the store has them now."""
        for seq in seqs:
            endpoint = self._reader.endpoint_at(seq)
            if endpoint is None:
                self._schedule.drop(seq)
                self._dispatcher.forget(seq)
                self._health.forget(seq)
                self._handshakes.forget(seq)
            else:
                self._take(endpoint)

    def _apply(self, nudges: Nudges) -> None:
        self._look_at(nudges.settings)
        self._owed |= nudges.settings | nudges.owed
        if nudges.stop:
            self._stop_if_asked()

    def _hold(self, store: Store) -> None:
        for name, why in self._holds.write(store, self._clock.now_ms()):
            self._log.warning("sealed endpoint", endpoint=name, why=why)

    def _stop_if_asked(self) -> None:
        status = self._reader.engine_status()
        if status is not None and status.stop_requested:
            self.stop("asked by an operator")

    async def _beat(self) -> None:
        """Say once a second that this loop and the writing thread both live."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._write_or_log(
                lambda store: store.heartbeat(
                    epoch=self._epoch, in_flight=self._senders.busy, now_ms=self._clock.now_ms()
                )
            )

    async def _tidy(self) -> None:
        """Drop what is kept for a while only."""
        while True:
            await self._write_or_log(lambda store: store.tidy(epoch=self._epoch, now_ms=self._clock.now_ms()))
            await asyncio.sleep(TIDY_S)

    async def _write_or_log(self, work: Callable[[Store], None]) -> None:
        try:
            await self._writer.do(work)
        except FencedError:
            raise
        except StoreError as error:
            self._log.error("store cannot be written", error=str(error))

    async def _pump(self, group: asyncio.TaskGroup) -> None:
        """Record what ended and claim what is due, both in one transaction, over and over."""
        deadline_s: float | None = None
        while True:
            await self._wait_for_work(deadline_s)
            if self._stopping.is_set() and deadline_s is None:
                deadline_s = self._clock.monotonic_s() + self._drain_s
            over = deadline_s is not None and self._clock.monotonic_s() >= deadline_s
            if over:
                await self._senders.interrupt()
            await self._turn(group, claim=deadline_s is None)
            if deadline_s is not None and not self._senders.busy and not self._completed:
                return
            if over:
                raise StoreError(
                    f"{self._reader.path}: could not be written before the grace was over: {len(self._completed)} "
                    "outcomes are not recorded; the next engine takes them for unknown and sends again"
                )

    async def _wait_for_work(self, deadline_s: float | None) -> None:
        """Until something ended, was nudged, is due, or the grace is over."""
        wait_s = LOOK_AGAIN_S
        if deadline_s is not None:
            wait_s = min(wait_s, max(0.0, deadline_s - self._clock.monotonic_s()))
        else:
            if (due_ms := self._schedule.next_due_ms()) is not None:
                wait_s = min(wait_s, max(0, due_ms - self._clock.now_ms()) / 1000)
            if (held_s := self._schedule.held_s()) is not None:
                wait_s = min(wait_s, held_s)
        try:
            async with asyncio.timeout(wait_s):
                await self._work.wait()
        except TimeoutError:
            pass
        self._work.clear()

    async def _turn(self, group: asyncio.TaskGroup, *, claim: bool) -> None:
        completed, self._completed = self._completed, []
        self._health.note(completed[self._noted :] if self._noted else completed)
        self._noted = 0
        owed, self._owed = self._owed, set()
        now_ms = self._clock.now_ms()
        for seq in owed:
            # Most likely due at once: a claim finds out in the same transaction that asks when.
            self._schedule.set_due(seq, now_ms)
        orders = self._schedule.orders(now_ms) if claim else []
        if not (completed or owed or orders):
            return
        try:
            turn = await self._writer.do_here(lambda store: self._commit(store, completed, orders, owed))
        except FencedError:
            raise
        except StoreError as error:
            # Nothing is dropped: what ended is recorded when the store can be written again.
            self._log.error("store cannot be written", error=str(error), unrecorded=len(completed))
            self._completed, self._noted = completed + self._completed, len(completed)
            self._owed |= owed | {order.endpoint_seq for order in orders}
            for order in orders:
                self._schedule.claimed(order, 0)
            await asyncio.sleep(TROUBLE_WAIT_S)
            self._work.set()
            return
        self._begin(group, turn, orders, owed)
        self._report(completed)
        self._changed(turn.changed)

    def _commit(self, store: Store, completed: list[Completed], orders: list[ClaimOrder], owed: Iterable[int]) -> _Turn:
        """In a transaction."""
        changed: set[int] = set()
        if completed:
            store.complete(completed, epoch=self._epoch)
            changed |= self._store_health(store)
        claimed = store.claim(orders, epoch=self._epoch, now_ms=self._clock.now_ms()) if orders else []
        touched = {order.endpoint_seq for order in orders}.union(owed)
        touched.update(c.claimed.endpoint_seq for c in completed if not isinstance(c.verdict, Delivered))
        due = store.next_due(touched) if touched else {}
        if self._schedule.paced:
            changed |= self._end_paces(store, due, touched, orders, claimed)
        return _Turn(claimed=claimed, due=due, changed=changed)

    def _store_health(self, store: Store) -> set[int]:
        changes, failing = self._health.changes()
        now_ms = self._clock.now_ms()
        if changes:
            store.change_health(changes, epoch=self._epoch, now_ms=now_ms)
        disabled = store.disable_failing(failing, epoch=self._epoch, now_ms=now_ms) if failing else []
        return {change.endpoint_seq for change in changes}.union(disabled)

    def _end_paces(
        self, store: Store, due: dict[int, int], touched: set[int], orders: list[ClaimOrder], claimed: list[Claimed]
    ) -> set[int]:
        """The backlog of a paced endpoint that owes nothing now is gone. In a line it is not while a head is out."""
        now_ms = self._clock.now_ms()
        ended = {seq for seq in self._schedule.paced & touched if due.get(seq, now_ms + 1) > now_ms}
        sending = {c.endpoint_seq for c in claimed}
        asked = {order.endpoint_seq: order.limit for order in orders}
        for seq in list(ended):
            endpoint = self._schedule.endpoint(seq)
            if endpoint is not None and endpoint.policy.ordering is Ordering.FIFO:
                out = seq in sending or self._schedule.in_flight_of(seq) > asked.get(seq, 0)
                if out or seq in due:
                    ended.discard(seq)
        if ended:
            store.end_pace(ended, epoch=self._epoch)
        return ended

    def _changed(self, seqs: set[int]) -> None:
        """The turn is on disk: what it changed of endpoints counts from now on, before the nudge that tells of it."""
        for change in self._health.changes()[0]:
            if isinstance(change, Tripped):
                self._log.warning("endpoint tripped", endpoint=change.endpoint_seq, why=change.reason)
            elif isinstance(change, ProbeSucceeded):
                self._log.info("endpoint recovered", endpoint=change.endpoint_seq, why=change.reason)
        self._health.stored()
        if not seqs:
            return
        try:
            self._look_at(seqs)
        except StoreError as error:
            self._log.error("store cannot be read", error=str(error))  # the nudge comes all the same
        self._work.set()

    def _begin(self, group: asyncio.TaskGroup, turn: _Turn, orders: list[ClaimOrder], owed: Iterable[int]) -> None:
        """Put the claimed on the wire, and take over what the store says is due next."""
        counts: dict[int, int] = {}
        probing = {order.endpoint_seq for order in orders if order.probe}
        if probing:
            for claimed in turn.claimed:
                claimed.probe = claimed.endpoint_seq in probing
        for claimed in turn.claimed:
            counts[claimed.endpoint_seq] = counts.get(claimed.endpoint_seq, 0) + 1
            self._senders.give(claimed, group)
        for order in orders:
            self._schedule.claimed(order, counts.get(order.endpoint_seq, 0))
        for seq in {order.endpoint_seq for order in orders}.union(owed, turn.due):
            self._schedule.set_due(seq, turn.due.get(seq))

    async def _send(self, claimed: Claimed) -> None:
        endpoint = self._schedule.endpoint(claimed.endpoint_seq)
        assert endpoint is not None, "a lane with requests in flight is never dropped"
        completed = await self._dispatcher.deliver(claimed, endpoint)
        self._completed.append(completed)
        if claimed.ordered:
            self._owed.add(claimed.endpoint_seq)  # its end makes the next in order due
        self._schedule.ended(claimed.endpoint_seq)
        self._work.set()

    def _report(self, completed: list[Completed]) -> None:
        for c in completed:
            if isinstance(c.verdict, Failed):
                self._log.warning(
                    "delivery failed",
                    event_id=c.claimed.event_id,
                    endpoint=c.claimed.endpoint_seq,
                    why=describe_failure(c.verdict),
                )
