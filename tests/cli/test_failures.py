"""`failures`: what fails, by cause."""

import pytest

from console.cli.failures import GROUP_FIELDS
from console.domain.filters import DeliveryFilter
from console.store import Store
from tests.cli.support import BROKEN, OK, CommandLine, EngineHand, make_endpoint, make_events


@pytest.fixture
def past(store: Store) -> Store:
    """Two deliveries to billing that failed of a lock, one of a lost customer; one to crm that was delivered."""
    billing, crm = make_endpoint(store, "billing", types=("invoice.*",)), make_endpoint(store, "crm", types=("lead",))
    hand = EngineHand(store)
    for body in (b"locked by 7", b"locked by 8", b"no such customer"):
        make_events(store, 1, "invoice.paid")
        hand.run(billing, BROKEN, body)
    make_events(store, 1, "lead")
    hand.run(crm, OK)
    return store


def test_groups_the_largest_first(console: CommandLine, past: Store) -> None:
    first, second = console("failures", "--json").records
    assert tuple(first) == GROUP_FIELDS
    assert (first["endpoint"], first["cause"], first["status"], first["words"], first["deliveries"]) == (
        "billing", "http_5xx", 503, "locked by …", 2,
    )  # fmt: skip
    assert second["words"] == "no such customer"
    assert (first["failed"], first["retried"]) == (2, 0)
    assert console("attempts", "show", first["example_attempt_id"], "--json").record["cause"] == "http_5xx"
    shown = console("failures").out
    assert "locked by …" in shown
    assert shown.index("locked") < shown.index("customer")


def test_a_group_is_a_filter(console: CommandLine, past: Store) -> None:
    group = console("failures", "--json").records[0]["id"]
    assert len(console("deliveries", "list", "--filter", f"group:{group}", "--json").records) == 2
    assert len(console("failures", "--filter", f"group:{group}", "--json").records) == 1
    assert console("deliveries", "retry", "--filter", f"group:{group}", "--yes").code == 0
    pending = past.deliveries(DeliveryFilter(groups=(group,)), limit=9)
    assert {d.state for d in pending} == {"pending"}, "still in the group until it is tried"


def test_nothing(console: CommandLine, past: Store) -> None:
    assert "no failures match" in console("failures", "--endpoint", "crm").err
    assert console("failures", "--endpoint", "crm", "--json").records == []
