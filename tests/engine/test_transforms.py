"""Filters, transforms and dry runs in a running engine: what arrives, and what is kept of it."""

import asyncio
import json
from dataclasses import replace
from random import Random
from threading import get_ident
from typing import Any

import pytest
from standardwebhooks import Webhook

from console.domain.clock import ManualClock
from console.domain.delivery import DRY_RUN_WORDS, REQUEST_BODY_CAP_BYTES, DeliveryState, Retry
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.filters import DeliveryFilter
from console.domain.outcome import Cause, Outcome, Request, Response
from console.domain.redaction import REDACTED
from console.domain.templating import render
from console.domain.transform import Rendered, Subject, Transform
from console.engine import dispatcher as dispatching
from console.engine import reshaping
from console.engine.dispatcher import Dispatcher
from console.operations.deliveries import retry
from console.operations.endpoints import edit_endpoint
from console.store import Store
from tests.engine.rig import Rig
from tests.engine.test_dispatcher import claimed_for
from tests.factories import SECRET, add_endpoint
from tests.receivers import ScriptedReceiver

PAYLOAD = json.dumps({"id": "cus 1", "amount": 4200, "currency": "eur", "who": "Jörg & Co"}).encode()


def edit(rig: Rig, endpoint: Endpoint, **given: Any) -> None:
    """As an operator does."""
    spec = replace(endpoint.spec, **given)
    edit_endpoint(rig.store, endpoint.id, spec, actor="ada", now_ms=rig.clock.now_ms(), changed="it")


async def test_a_transform_makes_what_arrives_and_it_is_signed_as_it_arrives(rig: Rig) -> None:
    transform = Transform(
        body='{"text": {{ (payload.who ~ ": " ~ payload.amount | money(payload.currency)) | slack | tojson }}}',
        content_type="application/json; charset=utf-8",
        headers=(("X-Team", "{{ event.type }}"), ("Authorization", "Bearer {{ payload.amount }}"), ("X-No", "")),
        path="/contacts/{{ payload.id | urlencode }}?by={{ endpoint.name }}",
        method="PUT",
    )
    async with ScriptedReceiver() as receiver:
        policy = {"headers": (("x-team", "ops"), ("X-Other", "1"))}
        rig.add(f"{receiver.url}?old=1", transform=transform, policy=policy)
        await rig.start()
        (event_id,) = rig.send(payload=PAYLOAD)
        (request,) = await receiver.wait_for(1)
        await rig.until_state(DeliveryState.DELIVERED)
        url = f"http://127.0.0.1:{receiver.port}/contacts/cus%201?by=crm"
    assert (request.method, request.target) == ("PUT", "/contacts/cus%201?by=crm")
    assert json.loads(request.body) == {"text": "Jörg &amp; Co: 42.00 EUR"}
    told = {name: value for name, value in request.headers if name.startswith(("x-", "auth", "content-type"))}
    assert told == {
        "x-team": "invoice.paid",
        "x-other": "1",
        "authorization": "Bearer 4200",
        "content-type": "application/json; charset=utf-8",
    }
    assert request.header("webhook-id") == event_id
    Webhook(SECRET).verify(request.body, dict(request.headers))
    exchange = rig.exchange()
    assert (exchange.request_method, exchange.request_body) == ("PUT", request.body)
    assert exchange.url == url
    assert ("Authorization", REDACTED) in exchange.request_headers


async def test_a_transform_that_fails_is_final_and_sends_nothing(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        broken = rig.add(receiver.url, transform=Transform(body="{\n{{ payload.zzz | upper }}"))
        await rig.start()
        (event_id,) = rig.send()
        (delivery,) = await rig.until_state(DeliveryState.FAILED)
        (attempt,) = rig.attempts()
        assert delivery.last_cause is attempt.cause is Cause.TRANSFORM_ERROR
        assert attempt.detail is not None
        assert attempt.detail.startswith("transform body, line 2, column 4: payload.zzz is missing; ")
        assert rig.store.event(event_id).payload == b'{"amount": 4200}'
        assert rig.store.exchange(attempt.id) is None
        # Corrected, and retried by hand, it goes.
        edit(rig, broken, transform=Transform(body="{{ payload.amount }}"))
        retry(rig.store, DeliveryFilter(states=(DeliveryState.FAILED,)), actor="ada", clock=rig.clock)
        (request,) = await receiver.wait_for(1)
        assert request.body == b"4200"
        await rig.until_state(DeliveryState.DELIVERED)
    assert rig.store.find_endpoint("crm").state is EndpointState.ACTIVE


async def test_a_filter_is_asked_at_the_door_and_one_that_fails_there_is_told_of(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url, filter="payload.amount > 1000")
        rig.add(receiver.url, name="broken", filter="payload.list | lower == 'x'")
        await rig.start()
        small, large = rig.send(payload=b'{"amount": 1}') + rig.send(payload=b'{"amount": 1001}')
        rig.send(payload=b'{"list": [1]}')
        await rig.until_state(DeliveryState.DELIVERED)
        (failed,) = await rig.until_state(DeliveryState.FAILED)
    assert [request.header("webhook-id") for request in receiver.requests] == [large]
    assert small != large
    detail = rig.attempts()[-1].detail or ""
    assert failed.endpoint_name == "broken"
    assert detail.startswith("filter, line 1, column 16: lower: text is needed, not a list")


async def test_what_was_owed_before_a_filter_is_sent_all_the_same(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        crm = rig.add(receiver.url)
        rig.send()
        edit(rig, crm, filter="false")
        rig.send()
        await rig.start()
        await rig.until_state(DeliveryState.DELIVERED)
    assert len(receiver.requests) == len(rig.deliveries()) == 1


async def test_a_dry_run_sends_nothing_and_keeps_what_it_would_have_sent(rig: Rig) -> None:
    transform = Transform(body="[{{ payload.amount }}]", content_type="text/plain", path="/a", method="PATCH")
    async with ScriptedReceiver() as receiver:
        crm = rig.add(f"{receiver.url}/x", transform=transform, dry_run=True)
        rig.add(f"{receiver.url}/y", name="plain", dry_run=True)
        await rig.start()
        rig.send()
        await rig.until_state(DeliveryState.DELIVERED, 2)
        assert receiver.requests == []
        dry, plain = (rig.attempts(endpoint)[0] for endpoint in rig.store.endpoints())
        for attempt in (dry, plain):
            assert attempt.succeeded
            assert attempt.dry_run
            assert (attempt.status, attempt.detail, attempt.total_ms) == (None, DRY_RUN_WORDS, None)
        exchange = rig.store.exchange(dry.id)
        assert exchange is not None
        assert (exchange.request_method, exchange.url) == ("PATCH", f"http://127.0.0.1:{receiver.port}/a")
        assert exchange.request_body == b"[4200]"
        signature = dict(exchange.request_headers)
        Webhook(SECRET).verify(b"[4200]", signature)
        sent_as_it_is = rig.store.exchange(plain.id)
        assert sent_as_it_is is not None
        assert sent_as_it_is.request_body is None
        gauges = rig.store.gauges()
        assert all(gauge.last_success_at_ms is None for gauge in gauges.values())
        edit(rig, crm, dry_run=False)
        rig.send()
        (request,) = await receiver.wait_for(1)
        assert request.body == b"[4200]"


class Taker:
    """A transport that takes whatever it is given."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Outcome:
        self.requests.append(request)
        return Response(status=200, headers=(), body=b"", body_truncated=False, first_byte_ms=None, total_ms=1.0)

    async def aclose(self) -> None: ...


async def test_a_large_payload_is_reshaped_beside_the_loop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def watched(transform: Transform, subject: Subject, url: str) -> Rendered:
        threads.add(get_ident())
        return render(transform, subject, url)

    monkeypatch.setattr(reshaping, "render", watched)
    endpoint = add_endpoint(store, transform=Transform(body="{{ payload | tojson }} "))
    dispatcher = Dispatcher(taker := Taker(), clock=ManualClock(), random=Random(1))
    large = json.dumps("x" * 2 * REQUEST_BODY_CAP_BYTES).encode()
    completed = await dispatcher.deliver(replace(claimed_for(endpoint), payload=large), endpoint)
    assert taker.requests[0].body == large + b" "
    assert completed.exchange is not None
    assert completed.exchange.request_body == large[:REQUEST_BODY_CAP_BYTES]
    assert get_ident() not in threads
    await dispatcher.deliver(claimed_for(endpoint), endpoint)
    assert get_ident() in threads


async def test_an_engine_that_stops_meanwhile_has_sent_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def forever(*_: object) -> Rendered:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(dispatching, "reshape", forever)
    endpoint = add_endpoint(store, transform=Transform())
    task = asyncio.create_task(
        Dispatcher(taker := Taker(), clock=ManualClock(), random=Random(1)).deliver(claimed_for(endpoint), endpoint)
    )
    await begun.wait()
    task.cancel()
    verdict = (await task).verdict
    assert isinstance(verdict, Retry)
    assert (verdict.uncharged, verdict.detail) == (True, "not sent: the engine stopped before it was")
    assert taker.requests == []


async def test_a_fault_of_ours_in_a_transform_costs_one_try(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Rendered:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(reshaping, "render", broken)
    endpoint = add_endpoint(store, transform=Transform())
    dispatcher = Dispatcher(Taker(), clock=ManualClock(), random=Random(1))
    verdict = (await dispatcher.deliver(claimed_for(endpoint), endpoint)).verdict
    assert isinstance(verdict, Retry)
    assert "RuntimeError: a fault of ours" in verdict.detail
