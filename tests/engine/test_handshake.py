"""Asking receivers for their permission, with a real engine, store and receiver."""

import asyncio
import socket
from collections.abc import Awaitable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from console.domain.clock import ManualClock
from console.domain.delivery import DeliveryState, Retry
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import FencedError
from console.domain.handshake import Refused, ask_wait_s
from console.domain.outcome import Cause
from console.domain.policy import BreakerPolicy, DeliveryPolicy, RateLimit
from console.engine import handshake
from console.engine.dispatcher import Dispatcher
from console.operations.endpoints import edit_defaults, edit_endpoint, pause_endpoint, resume_endpoint
from console.store import Store
from tests.engine.rig import Rig
from tests.engine.test_dispatcher import claimed_for
from tests.engine.test_sealed import KEYS, KeepingTransport, add
from tests.factories import make_spec
from tests.receivers import Conversation, ReceivedRequest, ScriptedReceiver, hangs

DELIVERED, PENDING = DeliveryState.DELIVERED, DeliveryState.PENDING
HANDSHAKE = {"handshake": True}
HERE = socket.gethostname()


class Gate:
    """A receiver's behaviour: OPTIONS is answered as a test says at the moment, all else with 200."""

    def __init__(self, status: int = 200, **headers: str) -> None:
        self.status, self.headers = status, headers or {"origin": "*"}
        self.posts = 200

    def __call__(self, conversation: Conversation) -> Awaitable[None]:
        if conversation.request.method != "OPTIONS":
            return conversation.answer(self.posts)
        fields = tuple((f"WebHook-Allowed-{name.title()}", value) for name, value in self.headers.items())
        return conversation.answer(self.status, b"", fields if self.status == 200 else ())


def asked(receiver: ScriptedReceiver) -> list[ReceivedRequest]:
    return [request for request in receiver.requests if request.method == "OPTIONS"]


def posted(receiver: ScriptedReceiver) -> list[ReceivedRequest]:
    return [request for request in receiver.requests if request.method == "POST"]


def now(rig: Rig, endpoint: Endpoint) -> Endpoint:
    return rig.store.find_endpoint(endpoint.id)


async def refused(rig: Rig, endpoint: Endpoint) -> str:
    """What the endpoint's state says, once it says something."""
    return await rig.until(lambda: now(rig, endpoint).state_reason) or ""


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked twice by time alone."""
    monkeypatch.setattr(handshake, "ask_wait_s", lambda refusals: 3600.0)


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the real ones, which are tested as numbers."""
    monkeypatch.setattr(handshake, "ask_wait_s", lambda refusals: ask_wait_s(refusals) / 100)


def edit(rig: Rig, endpoint: Endpoint, *, url: str | None = None, **policy: Any) -> Endpoint:
    spec = make_spec(name=endpoint.name, url=url or endpoint.url, policy={**HANDSHAKE, **policy})
    return edit_endpoint(rig.store, endpoint.id, spec, actor="ada", now_ms=rig.clock.now_ms(), changed="it")


async def test_the_receiver_is_asked_once_before_the_first_delivery(rig: Rig) -> None:
    async with ScriptedReceiver(Gate(origin=HERE.upper())) as receiver:
        endpoint = rig.add(receiver.url, policy=HANDSHAKE)
        rig.send(3)
        await rig.start()
        await rig.until_state(DELIVERED, 3)
        rig.send(2)
        await rig.until_state(DELIVERED, 5)
        assert [r.method for r in receiver.requests] == ["OPTIONS"] + ["POST"] * 5
        after = now(rig, endpoint)
        assert (after.permitted_url, after.permitted_per_minute) == (receiver.url, None)
        assert (after.state, after.state_reason) == (EndpointState.ACTIVE, None)
        await rig.stop()
        await rig.start()
        rig.send()
        await rig.until_state(DELIVERED, 6)
        assert len(asked(receiver)) == 1, "the permission outlasts the engine"


async def test_what_is_asked_and_with_which_credentials(rig: Rig) -> None:
    rig.keys = KEYS
    headers = (("X-Api-Key", "k3y"),)
    policy = {**HANDSHAKE, "headers": headers, "authorization": "Bearer t0ken", "user_agent": "acme/1",
              "rate_limit": RateLimit(count=5)}  # fmt: skip
    async with ScriptedReceiver(Gate()) as receiver:
        add(rig.store, receiver.url, policy=policy)
        rig.send()
        await rig.start()
        await rig.until_state(DELIVERED)
    (delivery,) = posted(receiver)
    assert delivery.header("webhook-request-origin") == HERE, "whoever was permitted says on each delivery who it is"
    assert delivery.header("webhook-request-rate") is None
    (request,) = asked(receiver)
    assert (request.target, request.body) == ("/hook", b"")
    names = ("webhook-request-origin", "webhook-request-rate", "authorization", "x-api-key", "user-agent")
    assert [request.header(name) for name in names] == [HERE, "300", "Bearer t0ken", "k3y", "acme/1"]
    assert request.header("content-type") is None
    assert request.header("webhook-signature") is None


async def test_nobody_is_asked_without_a_handshake(rig: Rig) -> None:
    async with ScriptedReceiver(Gate(status=405)) as receiver:
        rig.add(receiver.url)
        rig.send()
        await rig.start()
        await rig.until_state(DELIVERED)
        (request,) = receiver.requests
        assert (request.method, request.header("webhook-request-origin")) == ("POST", None)


@pytest.mark.usefixtures("short_waits")
async def test_one_that_is_refused_waits_says_so_and_is_asked_again(rig: Rig) -> None:
    gate = Gate(status=405)
    async with ScriptedReceiver(gate) as receiver, ScriptedReceiver() as other:
        endpoint = rig.add(receiver.url, policy=HANDSHAKE)
        rig.add(other.url, "other")
        rig.send(3)
        await rig.start()
        reason = await refused(rig, endpoint)
        assert reason.startswith("waits for permission: 405 to OPTIONS; asks again at ")
        assert now(rig, endpoint).state is EndpointState.ACTIVE
        await rig.until_state(DELIVERED, 3)
        requests = await receiver.wait_for(4)
        waits = [b.received_s - a.received_s for a, b in pairwise(requests)]
        for wait_s, least_s in zip(waits, (0.05, 0.1, 0.2), strict=False):
            assert wait_s >= least_s - 0.005
        assert not posted(receiver)
        assert sum(d.attempts for d in rig.deliveries(PENDING)) == 0
        gate.status = 200
        await rig.until_state(DELIVERED, 6)
        assert len(posted(receiver)) == 3
        await rig.until(lambda: now(rig, endpoint).state_reason is None)
    entry = rig.lines.named("no permission")[0]
    assert entry["endpoint"] == "crm"


@pytest.mark.usefixtures("long_waits")
@pytest.mark.parametrize("silent", [True, False])
async def test_no_answer_is_no_permission(rig: Rig, silent: bool) -> None:
    async with ScriptedReceiver(hangs) as receiver, ScriptedReceiver() as other:
        url = receiver.url if silent else "http://127.0.0.1:1/hook"
        endpoint = rig.add(url, policy={**HANDSHAKE, "timeout_s": 0.3})
        rig.add(other.url, "other")
        rig.send(5)
        await rig.start()
        await rig.until_state(DELIVERED, 5)
        assert "no answer to OPTIONS: " in await refused(rig, endpoint)
        assert not posted(receiver)


@pytest.mark.usefixtures("long_waits")
async def test_an_edit_of_the_url_asks_again_and_nothing_goes_there_before(rig: Rig) -> None:
    async with ScriptedReceiver(Gate()) as old, ScriptedReceiver(Gate(status=403)) as new:
        endpoint = rig.add(old.url, policy=HANDSHAKE)
        rig.send(5)
        await rig.start()
        await rig.until_state(DELIVERED, 5)
        edit(rig, endpoint, url=new.url)
        rig.send(5)
        assert "403 to OPTIONS" in await refused(rig, endpoint)
        assert [r.method for r in new.requests] == ["OPTIONS"]
        edit(rig, endpoint, url=old.url)
        assert now(rig, endpoint).state_reason is None
        await rig.until_state(DELIVERED, 10)
        assert len(asked(old)) == 1, "that permission still stands"


@pytest.mark.usefixtures("long_waits")
@pytest.mark.parametrize("act", ["edit", "resume", "pause and resume", "restart", "defaults"])
async def test_an_operator_or_a_restart_asks_at_once(rig: Rig, act: str) -> None:
    gate = Gate(status=405)
    async with ScriptedReceiver(gate) as receiver:
        endpoint = rig.add(receiver.url, policy=HANDSHAKE)
        rig.send()
        await rig.start()
        await refused(rig, endpoint)
        gate.status = 200
        given: dict[str, Any] = {"actor": "ada", "now_ms": rig.clock.now_ms()}
        match act:
            case "edit":
                edit(rig, endpoint, authorization="Bearer right")
            case "pause and resume":
                pause_endpoint(rig.store, endpoint.id, reason=None, **given)
                resume_endpoint(rig.store, endpoint.id, reason=None, **given)
            case "resume":
                after, changed = resume_endpoint(rig.store, endpoint.id, reason=None, **given)
                assert (changed, after.state_reason) == (True, None)
                assert (rig.store.operations(limit=1)[0].result or "").endswith("permission asked for")
            case "restart":
                await rig.stop()
                await rig.start()
            case "defaults":
                edit_defaults(rig.store, DeliveryPolicy(timeout_s=3.0), changed="timeout", **given)
        await rig.until_state(DELIVERED)
        assert len(asked(receiver)) == 2
        _, changed = resume_endpoint(rig.store, endpoint.id, reason=None, **given)
        assert not changed, "one that is permitted has nothing to be asked"


@pytest.mark.usefixtures("long_waits")
async def test_without_the_handshake_it_is_sent_to_at_once_and_asked_anew_with_it(rig: Rig) -> None:
    gate = Gate(status=405)
    async with ScriptedReceiver(gate) as receiver:
        endpoint = rig.add(receiver.url, policy=HANDSHAKE)
        rig.send()
        await rig.start()
        await refused(rig, endpoint)
        edit(rig, endpoint, handshake=False)
        assert now(rig, endpoint).state_reason is None
        await rig.until_state(DELIVERED)
        gate.status = 200
        edit(rig, endpoint)
        await rig.until(lambda: now(rig, endpoint).permitted_url)
        edit(rig, endpoint, handshake=False)
        assert now(rig, endpoint).permitted_url is None
        edit(rig, endpoint)
        await rig.until(lambda: now(rig, endpoint).permitted_url)
        assert len(asked(receiver)) == 3


@pytest.mark.parametrize("own", [None, RateLimit(count=1000), RateLimit(count=10)])
async def test_the_lowest_rate_counts(rig: Rig, own: RateLimit | None) -> None:
    async with ScriptedReceiver(Gate(origin="*", rate="1200" if own is None or own.count > 20 else "*")) as receiver:
        endpoint = rig.add(receiver.url, policy={**HANDSHAKE, "rate_limit": own})
        rig.send(30)
        await rig.start()
        await rig.until_state(DELIVERED, 10)
        per_s = 20.0 if own is None or own.count > 20 else 10.0
        times = [r.received_s for r in posted(receiver)[:10]]
        # As many as may come at once, and then the rate.
        assert times[-1] - times[0] >= (len(times) - 1 - max(1, int(per_s * 0.1))) / per_s - 0.05
        kept = now(rig, endpoint)
        assert kept.permitted_per_minute == (1200 if per_s == 20.0 else None)
        assert kept.policy.rate_limit == own


@pytest.mark.usefixtures("long_waits")
async def test_no_probe_goes_to_a_url_that_has_not_permitted_it(rig: Rig) -> None:
    gate = Gate()
    gate.posts = 503
    breaker = BreakerPolicy(consecutive=1, probe_s=0.1, probe_cap_s=0.1)
    policy = {"breaker": breaker, "schedule_s": (0.0, 3600.0), "max_in_flight": 1}
    async with ScriptedReceiver(gate) as old, ScriptedReceiver(Gate(status=405)) as new:
        endpoint = rig.add(old.url, policy={**HANDSHAKE, **policy})
        rig.send(2)
        await rig.start()
        await rig.until(lambda: now(rig, endpoint).trips)
        edit(rig, endpoint, url=new.url, **policy)
        await new.wait_for(1)
        await rig.until(lambda: rig.lines.named("no permission"))
        after = now(rig, endpoint)
        assert after.state is EndpointState.TRIPPED
        assert "503" in (after.state_reason or ""), "why it is tripped is not forgotten"
        assert not posted(new)
        # Its probes are long due; a permission lets them go.
        new.behaviour = Gate()
        resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await rig.until(lambda: posted(new))


@pytest.mark.usefixtures("long_waits")
async def test_a_paused_endpoint_is_asked_when_it_is_resumed(rig: Rig) -> None:
    async with ScriptedReceiver(Gate()) as receiver, ScriptedReceiver(Gate()) as other:
        endpoint = rig.add(receiver.url, policy=HANDSHAKE)
        rig.add(other.url, "other", policy=HANDSHAKE)
        pause_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        rig.send()
        await rig.start()
        await rig.until_state(DELIVERED)
        assert not receiver.requests
        resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await rig.until_state(DELIVERED, 2)
        assert [r.method for r in receiver.requests] == ["OPTIONS", "POST"]


async def test_many_are_asked_some_at_a_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "ASKED_AT_ONCE", 3)
    most = open_now = 0

    async def slowly(conversation: Conversation) -> None:
        nonlocal most, open_now
        open_now += conversation.request.method == "OPTIONS"
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= conversation.request.method == "OPTIONS"
        await Gate()(conversation)

    async with ScriptedReceiver(slowly) as receiver:
        for i in range(20):
            rig.add(receiver.url, f"e{i}", policy=HANDSHAKE)
        rig.send()
        await rig.start()
        await rig.until_state(DELIVERED, 20)
        assert len(asked(receiver)) == 20
        assert most <= 3


async def test_an_engine_that_is_stopped_does_not_wait_for_answers(rig: Rig) -> None:
    async with ScriptedReceiver(hangs) as receiver:
        endpoint = rig.add(receiver.url, policy={**HANDSHAKE, "timeout_s": 120.0})
        rig.send()
        await rig.start()
        await receiver.wait_for(1)
        await rig.stop()
        assert now(rig, endpoint).state_reason is None
        assert len(rig.deliveries(PENDING)) == 1


async def test_an_engine_that_was_superseded_keeps_no_answer_and_ends(rig: Rig) -> None:
    go = asyncio.Event()

    async def late(conversation: Conversation) -> None:
        await go.wait()
        await Gate()(conversation)

    async with ScriptedReceiver(late) as receiver:
        endpoint = rig.add(receiver.url, policy=HANDSHAKE)
        await rig.start()
        await receiver.wait_for(1)
        rig.store.take_over(pid=1, host="another", version="0", now_ms=rig.clock.now_ms())
        go.set()
        with pytest.raises(FencedError):
            await rig.ended()
        assert now(rig, endpoint).permitted_url is None


async def test_an_answer_for_an_endpoint_that_changed_meanwhile_counts_for_nothing(rig: Rig) -> None:
    """The first question is answered only after the URL has changed."""
    first, go = asyncio.Event(), asyncio.Event()

    async def late(conversation: Conversation) -> None:
        first.set()
        await go.wait()
        await Gate()(conversation)

    async with ScriptedReceiver(late) as old, ScriptedReceiver(Gate(status=405)) as new:
        endpoint = rig.add(old.url, policy=HANDSHAKE)
        rig.send()
        await rig.start()
        await first.wait()
        edit(rig, endpoint, url=new.url)
        await refused(rig, endpoint)
        go.set()
        await rig.until(lambda: rig.supervisor is not None and not rig.supervisor._handshakes._asking)
        after = now(rig, endpoint)
        assert (after.permitted_url, after.url) == (None, new.url)
        assert not posted(old)
        assert not posted(new)


async def test_it_is_asked_over_the_same_connections_as_it_is_sent_to(store: Store) -> None:
    kept, proxy = KeepingTransport(), "http://ada:pass@127.0.0.1:3128"
    endpoint = add(store, "http://127.0.0.1:9/", policy={**HANDSHAKE, "proxy": proxy, "timeout_s": 3.0})
    dispatcher = Dispatcher(kept, clock=ManualClock(), random=Random(1), keys=KEYS)
    said = await dispatcher.ask(endpoint)
    (request,) = kept.requests
    assert (request.method, request.url, request.body) == ("OPTIONS", endpoint.url, b"")
    assert (request.profile.proxy, request.total_timeout_s) == (proxy, 3.0)
    assert isinstance(said, Refused), "a fault of the transport is no answer, and ends nothing"
    sealed = await Dispatcher(kept, clock=ManualClock(), random=Random(1)).ask(endpoint)
    assert isinstance(sealed, Refused)
    assert len(kept.requests) == 1


async def test_what_was_claimed_before_the_url_changed_is_put_back_for_free(store: Store) -> None:
    kept = KeepingTransport()
    endpoint = add(store, "http://127.0.0.1:9/", policy=HANDSHAKE)
    dispatcher = Dispatcher(kept, clock=ManualClock(), random=Random(1), keys=KEYS)
    completed = await dispatcher.deliver(claimed_for(endpoint), endpoint)
    assert not kept.requests
    verdict = completed.verdict
    assert isinstance(verdict, Retry)
    assert (verdict.uncharged, verdict.cause, verdict.at_ms) == (True, Cause.PROTOCOL, completed.ended_at_ms)
