"""One that begins to write, and commits when its input closes: `python -m tests.faults.writer STORE`."""

import sys
from pathlib import Path

from console.domain.clock import SystemClock
from console.store import open_store
from tests.factories import make_event


def main() -> None:
    store = open_store(Path(sys.argv[1]))
    with store.transaction():
        store.accept([make_event()], SystemClock().now_ms())
        print("writes", flush=True)
        sys.stdin.read()
    store.close()


if __name__ == "__main__":
    main()
