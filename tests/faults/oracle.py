"""A producer that never forgets what was acknowledged: `python -m tests.faults.oracle STORE LOG SEED [--control FILE]
[--changes FILE]`.

Accepts events until its input closes; an id is written to the log, and synced, after the store has answered for it. A
refusal is written down beside it, in LOG.refused. With `--changes` every answer is in there too (see `recording`).
"""

import argparse
import os
import select
import sys
import time
from pathlib import Path
from random import Random

from console.domain.errors import StoreError
from console.domain.event import NewEvent
from console.store import open_store
from tests.faults import troubles

TYPES = ("invoice.paid", "lead.created", "meeting.booked")


def main() -> None:
    parser = argparse.ArgumentParser()
    troubles.add_options(parser)
    parser.add_argument("log", type=Path)
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    random = Random(given.seed)
    clock, changes = troubles.begin(given)
    acknowledged = os.open(given.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    refused = given.log.with_name(given.log.name + ".refused")
    store = open_store(given.store)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], random.uniform(0, 0.05))[0]:
        events = [
            NewEvent(type=random.choice(TYPES), payload=b'{"n": %d}' % random.getrandbits(40))
            for _ in range(random.randint(1, 8))
        ]
        try:
            answers = store.accept(events, clock.now_ms())
        except StoreError as error:  # not acknowledged
            with refused.open("a") as file:
                file.write(f"{error}\n")
            time.sleep(0.01)
            continue
        if changes is not None:
            changes.mark("accepted", *(answer.id for answer in answers))
        os.write(acknowledged, "".join(f"{answer.id}\n" for answer in answers).encode())
        os.fsync(acknowledged)
    store.close()


if __name__ == "__main__":
    main()
