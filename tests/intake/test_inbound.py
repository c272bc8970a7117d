"""What becomes of a request to `/in/NAME`, over a real store: kept, answered, counted; strangers are told nothing."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from console.domain.errors import StoreError
from console.domain.event_schema import Flaw
from console.domain.inbound import Fate, Genuine, InboundRequest, Refused
from console.domain.policy import RateLimit
from console.domain.sealing import Keyring
from console.domain.source import Answer, SourceKind, SourceOptions, SourceSpec
from console.intake.doors import LOOK_S
from console.intake.inbound import Checked, Checks, InboundAnswer, no_checks
from console.operations.captures import new_capture
from console.operations.sources import edit_source, enable_source, remove_source
from console.store import Store, open_store
from tests.domain.kinds.senders import JSON, SECRETS
from tests.factories import add_endpoint
from tests.intake.desk import Desk

STRIPE_BODY = b'{"id": "evt_1", "type": "invoice.paid", "data": {}}'


@pytest.fixture
async def make_desk(store_path: Path) -> AsyncIterator[Callable[..., Desk]]:
    opened: list[Store] = []

    def make(*, keys: Keyring = Keyring(), checks: Checks = no_checks) -> Desk:  # noqa: B008 - it is frozen
        opened.extend((open_store(store_path), open_store(store_path)))
        return Desk(opened[-2], opened[-1], keys=keys, checks=checks)

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


async def test_what_is_genuine_is_an_event_that_is_owed_and_a_request_in_the_inbox(desk: Desk) -> None:
    desk.add(SourceKind.STRIPE)
    add_endpoint(desk.store, types=("invoice.*",))
    answer = await desk.send_signed(SourceKind.STRIPE, STRIPE_BODY, path="live", query="a=1")
    assert (answer.status, answer.body) == (202, b"")
    (arrival,) = desk.inbox()
    row = arrival.row
    assert (row.fate, row.status, row.path, row.query, row.event_type) == (
        Fate.ACCEPTED,
        202,
        "live",
        "a=1",
        "invoice.paid",
    )
    assert row.event_id == "shop_evt_1"
    event = desk.store.event(row.event_id)
    assert (event.payload, event.source) == (STRIPE_BODY, "in/shop")
    assert desk.inbound.owed == 1
    assert desk.inbound.fates == {("shop", Fate.ACCEPTED): 1}


async def test_a_providers_own_retry_is_answered_alike_and_makes_no_second_event(desk: Desk) -> None:
    desk.add(SourceKind.STRIPE)
    first = await desk.send_signed(SourceKind.STRIPE, STRIPE_BODY)
    desk.clock.advance(3600)
    again = await desk.send_signed(SourceKind.STRIPE, STRIPE_BODY)
    assert first == again
    assert desk.fates == [Fate.ACCEPTED, Fate.DUPLICATE]
    assert [arrival.row.event_id for arrival in desk.inbox()] == ["shop_evt_1"] * 2


async def test_a_stranger_is_told_nothing_and_the_operator_why(desk: Desk) -> None:
    desk.add(SourceKind.STRIPE)
    answer = await desk.send(STRIPE_BODY)
    assert (answer.status, answer.body) == (401, b"Unauthorized\n")
    assert [(a.row.fate, a.row.reason) for a in desk.inbox()] == [(Fate.REJECTED, "header Stripe-Signature is missing")]
    assert desk.inbox()[0].body == STRIPE_BODY


async def test_there_is_nothing_where_no_source_is(desk: Desk) -> None:
    source = desk.add(SourceKind.OPEN)
    for name in ("nobody", "Shop", "", "../shop", "shop/x", "\ud800"):
        assert (await desk.send(name=name)).status == 404
    assert (await desk.send()).status == 202
    enable_source(desk.store, source.id, False, actor="ada", reason=None, now_ms=0)
    desk.clock.advance(2 * LOOK_S)
    assert (await desk.send()).status == 404
    enable_source(desk.store, source.id, True, actor="ada", reason=None, now_ms=0)
    desk.clock.advance(2 * LOOK_S)
    assert (await desk.send()).status == 202
    remove_source(desk.store, source.id, actor="ada", reason=None, now_ms=0)
    desk.clock.advance(2 * LOOK_S)
    assert (await desk.send()).status == 404
    assert desk.fates == [Fate.ACCEPTED] * 2


async def test_a_capture_records_everything_answers_as_told_and_ends(desk: Desk) -> None:
    answer = Answer(status=503, body="later", content_type="text/html", delay_s=1.5)
    capture = new_capture(
        desk.store, actor="ada", now_ms=desk.clock.now_ms(), random=Random(1), lasts_ms=60_000, answer=answer
    )
    sent = ("Authorization", "Bearer seen-by-who-debugs"), ("X-Odd", "1")
    given = await desk.send(b"\xff\x00", *sent, name=capture.name, method="BREW", query="token=t")
    assert given == InboundAnswer(status=503, body=b"later", content_type="text/html", delay_s=1.5)
    (arrival,) = desk.inbox()
    assert (arrival.row.fate, arrival.row.method, arrival.row.query) == (Fate.CAPTURED, "BREW", "token=t")
    assert (arrival.headers, arrival.body) == (sent, b"\xff\x00")
    assert arrival.row.event_id is None
    desk.clock.advance(60)
    assert (await desk.send(name=capture.name)).status == 404


async def test_what_lets_others_in_is_not_kept(desk: Desk) -> None:
    desk.add(SourceKind.TOKEN)
    secret = SECRETS[SourceKind.TOKEN]
    assert (await desk.send(b"{}", JSON, ("authorization", f"Bearer {secret}"))).status == 202
    assert (await desk.send(b"{}", JSON, ("x-webhook-token", secret))).status == 202
    assert (await desk.send(b"{}", JSON, query=f"a=1&%74oken={secret}")).status == 202
    assert (await desk.send(b"{}", JSON, ("cookie", f"c={secret}"), query=f"token=wrong-{secret}")).status == 401
    for arrival in desk.inbox():
        assert secret not in repr(arrival)
    assert desk.inbox()[2].row.query == "a=1&%74oken=[redacted]"


async def test_only_the_networks_that_are_allowed_come_in(desk: Desk) -> None:
    desk.add(SourceKind.OPEN, allow=("192.0.2.0/24", "2001:db8::/32"))
    statuses = [
        (await desk.send(remote_address=address)).status
        for address in ("192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1", "198.51.100.1", "unix", "")
    ]
    assert statuses == [202, 202, 202, 403, 403, 403]
    assert desk.inbox()[3].row.reason == (
        "address 198.51.100.1 is in none of the allowed networks (192.0.2.0/24, 2001:db8::/32)"
    )


async def test_a_source_has_its_rate_and_says_when_to_come_back(desk: Desk) -> None:
    source = desk.add(SourceKind.OPEN, rate_limit=RateLimit(count=6, period_s=60.0))
    answers = [await desk.send(), await desk.send()]
    assert [answer.status for answer in answers] == [202, 429]
    assert answers[1].headers == (("retry-after", "10"),)
    assert desk.inbox()[1].row.reason == "more than 6/m came in"
    # An edit of something else is no fresh start.
    spec = SourceSpec(
        name="shop", kind=SourceKind.OPEN, options=SourceOptions(rate_limit=source.options.rate_limit, type_prefix="x.")
    )
    edit_source(desk.store, source.id, spec, actor="ada", now_ms=0)
    desk.clock.advance(1)
    assert (await desk.send()).status == 429
    desk.clock.advance(10)
    assert (await desk.send()).status == 202


async def test_a_flood_of_what_is_refused_is_counted_and_does_not_fill_the_disk(desk: Desk) -> None:
    desk.add(SourceKind.STRIPE)
    for _ in range(75):
        assert (await desk.send(b"x" * 100_000)).status == 401
    kept = desk.inbox()
    assert len(kept) == 60
    assert {len(arrival.body) for arrival in kept} == {64 * 1024}
    assert kept[0].row.reason == ("header Stripe-Signature is missing; of its 100,000 bytes the first 65,536 are kept")
    desk.clock.advance(2)
    await desk.send(b"x")
    assert (desk.inbox()[-1].row.reason or "").endswith("15 rejected before it were not kept, there were too many")
    assert desk.inbound.fates["shop", Fate.REJECTED] == 76


async def test_what_the_store_cannot_take_is_not_accepted_and_is_to_come_again(desk: Desk) -> None:
    desk.add(SourceKind.STRIPE)
    desk.writes.trouble = StoreError("database or disk is full")
    answer = await desk.send_signed(SourceKind.STRIPE, STRIPE_BODY)
    assert (answer.status, answer.headers, answer.body) == (503, (("retry-after", "5"),), b"Service Unavailable\n")
    assert (await desk.send(STRIPE_BODY)).status == 401
    desk.writes.trouble = None
    assert desk.inbox() == []
    assert (await desk.send_signed(SourceKind.STRIPE, STRIPE_BODY)).status == 202


async def test_event_and_request_are_kept_together_or_not_at_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add(SourceKind.STRIPE)

    def full(arrivals: object) -> list[Any]:
        raise StoreError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "record_arrivals", full)
        assert (await desk.send_signed(SourceKind.STRIPE, STRIPE_BODY)).status == 503
    assert (await desk.send_signed(SourceKind.STRIPE, STRIPE_BODY)).status == 202
    assert desk.fates == [Fate.ACCEPTED]  # no duplicate: nothing had stayed of the first


async def test_a_body_that_is_too_large_for_an_event_is_refused(desk: Desk) -> None:
    desk.add(SourceKind.OPEN)
    assert (await desk.send(b"[" + b"1," * 600_000 + b"1]")).status == 413
    assert "at most 1,048,576 are accepted" in (desk.inbox()[0].row.reason or "")


async def test_a_handshake_is_answered_and_is_no_event(desk: Desk) -> None:
    desk.add(SourceKind.SLACK)
    answer = await desk.send_signed(SourceKind.SLACK, b'{"type": "url_verification", "challenge": "abc"}')
    assert (answer.status, answer.body) == (200, b"abc")
    assert desk.fates == [Fate.ANSWERED]


async def test_basic_asks_for_the_password(desk: Desk) -> None:
    desk.add(SourceKind.BASIC)
    assert (await desk.send()).headers == (("www-authenticate", 'Basic realm="webhook", charset="UTF-8"'),)


async def test_sealed_secrets_are_opened_and_a_missing_key_is_no_refusal_for_good(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(keys=Keyring([bytes(32)]))
    source = desk.add(SourceKind.GITHUB)
    assert source.secrets[0].text.startswith("sealed:")
    assert (await desk.send_signed(SourceKind.GITHUB, b"{}")).status == 202
    without = make_desk()
    answer = await without.send_signed(SourceKind.GITHUB, b"{}")
    assert (answer.status, answer.headers) == (503, (("retry-after", "5"),))
    assert without.fates == [Fate.ACCEPTED, Fate.REJECTED]


async def test_checks_flag_or_refuse_what_is_genuine(make_desk: Callable[..., Desk]) -> None:
    flaw = Flaw(path="data.amount", reason="is missing", pattern="*", version=3)

    async def checks(request: InboundRequest, event: Genuine) -> Checked | Refused:
        if b"bad" in event.payload:
            return Refused(status=400, reason="does not match")
        return Checked(hops=2, via="a, b", flaw=flaw)

    desk = make_desk(checks=checks)
    desk.add(SourceKind.OPEN)
    assert [(await desk.send(b'["bad"]')).status, (await desk.send(b'["odd"]')).status] == [400, 202]
    refused, flagged = desk.inbox()
    assert (refused.row.fate, refused.row.reason) == (Fate.REJECTED, "does not match")
    assert (flagged.row.fate, flagged.row.reason) == (Fate.FLAGGED, "data.amount: is missing (schema * v3)")
    assert flagged.row.event_id is not None
    event = desk.store.event(flagged.row.event_id)
    assert (event.hops, event.via, event.flaw) == (2, "a, b", flaw)
