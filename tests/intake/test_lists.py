"""Lists in pages, with filters; and what is changed through the API."""

from pathlib import Path
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from console.cli import records
from console.client import models
from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import format_number
from console.intake import shapes
from tests.factories import add_endpoint, attempt_all, delivered, failed, make_event, start_engine
from tests.intake.rig import Served, serving


async def walk(client: httpx.AsyncClient, path: str, **given: Any) -> list[str]:
    """The ids of all rows, page by page."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={**given, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [row["id"] for row in page["data"]]
        if page["next"] is None:
            return ids
        cursor = {"cursor": page["next"]}


def fill(served: Served, events: int) -> None:
    """Half of the deliveries fail, of two endpoints."""
    for name in ("billing", "crm"):
        add_endpoint(served.store, name=name)
    epoch = start_engine(served.store)
    for number in range(events):
        served.store.accept([make_event(id=f"evt_{number}")], 1_700_000_000_000 + number)
        attempt_all(served.store, epoch, failed() if number % 2 else delivered(), now_ms=1_700_000_000_000 + number)


@settings(max_examples=8)
@given(limit=st.integers(1, 9), added=st.lists(st.integers(0, 3), max_size=6))
async def test_pages_show_every_row_once_while_rows_are_added(
    tmp_path_factory: Any, limit: int, added: list[int]
) -> None:
    async with serving(tmp_path_factory.mktemp("pages") / "store.db") as served, served.client() as client:
        fill(served, 7)
        for path in ("/v1/events", "/v1/deliveries", "/v1/attempts"):
            there = await walk(client, path, limit=500)
            more = iter(added)
            seen: list[str] = []
            cursor: dict[str, str] = {}
            while True:
                page = (await client.get(path, params={"limit": limit, **cursor})).json()
                assert page["complete"]
                seen += [row["id"] for row in page["data"]]
                served.store.accept([make_event() for _ in range(next(more, 0))], 1_800_000_000_000)
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}
            assert seen == there


async def test_every_list_takes_a_filter_where_there_is_one(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        fill(served, 6)
        assert await walk(client, "/v1/deliveries", filter="endpoint:crm state:failed", limit=2) == [
            format_number("dlv", d.id)
            for d in served.store.deliveries(
                DeliveryFilter(states=(DeliveryState.FAILED,), endpoints=(served.store.find_endpoint("crm").id,)),
                limit=10,
            )
        ]
        assert len(await walk(client, "/v1/attempts", filter="status:4xx", limit=2)) == 6
        assert await walk(client, "/v1/events", filter="event:evt_3") == ["evt_3"]
        assert len(await walk(client, "/v1/endpoints", filter="crm")) == 1
        assert len(await walk(client, "/v1/endpoints", limit=1)) == 2
        assert len(await walk(client, "/v1/events/evt_1/deliveries", limit=1)) == 2
        assert len(await walk(client, "/v1/events/evt_1/deliveries", filter="crm")) == 1
        for path in ("/v1/events", "/v1/deliveries", "/v1/attempts", "/v1/endpoints"):
            wrong = await client.get(path, params={"filter": "nonsense:1"})
            assert wrong.status_code == 400
            assert wrong.json()["errors"][0]["field"] == "filter"
            assert (await client.get(path, params={"cursor": "nonsense"})).status_code == 400
            assert (await client.get(path, params={"limit": 501})).status_code == 400


async def test_deliveries_are_shown_retried_and_cancelled(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        fill(served, 4)
        shown = (await client.get("/v1/deliveries/dlv_000003")).json()
        assert (shown["state"], len(shown["made"]), shown["made"][0]["status"]) == ("failed", 1, 422)
        exchange = (await client.get(f"/v1/attempts/{shown['made'][0]['id']}")).json()["exchange"]
        assert exchange["response_body"] == '{"ok": true}'
        dry = (await client.post("/v1/deliveries/retry", json={"filter": "state:failed", "dry_run": True})).json()
        assert (dry["matching"], dry["operation"]) == (4, None)
        one = (await client.post("/v1/deliveries/dlv_000003/retry", json={"reason": "fixed"})).json()
        assert (one["done"], one["reason"], one["actor"]) == (1, "fixed", "token:everything")
        assert served.store.delivery(3).state is DeliveryState.PENDING  # type: ignore[arg-type] # a number is an id
        assert (await client.post("/v1/deliveries/dlv_000003/cancel")).json()["done"] == 1
        bulk = (await client.post("/v1/deliveries/retry", json={"filter": "state:failed", "rate": "5/s"})).json()
        assert (bulk["operation"]["total"], bulk["operation"]["rate_per_s"]) == (3, 5.0)
        ended = await client.post(f"/v1/operations/{bulk['operation']['id']}/cancel")
        assert ended.json()["cancelled_by"] == "token:everything"
        assert (await client.post("/v1/deliveries/dlv_0000zz/retry")).status_code == 404
        for body in ({}, {"filter": "x:y"}, {"filter": "", "rate": "fast"}, {"filter": "", "more": 1}):
            assert (await client.post("/v1/deliveries/retry", json=body)).status_code == 400


async def test_endpoints_are_added_edited_and_removed_and_no_secret_is_told_again(store_path: Path) -> None:
    url = "http://127.0.0.1:9/hook"
    async with serving(store_path) as served, served.client() as client:
        policy = {"timeout": "5s", "authorization": "Bearer sesame-1", "rate_limit": "50/s"}
        given = {"url": url, "name": "crm", "types": ["a.*"], "policy": policy, "headers": [["X-Api-Key", "sesame-2"]]}
        added = await client.post("/v1/endpoints", json=given)
        assert added.status_code == 201
        secret = added.json()["new_secret"]
        assert secret.startswith("whsec_")
        edited = await client.patch("/v1/endpoints/crm", json={"policy": {"timeout": "default"}, "dry_run": True})
        kept = served.store.find_endpoint("crm")
        assert (kept.policy.timeout_s, kept.dry_run, kept.types) == (15.0, True, ("a.*",))
        assert kept.policy.headers == (("X-Api-Key", "sesame-2"),)
        paused = await client.post("/v1/endpoints/crm/pause", json={"reason": "mending", "for_s": 60})
        assert (paused.json()["state"], paused.json()["state_reason"]) == ("paused", "mending")
        resumed = await client.post("/v1/endpoints/crm/resume", json={"rate": "20/s"})
        assert resumed.json()["pace"] == {"per_s": 20.0, "ramp_s": 0.0}
        shown = [await client.get(path) for path in ("/v1/endpoints", "/v1/endpoints/crm", "/v1/operations")]
        for answer in (edited, paused, resumed, *shown):
            assert answer.status_code == 200
            assert secret not in answer.text
            assert "sesame" not in answer.text
        assert (await client.patch("/v1/endpoints/cr", json={})).status_code == 404
        assert (await client.delete("/v1/endpoints/crm")).json()["removed"] is True
        assert served.store.endpoints() == []


async def test_wrong_parts_of_an_endpoint_are_named(store_path: Path) -> None:
    url = "http://127.0.0.1:9/hook"
    async with serving(store_path) as served, served.client() as client:
        for given, words in (
            ({}, "url"),
            ({"url": "ftp://x"}, "URL"),
            ({"url": url, "policy": {"timeout": "1y"}}, "policy.timeout"),
            ({"url": url, "policy": {"nonsense": "1"}}, "policy.nonsense"),
            ({"url": url, "policy": {"client_certificate": "/etc/hostname"}}, "policy.client_certificate"),
            ({"url": url, "secrets": ["short"]}, "secret"),
            ({"url": url, "types": []}, "types"),
            ({"url": url, "name": "a b"}, "name"),
            ({"url": url, "headers": [["host", "x"]]}, "header"),
        ):
            answer = await client.post("/v1/endpoints", json=given)
            assert answer.status_code == 400, given
            assert words in answer.json()["detail"]
        assert served.store.endpoints() == []


def test_the_api_and_the_command_line_and_the_client_speak_of_the_same_things() -> None:
    """What one shows the others show under the same name."""
    row = set(records.ENDPOINT_ROW_FIELDS) - {"oldest_due_at"}
    shape: type[shapes.Shape]
    for shape, fields in (
        (shapes.EventRowShape, records.EVENT_ROW_FIELDS),
        (shapes.DeliveryShape, records.DELIVERY_FIELDS),
        (shapes.AttemptShape, records.ATTEMPT_FIELDS),
        (shapes.OperationShape, records.OPERATION_FIELDS),
        (shapes.EndpointShape, row),
    ):
        assert set(fields) <= set(shape.__struct_fields__), shape
    for model, shape in (
        (models.EventRow, shapes.EventRowShape),
        (models.Event, shapes.EventShape),
        (models.Delivery, shapes.DeliveryWithAttempts),
        (models.Attempt, shapes.AttemptShape),
        (models.Endpoint, shapes.EndpointAdded),
        (models.Operation, shapes.OperationShape),
        (models.Retried, shapes.Retried),
    ):
        assert set(model.__dataclass_fields__) <= set(shape.__struct_fields__), model
