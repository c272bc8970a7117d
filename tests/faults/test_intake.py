"""The HTTP API of an engine that dies, and of one whose disk is full: a 202 is on disk, and no more is accepted."""

import asyncio
import resource
import signal
from pathlib import Path

import httpx

from console.domain.event import Event
from console.domain.filters import EventFilter
from console.domain.ids import EventId
from console.store import open_store
from tests.engine.rig import HANG_S
from tests.intake.rig import make_token
from tests.served import Served, serving

SENDERS = 8
BEFORE_IT_DIES = 200


def ready(path: Path) -> str:
    """A store with a token that is good for everything."""
    store = open_store(path)
    try:
        return make_token(store)[1]
    finally:
        store.close()


def client(served: Served, token: str) -> httpx.AsyncClient:
    url = served.wait_for_log("listening")["urls"][0]
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=HANG_S, trust_env=False)


def kept(path: Path) -> list[Event]:
    store = open_store(path, read_only=True)
    try:
        found: list[Event] = []
        before: int | None = None
        while rows := store.events(EventFilter(), limit=500, before_seq=before):
            found += [store.event(row.id) for row in rows]
            before = rows[-1].seq
        return found
    finally:
        store.close()


async def test_every_202_of_an_engine_that_is_killed_is_in_its_store(store_path: Path) -> None:
    token = ready(store_path)
    accepted: list[tuple[str, bytes]] = []
    with serving(store_path, "--listen=127.0.0.1:0", "--log-format=json") as served:

        async def send(number: int) -> None:
            async with client(served, token) as http:
                while True:
                    number += SENDERS
                    payload = b'{"number": %d}' % number
                    body = b'{"type":"a.b","data":' + payload + b"}"
                    try:
                        answer = await http.post("/v1/events", content=body)
                    except httpx.TransportError:
                        return  # it died
                    assert answer.status_code == 202
                    accepted.append((answer.json()["id"], payload))
                    if len(accepted) == BEFORE_IT_DIES:
                        served.process.send_signal(signal.SIGKILL)

        async with asyncio.timeout(HANG_S):
            await asyncio.gather(*(send(number) for number in range(SENDERS)))
        assert served.end() == -signal.SIGKILL
    assert len(accepted) >= BEFORE_IT_DIES
    there = {event.id: event.payload for event in kept(store_path)}
    assert {EventId(id_): payload for id_, payload in accepted}.items() <= there.items()


async def test_a_full_disk_is_a_503_and_nothing_is_accepted(store_path: Path) -> None:
    token = ready(store_path)
    event = {"type": "a.b", "data": {"filler": "x" * 2000}}
    with serving(store_path, "--listen=127.0.0.1:0", "--log-format=json") as served:
        async with client(served, token) as http:
            accepted = [(await http.post("/v1/events", json=event)).json()["id"]]
            pid, limit = served.process.pid, resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, limit[1]))
            for body in (event, [event] * 3):
                refused = await http.post("/v1/events", json=body)
                assert refused.status_code == 503
                assert int(refused.headers["retry-after"]) >= 1
                assert str(store_path) not in refused.text
            async with asyncio.timeout(HANG_S):
                while (await http.get("/readyz")).status_code == 200:
                    pass  # until the heartbeat is old
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
            async with asyncio.timeout(HANG_S):
                while (answer := await http.post("/v1/events", json=event)).status_code == 503:
                    pass
            accepted.append(answer.json()["id"])
        served.process.send_signal(signal.SIGTERM)
        assert served.end() == 0
    assert sorted(event.id for event in kept(store_path)) == sorted(accepted)
