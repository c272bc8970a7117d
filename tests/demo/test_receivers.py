"""Each behaviour over a real socket, with signatures made by the public `standardwebhooks` package."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from standardwebhooks.webhooks import Webhook

from console.demo.behaviours import RATE_LIMIT_BURST, Behaviour, ReceiverSpec
from console.demo.receivers import DemoReceivers
from console.domain.clock import ManualClock

NOW_MS = 1_790_000_000_000
BODY = '{"object":"payment","amount":4900,"currency":"EUR","customer":{"name":"Zoë"}}'.encode()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def signed(spec: ReceiverSpec, event_id: str, body: bytes = BODY, *, now_ms: int = NOW_MS) -> dict[str, str]:
    at = datetime.fromtimestamp(now_ms // 1000, tz=UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(now_ms // 1000),
        "webhook-signature": Webhook(spec.secret).sign(event_id, at, body.decode()),
    }


class Sender:
    """One kept-alive connection that speaks raw HTTP/1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, spec: ReceiverSpec) -> "Sender":
        url = urlsplit(spec.url)
        return cls(*await asyncio.open_connection(url.hostname, url.port))

    async def ask(self, headers: dict[str, str], body: bytes = BODY) -> Reply:
        self.write(headers, body)
        return await self.read()

    def write(self, headers: dict[str, str], body: bytes = BODY) -> None:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST /webhooks HTTP/1.1\r\nHost: demo\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        self.writer.write(head.encode() + body)

    async def read(self) -> Reply:
        status_line, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return Reply(int(status_line.split()[1]), headers, body)

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


async def ask_once(spec: ReceiverSpec, headers: dict[str, str], body: bytes = BODY) -> Reply:
    sender = await Sender.open(spec)
    try:
        return await sender.ask(headers, body)
    finally:
        await sender.close()


async def ask_all(spec: ReceiverSpec, count: int) -> list[Reply]:
    """Ask for `count` events one after the other on one connection."""
    sender = await Sender.open(spec)
    try:
        return [await sender.ask(signed(spec, f"evt_{number}")) for number in range(count)]
    finally:
        await sender.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
async def receivers(clock: ManualClock) -> AsyncIterator[DemoReceivers]:
    async with DemoReceivers(seed=11, clock=clock) as running:
        yield running


def spec_of(receivers: DemoReceivers, behaviour: Behaviour) -> ReceiverSpec:
    return next(spec for spec in receivers.specs if spec.behaviour is behaviour)


async def test_the_cast_covers_every_behaviour_on_its_own_port(receivers: DemoReceivers) -> None:
    assert {spec.behaviour for spec in receivers.specs} == set(Behaviour)
    assert len({spec.url for spec in receivers.specs}) == len({spec.name for spec in receivers.specs}) == 10
    assert all(spec.url.startswith("http://127.0.0.1:") for spec in receivers.specs)


async def test_healthy_accepts_on_one_connection_and_counts(receivers: DemoReceivers) -> None:
    crm = spec_of(receivers, Behaviour.HEALTHY)
    assert [reply.status for reply in await ask_all(crm, 5)] == [200] * 5
    assert (await ask_once(crm, signed(crm, "evt_0"))).status == 200
    counts = receivers.counts()["crm"]
    assert (counts.requests, counts.answers, counts.events, counts.duplicates) == (6, {"200": 6}, 5, 1)


async def test_pipelined_requests_are_answered_in_order(receivers: DemoReceivers) -> None:
    crm = spec_of(receivers, Behaviour.HEALTHY)
    sender = await Sender.open(crm)
    sender.write(signed(crm, "evt_a"))
    sender.write({})
    assert [(await sender.read()).status, (await sender.read()).status] == [200, 401]
    await sender.close()


@pytest.mark.parametrize("broken", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("how", ["missing", "changed"])
async def test_a_bad_signature_is_401_everywhere(receivers: DemoReceivers, broken: str, how: str) -> None:
    for spec in receivers.specs:
        if spec.behaviour is Behaviour.DOWN:
            continue
        headers = signed(spec, "evt_1")
        changed = {"webhook-id": "evt_2", "webhook-timestamp": str(NOW_MS // 1000 + 1), "webhook-signature": "v1,AAAA"}
        headers[broken] = changed[broken]
        if how == "missing":
            del headers[broken]
        assert (await ask_once(spec, headers)).status == 401
        counts = receivers.counts()[spec.name]
        assert (counts.answers, counts.events) == ({"401": 1}, 0)


async def test_a_tampered_body_is_401(receivers: DemoReceivers) -> None:
    crm = spec_of(receivers, Behaviour.HEALTHY)
    reply = await ask_once(crm, signed(crm, "evt_1"), BODY.replace(b"4900", b"4901"))
    assert reply.status == 401
    assert b"no matching signature" in reply.body


@pytest.mark.parametrize("timestamp", ["²", "-1", "1e9", "9" * 40, "1790000000.5"])
async def test_a_timestamp_that_is_no_time_is_401(receivers: DemoReceivers, timestamp: str) -> None:
    crm = spec_of(receivers, Behaviour.HEALTHY)
    assert (await ask_once(crm, signed(crm, "evt_1") | {"webhook-timestamp": timestamp})).status == 401


@pytest.mark.parametrize(("away_s", "status"), [(-301, 401), (-299, 200), (299, 200), (301, 401)])
async def test_a_timestamp_counts_for_five_minutes(receivers: DemoReceivers, away_s: int, status: int) -> None:
    crm = spec_of(receivers, Behaviour.HEALTHY)
    assert (await ask_once(crm, signed(crm, "evt_1", now_ms=NOW_MS + away_s * 1000))).status == status


async def test_a_signature_among_several_is_enough(receivers: DemoReceivers) -> None:
    crm = spec_of(receivers, Behaviour.HEALTHY)
    headers = signed(crm, "evt_1")
    headers["webhook-signature"] = f"v1a,c29tZXRoaW5n v1,b2xk {headers['webhook-signature']}"
    assert (await ask_once(crm, headers)).status == 200


async def test_slow_takes_from_a_third_to_two_and_a_half_seconds(receivers: DemoReceivers) -> None:
    mailer = spec_of(receivers, Behaviour.SLOW)
    loop = asyncio.get_running_loop()

    async def timed(number: int) -> float:
        started = loop.time()
        assert (await ask_once(mailer, signed(mailer, f"evt_{number}"))).status == 200
        return loop.time() - started

    took = await asyncio.gather(*(timed(number) for number in range(80)))
    assert min(took) >= 0.29
    assert 2.0 < max(took) < 4.0


async def test_hanging_up_on_the_slow_one_is_counted(receivers: DemoReceivers) -> None:
    mailer = spec_of(receivers, Behaviour.SLOW)
    sender = await Sender.open(mailer)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sender.ask(signed(mailer, "evt_1")), 0.25)
    await sender.close()
    assert (await ask_once(mailer, signed(mailer, "evt_1"))).status == 200
    counts = receivers.counts()["mailer"]
    assert (counts.answers, counts.duplicates) == ({"abandoned": 1, "200": 1}, 1)


async def test_flaky_fails_three_times_in_ten(receivers: DemoReceivers) -> None:
    provisioning = spec_of(receivers, Behaviour.FLAKY)
    replies = await ask_all(provisioning, 120)
    failures = [reply for reply in replies if reply.status != 200]
    assert 0.15 < len(failures) / len(replies) < 0.45
    assert {reply.status for reply in failures} == {500, 502, 503}
    for reply in failures:
        if reply.headers["content-type"] == "application/json":
            assert "error" in json.loads(reply.body)
        else:
            assert b"<h1>502 Bad Gateway</h1>" in reply.body
    assert all(reply.headers["retry-after"] == "2" for reply in failures if reply.status == 503)


async def test_the_same_seed_fails_the_same_way(clock: ManualClock, receivers: DemoReceivers) -> None:
    async with DemoReceivers(seed=11, clock=clock) as again, DemoReceivers(seed=12, clock=clock) as other:
        said = [
            [reply.status for reply in await ask_all(spec_of(each, Behaviour.FLAKY), 60)]
            for each in (receivers, again, other)
        ]
        assert [spec.secret for spec in again.specs] == [spec.secret for spec in receivers.specs]
        assert [spec.secret for spec in other.specs] != [spec.secret for spec in receivers.specs]
    assert said[0] == said[1] != said[2]


async def test_rate_limited_says_when_to_come_back(clock: ManualClock, receivers: DemoReceivers) -> None:
    slack = spec_of(receivers, Behaviour.RATE_LIMITED)
    replies = await ask_all(slack, RATE_LIMIT_BURST + 2)
    assert [reply.status for reply in replies] == [200] * RATE_LIMIT_BURST + [429, 429]
    wait_s = int(replies[-1].headers["retry-after"])
    assert wait_s == 1
    clock.advance(wait_s)
    assert (await ask_all(slack, 1))[0].status == 200


async def test_down_refuses(receivers: DemoReceivers) -> None:
    with pytest.raises(ConnectionRefusedError):
        await Sender.open(spec_of(receivers, Behaviour.DOWN))


async def test_gone_and_redirecting_say_so(receivers: DemoReceivers) -> None:
    gone, moved = spec_of(receivers, Behaviour.GONE), spec_of(receivers, Behaviour.REDIRECTING)
    assert [reply.status for reply in await ask_all(gone, 2)] == [410, 410]
    (reply,) = await ask_all(moved, 1)
    assert (reply.status, reply.headers["location"]) == (301, "https://billing.example.com/v2/webhooks")


async def test_resetting_breaks_some_connections_after_reading(receivers: DemoReceivers) -> None:
    fraud_check = spec_of(receivers, Behaviour.RESETTING)
    resets = 0
    for number in range(40):
        try:
            assert (await ask_once(fraud_check, signed(fraud_check, f"evt_{number}"))).status == 200
        except ConnectionResetError:  # a FIN would be IncompleteReadError
            resets += 1
    assert 5 <= resets <= 25
    counts = receivers.counts()["fraud-check"]
    assert (counts.requests, counts.answers) == (40, {"200": 40 - resets, "reset": resets})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"currency": "JPY"}, "currency"),
        ({"type": "invoice.paid", "data": {"lines": [{"currency": "BRL"}]}}, "data.lines.0.currency"),
    ],
)
async def test_picky_names_the_field(receivers: DemoReceivers, body: object, field: str) -> None:
    bookkeeping = spec_of(receivers, Behaviour.PICKY)
    wire = json.dumps(body).encode()
    reply = await ask_once(bookkeeping, signed(bookkeeping, "evt_1", wire), wire)
    assert reply.status == 422
    assert json.loads(reply.body)["errors"][0]["field"] == field


async def test_picky_accepts_the_rest_and_survives_odd_bodies(receivers: DemoReceivers) -> None:
    bookkeeping = spec_of(receivers, Behaviour.PICKY)
    bodies = {BODY: 200, b"not json": 400, b"": 400, b"[" * 100_000: 400, b"[" * 900 + b"]" * 900: 200}
    for body, status in bodies.items():
        assert (await ask_once(bookkeeping, signed(bookkeeping, "evt_1", body), body)).status == status


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nno colon here\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nx: " + b"y" * 70_000, 431),
    ],
)
async def test_what_is_no_webhook_is_refused_and_the_connection_closed(
    receivers: DemoReceivers, sent: bytes, status: int
) -> None:
    sender = await Sender.open(spec_of(receivers, Behaviour.HEALTHY))
    sender.writer.write(sent)
    assert (await sender.read()).status == status
    assert await sender.reader.read() == b""
    await sender.close()
    assert receivers.counts()["crm"].requests == 0


async def test_leaving_closes_ports_and_open_connections(clock: ManualClock) -> None:
    async with DemoReceivers(seed=1, clock=clock) as receivers:
        mailer = spec_of(receivers, Behaviour.SLOW)
        sender = await Sender.open(mailer)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sender.ask(signed(mailer, "evt_1")), 0.25)
    assert receivers.counts()["mailer"].answers == {"abandoned": 1}
    with pytest.raises(ConnectionRefusedError):
        await Sender.open(mailer)
    await sender.close()
