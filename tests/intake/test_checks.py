"""What an event must pass at the door beside its proof, as the store has it: no loop, and its schema."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.domain.clock import ManualClock
from console.domain.event_schema import SchemaMode
from console.domain.inbound import Fate
from console.domain.sealing import Keyring
from console.domain.source import SourceKind
from console.intake.checks import ASIDE_BYTES, LOOK_S, StoreChecks
from console.store import open_store
from tests.domain.kinds.senders import JSON
from tests.intake.desk import Desk

NUMBER = b'{"type": "object", "properties": {"amount": {"type": "integer"}}}'


@pytest.fixture
def desk(store_path: Path) -> Iterator[Desk]:
    clock = ManualClock()
    with closing(open_store(store_path)) as store, closing(open_store(store_path)) as reader:
        yield Desk(store, reader, keys=Keyring(), checks=StoreChecks(reader, clock), clock=clock)


async def test_a_schema_refuses_or_flags_as_soon_as_it_is_there(desk: Desk) -> None:
    desk.add(SourceKind.OPEN, type_from="order.paid")
    wrong = b'{"amount": "many"}'
    assert (await desk.send(wrong)).status == 202
    desk.store.add_schema("order.*", SchemaMode.REJECT, NUMBER, 0)
    desk.tick(2 * LOOK_S)
    assert [(await desk.send(body)).status for body in (wrong, b'{"amount": 7}')] == [400, 202]
    desk.store.add_schema("order.*", SchemaMode.FLAG, NUMBER, 0)
    desk.tick(2 * LOOK_S)
    large = b'{"amount": "many", "more": "' + b"x" * ASIDE_BYTES + b'"}'
    assert [(await desk.send(body)).status for body in (wrong, large)] == [202, 202]
    assert desk.fates == [Fate.ACCEPTED, Fate.REJECTED, Fate.ACCEPTED, Fate.FLAGGED, Fate.FLAGGED]
    said = [arrival.row.reason or "" for arrival in desk.inbox()]
    assert said[1].startswith("amount: ")
    assert said[1].endswith("(schema order.* v1)")
    assert said[3].endswith("(schema order.* v2)")
    event_id = desk.inbox()[3].row.event_id
    assert event_id is not None
    flaw = desk.store.event(event_id).flaw
    assert flaw is not None
    assert (flaw.path, flaw.version) == ("amount", 2)


async def test_what_goes_round_is_refused_and_says_which_event(desk: Desk) -> None:
    desk.add(SourceKind.OPEN)
    here = desk.store.instance()
    assert (await desk.send(b"{}", JSON, ("webhook-via", f"elsewhere/evt_1, {here}/evt_2"))).status == 508
    assert (await desk.send(b"{}", JSON, ("webhook-hops", "99"))).status == 508
    assert (await desk.send(b"{}", JSON, ("webhook-hops", "2"), ("webhook-via", "elsewhere/evt_1"))).status == 202
    round_, far, taken = desk.inbox()
    assert (round_.row.reason or "").startswith("loop: event evt_2 was sent from here")
    assert (far.row.reason or "").startswith("loop: it has passed 99 senders")
    assert taken.row.event_id is not None
    event = desk.store.event(taken.row.event_id)
    assert (event.hops, event.via) == (2, "elsewhere/evt_1")
