"""How every adapter goes through a proxy, and what the guard still refuses there."""

from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from console.domain.outcome import Cause, ConnectionProfile
from console.engine.transport.profiles import parse_proxy
from tests.certificates import Authority
from tests.engine.transport.conftest import MakeReceiver, MakeTransport
from tests.engine.transport.misbehaving import MisbehavingReceiver, speaks_plainly
from tests.engine.transport.proxy import ForwardProxy
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import resets

NAMES = {"receiver.example": "127.0.0.1"}
"""What the proxy resolves, and this side does not."""


@pytest.fixture
async def proxy(stack: AsyncExitStack) -> ForwardProxy:
    return await stack.enter_async_context(ForwardProxy(NAMES))


def _through(proxy: ForwardProxy, credentials: str = "") -> ConnectionProfile:
    return ConnectionProfile(proxy=proxy.url.replace("//", f"//{credentials}"))


async def test_http_is_forwarded(transport: MakeTransport, receiver: MakeReceiver, proxy: ForwardProxy) -> None:
    there = await receiver()
    sender = transport()
    url = f"http://receiver.example:{there.port}/hook?q=1"
    for _ in range(3):
        response = answered(await sender.send(make_request(url, profile=_through(proxy))))
        assert (response.status, response.remote_address) == (200, "127.0.0.1")
    assert proxy.asked == [f"POST {url}"] * 3
    assert proxy.connections_opened == 1
    assert {request.target for request in there.requests} == {"/hook?q=1"}
    assert {request.header("host") for request in there.requests} == {f"receiver.example:{there.port}"}


async def test_https_is_tunnelled(
    transport: MakeTransport, receiver: MakeReceiver, proxy: ForwardProxy, authority: Authority
) -> None:
    there = await receiver(tls=authority.server_context("receiver.example"))
    sender = transport(extra_ca_file=authority.ca_file)
    url = f"https://receiver.example:{there.port}/hook"
    for _ in range(3):
        assert answered(await sender.send(make_request(url, profile=_through(proxy)))).status == 200
    assert proxy.asked == [f"CONNECT receiver.example:{there.port}"], "one tunnel, and nothing else in clear"
    assert there.sni_names == ["receiver.example"]
    assert there.requests[0].header("host") == f"receiver.example:{there.port}"


async def test_the_receivers_certificate_is_checked_through_the_tunnel(
    transport: MakeTransport, receiver: MakeReceiver, proxy: ForwardProxy, authority: Authority
) -> None:
    there = await receiver(tls=authority.server_context("other.example"))
    sender = transport(extra_ca_file=authority.ca_file)
    request = make_request(f"https://receiver.example:{there.port}/hook", profile=_through(proxy))
    assert failed(await sender.send(request)).cause is Cause.TLS
    assert there.requests == []


async def test_the_proxy_is_told_who_asks_and_the_receiver_is_not(
    transport: MakeTransport, receiver: MakeReceiver, stack: AsyncExitStack, authority: Authority
) -> None:
    proxy = await stack.enter_async_context(ForwardProxy(NAMES, credentials="operator:p@ss:word"))
    plain, secure = await receiver(), await receiver(tls=authority.server_context("receiver.example"))
    sender = transport(extra_ca_file=authority.ca_file)
    profile = _through(proxy, "operator:p%40ss%3Aword@")
    for there, scheme in ((plain, "http"), (secure, "https")):
        request = make_request(f"{scheme}://receiver.example:{there.port}/hook", profile=profile)
        assert answered(await sender.send(request)).status == 200
        assert there.requests[0].header("proxy-authorization") is None


async def test_a_proxy_that_wants_other_credentials(
    transport: MakeTransport, receiver: MakeReceiver, stack: AsyncExitStack
) -> None:
    proxy = await stack.enter_async_context(ForwardProxy(NAMES, credentials="operator:right"))
    there = await receiver()
    sender, profile = transport(), _through(proxy, "operator:wrong-secret@")
    plain = make_request(f"http://receiver.example:{there.port}/", profile=profile)
    assert answered(await sender.send(plain)).status == 407
    failure = failed(await sender.send(make_request("https://receiver.example/", profile=profile)))
    assert failure.cause is Cause.REFUSED
    assert f"through the proxy 127.0.0.1:{proxy.port}" in failure.detail
    assert "wrong-secret" not in failure.detail + repr(profile)
    assert there.requests == []


async def test_the_proxys_address_is_checked_and_pinned(
    transport: MakeTransport, receiver: MakeReceiver, proxy: ForwardProxy
) -> None:
    there = await receiver()
    url = f"http://receiver.example:{there.port}/hook"
    profile = ConnectionProfile(proxy=f"http://proxy.example:{proxy.port}")
    names = {"proxy.example": ["127.0.0.1"]}
    assert answered(await transport(names=names).send(make_request(url, profile=profile))).status == 200
    asked = len(proxy.asked)
    failure = failed(await transport(allow=(), names=names).send(make_request(url, profile=profile)))
    assert failure.cause is Cause.BLOCKED_ADDRESS
    assert failure.detail.startswith("the proxy: proxy.example resolves to 127.0.0.1")
    failure = failed(await transport(names={}).send(make_request(url, profile=profile)))
    assert (failure.cause, failure.detail[:10]) == (Cause.DNS, "the proxy:")
    assert len(proxy.asked) == asked


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "10.1", "0x0a.0.0.1", "167772161", "%31%30.0.0.1",
     "10。0。0。1", "10.0.0.1.", "①0.0.0.1"],
)  # fmt: skip
async def test_a_denied_address_is_refused_behind_a_proxy_too(
    transport: MakeTransport, proxy: ForwardProxy, host: str
) -> None:
    sender = transport()
    for scheme in ("http", "https"):
        failure = failed(await sender.send(make_request(f"{scheme}://{host}/", profile=_through(proxy))))
        assert failure.cause in (Cause.BLOCKED_ADDRESS, Cause.PROTOCOL), failure.detail
    assert proxy.connections_opened == 0


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "receiver.localhost"])
async def test_the_proxys_own_machine_is_refused(transport: MakeTransport, host: str) -> None:
    sender = transport(allow=("10.0.0.0/8",), names={"proxy.example": ["10.0.0.1"]})
    profile = ConnectionProfile(proxy="http://proxy.example:3128")
    failure = failed(await sender.send(make_request(f"http://{host}:1/", profile=profile)))
    assert failure.cause is Cause.BLOCKED_ADDRESS
    assert "loopback" in failure.detail


@pytest.mark.parametrize(
    ("says", "cause"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", Cause.REFUSED),
        (b"HTTP/1.1 302 Elsewhere\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n", Cause.REFUSED),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", Cause.REFUSED),
        (b"", Cause.REFUSED),
        (None, Cause.TIMEOUT_CONNECT),
    ],
    ids=["502", "302", "garbage", "end", "silence"],
)
async def test_a_proxy_that_opens_no_tunnel(
    transport: MakeTransport, proxy: ForwardProxy, says: bytes | None, cause: Cause
) -> None:
    proxy.misbehaves, proxy.says = True, says
    request = make_request(
        "https://receiver.example/", profile=_through(proxy), connect_timeout_s=0.5, total_timeout_s=20
    )
    failure = failed(await transport().send(request))
    assert failure.cause is cause
    assert failure.total_ms < 5_000
    assert len(proxy.asked) == 1


async def test_a_receiver_that_speaks_no_tls_through_the_tunnel(
    transport: MakeTransport, stack: AsyncExitStack, proxy: ForwardProxy
) -> None:
    there = await stack.enter_async_context(MisbehavingReceiver(speaks_plainly))
    request = make_request(f"https://receiver.example:{there.port}/", profile=_through(proxy))
    assert failed(await transport().send(request)).cause is Cause.TLS


async def test_no_proxy_listens(transport: MakeTransport, unused_port: Callable[[], int]) -> None:
    profile = ConnectionProfile(proxy=f"http://127.0.0.1:{unused_port()}")
    for scheme in ("http", "https"):
        failure = failed(await transport().send(make_request(f"{scheme}://receiver.example/", profile=profile)))
        assert failure.cause is Cause.REFUSED


async def test_no_connection_is_shared_across_profiles(
    transport: MakeTransport, receiver: MakeReceiver, proxy: ForwardProxy
) -> None:
    there = await receiver()
    sender = transport()
    answered(await sender.send(make_request(there.url)))
    answered(await sender.send(make_request(there.url, profile=_through(proxy))))
    answered(await sender.send(make_request(there.url)))
    assert len(proxy.asked) == 1
    assert [request.connection for request in there.requests] == [1, 2, 1]


async def test_no_variable_leads_past_the_proxy(
    transport: MakeTransport, receiver: MakeReceiver, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    there = await receiver()
    answered(await transport().send(make_request(there.url, profile=_through(proxy))))
    assert len(proxy.asked) == 1


async def test_a_receiver_that_resets_behind_a_proxy(
    transport: MakeTransport, receiver: MakeReceiver, proxy: ForwardProxy, authority: Authority
) -> None:
    there = await receiver(resets, tls=authority.server_context("receiver.example"))
    sender = transport(extra_ca_file=authority.ca_file)
    request = make_request(f"https://receiver.example:{there.port}/", profile=_through(proxy))
    assert failed(await sender.send(request)).cause is Cause.RESET
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    "url",
    ["", "proxy.example:3128", "https://proxy.example:3128", "socks5://proxy.example", "http://", "http://:3128",
     "http://proxy.example:99999", "http://proxy.example/path", "http://a b:1", "http://[::1", "http://1.2.3:80",
     "http://pro%78y:80", "http://proxy.example:3128?x", "http://user:secret-word@pro xy"],
)  # fmt: skip
async def test_a_proxy_url_that_cannot_be_used_is_a_failure(transport: MakeTransport, url: str) -> None:
    request = make_request("http://receiver.example/", profile=ConnectionProfile(proxy=url))
    failure = failed(await transport().send(request))
    assert failure.cause is Cause.PROTOCOL
    assert "the proxy cannot be used" in failure.detail
    assert "secret-word" not in failure.detail


def test_a_proxy_url_is_taken_apart() -> None:
    proxy = parse_proxy("http://al%C3%A9:p%40ss@Proxy.Example:3128/")
    assert (proxy.host, proxy.port, proxy.is_name) == ("proxy.example", 3128, True)
    assert (proxy.user, proxy.password) == ("al\u00e9", "p@ss")
    assert "p@ss" not in repr(proxy)
    proxy = parse_proxy("http://[::1]:3128")
    assert (proxy.place, proxy.is_name, proxy.user) == ("[::1]:3128", False, None)
    assert parse_proxy("http://10.0.0.1").place == "10.0.0.1:80"
