"""What an engine does beside delivering: each a coroutine that runs until it is cancelled."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from console.domain.clock import Clock
from console.domain.status import EngineStatus
from console.engine.alerting import Alerter
from console.engine.aside import Aside
from console.engine.bulk import BulkOperations
from console.engine.indexing import Indexer
from console.engine.leveling import LevelKeeper
from console.engine.resuming import Resumer
from console.engine.retaining import Retainer
from console.engine.supervisor import Chore
from console.engine.writer import Writer
from console.store import Store, open_store


@contextmanager
def chores(
    store: Path,
    *,
    before: EngineStatus | None,
    reader: Store,
    writer: Writer,
    clock: Clock,
    log: FilteringBoundLogger,
    search_index: bool = True,
) -> Iterator[tuple[Chore, ...]]:
    """The chores of an engine on this store, and what they read with while the block runs.

    Args:
        before: the engine that held the store before this one.
        reader: a read-only store of the loop's own thread.
        search_index: keep a file of words.
    """
    aside, indexing = (Aside(lambda: open_store(store, read_only=True, any_thread=True)) for _ in range(2))
    try:
        yield (
            Retainer(aside=aside, writer=writer, clock=clock, log=log).run,
            Alerter(aside=aside, writer=writer, clock=clock, log=log, before=before).run,
            LevelKeeper(aside=aside, writer=writer, clock=clock, log=log).run,
            BulkOperations(reader=reader, writer=writer, clock=clock, log=log).run,
            Indexer(aside=indexing, writer=writer, clock=clock, log=log, wanted=search_index).run,
            Resumer(reader=reader, writer=writer, clock=clock, log=log).run,
        )
    finally:
        indexing.close()
        aside.close()
