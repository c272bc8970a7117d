"""Whether events are taken now."""

import asyncio

from console.domain.errors import StoreError
from console.intake.desk import Desk
from console.intake.shapes import Health

WRITE_WITHIN_S = 2.0


async def readiness(desk: Desk) -> Health:
    """What a balancer wants to know before it sends requests here."""
    if desk.host.stopping.is_set():
        return Health(status="draining", detail="the engine ends")
    try:
        async with asyncio.timeout(WRITE_WITHIN_S):
            status = await desk.host.writer.do(lambda store: store.engine_status())
    except TimeoutError:
        return Health(status="failing", detail="the store was not written in time")
    except StoreError:
        return Health(status="failing", detail="the store cannot be written")
    if status is None or not status.alive(desk.clock.now_ms()):
        return Health(status="failing", detail="the engine's heartbeat is old")
    if desk.backlog.full:
        return Health(status="failing", detail="more is pending than --max-backlog lets")
    return Health(status="ok", detail="events are taken")
