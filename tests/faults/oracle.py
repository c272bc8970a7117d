"""A producer that never forgets what was acknowledged: `python -m tests.faults.oracle STORE LOG SEED [CHANGES]`.

Accepts events until its input closes; an id is written to the log, and synced, after the store has answered for it.
With `CHANGES` every change of the store's files is recorded there, and every answer (see `recording`).
"""

import os
import select
import sys
import time
from pathlib import Path
from random import Random

from console.domain.clock import SystemClock
from console.domain.errors import StoreError
from console.domain.event import NewEvent
from console.store import open_store
from tests.faults.recording import Log, record

TYPES = ("invoice.paid", "lead.created", "meeting.booked")


def main() -> None:
    path, log, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    random, clock = Random(seed), SystemClock()
    changes = Log(Path(sys.argv[4])) if len(sys.argv) > 4 else None
    if changes is not None:
        record(path, changes)
    acknowledged = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    store = open_store(path)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], random.uniform(0, 0.05))[0]:
        events = [
            NewEvent(type=random.choice(TYPES), payload=b'{"n": %d}' % random.getrandbits(40))
            for _ in range(random.randint(1, 8))
        ]
        try:
            answers = store.accept(events, clock.now_ms())
        except StoreError:  # locked for long: not acknowledged
            time.sleep(0.01)
            continue
        if changes is not None:
            changes.mark("accepted", *(answer.id for answer in answers))
        os.write(acknowledged, "".join(f"{answer.id}\n" for answer in answers).encode())
        os.fsync(acknowledged)
    store.close()


if __name__ == "__main__":
    main()
