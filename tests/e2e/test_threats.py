"""Who can do what with which access: what the threat model of the README says, tried over real sockets and files."""

import asyncio
import os
import socket
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from console.domain.clock import ManualClock, SystemClock
from console.domain.errors import InvalidInputError, TransformError
from console.domain.filters import EventFilter
from console.domain.inbound import Arrival, Fate, InboxFilter
from console.domain.outcome import Headers
from console.domain.sealing import NO_KEYS
from console.domain.source import Source, SourceKind, SourceOptions
from console.domain.templating import render
from console.domain.token import ALL_SCOPES, Scope
from console.domain.transform import Subject, Transform
from console.intake.rationing import KEPT_BYTES, KEPT_BYTES_AT_ONCE
from console.intake.sending import addresses_for, again, send
from console.intake.settings import parse_address
from console.intake.spool import Spool, SpoolSettings
from console.intake.spool_folder import Disk
from console.store import Store, open_store
from tests import served as processes
from tests.engine.rig import HANG_S
from tests.factories import (
    NOW_MS,
    add_endpoint,
    add_source,
    claim_all,
    delivered,
    make_arrival,
    make_completed,
    make_event,
    make_exchange,
    start_engine,
)
from tests.intake.desk import Desk
from tests.intake.hosts import LentHost
from tests.intake.rig import Served, make_token, serving

EVENT = b'{"type":"a.b","data":{}}'
OUTSIDE = "198.51.100.7"
ALLOWED = "203.0.113.9"


async def exchange(served: Served, *parts: bytes) -> bytes:
    """What comes back on one connection until the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        async with asyncio.timeout(HANG_S):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def open_source(store: Store, name: str, **options: Any) -> Source:
    return add_source(store, name=name, kind=SourceKind.OPEN, secrets=(), options=SourceOptions(**options))


def types(store: Store) -> Counter[str]:
    """Of the events that were accepted."""
    return Counter(row.type for row in store.events(EventFilter(), limit=50))


def fates(store: Store) -> list[Fate]:
    return [row.fate for row in store.arrivals(InboxFilter(), limit=50)]


def chunked(path: str, *fields: str, trailers: str = "") -> bytes:
    head = "".join(f"{field}\r\n" for field in ("Host: x", "Connection: close", "Transfer-Encoding: chunked", *fields))
    return f"POST {path} HTTP/1.1\r\n{head}\r\n{len(EVENT):x}\r\n{EVENT.decode()}\r\n0\r\n{trailers}\r\n".encode()


# Someone on the network, without a token.


async def test_however_a_request_is_written_it_needs_a_token(store_path: Path) -> None:
    paths = (
        "/v1/events", "//v1/events", "/v1//events", "/v1/events/", "/v1/%65vents", "http://other/v1/events",
        "/v1/events?x", "/x/../v1/events", "/V1/events", "/v1/events;x", "/v1/events%00", "*",
        "/v1/endpoints", "/v1/openapi.json", "/metrics", "/metrics/", "/in/../v1/endpoints",
    )  # fmt: skip
    async with serving(store_path) as served:
        with_token = f"Authorization: Bearer {served.token}\r\n"
        assert b" 202 " in (await exchange(served, _post("/v1/events", with_token)))[:20], "the form itself is good"
        for path in paths:
            for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"):
                status = (await exchange(served, _post(path, method=method))).split(b" ")[1]
                assert status in (b"401", b"404", b"405"), (method, path)
        bad = "Authorization: Bearer whc_0_0\r\n"
        for path in ("/v1/events", "//v1/events"):
            assert b" 401 " in (await exchange(served, _post(path, bad + with_token)))[:20], "the first one counts"
        assert types(served.store) == {"a.b": 1}


def _post(path: str, fields: str = "", *, method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(EVENT)}\r\n{fields}\r\n".encode() + EVENT


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 24\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 24",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "Content-Length: 24\r\nContent-Length: 3",
        "Content-Length: +24",
        "Content-Length: 24, 24",
        "X-A: b\rX-B: c\r\nContent-Length: 24",
        "X-A: b\r\n folded\r\nContent-Length: 24",
    ],
)
async def test_no_request_is_hidden_in_another(store_path: Path, fields: str) -> None:
    """What a proxy and this server could cut differently is refused, and the connection ends."""
    async with serving(store_path) as served:
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n{fields}\r\n\r\n"
        hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        came = await exchange(served, head.encode() + b"18\r\n" + EVENT + b"\r\n0\r\n\r\n" + hidden)
        assert came.startswith(b"HTTP/1.1 400 ")
        assert came.count(b"HTTP/1.1 ") == 1
        assert types(served.store) == {}


async def test_what_comes_behind_a_body_is_no_header(store_path: Path) -> None:
    """A proxy passes trailers on as they are: neither an address nor a token is believed there."""
    async with serving(store_path, trusted_proxies=("127.0.0.0/8",)) as served:
        open_source(served.store, "gated", allow=(f"{ALLOWED}/32",))
        for said, trailer, status in ((ALLOWED, OUTSIDE, b"202"), (OUTSIDE, ALLOWED, b"403")):
            trailers = f"X-Forwarded-For: {trailer}\r\n"
            sent = chunked("/in/gated", f"X-Forwarded-For: {said}", trailers=trailers)
            await until_open(served, "gated")
            assert (await exchange(served, sent)).split(b" ")[1] == status
        token = f"Authorization: Bearer {served.token}\r\n"
        assert (await exchange(served, chunked("/v1/events", trailers=token))).split(b" ")[1] == b"401"


async def until_open(served: Served, name: str) -> None:
    async with served.client() as client, asyncio.timeout(HANG_S):
        while (await client.get(f"/in/{name}")).status_code == 404:
            pass


async def test_what_never_ends_behind_a_body_is_cut_off(store_path: Path) -> None:
    async with serving(store_path, max_head_bytes=4096) as served:
        start = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n" % served.token.encode()
        start += b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
        for beginning in (b"0\r\nX: ", b"1;a="):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(start + beginning)
            async with asyncio.timeout(HANG_S):
                while not reader.at_eof():
                    writer.write(b"y" * 1000)
                    try:
                        await writer.drain()
                    except ConnectionError:
                        break
            writer.close()


async def test_only_trusted_proxies_are_believed_and_the_last_address_counts(store_path: Path) -> None:
    claims = {
        ALLOWED: b"202",
        f"::ffff:{ALLOWED}": b"202",
        f"{OUTSIDE}, {ALLOWED}": b"202",
        f"{ALLOWED}, {OUTSIDE}": b"403",
        f"{ALLOWED}\r\nX-Forwarded-For: {OUTSIDE}": b"403",
        "9" * 7000: b"403",
    }
    for trusted in (True, False):
        path = store_path.with_name(f"{trusted}.db")
        networks = ("127.0.0.0/8",) if trusted else ()
        async with serving(path, trusted_proxies=networks) as served:
            open_source(served.store, "gated", allow=(f"{ALLOWED}/32",))
            await until_open(served, "gated")
            for claim, status in claims.items():
                came = await exchange(
                    served, _post("/in/gated", f"X-Forwarded-For: {claim}\r\nX-Real-IP: {ALLOWED}\r\n")
                )
                assert came.split(b" ")[1] == (status if trusted else b"403"), claim[:60]
            rows = served.store.arrivals(InboxFilter(), limit=50)
            assert max(len(row.remote_address) for row in rows) <= 60
            assert max(len(row.reason or "") for row in rows) < 200


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6 that takes IPv4 too")
async def test_a_proxy_is_trusted_on_ipv6_too(store_path: Path) -> None:
    everywhere = parse_address("[::]:0")
    async with serving(store_path, listen=everywhere, trusted_proxies=("127.0.0.0/8",)) as served:
        open_source(served.store, "gated", allow=(f"{ALLOWED}/32", "192.0.2.0/24"))
        for address, status in ((ALLOWED, b"202"), (OUTSIDE, b"403")):
            sent = _post("/in/gated", f"X-Forwarded-For: {address}\r\n")
            came = await until_answered(served, sent)
            assert came.split(b" ")[1] == status


async def until_answered(served: Served, sent: bytes) -> bytes:
    """The answer once the source is there."""
    async with asyncio.timeout(HANG_S):
        while (came := await exchange(served, sent)).split(b" ")[1] == b"404":
            pass
    return came


async def test_what_strangers_send_fills_no_disk(store: Store, store_path: Path) -> None:
    with closing(open_store(store_path, read_only=True)) as reader:
        desk = Desk(store, reader, keys=NO_KEYS)
        desk.add(SourceKind.GITHUB, "repo")
        size = kept = 0
        for _ in range(40):
            desk.tick(60)
            for _ in range(6):
                assert (await desk.send(b"x" * 100_000, name="repo")).status == 401
        for arrival in desk.inbox():
            kept += 1
            size += len(arrival.body)
        assert size <= KEPT_BYTES_AT_ONCE + 41 * KEPT_BYTES + 64 * 1024
        assert 0 < kept < 240
        assert desk.inbound.fates["repo", Fate.REJECTED] == 240, "all of them are counted"


# Someone with a token.


async def test_a_token_does_what_its_scope_says_and_no_more(store_path: Path) -> None:
    routes = {
        Scope.EVENTS_WRITE: ("POST", "/v1/events", {"type": "a.b", "data": 1}),
        Scope.EVENTS_READ: ("GET", "/v1/events", None),
        Scope.ENDPOINTS_READ: ("GET", "/v1/endpoints", None),
        Scope.ENDPOINTS_WRITE: ("POST", "/v1/endpoints", {"url": "https://example.com/"}),
        Scope.DELIVERIES_WRITE: ("POST", "/v1/deliveries/retry", {"filter": ""}),
        Scope.METRICS_READ: ("GET", "/metrics", None),
        Scope.OPERATIONS_READ: ("GET", "/v1/operations", None),
    }
    assert set(routes) == set(ALL_SCOPES)
    async with serving(store_path) as served:
        tokens = {scope: make_token(served.store, scope, name=scope.replace(":", "-"))[1] for scope in ALL_SCOPES}
        for has, token in tokens.items():
            async with served.client(token) as client:
                for scope, (method, path, body) in routes.items():
                    status = (await client.request(method, path, json=body)).status_code
                    assert (status == 403) is (scope != has), (has, path)


async def test_whoever_only_reads_is_not_told_what_a_url_opens(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        for number, secret in enumerate(("t0ps3cret", "n3xts3cret")):
            asked = {"name": "zap", "url": f"https://example.com/hook?a=1&token={secret}"}
            path = "/v1/endpoints/zap" if number else "/v1/endpoints"
            answer = await client.request("PATCH" if number else "POST", path, json=asked)
            assert answer.is_success, answer.text
        epoch = start_engine(served.store)
        served.store.accept([make_event()], NOW_MS)
        (claimed,) = claim_all(served.store, epoch)
        exchange = make_exchange(url=served.store.find_endpoint("zap").url)
        served.store.complete([make_completed(claimed, delivered(), exchange=exchange)], epoch=epoch)
        reader = make_token(served.store, Scope.EVENTS_READ, Scope.OPERATIONS_READ, name="reader")[1]
        async with served.client(reader) as looking:
            (made,) = (await looking.get("/v1/attempts")).json()["data"]
            told = (await looking.get(f"/v1/attempts/{made['id']}")).text + (await looking.get("/v1/operations")).text
    assert "https://example.com/hook?a=1&token=[redacted]" in told
    assert "s3cret" not in told


async def test_whoever_may_send_cannot_speak_as_the_product_itself(store_path: Path) -> None:
    async with serving(store_path) as served, served.client() as client:
        add_endpoint(served.store, name="pager", types=("webhook.*",))
        open_source(served.store, "webhook")
        open_source(served.store, "shop", type_prefix="webhook.", type_from="body:type")
        said = {"type": "webhook.endpoint.tripped", "data": {}}
        for posted in (said, [said]):
            refused = await client.post("/v1/events", json=posted)
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "type")
        await until_open(served, "webhook")
        for name, body in (("webhook", {}), ("webhook", said), ("shop", {"type": "endpoint.tripped"}), ("shop", {})):
            assert (await client.post(f"/in/{name}", json=body)).status_code == 202
        made = types(served.store)
        assert made.total() == 4
        assert not [one for one in made if one.startswith("webhook.")]


async def test_no_id_that_is_posted_hides_a_provider_s_event_and_none_of_a_provider_s_what_is_posted(
    store_path: Path,
) -> None:
    async with serving(store_path) as served, served.client() as client:
        open_source(served.store, "shop", id_from="body:id")
        await until_open(served, "shop")
        assert (await client.post("/v1/events", json={"type": "a.b", "data": 1, "id": "shop_1"})).status_code == 202
        for order in ("1", "1", "2"):
            assert (await client.post("/in/shop", json={"id": order})).status_code == 202
        assert fates(served.store)[:3] == [Fate.ACCEPTED, Fate.DUPLICATE, Fate.ACCEPTED], "newest first"
        posted = {"type": "a.b", "data": 1}
        refused = await client.post("/v1/events", json=[{**posted, "id": "other"}, {**posted, "id": "shop_2"}])
        assert refused.status_code == 400
        assert refused.json()["errors"] == [
            {
                "reason": "id: shop_2 is that of an event which came in at /in/shop; choose another",
                "field": "id",
                "item": 1,
            }
        ]
        assert types(served.store) == {"shop.received": 2, "a.b": 1}
        once_more = await client.post("/v1/events", json={**posted, "id": "shop_1"})
        assert once_more.json()["duplicate"] is True, "what was posted itself is still a duplicate"


# Who sends to a source, and what is sent on.


@pytest.mark.parametrize("path", ["../admin", "a/../../admin", "..", "a/..\\..\\admin"])
def test_a_sender_does_not_choose_what_is_above_the_url_that_it_is_sent_on_to(store: Store, path: str) -> None:
    with pytest.raises(InvalidInputError, match="is not sent to what is above"):
        again(arrived(store, path=path), "http://localhost:3000/hook")


def test_a_sender_says_what_is_below_a_url_and_nothing_else(store: Store) -> None:
    sent = again(
        arrived(
            store,
            path="//a?b=1#c\r\nX: y/%2e%2e/ü@z",
            query="q=1",
            headers=(("connection", "x-own"), ("x-own", "1"), ("host", "inner"), ("x-kept", "2")),
        ),
        "http://localhost:3000/hook?k=v",
    )
    assert sent.url == "http://localhost:3000/hook/a%3Fb=1%23c%0D%0AX:%20y/%252e%252e/%C3%BC@z?k=v&q=1"
    assert sent.headers == (("x-kept", "2"),)


def arrived(store: Store, *, path: str, query: str = "", headers: Headers = ()) -> Arrival:
    source = store.find_source("shop") if store.sources() else open_source(store, "shop")
    (kept,) = store.record_arrivals([make_arrival(source, path=path, query=query, headers=headers)])
    return store.arrival(kept)


# Who can write to the spool folder.


class Swapping(Disk):
    """Somebody puts something else in a file's place, just before it is taken."""

    def __init__(self, swap: Any) -> None:
        self._swap = swap

    def rename(self, old: Path, new: Path) -> None:
        if self._swap is not None and old.parent.name == "spool":
            swap, self._swap = self._swap, None
            old.unlink()
            swap(old)
        super().rename(old, new)


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
async def test_what_is_put_in_the_place_of_a_spool_file_is_not_read(store: Store, tmp_path: Path, what: str) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"type":"secret.read","data":{}}')
    swaps = {"link": lambda old: old.symlink_to(secret), "pipe": os.mkfifo, "folder": Path.mkdir}
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "a.json").write_bytes(EVENT)
    (folder / "b.json").write_bytes(EVENT)
    host = LentHost(store)
    spool = Spool(host, SpoolSettings(folder=folder), disk=Swapping(swaps[what]))
    spool.folder.open()
    running = asyncio.create_task(spool.run())
    try:
        await host.says("spool file rejected: nothing of it was accepted")
        await host.says("spool file accepted")
    finally:
        host.stopping.set()
        spool.wake()
        await running
        spool.folder.close()
    assert types(store) == {"a.b": 1}
    assert [name.suffix for name in sorted((folder / "rejected").iterdir())] == [".json", ".txt"]
    assert secret.exists()


def test_the_lock_of_a_spool_folder_makes_no_file_elsewhere(store: Store, tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    spool = Spool(LentHost(store, clock=ManualClock()), SpoolSettings(folder=tmp_path))
    with pytest.raises(Exception, match="--spool"):
        spool.folder.open()
    assert not (tmp_path / "elsewhere").exists()


# Who is sent to, and what somebody writes for it.


def test_a_request_that_is_sent_on_goes_where_the_operator_says_and_no_further(store: Store) -> None:
    headers = (("authorization", "Bearer s3cret"), ("cookie", "c=1"))
    with Answering(
        b"HTTP/1.1 307 \r\nLocation: http://127.0.0.1:{port}/stolen\r\nContent-Length: 0\r\n\r\n"
    ) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/hook"
        answered = send(
            again(arrived(store, path="", headers=headers), url),
            addresses=addresses_for(url, ()),
            clock=SystemClock(),
        )
    assert (answered.status, answered.problem) == (307, None)
    assert [head.split(b"\r\n")[0] for head in receiver.heads] == [b"POST /hook HTTP/1.1"]
    assert b"Bearer s3cret" in receiver.heads[0], "to that one it goes as it came"
    for url in ("http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://127.1/"):
        refused = send(again(arrived(store, path=""), url), addresses=addresses_for(url, ()), clock=SystemClock())
        assert "--allow-address" in (refused.problem or ""), url


class Answering:
    """A receiver that answers every connection in one way, until the block ends."""

    def __init__(self, answer: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heads: list[bytes] = []
        self._answer = answer.replace(b"{port}", b"%d" % self.port)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Answering":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(HANG_S)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.heads.append(connection.recv(65536))
                connection.sendall(self._answer)


@pytest.mark.parametrize(
    "name",
    ["secrets", "endpoint.secrets", "endpoint.url", "endpoint.policy", "self", "environ", "store", "event.source"],
)
def test_a_template_sees_the_event_and_nothing_else(name: str) -> None:
    subject = Subject(event_id="evt_1", event_type="a.b", accepted_at_ms=0, payload=b'{"a":1}', endpoint_name="billing")

    def made(body: str) -> bytes:
        return render(Transform(body=body, content_type="text/plain"), subject, "https://example.com/").body

    assert made("{{ payload | tojson }}{{ endpoint | tojson }}") == b'{"a":1}{"name":"billing"}'
    with pytest.raises((TransformError, InvalidInputError)):
        made(f"{{{{ {name} }}}}")


# Who has an account on the machine.


def test_the_store_and_all_beside_it_are_their_owner_s_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with processes.serving(tmp_path / "store.db", "--listen=127.0.0.1:0"):
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert {"store.db", "store.db-wal", "store.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes
