"""The breaker, rate limits and paces with a real engine, store and receiver."""

import json
from itertools import pairwise

import pytest

from console.domain.delivery import DeliveryState
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.operation import OperationKind
from console.domain.pacing import Pace
from console.domain.policy import BreakerPolicy, RateLimit
from console.operations.endpoints import pause_endpoint, resume_endpoint
from tests.engine.rig import Rig
from tests.receivers import ScriptedReceiver, answers, hangs
from tests.store.recount import assert_gauges_agree, assert_rates_agree

DELIVERED, FAILED, PENDING = DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.PENDING
LONG = (0.0, 3600.0, 3600.0)
HOUR_MS = 3_600_000


def breaker(**given: float) -> BreakerPolicy:
    return BreakerPolicy(**{"consecutive": 3, "probe_s": 3600.0, "probe_cap_s": 3600.0, **given})  # type: ignore[arg-type]  # whole numbers are given where they are wanted


def now(rig: Rig, endpoint: Endpoint) -> Endpoint:
    return rig.store.find_endpoint(endpoint.id)


async def tripped(rig: Rig, endpoint: Endpoint) -> Endpoint:
    await rig.until(lambda: now(rig, endpoint).state is EndpointState.TRIPPED)
    return now(rig, endpoint)


async def test_failures_in_a_row_trip_an_endpoint_and_say_so(rig: Rig) -> None:
    async with ScriptedReceiver(answers(503)) as ill, ScriptedReceiver() as watching:
        endpoint = rig.add(ill.url, types=("invoice.*",), policy={"schedule_s": LONG, "breaker": breaker(),
                                                                  "max_in_flight": 1})  # fmt: skip
        rig.add(watching.url, "watch", types=("webhook.*",))
        await rig.start()
        rig.send(10)
        after = await tripped(rig, endpoint)
        (request,) = await watching.wait_for(1)
        assert after.state_reason == "3 failures in a row: HTTP 503"
        assert (after.trips, after.probe_at_ms is not None) == (1, True)
        assert len(ill.requests) == 3
        assert sum(d.attempts for d in rig.deliveries(PENDING)) == 3, "what waits costs no schedule"
        await rig.until(lambda: not any(gauge.sending for gauge in rig.store.gauges().values()))
        (row,) = rig.store.operations(limit=10)
        assert (row.kind, row.actor, row.target, row.reason) == (
            OperationKind.ENDPOINT_TRIP, "engine", "crm", after.state_reason,
        )  # fmt: skip
    said = json.loads(request.body)
    assert request.header("webhook-event-type") == said["type"] == "webhook.endpoint.tripped"
    assert said["data"] == {
        "endpoint": endpoint.id, "name": "crm", "url": endpoint.url, "reason": after.state_reason,
        "since": said["timestamp"], "pending": 10,
    }  # fmt: skip
    assert_gauges_agree(rig.store)
    assert_rates_agree(rig.store)


async def test_a_failed_probe_costs_no_try_and_one_that_succeeds_lets_all_go(rig: Rig) -> None:
    async with ScriptedReceiver(answers(503)) as receiver:
        policy = {"schedule_s": (0.0, 0.0), "max_in_flight": 1, "breaker": breaker(consecutive=1, probe_s=0.1)}
        endpoint = rig.add(receiver.url, policy=policy)
        await rig.start()
        rig.send(4)
        await receiver.wait_for(4)
        await rig.until(lambda: now(rig, endpoint).trips >= 4)
        assert not rig.deliveries(FAILED), "three failed probes have not burnt the last try"
        assert [d.schedule_step for d in rig.deliveries(PENDING)].count(1) <= 2
        receiver.behaviour = answers()
        await rig.until_state(DELIVERED, 4)
        after = now(rig, endpoint)
        assert (after.state, after.state_reason, after.trips, after.probe_at_ms) == (
            EndpointState.ACTIVE, None, 0, None,
        )  # fmt: skip
        kinds = [o.kind for o in rig.store.operations(limit=10)]
        assert kinds == [OperationKind.ENDPOINT_RECOVER, OperationKind.ENDPOINT_TRIP]
    assert_gauges_agree(rig.store)


async def test_probes_are_sent_alone_with_growing_waits(rig: Rig) -> None:
    async with ScriptedReceiver(answers(503)) as receiver:
        policy = {"schedule_s": LONG, "max_in_flight": 1,
                  "breaker": breaker(consecutive=1, probe_s=0.1, probe_cap_s=0.4)}  # fmt: skip
        rig.add(receiver.url, policy=policy)
        await rig.start()
        rig.send(50)
        requests = await receiver.wait_for(5)
    waits = [b.received_s - a.received_s for a, b in pairwise(requests)]
    for wait_s, least_s in zip(waits, (0.1, 0.2, 0.4, 0.4), strict=False):
        assert wait_s >= least_s - 0.005


async def test_an_answer_that_one_payload_can_cause_trips_nothing(rig: Rig) -> None:
    async with ScriptedReceiver(answers(422)) as receiver:
        endpoint = rig.add(receiver.url, policy={"schedule_s": (0.0,), "breaker": breaker()})
        await rig.start()
        rig.send(20)
        await rig.until_state(FAILED, 20)
        assert now(rig, endpoint).state is EndpointState.ACTIVE


async def test_an_endpoint_stays_tripped_over_a_restart_and_a_clock_set_back(rig: Rig) -> None:
    async with ScriptedReceiver(answers(503)) as receiver:
        limits = breaker(consecutive=1, probe_s=0.3, probe_cap_s=0.3)
        endpoint = rig.add(receiver.url, policy={"schedule_s": LONG, "breaker": limits})
        await rig.start()
        rig.send()
        before = await tripped(rig, endpoint)
        await rig.stop()
        receiver.behaviour = answers()
        assert now(rig, endpoint).probe_at_ms == before.probe_at_ms
        rig.clock.shift_ms -= 24 * HOUR_MS
        rig.send(3)
        await rig.start()
        await rig.until(lambda: now(rig, endpoint).state is EndpointState.ACTIVE)


async def test_an_operator_closes_the_breaker_and_a_pause_wins_over_it(rig: Rig) -> None:
    async with ScriptedReceiver(answers(503)) as receiver:
        endpoint = rig.add(receiver.url, policy={"schedule_s": LONG, "breaker": breaker(consecutive=1)})
        await rig.start()
        rig.send()
        await tripped(rig, endpoint)
        pause_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        paused = now(rig, endpoint)
        assert (paused.state, paused.trips, paused.probe_at_ms) == (EndpointState.PAUSED, 0, None)
        receiver.behaviour = answers()
        rig.send(5)
        resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await rig.until_state(DELIVERED, 5)


async def test_nothing_but_failure_for_so_long_disables(rig: Rig) -> None:
    async with ScriptedReceiver(answers(500)) as receiver, ScriptedReceiver() as watching:
        endpoint = rig.add(receiver.url, types=("invoice.*",), policy={"disable_after_s": 3600.0, "schedule_s": LONG})
        rig.add(watching.url, "watch", types=("webhook.endpoint.disabled",))
        await rig.start()
        rig.send()
        await receiver.wait_for(1)
        await rig.until(lambda: rig.store.gauges()[endpoint.id].failing_since_ms)
        assert now(rig, endpoint).state is EndpointState.ACTIVE
        rig.clock.shift_ms += 2 * HOUR_MS
        await watching.wait_for(1)
        after = now(rig, endpoint)
        assert after.state is EndpointState.DISABLED
        assert (after.state_reason or "").startswith("nothing but failure for 2h")


@pytest.mark.parametrize("obeyed", [True, False])
@pytest.mark.parametrize("status", [200, 500])
async def test_a_receiver_that_wants_no_more(rig: Rig, obeyed: bool, status: int) -> None:
    async with ScriptedReceiver(answers(status, headers=(("Webhook-Delivery", "disable"),))) as receiver:
        endpoint = rig.add(receiver.url, policy={"obey_receiver": obeyed, "schedule_s": (0.0,)})
        await rig.start()
        rig.send()
        (delivery,) = await rig.until_state(DELIVERED if status == 200 else FAILED)
        assert delivery.attempts == 1
        assert now(rig, endpoint).state is (EndpointState.DISABLED if obeyed else EndpointState.ACTIVE)


async def test_a_receiver_that_does_not_want_one_event(rig: Rig) -> None:
    async with ScriptedReceiver(answers(503, headers=(("webhook-delivery", "abort-message"),))) as receiver:
        endpoint = rig.add(receiver.url, policy={"obey_receiver": True, "schedule_s": LONG})
        await rig.start()
        rig.send()
        await rig.until_state(FAILED)
        assert now(rig, endpoint).state is EndpointState.ACTIVE
        assert "abort-message" in (rig.attempts()[-1].detail or "")


async def test_a_rate_limit_is_kept_on_the_wire(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        rig.add(receiver.url, policy={"rate_limit": RateLimit(count=100)})
        await rig.start()
        rig.send(60)
        requests = await receiver.wait_for(60)
    took_s = requests[-1].received_s - requests[0].received_s
    # The first may have been late on its way, not early.
    assert took_s >= 0.7 * (60 - 10 - 1) / 100, "a burst of a tenth of a second, and then one each 10 ms"


async def test_a_pace_ends_when_the_backlog_is_gone(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver:
        endpoint = rig.add(receiver.url)
        pause_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await rig.start()
        rig.send(30)
        pace = Pace(per_s=100, ramp_s=0, since_ms=rig.clock.now_ms())
        resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms(), pace=pace)
        requests = await receiver.wait_for(30)
        assert requests[-1].received_s - requests[0].received_s >= 0.7 * (30 - 10 - 1) / 100
        await rig.until(lambda: now(rig, endpoint).pace is None)
        await rig.until_state(DELIVERED, 30)


async def test_one_that_is_well_does_not_notice_the_others(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver, ScriptedReceiver(hangs) as stuck, ScriptedReceiver() as limited:
        async with ScriptedReceiver() as gone:
            dead_url = gone.url
        types = ("invoice.*",)
        rig.add(dead_url, "dead", types=types, policy={"breaker": BreakerPolicy(enabled=False), "schedule_s": LONG})
        rig.add(stuck.url, "hanging", types=types, policy={"timeout_s": 60.0, "max_in_flight": 8})
        paused = rig.add(receiver.url, "paused", types=types)
        pause_endpoint(rig.store, paused.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        ill = rig.add(dead_url, "tripped", types=types, policy={"breaker": breaker(), "schedule_s": LONG})
        slow = rig.add(limited.url, "limited", types=types, policy={"rate_limit": RateLimit(count=2)})
        well = rig.add(receiver.url, "well", types=types)
        await rig.start(drain_s=0.1)
        rig.send(300)
        await receiver.wait_for(300)
        await rig.until(lambda: rig.store.gauges()[well.id].delivered == 300)
        await tripped(rig, ill)
        assert len(limited.requests) < 30
        assert rig.store.gauges()[slow.id].pending > 250
        assert rig.store.gauges()[paused.id].pending == 300
        await rig.stop()
