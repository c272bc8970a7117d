"""Secrets in a running engine: opened, signing until they end, and never sent while they are sealed."""

import asyncio
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from console.config import KEY_FILE_VARIABLE, KEY_VARIABLE
from console.domain.clock import ManualClock
from console.domain.delivery import DeliveryState, Retry
from console.domain.endpoint import Endpoint, EndpointState
from console.domain.errors import ConfigError
from console.domain.operation import OperationKind
from console.domain.outcome import DEFAULT_PROFILE, Cause, ConnectionProfile, Outcome, Request
from console.domain.sealing import Keyring, encode_key
from console.domain.signing import Secret, make_secret
from console.engine.dispatcher import Dispatcher
from console.engine.sealed import refuse_sealed
from console.operations.endpoints import add_endpoint, edit_endpoint, pause_endpoint, resume_endpoint
from console.operations.secrets import rotate_secret
from console.store import Store
from tests.engine.rig import Rig
from tests.engine.test_dispatcher import claimed_for
from tests.engine.test_run import assert_one_line
from tests.factories import NOW_MS, SECRET, make_spec
from tests.receivers import ReceivedRequest, ScriptedReceiver
from tests.served import command, serving

KEYS, OTHERS = Keyring([bytes(32)]), Keyring([b"2" * 32])
NEW = make_secret(b"the secret that came after, 32 b")
DELIVERED, PENDING = DeliveryState.DELIVERED, DeliveryState.PENDING


def add(store: Store, url: str, *, keys: Keyring = KEYS, now_ms: int = NOW_MS, **given: Any) -> Endpoint:
    spec = make_spec(url=url, **given)
    return add_endpoint(store, spec, actor="ada", now_ms=now_ms, random=Random(spec.name), keys=keys)


def verified(request: ReceivedRequest, secret: str) -> bool:
    try:
        Webhook(secret).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return False
    return True


async def test_what_is_sealed_is_opened_and_sent_as_it_was(rig: Rig) -> None:
    rig.keys = KEYS
    async with ScriptedReceiver() as receiver:
        headers = (("X-Api-Key", "k3y"), ("Authorization", "Bearer by-header"), ("X-Team", "ops"))
        policy = {"headers": headers, "authorization": "Bearer t0ken", "user_agent": "acme/1"}
        add(rig.store, receiver.url, policy=policy)
        await rig.start()
        rig.send()
        (request,) = await receiver.wait_for(1)
        await rig.until_state(DELIVERED)
    assert verified(request, SECRET)
    assert request.header("x-api-key") == "k3y"
    assert [v for n, v in request.headers if n in ("authorization", "user-agent")] == ["acme/1", "Bearer t0ken"]
    assert {("X-Api-Key", "[redacted]"), ("authorization", "[redacted]")} <= set(rig.exchange().request_headers)


class KeepingTransport:
    """Keeps what it is asked to send."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Outcome:
        self.requests.append(request)
        raise OSError("kept")

    async def aclose(self) -> None: ...


async def test_how_to_connect_is_what_the_policy_says(store: Store) -> None:
    kept = KeepingTransport()
    dispatcher = Dispatcher(kept, clock=ManualClock(), random=Random(1), keys=KEYS)
    proxy = "http://ada:pass@127.0.0.1:3128"
    plain = add(store, "http://127.0.0.1:9/", name="plain")
    full = add(store, "http://127.0.0.1:9/", policy={"proxy": proxy, "http2": False, "client_certificate": "/c.pem"})
    for endpoint in (plain, full):
        await dispatcher.deliver(claimed_for(endpoint), endpoint)
    assert kept.requests[0].profile is DEFAULT_PROFILE
    assert kept.requests[1].profile == ConnectionProfile(proxy=proxy, http2=False, client_certificate="/c.pem")


async def test_an_old_secret_signs_until_its_end_and_not_after(rig: Rig) -> None:
    rig.keys = KEYS
    async with ScriptedReceiver() as receiver:
        endpoint = add(rig.store, receiver.url)
        await rig.start()
        rotate_secret(
            rig.store, endpoint.id, Secret(text=NEW), overlap_ms=3_600_000, actor="ada", now_ms=rig.clock.now_ms(),
            keys=KEYS,
        )  # fmt: skip
        await rig.until(lambda: rig.supervisor is not None and _knows(rig, endpoint, 2))
        rig.send()
        (during,) = await receiver.wait_for(1)
        rig.clock.shift_ms += 3_600_000
        rig.send()
        after = (await receiver.wait_for(2))[1]
        await rig.until_state(DELIVERED, 2)
    signatures = (during.header("webhook-signature") or "").split()
    assert len(signatures) == 2
    assert verified(during, SECRET)
    assert verified(during, NEW)
    assert len((after.header("webhook-signature") or "").split()) == 1


def _knows(rig: Rig, endpoint: Endpoint, secrets: int) -> bool:
    """Whether the engine has seen the endpoint with so many secrets."""
    assert rig.supervisor is not None
    known = rig.supervisor._schedule.endpoint(endpoint.seq)
    return known is not None and len(known.secrets) == secrets


async def test_an_endpoint_sealed_with_a_key_that_is_not_here_is_held_and_says_why(rig: Rig) -> None:
    async with ScriptedReceiver() as receiver, ScriptedReceiver() as other:
        endpoint = rig.add(receiver.url, types=("invoice.paid",))
        rig.add(other.url, "other", types=("*",))
        await rig.start()
        spec = make_spec(url=receiver.url, types=("invoice.paid",), policy={"headers": (("X-Api-Key", "k3y"),)})
        edit_endpoint(
            rig.store, endpoint.id, spec, actor="ada", now_ms=rig.clock.now_ms(), changed="header", keys=OTHERS
        )
        held = await rig.until(lambda: _in_state(rig, endpoint, EndpointState.PAUSED))
        assert held is not None
        assert held.state_reason is not None
        assert f"sealed with key {OTHERS.key_ids[0]}, which is not at hand" in held.state_reason
        rig.send(3)
        await rig.until_state(DELIVERED, 3)
        assert receiver.requests == []
        assert [d.held for d in rig.deliveries(PENDING)] == [True] * 3
        (row,) = [o for o in rig.store.operations(limit=10) if o.kind is OperationKind.ENDPOINT_PAUSE]
        assert (row.actor, row.target) == ("engine", "crm")
        assert rig.lines.named("sealed endpoint")
        resume_endpoint(rig.store, endpoint.id, actor="ada", reason=None, now_ms=rig.clock.now_ms())
        await rig.until(lambda: _in_state(rig, endpoint, EndpointState.PAUSED))
        assert receiver.requests == []
        await rig.stop()
        rig.keys = OTHERS
        await rig.start()
        requests = await receiver.wait_for(3)
        assert await rig.until(lambda: _in_state(rig, endpoint, EndpointState.ACTIVE))
    assert all(verified(request, SECRET) for request in requests)
    newest = rig.store.operations(limit=1)[0]
    assert (newest.kind, newest.actor) == (OperationKind.ENDPOINT_RESUME, "engine")


async def test_one_that_an_operator_paused_stays_so(rig: Rig) -> None:
    rig.keys = KEYS
    add(rig.store, "http://127.0.0.1:9/", name="other")
    endpoint = add(rig.store, "http://127.0.0.1:9/")
    pause_endpoint(rig.store, endpoint.id, actor="ada", reason="their deploy", now_ms=rig.clock.now_ms())
    await rig.start()
    rig.send()
    await rig.until(lambda: rig.attempts())
    assert _in_state(rig, endpoint, EndpointState.PAUSED)


def _in_state(rig: Rig, endpoint: Endpoint, state: EndpointState) -> Endpoint | None:
    found = rig.store.find_endpoint(endpoint.id)
    return found if found.state is state else None


class RefusingTransport:
    """Is never to be asked to send what is sealed."""

    async def send(self, request: Request) -> Outcome:
        raise AssertionError("sent")

    async def aclose(self) -> None: ...


async def test_one_that_was_claimed_just_before_is_not_sent(store: Store) -> None:
    endpoint = add(store, "http://127.0.0.1:9/")
    dispatcher = Dispatcher(RefusingTransport(), clock=ManualClock(), random=Random(1), keys=OTHERS)
    completed = await dispatcher.deliver(claimed_for(endpoint), endpoint)
    assert isinstance(completed.verdict, Retry)
    assert completed.verdict.cause is Cause.PROTOCOL
    assert completed.verdict.detail.startswith("not sent: signing secret: is sealed with key ")
    assert completed.exchange is None


def test_an_engine_without_the_key_does_not_start(store: Store) -> None:
    for name in ("a", "b", "c", "d"):
        add(store, "http://127.0.0.1:9/", name=name)
    refuse_sealed(store, KEYS)
    with pytest.raises(ConfigError) as refused:
        refuse_sealed(store, OTHERS)
    said = str(refused.value)
    assert all(word in said for word in ("a, b, c and 1 more", KEYS.key_ids[0], KEY_VARIABLE, KEY_FILE_VARIABLE))


def test_serve_says_so_in_one_line_and_serves_with_the_key(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "http://127.0.0.1:9/")
    refused = subprocess.run(command(store.path), capture_output=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert KEY_VARIABLE in assert_one_line(refused.stderr)
    assert store.engine_status() is None, "nothing was taken over"
    key_file = tmp_path / "key"
    key_file.touch(0o600)
    key_file.write_text(encode_key(bytes(32)))
    with serving(store.path, f"--key-file={key_file}") as served:
        served.process.terminate()
        assert served.end() == 0
    monkeypatch.setenv(KEY_VARIABLE, encode_key(bytes(32)))
    with serving(store.path) as served:
        served.process.terminate()
        assert served.end() == 0
        assert encode_key(bytes(32)).encode() not in b"".join(served.lines)


async def test_signing_costs_no_opening_for_each_delivery(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at the sealed texts for each version of an endpoint."""
    opened: list[str] = []
    real = Keyring.open

    def counted(self: Keyring, text: str, owner: str, field: str) -> str:
        opened.append(field)
        return real(self, text, owner, field)

    monkeypatch.setattr(Keyring, "open", counted)
    endpoint = add(store, "http://127.0.0.1:9/")
    dispatcher = Dispatcher(RefusingTransport(), clock=ManualClock(), random=Random(1), keys=KEYS)
    for _ in range(5):
        await dispatcher.deliver(claimed_for(endpoint), endpoint)
        await asyncio.sleep(0)
    assert opened == ["signing secret"]
