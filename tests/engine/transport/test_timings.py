"""What is told of the parts of an attempt's time, and that what cannot be known is not told."""

import asyncio

import pytest

from console.domain.outcome import Cause
from console.engine.transport import TransportKind, pyreqwest_adapter
from tests.certificates import Authority
from tests.engine.transport.conftest import MakeReceiver, MakeTransport
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import Conversation, answers

_PAUSE_S = 0.06


async def _body_comes_late(conversation: Conversation) -> None:
    await conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
    await asyncio.sleep(_PAUSE_S)
    await conversation.send(b"late")


async def test_the_look_up_of_a_name_is_timed_once(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    sender = transport(names={"receiver.example": ["127.0.0.1"]})
    request = make_request(f"http://receiver.example:{there.port}/")
    first, second = answered(await sender.send(request)), answered(await sender.send(request))
    assert first.parts is not None
    assert first.parts.resolve_ms is not None
    assert first.first_byte_ms is not None
    assert 0 < first.parts.resolve_ms <= first.first_byte_ms
    assert second.parts is None, "the answer of the first look-up still holds, and the connection too"


async def test_an_address_is_not_looked_up(transport: MakeTransport, receiver: MakeReceiver) -> None:
    parts = answered(await transport().send(make_request((await receiver()).url))).parts
    assert parts is None or parts.resolve_ms is None


async def test_a_name_that_does_not_resolve_is_timed_too(transport: MakeTransport) -> None:
    failure = failed(await transport(names={}).send(make_request("http://nowhere.example/")))
    assert failure.cause is Cause.DNS
    assert failure.parts is not None
    assert failure.parts.resolve_ms is not None


async def test_httpx_times_connecting_and_tls(
    kind: TransportKind, transport: MakeTransport, receiver: MakeReceiver, authority: Authority
) -> None:
    there = await receiver(tls=authority.server_context("127.0.0.1"))
    sender = transport(extra_ca_file=authority.ca_file)
    first, second = [answered(await sender.send(make_request(there.url))) for _ in range(2)]
    assert second.parts is None, "the connection was kept alive"
    if kind == "pyreqwest":
        assert first.parts is None, "it cannot tell"
        return
    assert first.parts is not None
    assert first.parts.connect_ms is not None
    assert first.parts.tls_ms is not None
    assert first.first_byte_ms is not None
    assert 0 < first.parts.connect_ms + first.parts.tls_ms <= first.first_byte_ms


async def test_httpx_times_no_tls_where_there_is_none(
    kind: TransportKind, transport: MakeTransport, receiver: MakeReceiver
) -> None:
    parts = answered(await transport().send(make_request((await receiver()).url))).parts
    if kind == "httpx":
        assert parts is not None
        assert (parts.connect_ms is None, parts.tls_ms) == (False, None)


async def test_head_and_body_of_a_slow_receiver_are_told_apart(
    kind: TransportKind, transport: MakeTransport, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyreqwest_adapter, "SLOW_S", _PAUSE_S / 2)
    there = await receiver(_body_comes_late)
    sender = transport()
    first, second = [answered(await sender.send(make_request(there.url))) for _ in range(2)]
    if kind == "pyreqwest":
        assert first.first_byte_ms is None, "it was read with the body"
    assert second.body == b"late"
    assert second.first_byte_ms is not None
    assert second.total_ms - second.first_byte_ms > _PAUSE_S * 900
    there.behaviour = answers(body=b"quick")
    outcomes = [answered(await sender.send(make_request(there.url))) for _ in range(2)]
    assert [o.body for o in outcomes] == [b"quick", b"quick"]
    assert all(o.first_byte_ms is not None for o in outcomes)
    assert there.connections_opened == 1
