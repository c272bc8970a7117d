"""A producer, an engine and an operator on one store, step by step as a seed says, each change of a file recorded:
`python -m tests.faults.recorded_work STORE LOG SEED STEPS SYNCHRONOUS`.

`SYNCHRONOUS` is the product's FULL, or another one, to see that less does lose what was promised.
"""

import sys
from pathlib import Path
from random import Random

from console.domain.clock import ManualClock
from console.domain.endpoint import EndpointState
from console.domain.ids import EventId
from console.domain.work import Claimed
from console.store import Store, open_store
from console.store.sqlite.connection import Connection
from console.store.sqlite.store import SqliteStore
from tests.factories import add_endpoint, claim_all, delivered, failed, make_completed, make_event, retry, start_engine
from tests.faults.policies import policy_fields
from tests.faults.recording import Log, record

CHECKPOINT_PAGES = 40
"""Instead of thousands: a short run must come to checkpoints, and to logs that begin again."""


class Work:
    def __init__(self, path: Path, log: Log, seed: int) -> None:
        self.path, self.log, self.random, self.clock = path, log, Random(seed), ManualClock()
        self.events = 0
        self.in_flight: list[Claimed] = []
        self.readers: list[Store] = []
        self.producer, self.engine = open_store(path), open_store(path)
        self.endpoints = [
            add_endpoint(self.producer, name=name, policy=policy_fields()) for name in ("one", "two", "three")
        ]
        log.mark("endpoints", number=len(self.endpoints))
        self.take_over()

    def take_over(self) -> None:
        self.epoch = start_engine(self.engine, now_ms=self.clock.now_ms())
        assert isinstance(self.engine, SqliteStore)
        self.engine._connection.run(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        self.engine.recover(epoch=self.epoch, now_ms=self.clock.now_ms())
        self.in_flight = []

    def step(self) -> None:
        self.clock.advance(self.random.uniform(0, 0.05))
        acts = (self.accept, self.claim, self.complete, self.complete, self.pause, self.tidy, self.read, self.restart)
        self.random.choices(acts, (30, 20, 20, 10, 3, 3, 4, 2))[0]()

    def accept(self) -> None:
        events = []
        for _ in range(self.random.choice((1, 1, 2, 8, 40))):
            self.events += 1
            payload = self.random.randbytes(self.random.choice((10, 200, 1000, 9000)))
            events.append(make_event(id=EventId(f"evt_{self.events}"), payload=payload))
        answers = self.producer.accept(events, self.clock.now_ms())
        self.log.mark("accepted", *(a.id for a in answers))

    def claim(self) -> None:
        claimed = claim_all(self.engine, self.epoch, now_ms=self.clock.now_ms(), limit=self.random.choice((1, 4, 30)))
        for c in claimed:
            self.log.mark("sent", str(c.attempt_id))
        self.in_flight += claimed

    def complete(self) -> None:
        self.random.shuffle(self.in_flight)
        ended, self.in_flight = self.in_flight[:20], self.in_flight[20:]
        now_ms = self.clock.now_ms()
        verdicts = (delivered(), delivered(), retry(now_ms + 20), failed())
        self.engine.complete(
            [make_completed(c, self.random.choice(verdicts), now_ms=now_ms) for c in ended], epoch=self.epoch
        )
        for c in ended:
            self.log.mark("ended", str(c.attempt_id))

    def pause(self) -> None:
        endpoint = self.random.choice(self.endpoints)
        state = self.random.choice((EndpointState.PAUSED, EndpointState.ACTIVE))
        self.log.mark("state soon", endpoint.id)
        self.producer.set_endpoint_state(endpoint.id, state, "why", self.clock.now_ms())
        self.log.mark("state", endpoint.id, state)

    def tidy(self) -> None:
        self.engine.tidy(epoch=self.epoch, now_ms=self.clock.now_ms())

    def read(self) -> None:
        """One that holds its place in the log, so that checkpoints cannot end."""
        if self.readers:
            self.readers.pop().close()
            return
        reader = open_store(self.path, read_only=True)
        assert isinstance(reader, SqliteStore)
        reader._connection.raw.execute("BEGIN")
        reader.endpoints()
        self.readers.append(reader)

    def restart(self) -> None:
        """Sometimes all end, and the last of them puts the log back into the store and removes it."""
        for reader in self.readers:
            reader.close()
        self.readers.clear()
        self.engine.close()
        if self.random.random() < 0.5:
            self.producer.close()
            self.producer = open_store(self.path)
        self.engine = open_store(self.path)
        self.take_over()

    def close(self) -> None:
        for store in (*self.readers, self.engine, self.producer):
            store.close()


def main() -> None:
    path, log, seed, steps, synchronous = Path(sys.argv[1]), Log(Path(sys.argv[2])), *sys.argv[3:6]
    prepare = Connection.prepare

    def prepare_otherwise(connection: Connection) -> None:
        prepare(connection)
        if synchronous != "FULL":
            connection.run(f"PRAGMA synchronous={synchronous}")

    setattr(Connection, "prepare", prepare_otherwise)  # noqa: B010 - mypy knows better than to let methods be replaced
    record(path, log)
    work = Work(path, log, int(seed))
    for _ in range(int(steps)):
        work.step()
    work.close()


if __name__ == "__main__":
    main()
