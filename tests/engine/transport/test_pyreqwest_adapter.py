"""What only the default adapter does."""

import asyncio
import statistics
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from pyreqwest.client import Client

from console.domain.addresses import AddressPolicy
from console.domain.clock import ManualClock, SystemClock
from console.domain.outcome import Cause, Outcome
from console.engine.transport import pyreqwest_adapter
from console.engine.transport.guard import AddressGuard
from console.engine.transport.limits import APART_S
from console.engine.transport.pyreqwest_adapter import PyreqwestTransport
from console.engine.transport.pyreqwest_clients import build_client
from tests.certificates import Authority
from tests.engine.transport.conftest import MakeReceiver
from tests.engine.transport.misbehaving import pouring_receiver
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import Conversation, answers, hangs, sends


def _guard() -> AddressGuard:
    return AddressGuard(AddressPolicy.parse(["127.0.0.0/8"]), clock=SystemClock())


async def test_a_body_longer_than_its_length_is_not_the_next_answer(receiver: MakeReceiver) -> None:
    there = await receiver(sends(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 Smuggled\r\n\r\n"))
    sender = PyreqwestTransport(_guard(), clock=SystemClock())
    assert answered(await sender.send(make_request(there.url))).body == b"ok"
    there.behaviour = answers(201)
    assert answered(await sender.send(make_request(there.url))).status == 201
    await sender.aclose()


async def test_every_certificate_of_the_extra_file_is_trusted(
    receiver: MakeReceiver, authority: Authority, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(Authority.create(tmp_path).ca_file.read_bytes() + authority.ca_file.read_bytes())
    there = await receiver(tls=authority.server_context("127.0.0.1"))
    sender = PyreqwestTransport(_guard(), clock=SystemClock(), extra_ca_file=bundle)
    assert answered(await sender.send(make_request(there.url))).status == 200
    await sender.aclose()


def test_an_extra_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ValueError, match=r"empty\.pem holds no PEM certificate"):
        PyreqwestTransport(_guard(), clock=SystemClock(), extra_ca_file=empty)


async def test_closing_ends_what_is_in_flight_as_unknown(receiver: MakeReceiver) -> None:
    there = await receiver(hangs)
    sender = PyreqwestTransport(_guard(), clock=SystemClock())
    sending = asyncio.create_task(sender.send(make_request(there.url, total_timeout_s=2)))
    await there.wait_for(1)
    await sender.aclose()
    assert failed(await sending).cause is Cause.UNKNOWN_OUTCOME


async def test_more_origins_than_clients_are_kept(receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyreqwest_adapter, "MAX_ORIGINS", 2)
    receivers = [await receiver() for _ in range(3)]
    sender = PyreqwestTransport(_guard(), clock=SystemClock())
    slow = receivers[0]
    release = asyncio.Event()

    async def waits(conversation: Conversation) -> None:
        await release.wait()
        await conversation.answer(200)

    slow.behaviour = waits
    sending = asyncio.create_task(sender.send(make_request(slow.url)))
    await slow.wait_for(1)
    for there in receivers[1:]:
        answered(await sender.send(make_request(there.url)))
    release.set()
    assert answered(await sending).status == 200, "a client dropped in use finishes its request"
    await slow.wait_until_unconnected()
    await sender.aclose()


async def test_a_receiver_that_pours_is_kept_apart(receiver: MakeReceiver) -> None:
    there = await receiver()
    sender = PyreqwestTransport(_guard(), clock=SystemClock())
    with pouring_receiver() as url:

        def pour(total_s: float) -> Awaitable[Outcome]:
            return sender.send(make_request(url, connect_timeout_s=0.3, total_timeout_s=total_s))

        assert failed(await pour(0.5)).cause is Cause.TIMEOUT_READ
        pouring = asyncio.gather(pour(4), pour(4))
        took_ms = [answered(await sender.send(make_request(there.url))).total_ms for _ in range(15)]
        assert not pouring.done(), "they poured all the while"
        assert statistics.median(took_ms) < 150, "on one thread with those that pour it is some 500"
        for outcome in await pouring:
            assert failed(outcome).cause is Cause.TIMEOUT_READ
    await sender.aclose()


async def test_an_origin_is_kept_apart_for_its_time(receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[bool] = []

    def build(*arguments: Any, apart: bool = False, **options: Any) -> Client:
        built.append(apart)
        return build_client(*arguments, apart=apart, **options)

    monkeypatch.setattr(pyreqwest_adapter, "build_client", build)
    clock = ManualClock()
    there = await receiver(hangs)
    sender = PyreqwestTransport(_guard(), clock=clock)
    assert failed(await sender.send(make_request(there.url, total_timeout_s=0.2))).cause is Cause.TIMEOUT_READ
    assert built == [False, True]
    there.behaviour = answers(200)
    clock.advance(APART_S - 1)
    answered(await sender.send(make_request(there.url, total_timeout_s=0.2)))
    assert built == [False, True]
    clock.advance(2)
    answered(await sender.send(make_request(there.url, total_timeout_s=0.2)))
    assert built == [False, True, False]
    await sender.aclose()
