"""What every adapter of the seam does with answers, against a real receiver on loopback."""

import asyncio
import gzip
import tracemalloc

import pytest

from console.domain.outcome import RESPONSE_BODY_CAP_BYTES, RESPONSE_HEADERS_CAP_BYTES, Cause
from tests.engine.transport.conftest import MakeReceiver, MakeTransport
from tests.engine.transport.requests import answered, failed, make_request
from tests.receivers import Conversation, answers, closes, hangs, resets, sends


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 410, 429, 500, 503])
async def test_any_status_is_an_answer(transport: MakeTransport, receiver: MakeReceiver, status: int) -> None:
    body = b"" if status in (204, 304) else b"as it is"
    there = await receiver(answers(status, body))
    response = answered(await transport().send(make_request(there.url)))
    assert (response.status, response.body, response.body_truncated) == (status, body, False)
    assert response.remote_address == "127.0.0.1"
    assert 0 < (response.first_byte_ms or 0) <= response.total_ms


async def test_the_request_arrives_as_given(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    headers = (("webhook-id", "msg_1"), ("x-twice", "a"), ("x-twice", "b"), ("user-agent", "webhook-console/9"))
    body = bytes(range(256)) * 100
    answered(await transport().send(make_request(f"{there.url}/a%20b?q=1&r=%C3%A9", headers=headers, body=body)))
    (request,) = there.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook/a%20b?q=1&r=%C3%A9", body)
    assert [pair for pair in request.headers if pair in headers] == list(headers)
    added = {name for name, _ in request.headers} - {name for name, _ in headers}
    assert added <= {"host", "content-length", "connection", "accept"}
    assert request.header("host") == f"127.0.0.1:{there.port}"
    assert request.header("content-length") == str(len(body))


async def test_an_empty_body_is_sent_with_its_length(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    answered(await transport().send(make_request(there.url, body=b"")))
    assert there.requests[0].header("content-length") == "0"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(transport: MakeTransport, receiver: MakeReceiver, status: int) -> None:
    elsewhere = await receiver()
    there = await receiver(answers(status, headers=(("location", elsewhere.url),)))
    response = answered(await transport().send(make_request(there.url)))
    assert response.status == status
    assert ("location", elsewhere.url) in response.headers
    assert elsewhere.requests == []


async def test_response_headers_are_kept_all(transport: MakeTransport, receiver: MakeReceiver) -> None:
    headers = (("retry-after", "120"), ("x-many", "1"), ("x-many", "2"), ("set-cookie", "a=b"))
    there = await receiver(answers(429, headers=headers))
    sender = transport()
    response = answered(await sender.send(make_request(there.url)))
    assert [pair for pair in response.headers if pair[0] != "content-length"] == list(headers)
    await sender.send(make_request(there.url))
    assert there.requests[1].header("cookie") is None


async def test_response_headers_are_kept_up_to_their_bound(transport: MakeTransport, receiver: MakeReceiver) -> None:
    long = tuple((f"x-{number}", "a" * 9_000) for number in range(9))
    there = await receiver(answers(200, b"ok", (*long, ("retry-after", "7"))))
    response = answered(await transport().send(make_request(there.url)))
    assert response.headers == (*long[:7], ("retry-after", "7"), ("content-length", "2"))
    assert sum(len(name) + len(value) for name, value in response.headers) <= RESPONSE_HEADERS_CAP_BYTES


async def test_header_bytes_that_are_no_text_do_not_break_the_answer(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver(sends(b"HTTP/1.1 200 OK\r\nx-odd: caf\xe9\xff\r\ncontent-length: 2\r\n\r\nok"))
    response = answered(await transport().send(make_request(there.url)))
    assert (response.status, response.body) == (200, b"ok")
    headers = dict(response.headers)
    assert headers["content-length"] == "2"
    assert headers["x-odd"] in ("caf\xe9\xff", "\ufffd")


async def test_a_compressed_body_is_kept_as_it_came(transport: MakeTransport, receiver: MakeReceiver) -> None:
    packed = gzip.compress(b"a" * 100_000)
    there = await receiver(answers(200, packed, (("content-encoding", "gzip"),)))
    response = answered(await transport().send(make_request(there.url)))
    assert response.body == packed
    assert there.requests[0].header("accept-encoding") is None


async def test_a_chunked_body_is_joined(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver(
        sends(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    )
    assert answered(await transport().send(make_request(there.url))).body == b"abcde"


async def test_a_body_without_a_length_ends_with_the_connection(
    transport: MakeTransport, receiver: MakeReceiver
) -> None:
    there = await receiver(sends(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", then_close=True))
    assert answered(await transport().send(make_request(there.url))).body == b"until the end"


async def test_informational_answers_are_passed_over(transport: MakeTransport, receiver: MakeReceiver) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    there = await receiver(sends(early + b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"))
    assert answered(await transport().send(make_request(there.url))).status == 202


async def test_switching_protocols_is_no_answer(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver(sends(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"))
    assert failed(await transport().send(make_request(there.url))).cause is Cause.PROTOCOL


@pytest.mark.parametrize(
    ("size", "truncated"),
    [(RESPONSE_BODY_CAP_BYTES - 1, False), (RESPONSE_BODY_CAP_BYTES, False), (RESPONSE_BODY_CAP_BYTES + 1, True)],
)
async def test_the_body_is_kept_up_to_the_cap(
    transport: MakeTransport, receiver: MakeReceiver, size: int, truncated: bool
) -> None:
    body = bytes(index % 251 for index in range(size))
    there = await receiver(answers(200, body))
    response = answered(await transport().send(make_request(there.url)))
    assert response.body == body[:RESPONSE_BODY_CAP_BYTES]
    assert response.body_truncated is truncated


async def test_a_huge_body_is_not_read(transport: MakeTransport, receiver: MakeReceiver) -> None:
    sent = 0

    async def pours(conversation: Conversation) -> None:
        nonlocal sent
        await conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")
        while True:
            await conversation.send(b"x" * 65536)
            sent += 65536

    there = await receiver(pours)
    tracemalloc.start()
    try:
        response = answered(await transport().send(make_request(there.url)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(response.body), response.body_truncated) == (RESPONSE_BODY_CAP_BYTES, True)
    await there.wait_until_unconnected()
    assert sent < 32 << 20, "the socket buffers may fill, the rest must not flow"
    assert peak < 16 << 20


async def test_no_head_in_time(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver(hangs)
    failure = failed(await transport().send(make_request(there.url, total_timeout_s=0.3)))
    assert failure.cause is Cause.TIMEOUT_READ
    assert 250 < failure.total_ms < 3000
    assert failure.remote_address == "127.0.0.1"
    await there.wait_until_unconnected()


async def test_a_head_that_drips_counts_to_the_total(transport: MakeTransport, receiver: MakeReceiver) -> None:
    async def drips(conversation: Conversation) -> None:
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n":
            await conversation.send(bytes([byte]))
            await asyncio.sleep(0.05)

    there = await receiver(drips)
    assert failed(await transport().send(make_request(there.url, total_timeout_s=0.3))).cause is Cause.TIMEOUT_READ


async def test_a_body_that_drips_counts_to_the_total(transport: MakeTransport, receiver: MakeReceiver) -> None:
    async def drips(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            await conversation.send(b"x")
            await asyncio.sleep(0.05)

    there = await receiver(drips)
    assert failed(await transport().send(make_request(there.url, total_timeout_s=0.3))).cause is Cause.TIMEOUT_READ
    await there.wait_until_unconnected()


@pytest.mark.parametrize("end", [resets, closes])
async def test_a_connection_that_ends_unanswered(transport: MakeTransport, receiver: MakeReceiver, end: object) -> None:
    there = await receiver(end)
    failure = failed(await transport().send(make_request(there.url)))
    assert failure.cause is Cause.RESET
    assert len(there.requests) == 1, "a request over a new connection is never repeated"


@pytest.mark.parametrize("end", [Conversation.reset, Conversation.close])
async def test_a_connection_that_ends_in_the_body(
    transport: MakeTransport, receiver: MakeReceiver, end: object
) -> None:
    async def breaks(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\npart")
        (conversation.reset if end is Conversation.reset else conversation.close)()

    there = await receiver(breaks)
    assert failed(await transport().send(make_request(there.url))).cause is Cause.RESET
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nnot a chunk\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    ],
    ids=["ssh", "tls", "chunk", "length"],
)
async def test_what_is_not_http(transport: MakeTransport, receiver: MakeReceiver, garbage: bytes) -> None:
    there = await receiver(sends(garbage, then_close=True))
    assert failed(await transport().send(make_request(there.url))).cause is Cause.PROTOCOL


async def test_many_at_once(transport: MakeTransport, receiver: MakeReceiver) -> None:
    async def echoes(conversation: Conversation) -> None:
        await conversation.answer(200, conversation.request.body)

    there = await receiver(echoes)
    sender = transport()
    bodies = [b"%d" % number for number in range(200)]
    outcomes = await asyncio.gather(*(sender.send(make_request(there.url, body=body)) for body in bodies))
    assert [answered(outcome).body for outcome in outcomes] == bodies


@pytest.mark.parametrize(
    "url", ["", "hook", "ftp://127.0.0.1/", "http://", "http://[::1/", "http://a b/", "http://h:99999/"]
)
async def test_a_url_that_cannot_be_used_is_a_failure(transport: MakeTransport, url: str) -> None:
    assert failed(await transport().send(make_request(url))).cause in (Cause.PROTOCOL, Cause.DNS)


@pytest.mark.parametrize("header", [("x-a", "b\r\nx-injected: 1"), ("x a", "b"), ("", "b")])
async def test_a_header_that_cannot_be_sent_is_a_failure(
    transport: MakeTransport, receiver: MakeReceiver, header: tuple[str, str]
) -> None:
    there = await receiver()
    failure = failed(await transport().send(make_request(there.url, headers=(header,))))
    assert failure.cause is Cause.PROTOCOL
    assert "cannot be sent" in failure.detail
    assert there.requests == []


async def test_credentials_in_the_url_become_a_header(transport: MakeTransport, receiver: MakeReceiver) -> None:
    there = await receiver()
    url = there.url.replace("//", "//Aladdin:open%20sesame@")
    answered(await transport().send(make_request(url)))
    assert there.requests[0].header("authorization") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


async def test_proxy_variables_are_ignored(
    transport: MakeTransport, receiver: MakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, proxy = await receiver(), await receiver()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    answered(await transport().send(make_request(there.url)))
    assert (len(there.requests), len(proxy.requests)) == (1, 0)
