"""The engine over real sockets: what receivers get, and what the store says of it."""

import asyncio
import base64
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook, WebhookVerificationError

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.operation import OperationKind
from console.domain.outcome import RESPONSE_BODY_CAP_BYTES, Cause
from console.domain.policy import BreakerPolicy
from console.domain.redaction import REDACTED
from console.domain.retry import JITTER
from console.domain.signing import make_secret
from console.engine.dispatcher import USER_AGENT
from tests.engine.rig import Rig
from tests.factories import SECRET
from tests.receivers import (
    Behaviour,
    Conversation,
    ReceivedRequest,
    ScriptedReceiver,
    answers,
    closes,
    hangs,
    resets,
    sends,
)

ONCE = {"schedule_s": (0.0,)}
DELIVERED, FAILED, PENDING = DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING


def verify(request: ReceivedRequest, secret: str = SECRET) -> None:
    """Raises when the public library of receivers would not take this request."""
    Webhook(secret).verify(request.body, dict(request.headers), json_parse=False)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each request gets the next behaviour; the last one stays."""
    left = list(behaviours)

    async def behave(conversation: Conversation) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(conversation)

    return behave


async def test_an_event_arrives_signed_byte_for_byte(rig: Rig) -> None:
    payload = '{"amount" :  4200.00,\n"who":"Zoë ✓", "deep":[{"a":null}]}'.encode()
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url + "?a=b%20c", policy={"headers": (("X-Team", "billing"),)})
        await rig.start()
        (event_id,) = rig.send(payload=payload)
        (request,) = await receiver.wait_for(1)
        await rig.until_state(DELIVERED)
    assert (request.method, request.target) == ("POST", "/hook?a=b%20c")
    assert request.body == payload
    verify(request)
    with pytest.raises(WebhookVerificationError):
        verify(request, make_secret(b"some other secret of 32 bytes !!"))
    names = [name for name, _ in request.headers]
    assert len(names) == len(set(names)), "no field comes twice"
    assert {name: request.header(name) for name in ("webhook-id", "content-type", "user-agent", "x-team")} == {
        "webhook-id": event_id,
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "x-team": "billing",
    }
    assert abs(int(request.header("webhook-timestamp") or 0) - time.time()) < 60
    (attempt,) = rig.attempts()
    assert (attempt.number, attempt.status, attempt.cause) == (1, 200, None)
    assert attempt.total_ms is not None
    assert attempt.total_ms >= (attempt.first_byte_ms or 0) > 0


async def test_an_own_user_agent_replaces_the_engines(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url, policy={"headers": (("User-Agent", "acme/1"),)})
        await rig.start()
        rig.send()
        (request,) = await receiver.wait_for(1)
    assert [value for name, value in request.headers if name == "user-agent"] == ["acme/1"]


async def test_each_secret_signs(rig: Rig) -> None:
    other, seed = make_secret(b"the secret that it had before, 1"), bytes(range(32))
    key = "whsk_" + base64.b64encode(seed).decode()
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url, secrets=(SECRET, other, key))
        await rig.start()
        rig.send()
        (request,) = await receiver.wait_for(1)
    verify(request, SECRET)
    verify(request, other)
    (asymmetric,) = [s for s in (request.header("webhook-signature") or "").split() if s.startswith("v1a,")]
    signed = f"{request.header('webhook-id')}.{request.header('webhook-timestamp')}.".encode() + request.body
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public.verify(base64.b64decode(asymmetric.removeprefix("v1a,")), signed)


async def test_events_go_to_whom_they_concern(rig: Rig) -> None:
    async with ScriptedReceiver() as all_of_it, ScriptedReceiver() as invoices, ScriptedReceiver() as leads:
        rig.add(all_of_it.url, "all")
        rig.add(invoices.url, "invoices", types=("invoice.*", "refund.made"))
        rig.add(leads.url, "leads", types=("lead.created",))
        await rig.start()
        sent = {t: rig.send(type=t)[0] for t in ("invoice.paid", "lead.created", "refund.made", "lead.lost")}
        await rig.until_state(DELIVERED, 7)
        got = [{r.header("webhook-id") for r in receiver.requests} for receiver in (all_of_it, invoices, leads)]
    assert got == [set(sent.values()), {sent["invoice.paid"], sent["refund.made"]}, {sent["lead.created"]}]
    assert not rig.deliveries(PENDING, DeliveryState.SENDING, FAILED)


async def test_a_retry_follows_the_schedule_with_the_same_id_and_a_new_timestamp(rig: Rig) -> None:
    behaviour = in_turn(answers(500), answers(503, b"down"), answers(204))
    waits_s = (0.0, 0.05, 1.2)
    async with ScriptedReceiver(behaviour) as receiver:
        rig.add(receiver.url, policy={"schedule_s": waits_s})
        await rig.start()
        (event_id,) = rig.send()
        requests = await receiver.wait_for(3)
        (delivery,) = await rig.until_state(DELIVERED)
    for request in requests:
        verify(request)
        assert request.header("webhook-id") == event_id
    stamps = [int(r.header("webhook-timestamp") or 0) for r in requests]
    assert stamps == sorted(stamps)
    assert stamps[2] > stamps[1]
    first, second, third = rig.attempts()
    assert [(a.number, a.status, a.cause) for a in (first, second, third)] == [
        (1, 500, Cause.HTTP_5XX),
        (2, 503, Cause.HTTP_5XX),
        (3, 204, None),
    ]
    for before, after, wait_s in ((first, second, 0.05), (second, third, 1.2)):
        waited_ms = after.started_at_ms - (before.ended_at_ms or 0)
        assert waited_ms >= int(wait_s * 1000 * (1 - JITTER))
    assert (delivery.attempts, delivery.schedule_step) == (3, 3)


async def test_waits_are_spread_by_jitter_and_never_further(rig: Rig) -> None:
    async with ScriptedReceiver(answers(500)) as receiver:
        rig.add(receiver.url, policy={"schedule_s": (0.0, 1000.0), "breaker": BreakerPolicy(enabled=False)})
        await rig.start()
        rig.send(60)
        await rig.until(lambda: sum(d.last_cause is not None for d in rig.deliveries(PENDING)) == 60)
        deliveries = rig.deliveries(PENDING)
    waits = [((d.next_attempt_at_ms or 0) - (d.last_attempt_at_ms or 0)) / 1000 for d in deliveries]
    assert len(waits) == 60
    assert 1000 * (1 - JITTER) <= min(waits) < 900
    assert 1100 < max(waits) <= 1000 * (1 + JITTER)


async def test_an_exhausted_schedule_fails_the_delivery(rig: Rig) -> None:
    async with ScriptedReceiver(answers(500)) as receiver:
        rig.add(receiver.url, policy={"schedule_s": (0.0, 0.01, 0.01)})
        await rig.start()
        rig.send()
        (delivery,) = await rig.until_state(FAILED)
        assert len(receiver.requests) == 3
    assert (delivery.attempts, delivery.last_cause, delivery.last_status) == (3, Cause.HTTP_5XX, 500)
    assert rig.attempts()[-1].detail == "HTTP 500; schedule exhausted after 3 tries"
    (line,) = rig.lines.named("delivery failed")
    assert line["event_id"] == delivery.event_id


@pytest.mark.parametrize(("status", "honoured"), [(429, True), (502, True), (503, True), (504, True), (500, False)])
async def test_retry_after_is_honoured(rig: Rig, status: int, honoured: bool) -> None:
    async with ScriptedReceiver(answers(status, headers=(("Retry-After", "3600"),))) as receiver:
        rig.add(receiver.url, policy={"schedule_s": (0.0, 10.0)})
        await rig.start()
        rig.send()
        (delivery,) = await rig.until(lambda: [d for d in rig.deliveries(PENDING) if d.last_status == status])
        wait_s = ((delivery.next_attempt_at_ms or 0) - (delivery.last_attempt_at_ms or 0)) / 1000
        if honoured:
            assert 3600 <= wait_s <= 3610
        else:
            assert wait_s <= 12
        receiver.behaviour = answers()
        rig.clock.shift_ms += int(wait_s * 1000)
        await rig.until_state(DELIVERED)
        assert len(receiver.requests) == 2


async def test_410_disables_the_endpoint_and_holds_the_rest(rig: Rig) -> None:
    async with ScriptedReceiver(answers(410)) as receiver:
        endpoint = rig.add(receiver.url, policy={"max_in_flight": 1})
        await rig.start()
        rig.send(3)
        (failed,) = await rig.until_state(FAILED)
        assert (failed.last_cause, failed.last_status) == (Cause.GONE, 410)
        now = rig.store.find_endpoint(endpoint.id)
        assert (now.state, now.state_reason) == (EndpointState.DISABLED, "410 Gone")
        (row,) = rig.store.operations(limit=10)
        assert (row.kind, row.actor, row.target) == (OperationKind.ENDPOINT_DISABLE, "engine", "crm")
        await sees_what_comes(rig)
        held = [d for d in rig.deliveries(PENDING) if d.endpoint_id == endpoint.id]
        assert [d.held for d in held] == [True] * 3
        assert len(receiver.requests) == 1


async def sees_what_comes(rig: Rig) -> None:
    """Returns when the engine has done everything that was asked before: a later event has arrived elsewhere."""
    async with ScriptedReceiver() as witness:
        rig.add(witness.url, "witness", types=("*",))
        rig.send()
        await witness.wait_for(1)


CAUSES: list[tuple[Behaviour, Cause, int | None]] = [
    (answers(404), Cause.HTTP_4XX, 404),
    (answers(500), Cause.HTTP_5XX, 500),
    (answers(304), Cause.HTTP_3XX, 304),
    (hangs, Cause.TIMEOUT_READ, None),
    (resets, Cause.RESET, None),
    (closes, Cause.RESET, None),
    (sends(b"220 mail.example ESMTP\r\n", then_close=True), Cause.PROTOCOL, None),
]


@pytest.mark.parametrize(("behaviour", "cause", "status"), CAUSES, ids=lambda v: getattr(v, "__name__", str(v)))
async def test_what_a_receiver_does_is_told_apart(
    rig: Rig, behaviour: Behaviour, cause: Cause, status: int | None
) -> None:
    async with ScriptedReceiver(behaviour) as receiver:
        rig.add(receiver.url, policy={**ONCE, "timeout_s": 0.4})
        await rig.start()
        rig.send()
        (delivery,) = await rig.until_state(FAILED)
        assert len(receiver.requests) == 1
    assert (delivery.last_cause, delivery.last_status) == (cause, status)
    (attempt,) = rig.attempts()
    assert (attempt.cause, attempt.status) == (cause, status)
    assert attempt.detail


async def test_redirects_are_not_followed(rig: Rig) -> None:
    async with ScriptedReceiver() as target:
        async with ScriptedReceiver(answers(307, headers=(("location", target.url),))) as receiver:
            rig.add(receiver.url, policy=ONCE)
            await rig.start()
            rig.send()
            (delivery,) = await rig.until_state(FAILED)
        assert (delivery.last_cause, delivery.last_status) == (Cause.HTTP_3XX, 307)
        assert ("location", target.url) in rig.exchange().response_headers
        assert target.connections_opened == 0


async def test_hosts_that_cannot_be_reached(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        gone = receiver.url
    rig.add(gone, "refused", policy=ONCE)
    rig.add("http://nowhere.test/", "dns", policy=ONCE)
    rig.add("http://10.1.2.3/", "blocked", policy=ONCE)
    await rig.start()
    rig.send()
    failed = await rig.until_state(FAILED, 3)
    assert {d.endpoint_name: d.last_cause for d in failed} == {
        "refused": Cause.REFUSED,
        "dns": Cause.DNS,
        "blocked": Cause.BLOCKED_ADDRESS,
    }


async def test_loopback_is_blocked_unless_it_is_allowed(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url, "literal", policy=ONCE)
        rig.add(f"http://receiver.test:{receiver.port}/", "name", policy=ONCE)
        await rig.start(allow=())
        rig.send()
        failed = await rig.until_state(FAILED, 2)
        assert [d.last_cause for d in failed] == [Cause.BLOCKED_ADDRESS] * 2
        assert receiver.connections_opened == 0


async def test_secrets_in_headers_are_sent_and_not_kept(rig: Rig) -> None:
    secret = (("Authorization", "Bearer s3cret"), ("X-Api-Key", "s3cret"), ("X-Team", "billing"))
    behaviour = answers(200, headers=(("Set-Cookie", "session=s3cret"),))
    async with ScriptedReceiver(behaviour) as receiver:
        rig.add(receiver.url, policy={"headers": secret})
        await rig.start()
        rig.send()
        (request,) = await receiver.wait_for(1)
        await rig.until_state(DELIVERED)
    assert request.header("authorization") == "Bearer s3cret"
    assert request.header("x-api-key") == "s3cret"
    exchange = rig.exchange()
    kept = dict(exchange.request_headers)
    assert (kept["Authorization"], kept["X-Api-Key"], kept["X-Team"]) == (REDACTED, REDACTED, "billing")
    assert dict(exchange.response_headers)["set-cookie"] == REDACTED
    assert "s3cret" not in repr(exchange)
    assert kept["webhook-signature"] == request.header("webhook-signature")
    assert b"s3cret" not in without_endpoints(rig)


def without_endpoints(rig: Rig) -> bytes:
    """All that is kept of attempts, as one text."""
    from tests.store.recount import read

    return json.dumps(read(rig.store.path, "SELECT request_headers, response_headers FROM exchanges")).encode()


@pytest.mark.parametrize(("size", "truncated"), [(0, False), (RESPONSE_BODY_CAP_BYTES, False), (300_000, True)])
async def test_a_response_body_is_kept_up_to_its_cap(rig: Rig, size: int, truncated: bool) -> None:
    body = bytes(i % 251 for i in range(size))
    async with ScriptedReceiver(answers(200, body)) as receiver:
        rig.add(receiver.url)
        await rig.start()
        rig.send()
        await rig.until_state(DELIVERED)
    exchange = rig.exchange()
    assert exchange.response_body == body[:RESPONSE_BODY_CAP_BYTES]
    assert exchange.response_truncated is truncated
    assert exchange.remote_address == "127.0.0.1"


async def test_no_more_in_flight_than_an_endpoint_bears(rig: Rig) -> None:
    gate, now, peak = asyncio.Event(), 0, 0

    async def count(conversation: Conversation) -> None:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await gate.wait()
        now -= 1
        await conversation.answer()

    async with ScriptedReceiver(count) as receiver:
        rig.add(receiver.url, policy={"max_in_flight": 3})
        await rig.start()
        rig.send(40)
        await receiver.wait_for(3)
        await sees_what_comes(rig)
        assert len(receiver.requests) == 3
        gate.set()
        await rig.until_state(DELIVERED, 41)
    assert peak == 3


async def test_a_hanging_endpoint_does_not_delay_a_healthy_one(rig: Rig) -> None:
    async with ScriptedReceiver(hangs) as stuck, ScriptedReceiver() as healthy:
        rig.add(stuck.url, "stuck", types=("stuck",), policy={"max_in_flight": 4, "timeout_s": 60})
        rig.add(healthy.url, "healthy", types=("healthy",))
        await rig.start()
        rig.send(200, type="stuck")
        await stuck.wait_for(4)
        rig.send(200, type="healthy")
        await rig.until_state(DELIVERED, 200)
        assert len(stuck.requests) == 4


async def test_endpoints_that_hang_with_every_slot_cost_a_healthy_one_one_slot(rig: Rig) -> None:
    async with ScriptedReceiver(hangs) as stuck, ScriptedReceiver() as healthy:
        for i in range(4):
            policy = {"max_in_flight": 4, "timeout_s": 0.3, "schedule_s": (0.0, 0.0, 0.0)}
            rig.add(stuck.url, f"stuck{i}", types=("stuck",), policy=policy)
        rig.add(healthy.url, "healthy", types=("healthy",))
        await rig.start(max_in_flight=16)
        rig.send(100, type="stuck")
        await stuck.wait_for(16)
        rig.send(20, type="healthy")
        await rig.until_state(DELIVERED, 20)
        # The backlog alone would take 400 / 16 turns of 0.3 s.
        assert sum(d.attempts == 0 for d in rig.deliveries(PENDING)) > 200
