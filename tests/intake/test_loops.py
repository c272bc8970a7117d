"""Two engines that send to each other: the event goes there, comes back, and is told from a new one where it began."""

from contextlib import AsyncExitStack
from pathlib import Path

from console.domain.delivery import DeliveryState
from console.domain.inbound import Fate, InboxFilter
from console.domain.source import SourceKind
from console.store import open_store
from tests.engine.rig import Rig
from tests.factories import add_source
from tests.intake.rig import serving, until


async def test_an_event_that_comes_back_is_refused_as_a_loop(tmp_path: Path) -> None:
    once = {"schedule_s": (0.0,)}
    async with AsyncExitStack() as stack:
        served, rigs = [], []
        for name in ("here", "there"):
            path = tmp_path / f"{name}.db"
            open_store(path).close()
            one = await stack.enter_async_context(serving(path))
            add_source(one.store, name="other", kind=SourceKind.OPEN, secrets=())
            served.append(one)
            rig = Rig(path)
            stack.push_async_callback(rig.close)
            rigs.append(rig)
        here, there = rigs
        here.add(f"{served[1].url}/in/other", policy=once)
        there.add(f"{served[0].url}/in/other", policy=once)
        for rig in rigs:
            await rig.start()
        (sent,) = here.send()
        (row,) = await until(lambda: served[0].store.arrivals(InboxFilter(), limit=9))
        assert (row.fate, row.status) == (Fate.REJECTED, 508)
        assert row.reason == f"loop: event {sent} was sent from here and comes back (webhook-via)"
        (passed,) = served[1].store.arrivals(InboxFilter(), limit=9)
        assert passed.event_id is not None
        event = served[1].store.event(passed.event_id)
        assert (event.hops, event.via) == (1, f"{served[0].store.instance()}/{sent}")
        await there.until_state(DeliveryState.FAILED)
        assert [attempt.status for attempt in there.attempts()] == [508]
