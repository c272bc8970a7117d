"""`POST /v1/events`: what is accepted, what is refused and why, and the same request twice."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.event import PAYLOAD_CAP_BYTES
from console.domain.event_schema import SchemaMode
from console.domain.filters import EventFilter
from console.domain.ids import EventId
from tests.engine.rig import HANG_S
from tests.factories import add_endpoint
from tests.intake.rig import Served, serving

LINES = {"content-type": "application/x-ndjson"}


async def post(client: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post("/v1/events", content=content, headers={"content-type": "application/json", **fields})


def count(served: Served) -> int:
    return len(served.store.events(EventFilter(), limit=500))


async def test_an_event_is_on_disk_byte_for_byte_when_it_is_answered(store_path: Path) -> None:
    payloads = (b'{"b": 1,  "a": [1.0, 1e3], "c": 1e999}', b'"\\u00e9\xc3\xa9"', b"null", b"12345678901234567890.10")
    async with serving(store_path) as served, served.client() as client:
        add_endpoint(served.store)
        for payload in payloads:
            answer = await post(client, b' {"type": "a.b", "data": ' + payload + b" } ")
            assert answer.status_code == 202
            said = answer.json()
            event = served.store.event(EventId(said["id"]))
            assert (event.payload, event.type, event.source) == (payload, "a.b", "api")
            assert (said["duplicate"], said["deliveries"]) == (False, 1)


async def test_an_id_of_ones_own_is_accepted_once(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        first, second = [await post(client, {"type": "a.b", "data": 1, "id": "order-7"}) for _ in range(2)]
        assert first.json() == {"id": "order-7", "duplicate": False, "deliveries": 0}
        assert second.json() == {"id": "order-7", "duplicate": True, "deliveries": 0}
        assert count(served) == 1


async def test_a_batch_is_a_list_or_lines(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        listed = await post(client, [{"type": "a.b", "data": n, "id": f"n{n % 3}"} for n in range(4)])
        assert [(one["id"], one["duplicate"]) for one in listed.json()["accepted"]] == [
            ("n0", False), ("n1", False), ("n2", False), ("n0", True),
        ]  # fmt: skip
        lines = await client.post(
            "/v1/events", content=b'{"type":"a.b","data":1}\r\n\n {"type":"a.b","data":{"x": 2}}', headers=LINES
        )
        assert lines.status_code == 202
        assert len(lines.json()["accepted"]) == 2
        assert count(served) == 5


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ([{"type": "a.b", "data": 1}, {"type": "a b", "data": 1}, {"type": "a", "data": 1, "id": "x.y"}],
         [(1, "type"), (2, "id")]),
        ([{"type": "a.b", "data": 1}, {"type": "a.b"}, {"type": 7, "data": 1}, {"type": "a", "data": 1, "x": 1}],
         [(1, "data"), (2, "type"), (3, "x")]),
        ([{"type": "a.b", "data": 1}, 7, None, []], [(1, None), (2, None), (3, None)]),
        (b'[{"type":"a.b","data":1},{"type":"a.b","data":NaN}]', [(None, None)]),
        (b'[{"type":"a.b","data":"\xff"}]', [(None, None)]),
        (b'[{"type":"a.b","data":' + b"[" * 5000 + b"]" * 5000 + b"}]", [(None, None)]),
        (b"", [(None, None)]),
        (b"[", [(None, None)]),
        ([{"type": "a.b", "data": 1}, {"type": "a.b", "data": "x" * PAYLOAD_CAP_BYTES}], [(1, "data")]),
    ],
)  # fmt: skip
async def test_a_batch_is_all_or_nothing_and_each_fault_is_named(
    store_path: Path, body: Any, faults: list[tuple[int | None, str | None]]
) -> None:
    async with serving(store_path) as served, served.client() as client:
        answer = await post(client, body)
        assert answer.status_code == 400
        problem = answer.json()
        assert [(one.get("item"), one.get("field")) for one in problem["errors"]] == faults
        assert problem["detail"].startswith("nothing was accepted: ")
        assert "\n" not in problem["detail"]
        assert count(served) == 0


async def test_what_is_no_batch_of_events_is_refused(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        many = [{"type": "a.b", "data": 1}] * 1001
        assert "at most 1,000" in (await post(client, many)).json()["detail"]
        assert "no events" in (await post(client, [])).json()["detail"]
        wrong = await client.post("/v1/events", content=b'{"type":"a.b","data":1}\n{"type":', headers=LINES)
        assert [(one["item"], one["line"]) for one in wrong.json()["errors"]] == [(1, 2)]
        assert (await post(client, b"<a/>", content_type="text/xml")).status_code == 415
        assert (await post(client, b"x", content_encoding="gzip")).status_code == 415
        assert count(served) == 0


async def test_the_same_key_is_the_same_request(store_path: Path) -> None:
    batch = [{"type": "a.b", "data": n} for n in range(3)]
    async with serving(store_path) as served, served.client() as client:
        first, again = [await post(client, batch, idempotency_key="k 1") for _ in range(2)]
        assert first.status_code == again.status_code == 202
        assert first.json() == again.json()
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        for other in (batch[:2], [*batch, batch[0]], [batch[1], batch[0], batch[2]], batch[0] | {"data": 9}):
            refused = await post(client, other, idempotency_key="k 1")
            assert refused.status_code == 422
        assert count(served) == 3
        assert (await post(client, batch, idempotency_key="k 2")).json() != first.json()
        assert (await post(client, {"type": "a.b", "data": 1, "id": "x"}, idempotency_key="k")).status_code == 400
        assert (await post(client, batch, idempotency_key="k" * 256)).status_code == 400
        assert count(served) == 6


events = st.fixed_dictionaries({"type": st.sampled_from(["a.b", "a.c"]), "data": st.integers(0, 2)})
posted = st.tuples(st.sampled_from(["", "k1", "k2"]), st.lists(events, min_size=1, max_size=3))


@settings(max_examples=15)
@given(requests=st.lists(posted, min_size=1, max_size=12), together=st.booleans())
async def test_keys_do_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, requests: list[tuple[str, list[Any]]], together: bool
) -> None:
    """One by one or all at once: each key stands for the first request that used it."""
    kept: dict[str, list[Any]] = {}
    expected = 0
    async with serving(tmp_path_factory.mktemp("keys") / "store.db") as served, served.client() as client:

        async def send(key: str, batch: list[Any]) -> httpx.Response:
            return await post(client, batch, **({"idempotency_key": key} if key else {}))

        if together:
            answers = await asyncio.gather(*(send(key, batch) for key, batch in requests))
        else:
            answers = [await send(key, batch) for key, batch in requests]
        for (key, batch), answer in zip(requests, answers, strict=True):
            if answer.status_code == 202 and (not key or "idempotent-replayed" not in answer.headers):
                expected += len(batch)
                assert key not in kept
                kept |= {key: batch} if key else {}
        for (key, batch), answer in zip(requests, answers, strict=True):
            assert answer.status_code == (202 if not key or kept[key] == batch else 422)
        assert count(served) == expected


async def test_a_key_that_comes_twice_is_refused_with_its_place(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        answer = await post(client, b'{"type": "a", "data": {"b": 1, "b": 2}}')
        assert (answer.status_code, answer.json()["detail"]) == (
            400, "nothing was accepted: ambiguous: key data.b comes twice",
        )  # fmt: skip
        answer = await post(client, b'[{"type": "a", "data": 1}, {"type": "a", "type": "b", "data": 1}]')
        assert answer.json()["errors"] == [{"reason": "ambiguous: key type comes twice", "item": 1}]
        deep = b"[" * 128 + b"]" * 128
        assert (await post(client, b'[{"type": "a", "data": [%b]}]' % deep)).status_code == 400
        assert count(served) == 0
        assert (await post(client, b'[{"type": "a", "data": %b}]' % deep)).status_code == 202


async def test_what_does_not_match_its_schema_is_refused_whole_or_flagged(store_path: Path) -> None:
    bad = {"type": "invoice.paid", "data": {"lines": [{}, {"amount": "x"}]}}
    schema = b'{"properties": {"lines": {"items": {"properties": {"amount": {"type": "integer"}}}}}}'
    async with serving(store_path) as served, served.client() as client:
        served.store.add_schema("invoice.*", SchemaMode.REJECT, schema, 0)
        answer = await post(client, bad)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"field": "data.lines[1].amount", "reason": '"x" is not of type "integer" (schema invoice.* v1)'}
        ]
        answer = await post(client, [{"type": "order.new", "data": 1}, bad, bad])
        assert answer.status_code == 422
        assert [fault["item"] for fault in answer.json()["errors"]] == [1, 2]
        assert answer.json()["detail"].endswith("(schema invoice.* v1) (and 1 more)")
        assert count(served) == 0
        served.store.add_schema("invoice.*", SchemaMode.FLAG, schema, 0)
        answer = await until_posted(client, bad)
        flaw = served.store.event(answer.json()["id"]).flaw
        assert flaw is not None
        assert (flaw.path, flaw.version) == ("lines[1].amount", 2)


async def until_posted(client: httpx.AsyncClient, body: Any) -> httpx.Response:
    """What is answered once it is taken: a change of schemas is seen within a moment."""
    async with asyncio.timeout(HANG_S):
        while (answer := await post(client, body)).status_code != 202:  # noqa: ASYNC110 - the server looks by itself
            await asyncio.sleep(0.01)
    return answer


async def test_what_goes_round_is_refused_and_what_has_come_a_way_keeps_it(store_path: Path) -> None:
    body = {"type": "a", "data": 1}
    async with serving(store_path) as served, served.client() as client:
        back = {"webhook-hops": "1", "webhook-via": f"{served.store.instance()}/evt_1"}
        answer = await post(client, body, **back)
        assert answer.status_code == 508
        assert answer.json()["detail"] == "loop: event evt_1 was sent from here and comes back (webhook-via)"
        assert (await post(client, body, **{"webhook-hops": "6"})).status_code == 508
        assert count(served) == 0
        answer = await post(client, body, **{"webhook-hops": "2", "webhook-via": "other/evt_0"})
        event = served.store.event(answer.json()["id"])
        assert (event.hops, event.via) == (2, "other/evt_0")
