"""HTTP/2, which the default adapter speaks where an https receiver chooses it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from console.domain.addresses import AddressPolicy
from console.domain.clock import SystemClock
from console.domain.outcome import RESPONSE_BODY_CAP_BYTES, RESPONSE_HEADERS_CAP_BYTES, Cause, ConnectionProfile
from console.engine.transport import pyreqwest_clients
from console.engine.transport.guard import AddressGuard
from console.engine.transport.httpx_adapter import HttpxTransport
from console.engine.transport.pyreqwest_adapter import PyreqwestTransport
from tests.certificates import Authority
from tests.engine.transport.conftest import MakeReceiver
from tests.engine.transport.http2_receiver import (
    DATA,
    END_STREAM,
    INTERNAL_ERROR,
    REFUSED_STREAM,
    Behaviour,
    Http2Receiver,
    Http2Stream,
    accepts,
)
from tests.engine.transport.proxy import ForwardProxy
from tests.engine.transport.requests import answered, failed, make_request


def _guard() -> AddressGuard:
    return AddressGuard(AddressPolicy.parse(["127.0.0.0/8"]), clock=SystemClock())


@pytest.fixture
def make_sender(stack: AsyncExitStack, authority: Authority) -> Callable[[], PyreqwestTransport]:
    def make() -> PyreqwestTransport:
        sender = PyreqwestTransport(_guard(), clock=SystemClock(), extra_ca_file=authority.ca_file)
        stack.push_async_callback(sender.aclose)
        return sender

    return make


@pytest.fixture
async def there(stack: AsyncExitStack, authority: Authority) -> Http2Receiver:
    return await stack.enter_async_context(Http2Receiver(authority.server_context("127.0.0.1")))


@pytest.fixture
def sender(make_sender: Callable[[], PyreqwestTransport]) -> PyreqwestTransport:
    return make_sender()


async def test_a_request_over_http2_is_the_same_request(sender: PyreqwestTransport, there: Http2Receiver) -> None:
    headers = (
        ("content-type", "application/json"),
        ("user-agent", "webhook-console/9"),
        ("webhook-id", "evt_01JD0000000000000000000000"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqk=="),
        ("x-twice", "a"),
        ("x-twice", "b"),
    )
    body = bytes(range(256)) * 40
    response = answered(await sender.send(make_request(there.url + "?q=1", headers=headers, body=body)))
    assert (response.status, response.body) == (202, b"accepted")
    assert response.headers == (("x-protocol", "h2"),)
    (request,) = there.requests
    assert request.body == body
    assert [request.header(name) for name in (":method", ":scheme", ":path")] == ["POST", "https", "/hook?q=1"]
    assert request.header(":authority") == f"127.0.0.1:{there.port}"
    assert [field for field in request.headers if field in headers] == list(headers)


async def test_requests_share_one_connection(sender: PyreqwestTransport, there: Http2Receiver) -> None:
    answered(await sender.send(make_request(there.url)))

    async def echoes(stream: Http2Stream) -> None:
        await stream.answer(200, stream.request.body)

    there.behaviour = echoes
    bodies = [b"%d" % number for number in range(50)]
    outcomes = await asyncio.gather(*(sender.send(make_request(there.url, body=body)) for body in bodies))
    assert [answered(outcome).body for outcome in outcomes] == bodies
    assert there.connections_opened == 1


async def test_through_a_proxy_and_with_a_client_certificate(
    make_sender: Callable[[], PyreqwestTransport], stack: AsyncExitStack, authority: Authority, tmp_path: Path
) -> None:
    """All that a profile can say, at once."""
    tls = authority.server_context("127.0.0.1", asks_for_a_certificate=True)
    there = await stack.enter_async_context(Http2Receiver(tls))
    proxy = await stack.enter_async_context(ForwardProxy(credentials="operator:secret"))
    pem = tmp_path / "client.pem"
    pem.write_bytes(authority.client_pem("operator"))
    profile = ConnectionProfile(
        proxy=proxy.url.replace("//", "//operator:secret@"), client_certificate=str(pem), http2=True
    )
    sender = make_sender()
    requests = [make_request(there.url, body=b"%d" % number, profile=profile) for number in range(10)]
    for outcome in [await sender.send(requests[0]), *await asyncio.gather(*map(sender.send, requests[1:]))]:
        assert answered(outcome).headers == (("x-protocol", "h2"),)
    assert sorted(request.body for request in there.requests) == sorted(request.body for request in requests)
    assert (there.connections_opened, len(proxy.asked)) == (1, 1)


async def test_a_profile_can_turn_it_off(
    sender: PyreqwestTransport, receiver: MakeReceiver, authority: Authority
) -> None:
    tls = authority.server_context("127.0.0.1")
    tls.set_alpn_protocols(["h2", "http/1.1"])
    plain = await receiver(tls=tls)
    request = make_request(plain.url, profile=ConnectionProfile(http2=False))
    assert answered(await sender.send(request)).status == 200
    assert plain.requests[0].method == "POST"


async def test_the_httpx_adapter_stays_with_http1(
    stack: AsyncExitStack, receiver: MakeReceiver, authority: Authority
) -> None:
    tls = authority.server_context("127.0.0.1")
    tls.set_alpn_protocols(["h2", "http/1.1"])
    there = await receiver(tls=tls)
    sender = HttpxTransport(_guard(), clock=SystemClock(), extra_ca_file=authority.ca_file)
    stack.push_async_callback(sender.aclose)
    assert answered(await sender.send(make_request(there.url))).status == 200


async def _resets(stream: Http2Stream) -> None:
    await stream.reset(INTERNAL_ERROR)


async def _refuses(stream: Http2Stream) -> None:
    await stream.reset(REFUSED_STREAM)


async def _closes(stream: Http2Stream) -> None:
    stream.close()


async def _fails_and_goes(stream: Http2Stream) -> None:
    await stream.go_away(stream.request.stream, INTERNAL_ERROR)


async def _resets_in_the_body(stream: Http2Stream) -> None:
    await stream.send_head(b"\x88")
    await stream.frame(DATA, 0, b"part")
    await stream.reset(INTERNAL_ERROR)


async def _closes_in_the_body(stream: Http2Stream) -> None:
    await stream.send_head(b"\x88")
    await stream.frame(DATA, 0, b"part")
    stream.close()


async def _speaks_http1(stream: Http2Stream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, but not this way")


async def _sends_a_body_without_a_head(stream: Http2Stream) -> None:
    await stream.frame(DATA, END_STREAM, b"ok")


async def _sends_a_header_block_of_nonsense(stream: Http2Stream) -> None:
    await stream.send_head(b"\xff\xff\xff\xff\xff\xff")


async def _sends_a_megabyte_of_headers(stream: Http2Stream) -> None:
    await stream.answer(200, b"ok", tuple((f"x-{number}", "a" * 4000) for number in range(250)))


async def _says_nothing(stream: Http2Stream) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("misdeed", "cause"),
    [
        (_resets, Cause.RESET),
        (_refuses, Cause.RESET),
        (_closes, Cause.RESET),
        (_fails_and_goes, Cause.RESET),
        (_resets_in_the_body, Cause.RESET),
        (_closes_in_the_body, Cause.RESET),
        (_speaks_http1, Cause.PROTOCOL),
        (_sends_a_body_without_a_head, Cause.PROTOCOL),
        (_sends_a_header_block_of_nonsense, Cause.PROTOCOL),
        (_sends_a_megabyte_of_headers, Cause.BODY_TOO_LARGE),
        (_says_nothing, Cause.TIMEOUT_READ),
    ],
)
async def test_a_misdeed_is_a_value(
    sender: PyreqwestTransport, there: Http2Receiver, misdeed: Behaviour, cause: Cause
) -> None:
    there.behaviour = misdeed
    total_s = 0.4 if cause is Cause.TIMEOUT_READ else 10
    failure = failed(await sender.send(make_request(there.url, total_timeout_s=total_s)))
    assert failure.cause is cause
    there.behaviour = accepts
    assert answered(await sender.send(make_request(there.url))).status == 202
    await sender.aclose()
    await there.wait_until_unconnected()


async def test_headers_are_kept_up_to_their_bound(sender: PyreqwestTransport, there: Http2Receiver) -> None:
    async def boasts(stream: Http2Stream) -> None:
        await stream.answer(200, b"ok", tuple((f"x-{number}", "a" * 90) for number in range(1000)))

    there.behaviour = boasts
    response = answered(await sender.send(make_request(there.url)))
    size = sum(len(name) + len(value) for name, value in response.headers)
    assert RESPONSE_HEADERS_CAP_BYTES - 100 < size <= RESPONSE_HEADERS_CAP_BYTES


async def test_a_huge_body_is_not_read(sender: PyreqwestTransport, there: Http2Receiver) -> None:
    sent = 0

    async def pours(stream: Http2Stream) -> None:
        nonlocal sent
        await stream.send_head(b"\x88")
        # What the sender's window allows at once, and then what it does not.
        while sent < 8 << 20:
            await stream.frame(DATA, 0, b"x" * 8192)
            sent += 8192

    there.behaviour = pours
    response = answered(await sender.send(make_request(there.url)))
    assert (response.body, response.body_truncated) == (b"x" * RESPONSE_BODY_CAP_BYTES, True)


async def test_a_connection_that_goes_away_before_it_took_the_request_costs_nothing(
    sender: PyreqwestTransport, there: Http2Receiver
) -> None:
    """As when a receiver restarts in an orderly way: the request is safe to repeat, and is."""
    answered(await sender.send(make_request(there.url)))

    async def goes_once(stream: Http2Stream) -> None:
        there.behaviour = accepts
        await stream.go_away(stream.request.stream - 2)

    there.behaviour = goes_once
    assert answered(await sender.send(make_request(there.url))).status == 202
    assert there.connections_opened == 2


async def test_a_kept_connection_that_the_receiver_closes_under_us_costs_nothing(
    sender: PyreqwestTransport, there: Http2Receiver
) -> None:
    answered(await sender.send(make_request(there.url)))

    async def closes_once(stream: Http2Stream) -> None:
        there.behaviour = accepts
        stream.close()

    there.behaviour = closes_once
    assert answered(await sender.send(make_request(there.url))).status == 202
    assert len(there.requests) == 3


async def test_a_connection_that_only_swallows_is_given_up(
    make_sender: Callable[[], PyreqwestTransport], there: Http2Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyreqwest_clients, "HTTP2_PING_S", 0.1)
    monkeypatch.setattr(pyreqwest_clients, "HTTP2_PONG_WITHIN_S", 0.1)
    sender = make_sender()
    answered(await sender.send(make_request(there.url)))
    there.deaf = True
    failure = failed(await sender.send(make_request(there.url, total_timeout_s=20)))
    assert failure.cause is Cause.TIMEOUT_READ
    assert failure.total_ms < 10_000, "ended by the unanswered ping, not by the total"
    there.deaf = False
    assert answered(await sender.send(make_request(there.url))).status == 202
    assert there.connections_opened == 2
