"""How every adapter makes, keeps and lets go of connections."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from console.domain.outcome import Cause, Failure, Outcome
from console.engine.transport import TransportKind
from tests.certificates import Authority
from tests.engine.transport.conftest import MakeReceiver, MakeTransport
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import Conversation, answers, hangs, resets, sends


async def test_nothing_listens(transport: MakeTransport, unused_port: Callable[[], int]) -> None:
    failure = failed(await transport().send(make_request(f"http://127.0.0.1:{unused_port()}/")))
    assert failure.cause is Cause.REFUSED
    assert "127.0.0.1" in failure.detail


async def test_a_host_that_does_not_accept(transport: MakeTransport) -> None:
    """A full backlog drops SYNs, as a firewall does."""
    with contextlib.ExitStack() as sockets:
        deaf = sockets.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        sender = transport()
        failure = failed(await sender.send(make_request(url, connect_timeout_s=0.3)))
        assert failure.cause is Cause.TIMEOUT_CONNECT
        assert 250 < failure.total_ms < 3000
        failure = failed(await sender.send(make_request(url, connect_timeout_s=5, total_timeout_s=1.5)))
        assert failure.cause is Cause.TIMEOUT_CONNECT, "the total ends the connecting too"


async def test_a_name_that_does_not_resolve(transport: MakeTransport) -> None:
    failure = failed(await transport().send(make_request("http://receiver.invalid/hook")))
    assert failure.cause is Cause.DNS
    assert "receiver.invalid" in failure.detail


async def test_a_literal_address_that_is_denied(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"):
        failure = failed(await transport(allow=()).send(make_request(f"http://{host}:{there.port}/")))
        assert failure.cause is Cause.BLOCKED_ADDRESS
        assert "loopback" in failure.detail
    assert there.connections_opened == 0


async def test_other_spellings_of_a_denied_address(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    sender = transport(allow=(), names={"127.1": ["127.0.0.1"], "0x7f.1": ["127.0.0.1"], "2130706433": ["127.0.0.1"]})
    for host in ("127.1", "0x7f.1", "2130706433", "127。0。0。1", "%31%32%37.0.0.1", "①27.0.0.1"):
        assert isinstance(await sender.send(make_request(f"http://{host}:{there.port}/")), Failure)
    assert there.connections_opened == 0


async def test_a_name_that_resolves_to_a_denied_address(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    sender = transport(
        allow=(), names={"intranet.example": ["127.0.0.1"], "mixed.example": ["93.184.215.14", "10.0.0.7"]}
    )
    failure = failed(await sender.send(make_request(f"http://intranet.example:{there.port}/")))
    assert failure.cause is Cause.BLOCKED_ADDRESS
    assert "intranet.example resolves to 127.0.0.1" in failure.detail
    assert failed(await sender.send(make_request("http://mixed.example/"))).cause is Cause.BLOCKED_ADDRESS
    assert there.connections_opened == 0


async def test_the_checked_address_is_connected_to_under_the_name(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver()
    sender = transport(names={"receiver.example": ["127.0.0.1"]})
    response = answered(await sender.send(make_request(f"http://Receiver.Example:{there.port}/hook")))
    assert there.requests[0].header("host") == f"receiver.example:{there.port}"
    assert response.remote_address == "127.0.0.1"


async def test_the_next_address_is_tried_when_one_refuses(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    sender = transport(names={"two.example": ["127.0.0.2", "127.0.0.1"]})
    for _ in range(2):
        response = answered(await sender.send(make_request(f"http://two.example:{there.port}/")))
        assert response.remote_address == "127.0.0.1"
    assert len(there.requests) == 2


async def test_an_unanswered_request_is_not_repeated_at_the_next_address(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver(resets)
    sender = transport(names={"two.example": ["127.0.0.1", "127.0.0.2"]})
    failure = failed(await sender.send(make_request(f"http://two.example:{there.port}/")))
    assert (failure.cause, failure.remote_address) == (Cause.RESET, "127.0.0.1")
    assert len(there.requests) == 1


async def test_connections_are_kept(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver(answers(200, b"ok"))
    sender = transport()
    for _ in range(5):
        answered(await sender.send(make_request(there.url)))
    assert there.connections_opened == 1


async def test_a_kept_connection_that_the_receiver_closes_under_us_costs_nothing(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    """The close crosses the request on the wire: the receiver ends the connection at its second request."""

    async def one_each(conversation: Conversation) -> None:
        if conversation.request.nth_on_connection > 1:
            conversation.close()
        else:
            await conversation.answer(200)

    there = await receiver(one_each)
    sender = transport()
    # Several are kept, and all of them are dead: the repeated request must not meet another.
    await asyncio.gather(*(sender.send(make_request(there.url)) for _ in range(4)))
    for _ in range(6):
        assert answered(await sender.send(make_request(there.url))).status == 200


async def test_kept_connections_that_a_restart_ended_cost_nothing(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver()
    sender = transport()
    await asyncio.gather(*(sender.send(make_request(there.url)) for _ in range(8)))
    there.drop_connections()
    outcomes = await asyncio.gather(*(sender.send(make_request(there.url)) for _ in range(8)))
    assert [answered(outcome).status for outcome in outcomes] == [200] * 8


async def test_a_receiver_that_dies_over_the_request_is_not_asked_again_and_again(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver()
    sender = transport()
    answered(await sender.send(make_request(there.url)))
    there.behaviour = resets
    assert failed(await sender.send(make_request(there.url))).cause is Cause.RESET
    assert len(there.requests) == 3, "once over the kept connection, once over a new one"
    assert failed(await sender.send(make_request(there.url))).cause is Cause.RESET
    assert len(there.requests) == 4, "no connection was kept, so there is nothing to blame but the receiver"


async def test_a_connection_that_the_receiver_said_it_closes_is_not_counted_on(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver(sends(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", then_close=True))
    sender = transport()
    answered(await sender.send(make_request(there.url)))
    there.behaviour = resets
    assert failed(await sender.send(make_request(there.url))).cause is Cause.RESET
    assert len(there.requests) == 2


async def test_a_request_that_a_receiver_worked_on_is_not_repeated(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    async def dies_late(conversation: Conversation) -> None:
        await asyncio.sleep(1.2)
        conversation.close()

    there = await receiver()
    sender = transport()
    answered(await sender.send(make_request(there.url)))
    there.behaviour = dies_late
    assert failed(await sender.send(make_request(there.url))).cause is Cause.RESET
    assert len(there.requests) == 2


async def _cut_short(sending: "asyncio.Task[Outcome]") -> None:
    """Cancels, and expects the end at once."""
    sending.cancel()
    async with asyncio.timeout(1):
        await asyncio.gather(sending, return_exceptions=True)
    assert sending.cancelled()


def _longest_s(kind: TransportKind) -> float:
    """A total timeout that must not matter to httpx, and is what ends a cancelled request of pyreqwest."""
    return 60 if kind == "httpx" else 0.5


async def test_cancellation_lets_go_of_the_connection(
    kind: TransportKind, transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver(hangs)
    sender = transport()
    sending = asyncio.create_task(sender.send(make_request(there.url, total_timeout_s=_longest_s(kind))))
    await there.wait_for(1)
    await _cut_short(sending)
    await there.wait_until_unconnected(timeout_s=5)
    there.behaviour = answers(200)
    assert answered(await sender.send(make_request(there.url))).status == 200


async def test_cancellation_in_the_body_lets_go_of_the_connection(
    kind: TransportKind, transport: MakeTransport, receiver: MakeReceiver
) -> None:
    started = asyncio.Event()

    async def stops(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\npart")
        started.set()
        await asyncio.Event().wait()

    there = await receiver(stops)
    request = make_request(there.url, total_timeout_s=_longest_s(kind))
    sending = asyncio.create_task(transport().send(request))
    await started.wait()
    await _cut_short(sending)
    await there.wait_until_unconnected(timeout_s=5)


async def test_closing_closes_kept_connections(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    sender = transport()
    answered(await sender.send(make_request(there.url)))
    assert there.connections_open == 1
    await sender.aclose()
    await there.wait_until_unconnected()


async def test_a_certificate_of_an_unknown_issuer(
    transport: MakeTransport, receiver: MakeReceiver, authority: Authority
) -> None:
    there = await receiver(tls=authority.server_context("127.0.0.1"))
    failure = failed(await transport().send(make_request(there.url)))
    assert failure.cause is Cause.TLS
    assert there.requests == []


async def test_a_trusted_certificate_by_name(
    transport: MakeTransport, receiver: MakeReceiver, authority: Authority
) -> None:
    there = await receiver(tls=authority.server_context("receiver.example"))
    sender = transport(names={"receiver.example": ["127.0.0.1"]}, extra_ca_file=authority.ca_file)
    for _ in range(2):
        assert answered(await sender.send(make_request(f"https://receiver.example:{there.port}/"))).status == 200
    assert there.sni_names == ["receiver.example"]
    assert there.requests[0].header("host") == f"receiver.example:{there.port}"


async def test_a_trusted_certificate_by_address(
    transport: MakeTransport, receiver: MakeReceiver, authority: Authority
) -> None:
    there = await receiver(tls=authority.server_context("127.0.0.1"))
    assert answered(await transport(extra_ca_file=authority.ca_file).send(make_request(there.url))).status == 200


async def test_a_certificate_for_another_name(
    transport: MakeTransport, receiver: MakeReceiver, authority: Authority
) -> None:
    there = await receiver(tls=authority.server_context("receiver.example"))
    names = {"receiver.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    sender = transport(names=names, extra_ca_file=authority.ca_file)
    answered(await sender.send(make_request(f"https://receiver.example:{there.port}/")))
    failure = failed(await sender.send(make_request(f"https://other.example:{there.port}/")))
    assert failure.cause is Cause.TLS, "a kept connection to the same address serves no other name"


async def test_an_expired_certificate(transport: MakeTransport, receiver: MakeReceiver, authority: Authority) -> None:
    there = await receiver(tls=authority.server_context("127.0.0.1", expired=True))
    failure = failed(await transport(extra_ca_file=authority.ca_file).send(make_request(there.url)))
    assert failure.cause is Cause.TLS
    assert "expired" in failure.detail.lower()


async def test_https_where_plain_http_is_spoken(transport: MakeTransport, receiver: MakeReceiver) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert failed(await transport().send(make_request(f"https://127.0.0.1:{port}/"))).cause is Cause.TLS


async def test_a_tls_handshake_that_never_ends(transport: MakeTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/"
        failure = failed(await transport().send(make_request(url, connect_timeout_s=0.3)))
        assert failure.cause is Cause.TIMEOUT_CONNECT
