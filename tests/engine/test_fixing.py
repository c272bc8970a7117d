"""Copies that go elsewhere, and endpoints that are resumed by themselves: with a real engine and real receivers."""

from standardwebhooks import Webhook

from console.domain.delivery import DeliveryState
from console.domain.endpoint import EndpointState
from console.domain.operation import OperationKind
from console.domain.pacing import Pace
from console.operations.endpoints import pause_endpoint
from console.operations.resending import resend
from tests.engine.rig import Rig
from tests.factories import SECRET
from tests.receivers import ScriptedReceiver, answers

DELIVERED, FAILED, PENDING = DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING


async def test_a_copy_goes_to_another_url_signed_as_its_endpoint_signs_and_so_do_its_retries(rig: Rig) -> None:
    async with ScriptedReceiver() as own, ScriptedReceiver(answers(503)) as other:
        endpoint = rig.add(own.url, policy={"schedule_s": (0.0, 0.05, 3600.0), "retry_after_cap_s": 0.0})
        (event_id,) = rig.send(payload=b'{"amount": 1}')
        await rig.start()
        await rig.until_state(DELIVERED)
        copy = resend(
            rig.store, event_id, endpoint.id, actor="ada", now_ms=rig.clock.now_ms(), url=other.url, payload=b'{"a":2}'
        )
        await other.wait_for(2)
        other.behaviour = answers()
        delivery = await rig.until(lambda: [d for d in rig.deliveries(PENDING) if d.attempts == 2])
        rig.clock.shift_ms += 2 * 3_600_000
        rig.send()  # wakes the engine
        await rig.until_state(DELIVERED, 3)
        assert {r.header("webhook-id") for r in other.requests} == {copy.event_id}
        assert len(other.requests) == 3
        first = other.requests[0]
        assert first.body == b'{"a":2}'
        Webhook(SECRET).verify(first.body, dict(first.headers))
        assert [a.event_id for a in rig.attempts()].count(copy.event_id) == 3
        (sent,) = (a for a in rig.attempts() if a.event_id == copy.event_id and a.succeeded)
        exchange = rig.store.exchange(sent.id)
        assert exchange is not None
        assert exchange.url == other.url
        assert delivery[0].url == other.url
        assert {r.header("webhook-id") for r in own.requests} >= {event_id}
        assert len(own.requests) == 2


async def test_what_another_url_answers_says_nothing_of_the_endpoint(rig: Rig) -> None:
    async with ScriptedReceiver() as own, ScriptedReceiver(answers(410)) as other:
        endpoint = rig.add(own.url)
        (event_id,) = rig.send()
        await rig.start()
        await rig.until_state(DELIVERED)
        resend(rig.store, event_id, endpoint.id, actor="ada", now_ms=rig.clock.now_ms(), url=other.url)
        await rig.until_state(FAILED)
        assert rig.store.find_endpoint(endpoint.id).state is EndpointState.ACTIVE
        other.behaviour = answers(500)
        for _ in range(25):  # more than trip a breaker
            resend(rig.store, event_id, endpoint.id, actor="ada", now_ms=rig.clock.now_ms(), url=other.url)
        await rig.until(lambda: len([a for a in rig.attempts() if a.status == 500]) == 25)
        assert rig.store.find_endpoint(endpoint.id).state is EndpointState.ACTIVE


async def test_a_url_that_may_not_be_called_is_refused_like_any_other(rig: Rig) -> None:
    async with ScriptedReceiver() as own:
        endpoint = rig.add(own.url, policy={"schedule_s": (0.0,)})
        (event_id,) = rig.send()
        await rig.start()
        await rig.until_state(DELIVERED)
        url = "http://169.254.169.254/latest/meta-data"
        resend(rig.store, event_id, endpoint.id, actor="ada", now_ms=rig.clock.now_ms(), url=url)
        (refused,) = await rig.until_state(FAILED)
        assert refused.last_cause == "blocked_address"


async def test_a_paused_endpoint_is_resumed_at_its_time_by_the_next_engine_too(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        endpoint = rig.add(receiver.url)
        now_ms = rig.clock.now_ms()
        pace = Pace(per_s=500.0, ramp_s=0.0, since_ms=0)
        pause_endpoint(
            rig.store,
            endpoint.id,
            actor="ada",
            reason="their deploy",
            now_ms=now_ms,
            resume_at_ms=now_ms + 3_600_000,
            resume_pace=pace,
        )
        rig.send(3)
        await rig.start()
        await rig.stop()
        assert not receiver.requests
        rig.clock.shift_ms += 3_600_001
        await rig.start()
        await rig.until_state(DELIVERED, 3)
        after = rig.store.find_endpoint(endpoint.id)
        assert (after.state, after.resume_at_ms, after.resume_pace) == (EndpointState.ACTIVE, None, None)
        newest = rig.store.operations(limit=1)[0]
        assert (newest.kind, newest.actor) == (OperationKind.ENDPOINT_RESUME, "engine")
        assert newest.reason == "its time has come (their deploy)"
        assert newest.result == "paused → active, at 500/s"
