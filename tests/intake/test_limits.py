"""What a client may send, and for how long: nothing of it harms others, and the answer says what it was."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import ConfigError
from console.domain.filters import EventFilter
from console.intake.front import Front
from console.intake.settings import Address, IntakeSettings, check_settings, parse_address
from tests.certificates import Authority
from tests.engine.rig import HANG_S
from tests.factories import add_endpoint
from tests.intake.rig import Served, serving, until

EVENT = {"type": "a.b", "data": 1}


async def exchange(served: Served, *parts: bytes) -> bytes:
    """Everything that comes back on one connection until the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(HANG_S):
            return await reader.read()
    finally:
        writer.close()


async def test_a_body_that_is_too_large_is_refused_before_and_while_it_comes(store_path: Path) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100

    async with serving(store_path, max_body_bytes=1000) as served, served.client() as client:
        for path in ("/v1/events", "/v1/endpoints"):
            for content in (b" " * 1001, chunks()):
                answer = await client.post(path, content=content, headers={"content-type": "application/json"})
                assert answer.status_code == 413
                assert "1,000 bytes" in answer.json()["detail"]
        assert (await client.post("/v1/events", json=EVENT)).status_code == 202


async def test_heads_are_limited_whole_and_in_pieces(store_path: Path) -> None:
    async with serving(store_path, max_headers=20, max_head_bytes=4096) as served:
        start = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
        for parts in (
            [start + b"".join(b"x-%d: 1\r\n" % n for n in range(30)) + b"\r\n"],
            [start + b"x: " + b"y" * 5000 + b"\r\n\r\n"],
            [start, b"x: " + b"y" * 3000, b"y" * 3000],
        ):
            assert (await exchange(served, *parts)).startswith(b"HTTP/1.1 431 ")
        assert (await exchange(served, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 414 ")
        for nonsense in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"):
            came = await exchange(served, nonsense)
            assert came.startswith(b"HTTP/1.1 400 ")
            assert b"application/problem+json" in came
        async with served.client() as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_who_sends_too_slowly_is_cut_off_and_others_are_not(store_path: Path) -> None:
    async with serving(store_path, request_s=0.2) as served, served.client() as client:
        slow = [
            asyncio.create_task(_until_cut(served, start))
            for start in (
                b"",
                b"GET /healthz HTT",
                b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
            )
        ]
        async with asyncio.timeout(HANG_S):
            await asyncio.gather(*slow)
        assert (await client.post("/v1/events", json=EVENT)).status_code == 202


async def _until_cut(served: Served, start: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(start)
    try:
        while await reader.read(1000):
            pass
    except ConnectionError:
        pass
    writer.close()


async def test_more_connections_than_may_be_are_told_so(store_path: Path) -> None:
    async with serving(store_path, max_connections=1) as served, served.client() as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await exchange(served)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer


async def test_above_the_backlog_nothing_is_accepted(store_path: Path) -> None:
    async with serving(store_path, max_backlog=5) as served, served.client() as client:
        endpoint = add_endpoint(served.store)
        assert (await client.post("/v1/events", json=[EVENT] * 6)).status_code == 202
        refused = await client.post("/v1/events", json=EVENT)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert len(served.store.events(EventFilter(), limit=10)) == 6
        assert (await client.get("/readyz")).json()["status"] == "failing"
        served.store.remove_endpoint(endpoint.id, 1)
        async with asyncio.timeout(HANG_S):
            while (await client.post("/v1/events", json=EVENT)).status_code == 503:
                pass


async def test_only_a_trusted_proxy_says_who_sent_a_request(store_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    kept = Front.__call__

    async def spy(self: Front, scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"]))
        await kept(self, scope, receive, send)

    said = {"x-forwarded-for": "203.0.113.9, 198.51.100.7, 127.0.0.5", "x-forwarded-proto": "https"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Front, "__call__", spy)
        for trusted in ((), ("10.0.0.0/8",), ("127.0.0.0/8",)):
            path = store_path.with_name(f"{len(seen)}.db")
            async with serving(path, trusted_proxies=trusted) as served, served.client() as client:
                await client.get("/healthz", headers=said)
    assert seen == [("127.0.0.1", "http"), ("127.0.0.1", "http"), ("198.51.100.7", "https")]


async def test_a_port_that_is_taken_is_one_line(store_path: Path) -> None:
    async with serving(store_path) as served:
        taken = Address(host="127.0.0.1", port=served.port)
        with pytest.raises(ConfigError, match=rf"--listen 127.0.0.1:{served.port}: is taken"):
            async with serving(store_path.with_name("other.db"), listen=taken):
                raise AssertionError("it listens twice")


async def test_requests_under_way_are_answered_before_the_end_and_no_more_are_taken(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        body = b'{"type":"a.b","data":1}'
        head = f"authorization: Bearer {served.token}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        writer.write(b"POST /v1/events HTTP/1.1\r\nhost: x\r\n" + head + body[:5])
        await client.get("/healthz")
        served.stopping.set()
        await until(lambda: _refuses(served))
        writer.write(body[5:])
        async with asyncio.timeout(HANG_S):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert len(served.store.events(EventFilter(), limit=10)) == 1


def _refuses(served: Served) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", served.port)) != 0


def test_addresses_and_settings_are_checked(tmp_path: Path) -> None:
    assert parse_address("127.0.0.1:8400") == Address(host="127.0.0.1", port=8400)
    assert str(parse_address("[::1]:0")) == "[::1]:0"
    assert parse_address("127.0.0.1") == Address(host="127.0.0.1", port=8400)
    assert parse_address(":9") == Address(host="0.0.0.0", port=9)
    listen = parse_address("127.0.0.1:0")
    for wrong in ({"tls_key": tmp_path}, {"tls_cert": tmp_path / "no"}, {"trusted_proxies": ("x",)}):
        with pytest.raises(ConfigError, match="--t"):
            check_settings(IntakeSettings(listen=listen, **wrong))


async def test_tls_is_served_with_a_certificate(store_path: Path, tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    pem = authority.server_pem("127.0.0.1")
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    async with serving(store_path, tls_cert=pem) as served, served.client(verify=context) as client:
        assert served.url.startswith("https://")
        assert (await client.post("/v1/events", json=EVENT)).status_code == 202
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="--tls-cert"):
        async with serving(store_path.with_name("other.db"), tls_cert=tmp_path / "bad.pem"):
            raise AssertionError("it serves without a certificate")
