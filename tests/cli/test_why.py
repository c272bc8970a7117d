"""`deliveries why` over a real store."""

import pytest

from console.domain.delivery import DeliveryState
from console.domain.filters import DeliveryFilter
from console.domain.ids import format_number
from console.domain.policy import Ordering
from console.store import Store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, make_endpoint, make_events
from tests.factories import NOW_MS, add_endpoint, cancel_matching


def events_of(store: Store) -> list[str]:
    """Oldest first."""
    return [d.event_id for d in store.deliveries(DeliveryFilter(), limit=100)[::-1]]


def test_delivered_and_not_owed(console: CommandLine, store: Store) -> None:
    crm = make_endpoint(store, "crm", types=("lead",))
    make_endpoint(store, "billing", types=("invoice.*",))
    make_events(store, 1, "lead")
    EngineHand(store).run(crm, OK)
    (event,) = events_of(store)
    said = console("deliveries", "why", event, "crm")
    assert (said.code, said.out.splitlines()[0][:29]) == (0, "Delivered on attempt 1 of 10,")
    record = console("deliveries", "why", event, "billing", "--json").record
    assert (record["outcome"], record["what"]) == ("not_owed", "Not owed: billing wants invoice.*, not lead.")
    assert console("deliveries", "why", event, "nobody").code == 1


def test_an_unknown_event_is_said_so(console: CommandLine, store: Store) -> None:
    make_endpoint(store, "crm")
    said = console("deliveries", "why", "evt_nothing", "crm")
    assert said.code == 1
    assert said.out.startswith("No event evt_nothing is in this store.\n")


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_removed_endpoint_is_still_found(console: CommandLine, store: Store, by: str) -> None:
    crm = make_endpoint(store, "crm")
    make_events(store, 1)
    (event,) = events_of(store)
    assert console("endpoints", "remove", "crm", "--yes").code == 0
    said = console("deliveries", "why", event, "crm" if by == "name" else crm.id)
    assert said.code == 0
    assert "its endpoint was removed" in said.out
    assert "The endpoint was removed just now." in said.out


def test_a_line_names_its_head_until_it_is_skipped(console: CommandLine, store: Store) -> None:
    crm = make_endpoint(store, "crm", policy={"ordering": Ordering.FIFO})
    make_events(store, 2)
    EngineHand(store).run(crm, BROKEN)
    head, second = (d.id for d in store.deliveries(DeliveryFilter(), limit=9)[::-1])
    named = format_number("dlv", head)
    first_event, second_event = events_of(store)
    assert "Those accepted after it in its line wait" in console("deliveries", "why", first_event, "crm").out
    record = console("deliveries", "why", second_event, "crm", "--json").record
    assert (record["outcome"], record["what"]) == ("blocked", f"Waits for {named}, which is first in order.")
    shown = console("deliveries", "show", format_number("dlv", second))
    assert f"waits for {named} (first in order)" in shown.out
    assert console("deliveries", "show", format_number("dlv", second), "--json").record["blocked_by"] == named
    assert "pending (in line)" in console("deliveries", "list").out
    cancel_matching(store, DeliveryFilter(ids=(head,)), now_ms=NOW_MS)
    assert store.delivery(head).state is DeliveryState.CANCELLED
    assert "ada@box cancelled it" in console("deliveries", "why", first_event, "crm").out
    assert console("deliveries", "why", second_event, "crm", "--json").record["outcome"] == "pending"


def test_what_the_receiver_asked_for_is_read_from_its_answer(store: Store) -> None:
    from tests.factories import claim_all, make_completed, make_event, make_exchange, retry, start_engine

    add_endpoint(store)
    store.accept([make_event()], NOW_MS)
    epoch = start_engine(store)
    (claimed,) = claim_all(store, epoch)
    exchange = make_exchange(response_headers=(("Retry-After", "90"),))
    store.complete([make_completed(claimed, retry(NOW_MS + 90_000), exchange=exchange)], epoch=epoch)
    assert store.standing(claimed.delivery_id).retry_after_s == 90.0
