"""A producer, an engine and an operator on one store, step by step as a seed says, each change of a file recorded:
`python -m tests.faults.recorded_work STORE LOG SEED STEPS`.

`--synchronous` other than the product's FULL shows that less does lose what was promised, `--unheeded` that a failed
sync must not be taken for one that worked, `--trusting` that SQLite's own count of what it has written must not be
trusted after one: `--cut-short` stages, instead of steps that are drawn, the failure that it takes. Prints how many
calls were refused with a StoreError.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from console.domain.clock import ManualClock
from console.domain.endpoint import EndpointState
from console.domain.errors import StoreError
from console.domain.ids import EventId
from console.domain.work import Claimed
from console.store import Store, open_store
from console.store.sqlite.base import Queries
from tests.factories import add_endpoint, claim_all, delivered, failed, make_completed, make_event, retry, start_engine
from tests.faults import troubles
from tests.faults.policies import policy_fields
from tests.faults.recording import Failures, Log, record

AFTER_IT = 20
"""Promises after the staged failure: at each of them its harm would show."""


class Work:
    def __init__(self, path: Path, log: Log, seed: int) -> None:
        self.path, self.log, self.random, self.clock = path, log, Random(seed), ManualClock()
        self.events = self.refused = 0
        self.in_flight: list[Claimed] = []
        self.readers: list[Store] = []
        self.producer, self.engine = open_store(path), open_store(path)
        self.endpoints = [
            add_endpoint(self.producer, name=name, policy=policy_fields()) for name in ("one", "two", "three")
        ]
        log.mark("endpoints", number=len(self.endpoints))
        self.take_over()

    def take_over(self) -> None:
        taken = False
        while not taken:
            with self.perhaps_refused():
                self.engine.settle_log()
                self.epoch = start_engine(self.engine, now_ms=self.clock.now_ms())
                self.engine.recover(epoch=self.epoch, now_ms=self.clock.now_ms())
                taken = True
        self.in_flight = []

    def step(self) -> None:
        self.clock.advance(self.random.uniform(0, 0.05))
        acts = (self.accept, self.claim, self.complete, self.complete, self.pause, self.tidy, self.read, self.restart)
        self.random.choices(acts, (30, 20, 20, 10, 3, 3, 4, 2))[0]()
        with self.perhaps_refused():
            self.engine.keep_log_short()

    @contextmanager
    def perhaps_refused(self) -> Iterator[None]:
        """With a failing disk any call may be refused: then nothing was promised."""
        try:
            yield
        except StoreError:
            self.refused += 1

    def accept(self, count: int | None = None) -> None:
        events = []
        for _ in range(count or self.random.choice((1, 1, 2, 8, 40))):
            self.events += 1
            payload = self.random.randbytes(self.random.choice((10, 200, 1000, 9000)))
            events.append(make_event(id=EventId(f"evt_{self.events}"), payload=payload))
        with self.perhaps_refused():
            answers = self.producer.accept(events, self.clock.now_ms())
            self.log.mark("accepted", *(a.id for a in answers))

    def claim(self) -> None:
        limit = self.random.choice((1, 4, 30))
        with self.perhaps_refused():
            claimed = claim_all(self.engine, self.epoch, now_ms=self.clock.now_ms(), limit=limit)
            for c in claimed:
                self.log.mark("sent", str(c.attempt_id))
            self.in_flight += claimed

    def complete(self) -> None:
        self.random.shuffle(self.in_flight)
        ended = self.in_flight[:20]
        now_ms = self.clock.now_ms()
        verdicts = (delivered(), delivered(), retry(now_ms + 20), failed())
        completed = [make_completed(c, self.random.choice(verdicts), now_ms=now_ms) for c in ended]
        with self.perhaps_refused():
            self.engine.complete(completed, epoch=self.epoch)
            del self.in_flight[:20]
            for c in ended:
                self.log.mark("ended", str(c.attempt_id))

    def pause(self) -> None:
        endpoint = self.random.choice(self.endpoints)
        state = self.random.choice((EndpointState.PAUSED, EndpointState.ACTIVE))
        self.log.mark("state soon", endpoint.id)
        with self.perhaps_refused():
            self.producer.set_endpoint_state(endpoint.id, state, "why", self.clock.now_ms())
            self.log.mark("state", endpoint.id, state)

    def tidy(self) -> None:
        with self.perhaps_refused():
            self.engine.tidy(epoch=self.epoch, now_ms=self.clock.now_ms())

    def read(self) -> None:
        """One that holds its place in the log, so that checkpoints cannot end."""
        if self.readers:
            self.readers.pop().close()
            return
        reader = open_store(self.path, read_only=True)
        assert isinstance(reader, Queries)
        reader._connection.raw.execute("BEGIN")
        reader.endpoints()
        self.readers.append(reader)

    def cut_short(self, failures: Failures) -> None:
        """A reader cuts a checkpoint short, the sync of the next one fails and is forgotten, the one after it works,
        and the log begins again: what only the first one wrote is nowhere then, if it is taken for stored."""
        self.accept(100)
        self.read()
        self.accept(10)
        self.engine.keep_log_short()
        self.read()
        failures.store_once = True
        with self.perhaps_refused():
            self.engine.keep_log_short()
        assert self.refused == 1, "the sync of a checkpoint has failed"
        self.engine.keep_log_short()
        for _ in range(AFTER_IT):
            self.accept(1)

    def restart(self) -> None:
        """Sometimes all end, and the last of them puts the log back into the store and removes it."""
        for reader in self.readers:
            reader.close()
        self.readers.clear()
        self.engine.close()
        if self.random.random() < 0.5:
            self.producer.close()
            self.producer = self.open()
        self.engine = self.open()
        self.take_over()

    def open(self) -> Store:
        while True:
            with self.perhaps_refused():
                return open_store(self.path)

    def close(self) -> None:
        for store in (*self.readers, self.engine, self.producer):
            store.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("changes", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("steps", type=int)
    parser.add_argument("--synchronous", default="FULL")
    parser.add_argument("--failures", type=float, default=0.0, help="how many of the writes and syncs fail, 0 to 1")
    parser.add_argument("--unheeded", action="store_true", help="failed syncs are not told to SQLite")
    parser.add_argument("--everywhere", action="store_true", help="not only the syncs of the write-ahead log fail")
    parser.add_argument("--trusting", action="store_true", help="what a failed sync forgot is not written again")
    parser.add_argument("--cut-short", action="store_true", help="stage what makes SQLite's count wrong, no steps")
    given = parser.parse_args()
    troubles.begin(argparse.Namespace(store=given.store, control=None, changes=None))
    if given.synchronous != "FULL":
        troubles.with_pragma(f"synchronous={given.synchronous}")
    if given.trusting:
        troubles.trusting()
    log = Log(given.changes)
    failures = Failures(
        Random(f"{given.seed} failures"), unheeded=given.unheeded, everywhere=given.everywhere or given.unheeded
    )
    record(given.store, log, failures)
    work = Work(given.store, log, given.seed)
    failures.rate = given.failures
    if given.cut_short:
        work.cut_short(failures)
    for _ in range(0 if given.cut_short else given.steps):
        work.step()
    failures.rate = 0.0
    work.close()
    print(work.refused)


if __name__ == "__main__":
    main()
