"""How endpoints stand is written down while the engine runs."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from console.domain.endpoint import EndpointState
from console.engine.aside import Aside
from console.engine.leveling import LevelKeeper
from console.engine.writer import Writer
from console.store import open_store
from tests.engine.rig import Rig
from tests.factories import add_endpoint, make_event


async def test_what_changes_is_written_down_while_the_engine_runs(rig: Rig) -> None:
    endpoint = add_endpoint(rig.store, now_ms=rig.clock.now_ms())

    def level() -> tuple[EndpointState | None, int | None] | None:
        found = rig.store.levels_at(rig.clock.now_ms()).get(endpoint.id)
        return None if found is None else (found.state, found.pending)

    async with AsyncExitStack() as stack:
        writer = Writer(lambda: open_store(rig.store.path, any_thread=True))
        await writer.start()
        stack.push_async_callback(writer.close)
        aside = Aside(lambda: open_store(rig.store.path, read_only=True, any_thread=True))
        stack.callback(aside.close)
        keeper = LevelKeeper(
            aside=aside, writer=writer, clock=rig.clock, log=rig.lines.log, first_after_s=0, every_s=0.01
        )
        task = asyncio.create_task(keeper.run())
        await rig.until(lambda: level() == (EndpointState.ACTIVE, 0))
        rig.store.accept([make_event()], rig.clock.now_ms())
        await rig.until(lambda: level() == (EndpointState.ACTIVE, 1))
        written = rig.store.level_series(endpoint.id, since_ms=0, until_ms=rig.clock.now_ms() + 1)
        await asyncio.sleep(0.05)
        later = rig.store.level_series(endpoint.id, since_ms=0, until_ms=rig.clock.now_ms() + 1)
        assert later == written, "nothing changed, so nothing is written"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
