"""The client, against the server and against a scripted one."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from console.client import (
    AsyncClient,
    Client,
    ForbiddenError,
    NewEvent,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)
from console.domain.filters import EventFilter
from console.domain.token import Scope
from tests.factories import attempt_all, failed, start_engine
from tests.intake.rig import make_token, serving

ACCEPTED = {"id": "evt_x", "duplicate": False, "deliveries": 1}
Reply = httpx.Response | type[httpx.TransportError]


class Script:
    """Answers in turn, and remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = iter(replies)
        self.requests: list[httpx.Request] = []
        self.waited: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = next(self._replies)
        if isinstance(reply, httpx.Response):
            return reply
        raise reply("scripted")

    def client(self, **given: Any) -> Client:
        transport = httpx.MockTransport(self)
        return Client("http://x", "t", transport=transport, sleep=self.waited.append, random=Random(1), **given)


def problem(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": "said"}, headers={n.replace("_", "-"): v for n, v in headers.items()})


def test_events_are_sent_again_under_one_key_until_they_are_taken() -> None:
    script = Script(
        httpx.ReadTimeout, problem(503, retry_after="7"), problem(429, retry_after="900"), httpx.ConnectError,
        problem(502), httpx.Response(202, json=ACCEPTED),
    )  # fmt: skip
    with script.client() as client:
        assert client.send("a.b", {"x": 1}).id == "evt_x"
    keys = {request.headers["idempotency-key"] for request in script.requests}
    bodies = {request.content for request in script.requests}
    assert (len(script.requests), len(keys), bodies) == (6, 1, {b'{"type":"a.b","data":{"x":1}}'})
    assert script.waited[1:3] == [7, 60]
    assert all(0.1 <= waited <= 4 for waited in (script.waited[0], *script.waited[3:]))


def test_an_id_of_ones_own_needs_no_key() -> None:
    script = Script(*[httpx.Response(202, json=ACCEPTED)] * 2, httpx.Response(202, json={"accepted": [ACCEPTED] * 2}))
    with script.client() as client:
        client.send("a.b", b'{"a":\t1.0}', id="mine")
        client.send("a.b", 1, key="k")
        list(client.send_many([NewEvent(type="a.b", data=1, id="mine"), NewEvent(type="a.b", data=b"[1,\n2]")]))
    one, two, many = script.requests
    assert "idempotency-key" not in one.headers
    assert one.content == b'{"type":"a.b","data":{"a":\t1.0},"id":"mine"}'
    assert two.headers["idempotency-key"] == "k"
    lines = [json.loads(line) for line in many.content.splitlines()]
    assert [line["data"] for line in lines] == [1, [1, 2]]
    assert lines[0]["id"] == "mine"
    assert lines[1]["id"].startswith("evt_")
    assert "idempotency-key" not in many.headers


@pytest.mark.parametrize(
    ("replies", "kind", "tries"),
    [
        ([problem(400)], RefusedError, 1),
        ([problem(422)], RefusedError, 1),
        ([problem(401)], UnauthorizedError, 1),
        ([problem(403)], ForbiddenError, 1),
        ([problem(404)], NotFoundError, 1),
        ([problem(500)], UnavailableError, 1),
        ([problem(429)] * 3, RateLimitedError, 3),
        ([problem(503)] * 3, UnavailableError, 3),
        ([httpx.ConnectError] * 3, UnreachableError, 3),
    ],
)
def test_what_goes_wrong_has_a_kind(replies: list[Reply], kind: type[Exception], tries: int) -> None:
    script = Script(*replies)
    with script.client(tries=3) as client, pytest.raises(kind, match=r"said|scripted"):
        client.send("a.b", 1)
    assert len(script.requests) == tries


def test_what_would_be_done_twice_is_not_tried_again_without_an_answer() -> None:
    for reply in (httpx.ReadTimeout, problem(502)):
        script = Script(reply)
        with script.client() as client, pytest.raises((UnreachableError, UnavailableError)):
            client.retry_deliveries("state:failed")
        assert len(script.requests) == 1


async def test_the_async_client_against_a_server(store_path: Path) -> None:
    async with serving(store_path) as served, AsyncClient(served.url, served.token) as client:
        endpoint = await client.add_endpoint("http://127.0.0.1:9/x", name="crm", types=["a.*"])
        assert endpoint.new_secret is not None
        assert endpoint.new_secret not in repr(endpoint)
        sent = await client.send("a.b", {"x": 1})
        again = await client.send("a.b", 2, id=sent.id)
        assert (sent.deliveries, again.duplicate) == (1, True)
        assert (await client.event(sent.id)).payload == {"x": 1}
        many = [one async for one in client.send_many(NewEvent(type="a.c", data=n) for n in range(1500))]
        assert len({one.id for one in many}) == 1500
        now_ms = served.store.events(EventFilter(), limit=1)[0].accepted_at_ms
        epoch = start_engine(served.store, now_ms=now_ms)
        attempt_all(served.store, epoch, failed(), now_ms=now_ms, limit=3)
        assert len([row async for row in client.events("type:a.c")]) == 1500
        dead = [row async for row in client.deliveries("state:failed")]
        assert len(dead) == len([row async for row in client.attempts("status:422")]) == 3
        assert (await client.delivery(dead[0].id)).made[0].status == 422
        assert (await client.retry_deliveries("state:failed", dry_run=True)).matching == 3
        done = await client.retry_delivery(dead[0].id, reason="fixed")
        assert (await client.operation(done.id)).done == 1
        assert (await client.pause_endpoint("crm", for_s=60)).state == "paused"
        assert (await client.edit_endpoint("crm", policy={"timeout": "3s"})).policy["timeout"] == "3s"
        assert (await client.resume_endpoint("crm")).state == "active"
        assert (await client.stats())["overall"]["attempts"] == 3
        assert [row.name async for row in client.endpoints()] == ["crm"]
        with pytest.raises(NotFoundError):
            await client.endpoint("nobody")
        assert await client.remove_endpoint("crm") > 1000
        assert (await anext(client.operations())).kind == "endpoint_remove"


async def test_the_client_that_waits_against_a_server(store_path: Path) -> None:
    async with serving(store_path) as served:
        narrow = make_token(served.store, Scope.EVENTS_WRITE, name="narrow")[1]
        with ThreadPoolExecutor(1) as thread:

            def use() -> Iterator[Any]:
                with Client(served.url, narrow) as client:
                    yield client.send("a.b", {"x": 1}).duplicate
                    yield len(list(client.send_many([NewEvent(type="a.b", data=n) for n in range(3)])))
                    with pytest.raises(ForbiddenError, match="events:read"):
                        list(client.events())
                    with pytest.raises(RefusedError) as caught:
                        list(client.send_many([NewEvent(type="a.b", data=1), NewEvent(type="a b", data=1)]))
                    yield [(fault.item, fault.field) for fault in caught.value.faults]

            work: Callable[[], list[Any]] = lambda: list(use())  # noqa: E731 - in a thread
            found = await asyncio.get_running_loop().run_in_executor(thread, work)
        assert found == [False, 3, [(1, "type")]]
