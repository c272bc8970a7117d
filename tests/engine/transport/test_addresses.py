"""Where every adapter connects to: pinned addresses, DNS that changes its mind, IPv6, and TLS that is none."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from console.domain.addresses import AddressPolicy
from console.domain.clock import SystemClock
from console.domain.outcome import Cause
from console.engine.transport import TransportKind, make_transport
from console.engine.transport.guard import POSITIVE_TTL_S, AddressGuard
from console.engine.transport.seam import Transport
from tests.certificates import Authority, self_signed_context
from tests.engine.transport.conftest import MakeReceiver, MakeTransport
from tests.engine.transport.misbehaving import MisbehavingReceiver, Misdeed, Wire, speaks_plainly
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import ScriptedReceiver, resets


class _ClockAhead(SystemClock):
    """The machine's clock, and as far ahead of it as a test wants."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s


class _Rebinding:
    """A name whose first address may be connected to and whose later ones may not."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, _host: str) -> list[str]:
        self.asked += 1
        return ["127.0.0.1"] if self.asked == 1 else ["127.0.0.2"]


@pytest.fixture
def rebinding() -> _Rebinding:
    return _Rebinding()


@pytest.fixture
def clock() -> _ClockAhead:
    return _ClockAhead()


@pytest.fixture
def sender(kind: TransportKind, stack: AsyncExitStack, rebinding: _Rebinding, clock: _ClockAhead) -> Transport:
    """May connect to 127.0.0.1 only, whatever the name resolves to."""
    guard = AddressGuard(AddressPolicy.parse(["127.0.0.1/32"]), clock=clock, resolver=rebinding)
    made = make_transport(kind, guard, clock=clock)
    stack.push_async_callback(made.aclose)
    return made


@pytest.fixture
async def inside(receiver: MakeReceiver) -> ScriptedReceiver:
    """What the name would lead to if anybody resolved it again."""
    return await receiver(host="127.0.0.2")


async def _at(port: int, stack: AsyncExitStack) -> ScriptedReceiver:
    """A receiver on 127.0.0.1 at the port that the one inside has."""

    class Placed(ScriptedReceiver):
        async def __aenter__(self) -> ScriptedReceiver:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port)
            return self

    return await stack.enter_async_context(Placed())


async def test_a_name_is_resolved_once_and_the_checked_address_is_used(
    sender: Transport, stack: AsyncExitStack, inside: ScriptedReceiver, rebinding: _Rebinding, clock: _ClockAhead
) -> None:
    outside = await _at(inside.port, stack)
    request = make_request(f"http://rebinding.example:{inside.port}/hook")
    for _ in range(3):
        assert answered(await sender.send(request)).remote_address == "127.0.0.1"
    assert rebinding.asked == 1, "between the check and the connection nobody asks again"

    clock.ahead_s += POSITIVE_TTL_S + 1
    failure = failed(await sender.send(request))
    assert failure.cause is Cause.BLOCKED_ADDRESS
    assert "rebinding.example resolves to 127.0.0.2" in failure.detail
    assert len(outside.requests) == 3, "a kept-alive connection is no way round the check"
    assert inside.connections_opened == 0


async def test_a_repeated_request_goes_to_the_checked_address_too(
    sender: Transport, stack: AsyncExitStack, inside: ScriptedReceiver, rebinding: _Rebinding
) -> None:
    outside = await _at(inside.port, stack)
    request = make_request(f"http://rebinding.example:{inside.port}/hook")
    answered(await sender.send(request))
    outside.behaviour = resets
    assert failed(await sender.send(request)).cause is Cause.RESET
    assert len(outside.requests) == 3, "over the kept connection and over a new one"
    assert (rebinding.asked, inside.connections_opened) == (1, 0)


async def test_no_other_address_is_tried_when_the_checked_one_does_not_answer(
    sender: Transport, inside: ScriptedReceiver
) -> None:
    failure = failed(await sender.send(make_request(f"http://rebinding.example:{inside.port}/hook")))
    assert (failure.cause, failure.remote_address) == (Cause.REFUSED, "127.0.0.1")
    assert inside.connections_opened == 0


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")


@needs_ipv6
async def test_ipv6_by_address(transport: MakeTransport, stack: AsyncExitStack) -> None:
    there = await stack.enter_async_context(MisbehavingReceiver(None, host="::1"))
    sender = transport(allow=("::1/128",))
    for _ in range(2):
        response = answered(await sender.send(make_request(there.url)))
        assert (response.status, response.remote_address) == (202, "::1")
    assert there.connections_opened == 1


@needs_ipv6
async def test_ipv6_by_name_and_the_other_family_when_it_refuses(
    transport: MakeTransport, stack: AsyncExitStack, receiver: MakeReceiver
) -> None:
    names = {"six.example": ["::1"], "both.example": ["::1", "127.0.0.1"]}
    sender = transport(allow=("::1/128", "127.0.0.0/8"), names=names)
    there = await stack.enter_async_context(MisbehavingReceiver(None, host="::1"))
    response = answered(await sender.send(make_request(f"http://six.example:{there.port}/")))
    assert (response.status, response.remote_address) == (202, "::1")
    four = await receiver()
    response = answered(await sender.send(make_request(f"http://both.example:{four.port}/")))
    assert response.remote_address == "127.0.0.1"


@needs_ipv6
async def test_ipv6_over_tls(transport: MakeTransport, stack: AsyncExitStack, authority: Authority) -> None:
    tls = authority.server_context("::1")
    there = await stack.enter_async_context(MisbehavingReceiver(None, host="::1", tls=tls))
    sender = transport(allow=("::1/128",), extra_ca_file=authority.ca_file)
    assert answered(await sender.send(make_request(there.url))).status == 202


async def test_a_certificate_that_vouches_for_itself(
    transport: MakeTransport, stack: AsyncExitStack, tmp_path: Path, authority: Authority
) -> None:
    tls = self_signed_context(tmp_path, "127.0.0.1")
    there = await stack.enter_async_context(MisbehavingReceiver(None, tls=tls))
    failure = failed(await transport(extra_ca_file=authority.ca_file).send(make_request(there.url)))
    assert failure.cause is Cause.TLS
    assert f"127.0.0.1:{there.port}" in failure.detail


async def _resets_in_the_handshake(wire: Wire) -> None:
    await wire.read_some()
    wire.reset()


async def _closes_in_the_handshake(wire: Wire) -> None:
    await wire.read_some()
    wire.close()


async def _sends_garbage_in_the_handshake(wire: Wire) -> None:
    await wire.read_some()
    await wire.send(b"\x16\x03\x03\x00\x20" + b"\xff" * 32)
    await wire.wait_until_left()


async def _sends_an_alert(wire: Wire) -> None:
    """handshake_failure, fatal."""
    await wire.read_some()
    await wire.send(b"\x15\x03\x03\x00\x02\x02\x28")
    await wire.wait_until_left()


@pytest.mark.parametrize(
    ("misdeed", "cause"),
    [
        (speaks_plainly, Cause.TLS),
        (_sends_garbage_in_the_handshake, Cause.TLS),
        (_sends_an_alert, Cause.TLS),
        (_closes_in_the_handshake, Cause.TLS),
        (_resets_in_the_handshake, Cause.RESET),
    ],
)
async def test_a_handshake_that_fails(
    transport: MakeTransport, stack: AsyncExitStack, misdeed: Misdeed, cause: Cause
) -> None:
    there = await stack.enter_async_context(MisbehavingReceiver(misdeed))
    sender = transport()
    url = there.url.replace("http:", "https:")
    for _ in range(2):
        assert failed(await sender.send(make_request(url))).cause is cause
    assert there.connections_opened == 2
    await there.wait_until_unconnected()


async def test_a_receiver_that_is_back(
    transport: MakeTransport, stack: AsyncExitStack, unused_port: Callable[[], int]
) -> None:
    """Refused, then there: no failure is remembered."""
    port = unused_port()
    sender, request = transport(), make_request(f"http://127.0.0.1:{port}/")
    assert failed(await sender.send(request)).cause is Cause.REFUSED
    await _at(port, stack)
    assert answered(await sender.send(request)).status == 200
