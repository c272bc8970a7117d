"""An engine that sends nothing: writes attempts into a store at a fixed rate, until its input closes.

`python -m tests.bench.attempt_writer STORE --rate N`. It goes through the store's own claims and completions, in small
batches, as the engine does. At rate 0 only its heart beats. Prints how many it has written, at the end.
"""

import argparse
import os
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from console.domain.delivery import Delivered, Failed, Verdict
from console.domain.endpoint import Endpoint
from console.domain.event import NewEvent
from console.domain.outcome import Cause
from console.domain.work import ClaimOrder
from console.store import Store, open_store
from tests.factories import make_completed

BATCH_S = 0.02
FAILING = 20
"""One in so many fails."""

_PAYLOAD = b'{"id": 4200, "customer": {"name": "Ada Lovelace", "email": "ada@example.com"}, "amount": 1999}'


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def write(store: Store, endpoints: Sequence[Endpoint], *, rate_per_s: float) -> int:
    """Until standard input closes. Returns the number of attempts."""
    epoch = store.take_over(pid=os.getpid(), host="bench", version="0", now_ms=now_ms())
    began_s = beat_s = time.monotonic()
    written = 0
    while not select.select([sys.stdin], [], [], BATCH_S)[0]:
        if time.monotonic() - beat_s >= 1:
            beat_s = time.monotonic()
            store.heartbeat(epoch=epoch, in_flight=0, now_ms=now_ms())
        owed = int((time.monotonic() - began_s) * rate_per_s) - written
        if owed > 0:
            _write_batch(store, endpoints, epoch, written, owed)
            written += owed
    store.release(epoch=epoch, now_ms=now_ms())
    return written


def _write_batch(store: Store, endpoints: Sequence[Endpoint], epoch: int, written: int, count: int) -> None:
    """Each event is wanted by one endpoint: the type is its name."""
    at_ms = now_ms()
    events = [
        NewEvent(type=f"to.{endpoints[(written + i) % len(endpoints)].name}", payload=_PAYLOAD) for i in range(count)
    ]
    with store.transaction():
        store.accept(events, at_ms)
    with store.transaction():
        orders = [ClaimOrder(endpoint_seq=endpoint.seq, limit=count) for endpoint in endpoints]
        claimed = store.claim(orders, epoch=epoch, now_ms=at_ms)
    completed = [
        make_completed(c, _verdict(written + i), now_ms=at_ms, total_ms=3.0 + (i % 40), first_byte_ms=2.0)
        for i, c in enumerate(claimed)
    ]
    store.complete(completed, epoch=epoch)


def _verdict(number: int) -> Verdict:
    if number % FAILING:
        return Delivered(status=200)
    return Failed(cause=Cause.HTTP_5XX, status=503, detail="HTTP 503", why="schedule exhausted after 1 try")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--rate", type=float, default=500)
    options = parser.parse_args()
    store = open_store(options.store)
    try:
        print(write(store, store.endpoints(), rate_per_s=options.rate), flush=True)
    finally:
        store.close()


if __name__ == "__main__":
    main()
